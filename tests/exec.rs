//! The notes' programs in C, compiled here: natively and by `forkyard exec` they
//! print the same and end the same. Without a C compiler that links statically
//! there is nothing to compare.

#![expect(clippy::print_stdout, reason = "what is skipped is said")]

use std::path::Path;
use std::process::{Command, Output};

fn exec(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forkyard")).arg("exec").args(args).output().unwrap()
}

#[test]
fn programs_of_the_notes_do_as_they_do_natively() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/c");
    for name in ["cow", "vfork", "thread", "waitpid", "subreaper"] {
        for level in ["-O0", "-O2"] {
            let program = folder.path().join(format!("{name}{level}"));
            let mut cc = Command::new("cc");
            cc.args([level, "-static", "-pthread", "-o"]).arg(&program);
            let made = cc.arg(root.join(format!("{name}.c"))).output();
            if !made.is_ok_and(|m| m.status.success()) {
                println!("skipped: no C compiler that links statically");
                return;
            }
            let native = Command::new(&program).output().unwrap();
            let found = exec(&[program.to_str().unwrap()]);
            let text = |o: &Output| String::from_utf8_lossy(&o.stdout).into_owned();
            assert_eq!(text(&found), text(&native), "{name} {level}");
            assert_eq!(found.status.code(), native.status.code(), "{name} {level}");
        }
    }
}

#[test]
fn what_cannot_be_executed_says_why() {
    let missing = exec(&["/nowhere/prog"]);
    assert_eq!(missing.status.code(), Some(127));
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let refused = exec(&[text.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(126));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("ENOEXEC"));
}
