//! `forkyard exec --gdb`, with the gdb that is installed: its own commands, and what
//! it prints. Skipped where there is no gdb or no gcc.

#![expect(clippy::print_stderr, reason = "says why it skips")]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
    found.is_ok_and(|s| s.success())
}

/// The probe, compiled once a test. `None`: it cannot be.
fn probe(name: &str) -> Option<PathBuf> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) || !has("gdb") || !has("gcc") {
        eprintln!("skipped: it needs gdb and gcc on x86-64 Linux");
        return None;
    }
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("gdb_probe_{name}"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/host/gdb_probe.c");
    let flags = ["-g", "-O0", "-w", "-fno-stack-protector", "-static", "-nostdlib", "-o"];
    let built = Command::new("gcc").args(flags).arg(&out).arg(source).status().unwrap();
    if !built.success() {
        eprintln!("skipped: gcc does not compile the probe");
        return None;
    }
    Some(out)
}

struct Session {
    /// What gdb has printed.
    gdb: String,
    /// What the program has written.
    out: String,
    status: Option<i32>,
}

impl Session {
    /// That gdb has printed these, in this order.
    #[track_caller]
    fn prints(&self, texts: &[&str]) {
        let mut rest = &self.gdb[..];
        for text in texts {
            let Some(at) = rest.find(text) else {
                panic!("`{text}` is not in its place:\n{}", self.gdb)
            };
            rest = &rest[at + text.len()..];
        }
    }
}

/// Runs the probe under gdb with these commands.
fn session(name: &str, args: &[&str], commands: &[&str]) -> Option<Session> {
    let program = probe(name)?;
    let mut server = Command::new(env!("CARGO_BIN_EXE_forkyard"))
        .args(["exec", "--gdb", "0"])
        .arg(&program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(server.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    let Some((_, at)) = line.trim().split_once("waiting for gdb on ") else {
        panic!("it does not wait for gdb: {line}")
    };
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "--batch", "-ex", "set debuginfod enabled off", "-ex", "set pagination off"]);
    gdb.args(["-ex", &format!("target remote {at}")]);
    commands.iter().for_each(|c| {
        gdb.args(["-ex", c]);
    });
    let printed = gdb.arg(&program).stdin(Stdio::null()).output().unwrap();
    let mut out = String::new();
    server.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let status = server.wait().unwrap().code();
    let mut gdb = String::from_utf8_lossy(&printed.stdout).into_owned();
    gdb.push_str(&String::from_utf8_lossy(&printed.stderr));
    Some(Session { gdb, out, status })
}

#[test]
fn breaks_steps_and_looks() {
    let commands = [
        "handle SIGUSR1 nostop noprint pass",
        "break parent_work",
        "continue",
        "backtrace",
        "print value",
        "next",
        "print value",
        "info registers rip",
        "x/i $pc",
        "stepi",
        "monitor maps",
        "monitor walk 0x401000",
        "continue",
    ];
    let Some(s) = session("looks", &[], &commands) else { return };
    s.prints(&[
        "Breakpoint 1, parent_work ()",
        "#1",
        "in run (argc=1)",
        "$1 = 11",
        "$2 = 3",
        "rip",
        "<parent_work+",
        // What `monitor` prints is on gdb's standard error, behind all else.
        "exited with code 036",
        "[stack]",
        "PTE[",
    ]);
    assert_eq!((s.out.as_str(), s.status), ("child\nparent\n", Some(30)));
}

#[test]
fn sees_threads_and_calls() {
    let commands = [
        "handle SIGUSR1 nostop noprint pass",
        "break work",
        "continue",
        "info threads",
        "print n",
        "delete",
        "catch syscall futex",
        "continue",
        "kill",
    ];
    let Some(s) = session("threads", &[], &commands) else { return };
    s.prints(&[
        "hit Breakpoint 1, work (n=1)",
        "(S in futex)",
        "* 2",
        "$1 = 1",
        "syscall futex",
        "killed",
    ]);
    assert_eq!(s.status, Some(137));
}

#[test]
fn sees_signals_before_they_are_taken() {
    let commands = [
        "continue",
        "stepi",
        "bt 1",
        "signal 0",
        "print $_siginfo.si_signo",
        "x/i $pc",
        "continue",
    ];
    let Some(s) = session("signals", &["crash"], &commands) else { return };
    s.prints(&[
        "received signal SIGUSR1",
        "handler (sig=",
        "#0",
        "received signal SIGSEGV",
        "crash ()",
        "$1 = 11",
        "movl",
        "terminated with signal SIGSEGV",
    ]);
    assert_eq!(s.status, Some(139));
}

#[test]
fn follows_the_child() {
    let commands = [
        "handle SIGUSR1 nostop noprint pass",
        "set follow-fork-mode child",
        "break child_work",
        "continue",
        "next",
        "print value",
        "continue",
    ];
    let Some(s) = session("child", &[], &commands) else { return };
    s.prints(&["child_work ()", "$1 = 2", "exited with code 05"]);
    // The parent went on by itself.
    assert_eq!((s.out.as_str(), s.status), ("child\nparent\n", Some(30)));
}

#[test]
fn goes_back() {
    let commands = [
        "handle SIGUSR1 nostop noprint pass",
        "break parent_work",
        "continue",
        "next",
        "print value",
        "delete 1",
        "watch value",
        "reverse-continue",
        "reverse-continue",
        "delete",
        "print value",
        "reverse-continue",
        "print value",
        "continue",
    ];
    let Some(s) = session("back", &[], &commands) else { return };
    s.prints(&[
        "$1 = 3",
        "Old value = 3",
        "New value = 11",
        "Old value = 11",
        "New value = 1",
        "$2 = 1",
        "No more reverse-execution history",
        "$3 = 1",
    ]);
    assert!(s.out.starts_with("child\n"), "{}", s.out);
    assert_eq!(s.status, Some(30));
}

#[test]
fn lets_go() {
    let Some(s) = session("detach", &[], &["break run", "continue", "detach"]) else { return };
    s.prints(&["Breakpoint 1, run (argc=1)", "detached"]);
    assert_eq!((s.out.as_str(), s.status), ("child\nparent\n", Some(30)));
}
