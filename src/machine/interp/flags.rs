//! The arithmetic flags, kept as what they are computed from.
//!
//! Nearly every instruction sets six flags and hardly any of them is read, so
//! an instruction stores its result and its carries, and a flag is worked out
//! when somebody asks.
//!
//! ```text
//! result   sign-extended to 64 bits      ZF: it is 0     SF: its sign
//! carries  bit 63: carry out of the top  CF
//!          bit 62: carry into the top    OF = bit 63 ^ bit 62
//!          bit  3: carry out of bit 3    AF
//!          bits 8..16: parity correction PF = parity of result ^ correction
//!          bit  0: sign correction       SF = sign ^ correction
//! ```
//!
//! The corrections are 0 except after POPF and its like, which may set what no
//! result could (ZF and SF at once).
//!
//! Linux: none. Source: Intel SDM vol. 1, section 3.4.3.1; vol. 2 for what each
//! instruction sets. Left out: nothing; undefined flags get the value that
//! Intel's processors are seen to give where that is known, else they stay.

use super::width::Width;
use crate::machine::regs::Rflags;

const CARRY: u64 = 1 << 63;
const CARRY_IN: u64 = 1 << 62;
const HALF: u64 = 1 << 3;
const SIGN_FIX: u64 = 1;

/// The six flags that arithmetic sets.
pub const STATUS: u64 = Rflags::CF
    .union(Rflags::PF)
    .union(Rflags::AF)
    .union(Rflags::ZF)
    .union(Rflags::SF)
    .union(Rflags::OF)
    .bits();

/// RFLAGS while instructions run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    result: u64,
    carries: u64,
    /// The flags that are not arithmetic: DF, TF, IF and the rest.
    pub system: u64,
}

impl Flags {
    /// From a whole RFLAGS.
    pub fn from_word(word: u64) -> Flags {
        let mut f = Flags { result: 0, carries: 0, system: word & !STATUS };
        f.set_status(word);
        f
    }

    /// The whole RFLAGS.
    pub fn word(&self) -> u64 {
        self.system | self.status()
    }

    /// The six status flags at their places.
    pub fn status(&self) -> u64 {
        u64::from(self.cf())
            | u64::from(self.pf()) << 2
            | u64::from(self.af()) << 4
            | u64::from(self.zf()) << 6
            | u64::from(self.sf()) << 7
            | u64::from(self.of()) << 11
    }

    /// Sets the six status flags from their places.
    pub fn set_status(&mut self, word: u64) {
        let bit = |n: u32| word >> n & 1;
        self.result = u64::from(bit(6) == 0) << 8;
        // Parity of the low byte of `result`, which is 0, is even.
        let parity_fix = (bit(2) ^ 1) << 8;
        self.carries = bit(0) << 63
            | (bit(0) ^ bit(11)) << 62
            | bit(4) << 3
            | parity_fix
            | (bit(7) * SIGN_FIX);
    }

    /// Carry.
    #[inline(always)]
    pub fn cf(&self) -> bool {
        self.carries & CARRY != 0
    }

    /// Zero.
    #[inline(always)]
    pub fn zf(&self) -> bool {
        self.result == 0
    }

    /// Sign.
    #[inline(always)]
    pub fn sf(&self) -> bool {
        (self.result >> 63 ^ self.carries & SIGN_FIX) != 0
    }

    /// Overflow.
    #[inline(always)]
    pub fn of(&self) -> bool {
        (self.carries ^ self.carries << 1) & CARRY != 0
    }

    /// Parity of the low byte: set when even.
    #[inline]
    pub fn pf(&self) -> bool {
        ((self.result ^ self.carries >> 8) as u8).count_ones() & 1 == 0
    }

    /// Half carry.
    #[inline]
    pub fn af(&self) -> bool {
        self.carries & HALF != 0
    }

    /// Sets or clears the carry flag alone.
    #[inline(always)]
    pub fn set_cf(&mut self, on: bool) {
        let of = (self.carries ^ self.carries << 1) & CARRY;
        let cf = u64::from(on) << 63;
        self.carries = self.carries & !(CARRY | CARRY_IN) | cf | (cf ^ of) >> 1;
    }

    /// Sets or clears the overflow flag alone.
    #[inline(always)]
    pub fn set_of(&mut self, on: bool) {
        let cf = self.carries & CARRY;
        self.carries = self.carries & !CARRY_IN | (cf ^ u64::from(on) << 63) >> 1;
    }

    /// Sets or clears the zero flag alone.
    pub fn set_zf(&mut self, on: bool) {
        let word = self.status() & !Rflags::ZF.bits();
        self.set_status(word | u64::from(on) << 6);
    }

    /// After an addition: `carry_vector` has bit n set when bit n carried out.
    #[inline(always)]
    fn set<W: Width>(&mut self, result: u64, carry_vector: u64) {
        self.result = W::sign_extend(result);
        self.carries = carry_vector << (64 - W::BITS) & (CARRY | CARRY_IN) | carry_vector & HALF;
    }

    /// After `result = a + b` (with or without a carry in).
    #[inline(always)]
    pub fn add<W: Width>(&mut self, a: u64, b: u64, result: u64) {
        self.set::<W>(result, a & b | (a | b) & !result);
    }

    /// After `result = a - b` (with or without a borrow in).
    #[inline(always)]
    pub fn sub<W: Width>(&mut self, a: u64, b: u64, result: u64) {
        self.set::<W>(result, !a & b | (!a | b) & result);
    }

    /// After a bitwise operation: CF, OF and AF are clear.
    #[inline(always)]
    pub fn logic<W: Width>(&mut self, result: u64) {
        self.result = W::sign_extend(result);
        self.carries = 0;
    }

    /// After INC: as an addition of 1, but CF stays.
    #[inline(always)]
    pub fn inc<W: Width>(&mut self, a: u64, result: u64) {
        let cf = self.cf();
        self.add::<W>(a, 1, result);
        self.set_cf(cf);
    }

    /// After DEC: as a subtraction of 1, but CF stays.
    #[inline(always)]
    pub fn dec<W: Width>(&mut self, a: u64, result: u64) {
        let cf = self.cf();
        self.sub::<W>(a, 1, result);
        self.set_cf(cf);
    }

    /// Result, carry and overflow as given; AF clear (shifts, multiplication).
    #[inline(always)]
    pub fn shifted<W: Width>(&mut self, result: u64, cf: bool, of: bool) {
        self.result = W::sign_extend(result);
        self.carries = u64::from(cf) << 63 | u64::from(cf ^ of) << 62;
    }

    /// After a rotation: CF, and whether OF differs from it; the rest stays.
    #[inline(always)]
    pub fn rotated(&mut self, cf: u64, differs: u64) {
        self.carries = self.carries & !(CARRY | CARRY_IN) | (cf & 1) << 63 | (differs & 1) << 62;
    }

    /// A condition code, 0 to 15: as the low four bits of Jcc, SETcc, CMOVcc.
    #[inline(always)]
    pub fn condition<const CC: u8>(&self) -> bool {
        let holds = match CC >> 1 {
            0 => self.of(),
            1 => self.cf(),
            2 => self.zf(),
            3 => self.cf() || self.zf(),
            4 => self.sf(),
            5 => self.pf(),
            6 => self.sf() != self.of(),
            _ => self.zf() || self.sf() != self.of(),
        };
        holds != (CC & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::width::{W8, W64};
    use super::*;

    #[test]
    fn every_word_comes_back() {
        for bits in 0..64u64 {
            let places = [0, 2, 4, 6, 7, 11];
            let word: u64 = (0..6).map(|i| (bits >> i & 1) << places[i as usize]).sum();
            let mut f = Flags::from_word(word | 0x202);
            assert_eq!(f.word(), word | 0x202, "{word:#x}");
            for on in [false, true] {
                f.set_cf(on);
                assert_eq!(f.status(), word & !1 | u64::from(on));
                f.set_of(on);
                assert_eq!(f.status(), word & !0x801 | u64::from(on) * 0x801);
                f.set_zf(on);
                assert_eq!(f.status(), word & !0x841 | u64::from(on) * 0x841);
                f = Flags::from_word(word | 0x202);
            }
        }
    }

    #[test]
    fn sums_and_differences_of_bytes() {
        for a in 0..=255u8 {
            for b in 0..=255u8 {
                let mut f = Flags::from_word(0);
                let sum = a.wrapping_add(b);
                f.add::<W8>(a.into(), b.into(), sum.into());
                assert_eq!(f.cf(), a.checked_add(b).is_none());
                assert_eq!(f.of(), (a as i8).checked_add(b as i8).is_none());
                assert_eq!(f.af(), a % 16 + b % 16 > 15);
                assert_eq!((f.zf(), f.sf()), (sum == 0, sum > 127));
                assert_eq!(f.pf(), sum.count_ones() % 2 == 0);
                let difference = a.wrapping_sub(b);
                f.sub::<W8>(a.into(), b.into(), difference.into());
                assert_eq!(f.cf(), a < b);
                assert_eq!(f.of(), (a as i8).checked_sub(b as i8).is_none());
                assert_eq!(f.af(), a % 16 < b % 16);
                assert!(
                    f.condition::<6>() == (a <= b) && f.condition::<12>() == ((a as i8) < b as i8)
                );
            }
        }
        let mut f = Flags::from_word(1);
        f.inc::<W64>(u64::MAX, 0);
        assert!(f.cf() && f.zf() && !f.of() && f.af());
        f.dec::<W64>(1 << 63, i64::MAX as u64);
        assert!(f.cf() && f.of());
    }
}
