//! Going back: undo of ten thousand instructions, and steps back and forth, give
//! the systems that there were.

use crate::kit::machine_code::spawn;
use crate::kit::small;
use crate::trace;
use forkyard::kernel::TaskId;
use forkyard::session::Session;
use forkyard::session::code::CodeRun;
use forkyard::session::debug::{Action, Advance, Debugger, Part, Plan, Reverse, Stop, registers};
use std::collections::BTreeSet;

/// A session in which the program of the trace is about to begin.
fn session() -> (Session, TaskId) {
    let mut session = Session::boot(small(2)).expect("enough memory");
    let spawned = spawn(&mut session.system, &trace::program()).expect("it is valid");
    (session, spawned.task)
}

/// A loop of three instructions, for ever.
fn endless() -> (Session, TaskId) {
    use crate::kit::elf::{Asm, DATA, R};
    let mut a = Asm::new();
    a.mov(R::Bx, DATA);
    let again = a.mark();
    // add [rbx], rcx ; inc rcx
    a.raw(&[0x48, 0x01, 0x0b]).raw(&[0x48, 0xff, 0xc1]).jmp(again);
    let mut session = Session::boot(small(1)).expect("enough memory");
    let spawned = spawn(&mut session.system, &a.elf()).expect("it is valid");
    (session, spawned.task)
}

#[test]
fn undo_restores_ten_thousand_instructions() {
    for (mut session, _) in [session(), endless()] {
        let mut run = CodeRun::begin(&mut session.system);
        run.slice = Some(100);
        let mut past = Vec::new();
        while run.place().retired < 10_000 && past.len() < 900 {
            past.push(session.system.clone());
            session.checkpoint();
            run.next(&mut session.system).expect("a sound kernel");
        }
        let end = session.system.clone();
        for was in past.iter().rev() {
            assert!(session.undo());
            assert!(session.system == *was, "undo gives another system");
        }
        assert!(!session.undo(), "there is nothing before");
        for was in past.iter().skip(1).chain([&end]) {
            assert!(session.redo());
            assert!(session.system == *was, "redo gives another system");
        }
        // All at once.
        for _ in 0..past.len() {
            session.undo();
        }
        assert!(session.system == past[0]);
    }
}

#[test]
fn steps_of_one_task_back_and_forth() {
    let (mut session, task) = session();
    let mut past = Vec::new();
    for _ in 0..500 {
        past.push(session.system.clone());
        session.checkpoint();
        let event = session.system.step_code(task).expect("it can act");
        if matches!(event, forkyard::session::code::CodeEvent::Call(..)) {
            session.system.step_call(task).expect("it can act");
        }
        if forkyard::kernel::entry::can_act(&session.system, task).is_err() {
            break;
        }
    }
    assert!(past.len() > 20, "{} steps", past.len());
    let end = session.system.clone();
    for was in past.iter().rev() {
        assert!(session.undo() && session.system == *was);
    }
    for was in past.iter().skip(1).chain([&end]) {
        assert!(session.redo() && session.system == *was);
    }
}

#[test]
fn a_debugger_goes_back_to_the_same_states() {
    let (session, task) = endless();
    let mut sys = session.system;
    let mut d = Debugger::attach(&mut sys, task);
    let step = |d: &mut Debugger, sys: &mut _| {
        let part = Part { task, action: Action::Step, signal: None };
        d.resume(sys, &Plan { parts: vec![part], still: BTreeSet::new() });
        loop {
            match d.advance(sys, |_, _| {}).expect("a sound kernel") {
                Advance::Going => {}
                Advance::Idle => panic!("idle"),
                Advance::Stopped(stop) => return stop,
            }
        }
    };
    let mut past = Vec::new();
    for _ in 0..60 {
        past.push((registers::read(&sys, task), d.place(), sys.machine.mem.clone()));
        assert_eq!(step(&mut d, &mut sys), Stop::Stepped(task));
    }
    for (regs, place, mem) in past.iter().rev() {
        assert_eq!(d.reverse(&mut sys, Reverse::Step(task), |_, _| {}), Ok(Stop::Stepped(task)));
        assert_eq!((&registers::read(&sys, task), &d.place()), (regs, place));
        assert!(sys.machine.mem == *mem, "memory is another one");
    }
    for (regs, place, mem) in past.iter().skip(1) {
        assert_eq!(step(&mut d, &mut sys), Stop::Stepped(task));
        assert_eq!((&registers::read(&sys, task), &d.place()), (regs, place));
        assert!(sys.machine.mem == *mem, "memory is another one");
    }
}
