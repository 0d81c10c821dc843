//! Floating point and its exceptions: when the host's arithmetic tells all,
//! and what to do when it does not.
//!
//! ```text
//! quick     to nearest, PE set and masked; operands and result ordinary: the
//!           host's result and nothing else
//! medium    to nearest, and PE may be clear: is the result exact?
//! full      all other cases, by integers (softfloat)
//! settle    flags into MXCSR, or #XM with nothing written
//! ```
//!
//! MXCSR has the flags in bits 0 to 5, DAZ in 6, masks in 7 to 12, rounding in
//! 13 and 14, FTZ in 15.
//!
//! Linux: none. Source: Intel SDM vol. 1, sections 4.8.3 (NaNs), 10.2.3 and
//! 11.5 (exceptions). Left out: MXCSR.MM.

use super::full::arith;
use crate::machine::exception::Exception;
use crate::machine::interp::core::Core;
use crate::machine::interp::insn::Trap;
use crate::machine::interp::softfloat::{self as soft, DE, Format, IE, PE, ZE};
use std::ops::{Add, Div, Mul, Sub};

/// Denormal operands count as zeros.
pub const DAZ: u32 = 1 << 6;
/// Tiny results become zeros.
pub const FTZ: u32 = 1 << 15;
/// Where the masks begin.
pub const MASKS: u32 = 7;
/// What is found before anything is computed.
const BEFORE: u32 = IE | DE | ZE;

/// `float` or `double`, as a value of the host.
pub trait Float:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    /// Size in bits.
    const BITS: u32;
    /// What it can hold.
    const FORMAT: Format;
    /// Bits of the fraction.
    const FRACTION: u32 = Self::FORMAT.precision - 1;
    /// All bits.
    const MASK: u64 = !0 >> (64 - Self::BITS);
    /// The sign.
    const SIGN: u64 = 1 << (Self::BITS - 1);
    /// The least normal number: exponent 1.
    const LEAST: u64 = 1 << Self::FRACTION;
    /// Infinity: the greatest exponent.
    const INFINITY: u64 = Self::SIGN - Self::LEAST;
    /// What makes a NaN quiet.
    const QUIET: u64 = Self::LEAST >> 1;
    /// The NaN of invalid operations.
    const DEFAULT_NAN: u64 = Self::SIGN | Self::INFINITY | Self::QUIET;

    /// From its bits.
    fn of_bits(bits: u64) -> Self;
    /// Its bits.
    fn to_bits(self) -> u64;
    /// The square root.
    fn sqrt(self) -> Self;
    /// A normal number or infinity.
    fn is_normal_or_more(self) -> bool;
    /// A normal number, and not one to which a tiny result may have been rounded.
    fn is_ordinary(self) -> bool;
}

impl Float for f32 {
    const BITS: u32 = 32;
    const FORMAT: Format = soft::SINGLE;
    #[inline(always)]
    fn of_bits(bits: u64) -> f32 {
        f32::from_bits(bits as u32)
    }
    #[inline(always)]
    fn to_bits(self) -> u64 {
        f32::to_bits(self).into()
    }
    #[inline(always)]
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }
    #[inline(always)]
    fn is_normal_or_more(self) -> bool {
        self.abs() >= f32::MIN_POSITIVE
    }
    #[inline(always)]
    fn is_ordinary(self) -> bool {
        (2.0 * f32::MIN_POSITIVE..=f32::MAX).contains(&self.abs())
    }
}

impl Float for f64 {
    const BITS: u32 = 64;
    const FORMAT: Format = soft::DOUBLE;
    #[inline(always)]
    fn of_bits(bits: u64) -> f64 {
        f64::from_bits(bits)
    }
    #[inline(always)]
    fn to_bits(self) -> u64 {
        f64::to_bits(self)
    }
    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn is_normal_or_more(self) -> bool {
        self.abs() >= f64::MIN_POSITIVE
    }
    #[inline(always)]
    fn is_ordinary(self) -> bool {
        (2.0 * f64::MIN_POSITIVE..=f64::MAX).contains(&self.abs())
    }
}

/// Lane `n` of a register.
#[inline(always)]
pub fn lane<F: Float>(v: u128, n: u32) -> u64 {
    (v >> (n * F::BITS)) as u64 & F::MASK
}

/// To nearest, and PE is set already and masked. That is enough for ordinary
/// numbers: they can raise no other flag, and DAZ and FTZ do not touch them.
#[inline(always)]
pub fn is_quick(mxcsr: u32) -> bool {
    const MODE: u32 = 3 << 13;
    mxcsr & (MODE | PE << MASKS | PE) == PE << MASKS | PE
}

/// To nearest.
#[inline(always)]
pub fn is_nearest(mxcsr: u32) -> bool {
    mxcsr >> 13 & 3 == 0
}

/// A normal number or infinity or NaN.
#[inline(always)]
pub fn has_exponent<F: Float>(bits: u64) -> bool {
    bits & F::INFINITY != 0
}

/// A normal number, and not one to which a tiny result may have been rounded.
#[inline(always)]
pub fn is_ordinary<F: Float>(bits: u64) -> bool {
    (bits & F::INFINITY).wrapping_sub(2 * F::LEAST) < F::INFINITY - 2 * F::LEAST
}

/// Not denormal, not a NaN.
#[inline(always)]
pub fn is_simple<F: Float>(bits: u64) -> bool {
    let abs = bits & !F::SIGN;
    abs.wrapping_sub(1) >= F::LEAST - 1 && abs <= F::INFINITY
}

/// The sum's operand.
pub const ADD: u8 = 0;
/// Subtraction.
pub const SUB: u8 = 1;
/// Multiplication.
pub const MUL: u8 = 2;
/// Division.
pub const DIV: u8 = 3;
/// The lesser one, or the second.
pub const MIN: u8 = 4;
/// The greater one, or the second.
pub const MAX: u8 = 5;
/// The square root of the second operand.
pub const SQRT: u8 = 6;

/// What the host computes, and whether that is all there is to it, provided
/// that [`is_quick`]. Only floats are looked at: to move them to general
/// registers and back would cost more than the operation.
#[inline(always)]
pub fn quick<F: Float, const OP: u8>(a: F, b: F) -> (F, bool) {
    match OP {
        MIN | MAX => {
            let first = if OP == MIN { a < b } else { a > b };
            let simple = is_simple::<F>(a.to_bits()) & is_simple::<F>(b.to_bits());
            (if first { a } else { b }, simple)
        }
        SQRT => {
            let r = b.sqrt();
            (r, b.is_normal_or_more() & r.is_ordinary())
        }
        _ => {
            let r = match OP {
                ADD => a + b,
                SUB => a - b,
                MUL => a * b,
                _ => a / b,
            };
            (r, a.is_normal_or_more() & b.is_normal_or_more() & r.is_ordinary())
        }
    }
}

/// The significand with its hidden bit.
fn significand<F: Float>(bits: u64) -> u64 {
    bits & (F::LEAST - 1) | F::LEAST
}

/// Whether a product of normal numbers needs no rounding.
fn product_fits<F: Float>(x: u64, y: u64) -> bool {
    let product = u128::from(significand::<F>(x)) * u128::from(significand::<F>(y));
    128 - product.leading_zeros() - product.trailing_zeros() <= F::FORMAT.precision
}

/// Rounding to nearest: the result and its flags where the operands are
/// zeros or normal numbers and the result is a normal number or an exact zero.
fn medium<F: Float>(op: u8, x: u64, y: u64) -> Option<(u64, u32)> {
    let zero = |bits: u64| bits & !F::SIGN == 0;
    let finite = |bits| zero(bits) || has_exponent::<F>(bits) && bits & F::INFINITY != F::INFINITY;
    if !finite(y) || op != SQRT && !finite(x) {
        return None;
    }
    let (a, b) = (F::of_bits(x), F::of_bits(y));
    let r = match op {
        ADD => a + b,
        SUB => a - b,
        MUL => a * b,
        DIV => a / b,
        SQRT => b.sqrt(),
        _ => return None,
    };
    let bits = r.to_bits();
    if zero(bits) {
        let exact = match op {
            MUL => zero(x) || zero(y),
            DIV => zero(x),
            _ => true,
        };
        return exact.then_some((bits, 0));
    }
    // Not so great that the test itself could overflow.
    if !is_ordinary::<F>(bits) || (bits & !F::SIGN) >= F::INFINITY - 4 * F::LEAST {
        return None;
    }
    let exact = match op {
        ADD | SUB => {
            let b = if op == SUB { F::of_bits(y ^ F::SIGN) } else { b };
            let part = r - a;
            let lost = (a - (r - part)) + (b - part);
            zero(lost.to_bits())
        }
        MUL => product_fits::<F>(x, y),
        DIV => product_fits::<F>(bits, y) && r * b == a,
        _ => product_fits::<F>(bits, bits) && r * r == b,
    };
    Some((bits, if exact { 0 } else { PE }))
}

/// Puts flags into MXCSR, or raises #XM for those that are not masked.
pub fn settle(c: &mut Core<'_>, flags: u32) -> Result<(), Trap> {
    let unmasked = flags & !(c.fpu.mxcsr >> MASKS);
    if unmasked == 0 {
        c.fpu.mxcsr |= flags;
        return Ok(());
    }
    // What is found first hides what would have come of computing.
    c.fpu.mxcsr |= if unmasked & BEFORE != 0 { flags & BEFORE } else { flags };
    c.raise(Exception::SimdFloatingPoint)
}

/// The result where [`quick`] does not tell; flags are settled.
#[cold]
#[inline(never)]
pub fn slow<F: Float>(c: &mut Core<'_>, op: u8, x: u64, y: u64) -> Result<u64, Trap> {
    let (r, flags) = lane_slow::<F>(op, x, y, c.fpu.mxcsr);
    settle(c, flags)?;
    Ok(r)
}

/// As [`slow`], for all lanes; `op` says what to do in each.
#[cold]
#[inline(never)]
pub fn slow_lanes<F: Float>(
    c: &mut Core<'_>,
    op: fn(u32) -> u8,
    a: u128,
    b: u128,
) -> Result<u128, Trap> {
    let (mut result, mut flags) = (0, 0);
    for n in 0..128 / F::BITS {
        let (r, f) = lane_slow::<F>(op(n), lane::<F>(a, n), lane::<F>(b, n), c.fpu.mxcsr);
        result |= u128::from(r) << (n * F::BITS);
        flags |= f;
    }
    settle(c, flags)?;
    Ok(result)
}

fn lane_slow<F: Float>(op: u8, x: u64, y: u64, mxcsr: u32) -> (u64, u32) {
    let known = if is_nearest(mxcsr) { medium::<F>(op, x, y) } else { None };
    known.unwrap_or_else(|| arith::<F>(op, x, y, mxcsr))
}
