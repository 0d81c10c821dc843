//! busybox, a shell and its tools in one file, natively and by `forkyard exec`:
//! the scripts of `tests/busybox` print the same and end the same. Without a
//! busybox that needs no libraries there is nothing to compare.

#![cfg(unix)]
#![expect(clippy::print_stdout, reason = "what is skipped is said")]

mod host_programs;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use host_programs::{busybox, difference, run};

/// A root directory with busybox under all its names, a script and a place to work.
fn make_root(root: &Path, busybox: &Path, script: &str) {
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::create_dir_all(root.join("work")).unwrap();
    fs::copy(busybox, root.join("bin/busybox")).unwrap();
    let names = Command::new(busybox).arg("--list").output().unwrap();
    for name in String::from_utf8(names.stdout).unwrap().lines().filter(|n| *n != "busybox") {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/busybox");
    fs::copy(from.join(script), root.join("script")).unwrap();
}

fn compare(script: &str) {
    let Some(busybox) = busybox() else {
        println!("skipped: there is no busybox without libraries");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    make_root(&root, busybox, script);
    let does = "cd \"$TOP/work\" && . \"$TOP/script\"";
    let top = root.to_str().unwrap();

    let mut emulated = Command::new(env!("CARGO_BIN_EXE_forkyard"));
    emulated.args(["exec", "--root", top, "--env", "PATH=/bin", "--env", "TOP="]);
    emulated.args(["/bin/sh", "-c", does]);
    let emulated = run(&mut emulated, &folder.path().join("emulated")).unwrap();
    // It comes second: it leaves its files behind.
    let mut native = Command::new(root.join("bin/sh"));
    native.args(["-c", does]).env_clear().env("HOME", "/root").env("TOP", top);
    native.env("PATH", root.join("bin"));
    let native = run(&mut native, &folder.path().join("native")).unwrap();
    if let Err(e) = difference(&native, &emulated) {
        panic!("{script}: {e}");
    }
}

#[test]
fn the_language() {
    compare("basics.sh");
}

#[test]
fn processes_and_signals() {
    compare("jobs.sh");
}

#[test]
fn filters() {
    compare("text.sh");
}

#[test]
fn files_and_archives() {
    compare("files.sh");
}

#[test]
fn what_proc_says() {
    compare("proc.sh");
}
