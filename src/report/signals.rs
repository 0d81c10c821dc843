//! `signals`: what is pending, what is blocked, and every disposition that is
//! not the default.
//!
//! Linux: fs/proc/array.c (task_sig), kernel/signal.c.
//! Left out: timers.

use super::{NoView, live, text};
use crate::abi::{SigSet, Signal};
use crate::kernel::signal::{SIG_DFL, SIG_IGN, SigPending};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use serde::Serialize;
use std::fmt;

/// One disposition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActionRow {
    /// The signal.
    pub signal: String,
    /// `SIG_IGN`, or the handler's address.
    pub handler: String,
    /// `SA_*`.
    pub flags: String,
    /// Signals blocked while the handler runs.
    pub mask: Vec<String>,
}

/// A task's signal state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signals {
    /// Whose.
    pub pid: i32,
    /// Its name.
    pub comm: String,
    /// Pending for this thread, with the sender of queued ones.
    pub pending: Vec<String>,
    /// Pending for the thread group.
    pub shared_pending: Vec<String>,
    /// Blocked.
    pub blocked: Vec<String>,
    /// Dispositions other than the default.
    pub actions: Vec<ActionRow>,
    /// Tasks that share the dispositions.
    pub sighand_count: u32,
    /// The alternate stack: address and size.
    pub altstack: Option<(u64, u64)>,
    /// TIF_SIGPENDING.
    pub sigpending: bool,
}

/// The signal state of a task.
///
/// # Errors
/// The task is gone.
pub fn signals(sys: &System, task: TaskId) -> Result<Signals, NoView> {
    let t = live(sys, task)?;
    let sighand = t.sighand.and_then(|id| sys.kernel.sighands.get(id));
    let shared = t.signal.and_then(|id| sys.kernel.signals.get(id)).map(|s| &s.shared_pending);
    let all = (1..=64).filter_map(Signal::new);
    let actions = sighand.map_or(Vec::new(), |h| {
        all.filter(|s| h.get(*s).handler != SIG_DFL)
            .map(|s| {
                let a = h.get(s);
                ActionRow {
                    signal: s.name(),
                    handler: match a.handler {
                        SIG_IGN => "SIG_IGN".to_string(),
                        addr => format!("{addr:#x}"),
                    },
                    flags: a.flags.iter_names().map(|(n, _)| n).collect::<Vec<_>>().join("|"),
                    mask: names(a.mask),
                }
            })
            .collect()
    });
    Ok(Signals {
        pid: t.pid,
        comm: text::escape(&t.comm()),
        pending: pending(&t.pending),
        shared_pending: shared.map_or(Vec::new(), pending),
        blocked: names(t.blocked),
        actions,
        sighand_count: sighand.map_or(0, |h| h.count),
        altstack: (t.sas_ss_size > 0).then_some((t.sas_ss_sp, t.sas_ss_size)),
        sigpending: t.sigpending,
    })
}

fn names(set: SigSet) -> Vec<String> {
    set.iter().map(Signal::name).collect()
}

/// Each pending signal once; queued instances with who sent them.
fn pending(p: &SigPending) -> Vec<String> {
    let one = |s: Signal| {
        let queued: Vec<_> = p.list.iter().filter(|q| q.info.si_signo == s).collect();
        match queued.as_slice() {
            [] => s.name(),
            [q] => format!("{} from {}", s.name(), q.info.si_pid),
            many => format!("{} x{}", s.name(), many.len()),
        }
    };
    p.signal.iter().map(one).collect()
}

impl fmt::Display for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |v: &[String]| if v.is_empty() { "none".to_string() } else { v.join(", ") };
        let mut lines = vec![
            format!("signals of {}({})", self.comm, self.pid),
            format!("  {:16} {}", "pending", list(&self.pending)),
            format!("  {:16} {}", "shared pending", list(&self.shared_pending)),
            format!("  {:16} {}", "blocked", list(&self.blocked)),
        ];
        if self.sigpending {
            lines.push("  TIF_SIGPENDING is set: looked at on the way to user mode".to_string());
        }
        if let Some((sp, size)) = self.altstack {
            lines.push(format!("  {:16} {sp:#x}, {size} bytes", "alternate stack"));
        }
        match self.actions.is_empty() {
            true => lines.push(format!("  {:16} all default", "dispositions")),
            false => {
                let users = text::plural(u64::from(self.sighand_count), "task");
                lines.push(format!("  {:16} shared by {users}", "dispositions"));
            }
        }
        for a in &self.actions {
            let mask = match a.mask.is_empty() {
                true => String::new(),
                false => format!(" mask {}", a.mask.join(", ")),
            };
            let line = format!("    {:14} {} {}{mask}", a.signal, a.handler, a.flags);
            lines.push(line.trim_end().to_string());
        }
        text::write_lines(f, lines)
    }
}
