//! The notes' programs on the model and on this machine's kernel: the same
//! files, the same outputs. Skipped with a message where the host permits no
//! sandbox.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::fs;
use std::process::Command;

#[test]
fn the_notes_programs_do_the_same_on_linux() {
    let entries = fs::read_dir("scripts/programs").unwrap().map(|e| e.unwrap().path());
    let mut programs: Vec<_> = entries
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("notes_") && name.ends_with(".rhai")
        })
        .collect();
    programs.sort();
    assert!(programs.len() >= 5, "{programs:?}");
    for path in programs {
        let expected = fs::read_to_string(path.with_extension("out")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_forkyard"));
        let output = command.args(["run", "--on", "linux"]).arg(&path).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        if err.contains("the host does not permit") {
            eprintln!("{}: skipped: {err}", path.display());
            return;
        }
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            expected,
            "{}: {err}",
            path.display()
        );
        assert_eq!((output.status.code(), err), (Some(0), String::new()), "{}", path.display());
    }
}
