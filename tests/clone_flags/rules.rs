//! The checks of Linux 6.18 in their order, as a table that answers.

use super::request::{Door, NSIG, Request, flag};
use super::{Answer, Model};

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller {
    /// User 0 with CAP_SYS_ADMIN.
    Root,
    /// An ordinary user without capabilities.
    Nobody,
}

/// One check of the kernel.
pub struct Rule {
    /// Where it is, and what it refuses.
    pub name: &'static str,
    pub errno: &'static str,
    pub refuses: fn(&Request, Caller) -> bool,
}

/// Namespaces for which `copy_namespaces` wants CAP_SYS_ADMIN.
pub const NAMESPACES: u64 =
    flag::NEWNS | flag::NEWCGROUP | flag::NEWUTS | flag::NEWIPC | flag::NEWPID | flag::NEWNET;

/// The checks of Linux 6.18, first refusal wins. Only checks that flags alone
/// can trip: see the README for those that need a bad pointer, a limit or a
/// special caller.
pub static RULES: [Rule; 15] = [
    Rule {
        name: "copy_clone_args_from_user: exit_signal is 0 or a signal",
        errno: "EINVAL",
        refuses: |r, _| r.door == Door::Clone3 && r.exit_signal > NSIG,
    },
    Rule {
        name: "clone3_args_valid: flags above INTO_CGROUP mean nothing",
        errno: "EINVAL",
        refuses: |r, _| r.door == Door::Clone3 && r.flags & !flag::KNOWN != 0,
    },
    Rule {
        name: "clone3_args_valid: DETACHED and the old signal byte are free, but for NEWTIME",
        errno: "EINVAL",
        refuses: |r, _| {
            r.door == Door::Clone3 && r.any(flag::DETACHED | flag::CSIGNAL & !flag::NEWTIME)
        },
    },
    Rule {
        name: "clone3_args_valid: shared handlers cannot be cleared",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::SIGHAND | flag::CLEAR_SIGHAND),
    },
    Rule {
        name: "clone3_args_valid: THREAD and PARENT have no exit signal of their own",
        errno: "EINVAL",
        refuses: |r, _| {
            r.door == Door::Clone3 && r.any(flag::THREAD | flag::PARENT) && r.exit_signal != 0
        },
    },
    Rule {
        name: "kernel_clone: pidfd and parent_tid must not be one pointer (always so in clone)",
        errno: "EINVAL",
        refuses: |r, _| r.door == Door::Legacy && r.all(flag::PIDFD | flag::PARENT_SETTID),
    },
    Rule {
        name: "copy_process: NEWNS with a shared root and working directory",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::NEWNS | flag::FS),
    },
    Rule {
        name: "copy_process: NEWUSER with a shared root and working directory",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::NEWUSER | flag::FS),
    },
    Rule {
        name: "copy_process: THREAD without SIGHAND",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::THREAD) && !r.all(flag::SIGHAND),
    },
    Rule {
        name: "copy_process: SIGHAND without VM",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::SIGHAND) && !r.all(flag::VM),
    },
    Rule {
        name: "copy_process: a thread stays in its process's user and pid namespace",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::THREAD) && r.any(flag::NEWUSER | flag::NEWPID),
    },
    Rule {
        name: "copy_process: PIDFD with DETACHED",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::PIDFD | flag::DETACHED),
    },
    Rule {
        name: "copy_namespaces: CAP_SYS_ADMIN in the child's user namespace, which NEWUSER grants",
        errno: "EPERM",
        refuses: |r, who| {
            let time = r.door == Door::Clone3 && r.any(flag::NEWTIME);
            who == Caller::Nobody && !r.all(flag::NEWUSER) && (r.any(NAMESPACES) || time)
        },
    },
    Rule {
        name: "copy_namespaces: NEWIPC while sharing semaphore undo lists",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::NEWIPC | flag::SYSVSEM),
    },
    Rule {
        name: "cgroup_css_set_fork: the cgroup descriptor is not open",
        errno: "EBADF",
        refuses: |r, _| r.all(flag::INTO_CGROUP),
    },
];

/// [`RULES`] as a model.
pub struct Rules(pub Caller);

impl Rules {
    /// The check that refuses `request`, if one does.
    pub fn refusal(&self, request: &Request) -> Option<&'static Rule> {
        RULES.iter().find(|rule| (rule.refuses)(request, self.0))
    }
}

impl Model for Rules {
    fn try_clone(&mut self, legacy: bool, flags: u64, exit_signal: u64) -> Answer {
        let request =
            if legacy { Request::legacy(flags) } else { Request::clone3(flags, exit_signal) };
        self.refusal(&request).map_or(Ok(()), |rule| Err(rule.errno.to_string()))
    }
}
