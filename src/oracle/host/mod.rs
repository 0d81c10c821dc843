//! A program on the host: its processes are real, and so is all they ask.
//!
//! ```text
//! forkyard ── reads output and reports, ends it all in time
//!   └─ init        pid 1 of a pid namespace; reaps; all die with it
//!        └─ main   pid 3: the script's function
//!             └─ … whatever it forks
//! ```
//!
//! Each process holds a copy of the interpreter, as a C program holds a copy of
//! its text. fork(2) copies it with everything else, so a function goes on in
//! both; nothing is recorded and nothing is run twice.
//!
//! Left out: tasks that share memory and run at the same time.

mod calls;
mod init;
mod memory;
mod signals;
mod supervisor;
mod sys;

use serde_json::{Value as Json, json};

use crate::kernel::error::SysError;
use crate::kernel::syscalls::Out;
use crate::machine::{Size, UserOp};
use crate::script::bind::program::Language;
use crate::script::diagnostic::Report;
use crate::script::tape::Kernel;
use crate::session::program::{Answer, Start, Want};

pub(super) use supervisor::run;

/// Descriptor on which processes tell the supervisor what a script cannot see.
/// So high that a script's own never get there.
const REPORTS: i32 = 1000;

/// The host's kernel, as one process meets it.
pub(super) struct Host {
    memory: memory::Memory,
    language: &'static Language<'static>,
    show: &'static dyn Fn(&Report) -> String,
}

impl Host {
    /// Tells the supervisor.
    fn tell(what: &Json) {
        calls::write_all(REPORTS, format!("{what}\n").as_bytes());
    }

    /// Ends everything: the script wants what is not done here.
    fn unsupported(what: &str) -> ! {
        Host::tell(&json!({ "unsupported": what }));
        calls::exit(1)
    }

    /// Runs a function as the main one of this process.
    fn run(&self, start: &Start) -> ! {
        match self.language.run_live(start, false) {
            Ok(code) => calls::exit_in_window(code),
            Err(report) => self.crash(&report),
        }
    }

    fn handle(&self, function: u32, sig: i32) {
        let Some(mut start) = self.language.handler(function) else { return };
        start.args.push(crate::session::program::Value::Int(i64::from(sig)));
        if let Err(report) = self.language.run_live(&start, true) {
            self.crash(&report);
        }
    }

    /// An error that nobody caught ends the process as abort(3) does.
    fn crash(&self, report: &Report) -> ! {
        let report = report.clone().note(format!("process {} ended by SIGABRT", self.pid()));
        Host::tell(&json!({ "crash": (self.show)(&report) }));
        calls::abort()
    }
}

/// A number, or what the host's kernel refused.
fn answer(ret: i64, out: Out) -> Answer {
    match sys::result(ret) {
        Ok(ret) => Answer::Returned(ret, out),
        Err(errno) => Answer::Refused(SysError::new(errno, "", "the host's kernel says so")),
    }
}

impl Kernel for Host {
    fn ask(&self, want: Want) -> Answer {
        match want {
            Want::Sys(call, child) => calls::make(self, &call, child),
            Want::Op(op) => calls::op(self, op),
            Want::Define(name, size) => match self.memory.define(&name, size) {
                Ok(addr) => Answer::Returned(addr as i64, Out::None),
                Err(what) => Host::unsupported(&what),
            },
            Want::Symbol(name) => match self.memory.symbol(&name) {
                Some(addr) => Answer::Returned(addr as i64, Out::None),
                None => Answer::Refused(SysError::with(
                    crate::abi::Errno::ENOENT,
                    "symbol",
                    format!(
                        "the program has no variable `{name}`: `define({name:?}, 0)` makes one"
                    ),
                )),
            },
            Want::Choose(n) => {
                let word = calls::random();
                Answer::Returned((word % u64::from(n.max(1))) as i64, Out::None)
            }
            // A function that runs through returns by itself.
            Want::Return(_) | Want::Crash(_) => Host::unsupported("a return that is asked for"),
        }
    }

    fn pid(&self) -> i32 {
        calls::getpid()
    }
}

/// The only accesses of programs.
fn qword(op: &UserOp) -> Option<(u64, Option<u64>)> {
    match *op {
        UserOp::Load { addr, size: Size::Qword } => Some((addr.0, None)),
        UserOp::Store { addr, size: Size::Qword, value } => Some((addr.0, Some(value))),
        _ => None,
    }
}
