//! Programs on this machine's kernel: a script is read and checked as for the
//! model, and then its `main` is given to `oracle`.
//!
//! Left out: scripts that direct tasks of the model; those are refused.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rhai::{AST, Engine};

use super::FAILED;
use super::execute::{Finished, Plan};
use super::folder::Folder;
use crate::abi::structs::WaitStatus;
use crate::oracle::{self, End, Refused, Run};
use crate::script::bind::World;
use crate::script::bind::program::Language;
use crate::script::control::{Buffer, Control, Output};
use crate::script::diagnostic::Report;
use crate::script::run::Session;
use crate::script::stack;

/// How long a program may take.
const TIME: Duration = Duration::from_secs(10);
/// How many processes it may have at once.
const TASKS: u32 = 256;

/// What is done with a program gives this: an exit code, what is to be said,
/// and a result.
pub type Done<T> = Result<(i64, Vec<Report>, T), Box<Report>>;

/// How programs are run on the host.
pub fn plan<'p>(
    interrupt: &Arc<AtomicBool>,
    show: &'p dyn Fn(&Report) -> String,
) -> oracle::Plan<'p> {
    oracle::Plan { time: TIME, tasks: TASKS, interrupt: Arc::clone(interrupt), show }
}

/// Why the host did not run it.
pub fn refused(why: &Refused) -> Box<Report> {
    Box::new(Report::error("forkyard::host", why.to_string()))
}

/// Runs a program; `show` makes text of the error that ends a process.
pub fn run(
    plan: Plan,
    mut output: impl Output + Send + 'static,
    show: impl Fn(&Report) -> String + Send + 'static,
) -> (Finished, Option<Run>) {
    let interrupt = plan.interrupt.clone();
    let printed = Buffer::new();
    let (finished, ran) = with_main(plan, printed.clone(), move |engine, control, ast, _| {
        let language = Language::new(engine, control, ast);
        let run =
            oracle::run(&language, &self::plan(&interrupt, &show)).map_err(|e| refused(&e))?;
        Ok((code(&run), reports(&run), run))
    });
    let text = ran.as_ref().map(|run| String::from_utf8_lossy(&run.output).into_owned());
    // The reader may be gone: there is nobody to tell.
    let _ = output.write(&(printed.take() + text.as_deref().unwrap_or_default()));
    (finished, ran)
}

/// Reads a script and does something with the program that it is. A script
/// that is no program is refused.
pub fn with_main<T: Send + 'static>(
    plan: Plan,
    output: impl Output + Send + 'static,
    work: impl Fn(&Engine, &Control, &AST, &World) -> Done<T> + Send + 'static,
) -> (Finished, Option<T>) {
    let on_stack = stack::on_deep_stack(move || with_main_here(plan, output, work));
    on_stack.unwrap_or_else(|e| {
        let reports = vec![Report::error("forkyard::internal", e.to_string())];
        (Finished { code: FAILED, reports, schedule: None }, None)
    })
}

fn with_main_here<T: 'static>(
    plan: Plan,
    output: impl Output + 'static,
    work: impl Fn(&Engine, &Control, &AST, &World) -> Done<T> + 'static,
) -> (Finished, Option<T>) {
    let world = match plan.machine.boot() {
        Ok(world) => world,
        Err(report) => return (Finished::wrong(*report), None),
    };
    let loader = Box::new(Folder::new(plan.input.folder));
    let mut session = Session::new(plan.limits, plan.interrupt, Box::new(output), loader);
    world.register(&mut session.engine, &session.control, &mut session.scope);
    let kept = Rc::new(RefCell::new(None));
    let keep = kept.clone();
    session.main = Some(Box::new(move |engine, control, ast| {
        let (code, reports, result) = work(engine, control, ast, &world)?;
        *keep.borrow_mut() = Some(result);
        Ok((code, reports))
    }));
    let mut finished = Finished::of(session.run(&plan.input.name, &plan.input.text));
    let result = kept.take();
    if result.is_none() && finished.reports.is_empty() {
        let report = Report::error("forkyard::host", "only a program can run on the real kernel")
            .help("a program defines `fn main()` and starts nothing itself");
        finished = Finished::wrong(report);
    }
    (finished, result)
}

/// The code of the first process as a shell gives it.
fn code(run: &Run) -> i64 {
    match run.status.map(WaitStatus::decode) {
        Some(WaitStatus::Exited(code)) => i64::from(code),
        Some(WaitStatus::Signaled(sig, _)) => 128 + i64::from(sig),
        _ => i64::from(FAILED),
    }
}

fn reports(run: &Run) -> Vec<Report> {
    match &run.end {
        End::Finished => Vec::new(),
        End::Interrupted => vec![Report::error("forkyard::stopped", "interrupted")],
        End::Time => {
            let message = format!("not ended after {} seconds, or too much output", TIME.as_secs());
            vec![Report::error("forkyard::limit", message).help("does a program loop for ever?")]
        }
        End::Stuck(who) => {
            let message = "everyone sleeps, and nobody is left to wake them";
            let mut report = Report::error("forkyard::stuck", message);
            report.notes.clone_from(who);
            vec![report]
        }
    }
}
