//! Watched memory: who touched it last.
//!
//! While an address space has watched memory, its tasks execute one instruction
//! at a time. A write is seen by what it changed, whoever made it; a read by what
//! the instruction is going to access.
//!
//! Linux: none; kernel/hw_breakpoint.c does it with the debug registers. Source:
//! Intel SDM vol. 3, section 18.2. Left out: writes of what was there already; reads
//! by the kernel.

use crate::kernel::entry::code::user_regs;
use crate::kernel::mm::MmId;
use crate::kernel::mm::gup::present_bytes;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::accesses_of;
use std::ops::Range;

pub use crate::machine::AccessKind;

/// What of an access counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchKind {
    /// A change.
    Write,
    /// A read.
    Read,
    /// Both.
    Access,
}

/// Memory that was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    /// Where the watch begins.
    pub addr: u64,
    /// What it waits for.
    pub kind: WatchKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Watch {
    mm: MmId,
    addr: u64,
    len: u64,
    kind: WatchKind,
    /// What was there last, as far as it is mapped.
    value: Vec<u8>,
}

/// All watched memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watches(Vec<Watch>);

/// What an instruction is going to access.
pub type Accesses = Vec<(Range<u64>, AccessKind)>;

impl Watches {
    /// Whether an address space has watched memory.
    pub fn are_in(&self, mm: MmId) -> bool {
        self.0.iter().any(|w| w.mm == mm)
    }

    /// Watches memory. `false`: nothing can be watched there.
    pub fn add(&mut self, sys: &System, mm: MmId, addr: u64, len: u64, kind: WatchKind) -> bool {
        if len == 0 || len > MOST || addr.checked_add(len).is_none() {
            return false;
        }
        let value = present_bytes(sys, mm, addr, len as usize);
        self.0.push(Watch { mm, addr, len, kind, value });
        true
    }

    /// Watches it no longer. `false`: it was not watched.
    pub fn remove(&mut self, mm: MmId, addr: u64, len: u64, kind: WatchKind) -> bool {
        let same = |w: &Watch| (w.mm, w.addr, w.len, w.kind) == (mm, addr, len, kind);
        self.0.iter().position(same).map(|at| self.0.remove(at)).is_some()
    }

    /// Forgets an address space.
    pub fn forget(&mut self, mm: MmId) {
        self.0.retain(|w| w.mm != mm);
    }

    /// What is there now counts as known.
    pub fn renew(&mut self, sys: &System) {
        for w in &mut self.0 {
            w.value = present_bytes(sys, w.mm, w.addr, w.len as usize);
        }
    }

    /// The first watch whose memory is not what it was. Memory that comes into being
    /// has not changed: nobody could see what was there.
    pub fn changed(&mut self, sys: &System) -> Option<Touched> {
        let mut first = None;
        for w in &mut self.0 {
            let now = present_bytes(sys, w.mm, w.addr, w.len as usize);
            if now == w.value {
                continue;
            }
            let common = now.len().min(w.value.len());
            let differs = now[..common] != w.value[..common]
                || now.len() > common && now[common..].iter().any(|b| *b != 0);
            w.value = now;
            if differs && w.kind != WatchKind::Read && first.is_none() {
                first = Some(Touched { addr: w.addr, kind: w.kind });
            }
        }
        first
    }

    /// What the task's next instruction is going to access, if anybody asks for
    /// reads.
    pub fn about_to(&self, sys: &System, task: TaskId) -> Accesses {
        let Some(mm) = sys.task(task).mm else { return Vec::new() };
        if self.0.iter().all(|w| w.mm != mm || w.kind == WatchKind::Write) {
            return Vec::new();
        }
        let regs = user_regs(sys, task);
        let msrs = &sys.machine.cpus[sys.task(task).cpu as usize].msrs;
        let code = present_bytes(sys, mm, regs.ip, INSN_MAX);
        accesses_of(&code, &regs, msrs.fs_base, msrs.gs_base)
    }

    /// The first watch that these accesses touch by reading.
    pub fn touched(&self, mm: Option<MmId>, accesses: &Accesses) -> Option<Touched> {
        let hit = |w: &&Watch| {
            let own = w.addr..w.addr + w.len;
            Some(w.mm) == mm
                && accesses.iter().any(|(range, kind)| {
                    let counts = match w.kind {
                        WatchKind::Write => false,
                        WatchKind::Read => *kind != AccessKind::Write,
                        WatchKind::Access => true,
                    };
                    counts && range.start < own.end && own.start < range.end
                })
        };
        self.0.iter().find(hit).map(|w| Touched { addr: w.addr, kind: w.kind })
    }
}

/// The longest instruction.
const INSN_MAX: usize = 15;
/// The most bytes that can be watched at once: they are compared after each
/// instruction.
const MOST: u64 = 4096;
