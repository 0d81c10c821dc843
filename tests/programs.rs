//! Programs in C, compiled here by whatever links statically: natively and by
//! `forkyard exec` they print the same and end the same. Each is in
//! `tests/programs`, and says there what it is about.
//!
//! ```text
//! FORKYARD_PROGRAM=pipes cargo test --test programs     only one of them
//! ```
//!
//! Without a C compiler that links statically there is nothing to compare; what
//! is skipped is said.

#![cfg(unix)]
#![expect(clippy::print_stdout, reason = "what is skipped is said")]

mod host_programs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use host_programs::{busybox, difference, run};

/// Ways to make a program: what it is called, and the compiler.
const VARIANTS: &[(&str, &[&str])] =
    &[("gcc-O0", &["gcc", "-O0"]), ("gcc-O2", &["gcc", "-O2"]), ("musl-O2", &["musl-gcc", "-O2"])];

/// Programs that start a shell: `/bin/sh` of the emulated machine is busybox.
const NEED_SHELL: &[&str] = &["shell"];

/// As many are made and run at once.
const THREADS: usize = 2;

fn sources() -> Vec<PathBuf> {
    let only = std::env::var("FORKYARD_PROGRAM").ok();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "c"))
        .filter(|path| only.as_ref().is_none_or(|only| name(path) == *only))
        .collect();
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// Which compilers link a program that runs without libraries.
fn compilers(folder: &Path) -> Vec<(&'static str, &'static [&'static str])> {
    let source = folder.join("empty.c");
    fs::write(&source, "int main(void) { return 0; }").unwrap();
    let links = |cc: &[&str]| {
        let out = folder.join("empty");
        let mut made = Command::new(cc[0]);
        made.args(&cc[1..]).args(["-static", "-pthread", "-o"]).arg(&out).arg(&source);
        made.output().is_ok_and(|o| o.status.success())
    };
    let (there, absent): (Vec<_>, Vec<_>) = VARIANTS.iter().partition(|(_, cc)| links(cc));
    for (variant, cc) in absent {
        println!("skipped: {variant}: there is no {} that links statically", cc[0]);
    }
    there
}

/// Compiles a program and runs it on both kernels; what is different, if anything.
fn compare(source: &Path, variant: &str, cc: &[&str], folder: &Path) -> Result<(), String> {
    let name = name(source);
    let own = folder.join(format!("{name}-{variant}"));
    fs::create_dir_all(own.join("root/bin")).unwrap();
    let program = own.join("root/prog");
    let mut make = Command::new(cc[0]);
    make.args(&cc[1..]).args(["-static", "-pthread", "-Wall", "-Wextra", "-o"]);
    let made = make.arg(&program).arg(source).arg("-lm").output().unwrap();
    if !made.status.success() || !made.stderr.is_empty() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    let mut native = Command::new(&program);
    let mut emulated = Command::new(env!("CARGO_BIN_EXE_forkyard"));
    emulated.arg("exec");
    if NEED_SHELL.contains(&&*name) {
        let Some(busybox) = busybox() else {
            println!("skipped: {name}: there is no busybox without libraries");
            return Ok(());
        };
        fs::copy(busybox, own.join("root/bin/sh")).unwrap();
        emulated.arg("--root").arg(own.join("root")).arg("/prog");
    } else {
        emulated.arg(&program);
    }
    native.current_dir(&own).env_clear();
    // As `forkyard exec` sets them.
    native.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    native.env("HOME", "/root");
    let native = run(&mut native, &own.join("native"))?;
    let emulated = run(&mut emulated, &own.join("emulated"))?;
    difference(&native, &emulated)
}

#[test]
fn programs_do_as_they_do_natively() {
    let folder = tempfile::tempdir().unwrap();
    let compilers = compilers(folder.path());
    let mut work = Vec::new();
    for source in sources() {
        work.extend(compilers.iter().map(|(variant, cc)| (source.clone(), *variant, *cc)));
    }
    work.reverse();
    let (work, wrong) = (Mutex::new(work), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let next = work.lock().unwrap().pop();
                    let Some((source, variant, cc)) = next else { break };
                    if let Err(e) = compare(&source, variant, cc, folder.path()) {
                        wrong.lock().unwrap().push(format!("{} {variant}: {e}", name(&source)));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}
