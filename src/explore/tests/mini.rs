//! A language of a few instructions, for random programs. Each process has one
//! register: what its last system call or load has given.

use std::sync::Arc;

use crate::abi::flags::SaFlags;
use crate::abi::{SigSet, Signal};
use crate::base::{Rng, VirtAddr};
use crate::explore::crew::{Crew, Work};
use crate::kernel::signal::SigAction;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::machine::{Size, UserOp};
use crate::session::program::{
    Answer, Body, Child, Interpreter, Repertoire, Start, Want, text_address,
};
use crate::trace::Origin;

/// An instruction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ins {
    /// Makes a task: fork, vfork, or clone with these flags.
    Make(Kind),
    /// Goes on `n` further unless the register is 0.
    IfChild(usize),
    Write(u8),
    /// Writes the register as a digit.
    Show,
    /// Private memory, or memory that fork shares.
    Load(Place),
    /// Stores the register and a number.
    Store(Place, u64),
    Unmap,
    Futex(bool),
    Choose,
    /// wait4(2): whom, and with these options.
    Wait(Whom, u64),
    Kill(Whom, Signal),
    /// SIGUSR1 gets a handler, is ignored, blocked, let through.
    Handle,
    Ignore,
    Block(bool),
    Pause,
    Suspend,
    Sleep(i64),
    ReadPipe,
    WritePipe,
    /// Closes a descriptor: an end of the pipe, or the console.
    Close(u64),
    /// A system call without arguments, or with small numbers.
    Plain(u32, [u64; 2]),
    Exit(i32),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Fork,
    Vfork,
    /// The same memory and descriptors.
    Share,
    /// A thread of the same process.
    Thread,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    Private,
    Shared,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Whom {
    /// Whom the register names.
    Register,
    /// Any child, or the caller's group.
    Any,
}

/// A program.
#[derive(Debug, Clone)]
pub struct Mini {
    pub code: Vec<Ins>,
    /// What the handler does besides nothing.
    pub handler: Option<Ins>,
}

const NR_READ: u32 = 0;
const NR_WRITE: u32 = 1;
const NR_CLOSE: u32 = 3;
const NR_MMAP: u32 = 9;
const NR_MUNMAP: u32 = 11;
const NR_SIGACTION: u32 = 13;
const NR_SIGPROCMASK: u32 = 14;
const NR_YIELD: u32 = 24;
const NR_PAUSE: u32 = 34;
const NR_NANOSLEEP: u32 = 35;
const NR_GETPID: u32 = 39;
const NR_CLONE: u32 = 56;
const NR_FORK: u32 = 57;
const NR_VFORK: u32 = 58;
const NR_WAIT4: u32 = 61;
const NR_KILL: u32 = 62;
const NR_SETUID: u32 = 105;
const NR_SETPGID: u32 = 109;
const NR_GETPPID: u32 = 110;
const NR_GETPGRP: u32 = 111;
const NR_SETSID: u32 = 112;
const NR_SIGSUSPEND: u32 = 130;
const NR_PRCTL: u32 = 157;
const NR_GETTID: u32 = 186;
const NR_FUTEX: u32 = 202;
const NR_EXIT_GROUP: u32 = 231;
const NR_EXIT: u32 = 60;
const NR_PIPE2: u32 = 293;
const USR1: u64 = 10;
const SHARED_ANON: u64 = 0x21;
const PIPE_READ: u64 = 3;
const PIPE_WRITE: u64 = 4;

impl Mini {
    /// A program of about `len` instructions, not counting those of tasks that
    /// it makes.
    pub fn random(rng: &mut Rng, len: u64) -> Mini {
        let mut code = Vec::new();
        let mut tasks = 0;
        block(rng, len, 0, &mut tasks, &mut code);
        let handler = match rng.below(4) {
            0 => None,
            1 => Some(Ins::Store(Place::Private, 3)),
            2 => Some(Ins::Plain(NR_GETPPID, [0; 2])),
            _ => Some(Ins::Write(b'!')),
        };
        Mini { code, handler }
    }

    /// A random program that makes few kinds of calls and tells no pids apart.
    pub fn modest(rng: &mut Rng, len: u64, waits: bool) -> Mini {
        let mut code = Vec::new();
        for _ in 0..len {
            match rng.below(8) {
                0..=2 if code.iter().filter(|ins| matches!(ins, Ins::Make(_))).count() < 3 => {
                    code.push(Ins::Make(Kind::Fork));
                    if rng.below(2) == 0 {
                        code.push(Ins::IfChild(2));
                        code.push(Ins::Write(b'a' + rng.below(2) as u8));
                        code.push(Ins::Exit(rng.below(2) as i32));
                    }
                }
                3 => code.push(Ins::Choose),
                4 => code.push(Ins::Plain(NR_GETPID, [0; 2])),
                5 if waits => code.push(Ins::Wait(Whom::Any, rng.below(2))),
                5 => code.push(Ins::Exit(rng.below(3) as i32)),
                _ => code.push(Ins::Write(b'a' + rng.below(2) as u8)),
            }
        }
        Mini { code, handler: None }
    }

    /// The number of the call that an instruction makes, if it is one of a
    /// few.
    fn modest_call(ins: &Ins) -> Option<Option<u32>> {
        match ins {
            Ins::Make(Kind::Fork) => Some(Some(57)),
            Ins::IfChild(_) | Ins::Choose => Some(None),
            Ins::Write(_) => Some(Some(NR_WRITE)),
            Ins::Exit(_) => Some(Some(231)),
            Ins::Wait(Whom::Any, 0 | 1) => Some(Some(61)),
            Ins::Plain(nr @ (NR_GETPID | NR_GETTID | NR_GETPPID), _) => Some(Some(*nr)),
            _ => None,
        }
    }

    fn uses(&self, what: impl Fn(&Ins) -> bool) -> bool {
        self.code.iter().any(what)
    }

    /// What comes before the program: a variable, shared memory, a pipe.
    fn prologue(&self) -> Vec<Want> {
        let mut all = vec![Want::Define("x".into(), 8)];
        let shared = |ins: &Ins| {
            matches!(ins, Ins::Load(Place::Shared) | Ins::Store(Place::Shared, _) | Ins::Unmap)
        };
        if self.uses(shared) {
            all.push(sys(NR_MMAP, &[0, 4096, 3, SHARED_ANON, u64::MAX, 0]));
        }
        if self.uses(|ins| matches!(ins, Ins::ReadPipe | Ins::WritePipe)) {
            all.push(sys(NR_PIPE2, &[0, 0]));
        }
        all
    }
}

/// Instructions of a task; `depth` tasks lie between it and the first.
fn block(rng: &mut Rng, len: u64, depth: u32, tasks: &mut u32, code: &mut Vec<Ins>) {
    for _ in 0..len {
        if depth < 2 && *tasks < 3 && rng.below(4) == 0 {
            *tasks += 1;
            let kind = [Kind::Fork, Kind::Fork, Kind::Vfork, Kind::Share, Kind::Thread];
            code.push(Ins::Make(kind[rng.below(5) as usize]));
            let mut child = Vec::new();
            let len = 1 + rng.below(3);
            block(rng, len, depth + 1, tasks, &mut child);
            // Some go on with what their parent does.
            if rng.below(4) > 0 {
                child.push(Ins::Exit(rng.below(2) as i32));
            }
            code.push(Ins::IfChild(child.len()));
            code.extend(child);
        } else {
            code.push(simple(rng));
        }
    }
}

fn simple(rng: &mut Rng) -> Ins {
    let place = |rng: &mut Rng| [Place::Private, Place::Shared][rng.below(2) as usize];
    let whom = |rng: &mut Rng| [Whom::Register, Whom::Any][rng.below(2) as usize];
    let signals = [
        Signal::SIGUSR1,
        Signal::SIGUSR1,
        Signal::SIGTERM,
        Signal::SIGSTOP,
        Signal::SIGCONT,
        Signal::SIGCHLD,
    ];
    match rng.below(32) {
        0..=3 => Ins::Write(b'a' + rng.below(3) as u8),
        4 | 5 => Ins::Show,
        6 | 7 => Ins::Load(place(rng)),
        8 | 9 => Ins::Store(place(rng), 1 + rng.below(2)),
        10 => Ins::Choose,
        // WNOHANG, WUNTRACED, WCONTINUED.
        11..=13 => Ins::Wait(whom(rng), [0, 0, 1, 2, 8][rng.below(5) as usize]),
        14..=16 => Ins::Kill(whom(rng), signals[rng.below(6) as usize]),
        17 => Ins::Handle,
        18 => Ins::Block(rng.below(2) == 0),
        19 => [Ins::Pause, Ins::Suspend, Ins::Ignore][rng.below(3) as usize],
        20 => Ins::Futex(rng.below(2) == 0),
        21 => Ins::ReadPipe,
        22 => Ins::WritePipe,
        23 => Ins::Close([1, PIPE_READ, PIPE_WRITE][rng.below(3) as usize]),
        24 => Ins::Sleep(1 + rng.below(2) as i64),
        25 => Ins::Unmap,
        26 => Ins::Plain(NR_SETPGID, [0, 0]),
        27 => Ins::Plain([NR_GETPGRP, NR_SETSID][rng.below(2) as usize], [0; 2]),
        28 => Ins::Plain([NR_GETPID, NR_GETTID, NR_GETPPID][rng.below(3) as usize], [0; 2]),
        29 => Ins::Plain(NR_YIELD, [0; 2]),
        // Signal when the parent dies; subreaper; other user.
        30 => [
            Ins::Plain(NR_PRCTL, [1, USR1]),
            Ins::Plain(NR_PRCTL, [36, 1]),
            Ins::Plain(NR_SETUID, [1000, 0]),
            Ins::Plain(NR_EXIT, [0; 2]),
        ][rng.below(4) as usize],
        _ => Ins::Exit(rng.below(3) as i32),
    }
}

fn sys(nr: u32, args: &[u64]) -> Want {
    Want::Sys(Call::new(nr, args), Child::Returns)
}

fn with(nr: u32, args: &[u64], payload: Payload) -> Want {
    Want::Sys(Call::with(nr, args, payload), Child::Returns)
}

/// Addresses of the variable and of shared memory.
#[derive(Clone, Copy, Default)]
struct Memory {
    private: i64,
    shared: i64,
}

fn want(ins: Ins, register: i64, memory: Memory) -> Option<Want> {
    let write = |byte: u8| with(NR_WRITE, &[1, 0, 1], Payload::Bytes(vec![byte].into()));
    let at = |place: Place| match place {
        Place::Private => VirtAddr(memory.private as u64),
        Place::Shared => VirtAddr(memory.shared as u64),
    };
    let usr1 = || SigSet::of(Signal::SIGUSR1);
    let action = |handler: u64| {
        let action = SigAction {
            handler,
            flags: SaFlags::SA_RESTORER,
            restorer: text_address(0),
            mask: SigSet::EMPTY,
        };
        with(NR_SIGACTION, &[USR1, 0, 0, 8], Payload::SigAction(action))
    };
    Some(match ins {
        Ins::Make(Kind::Fork) => sys(NR_FORK, &[]),
        Ins::Make(Kind::Vfork) => sys(NR_VFORK, &[]),
        // VM FILES
        Ins::Make(Kind::Share) => sys(NR_CLONE, &[0x100 | 0x400 | 17]),
        // VM FS FILES SIGHAND THREAD SYSVSEM
        Ins::Make(Kind::Thread) => {
            sys(NR_CLONE, &[0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000])
        }
        Ins::IfChild(_) => return None,
        Ins::Write(byte) => write(byte),
        Ins::Show => write(b'0' + register.rem_euclid(10) as u8),
        Ins::Load(place) => Want::Op(UserOp::Load { addr: at(place), size: Size::Qword }),
        Ins::Store(place, n) => {
            let value = (register as u64).wrapping_add(n) % 10;
            Want::Op(UserOp::Store { addr: at(place), size: Size::Qword, value })
        }
        Ins::Unmap => sys(NR_MUNMAP, &[memory.shared as u64, 4096]),
        Ins::Futex(true) => sys(NR_FUTEX, &[memory.private as u64, 0, 0, 0]),
        Ins::Futex(false) => sys(NR_FUTEX, &[memory.private as u64, 1, 1]),
        Ins::Choose => Want::Choose(2),
        Ins::Wait(Whom::Register, _) if register <= 0 => return None,
        Ins::Wait(Whom::Register, options) => sys(NR_WAIT4, &[register as u64, 0, options, 0]),
        Ins::Wait(Whom::Any, options) => sys(NR_WAIT4, &[u64::MAX, 0, options, 0]),
        // Not init, and nobody by chance.
        Ins::Kill(Whom::Register, _) if register <= 1 => return None,
        Ins::Kill(Whom::Register, sig) => sys(NR_KILL, &[register as u64, sig.number() as u64]),
        Ins::Kill(Whom::Any, sig) => sys(NR_KILL, &[0, sig.number() as u64]),
        Ins::Handle => action(text_address(1)),
        Ins::Ignore => action(1),
        Ins::Block(block) => {
            with(NR_SIGPROCMASK, &[u64::from(!block), 0, 0, 8], Payload::SigSet(usr1()))
        }
        Ins::Pause => sys(NR_PAUSE, &[]),
        Ins::Suspend => with(NR_SIGSUSPEND, &[0, 8], Payload::SigSet(SigSet::EMPTY)),
        Ins::Sleep(ns) => with(NR_NANOSLEEP, &[0, 0], Payload::Timespec(0, ns)),
        Ins::ReadPipe => sys(NR_READ, &[PIPE_READ, 0, 1]),
        Ins::WritePipe => with(NR_WRITE, &[PIPE_WRITE, 0, 1], Payload::Bytes(vec![b'p'].into())),
        Ins::Close(fd) => sys(NR_CLOSE, &[fd]),
        Ins::Plain(nr, args) => sys(nr, &args),
        Ins::Exit(code) => sys(NR_EXIT_GROUP, &[code as u64]),
    })
}

impl Interpreter for Mini {
    fn place(&self, _: &Body) -> Option<u64> {
        None
    }

    fn repertoire(&self, _: &Start) -> Repertoire {
        let calls: Option<Vec<_>> = self.code.iter().map(Mini::modest_call).collect();
        let calls = calls.map(|calls| calls.into_iter().flatten().chain([231]).collect());
        Repertoire { pids_are_names: calls.is_some(), calls, untraced: true, threads_unseen: true }
    }

    fn next(&self, body: &Body) -> (Want, Origin) {
        let frame = body.top();
        let mut answers = (0..frame.tape.len()).map(|i| match &frame.tape.get(i).unwrap().answer {
            Answer::Returned(_, Out::Bytes(bytes)) => bytes.len() as i64,
            Answer::Returned(ret, _) => *ret,
            Answer::Refused(e) => -i64::from(e.errno as i32),
        });
        let origin = Origin::default();
        if frame.is_handler() {
            // A handler does not know where things are: it defines its own.
            let asked = frame.tape.len();
            let define = || Want::Define("y".into(), 8);
            let want = match (self.handler, asked) {
                (Some(Ins::Store(..)), 0) => define(),
                (Some(ins @ Ins::Store(..)), 1) => {
                    let private = answers.next().unwrap();
                    want(ins, 0, Memory { private, shared: 0 }).unwrap()
                }
                (Some(ins), 0) => want(ins, 0, Memory::default()).unwrap(),
                _ => Want::Return(0),
            };
            return (want, origin);
        }
        let mut memory = Memory::default();
        for want in self.prologue() {
            let Some(answer) = answers.next() else { return (want, origin) };
            match want {
                Want::Define(..) => memory.private = answer,
                Want::Sys(call, _) if call.nr == NR_MMAP => memory.shared = answer,
                _ => {}
            }
        }
        let (mut register, mut pc) = (0, 0);
        while let Some(ins) = self.code.get(pc) {
            pc += 1;
            if let (Ins::IfChild(n), true) = (*ins, register != 0) {
                pc += n;
            }
            let Some(want) = want(*ins, register, memory) else { continue };
            match (answers.next(), ins) {
                (None, _) => return (want, origin),
                (Some(_), Ins::Write(_) | Ins::Show | Ins::Store(..)) => {}
                (Some(answer), _) => register = answer,
            }
        }
        (Want::Return(0), origin)
    }

    fn image(&self, _: &str) -> Option<Start> {
        None
    }

    fn function_at(&self, index: u32) -> Option<Start> {
        (index == 1).then(|| Start { function: Arc::from("handler"), args: Vec::new() })
    }
}

impl Crew for Mini {
    fn help(&self, work: Work<'_>) {
        work(self, &|| false);
    }
}
