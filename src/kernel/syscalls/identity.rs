//! System calls: who a process is, what it may do, what it has used. Handlers
//! decode arguments; the verbs live elsewhere.
//!
//! Where a pointer to a result is 0 nothing is stored and the result is only
//! in the outcome: that is how a script's director asks. Linux would answer
//! EFAULT to most of these.
//!
//! Linux: include/linux/syscalls.h. Left out: see the notes of the rows.

use super::table::{Syscall, row};
use super::{Call, Out, Payload};
use crate::abi::{CapSet, Errno};
use crate::kernel::cred::groups::{NGROUPS_MAX, get_groups, may_setgroups, set_groups};
use crate::kernel::cred::setgid::*;
use crate::kernel::cred::setuid::*;
use crate::kernel::cred::user_ns::{from_kgid_munged, from_kuid_munged};
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user};
use crate::kernel::pid::PidType;
use crate::kernel::pid::find_task_by_vpid;
use crate::kernel::signal::Rlimit;
use crate::kernel::signal::notify::NSEC_PER_CLOCK_TICK;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::{capability, prctl, rlimit, sys as verbs};
use crate::traced;

/// An argument that is a 32-bit int.
fn int(call: &Call, i: usize) -> i32 {
    call.args[i] as u32 as i32
}

/// An argument that is a 32-bit id.
fn id(call: &Call, i: usize) -> u32 {
    call.args[i] as u32
}

fn ret<T: Into<i64>>(value: T) -> SysResult {
    Ok(value.into())
}

/// Stores bytes where user mode wants them, unless it does not.
fn put(sys: &mut System, task: TaskId, at: u64, bytes: &[u8]) -> Result<(), SysError> {
    if at == 0 { Ok(()) } else { copy_to_user(sys, task, at, bytes) }
}

/// Stores bytes through argument `i`, or leaves them to a director's `Out`.
fn put_through(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    i: usize,
    bytes: &[u8],
) -> Result<(), SysError> {
    if call.wants_out(i) { Ok(()) } else { copy_to_user(sys, task, call.args[i], bytes) }
}

fn sys_getpid(sys: &mut System, t: TaskId, _: &Call) -> SysResult {
    ret(verbs::nr_as_seen(sys, t, t, PidType::Tgid))
}
fn sys_gettid(sys: &mut System, t: TaskId, _: &Call) -> SysResult {
    ret(verbs::nr_as_seen(sys, t, t, PidType::Pid))
}
fn sys_getppid(sys: &mut System, t: TaskId, _: &Call) -> SysResult {
    ret(verbs::getppid(sys, t))
}
fn sys_getpgrp(sys: &mut System, t: TaskId, _: &Call) -> SysResult {
    ret(verbs::get_group_or_session(sys, t, 0, PidType::Pgid)?)
}
fn sys_getpgid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    ret(verbs::get_group_or_session(sys, t, int(call, 0), PidType::Pgid)?)
}
fn sys_getsid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    ret(verbs::get_group_or_session(sys, t, int(call, 0), PidType::Sid)?)
}
fn sys_setpgid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    traced!(sys, verbs::setpgid(t, int(call, 0), int(call, 1)))?;
    Ok(0)
}
fn sys_setsid(sys: &mut System, t: TaskId, _: &Call) -> SysResult {
    ret(traced!(sys, verbs::setsid(t))?)
}

fn uid_seen(sys: &System, t: TaskId, kuid: u32) -> u32 {
    from_kuid_munged(sys, sys.cred(t).user_ns, kuid)
}
fn gid_seen(sys: &System, t: TaskId, kgid: u32) -> u32 {
    from_kgid_munged(sys, sys.cred(t).user_ns, kgid)
}
fn sys_getuid(sys: &mut System, t: TaskId, _: &Call) -> SysResult {
    ret(uid_seen(sys, t, sys.cred(t).uid))
}
fn sys_geteuid(sys: &mut System, t: TaskId, _: &Call) -> SysResult {
    ret(uid_seen(sys, t, sys.cred(t).euid))
}
fn sys_getgid(sys: &mut System, t: TaskId, _: &Call) -> SysResult {
    ret(gid_seen(sys, t, sys.cred(t).gid))
}
fn sys_getegid(sys: &mut System, t: TaskId, _: &Call) -> SysResult {
    ret(gid_seen(sys, t, sys.cred(t).egid))
}

/// Stores three ids through the first three arguments.
fn put_ids(sys: &mut System, t: TaskId, call: &Call, ids: [u32; 3]) -> SysResult {
    for (i, id) in ids.iter().enumerate() {
        put_through(sys, t, call, i, &id.to_le_bytes())?;
    }
    sys.set_out(t, Out::Ids(ids.to_vec()));
    Ok(0)
}
fn sys_getresuid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let c = sys.cred(t);
    let ids = [c.uid, c.euid, c.suid].map(|u| uid_seen(sys, t, u));
    put_ids(sys, t, call, ids)
}
fn sys_getresgid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let c = sys.cred(t);
    let ids = [c.gid, c.egid, c.sgid].map(|g| gid_seen(sys, t, g));
    put_ids(sys, t, call, ids)
}
fn do_setuid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    traced!(sys, sys_setuid(t, id(call, 0)))?;
    Ok(0)
}
fn do_setgid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    traced!(sys, sys_setgid(t, id(call, 0)))?;
    Ok(0)
}
fn do_setreuid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    traced!(sys, sys_setreuid(t, id(call, 0), id(call, 1)))?;
    Ok(0)
}
fn do_setregid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    traced!(sys, sys_setregid(t, id(call, 0), id(call, 1)))?;
    Ok(0)
}
fn do_setresuid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    traced!(sys, sys_setresuid(t, id(call, 0), id(call, 1), id(call, 2)))?;
    Ok(0)
}
fn do_setresgid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    traced!(sys, sys_setresgid(t, id(call, 0), id(call, 1), id(call, 2)))?;
    Ok(0)
}
fn do_setfsuid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    ret(traced!(sys, sys_setfsuid(t, id(call, 0))))
}
fn do_setfsgid(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    ret(traced!(sys, sys_setfsgid(t, id(call, 0))))
}

fn sys_setgroups(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    may_setgroups(sys, t)?;
    let gids = match &call.payload {
        Payload::Ids(ids) => ids.to_vec(),
        _ => {
            let n = u64::from(id(call, 0));
            if n > NGROUPS_MAX {
                let why = "more than NGROUPS_MAX (65536) supplementary groups";
                return Err(SysError::new(Errno::EINVAL, "setgroups", why).into());
            }
            let mut bytes = vec![0; n as usize * 4];
            copy_from_user(sys, t, call.args[1], &mut bytes)?;
            bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
    };
    if gids.len() as u64 > NGROUPS_MAX {
        let why = "more than NGROUPS_MAX (65536) supplementary groups";
        return Err(SysError::new(Errno::EINVAL, "setgroups", why).into());
    }
    traced!(sys, set_groups(t, &gids))?;
    Ok(0)
}
fn sys_getgroups(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let size = int(call, 0);
    let groups = get_groups(sys, t);
    if size < 0 {
        return Err(SysError::new(Errno::EINVAL, "getgroups", "the size is negative").into());
    }
    // Size 0 asks for the number alone.
    if size != 0 {
        if groups.len() > size as usize {
            let why = "there are more groups than the list has room for";
            return Err(SysError::new(Errno::EINVAL, "getgroups", why).into());
        }
        let bytes: Vec<u8> = groups.iter().flat_map(|g| g.to_le_bytes()).collect();
        put_through(sys, t, call, 1, &bytes)?;
    }
    let n = groups.len() as i64;
    sys.set_out(t, Out::Ids(groups));
    Ok(n)
}

/// Version of `struct __user_cap_header_struct` with 32-bit sets.
const CAP_VERSION_1: u32 = 0x1998_0330;
/// The first with 64-bit sets.
const CAP_VERSION_2: u32 = 0x2007_1026;
/// The present one, the same as 2.
const CAP_VERSION_3: u32 = 0x2008_0522;

/// Reads the header of capget and capset: words in each set, and the pid. An
/// unknown version is answered with the one this kernel prefers, and EINVAL
/// (`cap_validate_magic`).
fn cap_header(sys: &mut System, t: TaskId, at: u64) -> Result<(usize, i32), SysError> {
    let mut h = [0; 8];
    copy_from_user(sys, t, at, &mut h[..4])?;
    let words = match u32::from_le_bytes([h[0], h[1], h[2], h[3]]) {
        CAP_VERSION_1 => 1,
        CAP_VERSION_2 | CAP_VERSION_3 => 2,
        _ => {
            copy_to_user(sys, t, at, &CAP_VERSION_3.to_le_bytes())?;
            let why = "unknown version in the header; the preferred one was stored there";
            return refuse(Errno::EINVAL, "cap_validate_magic", why);
        }
    };
    copy_from_user(sys, t, at.wrapping_add(4), &mut h[4..])?;
    Ok((words, i32::from_le_bytes([h[4], h[5], h[6], h[7]])))
}

/// capget. A director gives the pid as [`Payload::Ids`].
fn sys_capget(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    if let Payload::Ids(ids) = &call.payload {
        let pid = ids.first().map_or(0, |p| *p as i32);
        let (e, p, i) = capability::capget(sys, t, pid)?;
        sys.set_out(t, Out::Caps(e, p, i));
        return Ok(0);
    }
    let (head, data) = (call.args[0], call.args[1]);
    let header = cap_header(sys, t, head);
    if data == 0 {
        // A probe for the version is no error.
        return match header {
            Err(e) if e.errno == Errno::EINVAL => Ok(0),
            Err(e) => Err(e.into()),
            Ok(_) => Ok(0),
        };
    }
    let (words, pid) = header?;
    let (e, p, i) = capability::capget(sys, t, pid)?;
    let mut bytes = Vec::with_capacity(24);
    for w in 0..words {
        for set in [e, p, i] {
            bytes.extend_from_slice(&((set.0 >> (32 * w)) as u32).to_le_bytes());
        }
    }
    copy_to_user(sys, t, data, &bytes)?;
    sys.set_out(t, Out::Caps(e, p, i));
    Ok(0)
}

/// capset. A director gives the sets as [`Payload::Caps`] and the pid in the
/// first argument.
fn sys_capset(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let (pid, sets) = match &call.payload {
        Payload::Caps(e, p, i) => (int(call, 0), [*e, *p, *i]),
        _ => {
            let (words, pid) = cap_header(sys, t, call.args[0])?;
            capability::check_capset_pid(sys, t, pid)?;
            let mut bytes = [0; 24];
            copy_from_user(sys, t, call.args[1], &mut bytes[..12 * words])?;
            let word = |i: usize| {
                let b = &bytes[i * 4..i * 4 + 4];
                u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            };
            (pid, [0, 1, 2].map(|i| CapSet(word(i) | word(i + 3) << 32)))
        }
    };
    let [e, p, i] = sets;
    traced!(sys, capability::capset(t, pid, e, p, i))?;
    Ok(0)
}

fn sys_prctl(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    Ok(traced!(sys, prctl::prctl(t, call))?)
}

fn read_rlimit(sys: &mut System, t: TaskId, at: u64) -> Result<Rlimit, SysError> {
    let mut b = [0; 16];
    copy_from_user(sys, t, at, &mut b)?;
    let (cur, max) = b.split_at(8);
    let word = |b: &[u8]| b.iter().rev().fold(0, |w, b| w << 8 | u64::from(*b));
    Ok(Rlimit { cur: word(cur), max: word(max) })
}
fn rlimit_bytes(r: Rlimit) -> [u8; 16] {
    let mut b = [0; 16];
    b[..8].copy_from_slice(&r.cur.to_le_bytes());
    b[8..].copy_from_slice(&r.max.to_le_bytes());
    b
}
fn sys_getrlimit(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let old = rlimit::do_prlimit(sys, t, t, id(call, 0), None)?;
    put_through(sys, t, call, 1, &rlimit_bytes(old))?;
    sys.set_out(t, Out::Rlimit(old));
    Ok(0)
}
fn sys_setrlimit(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let new = match &call.payload {
        Payload::Rlimit(r) => *r,
        _ => read_rlimit(sys, t, call.args[1])?,
    };
    traced!(sys, rlimit::do_prlimit(t, t, id(call, 0), Some(new)))?;
    Ok(0)
}
fn sys_prlimit64(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let new = match (&call.payload, call.args[2]) {
        (Payload::Rlimit(r), _) => Some(*r),
        (_, 0) => None,
        (_, at) => Some(read_rlimit(sys, t, at)?),
    };
    let target = match int(call, 0) {
        0 => t,
        pid => match find_task_by_vpid(sys, t, pid) {
            Some(p) => p,
            None => {
                let why = "no thread has this id";
                return Err(SysError::new(Errno::ESRCH, "prlimit64", why).into());
            }
        },
    };
    rlimit::check_prlimit_permission(sys, t, target)?;
    let old = traced!(sys, rlimit::do_prlimit(t, target, id(call, 1), new))?;
    put(sys, t, call.args[3], &rlimit_bytes(old))?;
    sys.set_out(t, Out::Rlimit(old));
    Ok(0)
}

fn sys_getrusage(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let r = verbs::getrusage(sys, t, int(call, 0))?;
    if !call.wants_out(1) {
        super::misc::put_rusage(sys, t, call.args[1], &r)?;
    }
    sys.set_out(t, Out::Rusage(Box::new(r)));
    Ok(0)
}

/// times(2): clock ticks of 10 ms; returns those since power-on.
fn sys_times(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let own = verbs::process_usage(sys, t);
    let children = sys.signal(t).children_usage;
    let ticks = [own.ru_utime, own.ru_stime, children.ru_utime, children.ru_stime]
        .map(|ns| ns / NSEC_PER_CLOCK_TICK);
    let bytes: Vec<u8> = ticks.iter().flat_map(|w| w.to_le_bytes()).collect();
    put(sys, t, call.args[0], &bytes)?;
    Ok((sys.machine.clock.now() / NSEC_PER_CLOCK_TICK) as i64)
}

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(39, "getpid", &[], sys_getpid),
    row(186, "gettid", &[], sys_gettid),
    row(110, "getppid", &[], sys_getppid),
    row(111, "getpgrp", &[], sys_getpgrp),
    row(121, "getpgid", &["pid"], sys_getpgid),
    row(124, "getsid", &["pid"], sys_getsid),
    row(109, "setpgid", &["pid", "pgid"], sys_setpgid),
    row(112, "setsid", &[], sys_setsid),
    row(102, "getuid", &[], sys_getuid),
    row(104, "getgid", &[], sys_getgid),
    row(107, "geteuid", &[], sys_geteuid),
    row(108, "getegid", &[], sys_getegid),
    row(105, "setuid", &["uid"], do_setuid),
    row(106, "setgid", &["gid"], do_setgid),
    row(113, "setreuid", &["ruid", "euid"], do_setreuid),
    row(114, "setregid", &["rgid", "egid"], do_setregid),
    row(117, "setresuid", &["ruid", "euid", "suid"], do_setresuid),
    row(118, "getresuid", &["ruid", "euid", "suid"], sys_getresuid),
    row(119, "setresgid", &["rgid", "egid", "sgid"], do_setresgid),
    row(120, "getresgid", &["rgid", "egid", "sgid"], sys_getresgid),
    row(122, "setfsuid", &["fsuid"], do_setfsuid),
    row(123, "setfsgid", &["fsgid"], do_setfsgid),
    row(115, "getgroups", &["size", "list"], sys_getgroups),
    row(116, "setgroups", &["size", "list"], sys_setgroups),
    row(125, "capget", &["hdrp", "datap"], sys_capget),
    row(126, "capset", &["hdrp", "datap"], sys_capset),
    row(157, "prctl", &["op", "arg2", "arg3", "arg4", "arg5"], sys_prctl).partly(
        "operations: PDEATHSIG, DUMPABLE, KEEPCAPS, NAME, SECUREBITS, CAPBSET, CHILD_SUBREAPER, \
         NO_NEW_PRIVS, TIMERSLACK, CAP_AMBIENT, GET_TID_ADDRESS; others EINVAL",
    ),
    row(97, "getrlimit", &["resource", "rlim"], sys_getrlimit),
    row(160, "setrlimit", &["resource", "rlim"], sys_setrlimit)
        .partly("CPU, RSS, LOCKS, MSGQUEUE and RTTIME are kept but never reached"),
    row(302, "prlimit64", &["pid", "resource", "new_limit", "old_limit"], sys_prlimit64)
        .partly("CPU, RSS, LOCKS, MSGQUEUE and RTTIME are kept but never reached"),
    row(98, "getrusage", &["who", "usage"], sys_getrusage).partly("block I/O counts are 0"),
    row(100, "times", &["buf"], sys_times),
];
