//! Exercises: scripts that fail until the learner makes them work, with hints
//! and hidden checks. They travel inside the program, so that `forkyard
//! exercises` works in an empty folder.
//!
//! ```text
//! catalog ── put ──► desk: ./exercises/NAME.rhai ◄── the learner edits
//!    │                         │
//!    └── hidden checks ──► check ──► progress: ./exercises/.progress.json
//! ```
//!
//! Left out: sending results anywhere.

pub mod catalog;
pub mod check;
pub mod desk;
pub mod progress;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::cli::args::{ErrorFormat, Exercises, ExercisesCommand};
use crate::cli::console::Console;
use crate::cli::execute::Plan;
use crate::cli::{FAILED, INTERRUPTED, OK, USAGE, files, interrupt};
use crate::script::diagnostic::Report;
use catalog::Exercise;
use desk::Desk;
use progress::Progress;

/// Does what the arguments say and gives the exit code.
pub fn run(args: &Exercises, console: &Console) -> u8 {
    let code = Course::open(console).and_then(|mut course| match &args.command {
        None | Some(ExercisesCommand::List) => course.list(),
        Some(ExercisesCommand::Run { name }) => course.run(name),
        Some(ExercisesCommand::Check { name }) => course.check(name.as_deref()),
        Some(ExercisesCommand::Hint { name }) => course.hint(name),
        Some(ExercisesCommand::Reset { name }) => course.reset(name),
    });
    console.close(code.unwrap_or_else(|message| {
        let report = Report::error("forkyard::exercises", message);
        console.report(&report, ErrorFormat::Human);
        USAGE
    }))
}

/// All exercises and one learner.
struct Course<'c> {
    all: Vec<Exercise>,
    desk: Desk,
    progress: Progress,
    console: &'c Console,
}

/// An exit code, or why the command cannot be done.
type Code = Result<u8, String>;

/// An error as text, for [`Code`].
fn text(e: impl std::error::Error) -> String {
    e.to_string()
}

impl<'c> Course<'c> {
    fn open(console: &'c Console) -> Result<Course<'c>, String> {
        let desk = Desk::in_folder(Path::new("."));
        let progress = Progress::load(&desk.progress()).map_err(text)?;
        Ok(Course { all: catalog::all().map_err(text)?, desk, progress, console })
    }

    fn find(&self, name: &str) -> Result<Exercise, String> {
        catalog::find(&self.all, name).cloned()
    }

    fn save(&self) -> Result<(), String> {
        self.desk.make().map_err(text)?;
        self.progress.save(&self.desk.progress()).map_err(text)
    }

    fn interrupt(&self) -> Arc<AtomicBool> {
        interrupt::flag(self.console.out())
    }

    fn list(&mut self) -> Code {
        let width = self.all.iter().map(|e| e.name.len()).max().unwrap_or(0);
        let titles = self.all.iter().map(|e| e.title.chars().count()).max().unwrap_or(0);
        for e in &self.all {
            let done = self.progress.of(&e.name);
            let mut state = match (done.solved, self.desk.has(e)) {
                (true, _) => "solved".to_string(),
                (false, true) => "begun".to_string(),
                (false, false) => String::new(),
            };
            if done.hints > 0 {
                state += &format!(", {} of {} hints", done.hints, e.hints.len());
            }
            let (number, name, title) = (e.number, &e.name, &e.title);
            let line = format!("{number:3}  {name:width$}  {title:titles$}  {state}");
            self.console.print(&format!("{}\n", line.trim_end()));
        }
        let solved = self.all.iter().filter(|e| self.progress.of(&e.name).solved).count();
        self.console.print(&format!("\n{solved} of {} solved. {}\n", self.all.len(), self.next()));
        Ok(OK)
    }

    /// What to do next.
    fn next(&self) -> String {
        match self.all.iter().find(|e| !self.progress.of(&e.name).solved) {
            Some(e) => format!("Next: forkyard exercises run {}", e.name),
            None => "That is all of them.".into(),
        }
    }

    fn run(&mut self, name: &str) -> Code {
        let exercise = self.find(name)?;
        let file = self.desk.file(&exercise);
        if self.desk.put(&exercise).map_err(text)? {
            self.console.note(&format!(
                "{}. {}\n\n{}\n\nIt is in {}: edit it and run it again. When it runs,\n\
                 `forkyard exercises check {}` says whether it is solved.\n",
                exercise.number,
                exercise.title,
                exercise.text,
                file.display(),
                exercise.name
            ));
        }
        let input = match files::read(&file) {
            Ok(input) => input,
            Err(e) => {
                self.console.report(&e.report(), ErrorFormat::Human);
                return Ok(USAGE);
            }
        };
        let mut plan = match Plan::new(input) {
            Ok((plan, _)) => plan,
            Err(report) => {
                self.console.report(&report, ErrorFormat::Human);
                return Ok(USAGE);
            }
        };
        plan.interrupt = self.interrupt();
        let finished = plan.run(self.console.out(), |_| {});
        self.console.reports(&finished.reports, ErrorFormat::Human);
        Ok(finished.code)
    }

    fn check(&mut self, name: Option<&str>) -> Code {
        let wanted: Vec<Exercise> = match name {
            Some(name) => vec![self.find(name)?],
            None => self.all.iter().filter(|e| self.desk.has(e)).cloned().collect(),
        };
        let missing = wanted.iter().find(|e| !self.desk.has(e));
        if let Some(e) = missing.or(self.all.first().filter(|_| wanted.is_empty())) {
            return Err(format!("not begun yet: forkyard exercises run {}", e.name));
        }
        let interrupt = self.interrupt();
        let mut code = OK;
        for exercise in &wanted {
            match self.check_one(exercise, &interrupt)? {
                OK => {}
                INTERRUPTED => return Ok(INTERRUPTED),
                other => code = other,
            }
        }
        if code == OK {
            self.console.print(&format!("{}\n", self.next()));
        }
        Ok(code)
    }

    fn check_one(&mut self, exercise: &Exercise, interrupt: &Arc<AtomicBool>) -> Code {
        let input = match files::read(&self.desk.file(exercise)) {
            Ok(input) => input,
            Err(e) => {
                self.console.report(&e.report(), ErrorFormat::Human);
                return Ok(USAGE);
            }
        };
        let verdict = check::check(exercise, input, interrupt);
        self.console.reports(&verdict.reports, ErrorFormat::Human);
        if verdict.interrupted {
            return Ok(INTERRUPTED);
        }
        let name = &exercise.name;
        if !verdict.reports.is_empty() {
            let (held, all) = (verdict.held, verdict.all);
            self.console.print(&format!(
                "{name}: not solved yet, {held} of {all} checks hold. \
                 A hint: forkyard exercises hint {name}\n"
            ));
            return Ok(FAILED);
        }
        self.console.print(&format!("{name}: solved\n"));
        self.progress.of_mut(name).solved = true;
        self.save()?;
        Ok(OK)
    }

    fn hint(&mut self, name: &str) -> Code {
        let exercise = self.find(name)?;
        let all = exercise.hints.len();
        let done = self.progress.of_mut(&exercise.name);
        let Some(hint) = exercise.hints.get(done.hints).or(exercise.hints.last()) else {
            return Err(format!("`{}` has no hints", exercise.name));
        };
        done.hints = (done.hints + 1).min(all);
        let shown = done.hints;
        self.console.print(&format!("Hint {shown} of {all}: {hint}\n"));
        self.save()?;
        Ok(OK)
    }

    fn reset(&mut self, name: &str) -> Code {
        let exercise = self.find(name)?;
        let kept = self.desk.reset(&exercise).map_err(text)?;
        *self.progress.of_mut(&exercise.name) = progress::Done::default();
        self.save()?;
        let file = self.desk.file(&exercise);
        self.console.print(&format!("{} is as it was at the start", file.display()));
        if let Some(kept) = kept {
            self.console.print(&format!("; your file is {}", kept.display()));
        }
        self.console.print("\n");
        Ok(OK)
    }
}
