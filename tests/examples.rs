//! The example programs print what stands beside them.
//! `FORKYARD_BLESS=1 cargo test --test examples` writes that anew.

use std::path::Path;

use forkyard::cli::golden;

#[path = "../examples/clone_flags.rs"]
mod clone_flags;
#[path = "../examples/fork_cow.rs"]
mod fork_cow;
#[path = "../examples/undo.rs"]
mod undo;

fn check(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.out"));
    if std::env::var_os("FORKYARD_BLESS").is_some() {
        golden::bless(&path, found).unwrap();
    }
    let expected = golden::read(&path).unwrap();
    if let Some(diff) = golden::diff(&format!("examples/{name}.out"), &expected, found) {
        panic!("\n{diff}");
    }
}

#[test]
fn fork_cow_shows_one_frame_becoming_two() {
    check("fork_cow", &fork_cow::run().unwrap());
}

#[test]
fn clone_flags_tells_what_linux_says() {
    check("clone_flags", &clone_flags::run().unwrap());
}

#[test]
fn undo_finds_both_outcomes_of_the_race() {
    let text = undo::run().unwrap();
    check("undo", &text);
    assert!(text.ends_with("the system is the same\n"));
}
