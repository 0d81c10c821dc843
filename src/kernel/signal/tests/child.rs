//! What a parent is told when a child dies.

use super::*;

#[test]
fn the_parent_is_told_how_a_child_died() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    mask(&mut w, t, SIG_BLOCK, &[Signal::SIGCHLD, Signal::SIGUSR1]);
    action(&mut w, t, Signal::SIGCHLD, HANDLER, SaFlags::empty());
    let c = w.fork(t);
    w.enter(c, "exit", &[7], Payload::None);
    let info = w.sys.signal(t).shared_pending.list[0].info;
    let seen = (info.si_code, info.si_status, info.si_pid as u64);
    assert_eq!(seen, (si_code::CLD_EXITED, 7, w.pid(c)));
    // Another exit signal goes out as such, until the parent is someone else.
    let c = w.clone(t, 10);
    w.enter(c, "exit", &[0], Payload::None);
    assert!(w.sys.signal(t).shared_pending.signal.contains(Signal::SIGUSR1));
    let c = w.clone(t, 12);
    w.sys.task_mut(t).self_exec_id += 1;
    w.enter(c, "exit", &[0], Payload::None);
    assert!(!w.sys.signal(t).shared_pending.signal.contains(Signal::SIGUSR2));
    assert_eq!(w.state(t), 'R');
    // Legacy clone takes 100 for an exit signal and never sends it.
    let c = w.clone(t, 100);
    w.enter(c, "exit", &[0], Payload::None);
    assert_eq!(w.state(c), 'Z');
}

#[test]
fn ignoring_sigchld_reaps_at_once() {
    let mut w = world();
    let init = w.init;
    let t = w.fork(init);
    let zombie = w.fork(t);
    w.enter(zombie, "exit", &[0], Payload::None);
    action(&mut w, t, Signal::SIGCHLD, SIG_IGN, SaFlags::empty());
    assert_eq!(w.state(zombie), 'Z', "fact 25: not retroactively");
    let c = w.fork(t);
    w.enter(c, "exit", &[0], Payload::None);
    assert_eq!(w.state(c), '-');
    mask(&mut w, t, SIG_BLOCK, &[Signal::SIGCHLD]);
    action(&mut w, t, Signal::SIGCHLD, HANDLER, SaFlags::SA_NOCLDWAIT);
    let c = w.fork(t);
    w.enter(c, "exit", &[0], Payload::None);
    assert_eq!(w.state(c), '-');
    assert!(pending(&mut w, t).contains(Signal::SIGCHLD), "NOCLDWAIT still sends it");
}
