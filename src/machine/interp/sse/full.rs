//! Float arithmetic in full: NaNs, infinities, zeros, denormal numbers, all
//! roundings, all flags.
//!
//! Linux: none. Source: Intel SDM vol. 1, sections 4.8.3 (NaNs), 4.9
//! (exceptions), 11.5.2; appendix E.4. Left out: nothing.

use super::float::{ADD, DAZ, FTZ, Float, MASKS, MAX, MIN, MUL, SQRT, SUB};
use crate::machine::interp::softfloat::{
    self as soft, DE, Exact, IE, Num, OE, PE, Rounding, UE, ZE,
};

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Zero, or a denormal number that counts as one.
    Zero,
    /// Infinity.
    Infinity,
    /// Not a number; `true`: a signaling one.
    Nan(bool),
    /// Any other.
    Finite(Num),
}

/// A number taken apart.
#[derive(Debug, Clone, Copy)]
pub struct Operand {
    /// It is negative.
    pub sign: bool,
    /// What it is.
    pub class: Class,
    /// It is denormal and counts as that.
    pub denormal: bool,
}

/// Takes a number apart.
pub fn operand<F: Float>(bits: u64, mxcsr: u32) -> Operand {
    let (exp, fraction) = ((bits & F::INFINITY) >> F::FRACTION, bits & (F::LEAST - 1));
    let sign = bits & F::SIGN != 0;
    let top = fraction << (63 - F::FRACTION);
    let class = match (exp, fraction) {
        (0, 0) => Class::Zero,
        (0, _) if mxcsr & DAZ != 0 => Class::Zero,
        (0, _) => Class::Finite(Num::normalized(sign, F::FORMAT.emin, top)),
        (e, f) if e == F::INFINITY >> F::FRACTION => match f {
            0 => Class::Infinity,
            _ => Class::Nan(f & F::QUIET == 0),
        },
        (e, _) => Class::Finite(Num { sign, exp: e as i32 - F::FORMAT.emax, sig: top | 1 << 63 }),
    };
    Operand { sign, class, denormal: exp == 0 && class != Class::Zero }
}

/// What a NaN of two operands becomes: the first one that is a NaN, quiet.
/// `None`: neither is one.
pub fn nan<F: Float>(x: u64, y: u64) -> Option<(u64, u32)> {
    let is_nan = |bits: u64| bits & !F::SIGN > F::INFINITY;
    let invalid = |bits: u64| is_nan(bits) && bits & F::QUIET == 0;
    let chosen = if is_nan(x) { x } else { y };
    let flags = if invalid(x) || invalid(y) { IE } else { 0 };
    is_nan(chosen).then_some((chosen | F::QUIET, flags))
}

/// A number rounded to its format, as bits, and the flags of that.
pub fn finish<F: Float>(x: Exact, mxcsr: u32) -> (u64, u32) {
    let r = soft::round(x, F::FORMAT, Rounding::from_field(mxcsr >> 13));
    let sign = if r.sign { F::SIGN } else { 0 };
    let underflow_masked = mxcsr >> MASKS & UE != 0;
    if r.tiny && mxcsr & FTZ != 0 && underflow_masked {
        return (sign, UE | PE);
    }
    let overflow_masked = mxcsr >> MASKS & OE != 0;
    // Unmasked, they raise with the result as if exponents had no limits.
    let (lost, mut flags) = match r {
        _ if r.tiny && !underflow_masked => (r.inexact_wide, UE),
        _ if r.overflow && !overflow_masked => (r.inexact_wide, OE),
        _ if r.tiny && r.inexact => (true, UE),
        _ if r.overflow => (true, OE),
        _ => (r.inexact, 0),
    };
    if lost {
        flags |= PE;
    }
    // Bit 63 of the significand of a normal number adds 1 to the exponent.
    let exp = (r.exp + F::FORMAT.emax - 1) as u64;
    (sign | ((exp << F::FRACTION) + (r.sig >> (63 - F::FRACTION))), flags)
}

/// A zero with this sign.
#[inline]
pub fn zero<F: Float>(negative: bool) -> u64 {
    if negative { F::SIGN } else { 0 }
}

fn sum<F: Float>(a: Operand, b: Operand, mxcsr: u32) -> (u64, u32) {
    let down = Rounding::from_field(mxcsr >> 13) == Rounding::Down;
    let denormal = if a.denormal || b.denormal { DE } else { 0 };
    let infinity = |sign| zero::<F>(sign) | F::INFINITY;
    match (a.class, b.class) {
        (Class::Infinity, Class::Infinity) if a.sign != b.sign => (F::DEFAULT_NAN, IE),
        (Class::Infinity, _) => (infinity(a.sign), denormal),
        (_, Class::Infinity) => (infinity(b.sign), denormal),
        (Class::Finite(x), Class::Finite(y)) => match soft::add(x, Num { sign: b.sign, ..y }) {
            Some(exact) => {
                let (r, flags) = finish::<F>(exact, mxcsr);
                (r, flags | denormal)
            }
            None => (zero::<F>(down), denormal),
        },
        (Class::Finite(x), _) => {
            let (r, flags) = finish::<F>(x.exact(), mxcsr);
            (r, flags | denormal)
        }
        (_, Class::Finite(y)) => {
            let (r, flags) = finish::<F>(Num { sign: b.sign, ..y }.exact(), mxcsr);
            (r, flags | denormal)
        }
        _ if a.sign == b.sign => (zero::<F>(a.sign), 0),
        _ => (zero::<F>(down), 0),
    }
}

/// One operation on two numbers as bits: the result, and the flags it raises.
pub fn arith<F: Float>(op: u8, x: u64, y: u64, mxcsr: u32) -> (u64, u32) {
    let (a, b) = (operand::<F>(x, mxcsr), operand::<F>(y, mxcsr));
    if op == MIN || op == MAX {
        return least::<F>(op == MAX, x, y, mxcsr);
    }
    if op == SQRT {
        return root::<F>(y, b, mxcsr);
    }
    if let Some(nan) = nan::<F>(x, y) {
        return nan;
    }
    let sign = a.sign != b.sign;
    let denormal = if a.denormal || b.denormal { DE } else { 0 };
    let infinity = zero::<F>(sign) | F::INFINITY;
    match op {
        ADD => sum::<F>(a, b, mxcsr),
        SUB => sum::<F>(a, Operand { sign: !b.sign, ..b }, mxcsr),
        MUL => match (a.class, b.class) {
            (Class::Infinity, Class::Zero) | (Class::Zero, Class::Infinity) => (F::DEFAULT_NAN, IE),
            (Class::Infinity, _) | (_, Class::Infinity) => (infinity, denormal),
            (Class::Finite(x), Class::Finite(y)) => {
                let (r, flags) = finish::<F>(soft::mul(x, y), mxcsr);
                (r, flags | denormal)
            }
            _ => (zero::<F>(sign), denormal),
        },
        _ => match (a.class, b.class) {
            (Class::Infinity, Class::Infinity) | (Class::Zero, Class::Zero) => (F::DEFAULT_NAN, IE),
            (Class::Infinity, _) => (infinity, denormal),
            (_, Class::Infinity) | (Class::Zero, _) => (zero::<F>(sign), denormal),
            (Class::Finite(x), Class::Finite(y)) => {
                let (r, flags) = finish::<F>(soft::div(x, y), mxcsr);
                (r, flags | denormal)
            }
            _ => (infinity, ZE),
        },
    }
}

/// MIN and MAX: the second operand unless the first is certainly less.
fn least<F: Float>(greatest: bool, x: u64, y: u64, mxcsr: u32) -> (u64, u32) {
    let (a, b) = (operand::<F>(x, mxcsr), operand::<F>(y, mxcsr));
    let flags = if a.denormal || b.denormal { DE } else { 0 };
    let value = |o: Operand, bits| if o.class == Class::Zero { zero::<F>(o.sign) } else { bits };
    let (x, y) = (value(a, x), value(b, y));
    if nan::<F>(x, y).is_some() {
        return (y, IE);
    }
    let (p, q) = (F::of_bits(x), F::of_bits(y));
    let first = if greatest { p > q } else { p < q };
    (if first { x } else { y }, flags)
}

fn root<F: Float>(bits: u64, of: Operand, mxcsr: u32) -> (u64, u32) {
    if let Some(nan) = nan::<F>(bits, bits) {
        return nan;
    }
    let denormal = if of.denormal { DE } else { 0 };
    match of.class {
        Class::Zero => (zero::<F>(of.sign), 0),
        _ if of.sign => (F::DEFAULT_NAN, IE),
        Class::Finite(x) => {
            let (r, flags) = finish::<F>(soft::sqrt(x), mxcsr);
            (r, flags | denormal)
        }
        _ => (bits, 0),
    }
}
