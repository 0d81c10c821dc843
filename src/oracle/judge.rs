//! Asks both kernels what they do with a program, and decides whether what
//! Linux did is among what the model can do.
//!
//! ```text
//! one run of each: the same? ─ yes ─► equal
//!   no │ other schedules, some by chance: one of them? ─ yes ─► equal
//!      │ all schedules that print what Linux printed and tell each task what it was told
//!      │                                            there: one of them? ─ yes ─► equal
//!      ├ these were all there are ─► different
//!      └ they were too many ─► undecided
//! ```
//!
//! The same is: the same outcome (`compare`), and call by call the same
//! (`calls`).
//!
//! One engine and one booted machine serve many programs.
//!
//! Left out: comparing the calls of a run that a limit has cut off.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rhai::{AST, Engine};

use super::calls::Linux;
use super::compare::{Ended, Outcome, Sought};
use super::{Plan, Refused, Run, Sandbox};
use crate::explore::Policy;
use crate::explore::guided::Reached;
use crate::kernel::boot::BootConfig;
use crate::script::bind::program::{self, Language, Options};
use crate::script::bind::{Machine, World};
use crate::script::control::{Buffer, Control};
use crate::script::diagnostic::Report;
use crate::script::limits::Limits;
use crate::script::modules::NoModules;
use crate::script::run::Session;

/// How much is done before two kernels are said to differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Random schedules before all are tried.
    pub first: u64,
    /// Most states when all are tried.
    pub states: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Effort { first: 8, states: 20_000 }
    }
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// What Linux did is among what the model can do.
    Equal,
    /// It is not, and all that the model can do was looked at.
    Different,
    /// It was not found among a part of what the model can do.
    Undecided,
}

/// How it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The first run of the model did the same.
    FirstRun,
    /// Another run did.
    OtherRun,
    /// Looking for it among all runs.
    Search,
}

/// What Linux did with a program.
#[derive(Debug)]
pub struct Did<'r> {
    /// What came of it.
    pub outcome: Outcome,
    /// What each task was told; `None`: that is not compared.
    pub calls: Option<Linux<'r>>,
}

impl<'r> Did<'r> {
    /// In a run on the host.
    pub fn new(run: &'r Run) -> Did<'r> {
        let outcome = Outcome::of_host(run);
        let calls = (outcome.ended != Ended::Limit).then(|| Linux::new(&run.record));
        Did { outcome, calls }
    }

    /// Whether a run of the model did the same.
    pub fn is_like(&self, model: &program::Run) -> bool {
        self.outcome.is_like(&Outcome::of_model(model)) && self.calls_agree(model)
    }

    /// Whether a run of the model has told each task the same.
    pub fn calls_agree(&self, model: &program::Run) -> bool {
        match (&self.calls, model.record()) {
            (Some(calls), Some(record)) => calls.agrees(record),
            _ => true,
        }
    }
}

/// A program that was read, on an engine and a machine.
pub struct Case<'b> {
    /// The engine.
    pub engine: &'b Engine,
    /// What it shares with its owner.
    pub control: &'b Control,
    /// The script.
    pub ast: &'b AST,
    /// The machine it starts on.
    pub machine: &'b Machine,
}

impl Case<'_> {
    /// One run on the model.
    ///
    /// # Errors
    /// As a report: the model broke, or a limit was hit.
    pub fn model(&self, policy: Policy) -> Result<program::Run, Box<Report>> {
        let options = Options { policy, record: true, ..Options::default() };
        program::try_main(self.engine, self.control, self.ast, self.machine, options)
    }

    /// Whether what Linux did is among what the model can do. `known` is what
    /// the model did in a first run.
    ///
    /// # Errors
    /// As [`Case::model`].
    pub fn decide(
        &self,
        linux: &Did,
        known: &program::Run,
        effort: Effort,
    ) -> Result<(Decision, By), Box<Report>> {
        if linux.is_like(known) {
            return Ok((Decision::Equal, By::FirstRun));
        }
        let among = |policy| Ok::<_, Box<Report>>(linux.is_like(&self.model(policy)?));
        if among(Policy::RoundRobin)? {
            return Ok((Decision::Equal, By::OtherRun));
        }
        for seed in 0..effort.first {
            if among(Policy::random(seed))? {
                return Ok((Decision::Equal, By::OtherRun));
            }
        }
        Ok((self.search(linux, effort)?, By::Search))
    }

    /// Looks for what Linux did among all that the model can do.
    ///
    /// # Errors
    /// As [`Case::model`].
    pub fn search(&self, linux: &Did, effort: Effort) -> Result<Decision, Box<Report>> {
        let reached = program::reach_main(
            self.engine,
            self.control,
            self.ast,
            self.machine,
            effort.states,
            &Sought::new(&linux.outcome, linux.calls.as_ref()),
        )?;
        Ok(match reached {
            Reached::Yes => Decision::Equal,
            Reached::No => Decision::Different,
            Reached::Unknown => Decision::Undecided,
        })
    }
}

/// An engine and a booted machine for many programs, on this thread.
pub struct Bench {
    session: Session,
    world: World,
    /// Made when it is needed.
    sandbox: RefCell<Option<Sandbox>>,
}

impl Bench {
    /// Boots a machine and builds an engine.
    ///
    /// # Errors
    /// The machine does not boot.
    pub fn new(interrupt: Arc<AtomicBool>) -> Result<Bench, Box<Report>> {
        let boot = |e: crate::kernel::boot::BootError| {
            Box::new(Report::error("forkyard::boot", e.to_string()))
        };
        let world = World::new(BootConfig::default()).map_err(boot)?;
        let (output, loader) = (Box::new(Buffer::new()), Box::new(NoModules));
        let mut session = Session::new(Limits::default(), interrupt, output, loader);
        // The host's side is in a pid namespace.
        world.main().contain();
        world.register(&mut session.engine, &session.control, &mut session.scope);
        Ok(Bench { session, world, sandbox: RefCell::new(None) })
    }

    /// One run of a program on the host.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn host(&self, case: &Case, plan: &Plan) -> Result<Run, Refused> {
        let mut kept = self.sandbox.borrow_mut();
        let sandbox = match kept.as_mut() {
            Some(sandbox) => sandbox,
            None => kept.insert(Sandbox::new()?),
        };
        let ran = sandbox.run(&Language::new(case.engine, case.control, case.ast), plan);
        if matches!(ran, Err(Refused::Sandbox(_))) {
            *kept = None;
        }
        ran
    }

    /// Reads a program and does something with it.
    ///
    /// # Errors
    /// The script is wrong.
    pub fn with<T>(
        &self,
        text: &str,
        work: impl FnOnce(&Case) -> Result<T, Box<Report>>,
    ) -> Result<T, Box<Report>> {
        self.session.control.begin();
        let ast = self.session.compile("fuzz", text)?;
        self.session.control.set_script(&ast, text);
        work(&Case {
            engine: &self.session.engine,
            control: &self.session.control,
            ast: &ast,
            machine: self.world.main(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::stack;

    fn outcome(output: &str, ended: Ended) -> Did<'static> {
        let (output, pids) = (output.into(), vec![3, 4, 5]);
        let outcome = Outcome { output, ended, status: Some(0), pids };
        Did { outcome, calls: None }
    }

    /// Whether what Linux would have done is found on the model.
    fn search(text: &'static str, output: &'static str, ended: Ended) -> Decision {
        let work = move || {
            let bench = Bench::new(Arc::default()).unwrap();
            let linux = outcome(output, ended);
            bench.with(text, |case| case.search(&linux, Effort::default())).unwrap()
        };
        stack::on_deep_stack(work).unwrap()
    }

    const RACE: &str = "fn main() {
        if fork() == 0 { print(`a ${getpid()}`); print(\"b\"); exit(0); }
        if fork() == 0 { print(`c ${getpid()}`); print(\"d\"); exit(0); }
        wait();
        wait();
        print(\"end\");
    }";

    #[test]
    fn what_some_schedule_gives_is_found() {
        for output in ["a 4\nb\nc 5\nd\nend\n", "c 5\na 4\nd\nb\nend\n", "a 4\nc 5\nb\nd\nend\n"] {
            assert_eq!(search(RACE, output, Ended::Finished), Decision::Equal, "{output}");
        }
    }

    #[test]
    fn what_no_schedule_gives_is_different() {
        for output in ["b\na 4\nc 5\nd\nend\n", "a 4\nb\nend\nc 5\nd\n", "a 4\nb\nc 6\nd\nend\n"] {
            assert_eq!(search(RACE, output, Ended::Finished), Decision::Different, "{output}");
        }
        assert_eq!(search(RACE, "a 4\n", Ended::Stuck), Decision::Different);
    }

    #[test]
    fn a_bound_leaves_it_undecided() {
        let work = || {
            let bench = Bench::new(Arc::default()).unwrap();
            let linux = outcome("a 4\nb\nend\nc 5\nd\n", Ended::Finished);
            let effort = Effort { states: 2, ..Effort::default() };
            bench.with(RACE, |case| case.search(&linux, effort)).unwrap()
        };
        assert_eq!(stack::on_deep_stack(work).unwrap(), Decision::Undecided);
    }

    #[test]
    fn the_model_is_inside_of_a_pid_namespace() {
        // Kernel threads are out of sight.
        let alone = "fn main() { print(try_kill(-1, 0)); }";
        assert_eq!(search(alone, "-3\n", Ended::Finished), Decision::Equal);
        assert_eq!(search(alone, "\n", Ended::Finished), Decision::Different);
        // Process 1 is a parent like any other: the group is not orphaned by
        // main's end, and nobody makes its stopped member go on.
        let stops = "fn main() {
            setpgid(0, 0);
            let c = fork();
            if c == 0 { kill(getpid(), SIGSTOP); exit(0); }
            waitid(P_PID, c, WSTOPPED | WNOWAIT);
        }";
        assert_eq!(search(stops, "", Ended::Stuck), Decision::Equal);
        assert_eq!(search(stops, "", Ended::Finished), Decision::Different);
    }
}
