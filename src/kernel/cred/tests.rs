//! The rules for ids and capabilities, as a 6.18 kernel answered the same
//! calls.
//!
//! Linux: credentials(7), capabilities(7). Left out: file capabilities.

use crate::abi::Errno::*;
use crate::abi::numbers::*;
use crate::abi::{Cap, CapSet, Signal};
use crate::kernel::cred::exec::*;
use crate::kernel::fs::inode::{Inode, InodeKind};
use crate::kernel::syscalls::{Out, Payload};
use crate::kernel::task::TaskId;
use crate::kernel::testing::{World, world};

const NO: u64 = u32::MAX as u64;

/// A child of init with these real, effective and saved uids.
fn with_uids(w: &mut World, r: u64, e: u64, s: u64) -> TaskId {
    let t = w.fork(w.init);
    w.call(t, "setresuid", &[r, e, s]);
    t
}

fn uids(w: &World, t: TaskId) -> [u32; 4] {
    let c = w.sys.cred(t);
    [c.uid, c.euid, c.suid, c.fsuid]
}

#[test]
fn setuid_with_and_without_the_capability() {
    let mut w = world();
    let t = w.fork(w.init);
    assert_eq!(w.refused(t, "setuid", &[NO]), EINVAL);
    w.call(t, "setuid", &[1000]);
    assert_eq!(uids(&w, t), [1000; 4]);
    assert_eq!(w.refused(t, "setuid", &[0]), EPERM);
    let t = with_uids(&mut w, 1000, 2000, 3000);
    assert_eq!(w.refused(t, "setuid", &[2000]), EPERM);
    w.call(t, "setuid", &[3000]);
    assert_eq!(uids(&w, t), [1000, 3000, 3000, 3000]);
    assert_eq!(w.refused(t, "setuid", &[NO]), EINVAL);
}

#[test]
fn setreuid_may_not_make_the_saved_uid_real() {
    // Fact 35.
    let mut w = world();
    let t = with_uids(&mut w, 1000, 2000, 3000);
    assert_eq!(w.refused(t, "setreuid", &[3000, NO]), EPERM);
    w.call(t, "setresuid", &[3000, NO, NO]);
    let t = with_uids(&mut w, 1000, 2000, 3000);
    w.call(t, "setreuid", &[NO, NO]);
    assert_eq!(uids(&w, t), [1000, 2000, 3000, 2000]);
    w.call(t, "setreuid", &[2000, NO]);
    assert_eq!(uids(&w, t), [2000, 2000, 2000, 2000]);
    let t = with_uids(&mut w, 1000, 2000, 3000);
    w.call(t, "setreuid", &[NO, 1000]);
    assert_eq!(uids(&w, t), [1000, 1000, 3000, 1000]);
}

#[test]
fn setfsuid_returns_the_old_one_always() {
    // Fact 36.
    let mut w = world();
    let t = with_uids(&mut w, 1000, 2000, 3000);
    assert_eq!(w.call(t, "setfsuid", &[77]), 2000);
    assert_eq!(w.call(t, "setfsuid", &[NO]), 2000);
    assert_eq!(w.call(t, "setfsuid", &[3000]), 2000);
    assert_eq!(w.call(t, "setfsuid", &[NO]), 3000);
    let t = w.fork(w.init);
    w.call(t, "setfsuid", &[5]);
    let e = w.sys.cred(t).cap_effective;
    assert!(!e.contains(Cap::CAP_CHOWN) && e.contains(Cap::CAP_KILL));
    w.call(t, "setfsuid", &[0]);
    assert_eq!(w.sys.cred(t).cap_effective, CapSet::FULL);
}

#[test]
fn gids_and_groups() {
    let mut w = world();
    let t = w.fork(w.init);
    w.call(t, "setresgid", &[60, 70, 80]);
    let groups = |w: &mut World, ids: &[u32]| {
        w.try_with(t, "setgroups", &[ids.len() as u64, 0], Payload::Ids(ids.into()))
    };
    assert!(groups(&mut w, &[5, 3, 4]).is_ok());
    assert_eq!(groups(&mut w, &[u32::MAX]), Err(EINVAL));
    assert_eq!(groups(&mut w, &vec![1; 70000]), Err(EINVAL));
    assert_eq!(w.refused(t, "getgroups", &[2, 0]), EINVAL);
    assert_eq!(w.refused(t, "getgroups", &[NO, 0]), EINVAL);
    let got = w.try_with(t, "getgroups", &[3, 0], Payload::None);
    assert_eq!(got, Ok((3, Out::Ids(vec![3, 4, 5]))));
    w.call(t, "setuid", &[1000]);
    // EPERM comes before the size is looked at.
    assert_eq!(w.refused(t, "setgroups", &[70000, 0]), EPERM);
    assert_eq!(w.refused(t, "setregid", &[80, NO]), EPERM);
    w.call(t, "setregid", &[NO, 80]);
    let c = w.sys.cred(t);
    assert_eq!((c.gid, c.egid, c.sgid, c.fsgid), (60, 80, 80, 80));
    assert_eq!(w.call(t, "setfsgid", &[NO]), 80);
}

#[test]
fn capabilities_follow_the_uids() {
    let mut w = world();
    let t = with_uids(&mut w, 0, 1000, 0);
    let c = w.sys.cred(t);
    assert_eq!((c.cap_permitted, c.cap_effective), (CapSet::FULL, CapSet::EMPTY));
    w.call(t, "setresuid", &[NO, 0, NO]);
    assert_eq!(w.sys.cred(t).cap_effective, CapSet::FULL);
    w.call(t, "prctl", &[u64::from(PR_SET_KEEPCAPS), 1]);
    w.call(t, "setuid", &[1000]);
    let c = w.sys.cred(t);
    assert_eq!((c.cap_permitted, c.cap_effective), (CapSet::FULL, CapSet::EMPTY));
    let t = with_uids(&mut w, 1000, 1000, 1000);
    assert_eq!(w.sys.cred(t).cap_permitted, CapSet::EMPTY);
    let t = w.fork(w.init);
    w.call(t, "prctl", &[u64::from(PR_SET_SECUREBITS), u64::from(SECBIT_NO_SETUID_FIXUP)]);
    w.call(t, "setuid", &[1000]);
    assert_eq!(w.sys.cred(t).cap_effective, CapSet::FULL);
}

#[test]
fn capset_rules() {
    let mut w = world();
    let t = w.fork(w.init);
    let kill = CapSet(1 << 5);
    let set = |w: &mut World, pid: u64, e, p, i| {
        w.try_with(t, "capset", &[pid], Payload::Caps(e, p, i)).map(|_| ())
    };
    let init = w.pid(w.init);
    assert_eq!(set(&mut w, init, kill, kill, kill), Err(EPERM), "fact 39");
    assert_eq!(set(&mut w, 0, kill, CapSet::EMPTY, kill), Err(EPERM), "effective > permitted");
    assert_eq!(set(&mut w, 0, kill, kill, kill), Ok(()));
    assert_eq!(set(&mut w, 0, kill, CapSet::FULL, kill), Err(EPERM), "permitted grows");
    assert_eq!(set(&mut w, 0, kill, kill, CapSet(1)), Err(EPERM), "inheritable, no SETPCAP");
    w.call(t, "prctl", &[u64::from(PR_CAP_AMBIENT), 2, 5, 0, 0]);
    assert_eq!(w.call(t, "prctl", &[u64::from(PR_CAP_AMBIENT), 1, 5, 0, 0]), 1);
    assert_eq!(set(&mut w, 0, kill, kill, CapSet::EMPTY), Ok(()));
    assert_eq!(w.sys.cred(t).cap_ambient, CapSet::EMPTY);
    assert_eq!(w.refused(t, "prctl", &[u64::from(PR_CAP_AMBIENT), 2, 5, 0, 0]), EPERM);
    let got = w.try_with(t, "capget", &[], Payload::Ids([0].into())).unwrap().1;
    assert_eq!(got, Out::Caps(kill, kill, CapSet::EMPTY));
    assert_eq!(w.try_with(t, "capget", &[], Payload::Ids([NO as u32].into())), Err(EINVAL));
    assert_eq!(w.try_with(t, "capget", &[], Payload::Ids([9999].into())), Err(ESRCH));
}

#[test]
fn securebits_and_the_bounding_set() {
    let mut w = world();
    let t = w.fork(w.init);
    let bits = u64::from(PR_SET_SECUREBITS);
    assert_eq!(w.refused(t, "prctl", &[bits, 0x1000]), EPERM);
    assert_eq!(w.refused(t, "prctl", &[bits, 0x1_0000_0001]), EPERM);
    assert_eq!(w.refused(t, "prctl", &[u64::from(PR_CAPBSET_DROP), 99]), EINVAL);
    w.call(t, "prctl", &[u64::from(PR_CAPBSET_DROP), 5]);
    assert_eq!(w.call(t, "prctl", &[u64::from(PR_CAPBSET_READ), 5]), 0);
    assert_eq!(w.refused(t, "prctl", &[u64::from(PR_CAPBSET_READ), 41]), EINVAL);
    w.call(t, "setresuid", &[1000, 1000, 1000]);
    for (value, answer) in [
        (0x100, Ok(0)),
        (0x500, Ok(0)),
        (0x501, Err(EPERM)),
        (0xf00, Ok(0)),
        (0, Err(EPERM)),
        (0xf01, Err(EPERM)),
    ] {
        assert_eq!(w.try_call(t, "prctl", &[bits, value]), answer, "{value:#x}");
    }
    assert_eq!(w.refused(t, "prctl", &[u64::from(PR_CAPBSET_DROP), 99]), EPERM);
    assert_eq!(w.refused(t, "prctl", &[u64::from(PR_SET_KEEPCAPS), 2]), EINVAL);
    for args in [[2, 99, 0, 0], [9, 1, 0, 0], [9, 99, 0, 0], [4, 1, 0, 0], [2, 5, 1, 0]] {
        let [a, b, c, d] = args;
        let e = w.refused(t, "prctl", &[u64::from(PR_CAP_AMBIENT), a, b, c, d]);
        assert_eq!(e, EINVAL, "{args:?}");
    }
}

#[test]
fn a_change_of_effective_ids_makes_undumpable() {
    let mut w = world();
    let t = w.fork(w.init);
    let dumpable = |w: &mut World| w.call(t, "prctl", &[u64::from(PR_GET_DUMPABLE)]);
    assert_eq!(dumpable(&mut w), 1);
    w.call(t, "prctl", &[u64::from(PR_SET_PDEATHSIG), 10]);
    w.call(t, "setresuid", &[1000, NO, NO]);
    assert_eq!(dumpable(&mut w), 1, "the real uid alone does not count");
    assert_eq!(w.sys.task(t).pdeath_signal, 10);
    w.call(t, "setresuid", &[NO, 1000, NO]);
    assert_eq!(dumpable(&mut w), 0);
    assert_eq!(w.sys.task(t).pdeath_signal, 0);
    assert_eq!(w.refused(t, "prctl", &[u64::from(PR_SET_DUMPABLE), 2]), EINVAL);
}

/// A file with this mode and owner, and what an exec of it makes of `t`.
fn exec(w: &mut World, t: TaskId, mode: u32, uid: u32, gid: u32) -> bool {
    let kind = InodeKind::Dir(Default::default());
    let file = w.sys.kernel.inodes.insert(Inode::new(kind, mode, uid, gid));
    let unsafe_ = check_unsafe_exec(&mut w.sys, t);
    let new = prepare_exec_creds(&mut w.sys, t).unwrap();
    let secure = bprm_creds_from_file(&mut w.sys, t, new, file, unsafe_).unwrap();
    let mm = w.sys.task_mm(t).unwrap();
    install_exec_creds(&mut w.sys, t, mm, new, secure);
    let fs = w.sys.task(t).fs.unwrap();
    w.sys.kernel.fs[fs].in_exec = false;
    w.sys.kernel.inodes.remove(file);
    w.recount();
    secure
}

/// Uids after the exec, secureexec, dumpable, pdeath_signal kept, and whether
/// permitted and effective capabilities are full.
fn after(w: &mut World, t: TaskId, mode: u32, owner: u32) -> ([u32; 3], u8, u32, bool, bool, bool) {
    w.call(t, "prctl", &[u64::from(PR_SET_PDEATHSIG), 10]);
    let secure = exec(w, t, mode, owner, 50);
    let c = w.sys.cred(t);
    assert_eq!((c.euid, c.egid), (c.fsuid, c.fsgid));
    let mm = w.sys.task_mm(t).unwrap();
    (
        [c.uid, c.euid, c.suid],
        u8::from(secure),
        w.sys.mm(mm).dumpable,
        w.sys.task(t).pdeath_signal == 10,
        c.cap_permitted == CapSet::FULL,
        c.cap_effective == CapSet::FULL,
    )
}

#[test]
fn exec_as_the_running_kernel_did_it() {
    let mut w = world();
    let w = &mut w;
    let plain = 0o755;
    let suid = 0o4755;
    let t = w.fork(w.init);
    assert_eq!(after(w, t, plain, 0), ([0, 0, 0], 0, 1, true, true, true));
    let t = with_uids(w, 0, 1000, 0);
    assert_eq!(after(w, t, plain, 0), ([0, 1000, 1000], 1, 0, false, true, false), "fact 37");
    let t = with_uids(w, 1000, 0, 1000);
    assert_eq!(after(w, t, plain, 0), ([1000, 0, 0], 1, 0, false, true, true), "fact 37");
    let t = with_uids(w, 1000, 1000, 1000);
    assert_eq!(after(w, t, plain, 0), ([1000; 3], 0, 1, true, false, false));
    let t = with_uids(w, 1000, 1000, 1000);
    assert_eq!(after(w, t, suid, 0), ([1000, 0, 0], 1, 0, false, true, true));
    let t = with_uids(w, 1000, 1000, 1000);
    w.call(t, "prctl", &[u64::from(PR_SET_NO_NEW_PRIVS), 1, 0, 0, 0]);
    assert_eq!(after(w, t, suid, 0), ([1000; 3], 0, 1, true, false, false));
    let t = w.fork(w.init);
    assert_eq!(after(w, t, suid, 1000), ([0, 1000, 1000], 1, 0, false, true, false));
    let t = w.fork(w.init);
    w.call(t, "prctl", &[u64::from(PR_SET_NO_NEW_PRIVS), 1, 0, 0, 0]);
    assert_eq!(after(w, t, suid, 1000), ([0; 3], 0, 1, true, true, true));
    let t = with_uids(w, 1000, 2000, 3000);
    assert_eq!(after(w, t, plain, 0), ([1000, 2000, 2000], 1, 0, false, false, false));
    let t = w.fork(w.init);
    w.call(t, "prctl", &[u64::from(PR_SET_SECUREBITS), 1]);
    let mm = w.sys.task_mm(t).unwrap();
    assert_eq!(after(w, t, plain, 0), ([0; 3], 0, 1, true, false, false), "NOROOT");
    assert_eq!(w.sys.task_mm(t), Some(mm));
}

#[test]
fn exec_and_groups() {
    let mut w = world();
    let t = with_uids(&mut w, 1000, 1000, 1000);
    assert!(exec(&mut w, t, 0o2755, 0, 50));
    assert_eq!((w.sys.cred(t).gid, w.sys.cred(t).egid), (0, 50));
    // Without group execution the bit means nothing.
    let t = with_uids(&mut w, 1000, 1000, 1000);
    assert!(!exec(&mut w, t, 0o2745, 0, 50));
    assert_eq!(w.sys.cred(t).egid, 0);
    let t = w.fork(w.init);
    w.call(t, "setresgid", &[60, 70, 70]);
    w.call(t, "setresuid", &[1000, 1000, 1000]);
    assert!(exec(&mut w, t, 0o755, 0, 50), "egid is not the real gid");
}

#[test]
fn ambient_capabilities_survive_a_plain_exec_only() {
    let mut w = world();
    let kill = CapSet(32);
    let ready = |w: &mut World| {
        let t = w.fork(w.init);
        w.call(t, "prctl", &[u64::from(PR_SET_KEEPCAPS), 1]);
        w.call(t, "setresuid", &[1000, 1000, 1000]);
        w.try_with(t, "capset", &[0], Payload::Caps(kill, kill, kill)).unwrap();
        w.call(t, "prctl", &[u64::from(PR_CAP_AMBIENT), 2, 5, 0, 0]);
        t
    };
    let t = ready(&mut w);
    assert!(!exec(&mut w, t, 0o755, 0, 0));
    let c = w.sys.cred(t);
    assert_eq!((c.cap_permitted, c.cap_effective, c.cap_ambient), (kill, kill, kill));
    assert!(!c.issecure(SECBIT_KEEP_CAPS));
    let t = ready(&mut w);
    assert!(exec(&mut w, t, 0o4755, 0, 0));
    let c = w.sys.cred(t);
    assert_eq!((c.cap_effective, c.cap_ambient), (CapSet::FULL, CapSet::EMPTY));
    let t = ready(&mut w);
    assert!(!exec(&mut w, t, 0o4755, 1000, 0), "set-user-ID to the same uid");
    assert_eq!(w.sys.cred(t).cap_ambient, kill);
}

#[test]
fn no_gain_while_the_fs_struct_is_shared() {
    // Fact 38.
    let mut w = world();
    let t = with_uids(&mut w, 1000, 1000, 1000);
    let sharer = w.clone(t, 0x200 | 17);
    assert!(exec(&mut w, t, 0o4755, 0, 0), "secureexec all the same");
    assert_eq!(uids(&w, t), [1000; 4]);
    assert_eq!(w.sys.cred(t).cap_permitted, CapSet::EMPTY);
    let init = w.init;
    w.kill(init, sharer, Signal::SIGKILL);
    let t = w.fork(init);
    let _sharer = w.clone(t, 0x200 | 17);
    assert!(exec(&mut w, t, 0o4755, 1000, 0));
    assert_eq!(uids(&w, t), [0, 1000, 1000, 1000], "with CAP_SETUID the ids change");
}

#[test]
fn a_new_user_namespace_gives_all_capabilities_in_it() {
    let mut w = world();
    let t = with_uids(&mut w, 1000, 1000, 1000);
    w.call(t, "prctl", &[u64::from(PR_SET_DUMPABLE), 1]);
    let c = w.clone(t, 0x1000_0000 | 17);
    let cred = w.sys.cred(c).clone();
    assert_eq!((cred.cap_effective, cred.uid), (CapSet::FULL, 1000));
    assert_eq!(w.call(c, "getuid", &[]), 65534);
    assert_eq!(w.refused(c, "setuid", &[0]), EINVAL);
    assert_eq!(w.refused(c, "setuid", &[65534]), EINVAL);
    assert_eq!(w.refused(c, "setgroups", &[0, 0]), EPERM);
    let pid = w.pid(t);
    w.call(c, "kill", &[pid, 0]);
    let init = w.pid(w.init);
    assert_eq!(w.refused(c, "kill", &[init, 0]), EPERM);
    // The creator's euid owns it, and so has all capabilities in it.
    let ns = cred.user_ns;
    assert!(crate::kernel::cred::ns_capable(&mut w.sys, t, ns, Cap::CAP_KILL));
    assert!(!crate::kernel::cred::capable(&mut w.sys, c, Cap::CAP_KILL));
    assert!(!exec(&mut w, c, 0o755, 0, 0));
    assert_eq!(w.sys.cred(c).cap_permitted, CapSet::EMPTY, "nobody is root without a map");
    w.call(c, "prctl", &[u64::from(PR_GET_DUMPABLE)]);
}

#[test]
fn nproc_counts_real_uids() {
    // Fact 11.
    let mut w = world();
    let t = w.fork(w.init);
    let limit = crate::kernel::signal::Rlimit { cur: 2, max: 2 };
    w.try_with(t, "setrlimit", &[u64::from(RLIMIT_NPROC), 0], Payload::Rlimit(limit)).unwrap();
    // Root may exceed it.
    let (_a, _b) = (w.fork(t), w.fork(t));
    w.call(t, "setresuid", &[1000, 1000, 1000]);
    let child = w.fork(t);
    assert_eq!(w.refused(t, "fork", &[]), EAGAIN);
    // A zombie counts until it is reaped.
    w.enter(child, "exit", &[0], Payload::None);
    assert_eq!(w.refused(t, "fork", &[]), EAGAIN);
    let pid = child;
    assert_eq!(w.state(pid), 'Z');
    w.wait4(t, -1, 0).unwrap();
    w.fork(t);
    // Going over by setuid is only noted, for exec to refuse.
    let late = w.fork(w.init);
    w.try_with(late, "setrlimit", &[u64::from(RLIMIT_NPROC), 0], Payload::Rlimit(RLIMIT_1))
        .unwrap();
    w.call(late, "setuid", &[1000]);
    use crate::kernel::task::PF;
    assert!(w.sys.task(late).flags.contains(PF::NPROC_EXCEEDED));
}

const RLIMIT_1: crate::kernel::signal::Rlimit = crate::kernel::signal::Rlimit { cur: 1, max: 1 };
