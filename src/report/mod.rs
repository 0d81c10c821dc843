//! Views: pictures and tables of a system, from plain data.
//!
//! Each view is a struct of plain public fields, made by the function of the
//! same name from `&System`; its `Display` is the text a learner sees. Making
//! or printing a view changes nothing and the same system prints the same
//! bytes.
//!
//! ```text
//! tasks    ps, tree, status, cred, signals, shares, sharing_map
//! memory   maps, walk, pte, page, frames
//! machine  cpu, tlb, regs, stack, rq
//! files    fds
//! time     trace (what happened), timeline (who ran), diff (what changed)
//! programs strace (their system calls)
//! ```
//!
//! Linux: fs/proc (status, maps), ps(1), pstree(1), ftrace's function graph.
//! Left out: colours, and everything that needs a terminal's width; lines stay
//! within 100 columns unless a name is longer.

pub mod access;
pub mod cpu;
pub mod cred;
pub mod diff;
pub mod disasm;
pub mod fds;
pub mod frames;
pub mod maps;
pub mod page;
pub mod ps;
pub mod regs;
pub mod rq;
pub mod shares;
pub mod sharing_map;
pub mod signals;
pub mod stack;
pub mod status;
pub mod strace;
pub mod symbols;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;
pub mod timeline;
pub mod trace;
pub mod tree;
pub mod walk;

pub use cpu::{CpuView, TlbView, cpu, tlb};
pub use cred::{CredView, cred};
pub use diff::{Change, Diff, diff};
pub use fds::{FdRow, Fds, fds};
pub use frames::{Frames, frames};
pub use maps::{Maps, maps, mm_maps};
pub use page::{Mapper, PageView, PteView, page, pte};
pub use ps::{Ps, PsRow, ps, ps_threads};
pub use regs::{RegsView, regs};
pub use rq::{RqRow, RqView, rq};
pub use shares::{Kind, Relation, ShareRow, Shares, shares};
pub use sharing_map::{SharingMap, sharing_map};
pub use signals::{Signals, signals};
pub use stack::{StackView, stack};
pub use status::{Status, status};
pub use strace::{TraceOptions, Tracer};
pub use timeline::{Stretch, Timeline, TimelineRow, timeline, timeline_between};
pub use trace::{Trace, TraceLine, trace};
pub use tree::{Tree, TreeNode, tree};
pub use walk::{WalkLine, WalkView, walk};

use crate::kernel::mm::MmId;
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskStruct};

/// Why there is nothing to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoView {
    /// The task_struct is freed.
    #[error("the task no longer exists: it was reaped")]
    Gone,
    /// The task has no address space.
    #[error("task {pid} has no address space: {why}")]
    NoMm {
        /// Its pid.
        pid: i32,
        /// Why not.
        why: &'static str,
    },
    /// The task has lost what the view shows.
    #[error("task {pid} has no {what}: {why}")]
    Nothing {
        /// Its pid.
        pid: i32,
        /// What is missing.
        what: &'static str,
        /// Why.
        why: &'static str,
    },
    /// There is no such processor.
    #[error("there is no CPU {cpu}: the machine has {cpus} (from 0)")]
    NoCpu {
        /// The number asked for.
        cpu: u32,
        /// How many there are.
        cpus: u32,
    },
}

/// The task, if it still exists.
fn live(sys: &System, task: TaskId) -> Result<&TaskStruct, NoView> {
    sys.kernel.tasks.get(task).ok_or(NoView::Gone)
}

/// The task's address space, if it has one.
fn live_mm(sys: &System, task: TaskId) -> Result<MmId, NoView> {
    let t = live(sys, task)?;
    match t.mm {
        Some(mm) if sys.kernel.mms.contains(mm) => Ok(mm),
        _ => {
            let why = if t.flags.contains(PF::KTHREAD) {
                "it is a kernel thread"
            } else if t.is_dead() || t.flags.contains(PF::EXITING) {
                "it has exited, and exit_mm gave it up"
            } else {
                "it never had one"
            };
            Err(NoView::NoMm { pid: t.pid, why })
        }
    }
}
