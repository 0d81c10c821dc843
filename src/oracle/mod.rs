//! The real kernel as judge: programs run with real processes and real system
//! calls, and the model is asked whether it could have done the same.
//!
//! ```text
//! script ─► Want ─► session::program ─► the model's kernel
//!                └► oracle::host     ─► the host's kernel
//! ```
//!
//! This is the only part that lets a script reach the host, and only inside
//! namespaces of its own. On other systems than x86_64 Linux it refuses.
//!
//! Left out: machine code.

pub mod calls;
pub mod compare;
pub mod fuzz;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod host;
pub mod judge;
pub mod variations;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::script::bind::program::Language;
use crate::script::diagnostic::Report;
use crate::session::program::record::Record;

/// Pid of the first process of a program, here and there.
pub const FIRST_PID: i32 = 3;

/// How a program is run on the host.
pub struct Plan<'p> {
    /// How long it may take.
    pub time: Duration,
    /// How many processes it may have at once.
    pub tasks: u32,
    /// Set to end it.
    pub interrupt: Arc<AtomicBool>,
    /// Makes text of the error that ended a process.
    pub show: &'p dyn Fn(&Report) -> String,
}

/// How a run on the host ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All processes have ended.
    Finished,
    /// All that are left sleep or are stopped, and nobody is left to wake
    /// them: each in words.
    Stuck(Vec<String>),
    /// It took too long.
    Time,
    /// Somebody outside said so.
    Interrupted,
}

/// A run on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What was written to descriptors 1 and 2 that the first process began
    /// with.
    pub output: Vec<u8>,
    /// How it ended.
    pub end: End,
    /// The first process's wait status, if it has ended.
    pub status: Option<i32>,
    /// Errors that nobody caught, as text.
    pub crashes: Vec<String>,
    /// All processes that there were.
    pub pids: Vec<i32>,
    /// What each task was told.
    pub record: Record,
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This program was built for something else.
    #[error("real system calls need Linux on x86_64")]
    Platform,
    /// The host does not let us make the sandbox.
    #[error("the host does not permit {0}")]
    Sandbox(String),
    /// The script wants what is not done on the host.
    #[error("not on the real kernel: {0}")]
    Unsupported(String),
}

/// Namespaces of their own in which programs run on the host's kernel, one
/// after another. Making one costs some ms, a program in it much less, so who
/// compares many programs keeps it:
///
/// ```text
/// let mut sandbox = oracle::Sandbox::new()?;
/// for program in programs {
///     let run = sandbox.run(&language(program), &plan)?;
/// }
/// ```
///
/// Each program has a fresh pid namespace and finds the same files. A program
/// that is refused, or ended early, leaves the sandbox as good as new; after
/// [`Refused::Sandbox`] another one is needed. Several threads may each have
/// their own; one stays with the thread that made it.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub struct Sandbox(host::Sandbox);

/// Namespaces of their own in which programs run: not on this platform.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub struct Sandbox(std::convert::Infallible);

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl Sandbox {
    /// Makes one.
    ///
    /// # Errors
    /// The host does not permit it.
    pub fn new() -> Result<Sandbox, Refused> {
        host::Sandbox::new().map(Sandbox)
    }

    /// Runs `main`.
    ///
    /// # Errors
    /// See [`Refused`]. A program that fails is not an error.
    pub fn run(&mut self, language: &Language, plan: &Plan) -> Result<Run, Refused> {
        self.0.run(language, plan)
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
impl Sandbox {
    /// Makes none.
    ///
    /// # Errors
    /// Always.
    pub fn new() -> Result<Sandbox, Refused> {
        Err(Refused::Platform)
    }

    /// There is no sandbox to run in.
    ///
    /// # Errors
    /// Always.
    pub fn run(&mut self, _: &Language, _: &Plan) -> Result<Run, Refused> {
        match self.0 {}
    }
}

/// Keeps this process and the sandboxes it makes on one processor, the
/// `index`th of those it may use: programs are over sooner so.
pub fn stay_on_processor(index: usize) {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    host::stay_on_processor(index);
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    let _ = index;
}

/// Runs `main` on the host's kernel, in a sandbox of its own.
///
/// # Errors
/// See [`Refused`]. A program that fails is not an error.
pub fn run(language: &Language, plan: &Plan) -> Result<Run, Refused> {
    Sandbox::new()?.run(language, plan)
}
