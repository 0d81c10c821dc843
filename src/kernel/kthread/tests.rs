//! Kernel threads and their sleeps, after each step counted anew.

use super::*;
use crate::kernel::check::invariants;
use crate::kernel::entry::settle;
use crate::kernel::testing::world;
use crate::kernel::wait_queue::{Completion, CompletionOwner, WaitQueueHead};

fn sound(sys: &mut System) {
    settle(sys);
    assert_eq!(sys.kernel.oops, None);
    assert_eq!(invariants(sys), Ok(()));
}

fn running(sys: &mut System, name: &str) -> TaskId {
    let k = kthread_create(sys, name).expect("there is room");
    sound(sys);
    sched::wake_up_process(sys, k);
    sound(sys);
    k
}

#[test]
fn a_thread_lives_and_is_stopped_and_nothing_is_left() {
    let mut sys = world().sys;
    let before = sys.kernel.tasks.len();
    let k = running(&mut sys, "worker");
    assert_eq!(sys.task(k).comm(), "worker");
    assert_eq!(sys.task(sys.task(k).real_parent).comm(), "kthreadd");
    set_current_state(&mut sys, k, TaskState::INTERRUPTIBLE).unwrap();
    sound(&mut sys);
    schedule(&mut sys, k).unwrap();
    sound(&mut sys);
    assert!(matches!(schedule(&mut sys, k), Err(Misuse::Asleep(_, _, 'S', "schedule"))));
    let call = kthread_stop(&mut sys, k).unwrap();
    sound(&mut sys);
    assert_eq!(sys.kernel.kthread_callers[call].result, None);
    assert!(matches!(kthread_stop(&mut sys, k), Err(Misuse::StopTwice(..))));
    // TIF_NOTIFY_SIGNAL: it does not sleep any more.
    set_current_state(&mut sys, k, TaskState::INTERRUPTIBLE).unwrap();
    schedule(&mut sys, k).unwrap();
    assert_eq!(sys.task(k).__state, TaskState::RUNNING);
    kthread_exit(&mut sys, k, 7).unwrap();
    sound(&mut sys);
    assert_eq!(sys.kernel.kthread_callers[call].result, Some(7));
    assert_eq!(sys.kernel.tasks.len(), before);
}

#[test]
fn stopped_before_it_began_it_gives_eintr() {
    let mut sys = world().sys;
    let k = kthread_create(&mut sys, "never").unwrap();
    assert!(matches!(schedule(&mut sys, k), Err(Misuse::NotStarted(..))));
    let call = kthread_stop(&mut sys, k).unwrap();
    sound(&mut sys);
    assert_eq!(sys.kernel.kthread_callers[call].result, Some(-4));
    assert!(!sys.kernel.tasks.contains(k));
}

#[test]
fn only_unpark_ends_a_park() {
    let mut sys = world().sys;
    let k = running(&mut sys, "p");
    let call = kthread_park(&mut sys, k).unwrap();
    sound(&mut sys);
    assert_eq!(sys.kernel.kthread_callers[call].result, None);
    kthread_parkme(&mut sys, k).unwrap();
    sound(&mut sys);
    assert_eq!(sys.kernel.kthread_callers[call].result, Some(0));
    assert!(!sched::wake_up_process(&mut sys, k));
    assert_eq!(sys.task(k).state_char(), 'P');
    let again = kthread_park(&mut sys, k).unwrap();
    assert_eq!(sys.kernel.kthread_callers[again].result, Some(-16));
    kthread_unpark(&mut sys, k).unwrap();
    sound(&mut sys);
    schedule(&mut sys, k).unwrap();
    sound(&mut sys);
}

#[test]
fn a_wake_up_between_state_and_schedule_counts() {
    let mut sys = world().sys;
    let k = running(&mut sys, "w");
    let q = sys.kernel.wait_queues.insert(WaitQueueHead::default());
    prepare_to_wait(&mut sys, k, q, TaskState::UNINTERRUPTIBLE, false).unwrap();
    // Somebody else gets the processor: that is no sleep.
    let init = sys.kernel.init_process;
    sched::run_on_cpu(&mut sys, init);
    sound(&mut sys);
    assert!(sys.task(k).on_rq);
    let normal = TaskState::INTERRUPTIBLE | TaskState::UNINTERRUPTIBLE;
    assert_eq!(wake_up_queue(&mut sys, q, normal, 1), Ok(1));
    schedule(&mut sys, k).unwrap();
    assert!(sys.task(k).on_rq);
    finish_wait(&mut sys, k, q).unwrap();
    sound(&mut sys);
    prepare_to_wait(&mut sys, k, q, TaskState::INTERRUPTIBLE, true).unwrap();
    assert!(matches!(kthread_exit(&mut sys, k, 0), Err(Misuse::OnQueue(..))));
    sound(&mut sys);
}

#[test]
fn a_spurious_wake_up_does_not_end_a_wait_for_a_completion() {
    let mut sys = world().sys;
    let (a, b) = (running(&mut sys, "a"), running(&mut sys, "b"));
    let c = Completion { owner: CompletionOwner::Static, ..Completion::default() };
    let c = sys.kernel.completions.insert(c);
    for k in [a, b] {
        wait_for_completion(&mut sys, k, c, TaskState::UNINTERRUPTIBLE).unwrap();
        sound(&mut sys);
        assert!(sched::wake_up_process(&mut sys, k));
        sound(&mut sys);
        assert_eq!(sys.task(k).state_char(), 'D');
    }
    complete(&mut sys, c).unwrap();
    sound(&mut sys);
    assert_eq!([a, b].map(|k| sys.task(k).state_char()), ['R', 'D']);
    complete_all(&mut sys, c).unwrap();
    sound(&mut sys);
    assert_eq!(sys.task(b).state_char(), 'R');
    assert_eq!(try_wait_for_completion(&mut sys, c), Ok(true));
    assert_eq!(completion_done(&sys, c), Ok(true));
}

#[test]
fn a_failed_step_leaves_nothing() {
    let mut sys = world().sys;
    let before = sys.kernel.tasks.len();
    sys.kernel.inject.arm("copy_signal", Errno::ENOMEM, 0).unwrap();
    let refused = kthread_create(&mut sys, "x").unwrap_err();
    assert_eq!(refused.errno, Errno::ENOMEM);
    sound(&mut sys);
    assert_eq!(sys.kernel.tasks.len(), before);
    assert!(sys.kernel.kthread_create_list.is_empty());
}

#[test]
fn user_tasks_and_kthreadd_are_refused() {
    let w = world();
    let mut sys = w.sys;
    assert!(matches!(schedule(&mut sys, w.init), Err(Misuse::UserTask(1, _))));
    let daemon = kthreadd(&sys).unwrap();
    assert!(matches!(kthread_stop(&mut sys, daemon), Err(Misuse::OfTheKernel(2, _))));
}

/// What `invariants` says when something was made wrong.
fn broken(sys: &System, wrong: impl FnOnce(&mut System)) -> String {
    let mut sys = sys.clone();
    wrong(&mut sys);
    let found = invariants(&sys).expect_err("it is wrong");
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let w = world();
    let mut sys = w.sys;
    let (k, p, s) = (running(&mut sys, "k"), running(&mut sys, "p"), running(&mut sys, "s"));
    let c = Completion { owner: CompletionOwner::Static, ..Completion::default() };
    let c = sys.kernel.completions.insert(c);
    wait_for_completion(&mut sys, k, c, TaskState::UNINTERRUPTIBLE).unwrap();
    kthread_park(&mut sys, p).unwrap();
    kthread_parkme(&mut sys, p).unwrap();
    kthread_stop(&mut sys, s).unwrap();
    sound(&mut sys);
    type Wrong = fn(&mut System, TaskId, TaskId);
    let cases: [(&str, TaskId, Wrong); 5] = [
        ("__state is", p, |sys, p, _| sys.task_mut(p).__state = TaskState::INTERRUPTIBLE),
        ("places on the completion is 0", k, |sys, _, _| {
            let id = sys.kernel.completions.iter().next().expect("one was made").0;
            sys.kernel.completions[id].wait.entries.clear();
        }),
        ("usage is 3", s, |sys, _, _| sys.kernel.kthread_callers.clear()),
        ("a kernel thread that waits on it", s, |sys, s, _| {
            let start =
                sys.task(s).kthread.clone().map(|k| Box::new(Kthread { at: At::Start, ..*k }));
            sys.task_mut(s).kthread = start;
            let id = sys.kernel.wait_queues.insert(WaitQueueHead::default());
            sys.kernel.wait_queues[id].add(s, false);
        }),
        ("none: it is a user task", s, |sys, s, init| {
            sys.task_mut(init).kthread = sys.task(s).kthread.clone();
        }),
    ];
    for (said, task, wrong) in cases {
        let found = broken(&sys, |sys| wrong(sys, task, w.init));
        assert!(found.contains(said), "{said}: {found}");
    }
}
