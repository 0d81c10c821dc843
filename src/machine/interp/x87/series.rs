//! Elementary functions of [`Wide`] numbers, by their power series.
//!
//! ```text
//! sin, cos   |r| <= pi/4        16 terms        argument reduced by 66-bit pi
//! atan       |t| <= 1           atan(k/8) + atan of at most 1/16, 17 terms
//! 2^x - 1    |x| <= 1           33 terms
//! log2       sqrt(1/2)..sqrt(2) 2 atanh((m-1)/(m+1)), 26 terms
//! ```
//!
//! A factor in front of a series keeps small results exact to 120 bits. The
//! result of a function that lies below its argument is at least one unit below.
//!
//! Linux: none. Source: own; Intel SDM vol. 1, section 8.3.8 for the value of
//! pi that FSIN and its like reduce by. Left out: nothing.

use super::number::Num;
use super::wide::{Wide, mul_high};

/// pi.
pub const PI: Wide = Wide { neg: false, exp: 1, sig: 0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1 };
/// log2(e).
const LOG2_E: Wide = Wide { neg: false, exp: 0, sig: 0xb8aa_3b29_5c17_f0bb_be87_fed0_691d_3e88 };
/// ln(2).
const LN_2: Wide = Wide { neg: false, exp: -1, sig: 0xb172_17f7_d1cf_79ab_c9e3_b398_03f2_f6af };

/// pi / 4 as the processor has it, in units of 2^-66.
const QUARTER: u128 = 0x3_243f_6a88_85a3_08d3;
const HALF: u128 = QUARTER * 2;

const fn reciprocal_factorials(first: u128) -> [u128; 17] {
    let mut c = [0; 17];
    let (mut k, mut n, mut value) = (0, first, 1 << 127);
    while k < c.len() {
        c[k] = value;
        value /= (n + 1) * (n + 2);
        n += 2;
        k += 1;
    }
    c
}

/// 1 / (2k + 1)! and 1 / (2k)! in units of 2^-127.
const SIN: [u128; 17] = reciprocal_factorials(1);
const COS: [u128; 17] = reciprocal_factorials(0);

/// The alternating series of the square `z`, in units of 2^-127.
fn alternating(c: &[u128], z: u128) -> u128 {
    let mut s = 0;
    for (k, c) in c.iter().enumerate().rev() {
        s = c - mul_high(z, s).max(u128::from(k == 0)).min(*c);
    }
    s
}

/// An argument less a multiple of pi / 2, within pi / 4; and that multiple
/// modulo 4. Its exponent is below 63.
pub fn reduce(v: Num) -> (Wide, u8) {
    let x = Wide::from_num(v);
    if v.exp < -1 {
        return (x, 0);
    }
    let (mut rest, mut n) = (u128::from(v.sig), 0u8);
    for _ in 0..v.exp + 3 {
        rest <<= 1;
        n <<= 1;
        if rest >= HALF {
            rest -= HALF;
            n += 1;
        }
    }
    n &= 3;
    let mut neg = false;
    if rest > QUARTER {
        rest = HALF - rest;
        neg = true;
        n = n + 1 & 3;
    }
    // 2^-66 is bit 0.
    let r = Wide::new(neg != v.neg, 127 - 66, rest);
    (r, if v.neg { 4 - n & 3 } else { n })
}

/// Sine and cosine of a reduced argument.
pub fn sin_cos((r, n): (Wide, u8)) -> (Wide, Wide) {
    let z = r.square_fraction();
    let sin = r.times(Wide::new(false, 0, alternating(&SIN, z)));
    let cos = Wide::new(false, 0, alternating(&COS, z));
    match n {
        0 => (sin, cos),
        1 => (cos, sin.negated()),
        2 => (sin.negated(), cos.negated()),
        _ => (cos.negated(), sin),
    }
}

/// atan(k / 8) in units of 2^-128.
const ATAN_EIGHTHS: [u128; 9] = [
    0,
    0x1fd5_ba9a_ac2f_6dc6_5912_f313_e7d1_11de,
    0x3eb6_ebf2_5901_bac5_5b71_e7bd_7de8_85f9,
    0x5bd8_6507_937b_c239_c551_9091_6e7f_2241,
    0x76b1_9c15_86ed_3da2_b7f2_22f6_5e1d_4681,
    0x8f00_5d5e_f7f5_9f9b_5c83_5e16_65c4_3747,
    0xa4bc_7d19_34f7_0924_19a8_7f2a_457d_ac9e,
    0xb805_3e2b_c231_9e73_cb2d_a552_10a4_443d,
    0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1,
];

const fn odd_reciprocals() -> [u128; 28] {
    let mut c = [0; 28];
    let mut k = 0;
    while k < c.len() {
        c[k] = (1 << 127) / (2 * k as u128 + 1);
        k += 1;
    }
    c
}

/// 1 / (2k + 1) in units of 2^-127.
const ODD: [u128; 28] = odd_reciprocals();

/// atan(a / b) for a, b > 0.
pub fn atan(a: Wide, b: Wide) -> Wide {
    let swap = (a.exp, a.sig) > (b.exp, b.sig);
    let t = if swap { b.over(a) } else { a.over(b) };
    // The nearest eighth.
    let k = if t.exp >= 0 { 8 } else { ((t.fraction() >> 124) + 1 >> 1) as usize };
    let d = if k == 0 {
        t
    } else {
        let eighths = Wide::from_int(k as i32).scaled(-3);
        t.minus(eighths).over(Wide::ONE.plus(t.times(eighths)))
    };
    let small = d.times(Wide::new(false, 0, alternating(&ODD[..18], d.square_fraction())));
    let sum = Wide::new(false, -1, ATAN_EIGHTHS[k]).plus(small);
    if swap { PI.scaled(-1).minus(sum) } else { sum }
}

/// 2^x - 1 for |x| <= 1.
pub fn exp2_less_1(x: Wide) -> Wide {
    const TERMS: u128 = 34;
    // (e^y - 1) / y = 1 + y/2 + y^2/6 + …, in units of 2^-126.
    let y = x.abs().times(LN_2);
    let z = y.fraction();
    let mut s = 0;
    for n in (2..=TERMS).rev() {
        s = mul_high(z, (1 << 126) + s) / n;
    }
    let e = y.times(Wide::new(false, 1, (1 << 126) + s));
    // 2^-x - 1 = -(2^x - 1) / 2^x
    if x.neg { e.over(Wide::ONE.plus(e)).negated() } else { e }
}

/// log2((1 + s) / (1 - s)) for |s| < 0.18.
fn log2_ratio(s: Wide) -> Wide {
    let z = s.square_fraction();
    let mut sum = 0;
    for c in ODD.iter().rev() {
        sum = c + mul_high(z, sum);
    }
    s.times(Wide::new(false, 0, sum)).times(LOG2_E).scaled(1)
}

/// log2(x) for x > 0. The result is exact for powers of two only.
pub fn log2(x: Wide) -> Wide {
    const SQRT_2: u128 = 0xb504_f333_f9de_6484 << 64;
    let (m, k) = if x.sig > SQRT_2 {
        (Wide { exp: -1, ..x }, x.exp + 1)
    } else {
        (Wide { exp: 0, ..x }, x.exp)
    };
    let s = m.minus(Wide::ONE).over(m.plus(Wide::ONE));
    Wide::from_int(k).plus(log2_ratio(s))
}

/// log2(1 + x) for x > -1.
pub fn log2_of_1_and(x: Wide) -> Wide {
    if x.exp < -2 {
        return log2_ratio(x.over(Wide::from_int(2).plus(x)));
    }
    log2(Wide::ONE.plus(x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wide(x: f64) -> Wide {
        let bits = x.to_bits();
        let exp = (bits >> 52 & 0x7ff) as i32 - 1023;
        Wide { neg: x < 0.0, exp, sig: u128::from(1 << 63 | bits << 12 >> 1) << 64 }
    }

    /// Whether two numbers agree to so many bits of the larger.
    fn close(a: Wide, b: Wide, bits: i32) -> bool {
        let off = a.minus(b);
        off.sig == 0 || off.exp <= a.exp.max(b.exp) - bits
    }

    fn approx(a: Wide) -> f64 {
        let v = (a.sig >> 64) as u64 as f64 * 2f64.powi(a.exp - 63);
        if a.neg { -v } else { v }
    }

    proptest! {
        #[test]
        fn logarithm_and_power_undo_each_other(x in 1e-9f64..0.9) {
            let there = log2_of_1_and(wide(x));
            prop_assert!(close(exp2_less_1(there), wide(x), 118));
            prop_assert!(close(log2(Wide::ONE.plus(wide(x))), there, 90));
            prop_assert!((approx(there) - x.ln_1p() / 2f64.ln()).abs() < 1e-15);
            let minus = exp2_less_1(wide(-x));
            prop_assert!((approx(minus) - (2f64.powf(-x) - 1.0)).abs() < 1e-15);
        }

        #[test]
        fn arc_tangent_undoes_tangent(t in 1e-9f64..0.78) {
            let (s, c) = sin_cos((wide(t), 0));
            prop_assert!(close(atan(s, c), wide(t), 118));
            prop_assert!((approx(s) - t.sin()).abs() < 1e-15 && (approx(c) - t.cos()).abs() < 1e-15);
            prop_assert!(close(s.times(s).plus(c.times(c)), Wide::ONE, 120));
        }

        #[test]
        fn reduction_finds_the_quadrant(x in 0.8f64..1e6) {
            let w = wide(x);
            let (s, c) = sin_cos(reduce(Num { neg: true, exp: w.exp, sig: (w.sig >> 64) as u64 }));
            prop_assert!((approx(s) + x.sin()).abs() < 1e-12 && (approx(c) - x.cos()).abs() < 1e-12);
        }
    }

    #[test]
    fn eighths() {
        // Machin's formula checks the table by another way.
        let one = |n: i32| atan(Wide::ONE, Wide::from_int(n));
        let quarter = one(5).scaled(2).minus(one(239));
        assert!(close(quarter, PI.scaled(-2), 120));
        assert!(close(
            atan(Wide::from_int(7), Wide::from_int(8)).scaled(1),
            {
                // tan(2a) = 2t / (1 - t^2)
                atan(Wide::from_int(112), Wide::from_int(15))
            },
            120
        ));
        assert_eq!(log2(Wide::from_int(8)), Wide::from_int(3));
    }
}
