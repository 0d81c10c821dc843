//! What a tracer sees of registers, system calls and memory, and what it can
//! change: line by line what `tests/host/ptrace_probe.c` says of the running
//! kernel. Stops, events and who waits are compared by scripts that run on
//! both (`scripts/ptrace`, `tests/oracle.rs`).
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use super::*;
use forkyard::abi::ptrace::request::*;
use forkyard::abi::ptrace::{PtraceOptions, SyscallOp, UserRegs};
use std::path::PathBuf;
use std::process::Command;

/// What the probe prints on Linux 6.18.
const TABLE: &str = include_str!("ptrace.txt");

const AX: usize = 10;
const ORIG_AX: usize = 15;

/// A tracer, its tracee, and what was seen so far.
struct Probe {
    w: World,
    tracer: TaskId,
    child: TaskId,
    text: String,
}

macro_rules! say {
    ($p:expr, $($arg:tt)*) => {{
        let line = format!($($arg)*);
        $p.text.push_str(&line);
    }};
}

impl Probe {
    fn new(text: String) -> Probe {
        let (w, tracer) = world();
        Probe { w, tracer, child: tracer, text }
    }

    /// Makes a tracee, which stops in kill(2).
    fn begin(&mut self) {
        self.child = self.w.fork(self.tracer);
        self.w.ok(self.child, "ptrace", &[PTRACE_TRACEME, 0, 0, 0]);
        let pid = self.w.pid(self.child) as u64;
        self.act("kill", &[pid, 19]);
        self.stop();
    }

    fn end(&mut self) {
        let pid = i64::from(self.w.pid(self.child));
        self.w.ok(self.tracer, "kill", &[pid as u64, 9]);
        let status = self.w.wait4(self.tracer, pid, WALL).unwrap().1;
        assert_eq!(status, 9);
    }

    /// The tracee makes a call in which it stops or sleeps.
    fn act(&mut self, name: &str, args: &[u64]) {
        match self.w.with(self.child, name, args, Payload::None) {
            Ok(Done::Stopped | Done::Blocked) => {}
            other => panic!("{name}: {other:?}"),
        }
    }

    fn request(&mut self, op: u64, addr: u64, data: u64, payload: Payload) -> i64 {
        let pid = self.w.pid(self.child) as u64;
        let result = self.w.value(self.tracer, "ptrace", &[op, pid, addr, data], payload);
        result.unwrap_or_else(|e| -i64::from(e as i32))
    }

    fn tr(&mut self, op: u64, addr: u64, data: u64) -> i64 {
        self.request(op, addr, data, Payload::None)
    }

    fn stop(&mut self) -> i32 {
        let pid = i64::from(self.w.pid(self.child));
        self.w.wait4(self.tracer, pid, WALL | WNOHANG).map_or(-1, |(_, status)| status)
    }

    fn go(&mut self) {
        assert_eq!(self.tr(PTRACE_SYSCALL, 0, 0), 0);
    }

    /// To the next stop, which is there at once or when the tracee acts.
    fn step(&mut self) {
        self.go();
        self.stop();
    }

    fn regs(&mut self) -> UserRegs {
        self.tr(PTRACE_GETREGS, 0, 0);
        let Out::UserRegs(regs) = &self.w.out else { panic!("{:?}", self.w.out) };
        **regs
    }

    fn ax(&mut self) -> i64 {
        self.regs()[AX] as i64
    }

    fn poke(&mut self, field: usize, value: i64) -> i64 {
        self.tr(PTRACE_POKEUSER, field as u64 * 8, value as u64)
    }

    fn peek(&mut self, addr: u64) -> i64 {
        match self.tr(PTRACE_PEEKDATA, addr, 0) {
            0 => self.number() as i64,
            errno => errno,
        }
    }

    fn number(&self) -> u64 {
        let Out::Number(n) = self.w.out else { panic!("{:?}", self.w.out) };
        n
    }

    fn show(&mut self, what: &str) {
        let status = self.stop();
        let r = self.regs();
        let size = self.tr(PTRACE_GET_SYSCALL_INFO, 88, 0);
        let Out::SyscallInfo(info) = self.w.out.clone() else { panic!("{:?}", self.w.out) };
        let op = match info.op {
            SyscallOp::None => 0,
            SyscallOp::Entry(..) => 1,
            SyscallOp::Exit(_) => 2,
        };
        self.tr(PTRACE_GETEVENTMSG, 0, 0);
        let (nr, ax, message) = (r[ORIG_AX] as i64, r[AX] as i64, self.number());
        say!(
            self,
            "{what}: status {status:x} nr {nr} ax {ax} message {message} info {size} {op}\n"
        );
    }

    fn siginfo(&mut self) -> forkyard::abi::structs::SigInfo {
        assert_eq!(self.tr(PTRACE_GETSIGINFO, 0, 0), 0);
        let Out::SigInfo(info) = &self.w.out else { panic!("{:?}", self.w.out) };
        **info
    }

    fn options(&mut self, options: PtraceOptions) {
        assert_eq!(self.tr(PTRACE_SETOPTIONS, 0, options.bits()), 0);
    }
}

fn both_ends(p: &mut Probe) {
    p.begin();
    p.options(PtraceOptions::PTRACE_O_TRACESYSGOOD);
    for (name, arg) in [("getuid", 0), ("close", u64::MAX)] {
        p.go();
        p.act(name, &[arg]);
        p.show("end of a call");
        p.go();
        p.show("end of a call");
    }
    p.options(PtraceOptions::empty());
    p.go();
    p.act("exit_group", &[0]);
    p.show("plain SIGTRAP");
    let info = p.siginfo();
    say!(p, "siginfo {} code {:x}\n", info.si_signo.number(), info.si_code);
    p.end();
}

fn other_calls(p: &mut Probe) {
    // What the tracee is told, call by call.
    let told = |p: &mut Probe| p.w.finished(p.child).unwrap_or_else(|e| -i64::from(e as i32));
    p.begin();
    let group = p.w.ok(p.tracer, "getpgrp", &[]);
    let its = |ax: i64| if ax == group { "its result" } else { "no" };
    p.go();
    p.act("getuid", &[]);
    p.stop();
    p.poke(ORIG_AX, 111);
    p.step();
    say!(p, "another call: {}\n", its(p.ax()));
    p.poke(AX, 41);
    p.go();
    let a = told(p);
    p.act("getuid", &[]);
    p.stop();
    p.poke(ORIG_AX, -1);
    p.poke(AX, 42);
    p.step();
    let r = p.regs();
    say!(p, "no call: ax {} nr {}\n", r[AX] as i64, r[ORIG_AX] as i64);
    p.go();
    let b = told(p);
    p.act("getuid", &[]);
    p.stop();
    p.poke(ORIG_AX, 100_000);
    p.step();
    say!(p, "unknown call: ax {}\n", p.ax());
    p.go();
    let c = told(p);
    p.act("getpgid", &[99_999]);
    p.stop();
    p.poke(14, 0);
    p.step();
    say!(p, "another argument: {}\n", its(p.ax()));
    p.poke(AX, 44);
    p.go();
    let d = told(p);
    p.act("getuid", &[]);
    p.stop();
    p.step();
    p.poke(AX, -5);
    p.go();
    let e = told(p);
    say!(p, "told: {a} {b} {c} {d}\ntold: {e}\n");
    p.end();
}

fn restart(p: &mut Probe) {
    p.begin();
    p.options(PtraceOptions::PTRACE_O_TRACESYSGOOD);
    let pid = p.w.pid(p.child) as u64;
    p.go();
    p.act("pause", &[]);
    p.show("pause begins");
    p.go();
    p.w.ok(p.tracer, "kill", &[pid, 10]);
    p.show("pause ends");
    p.go();
    p.show("the signal");
    p.go();
    p.show("pause again");
    p.tr(PTRACE_SYSCALL, 0, 12);
    p.show("interrupted");
    p.tr(PTRACE_CONT, 0, 0);
    let status = p.stop();
    let i = p.siginfo();
    let (sig, code, pid) = (i.si_signo.number(), i.si_code, i.si_pid);
    say!(p, "injected: status {status:x} signal {sig} code {code} pid {pid}\n");
    p.end();
}

fn exec(p: &mut Probe) {
    for (what, option) in
        [("exec", PtraceOptions::empty()), ("exec, TRACEEXEC", PtraceOptions::PTRACE_O_TRACEEXEC)]
    {
        p.begin();
        p.options(PtraceOptions::PTRACE_O_TRACESYSGOOD | option);
        for i in 0..3 {
            p.go();
            if i == 0 {
                let child = p.child;
                assert_eq!(execve(&mut p.w, child, "/bin/true"), Ok(Done::Stopped));
            }
            let status = p.stop();
            let r = p.regs();
            let (nr, ax) = (r[ORIG_AX] as i64, r[AX] as i64);
            say!(p, "{what}: status {status:x} nr {nr} ax {ax}\n");
        }
        p.end();
    }
}

fn memory(p: &mut Probe) {
    const PRIVATE: u64 = 0x22;
    const SHARED: u64 = 0x21;
    for (name, prot, flags) in [
        ("private rw-", 3, PRIVATE),
        ("private r--", 1, PRIVATE),
        ("private ---", 0, PRIVATE),
        ("shared  rw-", 3, SHARED),
        ("shared  r--", 1, SHARED),
        ("shared  ---", 0, SHARED),
    ] {
        let t = p.tracer;
        let at = p.w.ok(t, "mmap", &[0, 8192, 3, flags, u64::MAX, 0]) as u64;
        p.w.store(t, at, 7).unwrap();
        p.w.ok(t, "mprotect", &[at, 8192, prot]);
        p.begin();
        let peek = p.peek(at);
        say!(p, "{name}: peek {peek}");
        let poke = p.tr(PTRACE_POKEDATA, at, 8);
        say!(p, " poke {poke}");
        let peek = p.peek(at);
        say!(p, " peek {peek}");
        let peek = p.peek(at + 4096);
        say!(p, " untouched: peek {peek}");
        let poke = p.tr(PTRACE_POKEDATA, at + 4096, 9);
        say!(p, " poke {poke}");
        let peek = p.peek(at + 4096);
        p.w.ok(t, "mprotect", &[at, 8192, 1]);
        let own = [at, at + 4096].map(|at| p.w.load(t, at).unwrap());
        say!(p, " peek {peek} own {} {}\n", own[0], own[1]);
        p.end();
        p.w.ok(t, "munmap", &[at, 8192]);
    }
    let t = p.tracer;
    let at = p.w.ok(t, "mmap", &[0, 8192, 3, PRIVATE, u64::MAX, 0]) as u64;
    p.w.ok(t, "munmap", &[at + 4096, 4096]);
    p.begin();
    let peek = p.peek(at + 4092);
    let poke = p.tr(PTRACE_POKEDATA, at + 4092, u64::MAX);
    let in_it = p.peek(at + 4088) >> 32;
    say!(p, "across the end: peek {peek} poke {poke} in it {in_it}\n");
    let (low, poke) = (p.peek(8), p.tr(PTRACE_POKEDATA, 8, 1));
    let kernel = p.peek(0xffff_8880_0000_0000);
    say!(p, "nowhere: peek {low} poke {poke}, kernel {kernel}\n");
    let bad = p.tr(PTRACE_PEEKDATA, at, 8);
    say!(p, "bad pointer: {bad}\n");
    p.end();
}

fn registers(p: &mut Probe) {
    const CS: usize = 17;
    const FLAGS: usize = 18;
    const SS: usize = 20;
    const FS_BASE: usize = 21;
    p.begin();
    let odd = p.tr(PTRACE_PEEKUSER, 1, 0);
    say!(p, "peekuser: odd {odd}");
    for at in (912..944).step_by(8) {
        let ret = p.tr(PTRACE_PEEKUSER, at, 0);
        say!(p, " {at}: {ret}");
    }
    let ret = p.tr(PTRACE_PEEKUSER, 216, 0);
    let (word, poke) = (p.number(), p.tr(PTRACE_POKEUSER, 216, 0));
    say!(p, "\nbehind the registers: {ret} {word} poke {poke}\n");
    let (a, b, c) = (p.poke(CS, 0), p.poke(CS, 0x10), p.poke(SS, 0));
    say!(p, "cs 0: {a}, cs of ring 0: {b}, ss 0: {c}\n");
    let (kernel, user) = (p.poke(FS_BASE, i64::MIN), p.poke(FS_BASE, 0x1000));
    say!(p, "fs_base: kernel {kernel} user {user}\n");
    let ret = p.poke(FLAGS, !0x100);
    let flags = p.regs()[FLAGS];
    say!(p, "flags: {ret} {flags:x}");
    let ret = p.poke(FLAGS, 0);
    let r = p.regs();
    say!(p, " {ret} {:x}\n", r[FLAGS]);
    say!(p, "cs {:x} ss {:x} fs_base {:x} ds {:x}\n", r[CS], r[SS], r[FS_BASE], r[23]);
    let mut new = r;
    (new[0], new[5]) = (15, 3);
    let ret = p.request(PTRACE_SETREGS, 0, 0, Payload::UserRegs(Box::new(new)));
    let r = p.regs();
    say!(p, "setregs {ret}: r15 {} rbx {}\n", r[0], r[5]);
    // An iovec and its buffer, in the tracer's memory.
    let t = p.tracer;
    let at = p.w.ok(t, "mmap", &[0, 8192, 3, 0x22, u64::MAX, 0]) as u64;
    for len in [0, 8, 7, 1000] {
        p.w.store(t, at, at + 4096).unwrap();
        p.w.store(t, at + 8, len).unwrap();
        let ret = p.tr(PTRACE_GETREGSET, 1, at);
        let got = p.w.load(t, at + 8).unwrap();
        say!(p, "getregset of {len}: {ret}, {got} bytes\n");
    }
    for (at, word) in [(at + 8, 16), (at + 4096, 16), (at + 4104, 17), (at + 4112, 99)] {
        p.w.store(t, at, word).unwrap();
    }
    let ret = p.tr(PTRACE_SETREGSET, 1, at);
    let r = p.regs();
    say!(p, "setregset {ret}: {} {}\n", r[0], r[1]);
    p.end();
}

fn masks(p: &mut Probe) {
    p.begin();
    p.tr(PTRACE_DETACH, 0, 0);
    let child = p.child;
    block(&mut p.w, child, 10);
    let suspended = Payload::SigSet(SigSet::EMPTY);
    let done = p.w.with(child, "rt_sigsuspend", &[0, 8], suspended);
    assert_eq!(done, Ok(Done::Blocked));
    let (seize, interrupt) = (p.tr(PTRACE_SEIZE, 0, 0), p.tr(PTRACE_INTERRUPT, 0, 0));
    let status = p.stop();
    say!(p, "seize {seize} interrupt {interrupt} status {status:x}\n");
    let set = |p: &Probe| match p.w.out {
        Out::SigSet(set) => set.0,
        ref other => panic!("{other:?}"),
    };
    let bad = p.tr(PTRACE_GETSIGMASK, 4, 0);
    let good = p.tr(PTRACE_GETSIGMASK, 8, 0);
    say!(p, "getsigmask: size 4 {bad}, size 8 {good}: {:x}\n", set(p));
    let good = p.request(PTRACE_SETSIGMASK, 8, 0, Payload::SigSet(SigSet(u64::MAX)));
    p.tr(PTRACE_GETSIGMASK, 8, 0);
    say!(p, "setsigmask {good}: {:x}\n", set(p));
    let (t, pid) = (p.tracer, p.w.pid(child) as u64);
    for _ in 0..2 {
        let sig = Signal::new(37).unwrap();
        let info = forkyard::abi::structs::SigInfo::new(sig, -1);
        let info = forkyard::abi::structs::SigInfo { si_value: 77, ..info };
        p.w.value(t, "rt_sigqueueinfo", &[pid, 37, 0], Payload::SigInfo(Box::new(info))).unwrap();
    }
    p.w.ok(t, "kill", &[pid, 12]);
    let at = p.w.ok(t, "mmap", &[0, 8192, 3, 0x22, u64::MAX, 0]) as u64;
    let mut look = |off: u64, flags: u64, nr: u64| {
        p.w.store(t, at, off).unwrap();
        p.w.store(t, at + 8, flags | nr << 32).unwrap();
        let found = p.tr(PTRACE_PEEKSIGINFO, at, at + 4096);
        let word = |p: &mut Probe, i: u64| p.w.load(t, at + 4096 + i * 8).unwrap();
        let signo = [0, 16, 32].map(|i| word(p, i) & 0xff);
        (found, signo, word(p, 19) & 0xff)
    };
    let (n, [a, b, c], value) = look(0, 1, 4);
    let (third, ..) = look(2, 1, 4);
    let (own, ..) = look(0, 0, 4);
    let (flags, ..) = look(0, 2, 4);
    let (negative, ..) = look(0, 0, u64::from(u32::MAX));
    let first = [a, b].map(|sig| u8::from(sig == 37));
    say!(p, "peeksiginfo: {n}: {} {} {c} value {value}\n", first[0], first[1]);
    say!(p, "from the third: {third} own queue: {own} flags 2: {flags} nr -1: {negative}\n");
    p.end();
}

fn dies(p: &mut Probe) {
    let tracer = p.tracer;
    let at = p.w.map(tracer, 4096);
    p.w.store(tracer, at, 2).unwrap();
    p.begin();
    p.options(PtraceOptions::PTRACE_O_TRACEEXIT);
    let pid = p.w.pid(p.child);
    p.tr(PTRACE_CONT, 0, 0);
    p.w.ok(p.tracer, "kill", &[pid as u64, 9]);
    let status = p.stop();
    p.tr(PTRACE_GETEVENTMSG, 0, 0);
    let (message, peek) = (p.number(), p.peek(at));
    say!(p, "killed: status {status:x} message {message} peek {peek}\n");
    p.w.ok(p.tracer, "kill", &[pid as u64, 9]);
    let again = p.w.ok(p.tracer, "wait4", &[pid as u64, 0, WNOHANG, 0]);
    let cont = p.tr(PTRACE_CONT, 0, 0);
    let status = p.stop();
    say!(p, "again: {again}\ncont {cont} status {status:x}\n");
}

fn info(p: &mut Probe) {
    p.begin();
    let mut info = p.siginfo();
    (info.si_signo, info.si_code) = (Signal::SIGTERM, -1);
    let set = p.request(PTRACE_SETSIGINFO, 0, 0, Payload::SigInfo(Box::new(info)));
    let i = p.siginfo();
    say!(p, "setsiginfo {set}: {} {}\n", i.si_signo.number(), i.si_code);
    p.tr(PTRACE_CONT, 0, 15);
    let status = p.stop();
    say!(p, "status {status:x}\n");
}

fn assert_same(what: &str, said: &str) {
    for (line, (a, b)) in TABLE.lines().zip(said.lines()).enumerate() {
        assert_eq!(a, b, "line {} of {what}", line + 1);
    }
    assert_eq!(TABLE.lines().count(), said.lines().count(), "lines of {what}");
}

#[test]
fn ptrace_shows_what_linux_shows() {
    let mut text = String::new();
    for part in [both_ends, other_calls, restart, exec, memory, registers, masks, dies, info] {
        let mut p = Probe::new(text);
        part(&mut p);
        text = p.text;
    }
    assert_same("the model", &text);
}

#[test]
fn the_running_kernel_says_the_same() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/host/ptrace_probe.c");
    let probe = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("ptrace_probe");
    let flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o"];
    let here = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    let compiled = Command::new("cc").args(flags).arg(&probe).arg(source).output();
    let Some(cc) = compiled.ok().filter(|_| here) else {
        return eprintln!("skipped: this needs x86_64 Linux and a C compiler");
    };
    assert!(cc.status.success(), "cc: {}", String::from_utf8_lossy(&cc.stderr));
    let run = Command::new(&probe).output().expect("it starts");
    let said = String::from_utf8_lossy(&run.stdout);
    if said.starts_with("end of a call: status ffffffff") {
        return eprintln!("skipped: ptrace is not permitted here");
    }
    assert_same("the running kernel", &said);
}
