//! Random bytes as instructions, with random registers.

use crate::check;
use crate::kit::elf::{Asm, DATA, R, program};
use crate::kit::machine_code::{end_of, is_sound, spawn};
use crate::kit::{World, small};
use forkyard::kernel::System;
use forkyard::machine::Cpu;
use forkyard::session::code::{CodeEvent, CodeRun, Place};
use proptest::collection::vec;
use proptest::prelude::*;

const CASES: u32 = 800;
/// Instructions that a program may execute.
const LIMIT: u64 = 1_500;
/// Events that there may be: a call of no instruction is one, too.
const EVENTS: u64 = 4_000;

/// Instructions that lead somewhere: calls, jumps back and forth, string
/// instructions, stacks, flags, MMX, x87.
const PIECES: &[&[u8]] = &[
    &[0x0f, 0x05],
    &[0xeb, 0xf0],
    &[0x75, 0xe8],
    &[0xe2, 0xf4],
    &[0xe8, 0xf0, 0xff, 0xff, 0xff],
    &[0xc3],
    &[0xf3, 0xa4],
    &[0xf3, 0xab],
    &[0xf2, 0xae],
    &[0xa5],
    &[0x50],
    &[0x58],
    &[0x9c, 0x9d],
    &[0x9d],
    &[0xcc],
    &[0x0f, 0x0b],
    &[0xb8, 57, 0, 0, 0, 0x0f, 0x05],
    &[0xb8, 39, 0, 0, 0, 0x0f, 0x05],
    &[0xb8, 24, 0, 0, 0, 0x0f, 0x05],
    &[0xb8, 34, 0, 0, 0, 0x0f, 0x05],
    &[0xb8, 61, 0, 0, 0, 0x0f, 0x05],
    &[0xb8, 15, 0, 0, 0, 0x0f, 0x05],
    &[0x6a, 1, 0x5f, 0xb8, 60, 0, 0, 0, 0x0f, 0x05],
    &[0xf0, 0x48, 0x0f, 0xc1, 0x07],
    &[0x48, 0x89, 0x07],
    &[0x48, 0x8b, 0x06],
    &[0x88, 0x05, 0xf8, 0xff, 0xff, 0xff],
    &[0x0f, 0x6e, 0xc0, 0x0f, 0xfc, 0xc1],
    &[0xd9, 0xe8, 0xde, 0xf1],
    &[0x66, 0x0f, 0x58, 0xc1],
    &[0x8e, 0xd8],
    &[0x8e, 0xe0],
];

/// The program: bytes of code, what the registers hold, rights of the code.
#[derive(Debug, Clone)]
struct Program {
    registers: Vec<u64>,
    code: Vec<u8>,
    writable: bool,
}

const REGISTERS: [R; 14] = [
    R::Ax,
    R::Cx,
    R::Dx,
    R::Bx,
    R::Bp,
    R::Si,
    R::Di,
    R::R8,
    R::R9,
    R::R10,
    R::R12,
    R::R13,
    R::R14,
    R::R15,
];

fn programs() -> impl Strategy<Value = Program> {
    let value = prop_oneof![
        2 => any::<u64>(),
        2 => 0..400u64,
        4 => (0..0x1000u64).prop_map(|n| DATA + n * 8),
        1 => (0..64u32).prop_map(|n| 1 << n),
        1 => (0..64u32).prop_map(|n| (1u64 << n).wrapping_neg()),
    ];
    let piece = prop_oneof![
        3 => vec(any::<u8>(), 1..12),
        2 => prop::sample::select(PIECES).prop_map(<[u8]>::to_vec),
    ];
    (vec(value, REGISTERS.len()), vec(piece, 1..24), any::<bool>()).prop_map(
        |(registers, pieces, writable)| Program { registers, code: pieces.concat(), writable },
    )
}

fn image(p: &Program) -> Vec<u8> {
    let mut a = Asm::new();
    for (r, value) in REGISTERS.into_iter().zip(&p.registers) {
        a.mov(r, *value);
    }
    a.raw(&p.code);
    program(&a.code(), &[0x5a; 0x800], if p.writable { 7 } else { 5 })
}

/// Runs it; `slice` is the most that is executed at once.
fn run(base: &World, image: &[u8], slice: Option<u64>) -> (System, Place, u64) {
    let mut sys = base.sys.clone();
    let spawned = spawn(&mut sys, image).expect("it is valid");
    let mut run = CodeRun::begin(&mut sys);
    run.slice = slice;
    run.until = Some(LIMIT);
    let mut calls = 0;
    // Where it stops must not depend on the slices.
    while run.place().retired < LIMIT && run.place().steps < EVENTS {
        let event = run.next(&mut sys).unwrap_or_else(|e| panic!("{e}"));
        calls += u64::from(matches!(event, CodeEvent::Call(..)));
        spawned.streams.take_stdout(&mut sys);
        spawned.streams.take_stderr(&mut sys);
        if event == CodeEvent::Idle || end_of(&sys, spawned.task).is_some() {
            break;
        }
    }
    let place = run.place();
    run.end(&mut sys);
    (sys, place, calls)
}

/// A processor without what only says how often it was asked.
fn without_tlb(cpu: &Cpu) -> Cpu {
    let mut cpu = cpu.clone();
    cpu.tlb = Default::default();
    cpu
}

fn same(a: &System, b: &System) -> Result<(), String> {
    let (m, n) = (&a.machine, &b.machine);
    for (x, y) in m.cpus.iter().zip(&n.cpus) {
        let (x, y) = (without_tlb(x), without_tlb(y));
        if x != y {
            let show = |c: &Cpu| format!("{:x?} {:?} {}", c.regs, c.cr2, c.tsc);
            return Err(format!("processors differ:\n{}\n{}", show(&x), show(&y)));
        }
    }
    for ((id, x), (_, y)) in a.kernel.tasks.iter().zip(b.kernel.tasks.iter()) {
        if x != y {
            return Err(format!("task {id:?} differs:\n{x:#?}\n{y:#?}"));
        }
    }
    if a.kernel != b.kernel {
        return Err("kernels differ".into());
    }
    if m.mem != n.mem || m.clock != n.clock {
        return Err("memory or clocks differ".into());
    }
    Ok(())
}

fn property(base: &World, program: &Program, cut: u64) -> Result<(), String> {
    let image = image(program);
    let (mut sys, place, calls) = run(base, &image, None);
    let (again, other, _) = run(base, &image, None);
    if sys != again || place != other {
        return Err(format!("twice is not the same: {place:?}, {other:?}"));
    }
    let (pieces, other, _) = run(base, &image, Some(cut));
    if place != other {
        return Err(format!("in slices of {cut}: {other:?}, not {place:?}"));
    }
    same(&sys, &pieces).map_err(|e| format!("in slices of {cut}, after {place:?}: {e}"))?;
    if calls > EVENTS {
        return Err(format!("{calls} calls"));
    }
    is_sound(&mut sys, "the program");
    Ok(())
}

#[test]
fn random_instructions_on_one_processor() {
    let base = World::boot(&small(1));
    check(CASES, 3, &programs(), |p| property(&base, &p, 1));
}

#[test]
fn random_instructions_on_two_processors() {
    let base = World::boot(&small(2));
    let cut = prop::sample::select(&[1, 2, 3, 7, 64][..]);
    check(CASES / 2, 4, &(programs(), cut), |(p, cut)| property(&base, &p, cut));
}
