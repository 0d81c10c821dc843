//! The exercises: every start fails, every solution passes, and the commands
//! work in an empty folder without losing anything of the learner's.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use assert_cmd::cargo::CommandCargoExt;
use forkyard::cli::files::Input;
use forkyard::exercises::catalog::{self, Exercise};
use forkyard::exercises::check::{Verdict, check};
use forkyard::script::diagnostic::Style;

fn verdict(exercise: &Exercise, text: &str) -> Verdict {
    let name = format!("{}.rhai", exercise.name);
    let input = Input { name, text: text.into(), folder: ".".into() };
    check(exercise, input, &Arc::default())
}

fn text(verdict: &Verdict) -> String {
    verdict.reports.iter().map(|r| r.render(Style::Plain)).collect()
}

#[test]
fn there_are_eleven() {
    let names: Vec<String> = catalog::all().unwrap().into_iter().map(|e| e.name).collect();
    assert_eq!(
        names,
        [
            "fork_tree",
            "cow",
            "zombie",
            "orphan",
            "vfork",
            "clone_flags",
            "credentials",
            "wait_status",
            "two_returns",
            "who_wrote",
            "back_from_a_fault"
        ]
    );
}

#[test]
fn every_start_fails_and_says_where() {
    for exercise in catalog::all().unwrap() {
        let found = verdict(&exercise, &exercise.start);
        let text = text(&found);
        assert!(!found.reports.is_empty(), "{}", exercise.name);
        assert!(text.contains(&format!("[{}.rhai:", exercise.name)), "{text}");
        for wrong in ["unknown", "syntax", "internal", "[check"] {
            assert!(!text.contains(wrong), "{}: {text}", exercise.name);
        }
    }
}

#[test]
fn every_solution_passes() {
    for exercise in catalog::all().unwrap() {
        let found = verdict(&exercise, &exercise.solution);
        assert!(found.reports.is_empty(), "{}: {}", exercise.name, text(&found));
        assert!(found.held == found.all && found.all >= 3, "{}", exercise.name);
    }
}

/// What a start asks for cannot be had by taking its assertions out.
#[test]
fn hidden_checks_see_through_missing_assertions() {
    for exercise in catalog::all().unwrap() {
        let lines = exercise.start.lines().filter(|l| !l.starts_with("assert"));
        let found = verdict(&exercise, &lines.collect::<Vec<_>>().join("\n"));
        assert!(!found.reports.is_empty(), "{}", exercise.name);
        assert!(!text(&found).contains("unknown"), "{}", text(&found));
    }
}

/// Exit code, standard output, standard error.
fn forkyard(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("forkyard").unwrap();
    command.arg("exercises").args(args).current_dir(folder).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(!err.contains("panicked"), "{err}");
    (output.status.code().unwrap_or(-1), out, err)
}

#[test]
fn a_learner_goes_through_an_exercise() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("exercises/fork_tree.rhai");
    let solution = &catalog::all().unwrap()[0].solution;

    let (code, out, _) = forkyard(dir.path(), &[]);
    assert!(code == 0 && out.ends_with("0 of 11 solved. Next: forkyard exercises run fork_tree\n"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "looking leaves nothing");

    let (code, _, err) = forkyard(dir.path(), &["run", "fork_tree"]);
    assert!(code == 1 && err.contains("Grow a family tree"), "{err}");
    assert!(err.contains("exercises/fork_tree.rhai:"), "{err}");
    assert!(file.exists());

    let (code, out, err) = forkyard(dir.path(), &["check", "fork_tree"]);
    assert!(code == 1 && out.contains("not solved yet, 0 of 4 checks hold"), "{out}{err}");
    assert!(forkyard(dir.path(), &["hint", "1"]).1.starts_with("Hint 1 of 3: "));
    assert!(forkyard(dir.path(), &["hint", "1"]).1.starts_with("Hint 2 of 3: "));
    let (_, out, _) = forkyard(dir.path(), &["list"]);
    assert!(out.lines().next().unwrap().ends_with("begun, 2 of 3 hints"), "{out}");

    std::fs::write(&file, solution).unwrap();
    let (code, _, err) = forkyard(dir.path(), &["run", "fork_tree"]);
    assert_eq!((code, err.as_str()), (0, ""), "the learner's file is run, not replaced");
    let (code, out, err) = forkyard(dir.path(), &["check"]);
    assert!(code == 0 && out.starts_with("fork_tree: solved\nNext: "), "{out}{err}");
    let (_, out, _) = forkyard(&dir.path().join("exercises"), &[]);
    assert!(out.contains("1 of 11 solved. Next: forkyard exercises run cow"), "{out}");

    let (code, out, _) = forkyard(dir.path(), &["reset", "fork_tree"]);
    assert!(code == 0 && out.contains("fork_tree.rhai.old"), "{out}");
    let old = dir.path().join("exercises/fork_tree.rhai.old");
    assert_eq!(&std::fs::read_to_string(old).unwrap(), solution);
    assert!(forkyard(dir.path(), &[]).1.contains("0 of 11 solved"));
}

#[test]
fn wrong_words_are_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = forkyard(dir.path(), &["run", "zombi3"]);
    assert!(code == 2 && err.contains("did you mean `zombie`?"), "{err}");
    let (code, _, err) = forkyard(dir.path(), &["check", "cow"]);
    assert!(code == 2 && err.contains("forkyard exercises run cow"), "{err}");
    assert_eq!(forkyard(dir.path(), &["check"]).0, 2);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    std::fs::create_dir(dir.path().join("exercises")).unwrap();
    std::fs::write(dir.path().join("exercises/.progress.json"), "{").unwrap();
    let (code, _, err) = forkyard(dir.path(), &["list"]);
    assert!(code == 2 && err.contains("remove it to begin anew"), "{err}");
    std::fs::remove_dir_all(dir.path().join("exercises")).unwrap();
    std::fs::write(dir.path().join("exercises"), "in the way").unwrap();
    let (code, _, err) = forkyard(dir.path(), &["run", "cow"]);
    assert!(code == 2 && err.contains("exercises"), "{err}");
}

#[test]
fn an_endless_exercise_ends() {
    let exercise = &catalog::all().unwrap()[0];
    let found = verdict(exercise, "//@ limits: ops=1000\nloop {}");
    assert!(text(&found).contains("operations"), "{}", text(&found));
}
