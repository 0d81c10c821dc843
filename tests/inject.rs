//! Every step of making a task, and of executing a program, is made to fail,
//! the first time it is passed and each later time. A failed call leaves
//! nothing behind: the system is compared object by object with what it was,
//! by the rules of [`Scope::Failed`].

mod kit;

use forkyard::abi::Errno;
use forkyard::abi::nr::syscall_number;
use forkyard::abi::structs::CloneArgs;
use forkyard::kernel::check::{Scope, differences};
use forkyard::kernel::inject::STEPS;
use forkyard::kernel::syscalls::{Call, Payload};
use forkyard::kernel::{System, TaskId};
use forkyard::session::{Done, Trouble};
use kit::{World, small};
use std::collections::BTreeMap;

/// Steps that a fork never passes.
const NOT_OF_FORK: [&str; 5] =
    ["do_mmap", "bprm_execve", "prepare_creds", "prepare_nsset", "validate_ns"];

/// Most times that one call passes one step.
const OFTEN: u32 = 200;

/// A process with something of everything: written, read and untouched
/// memory, shared and file mappings, a pipe, handlers, a child, a thread.
fn furnished(w: &mut World) -> TaskId {
    let init = w.init;
    let t = w.fork(init);
    let private = w.map(t, 6 * 0x1000);
    w.store(t, private, 1).unwrap();
    w.store(t, private + 0x2000, 2).unwrap();
    w.load(t, private + 0x3000).unwrap();
    let shared = w.ok(t, "mmap", &[0, 0x2000, 3, 0x21, u64::MAX, 0]) as u64;
    w.store(t, shared, 3).unwrap();
    // Tables of its own, far away.
    let far = w.ok(t, "mmap", &[0x1000_0000_0000, 0x1000, 3, 0x32, u64::MAX, 0]) as u64;
    w.store(t, far, 4).unwrap();
    w.ok(t, "madvise", &[private + 0x4000, 0x1000, 18]);
    w.ok(t, "pipe2", &[0, 0]);
    let child = w.fork(t);
    w.store(child, private, 5).unwrap();
    t
}

/// The call a scenario is about, by whom.
type Scenario = (&'static str, Call);

fn clone3(flags: u64, exit_signal: u64) -> Call {
    let nr = syscall_number("clone3").unwrap();
    let args = CloneArgs { flags, exit_signal, tls: 0x1000, ..CloneArgs::default() };
    Call::with(nr, &[0, 88], Payload::Clone(Box::new(args)))
}

fn scenarios() -> Vec<Scenario> {
    let call = |name, args: &[u64]| Call::new(syscall_number(name).unwrap(), args);
    vec![
        ("fork", call("fork", &[])),
        ("vfork", call("vfork", &[])),
        ("a thread", clone3(0x0001_0f00, 0)),
        ("shared tables only", clone3(0x0000_0600, 17)),
        ("CLONE_VM alone", clone3(0x0000_0100, 17)),
        ("a semaphore undo list, TLS and a pidfd", clone3(0x000c_1000, 17)),
        ("new namespaces", clone3(0x7e02_0080, 17)),
        ("handlers cleared", clone3(0x1_0000_0000, 17)),
    ]
}

enum Ended {
    /// It was refused with the injected errno.
    Refused,
    /// It went through: the step is not passed so often.
    NotReached,
}

/// Makes `step` fail after it succeeded `skip` times.
fn fail_once(sys: &mut System, t: TaskId, call: &Call, step: &str, skip: u32) -> Ended {
    sys.kernel.inject.arm(step, Errno::ENOMEM, skip).expect("a known step");
    let done = sys.call(t, call.clone());
    let fired = sys.kernel.inject.armed().is_empty();
    sys.kernel.inject.clear();
    match done {
        Err(Trouble::Refused(e)) => {
            assert!(fired && e.errno == Errno::ENOMEM, "{step} {skip}: {e:?}");
            Ended::Refused
        }
        Ok(Done::Returned(..) | Done::Blocked) => {
            // Linux ignores that a word of user memory cannot be had.
            Ended::NotReached
        }
        other => panic!("{step} {skip}: {other:?}"),
    }
}

fn unwinds(cpus: u32, expected: &mut BTreeMap<&'static str, u32>) {
    let mut base = World::boot(&small(cpus));
    let t = furnished(&mut base);
    for (what, call) in scenarios() {
        for step in STEPS {
            for skip in 0..OFTEN {
                let mut w = base.clone();
                let Ended::Refused = fail_once(&mut w.sys, t, &call, step, skip) else { break };
                *expected.entry(step).or_default() += 1;
                w.check(&format!("{what}, failing in {step} at passage {skip}"));
                let found = differences(&base.sys, &w.sys, Scope::Failed);
                let list = found.join("\n");
                assert!(found.is_empty(), "{what}, failing in {step} at {skip}, left\n{list}");
                // What was not left behind is not missing either.
                assert!(w.sys.call(t, call.clone()).is_ok());
                w.check(&format!("{what}, after failing in {step}"));
            }
        }
    }
}

#[test]
fn every_step_of_fork_unwinds() {
    let mut failed = BTreeMap::new();
    unwinds(1, &mut failed);
    unwinds(2, &mut failed);
    for step in STEPS.iter().filter(|s| !NOT_OF_FORK.contains(s)) {
        assert!(failed.contains_key(step), "{step} never failed a fork");
    }
    assert!(failed["copy_page_range"] > 20 && failed["alloc_page"] > 40, "{failed:?}");
}

/// A creation that runs out of memory for real, at every number of pages.
#[test]
fn fork_without_memory_unwinds() {
    let mut base = World::boot(&small(1));
    let t = furnished(&mut base);
    let fork = Call::new(syscall_number("fork").unwrap(), &[]);
    // Fill memory up; what the hog leaves is what fork has.
    let hog = {
        let init = base.init;
        base.fork(init)
    };
    let len = 16 << 20;
    let hoard = base.map(hog, len);
    let mut refused = 0;
    for left in 0..64u64 {
        let mut w = base.clone();
        let mut at = hoard;
        while u64::from(w.sys.machine.mem.free_pages()) > left && at < hoard + len {
            w.sys
                .op(
                    hog,
                    forkyard::machine::UserOp::Store {
                        addr: forkyard::base::VirtAddr(at),
                        size: forkyard::machine::vmem::Size::Byte,
                        value: 1,
                    },
                )
                .expect("still memory");
            at += 0x1000;
        }
        assert_eq!(u64::from(w.sys.machine.mem.free_pages()), left);
        w.check("hoarding");
        let before = w.sys.clone();
        match w.sys.call(t, fork.clone()) {
            Ok(_) => {}
            Err(Trouble::Refused(e)) => {
                assert_eq!(e.errno, Errno::ENOMEM);
                refused += 1;
                let found = differences(&before, &w.sys, Scope::Failed);
                assert!(found.is_empty(), "with {left} pages left:\n{}", found.join("\n"));
            }
            other => panic!("{other:?}"),
        }
        w.check(&format!("fork with {left} pages"));
    }
    assert!(refused > 10, "{refused}");
}

/// execve up to the point of no return; after it the process dies of SIGSEGV.
#[test]
fn execve_unwinds_or_kills() {
    let mut base = World::boot(&small(1));
    let t = furnished(&mut base);
    let vforked = base.vfork(t);
    base.ok(vforked, "getpid", &[]);
    let nr = syscall_number("execve").unwrap();
    let path = "/bin/sh".to_string();
    let exec = Payload::Exec(Box::new((path.clone(), vec![path], vec!["A=1".to_string()])));
    let (mut refused, mut killed) = (0, 0);
    for step in STEPS {
        for skip in 0..OFTEN {
            let mut w = base.clone();
            w.sys.kernel.inject.arm(step, Errno::ENOMEM, skip).expect("a known step");
            let done = w.sys.call(vforked, Call::with(nr, &[0, 0, 0], exec.clone()));
            let fired = w.sys.kernel.inject.armed().is_empty();
            w.sys.kernel.inject.clear();
            w.check(&format!("execve, failing in {step} at passage {skip}"));
            match done {
                Err(Trouble::Refused(e)) => {
                    // get_arg_page without a page makes copy_strings say E2BIG.
                    let page = *step == "alloc_page" && e.errno == Errno::E2BIG;
                    assert!(fired && (page || e.errno == Errno::ENOMEM), "{step} {skip}: {e:?}");
                    refused += 1;
                    let found = differences(&base.sys, &w.sys, Scope::Failed);
                    let list = found.join("\n");
                    assert!(found.is_empty(), "execve failing in {step} at {skip} left\n{list}");
                    assert_eq!(w.state(t), 'D', "a failed execve does not release the parent");
                }
                Ok(Done::Dead) => {
                    assert!(fired);
                    killed += 1;
                    assert_eq!(w.sys.task(vforked).exit_code & 0x7f, 11);
                }
                Ok(_) if !fired => break,
                Ok(_) => {}
                other => panic!("{step} {skip}: {other:?}"),
            }
        }
    }
    assert!(refused > 5, "{refused} refused, {killed} killed");
}

/// setns by each kind of namespace file, and by a pidfd to all of them.
#[test]
fn setns_unwinds() {
    let mut base = World::boot(&small(1));
    let init = base.init;
    let maker = base.fork(init);
    let t = base.fork(init);
    let all = 0x7e02_0000 | 0x80;
    base.ok(maker, "unshare", &[all]);
    let pid = base.pid(maker);
    let mut calls = Vec::new();
    for name in ["net", "uts", "ipc", "pid_for_children", "user", "mnt", "cgroup", "time"] {
        let path = Payload::Text(format!("/proc/{pid}/ns/{name}").into());
        let fd = base.value(t, "open", &[0, 0, 0], path).expect("the file is there") as u64;
        calls.push((name, [fd, 0]));
    }
    let pidfd = base.ok(t, "pidfd_open", &[pid as u64, 0]) as u64;
    // All but the pid namespace: the maker's own is still the first one.
    calls.push(("pidfd", [pidfd, all & !0x2000_0000]));
    let nr = syscall_number("setns").unwrap();
    let mut failed: BTreeMap<&str, u32> = BTreeMap::new();
    for (what, args) in calls {
        let call = Call::new(nr, &args);
        for step in ["prepare_nsset", "prepare_creds", "validate_ns"] {
            for skip in 0..OFTEN {
                let mut w = base.clone();
                let Ended::Refused = fail_once(&mut w.sys, t, &call, step, skip) else { break };
                *failed.entry(step).or_default() += 1;
                w.check(&format!("setns to {what}, failing in {step} at {skip}"));
                let found = differences(&base.sys, &w.sys, Scope::Failed);
                assert!(found.is_empty(), "{what}, {step} at {skip} left\n{}", found.join("\n"));
                assert!(w.sys.call(t, call.clone()).is_ok(), "{what} after {step}");
                w.check(&format!("setns to {what}"));
            }
        }
    }
    let counts: Vec<u32> = failed.values().copied().collect();
    assert_eq!(counts, [2, 9, 15], "{failed:?}");
}
