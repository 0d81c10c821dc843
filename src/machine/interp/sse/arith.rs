//! Arithmetic on floats: ADD, SUB, MUL, DIV, MIN, MAX, SQRT on one or all
//! lanes; ADDSUB, HADD, HSUB; RCP and RSQRT.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::float::{
    ADD, DIV, Float, MAX, MIN, MUL, SQRT, SUB, is_quick, lane, quick, slow, slow_lanes,
};
use super::lanes::{dwords, of_dwords, of_qwords, qwords};
use super::operand::{load, load_aligned, set_xmm, xmm};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use iced_x86::Mnemonic;

#[inline(always)]
fn one<F: Float, const OP: u8>(c: &mut Core<'_>, i: &Insn, y: u64) -> Result<Flow, Trap> {
    let a = xmm(c, i.a);
    let x = lane::<F>(a, 0);
    let (mut r, ordinary) = quick::<F, OP>(x, y);
    if !(ordinary & is_quick(c.fpu.mxcsr)) {
        r = slow::<F>(c, OP, x, y)?;
    }
    set_xmm(c, i.a, a & !u128::from(F::MASK) | u128::from(r));
    Ok(Flow::Next)
}

fn one_reg<F: Float, const OP: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let y = lane::<F>(xmm(c, i.b), 0);
    one::<F, OP>(c, i, y)
}

fn one_mem<F: Float, const OP: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let y = if F::BITS == 64 { load::<8>(c, i)? } else { load::<4>(c, i)? };
    one::<F, OP>(c, i, y as u64)
}

#[inline(always)]
fn all<F: Float, const OP: u8>(c: &mut Core<'_>, i: &Insn, a: u128, b: u128) -> Result<Flow, Trap> {
    let mut result = 0;
    let mut ordinary = is_quick(c.fpu.mxcsr);
    for n in 0..128 / F::BITS {
        let (r, good) = quick::<F, OP>(lane::<F>(a, n), lane::<F>(b, n));
        result |= u128::from(r) << (n * F::BITS);
        ordinary &= good;
    }
    if !ordinary {
        result = slow_lanes::<F>(c, |_| OP, a, b)?;
    }
    set_xmm(c, i.a, result);
    Ok(Flow::Next)
}

fn all_reg<F: Float, const OP: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let (a, b) = (xmm(c, i.a), xmm(c, i.b));
    all::<F, OP>(c, i, a, b)
}

fn all_mem<F: Float, const OP: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = load_aligned(c, i)?;
    let a = xmm(c, i.a);
    all::<F, OP>(c, i, a, b)
}

/// The lanes of two registers that neighbours are added or subtracted of: the
/// even ones, then the odd ones.
#[inline(always)]
fn neighbours<F: Float>(a: u128, b: u128) -> (u128, u128) {
    if F::BITS == 64 {
        let (a, b) = (qwords(a), qwords(b));
        (of_qwords([a[0], b[0]]), of_qwords([a[1], b[1]]))
    } else {
        let (a, b) = (dwords(a), dwords(b));
        (of_dwords([a[0], a[2], b[0], b[2]]), of_dwords([a[1], a[3], b[1], b[3]]))
    }
}

fn second(c: &mut Core<'_>, i: &Insn, mem: bool) -> Result<u128, Trap> {
    if mem { load_aligned(c, i) } else { Ok(xmm(c, i.b)) }
}

fn across<F: Float, const OP: u8, const MEM: bool>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let b = second(c, i, MEM)?;
    let (even, odd) = neighbours::<F>(xmm(c, i.a), b);
    all::<F, OP>(c, i, even, odd)
}

fn alternate<F: Float, const MEM: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = second(c, i, MEM)?;
    let a = xmm(c, i.a);
    let r = slow_lanes::<F>(c, |n| if n % 2 == 0 { SUB } else { ADD }, a, b)?;
    set_xmm(c, i.a, r);
    Ok(Flow::Next)
}

fn scalar<F: Float, const OP: u8>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] => Some(one_reg::<F, OP>),
        [Kind::Reg, Kind::Mem, ..] => Some(one_mem::<F, OP>),
        _ => None,
    }
}

fn packed<F: Float, const OP: u8>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] => Some(all_reg::<F, OP>),
        [Kind::Reg, Kind::Mem, ..] => Some(all_mem::<F, OP>),
        _ => None,
    }
}

fn horizontal<F: Float, const OP: u8>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds[1] {
        Kind::Reg => Some(across::<F, OP, false>),
        Kind::Mem => Some(across::<F, OP, true>),
        _ => None,
    }
}

fn add_sub<F: Float>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds[1] {
        Kind::Reg => Some(alternate::<F, false>),
        Kind::Mem => Some(alternate::<F, true>),
        _ => None,
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Addsd => scalar::<f64, ADD>(form),
        Mnemonic::Subsd => scalar::<f64, SUB>(form),
        Mnemonic::Mulsd => scalar::<f64, MUL>(form),
        Mnemonic::Divsd => scalar::<f64, DIV>(form),
        Mnemonic::Minsd => scalar::<f64, MIN>(form),
        Mnemonic::Maxsd => scalar::<f64, MAX>(form),
        Mnemonic::Sqrtsd => scalar::<f64, SQRT>(form),
        Mnemonic::Addss => scalar::<f32, ADD>(form),
        Mnemonic::Subss => scalar::<f32, SUB>(form),
        Mnemonic::Mulss => scalar::<f32, MUL>(form),
        Mnemonic::Divss => scalar::<f32, DIV>(form),
        Mnemonic::Minss => scalar::<f32, MIN>(form),
        Mnemonic::Maxss => scalar::<f32, MAX>(form),
        Mnemonic::Sqrtss => scalar::<f32, SQRT>(form),
        Mnemonic::Addpd => packed::<f64, ADD>(form),
        Mnemonic::Subpd => packed::<f64, SUB>(form),
        Mnemonic::Mulpd => packed::<f64, MUL>(form),
        Mnemonic::Divpd => packed::<f64, DIV>(form),
        Mnemonic::Minpd => packed::<f64, MIN>(form),
        Mnemonic::Maxpd => packed::<f64, MAX>(form),
        Mnemonic::Sqrtpd => packed::<f64, SQRT>(form),
        Mnemonic::Addps => packed::<f32, ADD>(form),
        Mnemonic::Subps => packed::<f32, SUB>(form),
        Mnemonic::Mulps => packed::<f32, MUL>(form),
        Mnemonic::Divps => packed::<f32, DIV>(form),
        Mnemonic::Minps => packed::<f32, MIN>(form),
        Mnemonic::Maxps => packed::<f32, MAX>(form),
        Mnemonic::Sqrtps => packed::<f32, SQRT>(form),
        Mnemonic::Haddpd => horizontal::<f64, ADD>(form),
        Mnemonic::Hsubpd => horizontal::<f64, SUB>(form),
        Mnemonic::Haddps => horizontal::<f32, ADD>(form),
        Mnemonic::Hsubps => horizontal::<f32, SUB>(form),
        Mnemonic::Addsubpd => add_sub::<f64>(form),
        Mnemonic::Addsubps => add_sub::<f32>(form),
        _ => None,
    }
}
