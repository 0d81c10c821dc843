//! A machine with some memory and code, for the tests of instructions.
//!
//! Linux: none. Left out: a kernel.

use super::{Exit, Run};
use crate::base::VirtAddr;
use crate::machine::testing::{P, RW, Space, US};
use crate::machine::{PagingLevels, PteFlags, Regs};
use std::collections::BTreeSet;

/// Where code goes: two pages, read-only.
pub const CODE: u64 = 0x40_0000;
/// Where data goes: two pages.
pub const DATA: u64 = 0x60_0000;
/// The first byte above the stack's two pages.
pub const STACK: u64 = 0x7000_2000;

/// A processor at [`CODE`].
pub struct Bench {
    /// The memory.
    pub space: Space,
}

impl Bench {
    /// With these instructions.
    pub fn new(code: &[u8]) -> Bench {
        let mut space = Space::new(PagingLevels::Four);
        for page in [0, 0x1000] {
            space.map(VirtAddr(CODE + page), P | US | RW);
            space.map(VirtAddr(DATA + page), P | US | RW | PteFlags::NX);
            space.map(VirtAddr(STACK - 0x2000 + page), P | US | RW | PteFlags::NX);
        }
        space.m.cpus[0].regs = Regs::user(CODE, STACK - 0x100);
        let ring = crate::machine::Ring::User;
        space.m.store_bytes(0, VirtAddr(CODE), code, ring).expect("code fits");
        Bench { space }
    }

    /// The registers.
    pub fn regs(&mut self) -> &mut Regs {
        &mut self.space.m.cpus[0].regs
    }

    /// Executes at most `n` instructions.
    pub fn run(&mut self, n: u64) -> Run {
        self.space.m.run(0, n, &BTreeSet::new())
    }

    /// Executes up to the first one that cannot go on; gives why.
    pub fn go(&mut self) -> Exit {
        self.run(1_000_000).exit
    }

    /// Eight bytes of memory.
    pub fn peek(&mut self, at: u64) -> u64 {
        let ring = crate::machine::Ring::User;
        self.space.m.load(0, VirtAddr(at), crate::machine::Size::Qword, ring).expect("mapped")
    }

    /// Writes memory.
    pub fn poke(&mut self, at: u64, bytes: &[u8]) {
        let ring = crate::machine::Ring::User;
        self.space.m.store_bytes(0, VirtAddr(at), bytes, ring).expect("mapped");
    }
}
