//! Conversions between integers, floats and doubles: CVTxx2xx, CVTTxx2xx.
//!
//! A conversion is a type with two functions, one for ordinary values and one
//! for all. An integer that does not fit becomes the indefinite one: its sign
//! bit alone.
//!
//! Linux: none. Source: Intel SDM vol. 1, section 4.8.3.8 and appendix E; vol.
//! 2. Left out: MMX registers, see `mmx`.

use super::float::{Float, has_exponent, is_nearest, is_ordinary, is_quick, settle};
use super::full::{Class, finish, operand, zero};
use super::operand::{load, load_aligned, set_xmm, xmm};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::softfloat::{self as soft, DE, IE, Num, PE, Rounding};
use crate::machine::interp::width::{W32, W64, Width};
use iced_x86::Mnemonic;
use std::marker::PhantomData;

/// A conversion of one number.
pub trait Convert {
    /// Bits of the source.
    const FROM: u32;
    /// Bits of the result.
    const TO: u32;
    /// The result, where there is no flag to set.
    fn quick(v: u64, mxcsr: u32) -> Option<u64>;
    /// The result and the flags.
    fn slow(v: u64, mxcsr: u32) -> (u64, u32);
}

/// From a signed integer.
pub struct FromInt<W, F>(PhantomData<(W, F)>);

impl<W: Width, F: Float> Convert for FromInt<W, F> {
    const FROM: u32 = W::BITS;
    const TO: u32 = F::BITS;

    #[inline(always)]
    fn quick(v: u64, mxcsr: u32) -> Option<u64> {
        let n = W::sign_extend(v) as i64;
        let exact = (W::BITS == 32 && F::BITS == 64)
            || n.unsigned_abs() <= 1 << F::FORMAT.precision
            || is_quick(mxcsr);
        let r = if F::BITS == 64 { (n as f64).to_bits() } else { (n as f32).to_bits().into() };
        exact.then_some(r)
    }

    fn slow(v: u64, mxcsr: u32) -> (u64, u32) {
        let n = W::sign_extend(v) as i64;
        if n == 0 {
            return (0, 0);
        }
        finish::<F>(Num::normalized(n < 0, 63, n.unsigned_abs()).exact(), mxcsr)
    }
}

/// To a signed integer.
pub struct ToInt<F, W, const TRUNCATE: bool>(PhantomData<(F, W)>);

impl<F: Float, W: Width, const TRUNCATE: bool> Convert for ToInt<F, W, TRUNCATE> {
    const FROM: u32 = F::BITS;
    const TO: u32 = W::BITS;

    #[inline(always)]
    fn quick(v: u64, mxcsr: u32) -> Option<u64> {
        /// A sum with it has no fraction.
        const NO_FRACTION: f64 = 6_755_399_441_055_744.0;
        let x = if F::BITS == 64 { f64::from_bits(v) } else { f32::from_bits(v as u32).into() };
        let n = if TRUNCATE {
            x as i64
        } else {
            let small = x.abs() < 2_251_799_813_685_248.0;
            if !small || mxcsr & 0x6000 != 0 {
                return None;
            }
            ((x + NO_FRACTION) - NO_FRACTION) as i64
        };
        let fits =
            if W::BITS == 32 { i64::from(n as i32) == n } else { n != i64::MAX && n != i64::MIN };
        // A NaN became 0.
        let number = x.abs() <= f64::MAX;
        let told = n as f64 == x || is_quick(mxcsr);
        (fits && number && told && (n as f64 == x || has_exponent::<F>(v))).then_some(n as u64)
    }

    fn slow(v: u64, mxcsr: u32) -> (u64, u32) {
        let mode = if TRUNCATE { Rounding::Zero } else { Rounding::from_field(mxcsr >> 13) };
        let integer = match operand::<F>(v, mxcsr).class {
            Class::Zero => Some((0, false)),
            Class::Finite(x) => soft::to_integer(x, mode).and_then(|(n, inexact, _)| {
                let most = W::SIGN - u64::from(!x.sign);
                (n <= most).then_some((if x.sign { n.wrapping_neg() } else { n }, inexact))
            }),
            _ => None,
        };
        match integer {
            Some((n, inexact)) => (n & W::MASK, if inexact { PE } else { 0 }),
            None => (W::SIGN, IE),
        }
    }
}

/// From one kind of float to the other.
struct ToFloat<F, G>(PhantomData<(F, G)>);

impl<F: Float, G: Float> Convert for ToFloat<F, G> {
    const FROM: u32 = F::BITS;
    const TO: u32 = G::BITS;

    #[inline(always)]
    fn quick(v: u64, mxcsr: u32) -> Option<u64> {
        if F::BITS == 32 {
            // Exact, whatever the mode.
            let plain = has_exponent::<F>(v) && v & F::INFINITY != F::INFINITY;
            let r = f64::from(f32::from_bits(v as u32)).to_bits();
            return (plain || v & !F::SIGN == 0).then_some(r);
        }
        let x = f64::from_bits(v);
        let r = x as f32;
        let bits = u64::from(r.to_bits());
        if v & !F::SIGN == 0 {
            return Some(bits);
        }
        let told = is_quick(mxcsr) || is_nearest(mxcsr) && f64::from(r) == x;
        (has_exponent::<F>(v) && is_ordinary::<G>(bits) && told).then_some(bits)
    }

    fn slow(v: u64, mxcsr: u32) -> (u64, u32) {
        let x = operand::<F>(v, mxcsr);
        match x.class {
            Class::Zero => (zero::<G>(x.sign), 0),
            Class::Infinity => (zero::<G>(x.sign) | G::INFINITY, 0),
            Class::Nan(signaling) => {
                // The first bits of the fraction stay the first ones.
                let fraction = v << (64 - F::FRACTION) >> (64 - G::FRACTION);
                let flags = if signaling { IE } else { 0 };
                (zero::<G>(x.sign) | G::INFINITY | G::QUIET | fraction, flags)
            }
            Class::Finite(n) => {
                let (r, flags) = finish::<G>(n.exact(), mxcsr);
                (r, flags | if x.denormal { DE } else { 0 })
            }
        }
    }
}

#[cold]
#[inline(never)]
fn slow<C: Convert>(c: &mut Core<'_>, v: u64) -> Result<u64, Trap> {
    let (r, flags) = C::slow(v, c.fpu.mxcsr);
    settle(c, flags)?;
    Ok(r)
}

#[inline(always)]
fn convert<C: Convert>(c: &mut Core<'_>, v: u64) -> Result<u64, Trap> {
    match C::quick(v, c.fpu.mxcsr) {
        Some(r) => Ok(r),
        None => slow::<C>(c, v),
    }
}

/// A scalar's source in memory.
#[inline(always)]
fn load_scalar<C: Convert>(c: &mut Core<'_>, i: &Insn) -> Result<u64, Trap> {
    Ok(if C::FROM == 64 { load::<8>(c, i)? } else { load::<4>(c, i)? } as u64)
}

/// The low bits of a register, as a source.
#[inline(always)]
fn low<C: Convert>(c: &Core<'_>, n: u8) -> u64 {
    xmm(c, n) as u64 & !0 >> (64 - C::FROM)
}

#[inline(always)]
fn to_low<C: Convert>(c: &mut Core<'_>, i: &Insn, v: u64) -> Result<Flow, Trap> {
    let r = convert::<C>(c, v)?;
    let mask = !0u128 >> (128 - C::TO);
    let whole = xmm(c, i.a) & !mask | u128::from(r) & mask;
    set_xmm(c, i.a, whole);
    Ok(Flow::Next)
}

fn low_gpr<C: Convert>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = if C::FROM == 64 { c.get::<W64>(i.b) } else { c.get::<W32>(i.b) };
    to_low::<C>(c, i, v)
}

fn low_reg<C: Convert>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = low::<C>(c, i.b);
    to_low::<C>(c, i, v)
}

fn low_mem<C: Convert>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = load_scalar::<C>(c, i)?;
    to_low::<C>(c, i, v)
}

#[inline(always)]
fn to_gpr<C: Convert>(c: &mut Core<'_>, i: &Insn, v: u64) -> Result<Flow, Trap> {
    let r = convert::<C>(c, v)?;
    if C::TO == 64 {
        c.set::<W64>(i.a, r)
    } else {
        c.set::<W32>(i.a, r)
    }
    Ok(Flow::Next)
}

fn gpr_reg<C: Convert>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = low::<C>(c, i.b);
    to_gpr::<C>(c, i, v)
}

fn gpr_mem<C: Convert>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = load_scalar::<C>(c, i)?;
    to_gpr::<C>(c, i, v)
}

/// All lanes that fit on both sides; what is left of the result is 0.
#[inline(always)]
fn packed<C: Convert>(c: &mut Core<'_>, i: &Insn, b: u128) -> Result<Flow, Trap> {
    let wider = if C::FROM > C::TO { C::FROM } else { C::TO };
    let result = lanes_of::<C>(c, b, 128 / wider)?;
    set_xmm(c, i.a, result);
    Ok(Flow::Next)
}

/// So many lanes, the lowest first.
#[inline(always)]
pub fn lanes_of<C: Convert>(c: &mut Core<'_>, b: u128, count: u32) -> Result<u128, Trap> {
    let (from, to) = (!0 >> (64 - C::FROM), !0 >> (64 - C::TO));
    let (mut result, mut flags) = (0, 0);
    for n in 0..count {
        let v = (b >> (n * C::FROM)) as u64 & from;
        let r = match C::quick(v, c.fpu.mxcsr) {
            Some(r) => r,
            None => {
                let (r, f) = C::slow(v, c.fpu.mxcsr);
                flags |= f;
                r
            }
        };
        result |= u128::from(r & to) << (n * C::TO);
    }
    if flags != 0 {
        settle(c, flags)?;
    }
    Ok(result)
}

fn packed_reg<C: Convert>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = xmm(c, i.b);
    packed::<C>(c, i, b)
}

fn packed_mem<C: Convert>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    // Half as many bytes where the result has more than the source.
    let b = if C::FROM < C::TO { load::<8>(c, i)? } else { load_aligned(c, i)? };
    packed::<C>(c, i, b)
}

fn lanes<C: Convert>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] => Some(packed_reg::<C>),
        [Kind::Reg, Kind::Mem, ..] => Some(packed_mem::<C>),
        _ => None,
    }
}

fn float<C: Convert>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] if form.insn.op1_register().is_gpr() => Some(low_gpr::<C>),
        [Kind::Reg, Kind::Reg, ..] => Some(low_reg::<C>),
        [Kind::Reg, Kind::Mem, ..] => Some(low_mem::<C>),
        _ => None,
    }
}

fn integer<C: Convert>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] => Some(gpr_reg::<C>),
        [Kind::Reg, Kind::Mem, ..] => Some(gpr_mem::<C>),
        _ => None,
    }
}

fn to_integer<F: Float, const TRUNCATE: bool>(form: &Form<'_>) -> Option<Handler> {
    match form.width(0) {
        8 => integer::<ToInt<F, W64, TRUNCATE>>(form),
        _ => integer::<ToInt<F, W32, TRUNCATE>>(form),
    }
}

fn from_integer<F: Float>(form: &Form<'_>) -> Option<Handler> {
    match form.width(1) {
        8 => float::<FromInt<W64, F>>(form),
        _ => float::<FromInt<W32, F>>(form),
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Cvtsi2sd => from_integer::<f64>(form),
        Mnemonic::Cvtsi2ss => from_integer::<f32>(form),
        Mnemonic::Cvtsd2si => to_integer::<f64, false>(form),
        Mnemonic::Cvtss2si => to_integer::<f32, false>(form),
        Mnemonic::Cvttsd2si => to_integer::<f64, true>(form),
        Mnemonic::Cvttss2si => to_integer::<f32, true>(form),
        Mnemonic::Cvtss2sd => float::<ToFloat<f32, f64>>(form),
        Mnemonic::Cvtsd2ss => float::<ToFloat<f64, f32>>(form),
        Mnemonic::Cvtps2pd => lanes::<ToFloat<f32, f64>>(form),
        Mnemonic::Cvtpd2ps => lanes::<ToFloat<f64, f32>>(form),
        Mnemonic::Cvtdq2ps => lanes::<FromInt<W32, f32>>(form),
        Mnemonic::Cvtdq2pd => lanes::<FromInt<W32, f64>>(form),
        Mnemonic::Cvtps2dq => lanes::<ToInt<f32, W32, false>>(form),
        Mnemonic::Cvttps2dq => lanes::<ToInt<f32, W32, true>>(form),
        Mnemonic::Cvtpd2dq => lanes::<ToInt<f64, W32, false>>(form),
        Mnemonic::Cvttpd2dq => lanes::<ToInt<f64, W32, true>>(form),
        _ => None,
    }
}
