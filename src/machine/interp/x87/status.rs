//! The status and control words, and the stack of registers.
//!
//! ```text
//! status   15 B   14 C3   13..11 TOP   10 C2   9 C1   8 C0
//!           7 ES   6 SF    5 PE 4 UE 3 OE 2 ZE 1 DE 0 IE
//! control  11..10 RC       9..8 PC     5..0 masks, as the flags
//! ```
//!
//! An exception whose mask bit is clear sets ES and B with its flag. Nothing
//! else happens then; the next x87 instruction that waits raises #MF.
//!
//! Linux: none. Source: Intel SDM vol. 1, sections 8.1.3 to 8.1.7, 8.5, 8.6.
//! Left out: CR0.NE = 0 (FERR#).

use super::number::{INDEFINITE, Outcome};
use crate::machine::fpu::{F80, X87};

/// Invalid operation.
pub const IE: u16 = 1;
/// Denormal operand.
pub const DE: u16 = 1 << 1;
/// Division by zero.
pub const ZE: u16 = 1 << 2;
/// Overflow.
pub const OE: u16 = 1 << 3;
/// Underflow.
pub const UE: u16 = 1 << 4;
/// Precision: the result is rounded.
pub const PE: u16 = 1 << 5;
/// Stack fault.
pub const SF: u16 = 1 << 6;
/// Exception summary: a flag is set whose mask is clear.
pub const ES: u16 = 1 << 7;
/// Condition 0.
pub const C0: u16 = 1 << 8;
/// Condition 1: rounded up, or the stack overflowed.
pub const C1: u16 = 1 << 9;
/// Condition 2.
pub const C2: u16 = 1 << 10;
/// The top of the stack.
pub const TOP: u16 = 7 << 11;
/// Condition 3.
pub const C3: u16 = 1 << 14;
/// Busy: as ES.
pub const B: u16 = 1 << 15;
/// All six exceptions.
pub const EXCEPTIONS: u16 = 0x3f;
/// All four conditions.
pub const CONDITIONS: u16 = C0 | C1 | C2 | C3;
/// What the processor notices before it computes.
pub const BEFORE: u16 = IE | DE | ZE;

/// Rounding control: the bits as a number.
#[inline(always)]
pub fn rounding(control: u16) -> u16 {
    control >> 10 & 3
}

/// What an instruction does to the registers.
pub trait Stack {
    /// Whether ST(i) holds nothing.
    fn is_empty(&self, i: u8) -> bool;
    /// ST(i).
    fn st(&self, i: u8) -> F80;
    /// Writes ST(i).
    fn set_st(&mut self, i: u8, v: F80);
    /// Marks ST(i) as empty.
    fn free(&mut self, i: u8);
    /// Moves the top.
    fn rotate(&mut self, by: u16);
    /// Pushes a number; there is room.
    fn push(&mut self, v: F80);
    /// Pops one.
    fn pop(&mut self);
    /// Notes exceptions. `true`: none of them keeps the result from being stored.
    fn signal(&mut self, flags: u16) -> bool;
    /// Notes the exceptions of an outcome; `true` if its value is to be stored
    /// in a register.
    fn settle(&mut self, o: &Outcome) -> bool;
    /// An operand is missing; `true` if "indefinite" takes its place.
    fn underflow(&mut self) -> bool;
    /// There is no room to push; `true` if "indefinite" is pushed nevertheless.
    fn overflow(&mut self) -> bool;
}

impl Stack for X87 {
    #[inline(always)]
    fn is_empty(&self, i: u8) -> bool {
        self.in_use >> self.physical(i) & 1 == 0
    }

    #[inline(always)]
    fn st(&self, i: u8) -> F80 {
        self.regs[self.physical(i)]
    }

    #[inline(always)]
    fn set_st(&mut self, i: u8, v: F80) {
        let n = self.physical(i);
        self.regs[n] = v;
        self.in_use |= 1 << n;
    }

    #[inline(always)]
    fn free(&mut self, i: u8) {
        self.in_use &= !(1 << self.physical(i));
    }

    #[inline(always)]
    fn rotate(&mut self, by: u16) {
        self.status = self.status & !TOP | self.status.wrapping_add(by << 11) & TOP;
    }

    #[inline(always)]
    fn push(&mut self, v: F80) {
        self.rotate(7);
        self.set_st(0, v);
    }

    #[inline(always)]
    fn pop(&mut self) {
        self.free(0);
        self.rotate(1);
    }

    #[inline(always)]
    fn signal(&mut self, flags: u16) -> bool {
        self.status |= flags;
        let unmasked = flags & !self.control & EXCEPTIONS;
        if unmasked != 0 {
            self.status |= ES | B;
        }
        unmasked & BEFORE == 0
    }

    #[inline(always)]
    fn settle(&mut self, o: &Outcome) -> bool {
        if o.flags == 0 {
            return true;
        }
        self.signal(o.noticed(self.control))
    }

    #[cold]
    fn underflow(&mut self) -> bool {
        self.status &= !C1;
        self.signal(IE | SF)
    }

    #[cold]
    fn overflow(&mut self) -> bool {
        self.signal(IE | SF | C1)
    }
}

/// Pushes "indefinite" instead of what there is no room for.
#[cold]
pub fn push_overflow(x: &mut X87) {
    if x.overflow() {
        x.push(INDEFINITE);
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::ONE;
    use super::*;

    #[test]
    fn the_stack_turns() {
        let mut x = X87::default();
        x.push(ONE);
        assert_eq!((x.top(), x.in_use, x.st(0)), (7, 0x80, ONE));
        assert!(x.is_empty(1) && !x.is_empty(0));
        x.pop();
        assert_eq!((x.top(), x.in_use), (0, 0));
    }

    #[test]
    fn masks_decide_what_is_pending() {
        let mut x = X87::default();
        assert!(x.signal(IE | PE));
        assert_eq!(x.status, IE | PE);
        x.set_control(x.control & !IE);
        assert_eq!(x.status, IE | PE | ES | B);
        assert!(!x.overflow());
        assert!(x.signal(DE), "DE is masked");
    }
}
