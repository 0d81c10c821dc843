//! Comparisons of floats: CMPxx makes masks, COMISx and UCOMISx set flags.
//!
//! Linux: none. Source: Intel SDM vol. 2 (CMPPD, table 3-1; COMISD; UCOMISD).
//! Left out: predicates above 7, which only AVX has.

use super::float::{Float, is_simple, lane, settle};
use super::full::{Class, operand};
use super::operand::{load, load_aligned, set_xmm, xmm};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::softfloat::{DE, IE};
use iced_x86::Mnemonic;

/// How two numbers stand to each other.
#[derive(Debug, Clone, Copy)]
struct Relation {
    less: bool,
    equal: bool,
    unordered: bool,
}

/// The relation, and the flags that finding it raises.
#[inline(always)]
fn relation<F: Float>(x: u64, y: u64, mxcsr: u32, any_nan: bool) -> (Relation, u32) {
    let (a, b) = (F::of_bits(x), F::of_bits(y));
    if is_simple::<F>(x) & is_simple::<F>(y) {
        return (Relation { less: a < b, equal: a == b, unordered: false }, 0);
    }
    odd_relation::<F>(x, y, mxcsr, any_nan)
}

#[cold]
fn odd_relation<F: Float>(x: u64, y: u64, mxcsr: u32, any_nan: bool) -> (Relation, u32) {
    let (a, b) = (operand::<F>(x, mxcsr), operand::<F>(y, mxcsr));
    let is_nan = |c| matches!(c, Class::Nan(_));
    if is_nan(a.class) || is_nan(b.class) {
        let invalid = any_nan || [a.class, b.class].contains(&Class::Nan(true));
        let relation = Relation { less: false, equal: false, unordered: true };
        return (relation, if invalid { IE } else { 0 });
    }
    let flags = if a.denormal || b.denormal { DE } else { 0 };
    let value = |c, bits| F::of_bits(if c == Class::Zero { 0 } else { bits });
    let (p, q) = (value(a.class, x), value(b.class, y));
    (Relation { less: p < q, equal: p == q, unordered: false }, flags)
}

/// A predicate of CMPxx: whether it holds, and the flags.
#[inline(always)]
fn holds<F: Float>(x: u64, y: u64, predicate: u64, mxcsr: u32) -> (bool, u32) {
    // LT, LE and their opposites do not bear quiet NaNs either.
    let any_nan = matches!(predicate & 3, 1 | 2);
    let (r, flags) = relation::<F>(x, y, mxcsr, any_nan);
    let is = match predicate & 3 {
        0 => r.equal,
        1 => r.less,
        2 => r.less | r.equal,
        _ => r.unordered,
    };
    (is != (predicate & 4 != 0), flags)
}

#[inline(always)]
fn settle_some(c: &mut Core<'_>, flags: u32) -> Result<(), Trap> {
    if flags == 0 { Ok(()) } else { settle(c, flags) }
}

#[inline(always)]
fn scalar<F: Float>(c: &mut Core<'_>, i: &Insn, y: u64) -> Result<Flow, Trap> {
    let a = xmm(c, i.a);
    let (is, flags) = holds::<F>(lane::<F>(a, 0), y, i.imm, c.fpu.mxcsr);
    settle_some(c, flags)?;
    let mask = if is { F::MASK } else { 0 };
    set_xmm(c, i.a, a & !u128::from(F::MASK) | u128::from(mask));
    Ok(Flow::Next)
}

fn scalar_reg<F: Float>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let y = lane::<F>(xmm(c, i.b), 0);
    scalar::<F>(c, i, y)
}

fn scalar_mem<F: Float>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let y = if F::BITS == 64 { load::<8>(c, i)? } else { load::<4>(c, i)? };
    scalar::<F>(c, i, y as u64)
}

#[inline(always)]
fn packed<F: Float>(c: &mut Core<'_>, i: &Insn, b: u128) -> Result<Flow, Trap> {
    let a = xmm(c, i.a);
    let (mut result, mut flags) = (0, 0);
    for n in 0..128 / F::BITS {
        let (is, f) = holds::<F>(lane::<F>(a, n), lane::<F>(b, n), i.imm, c.fpu.mxcsr);
        result |= u128::from(if is { F::MASK } else { 0 }) << (n * F::BITS);
        flags |= f;
    }
    settle_some(c, flags)?;
    set_xmm(c, i.a, result);
    Ok(Flow::Next)
}

fn packed_reg<F: Float>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = xmm(c, i.b);
    packed::<F>(c, i, b)
}

fn packed_mem<F: Float>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = load_aligned(c, i)?;
    packed::<F>(c, i, b)
}

#[inline(always)]
fn comis<F: Float, const ANY_NAN: bool>(c: &mut Core<'_>, i: &Insn, y: u64) -> Result<Flow, Trap> {
    let (r, flags) = relation::<F>(lane::<F>(xmm(c, i.a), 0), y, c.fpu.mxcsr, ANY_NAN);
    settle_some(c, flags)?;
    let (zf, pf, cf) = (r.equal | r.unordered, r.unordered, r.less | r.unordered);
    c.flags.set_status(u64::from(cf) | u64::from(pf) << 2 | u64::from(zf) << 6);
    Ok(Flow::Next)
}

fn comis_reg<F: Float, const ANY_NAN: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let y = lane::<F>(xmm(c, i.b), 0);
    comis::<F, ANY_NAN>(c, i, y)
}

fn comis_mem<F: Float, const ANY_NAN: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let y = if F::BITS == 64 { load::<8>(c, i)? } else { load::<4>(c, i)? };
    comis::<F, ANY_NAN>(c, i, y as u64)
}

fn by_kind(form: &Form<'_>, reg: Handler, mem: Handler) -> Option<Handler> {
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] => Some(reg),
        [Kind::Reg, Kind::Mem, ..] => Some(mem),
        _ => None,
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Cmpsd => by_kind(form, scalar_reg::<f64>, scalar_mem::<f64>),
        Mnemonic::Cmpss => by_kind(form, scalar_reg::<f32>, scalar_mem::<f32>),
        Mnemonic::Cmppd => by_kind(form, packed_reg::<f64>, packed_mem::<f64>),
        Mnemonic::Cmpps => by_kind(form, packed_reg::<f32>, packed_mem::<f32>),
        Mnemonic::Comisd => by_kind(form, comis_reg::<f64, true>, comis_mem::<f64, true>),
        Mnemonic::Comiss => by_kind(form, comis_reg::<f32, true>, comis_mem::<f32, true>),
        Mnemonic::Ucomisd => by_kind(form, comis_reg::<f64, false>, comis_mem::<f64, false>),
        Mnemonic::Ucomiss => by_kind(form, comis_reg::<f32, false>, comis_mem::<f32, false>),
        _ => None,
    }
}
