//! A small program under control: stops, steps, watches, forks, signals, and back.

use super::*;
use crate::abi::Errno;
use crate::kernel::boot::{BootConfig, boot};
use crate::kernel::check::invariants;
use crate::kernel::fs::rootfs;
use crate::session::spawn::Command;

const BASE: u64 = 0x40_0000;
const START: u64 = BASE + 0x78;
const AGAIN: u64 = START + 5;
const FORK: u64 = START + 0x14;
const FAULT: u64 = START + 0x2d;
const COUNTER: u64 = START + 0x44;

/// ```text
///         mov ecx,3
/// again:  add [counter],ecx ; dec ecx ; jnz again
///         mov eax,57 ; syscall                     fork
///         test eax,eax ; jz child
///         wait4(-1, 0, 0, 0)
/// fault:  mov dword [0x10],1
/// child:  exit_group(5)
/// counter: dd 0
/// ```
const CODE: [u8; 72] = [
    0xb9, 0x03, 0x00, 0x00, 0x00, 0x01, 0x0d, 0x39, 0x00, 0x00, 0x00, 0xff, 0xc9, 0x75, 0xf6, 0xb8,
    0x39, 0x00, 0x00, 0x00, 0x0f, 0x05, 0x85, 0xc0, 0x74, 0x1e, 0xb8, 0x3d, 0x00, 0x00, 0x00, 0xbf,
    0xff, 0xff, 0xff, 0xff, 0x31, 0xf6, 0x31, 0xd2, 0x45, 0x31, 0xd2, 0x0f, 0x05, 0xc7, 0x04, 0x25,
    0x10, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0xb8, 0xe7, 0x00, 0x00, 0x00, 0xbf, 0x05, 0x00,
    0x00, 0x00, 0x0f, 0x05, 0x00, 0x00, 0x00, 0x00,
];

/// An ELF file with one segment, readable, writable and executable.
fn elf(code: &[u8]) -> Vec<u8> {
    let mut f = b"\x7fELF\x02\x01\x01".to_vec();
    f.resize(16, 0);
    [2u16, 62].iter().for_each(|v| f.extend(v.to_le_bytes()));
    f.extend(1u32.to_le_bytes());
    [START, 64, 0].iter().for_each(|v| f.extend(v.to_le_bytes()));
    f.extend(0u32.to_le_bytes());
    [64u16, 56, 1, 0, 0, 0].iter().for_each(|v| f.extend(v.to_le_bytes()));
    [1u32, 7].iter().for_each(|v| f.extend(v.to_le_bytes()));
    let size = (0x78 + code.len()) as u64;
    [0, BASE, BASE, size, size, 0x1000].iter().for_each(|v| f.extend(v.to_le_bytes()));
    f.extend(code);
    f
}

struct Bench {
    sys: System,
    d: Debugger,
    task: TaskId,
    pid: i32,
}

impl Bench {
    fn new() -> Bench {
        let mut sys = boot(&BootConfig::default()).unwrap();
        rootfs::add_file(&mut sys, "/bin/p", &elf(&CODE), 0o755).unwrap();
        let argv = vec!["p".to_string()];
        let command = Command { path: "/bin/p".to_string(), argv, envp: Vec::new() };
        let spawned = sys.spawn(&command).unwrap();
        let d = Debugger::attach(&mut sys, spawned.task);
        Bench { sys, d, task: spawned.task, pid: spawned.pid }
    }

    fn ip(&self, task: TaskId) -> u64 {
        registers::read(&self.sys, task).regs.ip
    }

    fn counter(&self) -> u8 {
        memory::read(&self.sys, self.task, COUNTER, 4)[0]
    }

    fn go(&mut self, parts: Vec<Part>) -> Stop {
        self.d.resume(&mut self.sys, &Plan { parts, still: BTreeSet::new() });
        for _ in 0..10_000 {
            match self.d.advance(&mut self.sys, |_, _| {}).unwrap() {
                Advance::Going => {}
                Advance::Idle => panic!("idle"),
                Advance::Stopped(stop) => {
                    assert_eq!(invariants(&self.sys), Ok(()), "{stop:?}");
                    return stop;
                }
            }
        }
        panic!("it does not stop");
    }

    fn run(&mut self) -> Stop {
        self.go(Vec::new())
    }

    fn step(&mut self) -> Stop {
        self.go(vec![Part { task: self.task, action: Action::Step, signal: None }])
    }

    fn back(&mut self, how: Reverse) -> Stop {
        self.d.reverse(&mut self.sys, how, |_, _| {}).unwrap()
    }

    fn break_at(&mut self, addr: u64, on: bool) {
        assert!(self.d.set_breakpoint(&self.sys, self.task, addr, on));
    }

    /// Runs to the fork and lets the child go.
    fn after_fork(&mut self) -> i32 {
        let Stop::Forked { parent, child, vfork: false } = self.run() else { panic!("no fork") };
        assert_eq!(parent, self.task);
        let pid = self.sys.task(child).pid;
        assert_eq!(self.d.processes().collect::<Vec<_>>(), [self.pid, pid]);
        self.d.detach(&mut self.sys, pid);
        pid
    }
}

#[test]
fn breakpoints_stop_and_steps_go_past_them() {
    let mut b = Bench::new();
    b.break_at(AGAIN, true);
    for n in 0..3u8 {
        assert_eq!(b.run(), Stop::Breakpoint(b.task));
        assert_eq!((b.ip(b.task), b.counter()), (AGAIN, [0, 3, 5][usize::from(n)]));
        assert_eq!(b.step(), Stop::Stepped(b.task));
        assert_eq!(b.ip(b.task), AGAIN + 6);
    }
    // One that is not lifted is met again at once.
    b.break_at(AGAIN, false);
    b.break_at(AGAIN + 6, true);
    assert_eq!(b.run(), Stop::Breakpoint(b.task));
    assert_eq!((b.ip(b.task), b.counter()), (AGAIN + 6, 6));
}

#[test]
fn a_step_over_a_call_ends_after_it() {
    let mut b = Bench::new();
    b.break_at(FORK, true);
    assert_eq!(b.run(), Stop::Breakpoint(b.task));
    assert!(matches!(b.step(), Stop::Forked { .. }));
    assert_eq!(b.ip(b.task), FORK + 2);
    assert_eq!(b.step(), Stop::Stepped(b.task), "the call was its step");
    assert_eq!(b.ip(b.task), FORK + 2);
}

#[test]
fn the_child_has_the_breakpoints() {
    let mut b = Bench::new();
    let child_at = START + 0x38;
    b.break_at(child_at, true);
    let Stop::Forked { child, .. } = b.run() else { panic!("no fork") };
    assert_eq!(b.run(), Stop::Breakpoint(child));
    assert_eq!(b.ip(child), child_at);
    // Not those that come later.
    assert!(!b.d.set_breakpoint(&b.sys, child, FAULT, false));
    let pid = b.sys.task(child).pid;
    b.d.set_breakpoint(&b.sys, child, child_at, false);
    assert_eq!(b.run(), Stop::Exited { pid, code: 5 });
}

#[test]
fn calls_are_caught() {
    let mut b = Bench::new();
    b.d.catch = Catch::These(BTreeSet::from([61]));
    b.after_fork();
    assert_eq!(b.run(), Stop::SyscallEntry(b.task, 61));
    assert_eq!(b.run(), Stop::SyscallReturn(b.task, 61));
    assert_eq!(b.ip(b.task), FAULT);
}

#[test]
fn signals_are_seen_first_and_may_be_dropped() {
    let mut b = Bench::new();
    b.after_fork();
    for _ in 0..2 {
        assert_eq!(b.run(), Stop::Signal(b.task, Signal::SIGSEGV));
        assert_eq!(b.ip(b.task), FAULT, "nothing was taken");
    }
    let segv = Some(Signal::SIGSEGV);
    let part = Part { task: b.task, action: Action::Continue, signal: segv };
    assert_eq!(b.go(vec![part]), Stop::Killed { pid: b.pid, sig: Signal::SIGSEGV });
    assert_eq!(b.d.processes().count(), 0);
}

#[test]
fn another_address_helps_past_a_fault() {
    let mut b = Bench::new();
    b.after_fork();
    b.run();
    b.run();
    let mut r = registers::read(&b.sys, b.task);
    assert_eq!(r.regs.ip, FAULT);
    r.regs.ip = START + 0x38;
    r.fpu.xmm[7] = 77;
    registers::write(&mut b.sys, b.task, &r).unwrap();
    assert_eq!(registers::read(&b.sys, b.task), r);
    r.fs_base = u64::MAX;
    assert_eq!(registers::write(&mut b.sys, b.task, &r).unwrap_err().errno, Errno::EIO);
    // exit_group(5) with another number.
    memory::write(&mut b.sys, b.task, START + 0x3e, &[9]).unwrap();
    b.d.influenced(&b.sys);
    assert_eq!(b.run(), Stop::Exited { pid: b.pid, code: 9 });
}

#[test]
fn watched_memory_stops_after_a_change() {
    let mut b = Bench::new();
    let area = COUNTER..COUNTER + 4;
    assert!(b.d.set_watch(&b.sys, b.task, area.clone(), WatchKind::Write, true));
    for now in [3, 5, 6] {
        let touched = Touched { addr: COUNTER, kind: WatchKind::Write };
        assert_eq!(b.run(), Stop::Watch(b.task, touched));
        assert_eq!((b.counter(), b.ip(b.task)), (now, AGAIN + 6));
    }
    assert!(b.d.set_watch(&b.sys, b.task, area.clone(), WatchKind::Write, false));
    assert!(!b.d.set_watch(&b.sys, b.task, area, WatchKind::Write, false));
    assert!(matches!(b.run(), Stop::Forked { .. }));
}

#[test]
fn a_kill_is_an_end() {
    let mut b = Bench::new();
    b.break_at(AGAIN, true);
    b.run();
    b.d.kill(&mut b.sys, b.pid);
    assert_eq!(b.run(), Stop::Killed { pid: b.pid, sig: Signal::SIGKILL });
}

#[test]
fn to_look_changes_nothing() {
    let (mut seen, mut unseen) = (Bench::new(), Bench::new());
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for (bench, looks, stops) in [(&mut seen, true, &mut a), (&mut unseen, false, &mut b)] {
        if looks {
            let area = COUNTER..COUNTER + 4;
            bench.d.set_watch(&bench.sys, bench.task, area, WatchKind::Access, true);
            for _ in 0..6 {
                bench.step();
                memory::read(&bench.sys, bench.task, BASE + 0x800, 64);
                memory::auxv(&bench.sys, bench.task);
            }
            bench.break_at(AGAIN, true);
            loop {
                match bench.run() {
                    Stop::Breakpoint(_) => drop(bench.step()),
                    Stop::Watch(..) => {}
                    _ => break,
                }
            }
        } else {
            bench.run();
        }
        for _ in 0..2 {
            let stop = bench.run();
            stops.push((stop, bench.sys.machine.clock.now(), bench.d.place()));
        }
    }
    assert_eq!(a, b);
    // All but how often the TLB was asked: each stop begins a run.
    let (a, b) = (&seen.sys.machine.cpus[0], &unseen.sys.machine.cpus[0]);
    assert_eq!((&a.regs, &a.msrs, a.cr2, a.tsc), (&b.regs, &b.msrs, b.cr2, b.tsc));
    assert_eq!(seen.sys.kernel.tasks[seen.task], unseen.sys.kernel.tasks[unseen.task]);
}

#[test]
fn back_step_by_step_and_forward_again() {
    let mut b = Bench::new();
    let mut past = Vec::new();
    for _ in 0..8 {
        past.push((registers::read(&b.sys, b.task), b.counter(), b.d.place()));
        assert_eq!(b.step(), Stop::Stepped(b.task));
    }
    while let Some(was) = past.pop() {
        assert_eq!(b.back(Reverse::Step(b.task)), Stop::Stepped(b.task));
        assert_eq!((registers::read(&b.sys, b.task), b.counter(), b.d.place()), was);
    }
    assert_eq!(b.back(Reverse::Step(b.task)), Stop::Beginning(b.task));
    assert_eq!((b.ip(b.task), b.counter()), (START, 0));
    b.after_fork();
    assert_eq!(b.counter(), 6);
}

#[test]
fn back_to_what_was_watched() {
    let mut b = Bench::new();
    b.after_fork();
    assert_eq!(b.run(), Stop::Signal(b.task, Signal::SIGSEGV));
    let end = (b.d.place(), b.sys.machine.clock.now());
    let area = COUNTER..COUNTER + 4;
    b.d.set_watch(&b.sys, b.task, area.clone(), WatchKind::Write, true);
    for before in [5, 3, 0] {
        assert!(matches!(b.back(Reverse::Continue), Stop::Watch(..)));
        assert_eq!((b.counter(), b.ip(b.task)), (before, AGAIN));
    }
    assert_eq!(b.back(Reverse::Continue), Stop::Beginning(b.task));
    b.d.set_watch(&b.sys, b.task, area, WatchKind::Write, false);
    // The same way again, without anybody doing anything: the child is let go by what
    // is remembered.
    let mut stops = Vec::new();
    while stops.last() != Some(&Stop::Signal(b.task, Signal::SIGSEGV)) {
        assert!(stops.len() < 5, "{stops:?}");
        stops.push(b.run());
    }
    assert_eq!((b.d.place(), b.sys.machine.clock.now()), end, "{stops:?}");
}

#[test]
fn who_writes_in_the_past_has_another_future() {
    let mut b = Bench::new();
    b.after_fork();
    b.break_at(AGAIN, true);
    assert_eq!(b.back(Reverse::Continue), Stop::Breakpoint(b.task));
    assert_eq!(b.counter(), 5);
    memory::write(&mut b.sys, b.task, COUNTER, &[40]).unwrap();
    b.d.influenced(&b.sys);
    b.break_at(AGAIN, false);
    b.after_fork();
    assert_eq!(b.counter(), 41);
}

#[test]
fn a_watch_may_outlive_its_memory() {
    let mut b = Bench::new();
    let area = COUNTER..COUNTER + 4;
    b.d.set_watch(&b.sys, b.task, area, WatchKind::Access, true);
    b.d.kill(&mut b.sys, b.pid);
    assert_eq!(b.run(), Stop::Killed { pid: b.pid, sig: Signal::SIGKILL });
    b.d.influenced(&b.sys);
    for _ in 0..5 {
        b.d.advance(&mut b.sys, |_, _| {}).unwrap();
    }
}
