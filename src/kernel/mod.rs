//! Linux's process core: tasks and everything they hold.
//!
//! Find a thing by the name Linux gives it: fork in `fork.rs`, wait in
//! `wait.rs`, the page fault in `mm/fault.rs`. Verbs are functions that take
//! the whole [`System`] and ids; objects live in arenas and carry Linux's own
//! reference counts.
//!
//! ```text
//! script or program
//!   | registers, SYSCALL
//! entry ---------> syscalls/* (decode) ---> fork, exit, wait, cred, signal, ...
//!   ^                                          |
//!   +--- Block(wait): sleep, run again         +---> mm/* ---> machine
//! ```
//!
//! Linux: kernel/, mm/, arch/x86/kernel/process_64.c.
//! Left out: drivers, block and network layers, time of day.

pub mod boot;
pub mod capability;
pub mod cgroup;
pub mod check;
pub mod clone_check;
pub mod cred;
pub mod entry;
pub mod error;
pub mod exec_domain;
pub mod exit;
pub mod fork;
pub mod fs;
pub mod futex;
mod init_task;
pub mod inject;
pub mod itimer;
pub mod kcmp;
pub mod kthread;
pub mod list;
pub mod membarrier;
pub mod mm;
pub mod nanosleep;
pub mod nsproxy;
pub mod pid;
pub mod pid_namespace;
pub mod posix_cpu_timers;
pub mod posix_timers;
pub mod prctl;
pub mod ptrace;
pub mod random;
pub mod rlimit;
pub mod sched;
pub mod setns;
pub mod signal;
pub mod sys;
pub mod syscalls;
pub mod sysinfo;
pub mod system;
pub mod task;
#[cfg(test)]
pub(crate) mod testing;
pub mod timer;
pub mod tty;
pub mod unshare;
pub mod user;
pub mod utsname;
pub mod wait;
pub mod wait_queue;

pub use error::{Oops, SysError};
pub use system::System;
pub use task::{TaskId, TaskState};
