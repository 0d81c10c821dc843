//! A decoded instruction: its handler and where its operands are.
//!
//! Decoding is done once a block; what is left for each execution is one
//! indirect call. An instruction knows its place in its page, not its address,
//! so that a page mapped twice, or at other addresses in other processes, is
//! decoded once. What is relative to RIP uses [`PAGE`] as base.
//!
//! Linux: none. Source: Intel SDM vol. 2, chapter 2 for operand encoding.
//! Left out: nothing; what has no handler gets `system::unsupported`.

use super::core::Core;
use std::fmt;

/// What comes after an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The next one in memory.
    Next,
    /// The one at `core.ip`.
    Jump,
    /// The same again: a string instruction has done a part.
    Again,
}

/// The instruction was not executed; `core.trap` says why. Registers and
/// memory are as before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trap;

/// Executes one instruction.
pub type Handler = for<'a, 'b, 'm> fn(&'a mut Core<'m>, &'b Insn) -> Result<Flow, Trap>;

/// Index in `core.r` of a register that is always 0: no base, no index.
pub const ZERO: u8 = 16;
/// Index in `core.r` of the address of the running block's page.
pub const PAGE: u8 = 17;
/// Index in `core.r` of the FS base.
pub const FS: u8 = 18;
/// Index in `core.r` of the GS base.
pub const GS: u8 = 19;
/// A byte register is AH, CH, DH or BH: the second byte of register 0 to 3.
pub const HIGH: u8 = 0x20;
/// In [`Insn::scale`]: the address is 32 bits wide, or has a segment base
/// besides base and index.
pub const ODD_ADDRESS: u8 = 0x80;
/// In [`Insn::scale`]: the memory operand is in the stack segment.
pub const STACK: u8 = 0x40;
/// In [`Insn::seg`]: the address is cut to 32 bits before the segment base.
pub const ADDR32: u8 = 0x80;

/// One decoded instruction.
#[derive(Clone, Copy)]
pub struct Insn {
    /// Executes it.
    pub run: Handler,
    /// An immediate operand, or the target of a jump, counted from the page.
    pub imm: u64,
    /// Displacement of the memory operand.
    pub disp: i32,
    /// Offset in its page.
    pub at: u16,
    /// Length in bytes.
    pub len: u8,
    /// Base register.
    pub base: u8,
    /// Index register.
    pub index: u8,
    /// The index counts 2 to this power times. See [`ODD_ADDRESS`], [`STACK`].
    pub scale: u8,
    /// Segment base to add when the address is odd. See [`ADDR32`].
    pub seg: u8,
    /// First operand's register.
    pub a: u8,
    /// Second operand's register.
    pub b: u8,
    /// Third operand's register, or what the family needs.
    pub c: u8,
}

impl Insn {
    /// Where the next instruction begins, counted from the page.
    #[inline(always)]
    pub fn end(&self) -> u64 {
        u64::from(self.at) + u64::from(self.len)
    }
}

impl fmt::Debug for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Insn").field("at", &self.at).field("len", &self.len).finish_non_exhaustive()
    }
}
