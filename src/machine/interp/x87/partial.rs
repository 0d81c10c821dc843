//! What takes numbers apart: FPREM, FPREM1, FSCALE, FXTRACT, FRNDINT.
//!
//! ```text
//! FPREM   exponents differ by D < 64:  all of it; C0 C3 C1 = quotient bits 2 1 0
//!         D >= 64:  N = 32 + D % 32 bits of the quotient are worked off; C2 = 1
//! ```
//!
//! The manual leaves N open between 32 and 63; this is what processors do.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::convert::{integral, stored_exponent};
use super::number::{
    Class, INTEGER, Num, Outcome, class, infinity, is_negative, pack, propagate, propagate_one,
    unpack, zero,
};
use super::round::{EXTENDED, to_register};
use super::status::{C0, C1, C2, C3, ZE, rounding};
use super::{convert, number};
use crate::machine::fpu::F80;

fn exactly(control: u16, v: Num) -> Outcome {
    to_register(control, EXTENDED, v.neg, v.exp, u128::from(v.sig) << 64)
}

/// FPREM, or FPREM1 (`NEAREST`): the remainder, and C0 to C3 if it is one.
pub fn remainder<const NEAREST: bool>(control: u16, a: F80, b: F80) -> (Outcome, Option<u16>) {
    if let Some(o) = propagate(a, b) {
        return (o, None);
    }
    let (ca, cb) = (class(a), class(b));
    let denormal = ca == Class::Denormal || cb == Class::Denormal;
    if ca == Class::Infinity || cb == Class::Zero {
        return (Outcome::invalid(), None);
    }
    if ca == Class::Zero {
        return (Outcome::exact(a).with_denormal(denormal), Some(0));
    }
    if cb == Class::Infinity {
        return (exactly(control, unpack(a)).with_denormal(denormal), Some(0));
    }
    let (x, y) = (unpack(a), unpack(b));
    let apart = x.exp - y.exp;
    if apart < if NEAREST { -1 } else { 0 } {
        return (exactly(control, x).with_denormal(denormal), Some(0));
    }
    let whole = apart < 64;
    let bits = if whole { apart } else { 32 + apart % 32 };
    let divisor = u128::from(y.sig) << 1;
    // One more bit, for FPREM1 with |a| < |b|.
    let dividend = u128::from(x.sig) << (bits + 1);
    let (mut quotient, mut rest) = ((dividend / divisor) as u64, dividend % divisor);
    let mut neg = x.neg;
    if NEAREST && whole {
        let twice = rest << 1;
        if twice > divisor || twice == divisor && quotient & 1 != 0 {
            rest = divisor - rest;
            quotient = quotient.wrapping_add(1);
            neg = !neg;
        }
    }
    let conditions = if whole {
        let bit = |n: u32, c: u16| if quotient >> n & 1 != 0 { c } else { 0 };
        bit(2, C0) | bit(1, C3) | bit(0, C1)
    } else {
        C2
    };
    if rest == 0 {
        return (Outcome::exact(zero(x.neg)).with_denormal(denormal), Some(conditions));
    }
    let shift = rest.leading_zeros();
    let exp = y.exp + (apart - bits) + 63 - shift as i32;
    let o = to_register(control, EXTENDED, neg, exp, rest << shift);
    (o.with_denormal(denormal), Some(conditions))
}

/// FSCALE: `a * 2^trunc(b)`.
pub fn scale(control: u16, a: F80, b: F80) -> Outcome {
    if let Some(o) = propagate(a, b) {
        return o;
    }
    let (ca, cb) = (class(a), class(b));
    let neg = is_negative(a);
    let o = match (ca, cb) {
        (Class::Infinity, Class::Infinity) if is_negative(b) => Outcome::invalid(),
        (Class::Zero, Class::Infinity) if !is_negative(b) => Outcome::invalid(),
        (Class::Zero | Class::Infinity, _) => Outcome::exact(a),
        (_, Class::Infinity) if is_negative(b) => Outcome::exact(zero(neg)),
        (_, Class::Infinity) => Outcome::exact(infinity(neg)),
        (_, Class::Zero) => exactly(control, unpack(a)),
        _ => {
            // More than this is beyond any exponent.
            let by = if unpack(b).exp > 16 { 1 << 17 } else { integral(3, unpack(b)).0 as i32 };
            let by = if is_negative(b) { -by } else { by };
            let v = unpack(a);
            exactly(control, Num { exp: v.exp + by, ..v })
        }
    };
    o.with_denormal(ca == Class::Denormal || cb == Class::Denormal)
}

/// FXTRACT: the exponent, and the significand with exponent 0 that is pushed.
pub fn extract(a: F80) -> (Outcome, F80) {
    if let Some(o) = propagate_one(a) {
        return (o, o.value);
    }
    match class(a) {
        Class::Infinity => (Outcome::exact(infinity(false)), a),
        Class::Zero => (Outcome { value: infinity(true), flags: ZE }, a),
        c => {
            let v = unpack(a);
            let exponent = Outcome::exact(convert::from_int(v.exp.into()));
            (exponent.with_denormal(c == Class::Denormal), pack(v.neg, 0, v.sig))
        }
    }
}

/// FRNDINT.
pub fn to_integral(control: u16, a: F80) -> Outcome {
    if let Some(o) = propagate_one(a) {
        return o;
    }
    let c = class(a);
    if c == Class::Zero || c == Class::Infinity || stored_exponent(a) >= 63 {
        return Outcome::exact(a);
    }
    let v = unpack(a);
    let (m, flags) = integral(rounding(control), v);
    let value = if m == 0 {
        zero(v.neg)
    } else {
        let shift = m.leading_zeros();
        number::pack(v.neg, 63 - shift as i32, m << shift)
    };
    debug_assert!(m == 0 || value.mantissa & INTEGER != 0);
    Outcome { value, flags }.with_denormal(c == Class::Denormal)
}

#[cfg(test)]
mod tests {
    use super::super::number::{INDEFINITE, ONE};
    use super::super::status::{IE, PE};
    use super::*;
    use convert::from_int;

    const NEAREST: u16 = 0x37f;

    #[test]
    fn remainders_of_integers() {
        for a in -40i64..41 {
            for b in 1i64..9 {
                let (o, c) = remainder::<false>(NEAREST, from_int(a), from_int(b));
                let expect = if a % b == 0 { zero(a < 0) } else { from_int(a % b) };
                let expect = if a == 0 { zero(false) } else { expect };
                assert_eq!(o, Outcome::exact(expect), "{a} % {b}");
                let q = (a / b).unsigned_abs();
                let bit = |n: u32, c: u16| if q >> n & 1 != 0 { c } else { 0 };
                assert_eq!(c, Some(bit(2, C0) | bit(1, C3) | bit(0, C1)));
            }
        }
        let (o, c) = remainder::<true>(NEAREST, from_int(7), from_int(4));
        assert_eq!((o.value, c), (from_int(-1), Some(C3)));
        let (o, _) = remainder::<true>(NEAREST, from_int(2), from_int(4));
        assert_eq!(o.value, from_int(2), "half of it: the even quotient");
        let big = pack(false, 64, INTEGER);
        assert_eq!(remainder::<false>(NEAREST, big, from_int(3)).1.map(|c| c & C2), Some(0));
        let big = pack(false, 100, INTEGER);
        assert_eq!(remainder::<false>(NEAREST, big, from_int(3)).1, Some(C2));
        assert_eq!(remainder::<false>(NEAREST, ONE, zero(true)).0.value, INDEFINITE);
    }

    #[test]
    fn scaling_and_extracting() {
        assert_eq!(scale(NEAREST, from_int(3), from_int(4)).value, from_int(48));
        let beyond = scale(NEAREST, from_int(3), from_int(1 << 40));
        assert_eq!(beyond.value, infinity(false));
        assert_eq!(scale(NEAREST, zero(true), infinity(false)).flags, IE);
        let (e, s) = extract(from_int(-12));
        assert_eq!((e.value, s), (from_int(3), pack(true, 0, 3 << 62)));
        assert_eq!(extract(zero(true)).0, Outcome { value: infinity(true), flags: ZE });
    }

    #[test]
    fn integers_stay_and_others_round() {
        assert_eq!(to_integral(NEAREST, from_int(7)), Outcome::exact(from_int(7)));
        let half = pack(true, -1, INTEGER);
        assert_eq!(to_integral(NEAREST, half), Outcome { value: zero(true), flags: PE });
        let down = to_integral(NEAREST | 1 << 10, half);
        assert_eq!(down, Outcome { value: from_int(-1), flags: PE | C1 });
    }
}
