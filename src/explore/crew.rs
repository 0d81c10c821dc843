//! Several threads for one exploration: what they share, and how one that has
//! nothing to do gets something.
//!
//! ```text
//! worker 1   open states, a stack     known states, by hash: shared
//!    |  ^
//!    v  |    the oldest ones          pool: for whoever is idle
//! worker 2   open states, a stack
//! ```
//!
//! Each worker goes depth first through its own stack. When another is idle,
//! it puts the older half of its stack into the pool: the oldest states are
//! likely to have the most behind them. A state belongs to whoever meets it
//! first; that depends on chance, but which states there are does not, and
//! `graph` numbers them anew in the end.
//!
//! Programs are plain data and go from thread to thread. An interpreter does
//! not: each thread makes its own ([`Crew`]).
//!
//! Left out: threads for claims, which are functions of one script's engine.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::ahead::Ahead;
use super::found::Bound;
use super::meter::Meter;
use super::search::{ExploreError, Means, Options};
use super::state::{Key, Sums};
use crate::session::program::{Interpreter, Repertoire};

/// What a thread that helps is given to do: with its interpreter, and with a
/// way to ask whether it must stop.
pub type Work<'w> = &'w (dyn Fn(&dyn Interpreter, &dyn Fn() -> bool) + Sync);

/// Makes interpreters for further threads.
pub trait Crew: Sync {
    /// Makes an interpreter on this thread, which is a new one, and works with
    /// it. One that cannot be made does not work; the others do all.
    fn help(&self, work: Work<'_>);
}

/// Nobody helps.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Crew for Alone {
    fn help(&self, _: Work<'_>) {}
}

/// A state to go on from.
#[derive(Debug, Clone)]
pub(super) struct Open {
    /// Its number, in the order of meeting.
    pub node: u32,
    /// It.
    pub ahead: Ahead,
    /// Who made the last step, if it could go on.
    pub last: u32,
    /// How often somebody had to stop on the way.
    pub preempted: u32,
    /// Steps on the way.
    pub depth: u32,
    /// The parts of its hash, if they are known.
    pub sums: Option<Sums>,
}

/// What a state is known by, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Known(u64);

impl Known {
    /// A state by its hash, and under a bound on preemptions by who ran last
    /// and how many there were: with fewer behind it one gets further, and is
    /// to be looked at again.
    pub(super) fn new(key: Key, last: u32, preempted: u32) -> Known {
        let run = u64::from(last) << 32 | u64::from(preempted);
        Known(key.0 ^ run.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// What is hashed already is not hashed again.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ u64::from(*b));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

type Table = HashMap<Known, u32, BuildHasherDefault<AsItIs>>;

/// Parts of the table of known states, each with a lock of its own.
const TABLES: usize = 64;

/// What all workers share.
pub(super) struct Shared<'s> {
    pub options: &'s Options,
    /// Pid of the program whose exit counts.
    pub first: i32,
    pub meter: &'s Meter,
    /// Whether somebody looks at the states.
    pub looks: bool,
    /// What the programs can do at all.
    pub repertoire: Repertoire,
    known: Vec<Mutex<Table>>,
    /// Number of the next state.
    next: AtomicU32,
    pool: Mutex<Pool>,
    wake: Condvar,
    /// Workers without work; outside of the pool, to be asked often.
    idle: AtomicUsize,
    over: AtomicBool,
}

#[derive(Default)]
struct Pool {
    open: Vec<Open>,
    workers: usize,
    idle: usize,
    hit: BTreeSet<Bound>,
    error: Option<ExploreError>,
    panicked: bool,
}

/// What [`Shared::meet`] says of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// Nobody has met it before.
    New(u32),
    /// Somebody has.
    Again(u32),
    /// It would be one too many.
    TooMany,
}

impl<'s> Shared<'s> {
    pub(super) fn new(
        options: &'s Options,
        first: i32,
        means: Means<'s>,
        repertoire: Repertoire,
    ) -> Shared<'s> {
        Shared {
            options,
            first,
            meter: means.meter,
            looks: means.looks,
            repertoire,
            known: (0..TABLES).map(|_| Mutex::default()).collect(),
            next: AtomicU32::new(0),
            pool: Mutex::default(),
            wake: Condvar::new(),
            idle: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Numbers a state, unless it has a number by which it is known.
    pub(super) fn meet(&self, known: Option<Known>) -> Met {
        let Some(known) = known else { return self.number().map_or(Met::TooMany, Met::New) };
        // A table looks at the lowest and the highest bits itself.
        let mut table = locked(&self.known[(known.0 >> 40) as usize % TABLES]);
        match table.entry(known) {
            Entry::Occupied(old) => Met::Again(*old.get()),
            Entry::Vacant(place) => match self.number() {
                Some(new) => Met::New(*place.insert(new)),
                None => Met::TooMany,
            },
        }
    }

    /// The number of a state that has one.
    pub(super) fn find(&self, known: Known) -> Option<u32> {
        locked(&self.known[(known.0 >> 40) as usize % TABLES]).get(&known).copied()
    }

    /// The next number, if there may be so many.
    fn number(&self) -> Option<u32> {
        // The highest number means none.
        let most = u32::try_from(self.options.bounds.states).unwrap_or(u32::MAX);
        let next = |next: u32| (next < most).then_some(next + 1);
        let given = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok();
        given.inspect(|_| self.meter.found())
    }

    /// Numbers a state in which the search begins; there are not too many.
    pub(super) fn begin_at(&self, known: Known) -> u32 {
        let node = self.next.fetch_add(1, Ordering::Relaxed);
        self.meter.found();
        locked(&self.known[(known.0 >> 40) as usize % TABLES]).insert(known, node);
        node
    }

    /// Number of states.
    pub(super) fn len(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    /// A worker begins.
    pub(super) fn join(&self) {
        locked(&self.pool).workers += 1;
    }

    /// All workers have left; there is something to do again.
    pub(super) fn go_on(&self) {
        let mut pool = locked(&self.pool);
        (pool.workers, pool.idle) = (0, 0);
        pool.open.clear();
        self.idle.store(0, Ordering::Relaxed);
        self.over.store(false, Ordering::Relaxed);
    }

    /// Whether there is a reason not to go on.
    pub(super) fn has_ended(&self) -> bool {
        let pool = locked(&self.pool);
        pool.error.is_some() || pool.panicked || pool.hit.contains(&Bound::Stopped)
    }

    /// Whether all is done, or must end.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Whether somebody has nothing to do.
    pub(super) fn somebody_idles(&self) -> bool {
        self.idle.load(Ordering::Relaxed) > 0
    }

    /// Gives states to whoever is idle.
    pub(super) fn give(&self, open: impl IntoIterator<Item = Open>) {
        locked(&self.pool).open.extend(open);
        self.wake.notify_all();
    }

    /// Waits for a state; `None` when all workers wait.
    pub(super) fn take(&self) -> Option<Open> {
        let mut pool = locked(&self.pool);
        pool.idle += 1;
        self.idle.store(pool.idle, Ordering::Relaxed);
        loop {
            if self.is_over() {
                return None;
            }
            if let Some(open) = pool.open.pop() {
                pool.idle -= 1;
                self.idle.store(pool.idle, Ordering::Relaxed);
                return Some(open);
            }
            if pool.idle == pool.workers {
                self.over.store(true, Ordering::Relaxed);
                self.wake.notify_all();
                return None;
            }
            pool = self.wake.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self, why: impl FnOnce(&mut Pool)) {
        why(&mut locked(&self.pool));
        self.over.store(true, Ordering::Relaxed);
        self.wake.notify_all();
    }

    /// Somebody outside said that it is enough.
    pub(super) fn stop(&self) {
        self.end(|pool| {
            pool.hit.insert(Bound::Stopped);
        });
    }

    /// It is enough: a bound is hit behind which there is no end.
    pub(super) fn enough(&self, bound: Bound) {
        self.end(|pool| {
            pool.hit.insert(bound);
        });
    }

    /// It does not go on. The first reason stays.
    pub(super) fn fail(&self, error: ExploreError) {
        self.end(|pool| {
            pool.error.get_or_insert(error);
        });
    }

    /// Notes bounds that a worker has hit.
    pub(super) fn hit(&self, bounds: impl IntoIterator<Item = Bound>) {
        locked(&self.pool).hit.extend(bounds);
    }

    /// The bounds that were hit.
    ///
    /// # Errors
    /// Why it did not go on.
    ///
    /// # Panics
    /// A worker has.
    pub(super) fn finish(self) -> Result<BTreeSet<Bound>, ExploreError> {
        let pool = self.pool.into_inner().unwrap_or_else(PoisonError::into_inner);
        assert!(!pool.panicked, "a worker of the search panicked");
        pool.error.map_or(Ok(pool.hit), Err)
    }
}

/// Ends the work of all when one panics: the others would wait for it.
pub(super) struct OnPanic<'a, 's>(pub &'a Shared<'s>);

impl Drop for OnPanic<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(|pool| pool.panicked = true);
        }
    }
}

/// What is behind a lock. A worker that panicked has ended the search.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
