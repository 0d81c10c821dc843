//! The page of coverage: which systems of the project are shown by which
//! scripts (from their `covers:` lines), which of their facts are compared with
//! Linux (from the names of the tests), and what is left out on purpose (from
//! the headers of the modules).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use forkyard::cli::corpus;
use forkyard::cli::directives::Directives;

use crate::generated::NOTE;
use crate::root;

/// A system.
struct Row {
    title: &'static str,
    /// Numbers of the facts in `tests/linux_facts`.
    facts: &'static [u32],
    /// Files and folders below `src` whose headers say what is left out.
    code: &'static [&'static str],
    /// What else is compared with Linux, or left out.
    notes: &'static [&'static str],
}

const fn row(
    title: &'static str,
    facts: &'static [u32],
    code: &'static [&'static str],
    notes: &'static [&'static str],
) -> Row {
    Row { title, facts, code, notes }
}

/// The systems, S01 first.
const SYSTEMS: [Row; 36] = [
    row("task_struct and the lists of tasks", &[], &["kernel/list.rs"], &[]),
    row("`current`", &[], &["kernel/sched/core.rs"], &[]),
    row("pids: allocation, reuse, the four roles", &[5, 30], &["kernel/pid.rs"], &[]),
    row("task states", &[], &["kernel/fs/proc/status.rs"], &[]),
    row("kinship: parent, real_parent, children, group leader", &[10], &["kernel/wait.rs"], &[]),
    row(
        "fork: kernel_clone and copy_process, step by step",
        &[],
        &["kernel/fork.rs"],
        &["compared: `tests/inject.rs` lets each step fail and looks for what stays"],
    ),
    row("dup_task_struct: kernel stack and its magic word", &[], &["kernel/mm/vmalloc.rs"], &[]),
    row("copy_thread: why fork returns twice", &[], &["kernel/fork/copy.rs"], &[]),
    row("copy-on-write", &[14, 15], &["kernel/mm/fault.rs"], &[]),
    row("dup_mmap and copy_page_range", &[16, 17, 18], &["kernel/mm/fork.rs"], &[]),
    row("vfork", &[12, 13], &["kernel/fork/release.rs"], &[]),
    row(
        "clone with arbitrary flags",
        &[1, 2, 3, 9],
        &["kernel/clone_check.rs"],
        &[
            "compared: `tests/clone_flags` asks the running kernel for every flag, every pair and 5,000 triples",
        ],
    ),
    row("clone3", &[4, 6], &[], &[]),
    row("threads", &[19, 20, 23], &["script/bind/program/pthread.rs"], &[]),
    row("kernel threads", &[], &["kernel/kthread.rs", "kernel/kthread"], &[]),
    row("processes 0, 1 and 2", &[], &["kernel/init_task.rs", "kernel/boot.rs"], &[]),
    row("credentials", &[35, 36, 37, 38, 39], &["kernel/cred", "kernel/capability.rs"], &[]),
    row("signals", &[40, 41], &["kernel/signal"], &[]),
    row("exit and exit_group", &[], &["kernel/exit.rs"], &[]),
    row("zombies and release_task", &[22], &["kernel/exit/release.rs"], &[]),
    row("the wait family", &[24, 25, 26, 27, 28], &["kernel/wait.rs"], &[]),
    row("orphans and their reapers", &[29, 34], &["kernel/exit/reaper.rs"], &[]),
    row("sleeping: wait queues and completions", &[], &["kernel/wait_queue.rs"], &[]),
    row("the scheduler", &[42, 43], &["kernel/sched"], &[]),
    row("accounting", &[], &["kernel/sched/cputime.rs"], &[]),
    row("files, descriptor tables, working directory", &[], &["kernel/fs"], &[]),
    row(
        "namespaces, pid limits, seccomp",
        &[7, 31, 32, 33],
        &["kernel/nsproxy.rs", "kernel/unshare.rs", "kernel/setns.rs", "kernel/cgroup.rs"],
        &[
            "compared: 1,518 answers of unshare(2), in `tests/linux_facts/unshare.txt`",
            "left out: seccomp, but for the line in status",
        ],
    ),
    row("resource limits", &[11], &["kernel/rlimit.rs", "kernel/cgroup/pids.rs"], &[]),
    row(
        "exec",
        &[21],
        &["kernel/fs/exec.rs", "kernel/fs/exec"],
        &["compared: `tests/elf.rs` gives files with changed headers to both kernels"],
    ),
    row(
        "ptrace",
        &[],
        &["kernel/ptrace"],
        &[
            "compared: the scripts of `scripts/ptrace` that are programs, and random programs, run on Linux too",
        ],
    ),
    row(
        "views: status, maps, ps, pstree",
        &[],
        &["kernel/fs/proc"],
        &["compared: `tests/procfs.rs` reads all files with an independent parser"],
    ),
    row(
        "the x86_64 machine",
        &[],
        &["machine"],
        &["left out: executing machine code; user mode is driven by scripts"],
    ),
    row(
        "futexes and clear_child_tid",
        &[],
        &["kernel/futex.rs", "kernel/futex"],
        &["compared: `tests/linux_facts/futex.rs` holds the answers of a C program"],
    ),
    row("a machine without an MMU", &[], &["kernel/mm/nommu.rs"], &[]),
    row(
        "the notes' own programs",
        &[],
        &[],
        &[
            "compared: `tests/notes.rs` runs them in three ways, one of them on Linux",
            "left out: as compiled ELF files",
        ],
    ),
    row("history", &[], &[], &[]),
];

/// Facts by number, as the tests name them.
fn facts() -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    for file in std::fs::read_dir(root().join("tests/linux_facts")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for name in text.split("fn fact_").skip(1) {
            let name = name.split('(').next().unwrap_or("");
            let (number, words) = name.split_once('_').expect("a number and words");
            let words = words.replace('_', " ");
            found
                .entry(number.parse().expect("a number"))
                .and_modify(|all: &mut String| *all += &format!("; {words}"))
                .or_insert(words);
        }
    }
    found
}

/// The files at a place, sorted.
fn files(place: &Path, found: &mut Vec<std::path::PathBuf>) {
    if place.is_file() {
        return found.push(place.to_path_buf());
    }
    let mut inside: Vec<_> =
        std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect();
    inside.sort();
    for path in inside {
        if path.is_dir() || path.extension().is_some_and(|e| e == "rs") {
            files(&path, found);
        }
    }
}

/// What the header of a module says is left out.
fn left_out(text: &str) -> Option<String> {
    let header: Vec<&str> =
        text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let from = header.iter().position(|line| line.contains("Left out:"))?;
    let words: Vec<&str> = header[from..].iter().copied().take_while(|l| !l.is_empty()).collect();
    let words = words.join(" ");
    let words = words.split("Left out:").nth(1)?.trim().trim_end_matches('.').to_string();
    // What is only left to another module is not left out.
    let elsewhere = words.starts_with("nothing") || words.contains("see `");
    (!elsewhere).then_some(words)
}

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
    let mut facts = facts();
    let mut out = format!(
        "{NOTE}# Coverage\n\n\
         The systems this project contains: the scripts that show each, the facts that are \
         compared with a running Linux, and what is left out on purpose. A script names its \
         systems in a line `//@ covers: S09`; what is left out is what the modules say of \
         themselves.\n"
    );
    for (i, row) in SYSTEMS.iter().enumerate() {
        let id = format!("S{:02}", i + 1);
        write!(out, "\n## {id}: {}\n\n", row.title).unwrap();
        let names = scripts.remove(&id).unwrap_or_default();
        assert!(!names.is_empty(), "{id} ({}) is shown by no script", row.title);
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        writeln!(out, "- scripts: {}", names.join(", ")).unwrap();
        for number in row.facts {
            let words = facts.remove(number).unwrap_or_else(|| panic!("there is no fact {number}"));
            writeln!(out, "- fact {number}: {words}").unwrap();
        }
        for note in row.notes {
            writeln!(out, "- {note}").unwrap();
        }
        for place in row.code {
            let mut all = Vec::new();
            files(&root().join("src").join(place), &mut all);
            for file in all {
                let name = file.strip_prefix(root().join("src")).unwrap().display().to_string();
                if name.contains("tests") {
                    continue;
                }
                if let Some(words) = left_out(&std::fs::read_to_string(&file).unwrap()) {
                    let words = words.replace('<', "\\<");
                    writeln!(out, "- left out in `{name}`: {words}").unwrap();
                }
            }
        }
    }
    assert!(scripts.is_empty(), "scripts cover what is no row: {scripts:?}");
    assert!(facts.is_empty(), "facts of no row: {facts:?}");
    out
}
