//! Resource limits: getrlimit(2), setrlimit(2), prlimit(2). Those that init
//! begins with are in `init_task.rs`.
//!
//! Linux: kernel/sys.c (do_prlimit, check_prlimit_permission).
//! Left out: enforcement of CPU, RSS, LOCKS, MSGQUEUE, RTTIME: these are kept and
//! inherited, nothing here reaches them.

use crate::abi::numbers::*;
use crate::abi::{Cap, Errno};
use crate::kernel::capability::{capable, ns_capable};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::signal::Rlimit;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// fs.nr_open: ceiling for RLIMIT_NOFILE.
const SYSCTL_NR_OPEN: u64 = 1024 * 1024;

/// Sets a limit of a process if `new` is given; returns the old one
/// (`do_prlimit`). Errors: EINVAL for an unknown resource or a soft limit
/// above the hard one; EPERM for raising a hard limit without
/// CAP_SYS_RESOURCE.
pub fn do_prlimit(
    sys: &mut System,
    current: TaskId,
    target: TaskId,
    resource: u32,
    new: Option<Rlimit>,
) -> Result<Rlimit, SysError> {
    const F: &str = "do_prlimit";
    let i = resource as usize;
    let Some(old) =
        sys.task(target).signal.and_then(|s| sys.kernel.signals[s].rlim.get(i).copied())
    else {
        return refuse(Errno::EINVAL, F, "there is no resource with this number (0 to 15)");
    };
    let Some(new) = new else { return Ok(old) };
    if new.cur > new.max {
        return refuse(Errno::EINVAL, F, "the soft limit is above the hard limit");
    }
    if resource == RLIMIT_NOFILE && new.max > SYSCTL_NR_OPEN {
        return refuse(Errno::EPERM, F, "RLIMIT_NOFILE cannot exceed fs.nr_open (1048576)");
    }
    if new.max > old.max && !capable(sys, current, Cap::CAP_SYS_RESOURCE) {
        return refuse(Errno::EPERM, F, "raising a hard limit needs CAP_SYS_RESOURCE");
    }
    if let Some(limit) = sys.signal_mut(target).rlim.get_mut(i) {
        *limit = new;
    }
    Ok(old)
}

/// Whether `current` may look at or change the limits of `target`: all three
/// of its uids and of its gids must be the caller's real ones
/// (`check_prlimit_permission`).
pub fn check_prlimit_permission(
    sys: &mut System,
    current: TaskId,
    target: TaskId,
) -> Result<(), SysError> {
    if current == target {
        return Ok(());
    }
    let (c, t) = (sys.cred(current), &sys.kernel.creds[sys.task(target).real_cred]);
    let match_ = [t.euid, t.suid, t.uid].iter().all(|u| *u == c.uid)
        && [t.egid, t.sgid, t.gid].iter().all(|g| *g == c.gid);
    let ns = t.user_ns;
    if match_ || ns_capable(sys, current, ns, Cap::CAP_SYS_RESOURCE) {
        return Ok(());
    }
    let why = "the target's real, effective and saved ids are not all the caller's real ids, and \
               the caller has no CAP_SYS_RESOURCE in its user namespace";
    refuse(Errno::EPERM, "check_prlimit_permission", why)
}

#[cfg(test)]
mod tests {
    use crate::abi::Errno::*;
    use crate::abi::numbers::*;
    use crate::kernel::signal::Rlimit;
    use crate::kernel::syscalls::{Out, Payload};
    use crate::kernel::testing::{World, world};

    #[test]
    fn limits() {
        let mut w = world();
        let t = w.fork(w.init);
        let set = |w: &mut World, r: u32, cur, max| {
            let p = Payload::Rlimit(Rlimit { cur, max });
            w.try_with(t, "setrlimit", &[u64::from(r), 0], p).map(|_| ())
        };
        assert_eq!(set(&mut w, RLIMIT_NOFILE, 2_000_000, 2_000_000), Err(EPERM));
        assert_eq!(set(&mut w, RLIMIT_NOFILE, 5, 4), Err(EINVAL));
        assert_eq!(set(&mut w, 16, 5, 4), Err(EINVAL));
        assert_eq!(w.refused(t, "prlimit64", &[9999, 99, 0, 0]), ESRCH);
        w.call(t, "setuid", &[1000]);
        assert_eq!(set(&mut w, RLIMIT_STACK, 5, 10), Ok(()));
        assert_eq!(set(&mut w, RLIMIT_STACK, 5, 11), Err(EPERM));
        let init = w.pid(w.init);
        assert_eq!(w.refused(t, "prlimit64", &[init, 7, 0, 0]), EPERM);
        let own = w.pid(t);
        let got = w.try_with(w.init, "prlimit64", &[own, 3, 0, 0], Payload::None).unwrap().1;
        assert_eq!(got, Out::Rlimit(Rlimit { cur: 5, max: 10 }));
    }
}
