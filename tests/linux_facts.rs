//! What Linux does, fact by fact, at the library's door. Each of these was
//! seen on a running 6.18 kernel; the numbers are those of the project's list.

mod kit;

use forkyard::abi::flags::SaFlags;
use forkyard::abi::structs::CloneArgs;
use forkyard::abi::{Cap, CapSet, Errno, SigSet, Signal};
use forkyard::base::Pfn;
use forkyard::kernel::TaskId;
use forkyard::kernel::mm::pgtable::{lookup, pte_present};
use forkyard::kernel::signal::{Rlimit, SIG_DFL, SIG_IGN, SigAction};
use forkyard::kernel::syscalls::{Out, Payload};
use forkyard::session::{Done, Trouble};
use kit::World;

const SIGCHLD: u64 = 17;
const WNOHANG: u64 = 1;
const WUNTRACED: u64 = 2;
const WEXITED: u64 = 4;
const WCONTINUED: u64 = 8;
const WALL: u64 = 0x4000_0000;
const WCLONE: u64 = 0x8000_0000;
const NEWPID: u64 = 0x2000_0000;
const ANY: u64 = u64::MAX;
const HANDLER: u64 = 0x40_0000;

/// A world with a process to play with, a child of init.
fn world() -> (World, TaskId) {
    let mut w = World::new(1);
    let init = w.init;
    let t = w.fork(init);
    (w, t)
}

fn clone3_args(w: &mut World, t: TaskId, args: CloneArgs) -> Result<TaskId, Errno> {
    match w.with(t, "clone3", &[0, 88], Payload::Clone(Box::new(args))) {
        Ok(_) => Ok(w.sys.new_task().expect("a task was made").0),
        Err(Trouble::Refused(e)) => Err(e.errno),
        Err(e) => panic!("{e:?}"),
    }
}

fn clone3(w: &mut World, t: TaskId, flags: u64, exit_signal: u64) -> Result<TaskId, Errno> {
    clone3_args(w, t, CloneArgs { flags, exit_signal, ..CloneArgs::default() })
}

fn become_user(w: &mut World, t: TaskId, uid: u64) {
    w.ok(t, "setgroups", &[0, 0]);
    w.ok(t, "setresgid", &[uid; 3]);
    w.ok(t, "setresuid", &[uid; 3]);
}

fn sigaction(w: &mut World, t: TaskId, sig: u64, handler: u64, flags: SaFlags) {
    let flags = flags | SaFlags::SA_RESTORER;
    let action = SigAction { handler, flags, restorer: HANDLER + 16, mask: SigSet(0) };
    w.value(t, "rt_sigaction", &[sig, 0, 0, 8], Payload::SigAction(action)).unwrap();
}

fn disposition(w: &mut World, t: TaskId, sig: u64) -> u64 {
    w.ok(t, "rt_sigaction", &[sig, 0, 0, 8]);
    let Out::SigAction(old) = &w.out else { panic!("{:?}", w.out) };
    old.handler
}

fn block(w: &mut World, t: TaskId, sig: i32) {
    let set = SigSet::of(Signal::new(sig).unwrap());
    w.value(t, "rt_sigprocmask", &[0, 0, 0, 8], Payload::SigSet(set)).unwrap();
}

fn pending(w: &mut World, t: TaskId) -> SigSet {
    w.ok(t, "rt_sigpending", &[0, 8]);
    let Out::SigSet(set) = w.out else { panic!("{:?}", w.out) };
    set
}

fn exec(w: &mut World, t: TaskId, path: &str) -> Result<Done, Errno> {
    let program = (path.to_string(), vec![path.to_string()], Vec::new());
    match w.with(t, "execve", &[0, 0, 0], Payload::Exec(Box::new(program))) {
        Ok(done) => Ok(done),
        Err(Trouble::Refused(e)) => Err(e.errno),
        Err(e) => panic!("{e:?}"),
    }
}

/// The frame mapped at an address, if one is.
fn frame(w: &World, t: TaskId, addr: u64) -> Option<Pfn> {
    let mm = w.sys.task(t).mm.unwrap();
    lookup(&w.sys, mm, addr).map(|(_, pte)| pte).filter(|p| pte_present(*p)).map(|p| p.pfn())
}

fn open(w: &mut World, t: TaskId, path: &str, flags: u64) -> u64 {
    w.value(t, "open", &[0, flags, 0o644], Payload::Text(path.into())).unwrap() as u64
}

fn status(w: &mut World, t: TaskId, child: TaskId) -> i32 {
    let pid = i64::from(w.pid(child));
    w.wait4(t, pid, WALL).unwrap().1
}

// ---- creation --------------------------------------------------------------

#[test]
fn fact_01_an_exit_signal_acts_on_the_parent() {
    for (signal, code) in [(64, 64), (9, 9)] {
        let (mut w, parent) = world();
        let child = clone3(&mut w, parent, 0, signal).unwrap();
        w.exit(child, 0);
        assert_eq!(w.state(parent), 'Z');
        let init = w.init;
        assert_eq!(status(&mut w, init, parent), code);
    }
}

#[test]
fn fact_02_legacy_clone_takes_any_exit_signal() {
    let (mut w, t) = world();
    for signal in [100, 255] {
        let child = w.clone_with(t, signal);
        // It is never sent, for there is no such signal.
        w.exit(child, 0);
        assert_eq!(status(&mut w, t, child), 0);
    }
    for signal in [65, 0x100, u64::MAX] {
        assert_eq!(clone3(&mut w, t, 0, signal), Err(Errno::EINVAL));
    }
    assert!(clone3(&mut w, t, 0, 64).is_ok());
}

#[test]
fn fact_03_einval_before_eperm_before_einval() {
    let (mut w, root) = world();
    let user = w.fork(root);
    become_user(&mut w, user, 1000);
    assert_eq!(w.err(user, "clone", &[0x2_0200, 0, 0, 0, 0]), Errno::EINVAL);
    assert_eq!(w.err(user, "clone", &[0x804_0000, 0, 0, 0, 0]), Errno::EPERM);
    assert_eq!(w.err(root, "clone", &[0x804_0000, 0, 0, 0, 0]), Errno::EINVAL);
}

#[test]
fn fact_04_the_low_byte_is_newtime_or_a_signal() {
    let (mut w, t) = world();
    let child = clone3(&mut w, t, 0x80, SIGCHLD).unwrap();
    let ns = |w: &World, t| w.sys.kernel.nsproxies[w.sys.task(t).nsproxy.unwrap()].time_ns;
    assert_ne!(ns(&w, child), ns(&w, t));
    for bit in 0..7 {
        assert_eq!(clone3(&mut w, t, 1 << bit, SIGCHLD), Err(Errno::EINVAL));
    }
    let child = w.clone_with(t, 0x80);
    assert_eq!(w.sys.task(child).exit_signal, 0x80);
    assert_eq!(ns(&w, child), ns(&w, t));
}

#[test]
fn fact_05_set_tid_is_checked_in_order() {
    let (mut w, t) = world();
    let with = |set_tid: &[i32], flags| CloneArgs {
        flags,
        exit_signal: SIGCHLD,
        set_tid: set_tid.to_vec(),
        ..CloneArgs::default()
    };
    let own = w.pid(t);
    assert_eq!(clone3_args(&mut w, t, with(&[own], 0)), Err(Errno::EEXIST));
    for nr in [0, -1, 0x8000] {
        assert_eq!(clone3_args(&mut w, t, with(&[nr], 0)), Err(Errno::EINVAL));
    }
    let child = clone3_args(&mut w, t, with(&[777], 0)).unwrap();
    assert_eq!(w.pid(child), 777);
    // Numbers are innermost first; the first of a namespace is its init.
    assert_eq!(clone3_args(&mut w, t, with(&[2, 900], NEWPID)), Err(Errno::EINVAL));
    let inner = clone3_args(&mut w, t, with(&[1, 900], NEWPID)).unwrap();
    assert_eq!((w.pid(inner), w.ok(inner, "getpid", &[])), (900, 1));
    assert_eq!(clone3_args(&mut w, t, with(&[1, 2], 0)), Err(Errno::EINVAL));
    let user = w.fork(t);
    become_user(&mut w, user, 1000);
    assert_eq!(clone3_args(&mut w, user, with(&[500], 0)), Err(Errno::EPERM));
    assert_eq!(clone3_args(&mut w, user, with(&[0], 0)), Err(Errno::EINVAL));
}

#[test]
fn fact_06_handlers_are_shared_or_cleared() {
    let (mut w, t) = world();
    assert_eq!(clone3(&mut w, t, 0x1_0000_0900, SIGCHLD), Err(Errno::EINVAL));
    sigaction(&mut w, t, 10, HANDLER, SaFlags::empty());
    sigaction(&mut w, t, 12, SIG_IGN, SaFlags::empty());
    let child = clone3(&mut w, t, 0x1_0000_0000, SIGCHLD).unwrap();
    assert_eq!(disposition(&mut w, child, 10), SIG_DFL);
    assert_eq!(disposition(&mut w, child, 12), SIG_IGN);
    assert_eq!(disposition(&mut w, t, 10), HANDLER);
}

#[test]
fn fact_07_into_cgroup_wants_a_cgroup() {
    let (mut w, t) = world();
    let args = |cgroup| CloneArgs {
        flags: 0x2_0000_0000,
        exit_signal: SIGCHLD,
        cgroup,
        ..CloneArgs::default()
    };
    assert_eq!(clone3_args(&mut w, t, args(99)), Err(Errno::EBADF));
    assert_eq!(clone3_args(&mut w, t, args(0)), Err(Errno::EBADF));
}

#[test]
fn fact_09_bad_tls_and_pidfd_pointers() {
    let (mut w, t) = world();
    let tls = 0x8000_0000_0000_0000u64;
    assert_eq!(w.err(t, "clone", &[0x8_0011, 0, 0, 0, tls]), Errno::EPERM);
    assert_eq!(w.err(t, "clone", &[0x1011, 0, 0x10, 0, 0]), Errno::EFAULT);
}

#[test]
fn fact_10_a_sibling_takes_the_leaders_exit_signal() {
    let (mut w, a) = world();
    let b = w.clone_with(a, 12);
    let thread = w.thread(b);
    let sibling = w.clone_with(thread, 0x8000 | 10);
    assert_eq!(w.sys.task(sibling).real_parent, a);
    assert_eq!(w.sys.task(sibling).exit_signal, 12);
}

#[test]
fn fact_11_nproc_counts_tasks_of_a_user() {
    let (mut w, root) = world();
    let user = w.fork(root);
    become_user(&mut w, user, 1000);
    let limit = Payload::Rlimit(Rlimit { cur: 3, max: 3 });
    w.value(user, "setrlimit", &[6, 0], limit.clone()).unwrap();
    let first = w.fork(user);
    w.thread(user);
    assert_eq!(w.err(user, "fork", &[]), Errno::EAGAIN);
    // A zombie counts until it is reaped.
    w.exit(first, 0);
    assert_eq!(w.err(user, "fork", &[]), Errno::EAGAIN);
    w.wait4(user, -1, 0).unwrap();
    w.fork(user);
    // Uid 0 is exempt.
    w.value(root, "setrlimit", &[6, 0], limit).unwrap();
    for _ in 0..5 {
        w.fork(root);
    }
}

// ---- vfork -----------------------------------------------------------------

#[test]
fn fact_12_signals_for_the_parent_of_a_vfork() {
    let (mut w, parent) = world();
    let init = w.init;
    sigaction(&mut w, parent, 10, HANDLER, SaFlags::empty());
    let child = w.vfork(parent);
    assert_eq!(w.state(parent), 'D');
    let pid = i64::from(w.pid(parent));
    w.kill(init, pid, 10).unwrap();
    assert_eq!(w.state(parent), 'D');
    w.exit(child, 0);
    assert_eq!(w.finished(parent), Ok(i64::from(w.pid(child))));
    assert_eq!(w.sys.task(parent).regs.ip, HANDLER);
    // A fatal one kills at once, and the child lives on.
    let child = w.vfork(parent);
    w.kill(init, pid, 15).unwrap();
    assert_eq!(w.state(parent), 'Z');
    w.ok(child, "getpid", &[]);
    assert_eq!(w.ok(child, "getppid", &[]), 1);
}

#[test]
fn fact_13_what_releases_the_parent_of_a_vfork() {
    let (mut w, parent) = world();
    let init = w.init;
    let thread = w.thread(parent);
    let child = w.vfork(parent);
    assert_eq!(exec(&mut w, child, "/no/such"), Err(Errno::ENOENT));
    assert_eq!(w.state(parent), 'D');
    w.ok(thread, "getpid", &[]);
    let pid = i64::from(w.pid(child));
    w.kill(init, pid, 9).unwrap();
    assert_eq!(w.finished(parent), Ok(pid));
    assert_eq!(status(&mut w, parent, child), 9);
    let child = w.vfork(parent);
    exec(&mut w, child, "/bin/true").unwrap();
    assert_eq!(w.finished(parent), Ok(i64::from(w.pid(child))));
}

// ---- memory ----------------------------------------------------------------

#[test]
fn fact_14_who_keeps_the_frame_after_fork() {
    for order in 0..3 {
        let (mut w, parent) = world();
        let at = w.map(parent, 0x1000);
        w.store(parent, at, 10).unwrap();
        let before = frame(&w, parent, at).unwrap();
        let child = w.fork(parent);
        let faults = w.sys.task(parent).min_flt;
        match order {
            0 => {
                w.store(child, at, 20).unwrap();
                w.store(parent, at, 30).unwrap();
                assert_ne!(frame(&w, child, at), Some(before));
            }
            1 => {
                w.exit(child, 0);
                w.store(parent, at, 30).unwrap();
            }
            _ => {
                w.store(parent, at, 30).unwrap();
                assert_eq!(frame(&w, child, at), Some(before));
                assert_eq!(w.load(child, at).unwrap(), 10);
                assert_ne!(frame(&w, parent, at), Some(before));
                continue;
            }
        }
        assert_eq!(frame(&w, parent, at), Some(before));
        assert_eq!(w.sys.task(parent).min_flt, faults + 1);
        assert_eq!(w.load(parent, at).unwrap(), 30);
    }
}

#[test]
fn fact_15_reading_maps_the_zero_page() {
    let (mut w, t) = world();
    let rss = |w: &World| w.sys.mm(w.sys.task(t).mm.unwrap()).rss_stat.iter().sum::<i64>();
    let before = rss(&w);
    let at = w.map(t, 0x2000);
    assert_eq!((w.load(t, at).unwrap(), w.load(t, at + 0x1000).unwrap()), (0, 0));
    assert_eq!(frame(&w, t, at), Some(w.sys.kernel.zero_page));
    assert_eq!(frame(&w, t, at), frame(&w, t, at + 0x1000));
    assert_eq!(rss(&w), before);
    w.store(t, at, 1).unwrap();
    assert_ne!(frame(&w, t, at), frame(&w, t, at + 0x1000));
    assert_eq!(rss(&w), before + 1);
}

#[test]
fn fact_16_fork_copies_only_what_a_fault_cannot_make_again() {
    let (mut w, t) = world();
    let shared = w.ok(t, "mmap", &[0, 0x1000, 3, 0x21, ANY, 0]) as u64;
    w.store(t, shared, 1).unwrap();
    let fd = open(&mut w, t, "/bin/sh", 0);
    let clean = w.ok(t, "mmap", &[0, 0x1000, 3, 2, fd, 0]) as u64;
    w.load(t, clean).unwrap();
    let dirty = w.ok(t, "mmap", &[0, 0x1000, 3, 2, fd, 0x4000]) as u64;
    w.store(t, dirty, 2).unwrap();
    let child = w.fork(t);
    assert_eq!(frame(&w, child, shared), None);
    assert_eq!(frame(&w, child, clean), None);
    assert_eq!(frame(&w, child, dirty), frame(&w, t, dirty));
    assert_eq!(w.load(child, shared).unwrap(), 1);
    assert_eq!(frame(&w, child, shared), frame(&w, t, shared));
}

#[test]
fn fact_17_wiped_and_missing_in_the_child() {
    let (mut w, t) = world();
    let at = w.map(t, 0x3000);
    for page in 0..3 {
        w.store(t, at + page * 0x1000, 7).unwrap();
    }
    w.ok(t, "madvise", &[at, 0x1000, 18]);
    w.ok(t, "madvise", &[at + 0x1000, 0x1000, 10]);
    let child = w.fork(t);
    assert_eq!(w.load(child, at).unwrap(), 0);
    assert_eq!(w.load(child, at + 0x2000).unwrap(), 7);
    w.store(child, at, 8).unwrap();
    let grandchild = w.fork(child);
    assert_eq!(w.load(grandchild, at).unwrap(), 0);
    let fault = w.load(child, at + 0x1000).unwrap_err();
    assert_eq!((fault.sig, fault.killed), (Signal::SIGSEGV, true));
    let shared = w.ok(t, "mmap", &[0, 0x1000, 3, 0x21, ANY, 0]) as u64;
    assert_eq!(w.err(t, "madvise", &[shared, 0x1000, 18]), Errno::EINVAL);
    let fd = open(&mut w, t, "/etc/passwd", 0);
    let file = w.ok(t, "mmap", &[0, 0x1000, 1, 2, fd, 0]) as u64;
    assert_eq!(w.err(t, "madvise", &[file, 0x1000, 18]), Errno::EINVAL);
}

#[test]
fn fact_18_locks_are_not_inherited() {
    let (mut w, t) = world();
    let at = w.map(t, 0x1000);
    w.ok(t, "mlock", &[at, 0x1000]);
    w.ok(t, "mlockall", &[2]);
    let locked = |w: &World, t| w.sys.mm(w.sys.task(t).mm.unwrap()).locked_vm;
    assert_eq!(locked(&w, t), 1);
    let child = w.fork(t);
    assert_eq!(locked(&w, child), 0);
    w.map(child, 0x1000);
    assert_eq!(locked(&w, child), 0);
    w.map(t, 0x1000);
    assert_eq!(locked(&w, t), 2);
}

// ---- exec and threads ------------------------------------------------------

#[test]
fn fact_19_a_thread_that_execs_becomes_the_process() {
    let (mut w, leader) = world();
    let init = w.init;
    let pid = w.pid(leader);
    let thread = w.thread(leader);
    let other = w.thread(leader);
    exec(&mut w, thread, "/bin/true").unwrap();
    assert!(!w.exists(other));
    let task = if w.exists(thread) { thread } else { leader };
    assert_eq!((w.pid(task), w.tgid(task)), (pid, pid));
    assert_eq!(w.ok(task, "gettid", &[]), i64::from(pid));
    assert_eq!(w.wait4(init, -1, WNOHANG), Ok((0, 0)));
}

#[test]
fn fact_20_a_failed_exec_in_a_thread_harms_nobody() {
    let (mut w, leader) = world();
    let thread = w.thread(leader);
    let other = w.thread(leader);
    assert_eq!(exec(&mut w, thread, "/no/such"), Err(Errno::ENOENT));
    for t in [leader, thread, other] {
        w.ok(t, "gettid", &[]);
    }
}

#[test]
fn fact_21_what_exec_keeps_and_clears() {
    let (mut w, t) = world();
    block(&mut w, t, 10);
    let own = i64::from(w.pid(t));
    w.kill(t, own, 10).unwrap();
    sigaction(&mut w, t, 12, SIG_IGN, SaFlags::empty());
    sigaction(&mut w, t, 15, HANDLER, SaFlags::empty());
    let stack = w.map(t, 0x4000);
    w.value(t, "sigaltstack", &[0, 0], Payload::AltStack(stack, 0, 0x4000)).unwrap();
    w.ok(t, "prctl", &[36, 1, 0, 0, 0]);
    w.ok(t, "prctl", &[8, 1, 0, 0, 0]);
    w.ok(t, "prctl", &[1, 1, 0, 0, 0]);
    exec(&mut w, t, "/bin/true").unwrap();
    assert!(pending(&mut w, t).contains(Signal::SIGUSR1));
    assert!(w.sys.task(t).blocked.contains(Signal::SIGUSR1));
    assert_eq!(disposition(&mut w, t, 12), SIG_IGN);
    assert_eq!(disposition(&mut w, t, 15), SIG_DFL);
    assert_eq!(w.sys.task(t).sas_ss_size, 0);
    assert!(w.sys.signal(t).is_child_subreaper);
    assert_eq!(w.ok(t, "prctl", &[7, 0, 0, 0, 0]), 0);
    assert_eq!(w.sys.task(t).pdeath_signal, 1);
    // A set-user-ID program's parent must not signal it.
    let user = w.fork(t);
    become_user(&mut w, user, 1000);
    w.ok(user, "prctl", &[1, 1, 0, 0, 0]);
    exec(&mut w, user, "/bin/su").unwrap();
    assert_eq!(w.ok(user, "geteuid", &[]), 0);
    assert_eq!(w.sys.task(user).pdeath_signal, 0);
}

#[test]
fn fact_22_a_leader_that_exits_first_waits_as_a_zombie() {
    let (mut w, parent) = world();
    sigaction(&mut w, parent, SIGCHLD, HANDLER, SaFlags::empty());
    let leader = w.fork(parent);
    let thread = w.thread(leader);
    let pid = i64::from(w.pid(leader));
    w.exit(leader, 3);
    assert_eq!(w.wait4(parent, pid, WNOHANG), Ok((0, 0)));
    assert_eq!(w.state(leader), 'Z');
    assert_eq!(w.sys.signal(leader).nr_threads, 2);
    assert_ne!(w.sys.task(parent).regs.ip, HANDLER);
    w.exit(thread, 9);
    assert_eq!(w.sys.task(parent).regs.ip, HANDLER);
    assert_eq!(w.wait4(parent, pid, WNOHANG), Ok((pid, 0x900)));
}

#[test]
fn fact_23_the_id_of_a_thread_as_a_pid() {
    let (mut w, parent) = world();
    let leader = w.fork(parent);
    let thread = w.thread(leader);
    let tid = i64::from(w.pid(thread));
    assert_eq!(w.wait4(parent, tid, 0), Err(Errno::ECHILD));
    assert_eq!(w.err(parent, "setpgid", &[tid as u64, 0]), Errno::EINVAL);
    w.kill(parent, tid, 15).unwrap();
    assert_eq!(status(&mut w, parent, leader), 15);
    assert!(!w.exists(thread));
}

// ---- wait ------------------------------------------------------------------

#[test]
fn fact_24_other_exit_signals_want_wclone() {
    let (mut w, t) = world();
    let child = w.clone_with(t, 0);
    w.exit(child, 1);
    assert_eq!(w.wait4(t, -1, 0), Err(Errno::ECHILD));
    assert_eq!(w.wait4(t, -1, WCLONE).unwrap().1, 0x100);
    let child = w.clone_with(t, 0);
    w.exit(child, 2);
    assert_eq!(w.wait4(t, -1, WALL).unwrap().1, 0x200);
    // exec makes it an ordinary child.
    let child = w.clone_with(t, 0);
    exec(&mut w, child, "/bin/true").unwrap();
    w.exit(child, 3);
    assert_eq!(w.wait4(t, -1, 0).unwrap().1, 0x300);
}

#[test]
fn fact_25_who_ignores_sigchld_has_no_zombies() {
    let (mut w, t) = world();
    let (a, b, old) = (w.fork(t), w.fork(t), w.fork(t));
    w.exit(old, 1);
    sigaction(&mut w, t, SIGCHLD, SIG_IGN, SaFlags::empty());
    // One that was there before stays.
    assert_eq!(w.state(old), 'Z');
    let pid = i64::from(w.pid(old));
    assert_eq!(w.wait4(t, -1, 0), Ok((pid, 0x100)));
    w.sleeps(t, "wait4", &[ANY, 0, 0, 0]);
    w.exit(a, 1);
    assert!(!w.exists(a));
    assert_eq!(w.state(t), 'S');
    w.exit(b, 1);
    assert_eq!(w.finished(t), Err(Errno::ECHILD));
    // SA_NOCLDWAIT: no zombie, but the signal.
    sigaction(&mut w, t, SIGCHLD, HANDLER, SaFlags::SA_NOCLDWAIT);
    let c = w.fork(t);
    w.exit(c, 1);
    assert!(!w.exists(c));
    assert_eq!(w.sys.task(t).regs.ip, HANDLER);
}

#[test]
fn fact_26_waitid_is_precise() {
    let (mut w, t) = world();
    let child = w.fork(t);
    let pid = w.pid(child) as u64;
    w.exit(child, 0);
    let stopped = WUNTRACED | WNOHANG;
    assert_eq!(w.err(t, "waitid", &[1, pid, 0, stopped, 0]), Errno::ECHILD);
    assert_eq!(w.err(t, "waitid", &[1, pid, 0, WNOHANG, 0]), Errno::EINVAL);
    assert_eq!(w.err(t, "waitid", &[1, 0, 0, WEXITED, 0]), Errno::EINVAL);
    assert_eq!(w.err(t, "wait4", &[i64::from(i32::MIN) as u64, 0, 0, 0]), Errno::ESRCH);
    assert_eq!(w.ok(t, "waitid", &[2, 0, 0, WEXITED, 0]), 0);
    assert_eq!(w.waited().unwrap().pid as u64, pid);
}

#[test]
fn fact_27_a_continue_replaces_a_stop() {
    let (mut w, t) = world();
    let child = w.fork(t);
    let pid = i64::from(w.pid(child));
    let options = WNOHANG | WUNTRACED | WCONTINUED;
    w.kill(t, pid, 19).unwrap();
    assert_eq!(w.state(child), 'T');
    w.kill(t, pid, 18).unwrap();
    assert_eq!(w.wait4(t, pid, options), Ok((pid, 0xffff)));
    assert_eq!(w.wait4(t, pid, options), Ok((0, 0)));
    w.kill(t, pid, 18).unwrap();
    assert_eq!(w.wait4(t, pid, options), Ok((0, 0)));
    w.kill(t, pid, 19).unwrap();
    assert_eq!(w.wait4(t, pid, options), Ok((pid, 0x137f)));
}

#[test]
fn fact_28_a_nonblocking_pidfd_does_not_wait() {
    let (mut w, t) = world();
    let child = w.fork(t);
    let pid = w.pid(child) as u64;
    let fd = w.ok(t, "pidfd_open", &[pid, 0o4000]) as u64;
    assert_eq!(w.err(t, "waitid", &[3, fd, 0, WEXITED, 0]), Errno::EAGAIN);
    w.exit(child, 5);
    assert_eq!(w.ok(t, "waitid", &[3, fd, 0, WEXITED, 0]), 0);
    assert_eq!(w.waited().unwrap().si_status, 5);
}

// ---- orphans, pids, namespaces ---------------------------------------------

#[test]
fn fact_29_the_parent_that_dies_is_a_thread() {
    let (mut w, leader) = world();
    let thread = w.thread(leader);
    let child = w.fork(thread);
    sigaction(&mut w, child, 10, HANDLER, SaFlags::empty());
    w.ok(child, "prctl", &[1, 10, 0, 0, 0]);
    let parent = w.ok(child, "getppid", &[]);
    w.exit(thread, 0);
    assert_eq!(w.sys.task(child).regs.ip, HANDLER);
    assert_eq!(w.ok(child, "getppid", &[]), parent);
    assert_eq!(w.sys.task(child).real_parent, leader);
}

#[test]
fn fact_30_pids_wrap_around_to_300() {
    let (mut w, t) = world();
    let ns = w.sys.kernel.init_pid_ns;
    w.sys.kernel.pid_namespaces[ns].pid_max = 1000;
    let mut last = w.pid(t);
    loop {
        let child = w.fork(t);
        let pid = w.pid(child);
        w.exit(child, 0);
        w.wait4(t, -1, 0).unwrap();
        if pid < last {
            assert_eq!((last, pid), (999, 300));
            break;
        }
        last = pid;
    }
    // Exhausted: all of 300 to 309 are taken.
    w.sys.kernel.pid_namespaces[ns].pid_max = 310;
    for _ in 300..310 {
        w.fork(t);
    }
    assert_eq!(w.err(t, "fork", &[]), Errno::EAGAIN);
}

#[test]
fn fact_31_namespaces_nest_32_deep() {
    let (mut w, t) = world();
    let mut inner = t;
    for _ in 0..32 {
        inner = w.clone_with(inner, NEWPID | SIGCHLD);
    }
    assert_eq!(w.err(inner, "clone", &[NEWPID | SIGCHLD, 0, 0, 0, 0]), Errno::ENOSPC);
    let own = w.sys.task(inner).thread_pid.unwrap();
    assert_eq!(w.sys.kernel.pids[own].numbers.len(), 33);
}

#[test]
fn fact_32_only_outsiders_and_itself_kill_an_init() {
    let (mut w, t) = world();
    let ns_init = w.clone_with(t, NEWPID | SIGCHLD);
    let inside = w.fork(ns_init);
    for sig in [9, 15, 19] {
        w.kill(inside, 1, sig).unwrap();
        w.signal_inside(ns_init, sig);
        assert_eq!(w.state(ns_init), 'R');
    }
    let pid = i64::from(w.pid(ns_init));
    w.kill(t, pid, 19).unwrap();
    assert_eq!(w.state(ns_init), 'T');
    w.kill(t, pid, 18).unwrap();
    w.kill(t, pid, 9).unwrap();
    // All that live in it die with it.
    assert!(!w.exists(inside));
    assert_eq!(status(&mut w, t, ns_init), 9);
    let ns_init = w.clone_with(t, NEWPID | SIGCHLD);
    assert!(w.load(ns_init, 0).unwrap_err().killed);
    assert_eq!(status(&mut w, t, ns_init), 11);
}

#[test]
fn fact_33_an_init_sees_no_parent_group_or_session() {
    let (mut w, t) = world();
    let ns_init = w.clone_with(t, NEWPID | SIGCHLD);
    for call in ["getppid", "getpgrp"] {
        assert_eq!(w.ok(ns_init, call, &[]), 0);
    }
    assert_eq!(w.ok(ns_init, "getsid", &[0]), 0);
    assert_eq!(w.ok(ns_init, "getpid", &[]), 1);
}

#[test]
fn fact_34_a_group_newly_orphaned() {
    for stop in [true, false] {
        let (mut w, shell) = world();
        w.ok(shell, "setsid", &[]);
        let job = w.fork(shell);
        w.ok(job, "setpgid", &[0, 0]);
        let member = w.fork(job);
        let pid = i64::from(w.pid(member));
        if stop {
            w.kill(shell, pid, 19).unwrap();
        }
        // Its only link to the rest of the session goes.
        w.exit(job, 0);
        w.exit(shell, 0);
        if stop {
            assert!(w.sys.task(member).is_dead(), "HUP, then CONT");
            let init = w.init;
            assert_eq!(status(&mut w, init, member), 1);
        } else {
            assert_eq!(w.state(member), 'R');
            for sig in [20, 21, 22] {
                w.kill(member, pid, sig).unwrap();
                assert_eq!(w.state(member), 'R');
            }
        }
    }
}

// ---- credentials -----------------------------------------------------------

#[test]
fn fact_35_setreuid_does_not_take_the_saved_uid() {
    let (mut w, t) = world();
    w.ok(t, "setresuid", &[1000, 1000, 1001]);
    assert_eq!(w.err(t, "setreuid", &[1001, ANY]), Errno::EPERM);
    w.ok(t, "setresuid", &[1001, ANY, ANY]);
}

#[test]
fn fact_36_setfsuid_tells_the_old_one_in_any_case() {
    let (mut w, t) = world();
    become_user(&mut w, t, 1000);
    assert_eq!(w.ok(t, "setfsuid", &[0]), 1000);
    assert_eq!(w.ok(t, "setfsuid", &[ANY]), 1000);
    assert_eq!(w.sys.cred(t).fsuid, 1000);
}

#[test]
fn fact_37_capabilities_after_exec_follow_both_uids() {
    let (mut w, root) = world();
    let t = w.fork(root);
    w.ok(t, "setresuid", &[0, 1000, 1000]);
    exec(&mut w, t, "/bin/true").unwrap();
    let c = w.sys.cred(t);
    assert_eq!((c.cap_permitted, c.cap_effective), (CapSet::FULL, CapSet::EMPTY));
    let t = w.fork(root);
    w.ok(t, "setresuid", &[1000, 0, 0]);
    exec(&mut w, t, "/bin/true").unwrap();
    let c = w.sys.cred(t);
    assert_eq!((c.cap_permitted, c.cap_effective), (CapSet::FULL, CapSet::FULL));
    assert_eq!(w.ok(t, "prctl", &[3, 0, 0, 0, 0]), 0);
}

#[test]
fn fact_38_no_gain_while_the_root_directory_is_shared() {
    let (mut w, root) = world();
    let user = w.fork(root);
    become_user(&mut w, user, 1000);
    let sharer = w.clone_with(user, 0x200 | SIGCHLD);
    exec(&mut w, sharer, "/bin/su").unwrap();
    assert_eq!(w.ok(sharer, "geteuid", &[]), 1000);
    let alone = w.fork(user);
    exec(&mut w, alone, "/bin/su").unwrap();
    assert_eq!(w.ok(alone, "geteuid", &[]), 0);
}

#[test]
fn fact_39_capset_is_for_oneself() {
    let (mut w, t) = world();
    let child = w.fork(t);
    let pid = w.pid(child) as u64;
    let header = w.map(t, 0x1000);
    w.store(t, header, 0x2008_0522 | pid << 32).unwrap();
    assert_eq!(w.err(t, "capset", &[header, header + 64]), Errno::EPERM);
    assert!(w.sys.cred(t).cap_effective.contains(Cap::CAP_SETPCAP));
}

// ---- signals ---------------------------------------------------------------

#[test]
fn fact_40_existence_comes_before_the_number() {
    let (mut w, t) = world();
    assert_eq!(w.kill(t, 4000, 65), Err(Errno::ESRCH));
    let own = i64::from(w.pid(t));
    assert_eq!(w.kill(t, own, 65), Err(Errno::EINVAL));
    let target = w.fork(t);
    let user = w.fork(t);
    become_user(&mut w, user, 1000);
    let pid = i64::from(w.pid(target));
    w.ok(target, "setresuid", &[0, 1000, 0]);
    assert_eq!(w.kill(user, pid, 0), Err(Errno::EPERM));
    w.ok(target, "setresuid", &[ANY, 0, ANY]);
    w.ok(target, "setresuid", &[0, 0, 1000]);
    assert_eq!(w.kill(user, pid, 0), Ok(0));
}

#[test]
fn fact_41_blocked_and_ignored() {
    let (mut w, t) = world();
    let child = w.fork(t);
    let pid = i64::from(w.pid(child));
    block(&mut w, child, 10);
    sigaction(&mut w, child, 10, SIG_IGN, SaFlags::empty());
    w.kill(t, pid, 10).unwrap();
    assert!(pending(&mut w, child).contains(Signal::SIGUSR1));
    sigaction(&mut w, child, 10, SIG_IGN, SaFlags::empty());
    assert!(pending(&mut w, child).is_empty());
    // SIGCONT acts when it is sent.
    block(&mut w, child, 18);
    sigaction(&mut w, child, 18, SIG_IGN, SaFlags::empty());
    w.kill(t, pid, 19).unwrap();
    assert_eq!(w.state(child), 'T');
    w.kill(t, pid, 18).unwrap();
    assert_eq!(w.state(child), 'R');
    // A fault cannot be put off.
    for ignore in [true, false] {
        let child = w.fork(t);
        if ignore {
            sigaction(&mut w, child, 11, SIG_IGN, SaFlags::empty());
        } else {
            block(&mut w, child, 11);
        }
        assert!(w.load(child, 0).unwrap_err().killed);
        assert_eq!(status(&mut w, t, child), 11);
    }
}
