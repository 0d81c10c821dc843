//! signal_struct and sighand_struct, limits, dispositions; nsproxy and pid.
//!
//! Left out: queued siginfos; the sets of pending signals are the task's.

use rhai::{Array, Dynamic};

use super::{Kind, Ns, PidHandle, Sighand, SignalHandle, object};
use crate::abi::numbers::RLIM_INFINITY;
use crate::base::Id;
use crate::kernel::nsproxy::{NsId, Nsproxy};
use crate::kernel::pid::Pid;
use crate::kernel::signal::{Rlimit, SigAction, SighandStruct, SignalStruct};
use crate::kernel::system::{Kernel, System};
use crate::script::bind::registry::{Book, Raised, functions, getters};
use crate::script::bind::{args, kinds};
use crate::script::errors::ScriptError;
use crate::script::value::{Addr, Flags};

/// A soft and a hard limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Limit(pub Rlimit);

/// A limit as a number, or RLIM_INFINITY.
fn limit_number(n: u64) -> Dynamic {
    if n == RLIM_INFINITY {
        return Dynamic::from(Flags { bits: n, kind: &kinds::RLIM });
    }
    (n as i64).into()
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = |n: u64| if n == RLIM_INFINITY { "RLIM_INFINITY".into() } else { n.to_string() };
        write!(f, "cur {}, max {}", of(self.0.cur), of(self.0.max))
    }
}

/// A disposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Action(pub SigAction);

impl Action {
    fn handler(self) -> Dynamic {
        match self.0.handler {
            0 | 1 => Dynamic::from(Flags { bits: self.0.handler, kind: &kinds::HANDLER }),
            at => Dynamic::from(Addr(at)),
        }
    }

    fn flags(self) -> Flags {
        Flags { bits: self.0.flags.bits(), kind: &kinds::SA }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.handler {
            0 => f.write_str("SIG_DFL")?,
            1 => f.write_str("SIG_IGN")?,
            at => write!(f, "handler {at:#x}")?,
        }
        if !self.0.flags.is_empty() {
            write!(f, " {}", self.flags())?;
        }
        if !self.0.mask.is_empty() {
            write!(f, ", blocking {}", self.0.mask)?;
        }
        Ok(())
    }
}

impl Kind for SignalStruct {
    const NAME: &'static str = "signal_struct";

    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self> {
        kernel.signals.get(id)
    }

    fn line(&self, _: &System) -> String {
        format!("{} threads, {} live, sigcnt {}", self.nr_threads, self.live, self.sigcnt)
    }
}

impl Kind for SighandStruct {
    const NAME: &'static str = "sighand_struct";

    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self> {
        kernel.sighands.get(id)
    }

    fn line(&self, _: &System) -> String {
        let caught = self.actions().iter().filter(|a| a.handler > 1).count();
        let ignored = self.actions().iter().filter(|a| a.handler == 1).count();
        format!("count {}, {caught} caught, {ignored} ignored", self.count)
    }
}

impl Kind for Nsproxy {
    const NAME: &'static str = "nsproxy";

    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self> {
        kernel.nsproxies.get(id)
    }

    fn line(&self, _: &System) -> String {
        format!("count {}", self.count)
    }
}

impl Kind for Pid {
    const NAME: &'static str = "pid";

    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self> {
        kernel.pids.get(id)
    }

    fn line(&self, _: &System) -> String {
        let numbers: Vec<String> = self.numbers.iter().map(|n| n.nr.to_string()).collect();
        format!("number {}, count {}", numbers.join(" in the parent namespace, "), self.count)
    }
}

/// The inode number that names a namespace.
fn ns(n: &Ns, id: impl FnOnce(&Nsproxy) -> NsId) -> Raised<i64> {
    n.field(|sys, n| sys.kernel.namespaces.get(id(n)).map_or(0, |ns| i64::from(ns.inum)))
}

/// Registers the types.
/// Registers what programs get too.
pub(in super::super) fn register_limit(book: &mut Book) {
    book.prints::<Limit>("Limit");
    getters! { book, Limit;
        /// The limit in force.
        "cur: int" => |l: &mut Limit| limit_number(l.0.cur);
        /// The ceiling for cur.
        "max: int" => |l: &mut Limit| limit_number(l.0.max);
    }
}

pub(super) fn register(book: &mut Book) {
    object!(book, SignalHandle);
    book.engine.register_type_with_name::<SignalHandle>("SignalStruct");
    getters! { book, SignalStruct;
        /// Threads that have not begun to exit.
        "live: int" => |s: &mut SignalHandle| s.int(|s| s.live.into());
        /// Threads of the group, dead ones that are not released too.
        "nr_threads: int" => |s: &mut SignalHandle| s.int(|s| s.nr_threads.into());
        /// References.
        "sigcnt: int" => |s: &mut SignalHandle| s.int(|s| s.sigcnt.into());
        /// SIGNAL_* flags.
        "flags: Flags" => |s: &mut SignalHandle| s.field(|_, s| {
            Flags { bits: s.flags.bits().into(), kind: &kinds::SIGNAL_STRUCT }
        });
        /// Wait status of a group exit, or the signal of a group stop.
        "group_exit_code: int" => |s: &mut SignalHandle| s.int(|s| s.group_exit_code.into());
        /// Threads that must still stop for a group stop.
        "group_stop_count: int" => |s: &mut SignalHandle| s.int(|s| s.group_stop_count.into());
        /// Signals pending for the group.
        "shared_pending: SigSet" => |s: &mut SignalHandle| s.field(|_, s| s.shared_pending.signal);
        /// Whether orphans below it become its children (PR_SET_CHILD_SUBREAPER).
        "is_child_subreaper: bool" => |s: &mut SignalHandle| s.field(|_, s| s.is_child_subreaper);
        /// Whether some ancestor is a subreaper.
        "has_child_subreaper: bool" => |s: &mut SignalHandle| s.field(|_, s| s.has_child_subreaper);
        /// Whether it leads its session.
        "leader: bool" => |s: &mut SignalHandle| s.field(|_, s| s.leader);
        /// The controlling terminal, or ().
        "tty: Tty" => |s: &mut SignalHandle| {
            let tty = s.field(|_, s| s.tty)?;
            Ok::<_, Box<rhai::EvalAltResult>>(tty.map_or(Dynamic::UNIT, |id| Dynamic::from(s.beside(id))))
        };
        /// Of a leader whose terminal hung up: the group that was in front, or ().
        "tty_old_pgrp: int" => |s: &mut SignalHandle| {
            s.field(|sys, s| super::tty::id(sys, s.tty_old_pgrp))
        };
        /// OOM score adjustment.
        "oom_score_adj: int" => |s: &mut SignalHandle| s.int(|s| s.oom_score_adj.into());
    }
    functions! { book;
        /// A limit of the group: `t.signal.rlim(RLIMIT_NOFILE).cur`.
        "rlim(s: SignalStruct, resource: int) -> Limit" =>
            |s: &mut SignalHandle, resource: Dynamic| -> Raised<Limit> {
                let which = args::word("rlim: resource", &resource)?;
                let found = s.field(|_, s| {
                    usize::try_from(which).ok().and_then(|i| s.rlim.get(i).copied())
                })?;
                found.map(Limit).ok_or_else(|| {
                    ScriptError::usage(format!("there is no resource {}", which as i64)).into()
                })
            };
    }
    object!(book, Sighand);
    getters! { book, Sighand;
        /// Tasks that share it.
        "count: int" => |s: &mut Sighand| s.int(|s| s.count.into());
    }
    functions! { book;
        /// The disposition of a signal.
        "action(s: Sighand, sig: Signal) -> Action" =>
            |s: &mut Sighand, sig: Dynamic| -> Raised<Action> {
                let sig = args::signal("action", &sig)?;
                s.field(|_, s| Action(*s.get(sig)))
            };
    }
    book.prints::<Action>("Action");
    getters! { book, Action;
        /// SIG_DFL, SIG_IGN or the handler's address.
        "handler: Addr" => |a: &mut Action| a.handler();
        /// SA_* flags.
        "flags: Flags" => |a: &mut Action| a.flags();
        /// Signals blocked while the handler runs.
        "mask: SigSet" => |a: &mut Action| a.0.mask;
        /// Where the handler returns to.
        "restorer: Addr" => |a: &mut Action| Addr(a.0.restorer);
    }
    object!(book, Ns);
    book.engine.register_type_with_name::<Ns>("Nsproxy");
    getters! { book, Nsproxy;
        /// Tasks that share it.
        "count: int" => |n: &mut Ns| n.int(|n| n.count.into());
        /// UTS namespace, by its inode number.
        "uts_ns: int" => |n: &mut Ns| ns(n, |n| n.uts_ns);
        /// IPC namespace.
        "ipc_ns: int" => |n: &mut Ns| ns(n, |n| n.ipc_ns);
        /// Mount namespace.
        "mnt_ns: int" => |n: &mut Ns| ns(n, |n| n.mnt_ns);
        /// Network namespace.
        "net_ns: int" => |n: &mut Ns| ns(n, |n| n.net_ns);
        /// Cgroup namespace.
        "cgroup_ns: int" => |n: &mut Ns| ns(n, |n| n.cgroup_ns);
        /// Time namespace.
        "time_ns: int" => |n: &mut Ns| ns(n, |n| n.time_ns);
        /// Pid namespace of children; the task's own is that of its pid.
        "pid_ns_for_children: int" => |n: &mut Ns| n.field(|sys, n| {
            sys.kernel.pid_namespaces.get(n.pid_ns_for_children).map_or(0, |p| i64::from(p.inum))
        });
    }
    object!(book, PidHandle);
    book.engine.register_type_with_name::<PidHandle>("Pid");
    getters! { book, Pid;
        /// References: one while any task uses it, one a pidfd.
        "count: int" => |p: &mut PidHandle| p.int(|p| p.count.into());
        /// Its numbers, outermost namespace first.
        "numbers: array" => |p: &mut PidHandle| p.field(|_, p| -> Array {
            p.numbers.iter().map(|n| i64::from(n.nr).into()).collect()
        });
        /// Nesting depth of its namespace; 0 is the initial one.
        "level: int" => |p: &mut PidHandle| p.int(|p| p.numbers.len() as i64 - 1);
    }
}
