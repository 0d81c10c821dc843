//! The search against itself: all runs one by one, states merged, and orders
//! left out must find the same. Programs are random and in a language of a few
//! instructions.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::crew::{Alone, Crew, Work};
use super::meter::Meter;
use super::outcome::{End, Outcome};
use super::run::{Ending, run};
use super::schedule::Policy;
use super::search::{Bounds, Exploration, Means, Options, Subject, explore};
use crate::abi::flags::SaFlags;
use crate::abi::{SigSet, Signal};
use crate::base::{Rng, VirtAddr};
use crate::kernel::boot::{self, BootConfig};
use crate::kernel::signal::SigAction;
use crate::kernel::syscalls::{Call, Payload};
use crate::machine::{Size, UserOp};
use crate::session::program::{
    Answer, Body, Child, Interpreter, Programs, Start, Want, text_address,
};
use crate::trace::Origin;

/// An instruction; all have one register.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ins {
    Fork,
    /// clone(2) with the same memory and descriptors.
    Share,
    /// Goes on `n` further unless the register is 0.
    IfChild(usize),
    Write(u8),
    /// Writes the register as a digit.
    Show,
    Load,
    /// Stores the register and a number.
    Store(u64),
    Getpid,
    Getppid,
    Choose,
    Wait,
    /// Signals whom the register names.
    Kill(Signal),
    Handle,
    Pause,
    Exit(i32),
}

struct Mini(Vec<Ins>);

impl Mini {
    fn random(rng: &mut Rng, len: u64) -> Mini {
        let mut code = Vec::new();
        let mut tasks = 0;
        for _ in 0..len {
            let ins = match rng.below(20) {
                0..=3 if tasks < 2 => {
                    tasks += 1;
                    code.push(if rng.below(2) == 0 { Ins::Fork } else { Ins::Share });
                    Ins::IfChild(1 + rng.below(3) as usize)
                }
                0..=5 => Ins::Write(b'a' + rng.below(3) as u8),
                6 | 7 => Ins::Show,
                8 | 9 => Ins::Load,
                10 | 11 => Ins::Store(1 + rng.below(2)),
                12 => Ins::Getpid,
                13 => Ins::Getppid,
                14 => Ins::Choose,
                15 => Ins::Wait,
                16 => Ins::Kill(Signal::SIGUSR1),
                17 => Ins::Handle,
                18 if rng.below(3) == 0 => Ins::Pause,
                18 => Ins::Kill(Signal::SIGTERM),
                _ => Ins::Exit(rng.below(3) as i32),
            };
            code.push(ins);
        }
        Mini(code)
    }

    fn want(ins: Ins, register: i64, at: i64) -> Option<Want> {
        let sys = |nr: u32, args: &[u64]| Some(Want::Sys(Call::new(nr, args), Child::Returns));
        let write = |byte: u8| {
            let payload = Payload::Bytes(vec![byte].into());
            Some(Want::Sys(Call::with(1, &[1, 0, 1], payload), Child::Returns))
        };
        let addr = VirtAddr(at as u64);
        match ins {
            Ins::Fork => sys(57, &[]),
            Ins::Share => sys(56, &[0x100 | 0x400 | Signal::SIGCHLD.number() as u64]),
            Ins::IfChild(_) => None,
            Ins::Write(byte) => write(byte),
            Ins::Show => write(b'0' + register.rem_euclid(10) as u8),
            Ins::Load => Some(Want::Op(UserOp::Load { addr, size: Size::Qword })),
            Ins::Store(n) => {
                let value = (register as u64).wrapping_add(n) % 10;
                Some(Want::Op(UserOp::Store { addr, size: Size::Qword, value }))
            }
            Ins::Getpid => sys(39, &[]),
            Ins::Getppid => sys(110, &[]),
            Ins::Choose => Some(Want::Choose(2)),
            Ins::Wait => sys(61, &[u64::MAX, 0, 0, 0]),
            Ins::Kill(sig) if register > 1 => sys(62, &[register as u64, sig.number() as u64]),
            Ins::Kill(_) => None,
            Ins::Handle => {
                let action = SigAction {
                    handler: text_address(1),
                    flags: SaFlags::SA_RESTORER,
                    restorer: text_address(0),
                    mask: SigSet::EMPTY,
                };
                let args = [Signal::SIGUSR1.number() as u64, 0, 0, 8];
                Some(Want::Sys(Call::with(13, &args, Payload::SigAction(action)), Child::Returns))
            }
            Ins::Pause => sys(34, &[]),
            Ins::Exit(code) => sys(231, &[code as u64]),
        }
    }
}

impl Interpreter for Mini {
    fn next(&self, body: &Body) -> (Want, Origin) {
        let frame = body.top();
        let mut answers = (0..frame.tape.len()).map(|i| match &frame.tape.get(i).unwrap().answer {
            Answer::Returned(ret, _) => *ret,
            Answer::Refused(e) => -i64::from(e.errno as i32),
        });
        let origin = Origin::default();
        if frame.is_handler() {
            let next = || Mini::want(Ins::Write(b'!'), 0, 0).unwrap();
            return (answers.next().map_or_else(next, |_| Want::Return(0)), origin);
        }
        let Some(at) = answers.next() else { return (Want::Define("x".into(), 8), origin) };
        let (mut register, mut pc) = (0, 0);
        while let Some(ins) = self.0.get(pc) {
            pc += 1;
            if let (Ins::IfChild(n), true) = (*ins, register != 0) {
                pc += n;
            }
            let Some(want) = Mini::want(*ins, register, at) else { continue };
            match (answers.next(), ins) {
                (None, _) => return (want, origin),
                (Some(_), Ins::Write(_) | Ins::Show | Ins::Store(_) | Ins::Handle) => {}
                (Some(answer), _) => register = answer,
            }
        }
        (Want::Return(0), origin)
    }

    fn image(&self, _: &str) -> Option<Start> {
        None
    }

    fn function_at(&self, index: u32) -> Option<Start> {
        (index == 1).then(|| Start::new("handler"))
    }
}

fn started() -> (Programs, i32) {
    let mut programs = Programs::new(boot::boot(&BootConfig::default()).unwrap());
    let first = programs.start(Start { function: Arc::from("main"), args: Vec::new() }).unwrap();
    let pid = programs.system.task(first).pid;
    (programs, pid)
}

fn search(mini: &Mini, options: &Options) -> Exploration {
    let (programs, first) = started();
    let subject = Subject { programs, first };
    let means = Means { crew: mini, meter: &Meter::default() };
    explore(&subject, mini, options, means, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

impl Crew for Mini {
    fn help(&self, work: Work<'_>) {
        work(self, &|| false);
    }
}

fn outcomes(found: &Exploration) -> Vec<&Outcome> {
    found.outcomes.iter().map(|f| &f.outcome).collect()
}

fn counts(found: &Exploration) -> BTreeMap<&Outcome, Option<u64>> {
    found.outcomes.iter().map(|f| (&f.outcome, f.count)).collect()
}

/// Searches in three ways. `false`: the program is too large to compare.
fn compare(mini: &Mini, memory: bool) -> bool {
    let bounds = Bounds { states: 700, ..Bounds::default() };
    let all = Options { bounds, memory, reduce: false, merge: false, jobs: 1 };
    let every_run = search(mini, &all);
    if !every_run.complete() {
        return false;
    }
    let merged = search(mini, &Options { merge: true, ..all.clone() });
    let reduced = search(mini, &Options { merge: true, reduce: true, ..all });
    assert!(merged.complete() && reduced.complete());
    assert_eq!(counts(&merged), counts(&every_run), "merging: {:?}", mini.0);
    assert_eq!(outcomes(&reduced), outcomes(&merged), "reducing: {:?}", mini.0);
    assert!(reduced.graph.len() <= merged.graph.len());
    for found in &reduced.outcomes {
        replays(mini, &found.outcome, &found.schedule.to_string());
    }
    true
}

/// A schedule makes the outcome again.
fn replays(mini: &Mini, outcome: &Outcome, schedule: &str) {
    let (mut programs, first) = started();
    let mut policy = Policy::parse(schedule, 0).unwrap();
    let ran = run(&mut programs, mini, &mut policy, 1_000, |_| ControlFlow::Continue(())).unwrap();
    let end = match ran.ending {
        Ending::Finished => End::Finished,
        Ending::Stuck(_) => End::Stuck,
        other => panic!("{other:?}"),
    };
    assert_eq!(Outcome::of(&programs, first, end), *outcome, "{schedule}: {:?}", mini.0);
    assert_eq!(ran.schedule.to_string(), schedule);
}

/// Random programs compared.
const PROGRAMS: usize = 150;

#[test]
fn searches_of_random_programs_agree() {
    let mut rng = Rng::new(1);
    let mut compared = 0;
    for n in 0..PROGRAMS {
        let len = 2 + rng.below(6);
        compared += usize::from(compare(&Mini::random(&mut rng, len), n % 2 == 0));
    }
    assert!(compared > PROGRAMS / 2, "{compared} programs were small enough");
}
