//! `forkyard explore` from outside: what it prints, shards and what joins them,
//! and Ctrl-C.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;

const RACE: &str = "\
fn increment() {
    for i in 0..2 { vars.count = vars.count + 1; }
}
fn main() {
    define(\"count\", 0);
    let flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD;
    clone(flags, increment);
    clone(flags, increment);
    wait();
    wait();
    print(vars.count);
    if choose([true, false]) { exit(vars.count) }
    assert(vars.count == 4, \"an addition is lost\");
}
";

/// Goes on for ever, and finds new states all the time.
const ENDLESS: &str = "fn main() { let i = 0; loop { i += 1; write(1, \"x\"); } }";

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("forkyard").unwrap();
    command.arg("explore").args(args).current_dir(folder).stdin(Stdio::null());
    command
}

fn output(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

/// What it prints when all is well.
fn text(folder: &Path, args: &[&str]) -> String {
    let Output { status, stdout, stderr } = output(folder, args);
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(status.success() && stderr.is_empty(), "{args:?}: {stderr}");
    String::from_utf8(stdout).unwrap()
}

fn refused(folder: &Path, args: &[&str]) -> String {
    let Output { status, stderr, .. } = output(folder, args);
    assert_eq!(status.code(), Some(2), "{args:?}");
    String::from_utf8(stderr).unwrap()
}

fn folder_with_race() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("race.rhai"), RACE).unwrap();
    folder
}

#[test]
fn json_has_outcomes_with_counts_and_schedules() {
    let folder = folder_with_race();
    let json = text(folder.path(), &["--memory", "--format", "json", "race.rhai"]);
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&found["complete"], &found["bounds_hit"]), (&true.into(), &Value::Array(vec![])));
    assert!(found["states"].as_u64().unwrap() > 100);
    let outcomes = found["outcomes"].as_array().unwrap();
    let of = |output: &str, exit: i64| {
        let is = |one: &&Value| one["output"] == output && one["exit"] == exit;
        outcomes.iter().find(is).unwrap_or_else(|| panic!("{output:?} {exit}: {json}"))
    };
    // 2, 3 or 4, as exit code, or with an assertion that fails below 4.
    for (count, code) in [("2\n", 2), ("3\n", 3), ("4\n", 4), ("2\n", 134), ("4\n", 0)] {
        let one = of(count, code);
        assert!(one["count"].as_u64().unwrap() > 0);
        assert_eq!(one["ending"], "finished");
        let crashes = one["crashes"].as_array().unwrap();
        let lost = "assertion failed: an addition is lost, line 13";
        assert_eq!(crashes.iter().any(|c| c == lost), code == 134, "{crashes:?}");
    }
    assert_eq!(outcomes.len(), 6);
}

#[test]
fn threads_and_shards_find_the_same() {
    let folder = folder_with_race();
    let at = folder.path();
    let json = ["--memory", "--format", "json", "race.rhai"];
    let one = text(at, &[&json[..], &["--jobs", "1"]].concat());
    assert_eq!(text(at, &[&json[..], &["--jobs", "2"]].concat()), one);
    let mut files = Vec::new();
    for i in 1..=3 {
        let lines = text(at, &["--memory", "race.rhai", "--shard", &format!("{i}/3")]);
        files.push(format!("{i}.jsonl"));
        fs::write(at.join(&files[i - 1]), lines).unwrap();
    }
    let merged = |files: &[String]| {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let args = [&["--format", "json", "--merge"], &files[..]].concat();
        serde_json::from_str::<Value>(&text(at, &args)).unwrap()
    };
    let (all, one): (Value, Value) = (merged(&files), serde_json::from_str(&one).unwrap());
    assert_eq!((&all["outcomes"], &all["complete"]), (&one["outcomes"], &true.into()));
    // One that is missing, or was killed before its last line, is said so.
    let some = merged(&files[..2]);
    assert_eq!((&some["complete"], &some["bounds_hit"][0]), (&false.into(), &"shards".into()));
    let whole = fs::read_to_string(at.join("3.jsonl")).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    fs::write(at.join("3.jsonl"), lines[..lines.len() - 1].join("\n")).unwrap();
    assert_eq!(merged(&files)["complete"], false);
    // Made anew, and appended: one file with all lines.
    let mut together = String::new();
    for file in &files {
        together += &(fs::read_to_string(at.join(file)).unwrap() + "\n");
    }
    together += &whole;
    fs::write(at.join("all.jsonl"), &together).unwrap();
    assert_eq!(merged(&["all.jsonl".into()]), all);
}

#[test]
fn lines_that_do_not_belong_together_are_refused() {
    let folder = folder_with_race();
    let at = folder.path();
    let keep = |name: &str, args: &[&str]| fs::write(at.join(name), text(at, args)).unwrap();
    keep("1.jsonl", &["--memory", "race.rhai", "--shard", "1/2"]);
    keep("2.jsonl", &["race.rhai", "--shard", "2/2"]);
    assert!(refused(at, &["--merge", "1.jsonl", "2.jsonl"]).contains("another exploration"));
    let lost = fs::read_to_string(at.join("1.jsonl")).unwrap();
    fs::write(at.join("lost.jsonl"), lost.split_once('\n').unwrap().1).unwrap();
    assert!(refused(at, &["--merge", "lost.jsonl"]).contains("should have"));
    assert!(refused(at, &["--merge", "race.rhai"]).contains("race.rhai, line 1"));
    fs::write(at.join("empty.jsonl"), "").unwrap();
    assert!(refused(at, &["--merge", "empty.jsonl"]).contains("no shard"));
    assert!(refused(at, &["--merge", "1.jsonl", "--format", "dot"]).contains("nothing to draw"));
    for wrong in ["0/2", "3/2", "x"] {
        assert!(refused(at, &["race.rhai", "--shard", wrong]).contains("like 2/8"));
    }
    refused(at, &["race.rhai", "--shard", "1/2", "--samples", "3"]);
    refused(at, &["race.rhai", "--pct", "2"]);
    refused(at, &["--jobs", "0", "race.rhai"]);
}

#[test]
fn runs_by_chance_depend_on_the_seed_alone() {
    let folder = folder_with_race();
    let at = folder.path();
    for pct in [&[][..], &["--pct", "3"]] {
        let args = [&["--memory", "race.rhai", "--samples", "50", "--seed", "9"], pct].concat();
        let made = |jobs: &str| text(at, &[&args[..], &["--jobs", jobs]].concat());
        assert_eq!(made("1"), made("2"));
        assert!(made("1").contains("not complete: samples"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_search_prints_what_it_has_found() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("endless.rhai"), ENDLESS).unwrap();
    let args = ["--depth", "1000000000", "--format", "json", "endless.rhai"];
    let mut child = command(folder.path(), &args).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(700));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let found: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&found["complete"], &found["bounds_hit"][0]), (&false.into(), &"stopped".into()));
    assert!(found["states"].as_u64().unwrap() > 1);
}

/// The page of the book about many machines; its commands are run here, with
/// fewer shards and what the batch engine would set.
const RECIPES: &str = include_str!("../book/src/many-machines.md");

#[cfg(unix)]
#[test]
fn the_recipes_of_the_book_work() {
    let shell = |folder: &Path, line: &str| {
        let binary = Command::cargo_bin("forkyard").unwrap();
        let bin = Path::new(binary.get_program()).parent().unwrap().to_owned();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(folder)
            .env("PATH", path)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && stderr.is_empty(), "{line}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    };
    let ours = |line: &'static str| {
        let command = &line[line.find("forkyard explore")?..];
        Some(command.split('\'').next().unwrap_or(command))
    };
    let lines = RECIPES.lines().filter(|line| !line.starts_with(['$', '`']));
    let commands: Vec<&str> = lines.filter_map(ours).collect();
    let (merges, shards): (Vec<&str>, Vec<&str>) =
        commands.iter().partition(|command| command.contains("--merge"));
    assert_eq!((merges.len(), shards.len()), (1, 3), "{commands:?}");
    let mut results = Vec::new();
    for shard in shards {
        let folder = folder_with_race();
        for i in ["1", "2", "3"] {
            let line = shard.replace("/32", "/3").replace("{}", i);
            let line = line.replace("$SLURM_ARRAY_TASK_ID", i).replace("$i", i);
            assert_eq!(shell(folder.path(), &line), "");
        }
        results.push(shell(folder.path(), merges[0]));
    }
    assert!(results.iter().all(|result| *result == results[0]));
    assert!(results[0].starts_with("6 outcomes"), "{}", results[0]);
    assert!(!results[0].contains("not complete"), "{}", results[0]);
}

const REAPS: &str = "\
fn main() {
    if fork() == 0 { exit(0) }
    wait();
}
fn zombie(m) {
    m.init.children.len() == 1 && m.init.children[0].children.some(|c| c.exit_state == EXIT_ZOMBIE)
}
fn few(m) { m.nr_threads <= 4 }
fn two(a, b) { true }
fn number(m) { 3 }
";

/// What is claimed of functions of the script, and the exit code.
#[test]
fn claims_are_looked_at_in_every_state() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("reaps.rhai"), REAPS).unwrap();
    let ran = |args: &[&str]| {
        let Output { status, stdout, stderr } =
            output(folder.path(), &[&["reaps.rhai"], args].concat());
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    };
    let good = ["--always", "few", "--exists", "zombie", "--exists", "few"];
    let (code, text, stderr) = ran(&good);
    assert_eq!((code, &*stderr), (0, ""), "{text}");
    assert!(text.contains("claim always(few): holds\nclaim exists(zombie): holds, schedule "));
    let (code, json, _) =
        ran(&["--never", "zombie", "--never", "few", "--always", "few", "--format", "json"]);
    assert_eq!(code, 1);
    let found: Value = serde_json::from_str(&json).unwrap();
    let claims = found["claims"].as_array().unwrap();
    let holds: Vec<_> = claims.iter().map(|c| (c["claim"].clone(), c["holds"].clone())).collect();
    let expected = [("always", true), ("never", false), ("never", false)];
    assert_eq!(holds, expected.map(|(claim, holds)| (claim.into(), holds.into())));
    // The schedule leads to a state that shows it: the child is dead, and
    // nobody has waited for it.
    let schedule = claims[1]["schedule"].as_str().unwrap();
    let look = format!(
        "let p = start(main); {} assert(init.children[0].children[0].exit_state == EXIT_ZOMBIE);",
        steps(schedule)
    );
    fs::write(folder.path().join("look.rhai"), format!("{REAPS}{look}")).unwrap();
    let mut run = Command::cargo_bin("forkyard").unwrap();
    let run = run.args(["run", "look.rhai"]).current_dir(folder.path()).output().unwrap();
    assert!(run.status.success(), "{schedule}: {run:?}");
    // What is bounded says so.
    let (code, text, _) = ran(&["--states", "3", "--always", "few", "--exists", "zombie"]);
    assert_eq!(code, 1);
    assert!(text.contains("claim exists(zombie): does not hold in the states looked at"), "{text}");
    // Errors are no verdicts.
    for (args, code, words) in [
        (&["--always", "zombi"][..], 2, "did you mean `zombie`?"),
        (&["--never", "two"], 2, "takes 2 parameters"),
        (&["--always", "few", "--samples", "3"], 2, "cannot be used with"),
        (&["--always", "number"], 1, "must say true or false, not a number"),
    ] {
        let (was, text, stderr) = ran(args);
        assert_eq!(was, code, "{args:?}: {text}");
        assert!(stderr.contains(words) && !text.contains("claim"), "{args:?}: {stderr}");
    }
}

/// A schedule as calls of `p.step`.
fn steps(schedule: &str) -> String {
    let mut text = String::new();
    for choice in schedule.split(' ') {
        let (process, times) = choice.split_once('x').unwrap_or((choice, "1"));
        text += &format!("for i in 0..{times} {{ p.step({process}); }} ");
    }
    text
}
