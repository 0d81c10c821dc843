//! Addition, multiplication, division and the square root, correctly rounded.
//!
//! Each is computed exactly, or with a sticky bit, in 128 bits and rounded
//! once, so that precision control does not round twice.
//!
//! Linux: none. Source: Intel SDM vol. 1, section 8.3.5; vol. 2 (tables of
//! results for special operands in FADD, FMUL, FDIV, FSQRT). Left out: nothing.

use super::number::{
    Class, Num, Outcome, class, infinity, is_negative, is_normal, propagate, propagate_one, unpack,
    zero,
};
use super::round::{precision, shift_right, to_register};
use super::status::{ZE, rounding};
use crate::machine::fpu::F80;

/// `a + b`, or `a - b`.
#[inline(always)]
pub fn add(control: u16, a: F80, b: F80, subtract: bool) -> Outcome {
    if is_normal(a) && is_normal(b) {
        let b = unpack(b);
        return add_finite(control, unpack(a), Num { neg: b.neg ^ subtract, ..b });
    }
    add_special(control, a, b, subtract)
}

#[inline(always)]
fn add_finite(control: u16, a: Num, b: Num) -> Outcome {
    let (a, b) = if (a.exp, a.sig) >= (b.exp, b.sig) { (a, b) } else { (b, a) };
    let large = u128::from(a.sig) << 63;
    let small = shift_right(u128::from(b.sig) << 63, (a.exp - b.exp).min(128) as u32);
    let sum = if a.neg == b.neg { large + small } else { large - small };
    if sum == 0 {
        return Outcome::exact(zero(rounding(control) == 1));
    }
    let shift = sum.leading_zeros();
    to_register(control, precision(control), a.neg, a.exp + 1 - shift as i32, sum << shift)
}

#[cold]
fn add_special(control: u16, a: F80, b: F80, subtract: bool) -> Outcome {
    if let Some(o) = propagate(a, b) {
        return o;
    }
    let (ca, cb) = (class(a), class(b));
    let (na, nb) = (is_negative(a), is_negative(b) ^ subtract);
    let o = match (ca, cb) {
        (Class::Infinity, Class::Infinity) if na != nb => Outcome::invalid(),
        (Class::Infinity, _) => Outcome::exact(a),
        (_, Class::Infinity) => Outcome::exact(infinity(nb)),
        (Class::Zero, Class::Zero) if na == nb => Outcome::exact(a),
        (Class::Zero, Class::Zero) => Outcome::exact(zero(rounding(control) == 1)),
        (Class::Zero, _) => rounded(control, Num { neg: nb, ..unpack(b) }),
        (_, Class::Zero) => rounded(control, unpack(a)),
        _ => add_finite(control, unpack(a), Num { neg: nb, ..unpack(b) }),
    };
    o.with_denormal(ca == Class::Denormal || cb == Class::Denormal)
}

/// A number to the precision in force.
fn rounded(control: u16, v: Num) -> Outcome {
    to_register(control, precision(control), v.neg, v.exp, u128::from(v.sig) << 64)
}

/// `a * b`.
#[inline(always)]
pub fn mul(control: u16, a: F80, b: F80) -> Outcome {
    if is_normal(a) && is_normal(b) {
        return mul_finite(control, unpack(a), unpack(b));
    }
    mul_special(control, a, b)
}

#[inline(always)]
fn mul_finite(control: u16, a: Num, b: Num) -> Outcome {
    let product = u128::from(a.sig) * u128::from(b.sig);
    let shift = product.leading_zeros();
    let exp = a.exp + b.exp + 1 - shift as i32;
    to_register(control, precision(control), a.neg != b.neg, exp, product << shift)
}

#[cold]
fn mul_special(control: u16, a: F80, b: F80) -> Outcome {
    if let Some(o) = propagate(a, b) {
        return o;
    }
    let (ca, cb) = (class(a), class(b));
    let neg = is_negative(a) != is_negative(b);
    let o = match (ca, cb) {
        (Class::Infinity, Class::Zero) | (Class::Zero, Class::Infinity) => Outcome::invalid(),
        (Class::Infinity, _) | (_, Class::Infinity) => Outcome::exact(infinity(neg)),
        (Class::Zero, _) | (_, Class::Zero) => Outcome::exact(zero(neg)),
        _ => mul_finite(control, unpack(a), unpack(b)),
    };
    o.with_denormal(ca == Class::Denormal || cb == Class::Denormal)
}

/// `a / b`.
#[inline(always)]
pub fn div(control: u16, a: F80, b: F80) -> Outcome {
    if is_normal(a) && is_normal(b) {
        return div_finite(control, unpack(a), unpack(b));
    }
    div_special(control, a, b)
}

#[inline(always)]
fn div_finite(control: u16, a: Num, b: Num) -> Outcome {
    let divisor = u128::from(b.sig);
    // A quotient of 64 or 65 bits, then two more: the next one and a sticky one.
    let dividend = u128::from(a.sig) << 64;
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let more = match (rest << 1).cmp(&divisor) {
        _ if rest == 0 => 0,
        std::cmp::Ordering::Less => 1,
        std::cmp::Ordering::Equal => 2,
        std::cmp::Ordering::Greater => 3,
    };
    let quotient = quotient << 2 | more;
    let shift = quotient.leading_zeros();
    // 1.0 / 1.0 has its one at bit 66.
    let exp = a.exp - b.exp + 61 - shift as i32;
    to_register(control, precision(control), a.neg != b.neg, exp, quotient << shift)
}

#[cold]
fn div_special(control: u16, a: F80, b: F80) -> Outcome {
    if let Some(o) = propagate(a, b) {
        return o;
    }
    let (ca, cb) = (class(a), class(b));
    let neg = is_negative(a) != is_negative(b);
    let o = match (ca, cb) {
        (Class::Infinity, Class::Infinity) | (Class::Zero, Class::Zero) => Outcome::invalid(),
        (Class::Infinity, _) => Outcome::exact(infinity(neg)),
        (Class::Zero, _) | (_, Class::Infinity) => Outcome::exact(zero(neg)),
        (_, Class::Zero) => Outcome { value: infinity(neg), flags: ZE },
        _ => div_finite(control, unpack(a), unpack(b)),
    };
    o.with_denormal(ca == Class::Denormal || cb == Class::Denormal)
}

/// The square root.
pub fn sqrt(control: u16, a: F80) -> Outcome {
    if let Some(o) = propagate_one(a) {
        return o;
    }
    let c = class(a);
    if c == Class::Zero || c == Class::Infinity && !is_negative(a) {
        return Outcome::exact(a);
    }
    if is_negative(a) {
        return Outcome::invalid();
    }
    let v = unpack(a);
    // An even exponent, and as many bits as give a root of 64.
    let odd = v.exp & 1;
    let square = u128::from(v.sig) << (63 + odd);
    let root = square.isqrt();
    let rest = square - root * root;
    // The root goes on: above or below a half, never at it.
    let more = u128::from(rest > root) << 63 | u128::from(rest != 0);
    let exp = (v.exp - odd) / 2;
    to_register(control, precision(control), false, exp, root << 64 | more)
        .with_denormal(c == Class::Denormal)
}

#[cfg(test)]
mod tests {
    use super::super::number::{INDEFINITE, INTEGER, ONE, pack};
    use super::super::status::{C1, DE, IE, PE};
    use super::*;

    const NEAREST: u16 = 0x37f;

    fn int(n: i64) -> F80 {
        let m = n.unsigned_abs();
        pack(n < 0, 63 - m.leading_zeros() as i32, m << m.leading_zeros())
    }

    #[test]
    fn small_integers_are_exact() {
        for a in -9i64..10 {
            for b in -9i64..10 {
                let (x, y) =
                    (if a == 0 { zero(false) } else { int(a) }, int(if b == 0 { 1 } else { b }));
                let b = if b == 0 { 1 } else { b };
                let get = |n: i64| if n == 0 { zero(false) } else { int(n) };
                assert_eq!(add(NEAREST, x, y, false), Outcome::exact(get(a + b)));
                assert_eq!(add(NEAREST, x, y, true), Outcome::exact(get(a - b)));
                if a != 0 {
                    assert_eq!(mul(NEAREST, x, y), Outcome::exact(int(a * b)));
                    assert_eq!(div(NEAREST, int(a * b), y), Outcome::exact(x));
                }
                assert_eq!(sqrt(NEAREST, int(b * b)), Outcome::exact(int(b.abs())));
            }
        }
    }

    #[test]
    fn precision_control_rounds_once() {
        let third = div(NEAREST, ONE, int(3));
        assert_eq!(third.value, F80 { sign_exp: 0x3ffd, mantissa: 0xaaaa_aaaa_aaaa_aaab });
        assert_eq!(third.flags, PE | C1);
        let third = div(0x07f, ONE, int(3));
        assert_eq!(third.value.mantissa, 0xaaaa_ab00_0000_0000);
        // 1 + 2^-24 + 2^-60: twice rounded it would be 1.
        let b = pack(false, -24, INTEGER | 1 << 27);
        assert_eq!(add(0x07f, ONE, b, false).value.mantissa, INTEGER | 1 << 40);
    }

    #[test]
    fn special_operands() {
        let inf = infinity(false);
        assert_eq!(add(NEAREST, inf, inf, true), Outcome::invalid());
        assert_eq!(mul(NEAREST, inf, zero(true)).value, INDEFINITE);
        let by_zero = div(NEAREST, ONE, zero(true));
        assert_eq!(by_zero, Outcome { value: infinity(true), flags: ZE });
        let denormal = F80 { sign_exp: 0, mantissa: 1 };
        assert_eq!(
            add(NEAREST, denormal, zero(false), false),
            Outcome { value: denormal, flags: DE }
        );
        assert_eq!(sqrt(NEAREST, int(-1)).flags, IE);
        assert_eq!(sqrt(NEAREST, zero(true)), Outcome::exact(zero(true)));
    }
}
