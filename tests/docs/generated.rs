//! Pages that are written from the code: each must say what the code says.

use std::path::Path;

use forkyard::cli::golden;

use crate::{blessing, functions, root, scope, syscalls};

/// Begins every generated page.
pub const NOTE: &str = "<!-- Written by `FORKYARD_BLESS=1 cargo test --test docs`. -->\n\n";

fn check(path: &str, found: &str) {
    let file = root().join(path);
    if blessing() {
        golden::bless(&file, found).unwrap();
    }
    let expected = golden::read(Path::new(&file)).unwrap();
    if let Some(diff) = golden::diff(path, &expected, found) {
        panic!("{path} is not current: run `FORKYARD_BLESS=1 cargo test --test docs`\n{diff}");
    }
}

#[test]
fn the_page_of_functions_is_current() {
    check("book/src/reference/functions.md", &functions::page());
}

#[test]
fn the_page_of_syscalls_is_current() {
    check("book/src/reference/syscalls.md", &syscalls::page());
}

#[test]
fn the_page_of_scope_is_current() {
    check("book/src/reference/scope.md", &scope::page());
}
