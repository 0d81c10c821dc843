//! Binary floating point by integer arithmetic: for what the host's own
//! arithmetic does not tell, the flags, and does not do, other roundings.
//!
//! ```text
//! Num    a finite number that is not 0      sig * 2^(exp - 63), bit 63 set
//! Exact  a result before it is rounded      sig * 2^(exp - 127), bit 127 set,
//!                                           bit 0 stands for all bits below
//! round  Exact -> Rounded                   what a Format can hold, and what
//!                                           was lost
//! ```
//!
//! Whether a result is tiny is decided after rounding, as x86 does.
//!
//! Linux: none. Source: IEEE 754-2008; Intel SDM vol. 1, sections 4.8, 4.9.
//! Left out: NaNs, infinities and zeros, which SSE and x87 treat each in its
//! own way.

/// Invalid operation. Flags have the same places in MXCSR and FSW.
pub const IE: u32 = 1;
/// An operand is denormal.
pub const DE: u32 = 1 << 1;
/// Division by zero.
pub const ZE: u32 = 1 << 2;
/// Overflow.
pub const OE: u32 = 1 << 3;
/// Underflow.
pub const UE: u32 = 1 << 4;
/// The result is not exact.
pub const PE: u32 = 1 << 5;

/// How results are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest, to the even one of two.
    Nearest,
    /// Toward minus infinity.
    Down,
    /// Toward plus infinity.
    Up,
    /// Toward zero.
    Zero,
}

impl Rounding {
    /// From the two bits of a rounding-control field.
    #[inline]
    pub fn from_field(bits: u32) -> Rounding {
        match bits & 3 {
            0 => Rounding::Nearest,
            1 => Rounding::Down,
            2 => Rounding::Up,
            _ => Rounding::Zero,
        }
    }

    /// Whether a magnitude grows: `odd` is its last bit, `half` the first bit
    /// cut off, `rest` whether there are others.
    fn grows(self, sign: bool, odd: bool, half: bool, rest: bool) -> bool {
        match self {
            Rounding::Nearest => half && (rest || odd),
            Rounding::Down => sign && (half || rest),
            Rounding::Up => !sign && (half || rest),
            Rounding::Zero => false,
        }
    }
}

/// What a kind of numbers can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Bits of the significand, the first one included: 2 to 64.
    pub precision: u32,
    /// Least exponent of a normal number.
    pub emin: i32,
    /// Greatest exponent.
    pub emax: i32,
}

/// `float`.
pub const SINGLE: Format = Format { precision: 24, emin: -126, emax: 127 };
/// `double`.
pub const DOUBLE: Format = Format { precision: 53, emin: -1022, emax: 1023 };

/// A finite number other than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Num {
    /// It is negative.
    pub sign: bool,
    /// Exponent of bit 63.
    pub exp: i32,
    /// Significand with bit 63 set.
    pub sig: u64,
}

/// A number before it is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    /// It is negative.
    pub sign: bool,
    /// Exponent of bit 127.
    pub exp: i32,
    /// Significand with bit 127 set; bit 0 also stands for lower ones.
    pub sig: u128,
}

/// A number as its format holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounded {
    /// It is negative.
    pub sign: bool,
    /// Exponent of bit 63; that of a denormal number and of 0 is `emin`. Above
    /// `emax`: infinity.
    pub exp: i32,
    /// Significand; bit 63 is clear in a denormal number, all are in 0.
    pub sig: u64,
    /// Something was lost.
    pub inexact: bool,
    /// Something would be lost if exponents had no limits.
    pub inexact_wide: bool,
    /// The magnitude is greater than the exact one.
    pub up: bool,
    /// Rounded without a least exponent it would lie below `emin`.
    pub tiny: bool,
    /// Rounded without a greatest exponent it would lie above `emax`.
    pub overflow: bool,
}

impl Num {
    /// With any significand but 0.
    pub fn normalized(sign: bool, exp: i32, sig: u64) -> Num {
        let shift = sig.leading_zeros();
        Num { sign, exp: exp - shift as i32, sig: sig << (shift & 63) }
    }

    /// As an unrounded one.
    pub fn exact(self) -> Exact {
        Exact { sign: self.sign, exp: self.exp, sig: u128::from(self.sig) << 64 }
    }
}

/// A shift to the right that keeps in bit 0 whether ones were lost.
#[inline]
pub fn shift_right_sticky(v: u128, by: u32) -> u128 {
    match by {
        0 => v,
        1..=127 => v >> by | u128::from(v << (128 - by) != 0),
        _ => u128::from(v != 0),
    }
}

impl Exact {
    /// With any significand but 0, its bit 127 counting 2^`exp`.
    pub fn normalized(sign: bool, exp: i32, sig: u128) -> Exact {
        let shift = sig.leading_zeros();
        Exact { sign, exp: exp - shift as i32, sig: sig << (shift & 127) }
    }
}

/// The sum; `None` when it is 0.
pub fn add(a: Num, b: Num) -> Option<Exact> {
    let (a, b) = if (a.exp, a.sig) >= (b.exp, b.sig) { (a, b) } else { (b, a) };
    // One bit above for the carry; below 63 bits, so that what is lost of `b`
    // lies far under the last bit of any result.
    let big = u128::from(a.sig) << 63;
    let small = shift_right_sticky(u128::from(b.sig) << 63, a.exp.wrapping_sub(b.exp) as u32);
    let sum = if a.sign == b.sign { big + small } else { big - small };
    (sum != 0).then(|| Exact::normalized(a.sign, a.exp + 1, sum))
}

/// The product.
pub fn mul(a: Num, b: Num) -> Exact {
    let product = u128::from(a.sig) * u128::from(b.sig);
    Exact::normalized(a.sign != b.sign, a.exp + b.exp + 1, product)
}

/// The quotient.
pub fn div(a: Num, b: Num) -> Exact {
    let (n, d) = (u128::from(a.sig) << 63, u128::from(b.sig));
    let (high, rest) = (n / d, n % d);
    let (low, rest) = ((rest << 64) / d, (rest << 64) % d);
    let sig = high << 64 | low | u128::from(rest != 0);
    Exact::normalized(a.sign != b.sign, a.exp - b.exp, sig)
}

/// The square root of a positive number.
pub fn sqrt(a: Num) -> Exact {
    // 2^126 <= n < 2^128, and an even exponent.
    let odd = a.exp & 1 != 0;
    let n = u128::from(a.sig) << if odd { 64 } else { 63 };
    let root = n.isqrt();
    let rest = n - root * root;
    // (root + 1/2)^2 lies between root^2 + root and the next integer.
    let half = rest > root;
    let sig = root << 64 | u128::from(half) << 63 | u128::from(rest != 0);
    Exact { sign: false, exp: a.exp >> 1, sig }
}

/// The first `precision` bits of `sig`, rounded: them at the top of a word,
/// whether they carried out of it (the word is then 0), whether anything was
/// lost, and whether the magnitude grew.
fn cut(sign: bool, sig: u128, precision: u32, mode: Rounding) -> (u64, bool, bool, bool) {
    let low = 128 - precision;
    let kept = sig >> low;
    let lost = sig << precision;
    let half = lost >> 127 != 0;
    let rest = lost << 1 != 0;
    let up = mode.grows(sign, kept & 1 != 0, half, rest);
    let value = (kept + u128::from(up)) << (64 - precision);
    (value as u64, value >> 64 != 0, half || rest, up)
}

/// The nearest number that the format holds.
pub fn round(x: Exact, format: Format, mode: Rounding) -> Rounded {
    let Exact { sign, exp, sig } = x;
    let (value, carry, inexact, up) = cut(sign, sig, format.precision, mode);
    let after = exp + i32::from(carry);
    let value = if carry { 1 << 63 } else { value };
    let normal = Rounded {
        sign,
        exp: after,
        sig: value,
        inexact,
        inexact_wide: inexact,
        up,
        tiny: false,
        overflow: false,
    };
    if exp < format.emin {
        let tiny = after < format.emin;
        let sig = shift_right_sticky(sig, (format.emin - exp) as u32);
        let (sig, _, inexact, up) = cut(sign, sig, format.precision, mode);
        return Rounded { exp: format.emin, sig, inexact, up, tiny, ..normal };
    }
    if after > format.emax {
        let infinite = match mode {
            Rounding::Nearest => true,
            Rounding::Down => sign,
            Rounding::Up => !sign,
            Rounding::Zero => false,
        };
        let (exp, sig) = if infinite {
            (format.emax + 1, 1 << 63)
        } else {
            (format.emax, !0 << (64 - format.precision))
        };
        return Rounded { exp, sig, inexact: true, up: infinite, overflow: true, ..normal };
    }
    normal
}

/// The nearest integer as a magnitude, whether anything was lost, and whether
/// the magnitude grew. `None`: more than 64 bits.
pub fn to_integer(a: Num, mode: Rounding) -> Option<(u64, bool, bool)> {
    if a.exp > 63 {
        return None;
    }
    // The integer part in the upper half.
    let sig = shift_right_sticky(u128::from(a.sig) << 64, (63 - a.exp) as u32);
    let (value, carry, inexact, up) = cut(a.sign, sig, 64, mode);
    (!carry).then_some((value, inexact, up))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn num(v: f64) -> Num {
        let bits = v.to_bits();
        let (e, m) = ((bits >> 52 & 0x7ff) as i32, bits << 12 >> 1);
        if e == 0 {
            Num::normalized(v < 0.0, -1022, m)
        } else {
            Num { sign: v < 0.0, exp: e - 1023, sig: m | 1 << 63 }
        }
    }

    fn bits(r: Rounded) -> u64 {
        let exp = if r.sig >> 63 == 0 { 0 } else { (r.exp + 1023) as u64 };
        u64::from(r.sign) << 63 | exp << 52 | r.sig << 1 >> 12
    }

    /// Numbers of all sizes, many of them close to each other.
    fn some() -> Vec<f64> {
        let mut seed = 1u64;
        let mut v: Vec<f64> = vec![1.0, -1.0, 1.5, 3.0, f64::MAX, f64::MIN_POSITIVE, 5e-324];
        while v.len() < 300 {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let exp = match seed >> 8 & 3 {
                0 => seed >> 16 & 0x7ff,
                1 => seed >> 16 & 0x3f,
                _ => 1000 + (seed >> 16 & 0x3f),
            };
            let cleared = seed >> 24 & 63;
            let mantissa = seed.wrapping_mul(7) >> 12 >> cleared << cleared;
            let x = f64::from_bits(seed & 1 << 63 | exp << 52 | mantissa);
            if x.is_finite() && x != 0.0 {
                v.push(x);
            }
        }
        v
    }

    #[test]
    fn nearest_is_what_the_host_computes() {
        let numbers = some();
        for &x in &numbers {
            for &y in &numbers {
                let sum = add(num(x), num(y)).map(|e| bits(round(e, DOUBLE, Rounding::Nearest)));
                assert_eq!(sum.unwrap_or(0), (x + y).to_bits(), "{x:e} + {y:e}");
                let product = round(mul(num(x), num(y)), DOUBLE, Rounding::Nearest);
                assert_eq!(bits(product), (x * y).to_bits(), "{x:e} * {y:e}");
                let big = (x * y).abs() > 1e-200 && (x * y).is_finite();
                assert!(!big || product.inexact == (x.mul_add(y, -(x * y)) != 0.0));
                let quotient = round(div(num(x), num(y)), DOUBLE, Rounding::Nearest);
                assert_eq!(bits(quotient), (x / y).to_bits(), "{x:e} / {y:e}");
            }
            let root = round(sqrt(num(x.abs())), DOUBLE, Rounding::Nearest);
            assert_eq!(bits(root), x.abs().sqrt().to_bits(), "sqrt {x:e}");
            let single = round(num(x).exact(), SINGLE, Rounding::Nearest);
            let exp = if single.sig >> 63 == 0 { 0 } else { (single.exp + 127) as u32 };
            let found = u32::from(single.sign) << 31 | exp << 23 | (single.sig << 1 >> 41) as u32;
            assert_eq!(found, (x as f32).to_bits(), "{x:e}");
        }
    }

    #[test]
    fn directed_roundings_enclose_the_nearest() {
        let numbers = some();
        for &x in &numbers {
            for &y in &numbers {
                let e = div(num(x), num(y));
                let by = |mode| f64::from_bits(bits(round(e, DOUBLE, mode)));
                let (down, up, zero) = (by(Rounding::Down), by(Rounding::Up), by(Rounding::Zero));
                assert!(down <= x / y && x / y <= up, "{x:e} / {y:e}");
                assert_eq!(zero, if (x < 0.0) == (y < 0.0) { down } else { up });
                let next = if down == 0.0 { 5e-324 } else { down.next_up() };
                assert!(up == down || up == next || (up == 0.0 && down == -5e-324));
            }
        }
    }

    #[test]
    fn tiny_is_decided_after_rounding() {
        let half_ulp_below = Exact { sign: false, exp: -1023, sig: !0 << 74 };
        let r = round(half_ulp_below, DOUBLE, Rounding::Nearest);
        assert!(r.sig == 1 << 63 && r.exp == -1022 && !r.tiny && r.inexact, "{r:?}");
        let more_below = Exact { sig: !0 << 75, ..half_ulp_below };
        let r = round(more_below, DOUBLE, Rounding::Nearest);
        assert!(r.sig == 1 << 63 && r.exp == -1022 && r.tiny && r.inexact, "{r:?}");
    }

    #[test]
    fn integers() {
        let to = |v, mode| to_integer(num(v), mode);
        assert_eq!(to(2.5, Rounding::Nearest), Some((2, true, false)));
        assert_eq!(to(3.5, Rounding::Nearest), Some((4, true, true)));
        assert_eq!(to(-0.1, Rounding::Down), Some((1, true, true)));
        assert_eq!(to(1e300, Rounding::Zero), None);
        assert_eq!(to(5e-324, Rounding::Up), Some((1, true, true)));
    }
}
