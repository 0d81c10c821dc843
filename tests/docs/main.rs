//! The documents are true: every script and every transcript in README and
//! book runs and prints what stands under it, and the generated pages are
//! current. `FORKYARD_BLESS=1 cargo test --test docs` writes outputs and pages
//! anew.

mod blocks;
mod functions;
mod generated;
mod markdown;
mod scope;
mod syscalls;

use std::path::{Path, PathBuf};

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether what is found is to be written instead of compared.
fn blessing() -> bool {
    std::env::var_os("FORKYARD_BLESS").is_some()
}

/// README, change log and all pages of the book, as paths from the root.
fn pages() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("README.md"), PathBuf::from("CHANGELOG.md")];
    let mut folders = vec![PathBuf::from("book/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Fails with all complaints at once.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_page_is_in_the_summary_and_every_link_of_it_leads_to_one() {
    let summary = read(Path::new("book/src/SUMMARY.md"));
    let linked: Vec<PathBuf> = summary
        .match_indices("](")
        .map(|(at, _)| summary[at + 2..].chars().take_while(|c| *c != ')').collect::<String>())
        .map(|link| Path::new("book/src").join(link))
        .collect();
    let mut wrong = Vec::new();
    for page in pages().iter().filter(|p| p.starts_with("book/src")) {
        if !page.ends_with("SUMMARY.md") && !linked.contains(page) {
            wrong.push(format!("{} is not in SUMMARY.md", page.display()));
        }
    }
    for link in linked.iter().filter(|l| !root().join(l).is_file()) {
        wrong.push(format!("SUMMARY.md links {}, which does not exist", link.display()));
    }
    none(&wrong);
}

#[test]
fn the_readme_has_exactly_two_set_up_commands() {
    let readme = read(Path::new("README.md"));
    let set_up = readme.split("\n## ").find(|s| s.starts_with("Set up")).unwrap();
    let commands: Vec<_> = set_up.lines().filter(|l| l.starts_with("$ ")).collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    assert_eq!(commands[1], "$ cargo test");
    let script = commands[0].strip_prefix("$ cargo run --release -- run ").unwrap();
    assert!(root().join(script).is_file(), "{script} does not exist");
}
