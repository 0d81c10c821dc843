//! Between registers and what memory holds: binary32 and binary64, integers,
//! packed decimals.
//!
//! ```text
//! packed decimal   byte 9: sign in bit 7   bytes 8..0: two digits each, the
//!                                          higher in the upper half
//! ```
//!
//! Linux: none. Source: Intel SDM vol. 1, sections 4.2.2, 4.7, 4.8; vol. 2 (FLD,
//! FST, FILD, FIST, FISTTP, FBLD, FBSTP). Left out: nothing.

use super::number::{
    BIAS, Class, EXP_MASK, INTEGER, Num, class, infinity, is_negative, pack, propagate_one, unpack,
    zero,
};
use super::round::{Format, round, shift_right};
use super::status::{C1, IE, PE, rounding};
use crate::machine::fpu::F80;

/// From binary32 (`EXP` 8, `FRAC` 23) or binary64 (11, 52); `true`: it is a
/// denormal. A signaling NaN stays one.
#[inline(always)]
pub fn widen<const EXP: u32, const FRAC: u32>(bits: u64) -> (F80, bool) {
    let most = (1u64 << EXP) - 1;
    let neg = bits >> (EXP + FRAC) & 1 != 0;
    let exp = bits >> FRAC & most;
    let fraction = bits << (64 - FRAC) >> 1;
    if exp.wrapping_sub(1) < most - 1 {
        return (pack(neg, exp as i32 - (most >> 1) as i32, INTEGER | fraction), false);
    }
    if exp == most {
        return (F80 { mantissa: INTEGER | fraction, ..infinity(neg) }, false);
    }
    if fraction == 0 {
        return (zero(neg), false);
    }
    let shift = fraction.leading_zeros();
    (pack(neg, 1 - (most >> 1) as i32 - shift as i32, fraction << shift), true)
}

/// To binary32 or binary64, with the flags.
#[inline(always)]
pub fn narrow<const EXP: u32, const FRAC: u32>(control: u16, f: Format, v: F80) -> (u64, u16) {
    let most = (1u64 << EXP) - 1;
    let put = |neg: bool, exp: u64, sig: u64| {
        u64::from(neg) << (EXP + FRAC) | exp << FRAC | sig << 1 >> (64 - FRAC)
    };
    if let Some(o) = propagate_one(v) {
        return (put(is_negative(o.value), most, o.value.mantissa), o.flags);
    }
    match class(v) {
        Class::Zero => return (put(is_negative(v), 0, 0), 0),
        Class::Infinity => return (put(is_negative(v), most, 0), 0),
        _ => {}
    }
    let v = unpack(v);
    let r = round(control, f, v.neg, v.exp, u128::from(v.sig) << 64);
    let exp = if r.sig & INTEGER == 0 { 0 } else { (r.exp + f.max) as u64 & most };
    (put(v.neg, exp, r.sig), r.flags)
}

/// From an integer.
#[inline(always)]
pub fn from_int(n: i64) -> F80 {
    from_magnitude(n < 0, n.unsigned_abs())
}

fn from_magnitude(neg: bool, m: u64) -> F80 {
    if m == 0 {
        return zero(neg);
    }
    let shift = m.leading_zeros();
    pack(neg, 63 - shift as i32, m << shift)
}

/// The integer next to a number below 2^64, by rounding mode 0 to 3; with PE,
/// and C1 if it is the larger one.
pub fn integral(mode: u16, v: Num) -> (u64, u16) {
    let fixed = shift_right(u128::from(v.sig) << 64, (63 - v.exp).clamp(0, 128) as u32);
    let (whole, rest) = ((fixed >> 64) as u64, fixed as u64);
    if rest == 0 {
        return (whole, 0);
    }
    let up = match mode {
        0 => rest > INTEGER || rest == INTEGER && whole & 1 != 0,
        1 => v.neg,
        2 => !v.neg,
        _ => false,
    };
    (whole + u64::from(up), if up { PE | C1 } else { PE })
}

/// To an integer of so many bits by rounding mode 0 to 3, with the flags.
#[inline]
pub fn to_int(mode: u16, bits: u32, v: F80) -> (i64, u16) {
    let indefinite = (-1i64 << (bits - 1), IE);
    match class(v) {
        Class::Zero => return (0, 0),
        Class::Normal | Class::Denormal => {}
        _ => return indefinite,
    }
    let v = unpack(v);
    if v.exp > 63 {
        return indefinite;
    }
    let (m, flags) = integral(mode, v);
    let limit = 1u64 << (bits - 1);
    if m > limit || m == limit && !v.neg {
        return indefinite;
    }
    (if v.neg { (m as i64).wrapping_neg() } else { m as i64 }, flags)
}

/// From a packed decimal. A digit above 9 counts as what it is.
pub fn from_bcd(b: [u8; 10]) -> F80 {
    let m = b[..9].iter().rev().fold(0u64, |m, b| {
        m.wrapping_mul(100).wrapping_add(u64::from(b >> 4) * 10).wrapping_add(u64::from(b & 15))
    });
    from_magnitude(b[9] & 0x80 != 0, m)
}

/// To a packed decimal, with the flags.
pub fn to_bcd(control: u16, v: F80) -> ([u8; 10], u16) {
    const INDEFINITE: [u8; 10] = [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff];
    let (mut m, flags) = match class(v) {
        Class::Zero => (0, 0),
        Class::Normal | Class::Denormal if unpack(v).exp < 60 => {
            integral(rounding(control), unpack(v))
        }
        _ => return (INDEFINITE, IE),
    };
    if m >= 1_000_000_000_000_000_000 {
        return (INDEFINITE, IE);
    }
    let mut b = [0; 10];
    for digits in &mut b[..9] {
        *digits = (m / 10 % 10 * 16 + m % 10) as u8;
        m /= 100;
    }
    b[9] = u8::from(is_negative(v)) << 7;
    (b, flags)
}

/// The exponent of a number that has one, as it is stored less the bias.
pub fn stored_exponent(v: F80) -> i32 {
    i32::from(v.sign_exp & EXP_MASK) - BIAS
}

#[cfg(test)]
mod tests {
    use super::super::number::{INDEFINITE, Outcome, quieted};
    use super::super::round::{DOUBLE, SINGLE};
    use super::super::status::UE;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn doubles_come_back(bits: u64) {
            let (v, _) = widen::<11, 52>(bits);
            let (back, flags) = narrow::<11, 52>(0x37f, DOUBLE, v);
            let f = f64::from_bits(bits);
            prop_assert_eq!(back, if f.is_nan() { bits | 1 << 51 } else { bits });
            prop_assert_eq!(flags & !IE, 0);
            // A cast rounds to nearest.
            let (single, _) = narrow::<8, 23>(0x37f, SINGLE, v);
            if !f.is_nan() {
                prop_assert_eq!(single, u64::from((f as f32).to_bits()));
            }
        }

        #[test]
        fn integers_come_back(n: i64, m: i32) {
            prop_assert_eq!(to_int(0, 64, from_int(n)), (n, 0));
            prop_assert_eq!(to_int(3, 32, from_int(m.into())), (m.into(), 0));
            let v = from_int(n % 1_000_000_000_000_000_000);
            prop_assert_eq!(from_bcd(to_bcd(0x37f, v).0), v);
        }
    }

    #[test]
    fn what_does_not_fit_is_indefinite() {
        assert_eq!(to_int(0, 16, from_int(32768)), (-32768, IE));
        assert_eq!(to_int(0, 16, from_int(-32768)), (-32768, 0));
        assert_eq!(to_int(0, 64, INDEFINITE), (i64::MIN, IE));
        assert_eq!(to_bcd(0x37f, from_int(1_000_000_000_000_000_000)).1, IE);
        assert_eq!(to_bcd(0x37f, from_int(-21)).0, [0x21, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]);
    }

    #[test]
    fn halves_go_to_even_integers() {
        let half = |n: i64| Num { exp: unpack(from_int(n)).exp - 1, ..unpack(from_int(n)) };
        assert_eq!(integral(0, half(5)), (2, PE));
        assert_eq!(integral(0, half(7)), (4, PE | C1));
        assert_eq!(integral(1, half(-5)), (3, PE | C1));
    }

    #[test]
    fn denormal_singles() {
        assert_eq!(widen::<8, 23>(1), (pack(false, -149, INTEGER), true));
        let v = pack(true, -150, INTEGER | 1);
        assert_eq!(narrow::<8, 23>(0x37f, SINGLE, v), (0x8000_0001, PE | UE | C1));
        let snan = widen::<8, 23>(0x7f80_0001).0;
        assert_eq!(propagate_one(snan), Some(Outcome { value: quieted(snan), flags: IE }));
    }
}
