//! Pid namespaces: the numbers of one, and its end. When its init dies, all in
//! it die.
//!
//! Linux: include/linux/pid_namespace.h, kernel/pid.c (the IDR that alloc_pid
//! searches), kernel/pid_namespace.c (zap_pid_ns_processes).
//! Left out: reboot(2) inside a namespace.

use crate::abi::structs::SigInfo;
use crate::abi::{Errno, Signal};
use crate::base::{Id, PVec};
use crate::kernel::error::SysError;
use crate::kernel::nsproxy::UserNsId;
use crate::kernel::pid::{PidId, PidType};
use crate::kernel::sched::core as sched;
use crate::kernel::signal::kill::{KillInfo, do_send_sig_info};
use crate::kernel::signal::{SIG_IGN, same_thread_group};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList, TaskState};
use crate::kernel::{exit, list};

/// Names a pid namespace.
pub type PidNsId = Id<PidNamespace>;

/// Ids below this are not given out again once allocation has passed it.
pub const RESERVED_PIDS: i32 = 300;

/// Default upper bound (exclusive) of pids.
pub const PID_MAX_DEFAULT: i32 = 0x8000;

/// The largest pid_max on 64-bit machines.
pub const PID_MAX_LIMIT: i32 = 4 * 1024 * 1024;

/// Deepest nesting of pid namespaces.
pub const MAX_PID_NS_LEVEL: u32 = 32;

/// `struct pid_namespace`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PidNamespace {
    /// References: nsproxies, child namespaces, and pids numbered in it.
    pub count: u32,
    /// Nesting depth, 0 for the initial one.
    pub level: u32,
    /// The enclosing namespace.
    pub parent: Option<PidNsId>,
    /// Owner.
    pub user_ns: UserNsId,
    /// Its init.
    pub child_reaper: Option<TaskId>,
    /// pid numbers to their objects (Linux's IDR).
    pub idr: PVec<Option<PidId>, IDR_CHUNK>,
    /// Occupied entries of each chunk of the IDR: lets the search skip full ones.
    pub chunk_used: Vec<u16>,
    /// Where the cyclic search begins.
    pub idr_next: i32,
    /// Numbers in use.
    pub pid_allocated: u32,
    /// PIDNS_ADDING: cleared when its init dies, then no pid is made any more.
    pub adding: bool,
    /// This namespace's pid_max (a setting of each namespace since 6.14).
    pub pid_max: i32,
    /// Its inode number in /proc/PID/ns.
    pub inum: u32,
}

/// Entries of the IDR that share a counter.
pub const IDR_CHUNK: usize = 128;

impl PidNamespace {
    /// An empty namespace with one reference.
    pub fn new(
        level: u32,
        parent: Option<PidNsId>,
        user_ns: UserNsId,
        pid_max: i32,
        inum: u32,
    ) -> Self {
        PidNamespace {
            count: 1,
            level,
            parent,
            user_ns,
            child_reaper: None,
            idr: PVec::new(),
            chunk_used: Vec::new(),
            idr_next: 0,
            pid_allocated: 0,
            adding: true,
            pid_max,
            inum,
        }
    }

    /// The pid with number `nr`, if any (`find_pid_ns`).
    pub fn find(&self, nr: i32) -> Option<PidId> {
        self.idr.get(usize::try_from(nr).ok()?).copied().flatten()
    }

    /// The lowest free number in `[from, to)`; full chunks are skipped.
    fn first_free(&self, from: i32, to: i32) -> Option<i32> {
        let mut nr = from.max(0) as usize;
        while nr < to as usize {
            let chunk = nr / IDR_CHUNK;
            if self.chunk_used.get(chunk).is_some_and(|n| usize::from(*n) == IDR_CHUNK) {
                nr = (chunk + 1) * IDR_CHUNK;
            } else if self.idr.get(nr).copied().flatten().is_none() {
                return Some(nr as i32);
            } else {
                nr += 1;
            }
        }
        None
    }

    /// Picks a number: `want`, or the next one cyclically. Below
    /// [`RESERVED_PIDS`] nothing is given out once allocation has passed it.
    pub(super) fn pick(&mut self, want: Option<i32>) -> Result<i32, SysError> {
        if let Some(nr) = want {
            return match self.find(nr) {
                None => Ok(nr),
                Some(_) => Err(SysError::with(
                    Errno::EEXIST,
                    "alloc_pid",
                    format!("set_tid: pid {nr} is in use"),
                )),
            };
        }
        let min = if self.idr_next > RESERVED_PIDS { RESERVED_PIDS } else { 1 };
        let from = self.idr_next.max(min);
        let nr = self
            .first_free(from, self.pid_max)
            .or_else(|| self.first_free(min, from.min(self.pid_max)))
            .ok_or_else(|| {
                SysError::with(
                    Errno::EAGAIN,
                    "alloc_pid",
                    format!("every pid below pid_max ({}) is in use", self.pid_max),
                )
            })?;
        self.idr_next = nr + 1;
        Ok(nr)
    }

    pub(super) fn set(&mut self, nr: i32, pid: Option<PidId>) {
        let i = nr as usize;
        self.idr.grow_to(i + 1);
        if self.chunk_used.len() <= i / IDR_CHUNK {
            self.chunk_used.resize(i / IDR_CHUNK + 1, 0);
        }
        if let Some(slot) = self.idr.get_mut(i) {
            *slot = pid;
        }
        if pid.is_some() {
            self.chunk_used[i / IDR_CHUNK] += 1;
            self.pid_allocated += 1;
        } else {
            self.chunk_used[i / IDR_CHUNK] -= 1;
            self.pid_allocated -= 1;
        }
    }
}

/// Kills every process of `ns` but its init, and sees to it that they are
/// reaped. No pid is made in `ns` any more.
///
/// Linux's init sleeps here until the last of them is gone. Here the others
/// are run to their deaths at once; each child is reaped as it dies because
/// init ignores SIGCHLD from here on, as in Linux.
pub fn zap_pid_ns_processes(sys: &mut System, init: TaskId, ns: PidNsId) {
    sys.kernel.pid_namespaces[ns].adding = false;
    if let Some(sighand) = sys.task(init).sighand {
        sys.kernel.sighands[sighand].get_mut(Signal::SIGCHLD).handler = SIG_IGN;
    }
    let members: Vec<_> = sys.kernel.pid_namespaces[ns].idr.iter().flatten().copied().collect();
    for pid in members {
        let Some(p) = sys.kernel.pids.get(pid).and_then(|p| p.tasks[PidType::Pid as usize].first)
        else {
            continue;
        };
        if !same_thread_group(sys, p, init) {
            let mut info = KillInfo::Given(SigInfo::kernel(Signal::SIGKILL));
            // It may be dead already.
            let _ = do_send_sig_info(sys, init, Signal::SIGKILL, &mut info, p, PidType::Tgid);
            crate::kernel::entry::run_to_death(sys, p);
        }
    }
    // They ran; now init goes on with its own exit.
    let cpu = sys.task(init).cpu;
    sched::context_switch(sys, cpu, init);
    // Zombies that were there before nobody will wait for.
    let zombies: Vec<_> = list::iter(&sys.kernel.tasks, sys.task(init).children, TaskList::Sibling)
        .filter(|c| sys.task(*c).exit_state == TaskState::EXIT_ZOMBIE)
        .collect();
    for z in zombies {
        sys.task_mut(z).exit_state = TaskState::EXIT_DEAD;
        exit::release_task(sys, z);
    }
}
