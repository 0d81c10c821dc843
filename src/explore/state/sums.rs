//! The hash of a state in three parts, so that what a load or a store changes
//! can be told without looking at the rest.
//!
//! ```text
//! memory   a sum over all words that are not zero: a store changes one term
//! bodies   a sum over the programs: a step changes one term
//! kernel   everything else; a load or a store changes nothing of it
//! ```
//!
//! Left out: what a fault changes; then all is looked at.

use std::hash::{Hash, Hasher};

use super::{AllNames, Canon, Key};
use crate::base::Mixer;
use crate::base::cow::Arc;
use crate::kernel::mm::MmId;
use crate::session::program::{Ended, Programs};

/// The parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    kernel: u64,
    memory: u64,
    bodies: u64,
    /// The address spaces by their numbers.
    mms: Arc<Vec<MmId>>,
}

fn hash(value: impl Hash) -> u64 {
    let mut h = Mixer::default();
    value.hash(&mut h);
    h.finish()
}

/// The term of a word of memory.
fn word(mm: u32, addr: u64, word: u64) -> u64 {
    if word == 0 { 0 } else { hash((mm, addr, word)) }
}

impl Canon<'_> {
    /// A word in the address space that is described, at an address.
    pub(super) fn word(&mut self, addr: u64, value: u64) {
        self.memory = self.memory.wrapping_add(word(self.object, addr, value));
    }
}

impl Sums {
    /// The parts of a state.
    pub fn of(programs: &Programs) -> Sums {
        let sys = &programs.system;
        let mut canon = Canon {
            sys,
            hasher: Mixer::default(),
            names: AllNames::default(),
            object: 0,
            memory: 0,
        };
        let mut bodies: Vec<_> = programs.bodies().collect();
        bodies.sort_unstable_by_key(|(_, body)| body.number);
        canon.put(bodies.len());
        let mut sum = 0u64;
        for (task, body) in bodies {
            canon.id(task);
            canon.put((body.number, programs.user_regs(task)));
            sum = sum.wrapping_add(hash(body.digest()));
        }
        let mut ended: Vec<_> =
            programs.ended.iter().map(|Ended { pid, status }| (pid, status)).collect();
        ended.sort_unstable();
        canon.put(ended);
        let mut crashes: Vec<_> =
            programs.crashes.iter().map(|c| (c.body.number, &c.message)).collect();
        crashes.sort_unstable();
        canon.put(crashes);
        canon.kernel(&sys.kernel);
        Sums {
            kernel: canon.hasher.finish(),
            memory: canon.memory,
            bodies: sum,
            mms: Arc::new(canon.names.mms.met),
        }
    }

    /// The hash of the state.
    pub fn key(&self) -> Key {
        Key(hash((self.kernel, self.memory, self.bodies)))
    }

    /// The number of an address space.
    pub fn number(&self, mm: MmId) -> Option<u32> {
        self.mms.iter().position(|met| *met == mm).map(|n| n as u32)
    }

    /// What the hash becomes, and the sums over memory and over the bodies, when
    /// a word (of an address space, at an address) and a body's digest become
    /// other ones.
    pub fn changed(
        &self,
        stored: Option<(u32, u64, u64, u64)>,
        (from, to): (u64, u64),
    ) -> (Key, (u64, u64)) {
        let memory = stored.map_or(self.memory, |(mm, addr, from, to)| {
            self.memory.wrapping_sub(word(mm, addr, from)).wrapping_add(word(mm, addr, to))
        });
        let bodies = self.bodies.wrapping_sub(hash(from)).wrapping_add(hash(to));
        (Key(hash((self.kernel, memory, bodies))), (memory, bodies))
    }

    /// The same with other sums over memory and over the bodies.
    #[must_use]
    pub fn with(&self, (memory, bodies): (u64, u64)) -> Sums {
        Sums { memory, bodies, ..self.clone() }
    }

    /// The kernel's part.
    pub fn kernel(&self) -> u64 {
        self.kernel
    }

    /// The sum over the bodies.
    pub fn bodies(&self) -> Bodies {
        Bodies(self.bodies)
    }

    /// Whether the memory is the same.
    pub fn same_memory(&self, other: &Sums) -> bool {
        (self.memory, &self.mms) == (other.memory, &other.mms)
    }

    /// The same memory with another kernel and other bodies.
    #[must_use]
    pub fn after_call(&self, kernel: u64, Bodies(bodies): Bodies) -> Sums {
        Sums { kernel, bodies, ..self.clone() }
    }
}

/// The sum over bodies.
#[derive(Debug, Clone, Copy)]
pub struct Bodies(u64);

impl Bodies {
    /// The digest of a body becomes another one; the body may begin or end.
    #[must_use]
    pub fn moved(self, from: Option<u64>, to: Option<u64>) -> Bodies {
        let term = |digest: Option<u64>| digest.map_or(0, hash);
        Bodies(self.0.wrapping_sub(term(from)).wrapping_add(term(to)))
    }
}
