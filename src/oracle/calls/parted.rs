//! Where the two kernels part, in words and with the line.
//!
//! Left out: why Linux said so; it does not tell.

use std::sync::Arc;

use rhai::Position;

use crate::abi::nr::syscall_name;
use crate::abi::structs::{SigInfo, WaitStatus};
use crate::abi::{Errno, Signal};
use crate::kernel::syscalls::Out;
use crate::machine::UserOp;
use crate::script::control::Control;
use crate::script::diagnostic::Report;
use crate::script::span::{self, Extent};
use crate::session::program::record::{Asked, Told};
use crate::session::program::{Answer, Want};

/// What one kernel did with a task at some point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gave {
    /// It told the task something.
    Told(Option<Arc<Asked>>, Told),
    /// Nothing more; with what had no answer, if something was asked.
    Nothing(Option<Arc<Asked>>),
}

/// Where the two kernels part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parted {
    /// The task's number on Linux.
    pub number: u32,
    /// Its pid there.
    pub pid: i32,
    /// How much it had been told before.
    pub place: usize,
    /// What Linux did.
    pub linux: Gave,
    /// What the model did.
    pub model: Gave,
}

impl Gave {
    fn asked(&self) -> Option<&Asked> {
        match self {
            Gave::Told(asked, _) | Gave::Nothing(asked) => asked.as_deref(),
        }
    }

    /// What it did, in words.
    pub fn text(&self) -> String {
        let name = |asked: &Option<Arc<Asked>>| asked.as_ref().map(|a| name(&a.want));
        match self {
            Gave::Told(_, Told::Handler(sig, info)) => {
                let sig = Signal::new(*sig).map_or(format!("signal {sig}"), |sig| sig.to_string());
                let info = info.as_ref().map(|info| format!(" with {}", siginfo(info)));
                format!("began the handler of {sig}{}", info.unwrap_or_default())
            }
            Gave::Told(_, Told::Program) => "ran the new program".into(),
            Gave::Told(asked, Told::Answer(answer)) => {
                let call = name(asked).map_or(String::new(), |name| format!("{name} "));
                format!("gave {call}{}", answer_text(answer))
            }
            Gave::Nothing(asked) => match name(asked) {
                Some(name) => format!("does not return from {name}"),
                None => "asked it nothing more".into(),
            },
        }
    }
}

impl Parted {
    /// As a report that points at the line.
    pub fn report(&self, control: &Control) -> Report {
        let n = self.place + 1;
        let what = self.linux.asked().or(self.model.asked()).map(|a| name(&a.want));
        let what = what.map_or(String::new(), |name| format!(": {name}"));
        let message = format!("the kernels part at call {n} of process {}{what}", self.pid);
        let mut report = Report::error("forkyard::differs", message);
        let texts = [("Linux", &self.linux), ("the model", &self.model)];
        let texts = texts.map(|(who, gave)| (format!("{who} {}", gave.text()), gave.asked()));
        let [(linux, at), (model, model_at)] = &texts;
        let place = |asked: &Asked| {
            let main = asked.origin.source == 0 && asked.origin.line > 0;
            main.then_some((asked.origin.line as u16, asked.origin.column as u16))
        };
        let at = at.and_then(place);
        let model_at = model_at.and_then(place);
        let source = control.sources().get(&control.sources().main_name());
        if let (Some(source), Some((line, column))) = (source, at.or(model_at)) {
            let span = |(line, column): (u16, u16)| {
                span::at(&source, Position::new(line, column), Extent::Operand)
            };
            report = report.with_source(&source);
            report = match model_at.filter(|there| Some(*there) != at && at.is_some()) {
                Some(there) => report.label(span((line, column)), linux).label(span(there), model),
                None => report.label(span((line, column)), format!("{linux}, {model}")),
            };
        } else {
            report = report.note(linux).note(model);
        }
        if let Gave::Told(_, Told::Answer(Answer::Refused(e))) = &self.model {
            let check = match e.source_fn {
                "" => String::new(),
                check => format!(" ({check})"),
            };
            report = report.note(format!("the model's reason: {}{check}", e.why));
        }
        report
    }
}

/// The name of what was asked.
pub(super) fn name(want: &Want) -> String {
    match want {
        Want::Sys(call, _) => {
            syscall_name(u64::from(call.nr)).unwrap_or("a call without a name").into()
        }
        Want::Op(UserOp::Load { addr, .. }) => format!("load({:#x})", addr.0),
        Want::Op(UserOp::Store { addr, .. }) => format!("store({:#x})", addr.0),
        Want::Op(UserOp::Atomic { addr, .. }) => {
            format!("an atomic instruction on {:#x}", addr.0)
        }
        Want::Op(_) => "an instruction".into(),
        Want::Define(name, _) => format!("define({name:?})"),
        Want::Symbol(name) => format!("addr_of({name:?})"),
        Want::State(pid) => format!("state_of({pid})"),
        Want::Choose(_) => "choose".into(),
        Want::Return(_) => "the end of the function".into(),
        Want::Crash(_) => "the error that nobody caught".into(),
        Want::GoOn => "going on".into(),
    }
}

fn answer_text(answer: &Answer) -> String {
    match answer {
        Answer::Refused(e) => errno_text(e.errno),
        Answer::Returned(ret, out) => match out {
            Out::None => format!("{ret}"),
            out => format!("{ret} with {}", stored(out)),
        },
    }
}

fn errno_text(errno: Errno) -> String {
    format!("{errno}")
}

/// What a call has stored.
fn stored(out: &Out) -> String {
    match out {
        Out::Wait(w) => {
            let how = match WaitStatus::decode(w.status) {
                WaitStatus::Exited(code) => format!("exit {code}"),
                WaitStatus::Signaled(sig, core) => {
                    format!("killed by signal {sig}{}", if core { " with a core" } else { "" })
                }
                WaitStatus::Stopped(sig) => format!("stopped by signal {sig}"),
                WaitStatus::Continued => "continued".into(),
            };
            let (pid, code, status, uid) = (w.pid, w.si_code, w.si_status, w.uid);
            format!("pid {pid}, {how}, si_code {code}, si_status {status}, uid {uid}")
        }
        Out::SigInfo(info) => siginfo(info),
        Out::Bytes(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Out::Text(text) => format!("{text:?}"),
        Out::Number(n) => format!("{n}"),
        Out::Fds(a, b) => format!("descriptors {a} and {b}"),
        Out::Ids(ids) => format!("{ids:?}"),
        Out::SigSet(set) => format!("{set}"),
        Out::Rlimit(r) => format!("{} of {}", r.cur, r.max),
        other => format!("{other:?}"),
    }
}

fn siginfo(i: &SigInfo) -> String {
    let (signo, code, pid, uid) = (i.si_signo, i.si_code, i.si_pid, i.si_uid);
    let (status, value, addr) = (i.si_status, i.si_value, i.si_addr);
    let at = if addr == 0 { String::new() } else { format!(", address {addr:#x}") };
    format!("{signo} code {code} from pid {pid}, uid {uid}, status {status}, value {value}{at}")
}
