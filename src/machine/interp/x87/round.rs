//! Rounding: from an exact result, or one with a sticky bit, to a format.
//!
//! ```text
//! sig (128 bits)  1xxxxxxx…xxxxx|gxxxxxxxxxxxxxxs
//!                  kept: 24, 53  guard  the rest; bit 0 is set if
//!                  or 64 bits           anything below it is lost
//! ```
//!
//! Linux: none. Source: Intel SDM vol. 1, sections 4.8.4, 4.9.1.4, 4.9.1.5
//! (tininess is detected after rounding), 8.1.5.2 (precision control leaves the
//! exponent's range), 8.5.4, 8.5.5. Left out: nothing.

use super::number::{BIAS, INTEGER, Outcome, infinity, pack, zero};
use super::status::{C1, OE, PE, UE, rounding};

/// A format to round to.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Bits of the significand.
    pub keep: u32,
    /// The smallest exponent of a normal number.
    pub min: i32,
    /// The largest.
    pub max: i32,
}

/// Binary32.
pub const SINGLE: Format = Format { keep: 24, min: -126, max: 127 };
/// Binary64.
pub const DOUBLE: Format = Format { keep: 53, min: -1022, max: 1023 };
/// Registers, all 64 bits.
pub const EXTENDED: Format = Format { keep: 64, min: 1 - BIAS, max: BIAS };

/// Added to the exponent of a result that underflowed unmasked, taken from one
/// that overflowed.
pub const SCALE: i32 = 24576;

/// A rounded number. Without its top bit it is a denormal one at the format's
/// smallest exponent; an exponent above the largest is infinity.
#[derive(Debug, Clone, Copy)]
pub struct Rounded {
    /// Exponent of the top bit.
    pub exp: i32,
    /// Significand: its top bits are those of the format.
    pub sig: u64,
    /// OE, UE, PE; C1 if it was rounded up.
    pub flags: u16,
}

struct Cut {
    sig: u64,
    /// The significand became 2.0: `sig` is 1.0, the exponent one more.
    carry: bool,
    flags: u16,
}

/// Keeps so many upper bits.
#[inline(always)]
fn cut(control: u16, keep: u32, neg: bool, sig: u128) -> Cut {
    const HALF: u128 = 1 << 127;
    let unit = 1u64 << (64 - keep);
    let kept = (sig >> 64) as u64 & !(unit - 1);
    let rest = sig << keep;
    if rest == 0 {
        return Cut { sig: kept, carry: false, flags: 0 };
    }
    let up = match rounding(control) {
        0 => rest > HALF || rest == HALF && kept & unit != 0,
        1 => neg,
        2 => !neg,
        _ => false,
    };
    if !up {
        return Cut { sig: kept, carry: false, flags: PE };
    }
    let (sum, carry) = kept.overflowing_add(unit);
    Cut { sig: if carry { INTEGER } else { sum }, carry, flags: PE | C1 }
}

/// `sig >> by`, with bit 0 set if anything is lost.
#[inline(always)]
pub fn shift_right(sig: u128, by: u32) -> u128 {
    match by {
        0 => sig,
        1..128 => sig >> by | u128::from(sig << (128 - by) != 0),
        _ => u128::from(sig != 0),
    }
}

/// Rounds `sig / 2^127 * 2^exp`, the top bit of `sig` set.
#[inline(always)]
pub fn round(control: u16, f: Format, neg: bool, exp: i32, sig: u128) -> Rounded {
    let c = cut(control, f.keep, neg, sig);
    let e = exp + i32::from(c.carry);
    if e < f.min {
        return tiny(control, f, neg, exp, sig);
    }
    if e > f.max {
        return huge(control, f, neg, Rounded { exp: e, sig: c.sig, flags: c.flags });
    }
    Rounded { exp: e, sig: c.sig, flags: c.flags }
}

#[cold]
fn tiny(control: u16, f: Format, neg: bool, exp: i32, sig: u128) -> Rounded {
    if control & UE == 0 {
        let c = cut(control, f.keep, neg, sig);
        let exp = exp + i32::from(c.carry) + SCALE;
        return Rounded { exp, sig: c.sig, flags: c.flags | UE };
    }
    let shifted = shift_right(sig, (f.min - exp).clamp(0, 128) as u32);
    let c = cut(control, f.keep, neg, shifted);
    let flags = if c.flags != 0 { c.flags | UE } else { 0 };
    Rounded { exp: f.min, sig: c.sig, flags }
}

#[cold]
fn huge(control: u16, f: Format, neg: bool, r: Rounded) -> Rounded {
    if control & OE == 0 {
        return Rounded { exp: r.exp - SCALE, flags: r.flags | OE, ..r };
    }
    let to_infinity = match rounding(control) {
        0 => true,
        1 => neg,
        2 => !neg,
        _ => false,
    };
    if to_infinity {
        Rounded { exp: f.max + 1, sig: INTEGER, flags: OE | PE | C1 }
    } else {
        Rounded { exp: f.max, sig: !0 << (64 - f.keep), flags: OE | PE }
    }
}

/// The format that precision control asks for.
#[inline(always)]
pub fn precision(control: u16) -> Format {
    let keep = match control >> 8 & 3 {
        0 => 24,
        2 => 53,
        _ => 64,
    };
    Format { keep, ..EXTENDED }
}

/// Rounds to a register's format with precision `f`.
#[inline(always)]
pub fn to_register(control: u16, f: Format, neg: bool, exp: i32, sig: u128) -> Outcome {
    let r = round(control, f, neg, exp, sig);
    if r.exp < 1 - BIAS || r.exp > BIAS + 1 {
        return beyond(neg, r);
    }
    Outcome { value: pack(neg, r.exp, r.sig), flags: r.flags }
}

/// Even with its exponent scaled the result does not fit (FSCALE can do that).
#[cold]
fn beyond(neg: bool, r: Rounded) -> Outcome {
    if r.exp > 0 {
        Outcome { value: infinity(neg), flags: r.flags | PE | C1 }
    } else {
        Outcome { value: zero(neg), flags: r.flags & !C1 | PE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::fpu::F80;

    #[test]
    fn four_ways_to_round() {
        let half = (1u128 << 127) | (1 << 63);
        for (rc, neg, sig) in [
            (0, false, INTEGER),
            (1, false, INTEGER),
            (1, true, INTEGER + 1),
            (2, false, INTEGER + 1),
            (2, true, INTEGER),
            (3, true, INTEGER),
        ] {
            let r = round(0x37f | rc << 10, EXTENDED, neg, 0, half);
            assert_eq!((r.exp, r.sig), (0, sig), "RC {rc}, negative {neg}");
        }
        let r = round(0x37f, EXTENDED, false, 0, !0);
        assert_eq!((r.exp, r.sig, r.flags), (1, INTEGER, PE | C1));
    }

    #[test]
    fn underflow_and_overflow() {
        let o = to_register(0x37f, EXTENDED, false, -16400, 1 << 127);
        assert_eq!(o, Outcome::exact(F80 { sign_exp: 0, mantissa: 1 << 45 }), "exact: no UE");
        let o = to_register(0x37f, EXTENDED, true, -20000, 1 << 127);
        assert_eq!(o, Outcome { value: zero(true), flags: UE | PE });
        let o = to_register(0x37f & !UE, EXTENDED, true, -20000, 1 << 127);
        assert_eq!(o, Outcome { value: pack(true, 4576, INTEGER), flags: UE });
        let o = to_register(0x37f, EXTENDED, true, 16384, 1 << 127);
        assert_eq!(o, Outcome { value: infinity(true), flags: OE | PE | C1 });
        let o = to_register(0xc7f, precision(0xc7f), true, 16384, 1 << 127);
        assert_eq!(o.value, F80 { sign_exp: 0xfffe, mantissa: 0xffff_ff00_0000_0000 });
    }
}
