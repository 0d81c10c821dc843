//! The page of system calls, from the table that dispatches them.

use std::fmt::Write;

use forkyard::kernel::syscalls::refused::{GONE, GROUPS};
use forkyard::kernel::syscalls::table::{AREAS, Support, Syscall, is_modelled};

use crate::generated::NOTE;

/// Headings of the areas, in the order of the table.
const HEADINGS: [&str; 22] = [
    "Processes",
    "Futexes",
    "Memory",
    "Identity and limits",
    "Signals",
    "Files",
    "Looking at files",
    "Names",
    "Owners, modes and times of files",
    "What is in files",
    "Several buffers at once",
    "Extended attributes",
    "Waiting for descriptors: poll",
    "Waiting for descriptors: select",
    "Events, timers and signals as descriptors",
    "Waiting for descriptors: epoll",
    "Everything else",
    "The machine",
    "Scheduling",
    "Time",
    "POSIX timers",
    "Tracing",
];

fn row(out: &mut String, s: &Syscall) {
    let support = match s.support {
        Support::Full => "full",
        Support::Partial => "partial",
        Support::Refused => "refused",
    };
    let note = s.note.replace('|', "\\|");
    let args = s.args.join(", ");
    let line = format!("| {} | `{}({args})` | {support} | {note}", s.nr, s.name);
    writeln!(out, "{} |", line.trim_end()).unwrap();
}

/// The page.
pub fn page() -> String {
    let all = || AREAS.iter().flat_map(|a| a.iter());
    let full = all().filter(|s| s.support == Support::Full).count();
    let known = |g: &&forkyard::kernel::syscalls::refused::Group| g.subject != GONE;
    let refused: usize = GROUPS
        .iter()
        .filter(known)
        .map(|g| g.calls.iter().filter(|(nr, _)| !is_modelled(*nr)).count())
        .sum();
    let mut out = format!(
        "{NOTE}# System calls\n\n\
         {} system calls of Linux 6.18 on x86_64 are modelled, {full} of them in full: everything \
         a process can see of them. For the others the note says what is missing; asking for it \
         is refused by name.\n\n\
         The other {refused} fail with ENOSYS and say why; they stand [at the end](#refused). Numbers \
         that Linux has not given out fail with ENOSYS as well.\n",
        all().count()
    );
    assert_eq!(AREAS.len(), HEADINGS.len(), "an area has no heading");
    for (area, heading) in AREAS.iter().zip(HEADINGS) {
        write!(out, "\n## {heading}\n\n| nr | call | support | note |\n|---|---|---|---|\n")
            .unwrap();
        let mut rows: Vec<_> = area.iter().collect();
        rows.sort_by_key(|s| s.nr);
        rows.into_iter().for_each(|s| row(&mut out, s));
    }
    out += "\n## Refused\n\nEach fails with ENOSYS and this reason.\n\n\
            | subject | calls | why |\n|---|---|---|\n";
    for group in GROUPS {
        let mut calls: Vec<_> = group.calls.iter().filter(|(nr, _)| !is_modelled(*nr)).collect();
        calls.sort();
        let calls: Vec<_> = calls.iter().map(|(nr, name)| format!("`{name}` {nr}")).collect();
        if !calls.is_empty() {
            let why = group.why.replace('|', "\\|");
            writeln!(out, "| {} | {} | {why} |", group.subject, calls.join(", ")).unwrap();
        }
    }
    out
}
