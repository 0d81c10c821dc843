//! Is an exercise solved? The learner's file must run to its end, and after it
//! every hidden check must hold on the machine that it left behind.
//!
//! A check is a piece of script under a line `//@ check: what must hold`. What
//! it says about a failure points into the learner's own file: at the last word
//! that a line `//@ at: word` names, or at the file's last statement.
//!
//! Left out: checks of how a file is written; only what it did counts.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::catalog::Exercise;
use crate::cli::execute::Plan;
use crate::cli::files::Input;
use crate::cli::{OK, USAGE};
use crate::script::control::Buffer;
use crate::script::diagnostic::Report;
use crate::script::run::Session;
use crate::script::source::Source;

/// One hidden check.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check<'t> {
    /// What must hold, as a sentence.
    title: &'t str,
    /// The word in the learner's file that it is about.
    at: Option<&'t str>,
    /// The script.
    code: &'t str,
}

/// What became of a learner's file.
#[derive(Debug)]
pub struct Verdict {
    /// Everything that is wrong; nothing means solved.
    pub reports: Vec<Report>,
    /// Checks that held, and all checks.
    pub held: usize,
    /// See there.
    pub all: usize,
    /// It was stopped by Ctrl-C.
    pub interrupted: bool,
}

/// Runs a learner's file and the checks of its exercise.
pub fn check(exercise: &Exercise, input: Input, interrupt: &Arc<AtomicBool>) -> Verdict {
    let checks = parse(&exercise.check);
    let mut verdict =
        Verdict { reports: Vec::new(), held: 0, all: checks.len(), interrupted: false };
    let source = Arc::new(Source::new(input.name.as_str(), &input.text));
    let mut plan = match Plan::new(input) {
        Ok((plan, _)) => plan,
        Err(report) => {
            verdict.reports.push(*report);
            return verdict;
        }
    };
    plan.interrupt = interrupt.clone();
    let (finished, failed) = plan.run_and_then(Buffer::new(), |_| {}, {
        let source = source.clone();
        let checks = exercise.check.clone();
        move |session, world, finished| {
            if finished.code != OK {
                return Vec::new();
            }
            let after = world.snapshot();
            let mut failed = Vec::new();
            for check in parse(&checks) {
                failed.extend(run(session, &check, &source));
                world.restore(&after);
            }
            failed
        }
    });
    verdict.interrupted = finished.code == crate::cli::INTERRUPTED;
    verdict.held = if finished.code == OK { checks.len() - failed.len() } else { 0 };
    if finished.code != OK && finished.reports.is_empty() {
        let message = format!("the file ended with exit code {}", finished.code);
        verdict.reports.push(Report::error(CODE, message));
    }
    debug_assert!(finished.code != USAGE || !finished.reports.is_empty());
    verdict.reports.extend(finished.reports);
    verdict.reports.extend(failed);
    verdict
}

/// Takes the checks of an exercise apart.
fn parse(text: &str) -> Vec<Check<'_>> {
    let mut checks = Vec::new();
    for part in text.split("//@ check:").skip(1) {
        let (title, mut code) = part.split_once('\n').unwrap_or((part, ""));
        let mut at = None;
        if let Some(rest) = code.strip_prefix("//@ at:") {
            let (word, rest) = rest.split_once('\n').unwrap_or((rest, ""));
            (at, code) = (Some(word.trim()), rest);
        }
        checks.push(Check { title: title.trim(), at, code });
    }
    checks
}

/// Runs one check with the learner's variables and functions; what it says if
/// it does not hold.
fn run(session: &mut Session, check: &Check, learners: &Arc<Source>) -> Option<Report> {
    // One reason is enough to go on with.
    let first = evaluate(session, check, learners)?;
    let title = format!("not yet: {}", check.title);
    let own = first.source.as_ref().is_some_and(|s| s.name() == learners.name());
    if own {
        // A function of the learner's failed when the check called it.
        let mut report = first;
        let message = std::mem::replace(&mut report.message, title);
        report.code = CODE;
        return Some(report.note(message));
    }
    let mut report = Report::error(CODE, title)
        .with_source(learners)
        .label(place(learners, check.at), "look here");
    report.kernel = first.kernel.clone();
    if matches!(first.code, "forkyard::unknown-variable" | "forkyard::unknown-function") {
        let help = "keep the names that the exercise began with: the checks use them";
        return Some(report.note(first.message).help(help));
    }
    for note in facts(&first) {
        report = report.note(note);
    }
    Some(report)
}

/// The first complaint of a check.
fn evaluate(session: &mut Session, check: &Check, learners: &Arc<Source>) -> Option<Report> {
    session.control.begin();
    let ast = session
        .compile(learners.name(), learners.text())
        .and_then(|theirs| Ok((theirs, session.compile("check", check.code)?)));
    let ast = match ast {
        Ok((theirs, ours)) => {
            let mut ast = theirs.clone_functions_only().merge(&ours);
            // Functions are the learner's; statements, those of the main
            // source, which is the check.
            ast.set_source(learners.name());
            ast.clear_source();
            ast
        }
        Err(report) => return Some(*report),
    };
    let result = session.engine.eval_ast_with_scope(&mut session.scope, &ast);
    let result = session.finish(&ast, result);
    let mut failed = match result {
        Ok(outcome) => outcome.failed,
        Err(report) => {
            let mut failed = session.control.take_failures();
            failed.push(*report);
            failed
        }
    };
    (!failed.is_empty()).then(|| failed.remove(0))
}

/// The code of what checks say.
const CODE: &str = "forkyard::exercise";

/// What a failed assertion says, without showing the check's own text: its
/// message, and the values of its operands.
fn facts(report: &Report) -> Vec<String> {
    let said = report.message.strip_prefix("assertion failed").unwrap_or(&report.message);
    let said = said.trim_start_matches(':').trim();
    let mut facts: Vec<String> = (!said.is_empty()).then(|| said.to_string()).into_iter().collect();
    if let Some(source) = &report.source {
        let values = report.labels.iter().skip(1).filter(|l| !l.text.is_empty());
        facts.extend(values.map(|l| format!("`{}` is {}", source.slice(&l.span), l.text)));
    }
    facts
}

/// The last use of a word, or the last line with something in it.
fn place(source: &Source, word: Option<&str>) -> Range<usize> {
    let text = source.text();
    let uses = word.and_then(|w| source.tokens().iter().rfind(|t| t.text(text) == w));
    if let Some(token) = uses {
        return token.range.clone();
    }
    let end = source.tokens().last().map_or(0, |t| t.range.end);
    let (line, _) = source.line_column(end);
    let range = source.line_range(line).unwrap_or(0..0);
    let indent = source.slice(&range).len() - source.slice(&range).trim_start().len();
    range.start + indent..end.max(range.start + indent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exercises::catalog::sample;
    use crate::script::diagnostic::Style;

    fn verdict(text: &str) -> Verdict {
        let input = Input { name: "answer.rhai".into(), text: text.into(), folder: ".".into() };
        check(&sample(), input, &Arc::default())
    }

    #[test]
    fn the_solution_passes_and_the_start_does_not() {
        let exercise = sample();
        let solved = verdict(&exercise.solution);
        assert!(solved.reports.is_empty(), "{:?}", solved.reports);
        assert_eq!((solved.held, solved.all), (2, 2));
        assert!(!verdict(&exercise.start).reports.is_empty());
    }

    #[test]
    fn failures_point_into_the_learners_file() {
        let found = verdict("let x = 41;\nlet y = 1;\n\n// done\n");
        assert_eq!((found.held, found.reports.len()), (1, 1));
        let text = found.reports[0].render(Style::Plain);
        assert!(text.contains("not yet: x is the answer"), "{text}");
        assert!(text.contains("answer.rhai:1:5"), "{text}");
        assert!(!text.contains("assert"), "the check is hidden: {text}");

        let found = verdict("let x = 42;\n  let z = x;\n");
        let text = found.reports[0].render(Style::Plain);
        assert!(text.contains("answer.rhai:2:3") && text.contains("keep the names"), "{text}");
    }

    #[test]
    fn a_file_that_fails_is_not_checked() {
        for text in ["let x = 42; let y = 1; throw 1", "exit(3)", "let x = ", "//@ exits: 1\n"] {
            let found = verdict(text);
            assert!(!found.reports.is_empty(), "{text}");
            assert_eq!(found.held, 0, "{text}");
        }
        // Leaving early is no way around the checks.
        assert_eq!(verdict("let x = 41; let y = 1; return 42;").reports.len(), 1);
    }

    #[test]
    fn checks_may_call_the_learners_functions() {
        let mut exercise = sample();
        exercise.check = "//@ check: twice works\nassert(twice(2) == 4);".into();
        let say = |text: &str| {
            let input = Input { name: "twice.rhai".into(), text: text.into(), folder: ".".into() };
            let found = check(&exercise, input, &Arc::default());
            found.reports.iter().map(|r| r.render(Style::Plain)).collect::<String>()
        };
        assert_eq!(say("fn twice(x) { x * 2 }"), "");
        let wrong = say("fn twice(x) {\n    x.nothing\n}\nlet y = 1;");
        assert!(wrong.contains("[twice.rhai:2:"), "{wrong}");
        assert!(say("fn double(x) { x }").contains("keep the names"));
    }

    #[test]
    fn an_empty_file_has_a_place() {
        let text = verdict("").reports[0].render(Style::Plain);
        assert!(text.contains("answer.rhai:1:1"), "{text}");
    }
}
