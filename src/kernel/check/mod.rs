//! Recounting: every count of the kernel, counted again from its holders, and
//! every rule that ties two of its structures together.
//!
//! A count is right when it equals the number of places that hold the object:
//!
//! ```text
//! mm_users        tasks whose mm it is               (init_mm: 2, it is static)
//! mm_count        1 for all users together, 1 a kernel thread or dead task
//!                 that still has it loaded (active_mm)
//! files.count, fs.users, sighand.count, nsproxy.count     tasks that name it
//! cred.usage      cred and real_cred of tasks        (init_cred: and 1 static)
//! user.count      creds, and signals queued for it
//! pid.count       1 while it is in the namespaces' tables, 1 a pidfd
//! f_count         descriptor slots, areas, and calls that sleep in the file
//! i_count         directory entries and open files   (the root: and 1)
//! page refcount   entries that map it, the page cache, a kernel stack, or
//!                 being a page table
//! ```
//!
//! Each file of this module says what it looks at. Nothing here changes the
//! system but [`teardown`], which ends everything and so shows what leaked.
//!
//! Linux: none as a whole. CONFIG_DEBUG_VM, CONFIG_DEBUG_LIST, KASAN,
//! kmemleak, `check_mm` and lockdep each do a part.
//! Left out: repairing anything; counters that only ever grow (statistics).

mod areas;
mod census;
mod cgroups;
mod creds;
mod differ;
mod files;
mod lists;
mod namespaces;
mod pages;
mod pids;
mod queues;
mod stacks;
mod tables;
mod tally;
mod tasks;
#[cfg(test)]
mod tests;
mod tlb;
mod ttys;
mod waiting;

pub use census::{Census, teardown};
pub use differ::{Scope, differences};

use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskStruct};
use std::fmt;
use thiserror::Error;

/// Something that does not add up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Violation {
    /// A stored count is not what its holders add up to.
    #[error("{object}: {field} is {stored}, counted are {recounted} ({holders})")]
    Count {
        /// The object that stores the count.
        object: String,
        /// The count.
        field: &'static str,
        /// Its value.
        stored: i64,
        /// What it should be.
        recounted: i64,
        /// What was counted.
        holders: &'static str,
    },
    /// A field names an object that no longer exists.
    #[error("{object}: {field} names {target}, which is freed")]
    Freed {
        /// The object that has the field.
        object: String,
        /// The field.
        field: &'static str,
        /// What it names.
        target: String,
    },
    /// A field is not what another structure says it must be.
    #[error("{object}: {field} is {stored}, should be {expected}")]
    Differs {
        /// The object that has the field.
        object: String,
        /// The field.
        field: &'static str,
        /// Its value.
        stored: String,
        /// What it should be, and why.
        expected: String,
    },
    /// An object is in use and nobody holds it.
    #[error("{object} is leaked: {why}")]
    Leaked {
        /// The object.
        object: String,
        /// How that shows.
        why: String,
    },
}

/// Recounts everything.
///
/// # Errors
/// All that does not add up, area by area.
pub fn invariants(sys: &System) -> Result<(), Vec<Violation>> {
    let mut found = Findings::default();
    tasks::check(sys, &mut found);
    if found.list.iter().any(|v| matches!(v, Violation::Freed { .. })) {
        // The walks below would follow these names.
        return Err(found.list);
    }
    queues::check(sys, &mut found);
    lists::check(sys, &mut found);
    waiting::check(sys, &mut found);
    pids::check(sys, &mut found);
    creds::check(sys, &mut found);
    namespaces::check(sys, &mut found);
    cgroups::check(sys, &mut found);
    files::check(sys, &mut found);
    ttys::check(sys, &mut found);
    areas::check(sys, &mut found);
    stacks::check(sys, &mut found);
    pages::check(sys, &mut found);
    tlb::check(sys, &mut found);
    if found.list.is_empty() { Ok(()) } else { Err(found.list) }
}

/// What was found so far. Texts are only made for what is wrong.
#[derive(Default)]
struct Findings {
    list: Vec<Violation>,
}

impl Findings {
    /// A stored count against the recounted one.
    fn count(
        &mut self,
        object: fmt::Arguments<'_>,
        field: &'static str,
        stored: impl Into<i64>,
        recounted: impl Into<i64>,
        holders: &'static str,
    ) {
        let (stored, recounted) = (stored.into(), recounted.into());
        if stored != recounted {
            let object = object.to_string();
            self.list.push(Violation::Count { object, field, stored, recounted, holders });
        }
    }

    /// A field against what it must be.
    fn same<T: PartialEq + fmt::Debug>(
        &mut self,
        object: fmt::Arguments<'_>,
        field: &'static str,
        stored: T,
        expected: T,
        why: &str,
    ) {
        if stored != expected {
            self.list.push(Violation::Differs {
                object: object.to_string(),
                field,
                stored: format!("{stored:?}"),
                expected: format!("{expected:?} ({why})"),
            });
        }
    }

    /// A rule that holds or does not.
    fn rule(
        &mut self,
        holds: bool,
        object: fmt::Arguments<'_>,
        field: &'static str,
        stored: fmt::Arguments<'_>,
        expected: &str,
    ) {
        if !holds {
            self.list.push(Violation::Differs {
                object: object.to_string(),
                field,
                stored: stored.to_string(),
                expected: expected.to_string(),
            });
        }
    }

    /// A name that must be of something that exists.
    fn exists(
        &mut self,
        exists: bool,
        object: fmt::Arguments<'_>,
        field: &'static str,
        target: fmt::Arguments<'_>,
    ) -> bool {
        if !exists {
            let (object, target) = (object.to_string(), target.to_string());
            self.list.push(Violation::Freed { object, field, target });
        }
        exists
    }

    fn leaked(&mut self, object: fmt::Arguments<'_>, why: fmt::Arguments<'_>) {
        let (object, why) = (object.to_string(), why.to_string());
        self.list.push(Violation::Leaked { object, why });
    }
}

/// How a task is named in a violation.
struct Named<'a>(TaskId, &'a TaskStruct);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task_struct {:?} (pid {}, {})", self.0, self.1.pid, self.1.comm())
    }
}

/// Whether the task is still on the kernel's lists: it has a pid, or is an
/// idle task, which never has one.
fn is_hashed(sys: &System, id: TaskId, t: &TaskStruct) -> bool {
    t.thread_pid.is_some() || is_idle(sys, id, t)
}

/// The idle tasks: the static one of processor 0, and those made at boot.
fn is_idle(sys: &System, id: TaskId, t: &TaskStruct) -> bool {
    id == sys.kernel.init_task || t.flags.contains(crate::kernel::task::PF::IDLE)
}
