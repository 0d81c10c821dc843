//! Where a load or a store leads, found out without making it: most of them
//! lead to states that are known already, and the others can wait.
//!
//! Only what cannot fault and cannot be interrupted is told: the word lies in
//! memory that is there, with the right to access it, and nothing else of the
//! system depends on time.
//!
//! Linux: none. Left out: instructions with LOCK, and words of less than 8
//! bytes.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::ahead::{Ahead, Change};
use super::state::{Key, Sums};
use super::step::{Ask, Asked};
use crate::base::{Mixer, PhysAddr, VirtAddr};
use crate::kernel::mm::pgtable::{lookup, pte_present};
use crate::kernel::mm::{MmId, VmFlags};
use crate::kernel::syscalls::Out;
use crate::kernel::task::TaskId;
use crate::kernel::timer;
use crate::machine::{Size, UserOp};
use crate::session::program::identity::extend;
use crate::session::program::{Answer, Programs, Want};

/// A table by hashes.
pub(super) type ByDigest<T> = HashMap<u64, T, BuildHasherDefault<Mixer>>;

/// What a thread of a search has learned of the programs.
#[derive(Default)]
pub(super) struct Learned {
    /// What programs want, by what they are: asking means running a function.
    pub asked: ByDigest<Ask>,
    /// By the digest of a tape, the digest of the place to which it leads.
    pub arrivals: ByDigest<u64>,
}

/// A step that is foretold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Foretold {
    /// By what the state is known that it leads to.
    pub key: Key,
    /// How many questions it answers.
    pub times: u16,
    /// What it changes.
    pub change: Change,
    /// The sum over the words of memory, and that over the bodies, of the
    /// state that it leads to.
    sums: (u64, u64),
}

impl Foretold {
    /// The parts of the hash of the state that it leads to.
    pub(super) fn sums(&self, before: &Sums) -> Sums {
        before.with(self.sums)
    }
}

/// What a step of a task's program would lead to, if that can be told.
pub(super) fn foretell(
    at: &Ahead,
    sums: &Sums,
    learned: &Learned,
    task: TaskId,
    first: &Ask,
) -> Option<Foretold> {
    let programs = &*at.base;
    let body = programs.body(task)?;
    let begin = at.tape(task, body);
    let mut digest = begin;
    let (mut ask, mut times): (&Asked, u16) = (first, 1);
    while let Want::Symbol(name) = &ask.want {
        let addr = programs.peek_symbol(task, name)?;
        digest = extend(digest, ask.question, &returned(addr));
        ask = learned.asked.get(&body.digest_with(digest))?;
        times += 1;
    }
    let Want::Op(op) = &ask.want else { return None };
    let access = Access::new(programs, task, op)?;
    let before = at.word(access.mm, access.addr).unwrap_or_else(|| access.word(programs));
    let answer = returned(if access.stored.is_some() { 0 } else { before });
    let arrives = *learned.arrivals.get(&extend(digest, ask.question, &answer))?;
    let mm = sums.number(access.mm)?;
    let stored = access.stored.map(|value| (mm, access.addr, before, value));
    let moved = (body.digest_with(begin), body.digest_with(arrives));
    let (key, sums) = sums.changed(stored, moved);
    let word = access.stored.map(|value| (access.mm, access.addr, value));
    Some(Foretold { key, times, change: Change { task, tape: arrives, word }, sums })
}

fn returned(value: u64) -> Answer {
    Answer::Returned(value as i64, Out::None)
}

/// An access that cannot fault.
struct Access {
    mm: MmId,
    addr: u64,
    /// Where the word lies.
    at: PhysAddr,
    /// What is put there.
    stored: Option<u64>,
}

impl Access {
    fn new(programs: &Programs, task: TaskId, op: &UserOp) -> Option<Access> {
        let (addr, stored) = match *op {
            UserOp::Load { addr, size: Size::Qword } => (addr.0, None),
            UserOp::Store { addr, size: Size::Qword, value } => (addr.0, Some(value)),
            _ => return None,
        };
        let sys = &programs.system;
        let t = sys.task(task);
        let quiet = !t.sigpending && !timer::any_armed(sys) && !sys.kernel.bugs.no_tlb_flush;
        let mm = t.mm?;
        let (_, vma) = sys.mm(mm).mmap.range(..=addr).next_back()?;
        let needs = if stored.is_some() { VmFlags::WRITE } else { VmFlags::READ };
        let fits = addr < vma.vm_end && addr.is_multiple_of(8);
        let private = !vma.vm_flags.contains(VmFlags::SHARED) && vma.vm_flags.contains(needs);
        if !quiet || !fits || !private {
            return None;
        }
        let (_, pte) = lookup(sys, mm, addr)?;
        if !pte_present(pte) || stored.is_some() && !pte.is_writable() {
            return None;
        }
        let at = PhysAddr(pte.pfn().addr().0 + VirtAddr(addr).offset());
        Some(Access { mm, addr, at, stored })
    }

    /// What is there.
    fn word(&self, programs: &Programs) -> u64 {
        programs.system.machine.mem.read_u64(self.at)
    }
}
