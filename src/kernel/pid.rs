//! `struct pid`: a process id as an object that outlives its task, one number
//! for each pid namespace it is seen from.
//!
//! Linux: include/linux/pid.h, kernel/pid.c (alloc_pid, attach_pid,
//! detach_pid, free_pid).
//! Left out: pidfs.

use crate::base::{Id, PVec};
use crate::kernel::nsproxy::UserNsId;
use crate::kernel::task::{ListHead, TaskId};
use crate::kernel::wait_queue::WaitQueueHead;
use smallvec::SmallVec;

/// Names a `struct pid`.
pub type PidId = Id<Pid>;
/// Names a pid namespace.
pub type PidNsId = Id<PidNamespace>;

/// In which role tasks use a pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PidType {
    /// Thread id.
    Pid = 0,
    /// Thread group id.
    Tgid = 1,
    /// Process group id.
    Pgid = 2,
    /// Session id.
    Sid = 3,
}

impl PidType {
    /// All roles.
    pub const ALL: [PidType; 4] = [PidType::Pid, PidType::Tgid, PidType::Pgid, PidType::Sid];
}

/// A number in one namespace (`struct upid`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upid {
    /// The number.
    pub nr: i32,
    /// The namespace.
    pub ns: PidNsId,
}

/// `struct pid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pid {
    /// References: one while any task uses it in any role, one a pidfd.
    pub count: u32,
    /// Numbers, outermost namespace first; the last is the task's own.
    pub numbers: SmallVec<[Upid; 1]>,
    /// Tasks that use it, by role.
    pub tasks: [ListHead; 4],
    /// Whether it is in the namespaces' tables.
    pub hashed: bool,
    /// Those who poll a pidfd or wait on one.
    pub wait_pidfd: WaitQueueHead,
}

/// The ids below this are reserved once allocation has wrapped.
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
    pub idr: PVec<Option<PidId>, 128>,
    /// Occupied entries of each chunk of the IDR: lets the search skip full ones.
    pub chunk_used: Vec<u16>,
    /// Where the cyclic search begins.
    pub idr_next: i32,
    /// `pid_allocated`: numbers in use; `None` after its init died
    /// (PIDNS_ADDING cleared).
    pub pid_allocated: u32,
    /// Whether new pids may still be made in it.
    pub adding: bool,
    /// This namespace's pid_max (a setting of each namespace since 6.14).
    pub pid_max: i32,
    /// Its inode number in /proc/PID/ns.
    pub inum: u32,
}
