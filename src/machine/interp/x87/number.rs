//! 80-bit numbers: what kinds there are, and the finite ones taken apart.
//!
//! ```text
//! exponent   integer bit   fraction    class
//!    0           -         all 0       Zero (integer bit 0 too)
//!    0           0 or 1    -           Denormal (1: pseudo-denormal)
//!  1..7ffe       1         -           Normal
//!  1..7ffe       0         -           Unsupported (unnormal)
//!  7fff          1         0           Infinity
//!  7fff          1         1xxx, 0xxx  QuietNan, SignalingNan
//!  7fff          0         -           Unsupported (pseudo-infinity, pseudo-NaN)
//! ```
//!
//! Linux: none. Source: Intel SDM vol. 1, section 8.2.2 (unsupported double
//! extended encodings), table 4-8 (NaN rules). Left out: nothing.

use super::status::{C1, DE, IE, OE, PE, UE, ZE};
use crate::machine::fpu::F80;

/// The exponent's bits.
pub const EXP_MASK: u16 = 0x7fff;
/// The sign's bit.
pub const SIGN: u16 = 0x8000;
/// What is added to an exponent to store it.
pub const BIAS: i32 = 16383;
/// The integer bit of a significand.
pub const INTEGER: u64 = 1 << 63;
const QUIET: u64 = 1 << 62;

/// The NaN that an invalid operation gives: "real indefinite".
pub const INDEFINITE: F80 = F80 { sign_exp: 0xffff, mantissa: 3 << 62 };
/// 1.0.
pub const ONE: F80 = F80 { sign_exp: BIAS as u16, mantissa: INTEGER };

/// What kind of number an encoding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Zero of either sign.
    Zero,
    /// Too small for a normal one; pseudo-denormals too.
    Denormal,
    /// An ordinary number.
    Normal,
    /// Infinity of either sign.
    Infinity,
    /// A NaN that passes.
    QuietNan,
    /// A NaN that is an invalid operand.
    SignalingNan,
    /// No number since the 80387: an invalid operand.
    Unsupported,
}

/// The class of a number.
pub fn class(v: F80) -> Class {
    match (v.sign_exp & EXP_MASK, v.mantissa) {
        (0, 0) => Class::Zero,
        (0, _) => Class::Denormal,
        (_, m) if m & INTEGER == 0 => Class::Unsupported,
        (EXP_MASK, INTEGER) => Class::Infinity,
        (EXP_MASK, m) if m & QUIET != 0 => Class::QuietNan,
        (EXP_MASK, _) => Class::SignalingNan,
        _ => Class::Normal,
    }
}

/// Whether a number is of class [`Class::Normal`].
#[inline(always)]
pub fn is_normal(v: F80) -> bool {
    (v.sign_exp & EXP_MASK).wrapping_sub(1) < EXP_MASK - 1 && v.mantissa & INTEGER != 0
}

/// Whether the sign bit is set.
#[inline(always)]
pub fn is_negative(v: F80) -> bool {
    v.sign_exp & SIGN != 0
}

/// A finite number other than 0: `sig / 2^63 * 2^exp`, its top bit set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Num {
    /// Whether it is negative.
    pub neg: bool,
    /// Exponent of the top bit.
    pub exp: i32,
    /// Significand.
    pub sig: u64,
}

/// Takes a normal or denormal number apart.
#[inline(always)]
pub fn unpack(v: F80) -> Num {
    let biased = i32::from(v.sign_exp & EXP_MASK);
    if v.mantissa & INTEGER != 0 && biased != 0 {
        return Num { neg: is_negative(v), exp: biased - BIAS, sig: v.mantissa };
    }
    let shift = v.mantissa.leading_zeros() & 63;
    Num { neg: is_negative(v), exp: 1 - BIAS - shift as i32, sig: v.mantissa << shift }
}

/// Puts a number together. A significand without its top bit is a denormal one
/// (or 0), whatever the exponent.
#[inline(always)]
pub fn pack(neg: bool, exp: i32, sig: u64) -> F80 {
    let biased = if sig & INTEGER == 0 { 0 } else { (exp + BIAS) as u16 & EXP_MASK };
    F80 { sign_exp: biased | u16::from(neg) << 15, mantissa: sig }
}

/// Zero.
pub fn zero(neg: bool) -> F80 {
    pack(neg, 0, 0)
}

/// Infinity.
pub fn infinity(neg: bool) -> F80 {
    F80 { sign_exp: EXP_MASK | u16::from(neg) << 15, mantissa: INTEGER }
}

/// A result and the bits of the status word that go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What goes into the destination if the exceptions are masked.
    pub value: F80,
    /// Exceptions, and C1 if the value was rounded up.
    pub flags: u16,
}

impl Outcome {
    /// A result without exceptions.
    pub fn exact(value: F80) -> Outcome {
        Outcome { value, flags: 0 }
    }

    /// An invalid operation.
    pub fn invalid() -> Outcome {
        Outcome { value: INDEFINITE, flags: IE }
    }

    /// Adds "denormal operand", which has lower priority than an invalid
    /// operation and a division by zero.
    pub fn with_denormal(mut self, is: bool) -> Outcome {
        if is && self.flags & (IE | ZE) == 0 {
            self.flags |= DE;
        }
        self
    }

    /// The flags that this outcome sets with these masks: an unmasked exception
    /// before the computation keeps the later ones from being noticed.
    pub fn noticed(&self, control: u16) -> u16 {
        if self.flags & (IE | DE | ZE) & !control != 0 {
            self.flags & !(OE | UE | PE | C1)
        } else {
            self.flags
        }
    }
}

/// A NaN made quiet.
pub fn quieted(v: F80) -> F80 {
    F80 { mantissa: v.mantissa | QUIET, ..v }
}

/// The result of an operation on one number, if that is no number.
pub fn propagate_one(a: F80) -> Option<Outcome> {
    match class(a) {
        Class::Unsupported => Some(Outcome::invalid()),
        Class::SignalingNan => Some(Outcome { value: quieted(a), flags: IE }),
        Class::QuietNan => Some(Outcome::exact(a)),
        _ => None,
    }
}

/// The result of an operation on two numbers, if one of them is no number.
pub fn propagate(a: F80, b: F80) -> Option<Outcome> {
    use Class::{QuietNan, SignalingNan, Unsupported};
    let (ca, cb) = (class(a), class(b));
    if ca == Unsupported || cb == Unsupported {
        return Some(Outcome::invalid());
    }
    let nan = |c| matches!(c, QuietNan | SignalingNan);
    let value = match (nan(ca), nan(cb)) {
        (false, false) => return None,
        (true, false) => a,
        (false, true) => b,
        (true, true) => match (ca, cb) {
            (SignalingNan, QuietNan) => b,
            (QuietNan, SignalingNan) => a,
            _ => larger(a, b),
        },
    };
    let signals = ca == SignalingNan || cb == SignalingNan;
    Some(Outcome { value: quieted(value), flags: if signals { IE } else { 0 } })
}

/// The NaN with the larger significand; of equal ones the positive.
fn larger(a: F80, b: F80) -> F80 {
    if (a.mantissa, !a.sign_exp) >= (b.mantissa, !b.sign_exp) { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f80(sign_exp: u16, mantissa: u64) -> F80 {
        F80 { sign_exp, mantissa }
    }

    #[test]
    fn all_encodings_have_a_class() {
        for (v, c) in [
            (f80(SIGN, 0), Class::Zero),
            (f80(0, 1), Class::Denormal),
            (f80(0, INTEGER), Class::Denormal),
            (f80(1, INTEGER), Class::Normal),
            (f80(1, QUIET), Class::Unsupported),
            (f80(EXP_MASK, 0), Class::Unsupported),
            (f80(EXP_MASK, INTEGER), Class::Infinity),
            (f80(EXP_MASK, INTEGER | 1), Class::SignalingNan),
            (INDEFINITE, Class::QuietNan),
        ] {
            assert_eq!(class(v), c, "{v:x?}");
            assert_eq!(is_normal(v), c == Class::Normal);
        }
        let tiny = f80(SIGN, 1);
        assert_eq!(unpack(tiny), Num { neg: true, exp: -16445, sig: INTEGER });
        assert_eq!(pack(true, 1 - BIAS, 1), tiny);
    }

    #[test]
    fn of_two_nans_the_larger_significand_wins() {
        let (s, q) = (f80(EXP_MASK, INTEGER | 9), f80(EXP_MASK | SIGN, INTEGER | QUIET | 1));
        assert_eq!(propagate(s, q), Some(Outcome { value: q, flags: IE }));
        let p = f80(EXP_MASK, q.mantissa);
        assert_eq!(propagate(q, p), Some(Outcome::exact(p)));
        assert_eq!(propagate(ONE, ONE), None);
        assert_eq!(propagate(q, f80(5, 5)), Some(Outcome::invalid()));
    }
}
