//! The calls of random programs, subject by subject. Each function makes one
//! call with arguments that are mostly sensible and sometimes not.
//!
//! Left out: calls that make tasks; `generate` places those.

mod files;
mod identity;
mod memory;
mod processes;
mod scheduling;
mod signals;
pub(super) mod terminals;
mod tracing;

use super::features::{Feature, Features};
use super::program::{Call, Form};
use crate::base::Rng;

/// What programs are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Groups, sessions, parents.
    Processes,
    /// Waiting.
    Waits,
    /// Signals, dispositions, masks.
    Signals,
    /// Sending signals to others.
    Kills,
    /// Ids and capabilities.
    Credentials,
    /// prctl(2).
    Prctl,
    /// Mappings and what is in them.
    Memory,
    /// Descriptors and files.
    Files,
    /// Policies and nice values.
    Scheduling,
    /// ptrace(2).
    Tracing,
    /// Terminals and job control.
    Terminals,
}

/// All of them.
pub const THEMES: [Theme; 11] = [
    Theme::Processes,
    Theme::Waits,
    Theme::Signals,
    Theme::Kills,
    Theme::Credentials,
    Theme::Prctl,
    Theme::Memory,
    Theme::Files,
    Theme::Scheduling,
    Theme::Tracing,
    Theme::Terminals,
];

/// What a call may depend on.
pub struct Around<'r> {
    /// Where choices come from.
    pub rng: &'r mut Rng,
    /// What may be used.
    pub features: Features,
    /// Pages of each of `m0`, `m1`, `m2`; 0 where nothing is mapped.
    pub pages: [u64; 3],
    /// Whether a bad access may end the process here.
    pub may_die: bool,
    /// Whether each signal stops the process for its tracer.
    pub traced: bool,
}

impl Around<'_> {
    /// One of several.
    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.rng.below(from.len() as u64) as usize]
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.rng.below(n)
    }

    /// True once in `n` times.
    pub fn rarely(&mut self, n: u64) -> bool {
        self.rng.below(n) == 0
    }

    /// Whether a feature is there.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.has(feature)
    }

    /// A set of signals.
    fn set(&mut self) -> String {
        match self.below(4) {
            0 => "[]".to_string(),
            1 => format!("[{}, {}]", self.pick(SIGNALS), self.pick(SIGNALS)),
            _ => format!("[{}]", self.pick(SIGNALS)),
        }
    }

    /// A process, as a number.
    fn who(&mut self) -> &'static str {
        self.pick(&["0", "c", "c", "getpid()", "getpid()", "getppid()", "-2", "1", "-c", "60000"])
    }

    /// A user or group id.
    fn id(&mut self) -> &'static str {
        self.pick(&["-1", "0", "0", "1000", "1000", "1001", "65534"])
    }
}

/// Signals of interest; those that stop are used where somebody waits for it.
const SIGNALS: &[&str] = &[
    "SIGUSR1", "SIGUSR1", "SIGUSR2", "SIGUSR2", "SIGCHLD", "SIGTERM", "SIGCONT", "SIGURG",
    "SIGALRM", "SIGHUP", "SIGWINCH", "SIGPIPE", "34", "35", "64",
];

/// A call.
fn call<const N: usize>(form: Form, name: &'static str, args: [&str; N]) -> Call {
    Call { form, name, args: args.map(String::from).to_vec() }
}

/// A call that says what it gave.
fn tried<const N: usize>(name: &'static str, args: [&str; N]) -> Call {
    call(Form::Try, name, args)
}

/// A call on a subject.
pub fn on(theme: Theme, around: &mut Around) -> Call {
    match theme {
        Theme::Processes => processes::process(around),
        Theme::Waits => processes::wait(around),
        Theme::Signals => signals::signal(around),
        Theme::Kills => signals::kill(around),
        Theme::Credentials => identity::credentials(around),
        Theme::Prctl => identity::prctl(around),
        Theme::Memory => memory::memory(around),
        Theme::Files => files::file(around),
        Theme::Scheduling => scheduling::scheduling(around),
        Theme::Tracing => tracing::tracing(around),
        Theme::Terminals => terminals::terminal(around),
    }
}
