//! The trace of a program with processes and threads on two processors: the same in
//! every build and on every host.
//!
//! `FORKYARD_BLESS=1` writes it anew.

use crate::kit::elf::{Asm, DATA, R};
use crate::kit::machine_code::{End, end_of, is_sound, spawn};
use crate::kit::{World, small};
use forkyard::kernel::System;
use forkyard::kernel::entry::code::user_regs;
use forkyard::session::code::{CodeEvent, CodeRun};
use std::fmt::Write as _;

/// Events between two lines of the golden file.
const LINE: u64 = 500;

/// Adds under a lock prefix, so many times, to a word that all threads see.
fn count(a: &mut Asm, at: u64, times: u64) {
    a.mov(R::Cx, times).mov(R::Bx, at);
    let again = a.mark();
    // lock add qword [rbx], 1 ; imul rdx, rdx, 31 ; add rdx, rcx ; dec rcx
    a.raw(&[0xf0, 0x48, 0x83, 0x03, 1]).raw(&[0x48, 0x6b, 0xd2, 31]).raw(&[0x48, 0x01, 0xca]);
    a.raw(&[0x48, 0xff, 0xc9]).jne(again);
}

/// Two threads and two processes count, write to a pipe, sleep and wait. The exit
/// code is what was counted.
pub fn program() -> Vec<u8> {
    const STACK: u64 = DATA + 0x9000;
    const COUNTER: u64 = DATA + 0x100;
    const DONE: u64 = DATA + 0x108;
    let mut a = Asm::new();
    let (thread, child, joined) = (a.label(), a.label(), a.label());
    // pipe, then a thread: VM | FS | FILES | SIGHAND | THREAD | SYSVSEM
    a.sys(22, &[DATA + 0x200]);
    a.sys(56, &[0x5_0f00, STACK, 0, 0, 0]).test().je(thread);
    a.sys(57, &[]).test().je(child);
    count(&mut a, COUNTER, 200);
    // read(pipe[0], DATA + 0x300, 8): the child's
    a.raw(&[0x8b, 0x3c, 0x25, 0, 0x02, 0x60, 0]).mov(R::Si, DATA + 0x300).mov(R::Dx, 8);
    a.mov(R::Ax, 0).syscall();
    a.sys(61, &[u64::MAX, DATA + 0x400, 0, 0]);
    // futex(DONE, WAIT, 0) until the thread has said so
    let wait = a.mark();
    a.mov(R::Ax, DONE).raw(&[0x48, 0x8b, 0x00]).test().jne(joined);
    a.sys(202, &[DONE, 0, 0, 0, 0, 0]).jmp(wait);
    a.place(joined).mov(R::Ax, COUNTER).raw(&[0x48, 0x8b, 0x38]);
    // the low byte of the sum: 200 + 300
    a.mov(R::Ax, 231).syscall();

    a.place(thread);
    count(&mut a, COUNTER, 150);
    // nanosleep({0, 20000})
    a.mov(R::Cx, 20_000).store(DATA + 0x508, R::Cx).sys(35, &[DATA + 0x500, 0]);
    count(&mut a, COUNTER, 150);
    a.mov(R::Cx, 1).store(DONE, R::Cx).sys(202, &[DONE, 1, 1]).sys(60, &[0]);

    a.place(child);
    count(&mut a, COUNTER, 100);
    a.sys(24, &[]);
    count(&mut a, COUNTER, 100);
    // write(pipe[1], COUNTER, 8)
    a.raw(&[0x8b, 0x3c, 0x25, 4, 0x02, 0x60, 0]).mov(R::Si, COUNTER).mov(R::Dx, 8);
    a.mov(R::Ax, 1).syscall().exit(7);
    a.elf()
}

/// FNV-1a.
fn mix(hash: &mut u64, word: u64) {
    for byte in word.to_le_bytes() {
        *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

fn note(sys: &System, event: &CodeEvent, hash: &mut u64) {
    let (kind, task) = match event {
        CodeEvent::Ran(t, n) => (*n << 8 | 1, Some(t)),
        CodeEvent::Call(t, _) => (2, Some(t)),
        CodeEvent::Returned(t, _) => (3, Some(t)),
        CodeEvent::Blocked(t) => (4, Some(t)),
        CodeEvent::Interrupted(t) => (5, Some(t)),
        CodeEvent::Died(t) => (6, Some(t)),
        CodeEvent::Fault(t, _) => (7, Some(t)),
        CodeEvent::Waited => (8, None),
        _ => (9, None),
    };
    mix(hash, kind);
    mix(hash, sys.machine.clock.now());
    let Some(t) = task.filter(|t| sys.kernel.tasks.contains(**t)) else { return };
    mix(hash, sys.task(*t).pid as u64);
    let r = user_regs(sys, *t);
    for word in [r.ip, r.flags, r.sp, r.ax, r.bx, r.cx, r.dx, r.si, r.di, r.r10, r.r11] {
        mix(hash, word);
    }
}

/// The trace in steps of one instruction, and the end.
fn trace(seed: u64) -> (String, End, System) {
    let mut config = small(2);
    config.seed = seed;
    let mut sys = World::boot(&config).sys;
    let spawned = spawn(&mut sys, &program()).expect("it is valid");
    let mut run = CodeRun::begin(&mut sys);
    run.slice = Some(1);
    let (mut hash, mut events, mut text) = (0xcbf2_9ce4_8422_2325, 0u64, String::new());
    loop {
        let event = run.next(&mut sys).unwrap_or_else(|e| panic!("{e}"));
        note(&sys, &event, &mut hash);
        events += 1;
        let end = end_of(&sys, spawned.task);
        if events.is_multiple_of(LINE) || end.is_some() {
            let place = run.place();
            writeln!(text, "{events} {} {} {hash:016x}", place.retired, place.steps).unwrap();
        }
        assert!(events < 100_000, "it does not end");
        if let Some(end) = end {
            run.end(&mut sys);
            return (text, end, sys);
        }
    }
}

#[test]
fn the_trace_is_the_same_everywhere() {
    let (text, end, mut sys) = trace(1);
    assert_eq!(end, End::Exit((200 + 300) as u8));
    assert!(text.lines().count() > 6, "{text}");
    let (again, _, other) = trace(1);
    assert_eq!(text, again);
    assert!(sys == other, "the same trace, another system");
    is_sound(&mut sys, "the program");
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz_code/trace.txt");
    if std::env::var_os("FORKYARD_BLESS").is_some() {
        std::fs::write(golden, &text).expect("the golden file can be written");
    }
    let wanted = std::fs::read_to_string(golden).unwrap_or_default();
    assert_eq!(text, wanted, "events, instructions, calls and their hash so far");
}
