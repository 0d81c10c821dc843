//! The ways in which the kernel says no: a refusal, a wait, an Oops.
//!
//! Linux: negative errnos and `schedule()` in the middle of a call; an Oops is
//! what `BUG()`, `WARN_ON` and KASAN print.
//! Left out: panics. A Rust panic in this crate is always a bug of ours.

use crate::abi::Errno;
use crate::kernel::wait_queue::Wait;
use std::borrow::Cow;

/// The guest was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{errno}: {why}")]
pub struct SysError {
    /// Linux's error number.
    pub errno: Errno,
    /// Which check refused it, in a sentence for a learner.
    pub why: Cow<'static, str>,
    /// The Linux function that makes this check.
    pub source_fn: &'static str,
}

impl SysError {
    /// A refusal with a fixed reason.
    pub const fn new(errno: Errno, source_fn: &'static str, why: &'static str) -> SysError {
        SysError { errno, why: Cow::Borrowed(why), source_fn }
    }

    /// A refusal whose reason holds values.
    pub fn with(errno: Errno, source_fn: &'static str, why: String) -> SysError {
        SysError { errno, why: Cow::Owned(why), source_fn }
    }
}

/// Shorthand for `Err(SysError)` with a fixed reason.
pub fn refuse<T>(errno: Errno, source_fn: &'static str, why: &'static str) -> Result<T, SysError> {
    Err(SysError::new(errno, source_fn, why))
}

/// Why a system call handler did not return a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It was refused.
    Error(SysError),
    /// It must wait; nothing has changed, the same call runs again on wake-up.
    Block(Wait),
    /// The calling task is dead or its user context was replaced: there is
    /// nobody to return to (exit, a fatal signal, a successful execve).
    NoReturn,
}

impl From<SysError> for Stop {
    fn from(e: SysError) -> Stop {
        Stop::Error(e)
    }
}

/// What a handler returns: the value for RAX, or why there is none.
pub type SysResult = Result<i64, Stop>;

/// The simulated kernel found itself broken: a count below zero, a stale
/// pointer, a page table that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Oops: {what}")]
pub struct Oops {
    /// What was found, in a sentence.
    pub what: String,
    /// The kernel function that found it.
    pub in_function: &'static str,
    /// Pid of the current task.
    pub pid: i32,
    /// A dump of what is known.
    pub dump: Vec<String>,
}
