//! What a system call does to the kernel, known from the same call in another
//! state whose kernel was the same: then only memory differs, and the states
//! that follow differ in memory alone too.
//!
//! ```text
//! kernel sum, who, where its function is  -->  kernel sum, bodies that moved
//! ```
//!
//! Only calls are remembered that neither read nor write user memory, and only
//! while nothing else can: nobody has a signal handler, sleeps in a call that
//! gives something back in memory, or has a word that is cleared when it ends;
//! and no timer runs. All of that is part of the kernel's sum, so it need not be
//! asked when a call is recalled.
//!
//! Linux: none. Left out: calls with arguments in memory.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use smallvec::SmallVec;

use super::ahead::Ahead;
use super::state::Sums;
use super::step::Ready;
use crate::abi::flags::CloneFlags;
use crate::base::Mixer;
use crate::kernel::task::TaskId;
use crate::kernel::timer;
use crate::session::program::{Child, Programs, TEXT, Want};

/// Bodies by their numbers, each with its digest.
pub(super) type Digests = SmallVec<[(u32, u64); 8]>;

/// A body's number, and its digest before and after; none before it began, or
/// after its end.
type Moved = (u32, Option<u64>, Option<u64>);

/// What a call has done.
#[derive(Debug)]
struct Done {
    kernel: u64,
    moved: SmallVec<[Moved; 3]>,
}

/// Calls by the kernel's sum, who makes them, and the digest of its body.
#[derive(Default)]
pub(super) struct Calls {
    done: HashMap<(u64, u32, u64), Done, BuildHasherDefault<Mixer>>,
}

impl Ahead {
    /// The digest of each body.
    pub(super) fn digests(&self) -> Digests {
        let of = |(task, body): (TaskId, &crate::session::program::Body)| {
            let digest = match self.has_moved(task) {
                true => body.digest_with(self.tape(task, body)),
                false => body.digest(),
            };
            (body.number, digest)
        };
        self.base.bodies().map(of).collect()
    }
}

fn digest(of: &Digests, number: u32) -> Option<u64> {
    of.iter().find(|(n, _)| *n == number).map(|(_, digest)| *digest)
}

impl Calls {
    /// The parts of the hash of the state to which a call leads.
    pub(super) fn recall(&self, before: &Digests, sums: &Sums, who: &Ready) -> Option<Sums> {
        let key = (sums.kernel(), who.number, digest(before, who.number)?);
        let done = self.done.get(&key)?;
        let mut bodies = sums.bodies();
        for (number, from, to) in &done.moved {
            if digest(before, *number) != *from {
                return None;
            }
            bodies = bodies.moved(*from, *to);
        }
        Some(sums.after_call(done.kernel, bodies))
    }

    /// Remembers what a call has done, if it is one of those.
    pub(super) fn learn(
        &mut self,
        was: &Programs,
        (before, sums): (&Digests, &Sums),
        who: &Ready,
        (after, now): (&Digests, &Sums),
    ) {
        let Some(digest_before) = digest(before, who.number) else { return };
        if !minds_no_memory(who.want()) || !sums.same_memory(now) || !nothing_is_stored(was) {
            return;
        }
        let mut moved: SmallVec<[Moved; 3]> = SmallVec::new();
        for (number, from) in before {
            let to = digest(after, *number);
            if to != Some(*from) {
                moved.push((*number, Some(*from), to));
            }
        }
        let is_new = |(number, _): &&(u32, u64)| digest(before, *number).is_none();
        moved.extend(after.iter().filter(is_new).map(|(number, to)| (*number, None, Some(*to))));
        let key = (sums.kernel(), who.number, digest_before);
        self.done.insert(key, Done { kernel: now.kernel(), moved });
    }
}

/// Whether a call neither reads nor writes user memory.
fn minds_no_memory(want: &Want) -> bool {
    match want {
        Want::Return(_) | Want::GoOn => true,
        Want::Sys(call, child) => is_bare(call.nr, &call.args, matches!(child, Child::Starts(_))),
        _ => false,
    }
}

fn is_bare(nr: u32, args: &[u64; 6], starts: bool) -> bool {
    match nr {
        NR_EXIT | NR_EXIT_GROUP | NR_GETPID | NR_GETTID | NR_GETPPID => true,
        NR_WAIT4 => args[1] == 0 && args[3] == 0,
        NR_CLONE => {
            let told = CloneFlags::CLONE_PARENT_SETTID
                | CloneFlags::CLONE_CHILD_SETTID
                | CloneFlags::CLONE_CHILD_CLEARTID
                | CloneFlags::CLONE_PIDFD;
            let flags = CloneFlags::from_bits_truncate(args[0]);
            starts && flags.contains(CloneFlags::CLONE_VM) && !flags.intersects(told)
        }
        _ => false,
    }
}

/// Whether nothing that can follow from such a call stores anything either.
fn nothing_is_stored(programs: &Programs) -> bool {
    let sys = &programs.system;
    let quiet = |task: TaskId| {
        let t = sys.task(task);
        let handles = t.sighand.is_some_and(|sighand| {
            sys.kernel.sighands[sighand].actions().iter().any(|a| a.handler >= TEXT)
        });
        let sleeps = t.resume.as_ref().map(|resume| &resume.call);
        let bare = sleeps.is_none_or(|call| is_bare(call.nr, &call.args, true));
        !handles && bare && t.clear_child_tid == 0 && t.robust_list == 0
    };
    !timer::any_armed(sys) && programs.bodies().all(|(task, _)| quiet(task))
}

const NR_GETPID: u32 = 39;
const NR_CLONE: u32 = 56;
const NR_EXIT: u32 = 60;
const NR_WAIT4: u32 = 61;
const NR_GETPPID: u32 = 110;
const NR_GETTID: u32 = 186;
const NR_EXIT_GROUP: u32 = 231;
