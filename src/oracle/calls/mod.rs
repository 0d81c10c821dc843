//! Call by call: whether the model has told each task what Linux has told it.
//!
//! ```text
//! task on Linux          the model's task with the same maker and place in line
//!   fork     4      ═      fork     5        its first child, whatever its pid
//!   getpid   3      ═      getpid   3
//!   wait     4, 256 ╪      wait     5, 0     here they part
//! ```
//!
//! Tasks are known by who made them and how many that one had made before, so
//! the order in which different makers run does not matter. Numbers that are
//! pids are compared by whose they are. What else may differ is in
//! `oracle::variations`.
//!
//! When a signal comes while nobody asks, the two kernels run its handler before
//! or after the answer that is told next: what a function was told and what its
//! handlers were are compared apart, and where they began to within one call.
//!
//! Left out: the order in which different tasks are told something; who ends by
//! itself is compared by the wait status that others get.

mod parted;
mod same;
#[cfg(test)]
mod tests;
mod track;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use parted::{Gave, Parted};

use same::Names;
use track::{One, Track};

use crate::kernel::syscalls::Out;
use crate::session::program::record::{Asked, Event, Record, Told, Watcher};
use crate::session::program::{Answer, Programs, Want};

/// What Linux has told the tasks of a program, to be found on the model.
#[derive(Debug)]
pub struct Linux<'r> {
    record: &'r Record,
    /// By number, from 1.
    tracks: Vec<Track<'r>>,
    names: Names,
    /// Where a run of the model has parted from it that had come furthest.
    furthest: RefCell<Option<(usize, Parted)>>,
}

/// How far a run of the model agrees.
#[derive(Debug, Clone)]
pub struct Along {
    watcher: Watcher,
    /// By their numbers on the model.
    tasks: BTreeMap<u32, At>,
    /// Whose pids are which on the model.
    names: Names,
    /// How much agrees.
    agree: usize,
    /// A program that ended itself has nothing to agree on any more.
    parted: bool,
}

/// How far one task agrees.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct At {
    /// Its number on Linux.
    linux: u32,
    /// By how many handlers are under way.
    levels: Vec<Places>,
    /// It was told one thing more than on Linux, where it was killed meanwhile.
    more: bool,
    /// It was told one thing that on Linux a handler kept from it for ever.
    lost: bool,
    /// How many tasks it has made.
    made: usize,
}

/// How far what a function was told agrees.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Places {
    /// Where in its track it may be: several places in a loop.
    places: Vec<usize>,
    /// How many system calls that was.
    calls: usize,
}

impl At {
    fn level(&mut self, depth: usize) -> &mut Places {
        while self.levels.len() <= depth {
            self.levels.push(Places { places: vec![0], calls: 0 });
        }
        &mut self.levels[depth]
    }
}

impl Hash for Along {
    fn hash<H: Hasher>(&self, h: &mut H) {
        // What was seen is what the programs' tapes say.
        let Along { watcher: _, tasks, names, agree: _, parted } = self;
        (tasks, names, parted).hash(h);
    }
}

impl<'r> Linux<'r> {
    /// What was recorded of a run on the host.
    pub fn new(record: &'r Record) -> Linux<'r> {
        let mut tracks: Vec<Track> = Vec::new();
        let mut names = Names::default();
        for event in &record.events {
            match event {
                Event::Born { number, maker, pid } => {
                    names.add(*pid, *number);
                    tracks.push(Track::default());
                    debug_assert_eq!(tracks.len(), *number as usize);
                    if let Some(maker) = maker.checked_sub(1).map(|i| &mut tracks[i as usize]) {
                        maker.made.push(*number);
                    }
                }
                Event::Alias { number, pid } => names.add(*pid, *number),
                Event::Told { number, depth, asked, told } => {
                    tracks[*number as usize - 1].add(*depth, asked.as_ref(), told);
                    names.nested |= asked.as_ref().is_some_and(same::makes_pid_namespace);
                }
            }
        }
        Linux { record, tracks, names, furthest: RefCell::new(None) }
    }

    /// How many answers there are to compare, of how many tasks.
    pub fn count(&self) -> (usize, usize) {
        self.record.count()
    }

    /// Whether a run of the model has told each task the same.
    pub fn agrees(&self, model: &Record) -> bool {
        let mut along = Along::new(Watcher::default());
        for event in &model.events {
            if let Err(parted) = self.compare(&mut along, event) {
                self.note(&along, *parted);
                return false;
            }
        }
        self.ends(&along, |number| (model.open.get(&number), model.killed.contains(&number)))
    }

    /// Where they part, in the run of the model that agreed longest.
    pub fn furthest(&self) -> Option<Parted> {
        self.furthest.borrow().as_ref().map(|(_, parted)| parted.clone())
    }

    /// Begins with programs of which nobody has made a step.
    pub fn begin(&self, programs: &Programs) -> Along {
        let mut events = Vec::new();
        let mut along = Along::new(Watcher::begin(programs, |event| events.push(event)));
        for event in events {
            along.parted |= self.compare(&mut along, &event).is_err();
        }
        along
    }

    /// Task `by` has made a step: whether all still agrees.
    pub fn follow(
        &self,
        along: &mut Along,
        programs: &Programs,
        by: u32,
        asked: &Arc<Asked>,
    ) -> bool {
        let mut events = Vec::new();
        along.watcher.look(programs, by, asked.clone(), |event| events.push(event));
        for event in events {
            if let Err(parted) = self.compare(along, &event) {
                self.note(along, *parted);
                return false;
            }
        }
        !along.parted
    }

    /// Whether all agrees in the end.
    pub fn is_all(&self, along: &Along) -> bool {
        let watcher = &along.watcher;
        self.ends(along, |number| (watcher.open(number), watcher.is_killed(number)))
    }

    /// Which of several ways a task went that asked for one.
    pub fn way(&self, along: &Along, by: u32) -> u32 {
        let chosen = || {
            let at = along.tasks.get(&by)?;
            let depth = along.watcher.depth(by)?;
            let level = self.track(at.linux).level(depth);
            let places = at.levels.get(depth).map_or(&[0][..], |level| &level.places);
            places.iter().find_map(|place| {
                let One { asked, told, .. } = level.told.get(*place)?;
                match (&asked.as_ref()?.want, told) {
                    (Want::Choose(_), Told::Answer(Answer::Returned(way, Out::None))) => {
                        u32::try_from(*way).ok()
                    }
                    _ => None,
                }
            })
        };
        chosen().unwrap_or(0)
    }

    fn track(&self, number: u32) -> &Track<'r> {
        &self.tracks[number as usize - 1]
    }

    fn note(&self, along: &Along, parted: Parted) {
        let mut furthest = self.furthest.borrow_mut();
        if furthest.as_ref().is_none_or(|(agree, _)| *agree < along.agree) {
            *furthest = Some((along.agree, parted));
        }
    }

    /// Takes in what has happened on the model.
    fn compare(&self, along: &mut Along, event: &Event) -> Result<(), Box<Parted>> {
        match event {
            Event::Born { number, maker, pid } => {
                let linux = match along.tasks.get_mut(maker) {
                    None => 1,
                    Some(at) => {
                        at.made += 1;
                        match self.track(at.linux).made.get(at.made - 1) {
                            Some(linux) => *linux,
                            // What the call gives its maker will differ.
                            None => return Ok(()),
                        }
                    }
                };
                along.names.add(*pid, linux);
                let at = At { linux, levels: Vec::new(), more: false, lost: false, made: 0 };
                along.tasks.insert(*number, at);
                Ok(())
            }
            Event::Alias { number, pid } => {
                if let Some(at) = along.tasks.get(number) {
                    along.names.add(*pid, at.linux);
                }
                Ok(())
            }
            Event::Told { number, depth, asked, told } => {
                self.told(along, *number, *depth, asked.as_ref(), told)
            }
        }
    }

    fn told(
        &self,
        along: &mut Along,
        number: u32,
        depth: usize,
        asked: Option<&Arc<Asked>>,
        told: &Told,
    ) -> Result<(), Box<Parted>> {
        let Along { tasks, names, agree, .. } = along;
        let Some(at) = tasks.get_mut(&number) else { return Ok(()) };
        let track = self.track(at.linux);
        let level = track.level(depth);
        let level_count = track.levels.len();
        let before = depth.checked_sub(1).map(|below| at.level(below).calls);
        let mut places = Vec::new();
        for place in &at.level(depth).places {
            for (from, to) in level.ways_on(*place) {
                let Some(there) = level.told.get(from) else { continue };
                let alike = match (told, there.asked, asked) {
                    (Told::Handler(..), ..) => {
                        there.before.zip(before).is_none_or(|(a, b)| a.abs_diff(b) <= 1)
                    }
                    (_, Some(theirs), Some(ours)) => same::asks(&theirs.want, &ours.want),
                    (_, theirs, ours) => theirs.is_none() == ours.is_none(),
                };
                if alike
                    && same::told(there.asked, (there.told, &self.names), (told, names))
                    && !places.contains(&to)
                {
                    places.push(to);
                }
            }
        }
        let now = at.level(depth);
        now.calls += usize::from(same::returns(asked, told));
        if !places.is_empty() {
            *agree += 1;
            now.places = places;
            return Ok(());
        }
        let ends = now.places.contains(&level.told.len());
        let there = now.places.iter().copied().max().unwrap_or(0);
        let open = self.record.open.get(&at.linux);
        let alike = |open: &Arc<Asked>| asked.is_some_and(|a| same::asks(&open.want, &a.want));
        // A handler that ran on Linux before it could say so has not returned.
        if !at.lost && ends && level_count > depth + 1 {
            at.lost = true;
            return Ok(());
        }
        // Killed on Linux after the kernel had done it, and before it could
        // say so.
        if !at.more && ends && open.is_none_or(alike) {
            at.more = true;
            return Ok(());
        }
        let model = Gave::Told(asked.cloned(), told.clone());
        Err(Box::new(self.parted(at.linux, depth, there, model)))
    }

    /// Linux and the model part at a place of a track.
    fn parted(&self, number: u32, depth: usize, there: usize, model: Gave) -> Parted {
        let track = self.track(number);
        let (place, linux) = match track.level(depth).told.get(there) {
            Some(one) => (one.place, Gave::Told(one.asked.cloned(), one.told.clone())),
            None => (track.all, Gave::Nothing(self.record.open.get(&number).cloned())),
        };
        Parted { number, pid: self.names.pid(number), place, linux, model }
    }

    /// Whether all was told that Linux has told; `state`: what a task of the
    /// model has asked without an answer, and whether it was killed.
    fn ends<'a>(
        &self,
        along: &Along,
        state: impl Fn(u32) -> (Option<&'a Arc<Asked>>, bool),
    ) -> bool {
        let mut left: Vec<bool> = self.tracks.iter().map(|t| t.all > 0).collect();
        for (number, at) in &along.tasks {
            left[at.linux as usize - 1] = false;
            let (open, killed) = state(*number);
            let mut missing = None;
            let mut few = 0;
            for (depth, level) in self.track(at.linux).levels.iter().enumerate() {
                let places = at.levels.get(depth).map_or(&[0][..], |level| &level.places);
                let place = places.iter().copied().max().unwrap_or(0);
                if !places.contains(&level.told.len()) {
                    few += level.told.len() - place;
                    missing.get_or_insert((depth, place));
                }
            }
            // Killed while it was told: on either side that may be lost.
            if few <= usize::from(killed) && !(at.more && open.is_some()) {
                continue;
            }
            let (depth, there) = missing.unwrap_or((0, usize::MAX));
            let parted = self.parted(at.linux, depth, there, Gave::Nothing(open.cloned()));
            self.note(along, parted);
            return false;
        }
        !left.contains(&true)
    }
}

impl Along {
    fn new(watcher: Watcher) -> Along {
        let names = Names::default();
        Along { watcher, tasks: BTreeMap::new(), names, agree: 0, parted: false }
    }
}
