//! The page of scope: which systems of the project are shown by which scripts,
//! from the `covers:` lines of the scripts.

use std::collections::BTreeMap;
use std::fmt::Write;

use forkyard::cli::corpus;
use forkyard::cli::directives::Directives;

use crate::generated::NOTE;
use crate::root;

/// The systems, S01 first.
const SYSTEMS: [&str; 36] = [
    "task_struct and the lists of tasks",
    "`current`",
    "pids: allocation, reuse, the four roles",
    "task states",
    "kinship: parent, real_parent, children, group leader",
    "fork: kernel_clone and copy_process, step by step",
    "dup_task_struct: kernel stack and its magic word",
    "copy_thread: why fork returns twice",
    "copy-on-write",
    "dup_mmap and copy_page_range",
    "vfork",
    "clone with arbitrary flags",
    "clone3",
    "threads",
    "kernel threads",
    "processes 0, 1 and 2",
    "credentials",
    "signals",
    "exit and exit_group",
    "zombies and release_task",
    "the wait family",
    "orphans and their reapers",
    "sleeping: wait queues and completions",
    "the scheduler",
    "accounting",
    "files, descriptor tables, working directory",
    "namespaces, pid limits, seccomp",
    "resource limits",
    "exec",
    "ptrace",
    "views: status, maps, ps, pstree",
    "the x86_64 machine",
    "futexes and clear_child_tid",
    "a machine without an MMU",
    "the notes' own programs",
    "history",
];

/// The page.
pub fn page() -> String {
    let mut scripts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let corpus = corpus::find(&root().join("scripts")).unwrap();
    for case in &corpus.cases {
        let text = std::fs::read_to_string(&case.path).unwrap();
        let directives = Directives::parse(&case.name, &text).map_err(|r| r.message.clone());
        for id in directives.unwrap().covers {
            scripts.entry(id).or_default().push(case.name.clone());
        }
    }
    let mut out = format!(
        "{NOTE}# Scope\n\n\
         The systems this project is to contain, and the scripts that show each. A script names \
         them in a line `//@ covers: S09`. A row without scripts is not shown by any yet.\n\n\
         | id | system | scripts |\n|---|---|---|\n"
    );
    for (i, system) in SYSTEMS.iter().enumerate() {
        let id = format!("S{:02}", i + 1);
        let names: Vec<String> = scripts
            .remove(&id)
            .unwrap_or_default()
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let line = format!("| {id} | {system} | {}", names.join(", "));
        writeln!(out, "{} |", line.trim_end()).unwrap();
    }
    assert!(scripts.is_empty(), "scripts cover what is no row: {scripts:?}");
    out
}
