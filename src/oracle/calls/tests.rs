//! What one run of the model has told stands for what Linux has told, so the
//! tests need no host; those in `tests/oracle.rs` have one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::abi::Errno;
use crate::explore::{Ending, Policy};
use crate::oracle::judge::{Bench, By, Case, Decision, Did, Effort};
use crate::oracle::{End, Run};
use crate::script::bind::program;
use crate::script::diagnostic::Style;
use crate::script::stack;

/// A run of the model as if it was one of the host.
fn as_linux(run: &program::Run) -> Run {
    Run {
        output: run.output().as_bytes().to_vec(),
        end: match run.ending() {
            Ending::Finished => End::Finished,
            _ => End::Stuck(Vec::new()),
        },
        status: run.status(),
        crashes: Vec::new(),
        pids: (3..20).collect(),
        record: run.record().unwrap().clone(),
    }
}

/// What is decided, and where they part, when Linux has done what `linux` makes
/// of a run of the model under a policy.
fn judge(
    text: &'static str,
    policy: Policy,
    linux: impl Fn(&Case, &mut Record) + Send + 'static,
) -> (Decision, By, String) {
    let work = move || {
        let bench = Bench::new(Arc::default()).unwrap();
        let judged = bench.with(text, |case| {
            let mut run = as_linux(&case.model(policy.clone())?);
            linux(case, &mut run.record);
            let did = Did::new(&run);
            let first = case.model(Policy::Fifo)?;
            let (decision, by) = case.decide(&did, &first, Effort::default())?;
            let parted = did.calls.as_ref().unwrap().furthest();
            let report = parted.filter(|_| decision != Decision::Equal);
            let report = report.map(|p| p.report(case.control).render(Style::Plain));
            Ok((decision, by, report.unwrap_or_default()))
        });
        judged.map_err(|report| report.message).unwrap()
    };
    stack::on_deep_stack(work).unwrap()
}

/// Prints nothing, whatever the calls give.
const SILENT: &str = "fn main() {
    let c = fork();
    if c == 0 {
        getppid();
        exit(3);
    }
    wait();
    try_setuid(0);
}";

fn same(_: &Case, _: &mut Record) {}

/// Changes what the n-th call of that name gave.
fn change(record: &mut Record, name: &str, answer: &Answer) {
    let named = |event: &&mut Event| match event {
        Event::Told { asked: Some(asked), .. } => parted::name(&asked.want) == name,
        _ => false,
    };
    let Some(Event::Told { told, .. }) = record.events.iter_mut().find(named) else {
        panic!("no {name}")
    };
    *told = Told::Answer(answer.clone());
}

#[test]
fn the_same_run_agrees() {
    assert_eq!(judge(SILENT, Policy::Fifo, same), (Decision::Equal, By::FirstRun, String::new()));
}

#[test]
fn what_a_program_does_not_print_is_compared() {
    // The child sees its parent's pid: Linux would have said another one.
    let wrong = |_: &Case, record: &mut Record| {
        change(record, "getppid", &Answer::Returned(1, Out::None));
    };
    let (decision, by, report) = judge(SILENT, Policy::Fifo, wrong);
    assert_eq!((decision, by), (Decision::Different, By::Search));
    assert_eq!(
        report,
        "forkyard::differs

  × the kernels part at call 2 of process 4: getppid
   ╭─[fuzz:4:9]
 3 │     if c == 0 {
 4 │         getppid();
   ·         ────┬────
   ·             ╰── Linux gave getppid 1, the model gave getppid 3
 5 │         exit(3);
   ╰────
"
    );
}

#[test]
fn a_wait_status_and_an_errno_are_compared() {
    let wrong = |_: &Case, record: &mut Record| {
        let waits = record.events.iter_mut().find_map(|event| match event {
            Event::Told { told: Told::Answer(Answer::Returned(_, Out::Wait(w))), .. } => Some(w),
            _ => None,
        });
        waits.unwrap().status = 4 << 8;
    };
    let (decision, _, report) = judge(SILENT, Policy::Fifo, wrong);
    assert_eq!(decision, Decision::Different);
    assert!(report.contains("call 2 of process 3: wait4"), "{report}");
    assert!(report.contains("Linux gave wait4 4 with pid 4, exit 4,"), "{report}");
    assert!(report.contains("the model gave wait4 4 with pid 4, exit 3,"), "{report}");
    let wrong = |_: &Case, record: &mut Record| {
        let eperm = crate::kernel::error::SysError::new(Errno::EPERM, "", "");
        change(record, "setuid", &Answer::Refused(eperm));
    };
    let (decision, _, report) = judge(SILENT, Policy::Fifo, wrong);
    assert_eq!(decision, Decision::Different);
    assert!(report.contains("call 3 of process 3: setuid"), "{report}");
}

#[test]
fn a_wrong_kernel_is_found_at_the_call_with_its_reason() {
    const QUIET: &str = "fn main() {
        try_getpgid(0);
        for i in 0..3 {
            if try_fork() == 0 { exit(i); }
            try_wait();
        }
    }";
    let wrong = |case: &Case, _: &mut Record| {
        // For the runs of the model that follow; each is of a copy.
        case.machine.inject("copy_files", Errno::EMFILE, 2).unwrap();
    };
    let (decision, _, report) = judge(QUIET, Policy::Fifo, wrong);
    assert_eq!(decision, Decision::Different, "{report}");
    // The first fork is init's, which makes the program.
    assert!(report.contains("call 4 of process 3: fork"), "{report}");
    assert!(report.contains("Linux gave fork 5, the model gave fork EMFILE"), "{report}");
    assert!(report.contains("injected: copy_files was told to fail with EMFILE"), "{report}");
}

/// Two children are made by different makers, in either order.
const RACE: &str = "fn main() {
    let a = fork();
    if a == 0 {
        let b = fork();
        if b == 0 { getppid(); exit(1); }
        waitpid(b);
        exit(2);
    }
    let c = fork();
    if c == 0 { exit(3); }
    waitpid(a);
    waitpid(c);
}";

#[test]
fn another_order_is_no_difference() {
    let others = Arc::new(AtomicUsize::new(0));
    for seed in 0..8 {
        let policy = Policy::random(seed);
        let others = others.clone();
        let look = move |_: &Case, record: &mut Record| {
            let other = Event::Born { number: 3, maker: 2, pid: 5 };
            others.fetch_add(usize::from(record.events.contains(&other)), Ordering::Relaxed);
        };
        let judged = judge(RACE, policy, look);
        assert_eq!(judged, (Decision::Equal, By::FirstRun, String::new()), "{seed}");
    }
    // In some of them the grandchild came before the second child.
    let others = others.load(Ordering::Relaxed);
    assert!(others > 0 && others < 8, "{others}");
}

/// What the host's kernel does with a program, and a model that is wrong.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn a_wrong_kernel_differs_from_the_host() {
    use crate::oracle::{Plan, Refused};
    let work = || {
        let bench = Bench::new(Arc::default()).unwrap();
        let judged = bench.with(SILENT, |case| {
            let show = |_: &_| String::new();
            let time = std::time::Duration::from_secs(10);
            let plan = Plan { time, tasks: 16, interrupt: Arc::default(), show: &show };
            let run = match bench.host(case, &plan) {
                Ok(run) => run,
                Err(Refused::Sandbox(_)) => return Ok(None),
                Err(e) => panic!("{e}"),
            };
            let did = Did::new(&run);
            let right = case.decide(&did, &case.model(Policy::Fifo)?, Effort::default())?;
            case.machine.inject("copy_files", Errno::EMFILE, 1).unwrap();
            let wrong = case.decide(&did, &case.model(Policy::Fifo)?, Effort::default())?;
            let parted = did.calls.as_ref().unwrap().furthest().unwrap();
            let report = parted.report(case.control).render(Style::Plain);
            Ok(Some((right.0, wrong.0, report)))
        });
        judged.map_err(|report| report.message).unwrap()
    };
    // Not permitted here: nothing to see.
    let Some((right, wrong, report)) = stack::on_deep_stack(work).unwrap() else { return };
    assert_eq!((right, wrong), (Decision::Equal, Decision::Different), "{report}");
    assert!(report.contains("call 1 of process 3: fork"), "{report}");
    assert!(report.contains("[fuzz:2:13]"), "{report}");
    assert!(report.contains("Linux gave fork 4, the model gave fork EMFILE"), "{report}");
}

#[test]
fn a_race_is_looked_for_among_all_schedules() {
    // The child sees 1 only if it loads after the store, and both go on.
    const THREADS: &str = "
        fn reader() { for i in 0..6 { vars.seen = vars.flag; } }
        fn main() {
            define(\"flag\", 0);
            define(\"seen\", 0);
            let t = pthread_create(reader);
            getpid();
            vars.flag = 1;
            getppid();
            vars.flag = 2;
            pthread_join(t);
        }";
    for policy in [Policy::Fifo, Policy::RoundRobin, Policy::random(1)] {
        let (decision, by, report) = judge(THREADS, policy.clone(), same);
        assert_eq!(decision, Decision::Equal, "{policy:?}, {by:?}: {report}");
    }
}

#[test]
fn a_loop_that_waits_may_go_round_as_often_as_it_likes() {
    const SPIN: &str = "fn main() {
        let me = getpid();
        if fork() == 0 {
            if fork() == 0 {
                while getppid() == me + 1 { sched_yield(); }
                exit(getppid());
            }
            for i in 0..40 { umask(i); }
            exit(0);
        }
        wait();
    }";
    for policy in [Policy::Fifo, Policy::RoundRobin, Policy::random(1)] {
        let (decision, by, report) = judge(SPIN, policy.clone(), same);
        assert_eq!(decision, Decision::Equal, "{policy:?}, {by:?}: {report}");
    }
}

#[test]
fn handlers_are_compared() {
    const HANDLER: &str = "
        fn on_usr1(sig) { getppid(); }
        fn main() {
            sigaction(SIGUSR1, on_usr1);
            raise(SIGUSR1);
            sigprocmask(SIG_BLOCK, [SIGUSR1]);
            raise(SIGUSR1);
            getpgrp();
            sigprocmask(SIG_UNBLOCK, [SIGUSR1]);
            getpid();
        }";
    assert_eq!(judge(HANDLER, Policy::Fifo, same).0, Decision::Equal);
    // The second one would have begun two calls earlier.
    let wrong = |_: &Case, record: &mut Record| {
        let handlers = record.events.iter();
        let handler = |e: &Event| matches!(e, Event::Told { told: Told::Handler(..), .. });
        let at = handlers.enumerate().filter(|(_, e)| handler(e)).nth(1).unwrap().0;
        let begins = record.events.remove(at);
        record.events.insert(at - 4, begins);
    };
    let (decision, _, report) = judge(HANDLER, Policy::Fifo, wrong);
    assert_eq!(decision, Decision::Different);
    assert!(report.contains("began the handler of SIGUSR1"), "{report}");
}

#[test]
fn what_handlers_are_given_is_compared() {
    const HANDLER: &str = "
        fn on_usr1(sig, info) { getppid(); }
        fn main() {
            sigaction(SIGUSR1, on_usr1, SA_SIGINFO);
            sigqueue(getpid(), SIGUSR1, 5);
        }";
    assert_eq!(judge(HANDLER, Policy::Fifo, same).0, Decision::Equal);
    let wrong = |_: &Case, record: &mut Record| {
        for event in &mut record.events {
            if let Event::Told { told: Told::Handler(_, info), .. } = event {
                let info = info.as_mut().expect("it takes one");
                assert_eq!(info.si_value, 5);
                info.si_value = 6;
            }
        }
    };
    let (decision, _, report) = judge(HANDLER, Policy::Fifo, wrong);
    assert_eq!(decision, Decision::Different);
    assert!(report.contains("began the handler of SIGUSR1 with SIGUSR1"), "{report}");
    assert!(report.contains("value 6") && report.contains("value 5"), "{report}");
}
