//! The table of system calls: number, name, handler, how far it is supported.
//! The dispatcher, the reference page in the book and the script layer all
//! read this one table.
//!
//! Linux: arch/x86/entry/syscalls/syscall_64.tbl.
//! Left out: nothing; a call that is not modelled has a row that refuses it with
//! ENOSYS and a reason.

use super::{Call, refused};
use crate::kernel::error::SysResult;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Runs a call for a task. Preconditions: the task is current on its
/// processor. May be run again after a wake-up, so it changes nothing before
/// it can complete.
pub type Handler = fn(&mut System, TaskId, &Call) -> SysResult;

/// How far a call does what Linux does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Everything a process can see of it.
    Full,
    /// What the note leaves out is refused by name.
    Partial,
    /// Not modelled: ENOSYS; the note says why.
    Refused,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Syscall {
    /// Number.
    pub nr: u32,
    /// Name.
    pub name: &'static str,
    /// Names of the arguments, as the manual page has them.
    pub args: &'static [&'static str],
    /// What runs.
    pub handler: Handler,
    /// How far it goes.
    pub support: Support,
    /// What is missing, or what is worth knowing.
    pub note: &'static str,
}

impl Syscall {
    /// The same call, of which a part is refused.
    pub const fn partly(self, note: &'static str) -> Syscall {
        Syscall { support: Support::Partial, note, ..self }
    }

    /// The same call with something worth knowing about it.
    pub const fn noting(self, note: &'static str) -> Syscall {
        Syscall { note, ..self }
    }
}

/// A row for a call that does all that Linux's does.
pub const fn row(
    nr: u32,
    name: &'static str,
    args: &'static [&'static str],
    handler: Handler,
) -> Syscall {
    Syscall { nr, name, args, handler, support: Support::Full, note: "" }
}

/// The rows of what is modelled, area by area.
pub const AREAS: &[&[Syscall]] = &[
    super::process::CALLS,
    super::futex::CALLS,
    super::memory::CALLS,
    super::identity::CALLS,
    super::signals::CALLS,
    super::files::CALLS,
    super::lookup::CALLS,
    super::names::CALLS,
    super::attrs::CALLS,
    super::content::CALLS,
    super::vectors::CALLS,
    super::xattr::CALLS,
    super::poll::CALLS,
    super::select::CALLS,
    super::events::CALLS,
    super::epoll::CALLS,
    super::misc::CALLS,
    super::machine::CALLS,
    super::sched::CALLS,
    super::time::CALLS,
    super::timers::CALLS,
    super::ptrace::CALLS,
];

const SLOTS: usize = 512;

const fn build() -> [Option<&'static Syscall>; SLOTS] {
    let mut table = [None; SLOTS];
    let mut a = 0;
    while a < AREAS.len() {
        let mut i = 0;
        while i < AREAS[a].len() {
            let row = &AREAS[a][i];
            assert!(table[row.nr as usize].is_none(), "two rows for one system call");
            table[row.nr as usize] = Some(row);
            i += 1;
        }
        a += 1;
    }
    // The rest is refused. What an area has got meanwhile goes before.
    let mut i = 0;
    while i < refused::CALLS.len() {
        let row = &refused::CALLS[i];
        if table[row.nr as usize].is_none() {
            table[row.nr as usize] = Some(row);
        }
        i += 1;
    }
    table
}

static TABLE: [Option<&'static Syscall>; SLOTS] = build();

/// The row of call `nr`, be it modelled or refused.
pub fn lookup(nr: u32) -> Option<&'static Syscall> {
    TABLE.get(nr as usize).copied().flatten()
}

/// Whether call `nr` is modelled, in full or in part.
pub fn is_modelled(nr: u32) -> bool {
    lookup(nr).is_some_and(|row| row.support != Support::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::nr::{SYSCALL_NAMES, syscall_name};

    #[test]
    fn names_and_numbers_agree_with_linux() {
        for row in AREAS.iter().flat_map(|a| a.iter()) {
            assert_eq!(syscall_name(u64::from(row.nr)), Some(row.name));
            assert!(row.args.len() <= 6);
            assert!(
                row.support == Support::Full || !row.note.is_empty(),
                "{} lacks a note",
                row.name
            );
        }
    }

    #[test]
    fn every_call_of_linux_has_one_row() {
        for (nr, name) in SYSCALL_NAMES {
            assert_eq!(lookup(*nr).map(|row| row.name), Some(*name));
        }
        for row in &refused::CALLS {
            assert_eq!(syscall_name(u64::from(row.nr)), Some(row.name));
            let modelled = AREAS.iter().flat_map(|a| a.iter()).any(|r| r.nr == row.nr);
            assert!(!modelled, "{} is modelled, and refused too", row.name);
            let same = refused::CALLS.iter().filter(|r| r.nr == row.nr).count();
            assert_eq!(same, 1, "{} is refused twice", row.name);
        }
    }
}
