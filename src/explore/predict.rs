//! Where a load or a store leads, found out without making it: most of them
//! lead to states that are known already, and these need no copy of the system.
//!
//! Only what cannot fault and cannot be interrupted is told: the word lies in
//! memory that is there, with the right to access it, and nothing else of the
//! system depends on time.
//!
//! Linux: none. Left out: instructions with LOCK, and words of less than 8
//! bytes.

use std::collections::HashMap;

use super::state::Sums;
use crate::base::PhysAddr;
use crate::base::VirtAddr;
use crate::kernel::mm::VmFlags;
use crate::kernel::mm::pgtable::{lookup, pte_present};
use crate::kernel::syscalls::Out;
use crate::kernel::task::TaskId;
use crate::machine::{Size, UserOp};
use crate::session::program::identity::extend;
use crate::session::program::{Answer, Body, Programs, Want, question};

/// By the digest of a tape, the digest of the place to which it leads.
pub(super) type Arrivals = HashMap<u64, u64>;

/// A step that is foretold.
pub(super) struct Foretold {
    /// The parts of the state that it leads to.
    pub sums: Sums,
    /// How many questions it answers.
    pub times: u16,
}

/// What a step of a body's program would lead to, if that can be told.
/// `asks`: what the body wants when the digest of its tape is another one.
pub(super) fn foretell<'w>(
    programs: &Programs,
    sums: &Sums,
    arrivals: &Arrivals,
    task: TaskId,
    first: &'w Want,
    mut asks: impl FnMut(&Body, u64) -> Option<&'w Want>,
) -> Option<Foretold> {
    let body = programs.body(task)?;
    let mut digest = body.top().tape.digest();
    let (mut want, mut times) = (first, 1);
    while let Want::Symbol(name) = want {
        let addr = programs.peek_symbol(task, name)?;
        digest = extend(digest, question(want), &returned(addr));
        want = asks(body, digest)?;
        times += 1;
    }
    let Want::Op(op) = want else { return None };
    let access = Access::new(programs, task, op)?;
    let mm = sums.number(access.mm)?;
    let answer = returned(if access.stored.is_some() { 0 } else { access.word });
    let arrives = *arrivals.get(&extend(digest, question(want), &answer))?;
    let mut sums = sums.clone();
    if let Some(value) = access.stored {
        sums.store(mm, access.addr, access.word, value);
    }
    sums.moves(body.digest(), body.digest_with(arrives));
    Some(Foretold { sums, times })
}

fn returned(value: u64) -> Answer {
    Answer::Returned(value as i64, Out::None)
}

/// An access that cannot fault.
struct Access {
    mm: crate::kernel::mm::MmId,
    addr: u64,
    /// What is there.
    word: u64,
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
        let quiet = !t.sigpending && sys.kernel.timers.is_empty() && !sys.kernel.bugs.no_tlb_flush;
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
        let word = sys.machine.mem.read_u64(at);
        Some(Access { mm, addr, word, stored })
    }
}
