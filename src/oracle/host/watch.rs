//! Looking at the tasks of a program from outside: who sleeps, who is dead.
//!
//! Left out: looking often; see `brain` for when.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

/// A task as /proc shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its tid in the innermost pid namespace that it is in.
    pub(super) tid: i32,
    /// R, S, D, T, t, Z or X.
    pub(super) state: char,
    /// Whether it is process 1.
    pub(super) is_init: bool,
    /// How often it has been given a processor and has lost it.
    switches: [u64; 2],
}

impl Seen {
    /// Whether it will never run user mode again.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// The same as [`tasks`] for less, if nothing changes meanwhile: what changes
/// may be missed.
pub(super) fn sleepers(init: i32) -> Vec<Seen> {
    let mut found = vec![init];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in entries.flatten() {
            // Some kernels do not have this file (CONFIG_PROC_CHILDREN).
            match fs::read_to_string(thread.path().join("children")) {
                Ok(list) => {
                    found.extend(list.split_whitespace().filter_map(|p| p.parse::<i32>().ok()))
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound && pid == init => return tasks(init),
                Err(_) => {}
            }
        }
    }
    found.into_iter().flat_map(|pid| threads(pid, pid == init)).collect()
}

/// All tasks below a process, and it. Empty if /proc does not show them.
pub(super) fn tasks(init: i32) -> Vec<Seen> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    // A child is younger than its parent, unless numbers have begun anew.
    for pid in pids {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = BTreeSet::from([init]);
    let mut new = vec![init];
    while let Some(pid) = new.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if found.insert(*child) {
                new.push(*child);
            }
        }
    }
    found.into_iter().flat_map(|pid| threads(pid, pid == init)).collect()
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may have any character in it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn threads(pid: i32, is_init: bool) -> Vec<Seen> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let status = |e: fs::DirEntry| fs::read_to_string(e.path().join("status")).ok();
    entries.flatten().filter_map(status).filter_map(|text| seen(&text, is_init)).collect()
}

fn seen(status: &str, is_init: bool) -> Option<Seen> {
    let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name));
    let number = |name: &str| field(name)?.trim().parse::<u64>().ok();
    Some(Seen {
        tid: field("NSpid:")?.split_whitespace().last()?.parse().ok()?,
        state: field("State:")?.trim().chars().next()?,
        is_init,
        switches: [number("voluntary_ctxt_switches:")?, number("nonvoluntary_ctxt_switches:")?],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read() {
        let text = "Name:\tx) R\nState:\tS (sleeping)\nTgid:\t70\nPid:\t70\nPPid:\t1\nNSpid:\t70\t3\n\
                    voluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t1\n";
        let want = Seen { tid: 3, state: 'S', is_init: false, switches: [12, 1] };
        assert_eq!(seen(text, false), Some(want));
        assert_eq!(seen("State:\tS\n", false), None);
    }

    #[test]
    fn we_are_there_ourselves() {
        let me = std::process::id() as i32;
        assert!(tasks(me).iter().any(|t| t.is_init && !t.is_dead()));
        assert!(sleepers(me).iter().any(|t| t.is_init && !t.is_dead()));
    }
}
