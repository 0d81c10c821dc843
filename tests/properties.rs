//! Random operation sequences over the whole kernel: after every step all
//! counts are recounted, and at the end waking sleepers for nothing changes
//! nothing, going back restores what was, and ending everything leaves
//! nothing behind.
//!
//! `PROPTEST_CASES` sets the number of sequences, `FORKYARD_SEED` chooses
//! others than those of every run.

#![expect(clippy::print_stdout, reason = "how many steps were made is said with --nocapture")]

mod kit;

use std::cell::Cell;

use forkyard::abi::Errno;
use forkyard::kernel::boot::BootConfig;
use forkyard::kernel::check::{Census, Scope, differences, invariants, teardown};
use forkyard::kernel::entry;
use forkyard::kernel::fs::fdtable::fget;
use forkyard::kernel::sched::core as sched;
use forkyard::kernel::syscalls::{Call, Payload};
use forkyard::kernel::timer;
use forkyard::kernel::wait_queue::WaitOn;
use forkyard::kernel::{System, TaskId};
use forkyard::machine::PagingLevels;
use kit::ops::{Op, PATHS, op};
use kit::perform::perform;
use kit::{World, quietly, small};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// Sequences in each of the first two runs.
const CASES: u32 = 10_000;

type Check = Result<(), TestCaseError>;

fn fail(what: String) -> Check {
    Err(TestCaseError::fail(what))
}

/// Everything adds up and nothing broke.
fn sound(sys: &System, after: &str) -> Check {
    if let Some(oops) = &sys.kernel.oops {
        return fail(format!("after {after}: {oops} in {}", oops.in_function));
    }
    match invariants(sys) {
        Ok(()) => Ok(()),
        Err(found) => {
            let list: Vec<_> = found.iter().map(|v| format!("  {v}")).collect();
            fail(format!("after {after}:\n{}", list.join("\n")))
        }
    }
}

/// Wakes a sleeper and lets it look at what it sleeps for.
fn wake_for_nothing(sys: &mut System, id: TaskId) {
    if sched::wake_up_process(sys, id) && sys.task(id).stepped {
        entry::resume_picked(sys, id);
    }
}

/// Everyone that was woken or signalled goes on. One that has not may be
/// forestalled by whoever is woken for nothing: a reader by another.
fn all_go_on(sys: &mut System) {
    while let Some(id) = sys.kernel.todo.front().copied() {
        entry::resume_picked(sys, id);
        entry::settle(sys);
    }
}

/// Wakes everyone who sleeps in a call, though nothing has happened.
fn spurious_wakeups_change_nothing(sys: &System) -> Check {
    // A sleep that ends while they look has ended for a reason.
    let soon = sys.machine.clock.now() + 1_000_000;
    if timer::next(sys).is_some_and(|at| at < soon) {
        return Ok(());
    }
    let mut woken = sys.clone();
    // What was told to fail is told to the next call, which is none of theirs.
    woken.kernel.inject.clear();
    let tasks = sys.kernel.tasks.iter();
    let sleepers = tasks.filter(|(_, t)| t.resume.is_some()).map(|(id, _)| id);
    let sleepers = sleepers.filter(|id| !would_take_a_signal(sys, *id));
    let sleepers = sleepers.filter(|id| !polls_other_files(sys, *id));
    let sleepers: Vec<_> = sleepers.filter(|id| !has_lost_its_children(sys, *id)).collect();
    for id in &sleepers {
        wake_for_nothing(&mut woken, *id);
    }
    entry::settle(&mut woken);
    sound(&woken, "spurious wake-ups")?;
    match differences(sys, &woken, Scope::Woken).as_slice() {
        [] => Ok(()),
        found => fail(format!("spurious wake-ups changed:\n{}", found.join("\n"))),
    }
}

/// Whether a signal for the group waits for a thread that was chosen to take
/// it and cannot. Another thread that wakes up takes it instead, in Linux too.
fn would_take_a_signal(sys: &System, id: TaskId) -> bool {
    let shared = sys.signal(id).shared_pending.signal;
    !shared.minus(sys.task(id).blocked).is_empty()
}

/// Whether a sleeper in wait(2) would find no children when it looks again.
/// Nobody wakes it when the last child it waits for changes its group or its
/// exit signal; Linux lets it sleep on, and says ECHILD at the next wake-up.
fn has_lost_its_children(sys: &System, id: TaskId) -> bool {
    let waits = sys.task(id).resume.as_ref().map(|r| r.wait.on);
    if !matches!(waits, Some(WaitOn::Child(_))) {
        return false;
    }
    let mut woken = sys.clone();
    wake_for_nothing(&mut woken, id);
    entry::settle(&mut woken);
    matches!(woken.take_finished(id), Some(Err(e)) if e.errno == Errno::ECHILD)
}

/// Whether a descriptor that a sleeping poll asks about names another file by
/// now. Nobody wakes it for that; Linux too looks there at the next wake-up.
fn polls_other_files(sys: &System, id: TaskId) -> bool {
    let Some(poll) = sys.task(id).resume.as_ref().and_then(|r| r.poll.as_ref()) else {
        return false;
    };
    let held = |fd| fget(sys, id, fd).is_ok_and(|f| poll.table.iter().any(|(_, of)| *of == f));
    poll.fds.iter().any(|p| p.fd >= 0 && !held(p.fd))
}

/// Ends everything; what exists then is what existed before.
fn leaves_nothing(w: &mut World, before: &Census) -> Check {
    for task in w.sys.kernel.tasks.iter().map(|(id, _)| id).collect::<Vec<_>>() {
        w.sys.task_mut(task).stepped = false;
    }
    if let Err(e) = teardown(&mut w.sys) {
        return fail(format!("teardown: {e}"));
    }
    // Names in the tree outlive processes.
    for path in PATHS.iter().filter(|p| p.starts_with("/tmp/")) {
        let unlink = Call::with(87, &[0], Payload::Text((*path).into()));
        let _ = w.sys.call(w.init, unlink);
    }
    sound(&w.sys, "teardown")?;
    let mut after = Census::of(&w.sys);
    // There is no rmdir, and files of others may have been removed.
    after.inodes = before.inodes;
    if after != *before {
        return fail(format!("left after teardown: {after:?}\n             before: {before:?}"));
    }
    Ok(())
}

fn sequence(base: &World, census: &Census, ops: &[Op]) -> Check {
    let mut w = base.clone();
    let mut halfway = None;
    for (i, op) in ops.iter().enumerate() {
        if i == ops.len() / 2 {
            halfway = Some(w.clone());
        }
        perform(&mut w, op);
        sound(&w.sys, &format!("step {i}, {op:?}"))?;
    }
    let mut still = w.sys.clone();
    all_go_on(&mut still);
    spurious_wakeups_change_nothing(&still)?;
    // Going on from a snapshot does the same again: it has kept what it was.
    let mut again = halfway.expect("ops are not empty");
    for op in &ops[ops.len() / 2..] {
        perform(&mut again, op);
    }
    if again.sys != w.sys {
        return fail("a snapshot went another way than the system it was made of".to_string());
    }
    leaves_nothing(&mut w, census)
}

/// A few processes to begin with: three generations, each with a thread, some
/// memory and a pipe. What there is no memory for is left out.
fn populate(w: &mut World) {
    let mut last = w.init;
    for _ in 0..3 {
        if let Some(child) = child(w, last) {
            last = child;
        }
        if last != w.init {
            let _ = w.sys.call(last, Call::new(9, &[0, 0x4000, 3, 0x22, u64::MAX, 0]));
            let _ = w.sys.call(last, Call::new(22, &[0]));
            let _ = w.sys.call(last, Call::new(56, &[0x0001_0f00, 0, 0, 0, 0]));
        }
    }
    w.check("populating");
}

/// A child with memory of its own: without an MMU by vfork and exec.
fn child(w: &mut World, parent: TaskId) -> Option<TaskId> {
    let mmu = w.sys.machine.config.mmu;
    w.sys.call(parent, Call::new(if mmu { 57 } else { 58 }, &[])).ok()?;
    let child = w.sys.new_task()?.0;
    if !mmu {
        let program = ("/bin/true".to_string(), Vec::new(), Vec::new());
        let exec = Call::with(59, &[0, 0, 0], Payload::Exec(Box::new(program)));
        w.sys.call(child, exec).expect("memory for a program");
    }
    Some(child)
}

fn run(config: &BootConfig, cases: u32, salt: u8) {
    run_on(config, cases, salt, Steps::Whole);
}

/// What becomes of those whom a call wakes or signals.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Steps {
    /// They go on within the call.
    Whole,
    /// They go on when they are picked, as programs do.
    Picked,
}

fn run_on(config: &BootConfig, cases: u32, salt: u8, steps_are: Steps) {
    let mut base = World::boot(config);
    let census = Census::of(&base.sys);
    populate(&mut base);
    if steps_are == Steps::Picked {
        let init = base.sys.task(base.init).signal;
        let tasks = base.sys.kernel.tasks.iter();
        let users = tasks.filter(|(_, t)| t.mm.is_some() && t.signal != init);
        for task in users.map(|(id, _)| id).collect::<Vec<_>>() {
            base.sys.task_mut(task).stepped = true;
        }
    }
    let mut seed = [salt; 32];
    if let Some(n) = std::env::var("FORKYARD_SEED").ok().and_then(|s| s.parse::<u64>().ok()) {
        seed[..8].copy_from_slice(&n.to_le_bytes());
    }
    let default = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..default };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let ops = proptest::collection::vec(op(), 1..36);
    let steps = Cell::new(0);
    let ran = runner.run(&ops, |ops| {
        steps.set(steps.get() + ops.len());
        quietly(|| sequence(&base, &census, &ops)).unwrap_or_else(fail)
    });
    println!("{cases} sequences, {} steps", steps.get());
    match ran {
        Ok(()) => {}
        Err(TestError::Fail(why, ops)) => {
            let list: String = ops.iter().map(|op| format!("  {op:?}\n")).collect();
            panic!("{why}\nof the sequence\n{list}");
        }
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn random_sequences_on_one_processor() {
    run(&small(1), CASES, 1);
}

#[test]
fn random_sequences_on_two_processors_with_five_levels() {
    let mut config = small(2);
    config.machine.paging_levels = PagingLevels::Five;
    run(&config, CASES, 2);
}

#[test]
fn random_sequences_where_each_step_is_picked() {
    run_on(&small(1), CASES, 5, Steps::Picked);
}

/// Most forks and faults find no frame here.
#[test]
fn random_sequences_with_little_memory() {
    let mut config = small(1);
    config.machine.ram_bytes = 1600 << 10;
    run(&config, CASES / 4, 3);
}

#[test]
fn random_sequences_without_an_mmu() {
    let mut config = small(1);
    config.machine.mmu = false;
    config.machine.ram_bytes = 64 << 20;
    run(&config, CASES / 4, 4);
}
