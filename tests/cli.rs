//! The program from outside: what it prints where, how it ends, and that no
//! input makes it panic.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::cargo::CommandCargoExt;

/// How a run ended: exit code, standard output, standard error.
struct Run(i32, String, String);

fn command(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("forkyard").unwrap();
    command.args(args).stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

fn finish(mut command: Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let err = text(output.stderr);
    assert!(!err.contains("panicked"), "{err}");
    assert!(!err.contains('\u{1b}'), "colour without a terminal: {err:?}");
    Run(output.status.code().unwrap_or(-1), text(output.stdout), err)
}

fn run(args: &[&str]) -> Run {
    finish(command(args))
}

/// Runs in a folder.
fn run_in(folder: &Path, args: &[&str]) -> Run {
    let mut command = command(args);
    command.current_dir(folder);
    finish(command)
}

/// Runs with something on standard input.
fn run_with(args: &[&str], input: &[u8]) -> Run {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, input).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let mut command = command(args);
    command.stdin(file);
    finish(command)
}

#[test]
fn output_is_the_scripts_alone() {
    let Run(code, out, err) = run(&["run", "-e", "print(1); print(\"漢\"); 7"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "1\n漢\n", ""));
}

#[test]
fn a_failure_goes_to_standard_error() {
    let Run(code, out, err) = run(&["run", "-e", "print(1);\nassert(1 == 2);"]);
    assert_eq!((code, out.as_str()), (1, "1\n"));
    assert!(err.contains("[-e:2:"), "{err}");
}

#[test]
fn diagnostics_for_programs_are_one_object_a_line() {
    let Run(code, _, err) = run(&["run", "--error-format", "json", "-e", "expect(1 == 2); x"]);
    assert_eq!(code, 1);
    for line in err.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["file"], "-e");
    }
    assert!(!err.is_empty());
    let Run(code, _, err) = run(&["run", "--error-format=json", "no/such/file"]);
    let object: serde_json::Value = serde_json::from_str(err.trim()).unwrap();
    assert_eq!((code, object["code"].as_str()), (2, Some("forkyard::input")));
}

#[test]
fn the_script_chooses_its_exit_code() {
    assert_eq!(run(&["run", "-e", "exit(3)"]).0, 3);
    assert_eq!(run(&["run", "-e", "fn f() { try { exit(4) } catch { } } f(); print(1)"]).0, 4);
    assert_eq!(run(&["run", "-e", "exit()"]).0, 0);
    assert_eq!(run(&["run", "-e", "exit(0)"]).0, 0);
    let Run(code, _, err) = run(&["run", "-e", "exit(256)"]);
    assert!(code == 1 && err.contains("from 0 to 255"), "{err}");
    assert_eq!(run(&["run", "-e", "expect(1 == 2); exit(0)"]).0, 1);
}

#[test]
fn wrong_usage_is_exit_2() {
    for args in [
        &["run"][..],
        &["frobnicate"],
        &["run", "x", "-e", "1"],
        &["run", "-e", "1", "--cpus", "0"],
        &["run", "-e", "1", "--ram", "lots"],
        &["run", "-e", "1", "--paging-levels", "3"],
        &["completions", "cmd.exe"],
    ] {
        let Run(code, out, err) = run(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(err.contains("error:"), "{err}");
    }
}

#[test]
fn help_has_examples_and_fits() {
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["repl", "--help"],
        &["test", "--help"],
        &["exercises", "--help"],
        &["completions", "--help"],
    ] {
        let Run(code, out, _) = run(args);
        assert_eq!(code, 0);
        assert!(out.contains("Example"), "{args:?}: {out}");
        let long = out.lines().find(|line| line.chars().count() > 80);
        assert_eq!(long, None, "{args:?}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let Run(code, out, _) = run(&["completions", shell]);
        assert!(code == 0 && out.contains("forkyard"), "{shell}");
    }
    assert!(run(&["--version"]).1.starts_with("forkyard "));
}

#[test]
fn what_cannot_be_read_is_exit_2_and_explained() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("fork.rhai", b"print(1)");
    write("bad.rhai", b"print(1)\nprint(\"\xff\")");
    write("nul.rhai", b"print(1)\0");
    for (file, message) in [
        ("frok.rhai", "did you mean `fork.rhai`?"),
        ("fork", "did you mean `fork.rhai`?"),
        ("none/x.rhai", "there is no folder `none` either"),
        (".", "is a directory, not a script"),
        ("bad.rhai", "byte 0xff at offset 16 is not UTF-8"),
        ("fork.rhai/x", "there is no file"),
    ] {
        let Run(code, out, err) = run_in(dir.path(), &["run", file]);
        assert_eq!((code, out.as_str()), (2, ""), "{file}: {err}");
        assert!(err.contains(message), "{file}: {err}");
    }
    assert_eq!(run_in(dir.path(), &["run", "nul.rhai"]).0, 1);
    assert_eq!(run_with(&["run", "-"], b"\xff\xfe").0, 2);
    assert_eq!(run_with(&["run", "-"], b"print(`from ${1 + 1}`)").1, "from 2\n");
    assert!(run(&["run", "/dev/zero"]).2.contains("is longer than 1048576 bytes"));
}

#[test]
fn modules_come_from_the_scripts_folder() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("scripts");
    std::fs::create_dir_all(folder.join("lib")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("lib/m.rhai", "fn f() { 42 }");
    write("a.rhai", "import \"lib/m\" as m; print(m::f())");
    write("out.rhai", "import \"../x\" as m;");
    write("cycle.rhai", "import \"cycle2\" as m;");
    write("cycle2.rhai", "import \"cycle\" as m;");
    std::fs::write(dir.path().join("x.rhai"), "").unwrap();
    assert_eq!(run_in(dir.path(), &["run", "scripts/a.rhai"]).1, "42\n");
    let Run(code, _, err) = run_in(dir.path(), &["run", "scripts/out.rhai"]);
    assert!(code == 1 && err.contains("folder"), "{err}");
    let Run(code, _, err) = run_in(dir.path(), &["run", "scripts/cycle.rhai"]);
    assert!(code == 1 && err.contains("import each other"), "{err}");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child = command(&["run", "-e", "for i in 0..100000 { print(`line ${i}`) }"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut some = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
    for args in [&["--help"][..], &["completions", "bash"], &["run", "-e", "print(1)"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = command(args);
        let output = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let mut command = command(&["run", "-e", "print(1)"]);
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write"));
}

#[test]
fn hostile_scripts_end_in_order() {
    for (code, message) in [
        ("loop { print(\"x\".len()) }", "printed more than"),
        ("fn f(n) { f(n + 1) } f(0)", "call"),
        ("let s = \"x\"; loop { s += s; }", "limit"),
        ("let a = []; loop { a.push(a) }", "limit"),
    ] {
        let Run(exit, _, err) = run(&["run", "-e", code]);
        assert_eq!(exit, 1, "{code}: {err}");
        assert!(err.contains(message), "{code}: {err}");
    }
    let deep = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(run_with(&["run", "-"], deep.as_bytes()).0, 1);
}

#[test]
fn hostile_use_of_the_machine_ends_in_order() {
    for (code, exit, message) in [
        ("loop { init.fork() }", 1, "EAGAIN"),
        ("for i in 0..100000 { init.mmap(4096) }", 0, ""),
        ("init.store(0xffffffffffffffff, 1)", 1, ""),
        ("init.load(-1)", 1, ""),
        ("init.mmap(#{len: 0x7fffffffffffffff})", 1, "ENOMEM"),
        ("init.clone(0xffffffff)", 1, "EINVAL"),
        ("init.open(\"a\\x00b\", 0)", 1, ""),
        ("init.syscall(999999)", 1, "ENOSYS"),
        ("init.prctl(-1)", 1, ""),
        ("init.exit(0)", 1, "init"),
        ("boot(#{ram: \"1K\"})", 1, ""),
        ("boot(#{ram: \"99T\"})", 1, ""),
        ("init.fork(\"x\", [], #{})", 1, "fork"),
        ("init.waitpid(\"three\")", 1, ""),
    ] {
        let Run(found, _, err) = run(&["run", "-e", code]);
        assert_eq!(found, exit, "{code}: {err}");
        assert!(err.contains(message), "{code}: {err}");
    }
}

#[test]
fn the_machine_is_chosen_by_options_and_first_lines() {
    let look = "print(machine)";
    assert!(run(&["run", "-e", look]).1.contains("1 cpu, 256 MiB"));
    assert!(run(&["run", "-e", look, "--cpus", "3", "--ram=32M"]).1.contains("3 cpus, 32 MiB"));
    let text = format!("//@ boot: cpus=2 ram=16M\n{look}");
    assert!(run(&["run", "-e", &text]).1.contains("2 cpus, 16 MiB"));
    assert!(run(&["run", "-e", &text, "--ram", "64M"]).1.contains("2 cpus, 64 MiB"));
    let Run(code, _, err) = run(&["run", "-e", look, "--ram", "4K"]);
    assert!(code == 2 && err.contains("does not boot"), "{err}");
    let Run(code, _, err) = run(&["run", "-e", "init.fork()", "--no-mmu"]);
    assert!(code == 1 && err.contains("fork"), "{err}");
    let five = "print(init.walk(init.define(\"x\", 1)))";
    assert!(
        run(&["run", "-e", five, "--paging-levels=5"]).1.len() > run(&["run", "-e", five]).1.len()
    );
}

#[test]
fn traces_go_to_standard_error_and_name_the_line() {
    let code = "print(1);\nlet c = init.fork();\nprint(2);";
    let Run(exit, out, err) = run(&["run", "-e", code, "--trace=copy_mm"]);
    assert_eq!((exit, out.as_str()), (0, "1\n2\n"));
    assert!(err.contains("-e:2") && err.contains("copy_mm() {"), "{err}");
    assert!(!err.contains("copy_files"), "{err}");
    let Run(_, _, err) = run(&["run", "-e", code, "--trace"]);
    assert!(err.contains("copy_files") && err.contains("fork"), "{err}");
    // Before the print that follows, and not at the very end.
    let mut command = Command::new("sh");
    let program = assert_cmd::cargo::cargo_bin("forkyard");
    let both = format!("'{}' run --trace=copy_mm -e '{code}' 2>&1", program.display());
    let Run(_, out, _) = finish({
        command.args(["-c", &both]);
        command
    });
    assert!(out.starts_with("1\n-e:2") && out.ends_with("\n2\n"), "{out}");
}

#[test]
fn directives_are_honoured_and_checked() {
    let Run(code, _, err) = run(&["run", "-e", "//@ limits: ops=100\nloop {}"]);
    assert!(code == 1 && err.contains("100"), "{err}");
    let Run(code, _, err) = run(&["run", "-e", "//@ limit: ops=100\n1"]);
    assert!(code == 2 && err.contains("did you mean `limits`?"), "{err}");
}

/// A folder of scripts for `forkyard test`.
fn corpus() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join("scripts").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("good.rhai", "import \"lib/m\" as m;\nprint(m::f())");
    write("good.out", "42\n");
    write("lib/m.rhai", "fn f() { 42 }");
    write("fails/on_purpose.rhai", "//@ exit: 1\nprint(1);\nassert(1 == 2)");
    write("quiet.rhai", "let a = 1;");
    dir
}

#[test]
fn scripts_are_tests() {
    let dir = corpus();
    let Run(code, out, _) = run_in(dir.path(), &["test"]);
    assert_eq!(code, 1);
    assert!(out.contains("FAILED scripts/fails/on_purpose.rhai"), "{out}");
    assert!(out.contains("+++ fails/on_purpose.out (found)\n+1\n"), "{out}");
    assert!(out.ends_with("2 passed, 1 failed\n"), "{out}");

    let Run(code, out, _) = run_in(dir.path(), &["test", "--bless", "purpose"]);
    assert_eq!(
        (code, out.lines().last()),
        (0, Some("1 passed, 0 failed, 2 left out, 2 goldens written"))
    );
    assert_eq!(run_in(dir.path(), &["test"]).1, "3 passed, 0 failed\n");
    let golden = dir.path().join("scripts/fails/on_purpose.err");
    assert!(std::fs::read_to_string(&golden).unwrap().contains("fails/on_purpose.rhai:3:"));

    std::fs::write(dir.path().join("scripts/fails/on_purpose.rhai"), "1").unwrap();
    let Run(code, out, _) = run_in(dir.path(), &["test", "--bless"]);
    assert!(code == 0 && !golden.exists(), "{out}");

    std::fs::write(dir.path().join("scripts/gone.out"), "1").unwrap();
    let Run(code, out, _) = run_in(dir.path(), &["test"]);
    assert!(code == 1 && out.contains("scripts/gone.out: no script belongs to it"), "{out}");
}

#[test]
fn a_script_that_ends_wrongly_is_not_blessed() {
    let dir = corpus();
    std::fs::write(dir.path().join("scripts/good.rhai"), "print(1); assert(false)").unwrap();
    let Run(code, out, _) = run_in(dir.path(), &["test", "--bless", "good"]);
    assert!(code == 1 && out.contains("exit code 1 instead of 0"), "{out}");
    let golden = std::fs::read_to_string(dir.path().join("scripts/good.out")).unwrap();
    assert_eq!(golden, "42\n");
}

#[test]
fn nothing_to_test_is_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run_in(dir.path(), &["test"]).0, 2);
    let dir = corpus();
    let Run(code, _, err) = run_in(dir.path(), &["test", "nothing"]);
    assert!(code == 2 && err.contains("(3 scripts)"), "{err}");
    assert_eq!(run_in(dir.path(), &["test", "scripts/quiet.rhai"]).0, 0);
}

#[test]
fn a_program_runs_again_from_the_schedule_it_prints() {
    let code = "fn main() { if fork() == 0 { print(1); exit(0) } print(2); wait(); }";
    for policy in ["fifo", "round-robin", "random", "kernel"] {
        let args = ["run", "--policy", policy, "--seed", "3", "--print-schedule", "-e", code];
        let Run(status, out, err) = run(&args);
        assert_eq!(status, 0, "{err}");
        let schedule = err.trim().strip_prefix("--schedule \"").unwrap().strip_suffix('"').unwrap();
        let again = run(&["run", "--schedule", schedule, "--print-schedule", "-e", code]);
        assert_eq!((again.0, again.1, again.2), (0, out, err), "{policy}");
    }
    let Run(status, _, err) = run(&["run", "--schedule", "1 7", "-e", code]);
    assert_eq!(status, 1);
    assert!(err.contains("step 2 of the schedule is process 7"), "{err}");
    let Run(status, _, err) = run(&["run", "--schedule", "soon", "-e", code]);
    assert_eq!(status, 2);
    assert!(err.contains("`soon` is no choice"), "{err}");
    let Run(status, _, err) = run(&["run", "--policy", "fifo", "-e", "print(1)"]);
    assert_eq!(status, 2);
    assert!(err.contains("is no program"), "{err}");
}
