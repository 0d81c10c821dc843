//! What one task was told on Linux, in order: what its function was, and apart
//! from that its handlers, by how many were under way.
//!
//! Who waits by looking again and again looks as often as it happens to. Such a
//! loop is kept once, and a run of the model may go round it as often as it
//! likes.
//!
//! Left out: loops of more than a few calls.

use std::sync::Arc;

use super::same;
use crate::session::program::Want;
use crate::session::program::record::{Asked, Told};

/// Longest loop that is known again.
const LONGEST: usize = 8;
const NR_SCHED_YIELD: u32 = 24;
const NR_NANOSLEEP: u32 = 35;
const NR_CLOCK_NANOSLEEP: u32 = 230;

/// Something that a task was told.
#[derive(Debug, Clone, Copy)]
pub(super) struct One<'r> {
    /// Which of all it was, from 0.
    pub(super) place: usize,
    pub(super) asked: Option<&'r Arc<Asked>>,
    pub(super) told: &'r Told,
    /// How many calls of what it interrupts had returned, if that counts: a
    /// handler begins when the kernel is left.
    pub(super) before: Option<usize>,
}

/// What one task was told.
#[derive(Debug, Default)]
pub(super) struct Track<'r> {
    /// By how many handlers were under way.
    pub(super) levels: Vec<Level<'r>>,
    /// How much it was.
    pub(super) all: usize,
    /// The tasks that it made, in order.
    pub(super) made: Vec<u32>,
}

impl<'r> Track<'r> {
    /// It was told something.
    pub(super) fn add(&mut self, depth: usize, asked: Option<&'r Arc<Asked>>, told: &'r Told) {
        while self.levels.len() <= depth {
            self.levels.push(Level::default());
        }
        let below = depth.checked_sub(1).map(|below| &self.levels[below]);
        let before = below.filter(|l| l.loops.is_empty()).map(|level| level.calls);
        self.levels[depth].add(One { place: self.all, asked, told, before });
        self.all += 1;
    }

    pub(super) fn level(&self, depth: usize) -> &Level<'r> {
        const NONE: &Level = &Level { told: Vec::new(), loops: Vec::new(), calls: 0 };
        self.levels.get(depth).unwrap_or(NONE)
    }
}

/// What a function was told, or handlers.
#[derive(Debug, Default)]
pub(super) struct Level<'r> {
    /// Each thing, loops once.
    pub(super) told: Vec<One<'r>>,
    /// Where loops begin and end.
    loops: Vec<(usize, usize)>,
    /// How many system calls that was.
    calls: usize,
}

impl<'r> Level<'r> {
    fn add(&mut self, one: One<'r>) {
        self.calls += usize::from(same::returns(one.asked, one.told));
        self.told.push(one);
        let n = self.told.len();
        for k in 1..=LONGEST.min(n / 2) {
            let (first, second) = (&self.told[n - 2 * k..n - k], &self.told[n - k..]);
            let alike = |(a, b): (&One, &One)| a.asked == b.asked && a.told == b.told;
            if alike((&first[k - 1], &second[k - 1]))
                && first.iter().zip(second).all(alike)
                && waits_by_looking(second)
            {
                self.told.truncate(n - k);
                let again = (n - 2 * k, n - k);
                if !self.loops.contains(&again) {
                    self.loops.push(again);
                }
                return;
            }
        }
    }

    /// Where one may look for what comes next at a place, and where one is
    /// afterwards.
    pub(super) fn ways_on(&self, place: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let back = self.loops.iter().filter(move |(_, end)| *end == place);
        std::iter::once((place, place + 1)).chain(back.map(|(begin, _)| (*begin, begin + 1)))
    }
}

/// Whether these calls, made again with the same answers, only wait for what
/// somebody else does.
fn waits_by_looking(calls: &[One]) -> bool {
    let mut gives_way = false;
    let mut memory = true;
    for one in calls {
        match one.asked.map(|a| &a.want) {
            Some(Want::Sys(call, _)) => {
                if matches!(call.payload, crate::kernel::syscalls::Payload::Bytes(_)) {
                    return false;
                }
                gives_way |= matches!(call.nr, NR_SCHED_YIELD | NR_NANOSLEEP | NR_CLOCK_NANOSLEEP);
                memory = false;
            }
            Some(Want::State(_)) => memory = false,
            Some(Want::Op(_) | Want::Symbol(_)) => {}
            _ => return false,
        }
    }
    gives_way || memory
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::VirtAddr;
    use crate::kernel::syscalls::{Call, Out};
    use crate::machine::{Size, UserOp};
    use crate::session::program::{Answer, Child};
    use crate::trace::Origin;

    fn asked(want: Want) -> Option<Arc<Asked>> {
        Some(Arc::new(Asked { want, origin: Origin::default() }))
    }

    #[test]
    fn a_loop_that_waits_is_kept_once() {
        let addr = VirtAddr(8);
        let load = asked(Want::Op(UserOp::Load { addr, size: Size::Qword }));
        let gives_way = asked(Want::Sys(Call::new(NR_SCHED_YIELD, &[]), Child::Returns));
        let gave = |n| Told::Answer(Answer::Returned(n, Out::None));
        let (zero, one) = (gave(0), gave(1));
        let mut track = Track::default();
        for _ in 0..100 {
            track.add(0, load.as_ref(), &zero);
            track.add(0, gives_way.as_ref(), &zero);
        }
        track.add(0, load.as_ref(), &one);
        let level = track.level(0);
        assert_eq!((level.told.len(), track.all), (3, 201));
        assert_eq!(level.ways_on(2).collect::<Vec<_>>(), [(2, 3), (0, 1)]);
        assert_eq!(level.told[2].place, 200);
        // Other calls count.
        let getpid = asked(Want::Sys(Call::new(39, &[]), Child::Returns));
        let mut track = Track::default();
        for _ in 0..3 {
            track.add(0, getpid.as_ref(), &one);
        }
        assert_eq!(track.level(0).told.len(), 3);
        assert_eq!(track.level(1).told.len(), 0);
    }
}
