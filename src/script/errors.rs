//! The one error type that everything registered with the engine raises. Rhai
//! sees it as a value: a script can catch it and ask for `.errno`, `.call`,
//! `.task`, `.why`; uncaught, `diagnose` turns it into a report.
//!
//! Left out: errors of the language itself (unknown names, wrong types), which
//! Rhai raises with types of its own, until a script has caught them (`caught`).

use std::ops::Range;

use rhai::{Dynamic, Engine, EvalAltResult, Position};

use super::diagnostic::KernelReason;
use super::value::Addr;
use crate::abi::Signal;
use crate::kernel::error::{Oops, SysError};

/// What a native function raises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The kernel refused a call.
    #[error("{}", .0.sentence())]
    Refused(Box<KernelReason>),
    /// A task was used that is waiting for something.
    #[error("task {} is waiting in {}", .0.task, .0.call)]
    Blocked(Box<BlockedUse>),
    /// What a task did in user mode ended in a signal.
    #[error("{}", .0.sentence())]
    Fault(Box<Fault>),
    /// The simulated kernel was broken by what the script did to it.
    #[error("{0}")]
    Oops(Box<Oops>),
    /// An assertion did not hold.
    #[error("{}", .0.title)]
    Assert(Box<AssertFail>),
    /// A module could not be imported.
    #[error("{message}")]
    Import {
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// Not modelled, so refused rather than ignored.
    #[error("{what} is not supported")]
    Unsupported {
        /// The flag, option or call.
        what: String,
        /// What to do instead, or why not.
        help: Option<String>,
    },
    /// The script used a function wrongly: a value of the right type that
    /// makes no sense.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// An error of the language that the script has caught.
    #[error("{message}")]
    Language {
        /// A word for the kind: "arithmetic".
        kind: &'static str,
        /// What is wrong, in a sentence.
        message: String,
    },
    /// A limit of ours was hit: tasks, snapshots.
    #[error("limit reached: {message}")]
    Limit {
        /// Which limit, and its value.
        message: String,
        /// What to do.
        help: Option<String>,
    },
}

/// Use of a task that cannot run now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedUse {
    /// The pid.
    pub task: i64,
    /// What the script wanted of it.
    pub wanted: String,
    /// The call it waits in: `waitpid(5, 0)`.
    pub call: String,
    /// What it waits for, as part of a sentence: "a child to exit".
    pub waits_for: String,
    /// Where the script made that call: source name and position.
    pub since: Option<(String, Position)>,
}

/// A user-mode operation that ended in a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The pid.
    pub task: i64,
    /// What it did: `store(0x0, 1)`.
    pub call: String,
    /// The signal.
    pub signal: Signal,
    /// The name of its si_code: "SEGV_MAPERR".
    pub code: String,
    /// Faulting address, 0 where there is none.
    pub addr: u64,
    /// What was wrong, in a sentence.
    pub why: String,
    /// Whether the task is dead now.
    pub killed: bool,
}

impl Fault {
    /// The message: `SIGSEGV: store(0x0, 1) killed task 3`.
    pub fn sentence(&self) -> String {
        let Fault { task, call, signal, .. } = self;
        if self.killed {
            format!("{signal}: {call} killed task {task}")
        } else {
            format!("{signal}: {call} by task {task} faulted")
        }
    }
}

/// A failed assertion, already located.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertFail {
    /// What failed, in a sentence.
    pub title: String,
    /// The source it stands in.
    pub source: String,
    /// The asserted expression.
    pub span: Range<usize>,
    /// What is said under the expression.
    pub label: String,
    /// Operands and their values.
    pub values: Vec<(Range<usize>, String)>,
    /// Further facts.
    pub notes: Vec<String>,
}

impl KernelReason {
    /// The message of a refused call: `EPERM: setuid(0) by task 1 was refused`.
    pub fn sentence(&self) -> String {
        format!("{}: {} by task {} was refused", self.errno, self.call, self.task)
    }
}

impl ScriptError {
    /// A call that the kernel refused.
    pub fn refused(refusal: &SysError, call: impl Into<String>, task: i32) -> ScriptError {
        ScriptError::Refused(Box::new(KernelReason {
            errno: refusal.errno,
            call: call.into(),
            task: i64::from(task),
            why: refusal.why.to_string(),
            origin: refusal.source_fn.to_string(),
        }))
    }

    /// A usage error without help.
    pub fn usage(message: impl Into<String>) -> ScriptError {
        ScriptError::Usage { message: message.into(), help: None }
    }

    /// A word for the kind, for scripts: `e.kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            ScriptError::Refused(_) => "refused",
            ScriptError::Blocked(_) => "blocked",
            ScriptError::Fault(_) => "fault",
            ScriptError::Oops(_) => "oops",
            ScriptError::Assert(_) => "assert",
            ScriptError::Import { .. } => "import",
            ScriptError::Unsupported { .. } => "unsupported",
            ScriptError::Usage { .. } => "usage",
            ScriptError::Language { kind, .. } => kind,
            ScriptError::Limit { .. } => "limit",
        }
    }

    /// As a Rhai error at a position; with `Position::NONE`, Rhai fills in the
    /// position of the call.
    pub fn at(self, pos: Position) -> Box<EvalAltResult> {
        EvalAltResult::ErrorRuntime(Dynamic::from(self), pos).into()
    }

    fn reason(&self) -> Option<&KernelReason> {
        match self {
            ScriptError::Refused(reason) => Some(reason),
            _ => None,
        }
    }
}

impl From<ScriptError> for Box<EvalAltResult> {
    fn from(e: ScriptError) -> Self {
        e.at(Position::NONE)
    }
}

/// Registers the type, so that scripts can catch it and look inside. Fields
/// that an error does not have are `()`.
pub fn register(engine: &mut Engine) {
    fn text(e: &ScriptError, get: impl Fn(&KernelReason) -> &str) -> Dynamic {
        e.reason().map_or(Dynamic::UNIT, |r| get(r).to_string().into())
    }
    engine.register_type_with_name::<ScriptError>("Error");
    engine.register_get("errno", |e: &mut ScriptError| text(e, |r| r.errno.name()));
    engine.register_get("call", |e: &mut ScriptError| match e {
        ScriptError::Blocked(b) => b.call.clone().into(),
        ScriptError::Fault(f) => f.call.clone().into(),
        e => text(e, |r| &r.call),
    });
    engine.register_get("why", |e: &mut ScriptError| match e {
        ScriptError::Blocked(b) => b.waits_for.clone().into(),
        ScriptError::Fault(f) => f.why.clone().into(),
        e => text(e, |r| &r.why),
    });
    engine.register_get("source", |e: &mut ScriptError| text(e, |r| &r.origin));
    engine.register_get("code", |e: &mut ScriptError| match e {
        ScriptError::Refused(reason) => Dynamic::from(reason.errno as i64),
        ScriptError::Fault(f) => f.code.clone().into(),
        _ => Dynamic::UNIT,
    });
    engine.register_get("task", |e: &mut ScriptError| match e {
        ScriptError::Blocked(b) => b.task.into(),
        ScriptError::Fault(f) => f.task.into(),
        e => e.reason().map_or(Dynamic::UNIT, |r| r.task.into()),
    });
    engine.register_get("signal", |e: &mut ScriptError| match e {
        ScriptError::Fault(f) => Dynamic::from(super::bind::signal_value(f.signal)),
        _ => Dynamic::UNIT,
    });
    engine.register_get("addr", |e: &mut ScriptError| match e {
        ScriptError::Fault(f) => Dynamic::from(Addr(f.addr)),
        _ => Dynamic::UNIT,
    });
    engine.register_get("killed", |e: &mut ScriptError| match e {
        ScriptError::Fault(f) => f.killed.into(),
        _ => Dynamic::UNIT,
    });
    engine.register_get("kind", |e: &mut ScriptError| e.kind());
    engine.register_get("message", |e: &mut ScriptError| e.to_string());
    engine.register_fn("to_string", |e: &mut ScriptError| e.to_string());
    engine.register_fn("to_debug", |e: &mut ScriptError| e.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::Errno;

    #[test]
    fn a_script_can_look_inside() {
        let mut engine = crate::script::engine::plain();
        engine.register_fn("refuse", || -> Result<(), Box<EvalAltResult>> {
            let why = "the task lacks CAP_SETUID".into();
            let refusal = SysError::with(Errno::EPERM, "__sys_setuid", why);
            Err(ScriptError::refused(&refusal, "setuid(0)", 7).into())
        });
        engine.register_fn("misuse", || -> Result<(), Box<EvalAltResult>> {
            Err(ScriptError::usage("no").into())
        });
        let script = r#"
            let out = "";
            try { refuse() } catch (e) {
                out = `${e.errno} ${e.code} ${e.call} ${e.task} ${e.why} ${e.source} ${e.kind}|${e}`;
            }
            try { misuse() } catch (e) { out += `|${e.errno == ()} ${e.kind} ${e.message}`; }
            out"#;
        assert_eq!(
            engine.eval::<String>(script).unwrap(),
            "EPERM 1 setuid(0) 7 the task lacks CAP_SETUID __sys_setuid refused\
             |EPERM: setuid(0) by task 7 was refused|true usage no"
        );
    }
}
