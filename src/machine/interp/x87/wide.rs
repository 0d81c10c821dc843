//! Numbers with 128-bit significands, for results that are rounded to 64.
//!
//! ```text
//! sig / 2^127 * 2^exp, top bit set          relative error of each operation
//!                                           below 2^-126, always towards 0
//! ```
//!
//! Linux: none. Source: own. Left out: infinities, correct rounding.

use super::number::Num;

/// A number; 0 has significand 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wide {
    /// Whether it is negative.
    pub neg: bool,
    /// Exponent of the top bit.
    pub exp: i32,
    /// Significand.
    pub sig: u128,
}

/// The upper half of a product.
pub fn mul_high(a: u128, b: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    let (ah, al, bh, bl) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let middle = ah * bl;
    let low = (al * bl >> 64) + (middle & LOW);
    // Below 2^128: (2^64 - 1)^2 + 2 * (2^64 - 1).
    let other = al * bh + low;
    ah * bh + (middle >> 64) + (other >> 64)
}

impl Wide {
    /// Zero.
    pub const ZERO: Wide = Wide { neg: false, exp: 0, sig: 0 };
    /// One.
    pub const ONE: Wide = Wide { neg: false, exp: 0, sig: 1 << 127 };

    /// `sig / 2^127 * 2^exp`, the top bit of `sig` set or not.
    pub fn new(neg: bool, exp: i32, sig: u128) -> Wide {
        if sig == 0 {
            return Wide::ZERO;
        }
        let shift = sig.leading_zeros();
        Wide { neg, exp: exp - shift as i32, sig: sig << shift }
    }

    /// A register's number.
    pub fn from_num(v: Num) -> Wide {
        Wide { neg: v.neg, exp: v.exp, sig: u128::from(v.sig) << 64 }
    }

    /// A small integer.
    pub fn from_int(n: i32) -> Wide {
        Wide::new(n < 0, 127, n.unsigned_abs().into())
    }

    /// `-self`.
    pub fn negated(self) -> Wide {
        Wide { neg: !self.neg, ..self }
    }

    /// Without its sign.
    pub fn abs(self) -> Wide {
        Wide { neg: false, ..self }
    }

    /// Times a power of two.
    pub fn scaled(self, by: i32) -> Wide {
        Wide { exp: self.exp + by, ..self }
    }

    /// `self * b`.
    pub fn times(self, b: Wide) -> Wide {
        Wide::new(self.neg != b.neg, self.exp + b.exp + 1, mul_high(self.sig, b.sig))
    }

    /// `self / b`, `b` not 0.
    pub fn over(self, b: Wide) -> Wide {
        if self.sig == 0 {
            return Wide::ZERO;
        }
        // Bit by bit; the first one is the integer bit.
        let (mut rest, mut quotient) = (self.sig, 0u128);
        let mut exp = self.exp - b.exp;
        let mut carry = false;
        if rest < b.sig {
            (carry, rest) = (rest >> 127 != 0, rest << 1);
            exp -= 1;
        }
        for _ in 0..128 {
            quotient <<= 1;
            if carry || rest >= b.sig {
                rest = rest.wrapping_sub(b.sig);
                quotient |= 1;
            }
            (carry, rest) = (rest >> 127 != 0, rest << 1);
        }
        Wide { neg: self.neg != b.neg, exp, sig: quotient }
    }

    /// `self + b`.
    pub fn plus(self, b: Wide) -> Wide {
        if self.sig == 0 {
            return b;
        }
        if b.sig == 0 {
            return self;
        }
        let (a, b) = if (self.exp, self.sig) >= (b.exp, b.sig) { (self, b) } else { (b, self) };
        let small = b.sig.checked_shr((a.exp - b.exp).min(128) as u32).unwrap_or(0);
        if a.neg != b.neg {
            return Wide::new(a.neg, a.exp, a.sig - small);
        }
        match a.sig.checked_add(small) {
            Some(sum) => Wide { sig: sum, ..a },
            None => {
                let sum = a.sig.wrapping_add(small) >> 1 | 1 << 127;
                Wide { neg: a.neg, exp: a.exp + 1, sig: sum }
            }
        }
    }

    /// `self - b`.
    pub fn minus(self, b: Wide) -> Wide {
        self.plus(b.negated())
    }

    /// `|self|` in units of 2^-128; it is below 1.
    pub fn fraction(self) -> u128 {
        debug_assert!(self.exp < 0 || self.sig == 0);
        self.sig.checked_shr((-1 - self.exp).clamp(0, 128) as u32).unwrap_or(0)
    }

    /// The square of the fraction, in units of 2^-128.
    pub fn square_fraction(self) -> u128 {
        let s = Wide::times(self, self);
        s.fraction()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn products_have_an_upper_half() {
        assert_eq!(mul_high(u128::MAX, u128::MAX), u128::MAX - 1);
        assert_eq!(mul_high(1 << 127, 6), 3);
    }

    proptest! {
        #[test]
        fn quotients_times_divisors(a in 1i32.., b in 1i32..) {
            let (x, y) = (Wide::from_int(a), Wide::from_int(b));
            let back = x.over(y).times(y);
            let off = back.minus(x);
            prop_assert!(off.sig == 0 || off.exp < x.exp - 120);
            prop_assert_eq!(x.plus(y), Wide::new(false, 127, (i64::from(a) + i64::from(b)) as u128));
            prop_assert_eq!(x.minus(y).neg, a < b);
        }
    }
}
