//! Arithmetic on floats: ADD, SUB, MUL, DIV, MIN, MAX, SQRT on one or all
//! lanes; ADDSUB, HADD, HSUB; RCP and RSQRT.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::float::{
    ADD, DIV, Float, MAX, MIN, MUL, SQRT, SUB, is_quick, lane, quick, slow, slow_lanes,
};
use super::lanes::{dwords, of_dwords, of_qwords, qwords};
use super::operand::{load, load_aligned, set_low, set_xmm, xmm};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use iced_x86::Mnemonic;

/// Whether the host's result is right for ordinary numbers: MIN and MAX do not
/// round.
#[inline(always)]
fn is_quick_for<const OP: u8>(c: &Core<'_>) -> bool {
    OP == MIN || OP == MAX || is_quick(c.fpu.mxcsr)
}

/// The low lanes' result if it is quick to find. Whoever gets nothing reads the
/// operands again: they stay in float registers only as long as nobody asks
/// for their bits.
#[inline(always)]
fn one<F: Float, const OP: u8>(c: &Core<'_>, i: &Insn, y: u64) -> Option<F> {
    let x = lane::<F>(xmm(c, i.a), 0);
    let (r, ordinary) = quick::<F, OP>(F::of_bits(x), F::of_bits(y));
    (ordinary & is_quick_for::<OP>(c)).then_some(r)
}

/// Writes the low lane of a register.
#[inline(always)]
fn set_float<F: Float>(c: &mut Core<'_>, n: u8, r: F) {
    if F::BITS == 64 { set_low::<64>(c, n, r.to_bits()) } else { set_low::<32>(c, n, r.to_bits()) }
}

fn one_reg<F: Float, const OP: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    match one::<F, OP>(c, i, lane::<F>(xmm(c, i.b), 0)) {
        Some(r) => {
            set_float(c, i.a, r);
            Ok(Flow::Next)
        }
        None => one_slow::<F, OP, false>(c, i),
    }
}

fn one_mem<F: Float, const OP: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = c.address(i);
    let y = if F::BITS == 64 {
        c.peek(at).map(u64::from_le_bytes)
    } else {
        c.peek(at).map(|b| u32::from_le_bytes(b).into())
    };
    match y.and_then(|y| one::<F, OP>(c, i, y)) {
        Some(r) => {
            set_float(c, i.a, r);
            Ok(Flow::Next)
        }
        None => one_slow::<F, OP, true>(c, i),
    }
}

#[cold]
#[inline(never)]
fn one_slow<F: Float, const OP: u8, const MEM: bool>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let y = match (MEM, F::BITS) {
        (false, _) => xmm(c, i.b),
        (true, 64) => load::<8>(c, i)?,
        (true, _) => load::<4>(c, i)?,
    };
    let r = slow::<F>(c, OP, lane::<F>(xmm(c, i.a), 0), lane::<F>(y, 0))?;
    set_float(c, i.a, F::of_bits(r));
    Ok(Flow::Next)
}

/// All lanes' results, if they are quick to find.
#[inline(always)]
fn all<F: Float, const OP: u8>(c: &Core<'_>, a: u128, b: u128) -> Option<u128> {
    let mut result = 0;
    let mut ordinary = is_quick_for::<OP>(c);
    for n in 0..128 / F::BITS {
        let (x, y) = (F::of_bits(lane::<F>(a, n)), F::of_bits(lane::<F>(b, n)));
        let (r, good) = quick::<F, OP>(x, y);
        result |= u128::from(r.to_bits()) << (n * F::BITS);
        ordinary &= good;
    }
    ordinary.then_some(result)
}

fn all_reg<F: Float, const OP: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    match all::<F, OP>(c, xmm(c, i.a), xmm(c, i.b)) {
        Some(r) => {
            set_xmm(c, i.a, r);
            Ok(Flow::Next)
        }
        None => all_slow::<F, OP, false>(c, i),
    }
}

fn all_mem<F: Float, const OP: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = c.address(i);
    let b = c.peek(at).filter(|_| at & 15 == 0).map(u128::from_le_bytes);
    match b.and_then(|b| all::<F, OP>(c, xmm(c, i.a), b)) {
        Some(r) => {
            set_xmm(c, i.a, r);
            Ok(Flow::Next)
        }
        None => all_slow::<F, OP, true>(c, i),
    }
}

#[cold]
#[inline(never)]
fn all_slow<F: Float, const OP: u8, const MEM: bool>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let b = if MEM { load_aligned(c, i)? } else { xmm(c, i.b) };
    let a = xmm(c, i.a);
    let r = match all::<F, OP>(c, a, b) {
        Some(r) => r,
        None => slow_lanes::<F>(c, |_| OP, a, b)?,
    };
    set_xmm(c, i.a, r);
    Ok(Flow::Next)
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
    let r = match all::<F, OP>(c, even, odd) {
        Some(r) => r,
        None => slow_lanes::<F>(c, |_| OP, even, odd)?,
    };
    set_xmm(c, i.a, r);
    Ok(Flow::Next)
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
