//! Rounding to an integer that stays a float: ROUNDSS, ROUNDSD, ROUNDPS,
//! ROUNDPD.
//!
//! Linux: none. Source: Intel SDM vol. 2 (ROUNDPD, table 4-17). Left out:
//! nothing.

use super::float::{Float, has_exponent, lane, settle};
use super::full::{Class, finish, nan, operand, zero};
use super::operand::{load, load_aligned, set_xmm, xmm};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::softfloat::{self as soft, Num, PE, Rounding};
use iced_x86::Mnemonic;

/// In the immediate operand: the mode is MXCSR's.
const BY_MXCSR: u64 = 4;
/// In the immediate operand: no PE.
const QUIET: u64 = 8;

fn rounded<F: Float>(v: u64, imm: u64, mxcsr: u32) -> (u64, u32) {
    let mode = if imm & BY_MXCSR != 0 { mxcsr >> 13 } else { imm as u32 };
    let mode = Rounding::from_field(mode);
    if let Some(nan) = nan::<F>(v, v) {
        return nan;
    }
    let x = operand::<F>(v, mxcsr);
    match x.class {
        Class::Zero => (zero::<F>(x.sign), 0),
        Class::Finite(n) if n.exp < F::FRACTION as i32 => {
            let (integer, inexact, _) = soft::to_integer(n, mode).unwrap_or_default();
            let flags = if inexact && imm & QUIET == 0 { PE } else { 0 };
            if integer == 0 {
                return (zero::<F>(x.sign), flags);
            }
            (finish::<F>(Num::normalized(x.sign, 63, integer).exact(), mxcsr).0, flags)
        }
        _ => (v, 0),
    }
}

/// The host's rounding, with no flag to set that is not set.
#[inline(always)]
fn quick<F: Float>(v: u64, imm: u64, mxcsr: u32) -> Option<u64> {
    let x = if F::BITS == 64 { f64::from_bits(v) } else { f64::from(f32::from_bits(v as u32)) };
    let mode = if imm & BY_MXCSR != 0 { mxcsr >> 13 } else { imm as u32 };
    let r = match mode & 3 {
        0 => x.round_ties_even(),
        1 => x.floor(),
        2 => x.ceil(),
        _ => x.trunc(),
    };
    let told = imm & QUIET != 0 || mxcsr & PE != 0 && mxcsr >> 7 & PE != 0 || r == x;
    let bits = if F::BITS == 64 { r.to_bits() } else { u64::from((r as f32).to_bits()) };
    (has_exponent::<F>(v) && x.abs() <= f64::MAX && told).then_some(bits)
}

fn each<F: Float>(c: &mut Core<'_>, i: &Insn, b: u128, lanes: u32) -> Result<u128, Trap> {
    let (mut result, mut flags) = (0, 0);
    for n in 0..lanes {
        let v = lane::<F>(b, n);
        let r = quick::<F>(v, i.imm, c.fpu.mxcsr).unwrap_or_else(|| {
            let (r, f) = rounded::<F>(v, i.imm, c.fpu.mxcsr);
            flags |= f;
            r
        });
        result |= u128::from(r) << (n * F::BITS);
    }
    if flags != 0 {
        settle(c, flags)?;
    }
    Ok(result)
}

fn scalar<F: Float, const MEM: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = match (MEM, F::BITS) {
        (false, _) => xmm(c, i.b),
        (true, 64) => load::<8>(c, i)?,
        (true, _) => load::<4>(c, i)?,
    };
    let r = each::<F>(c, i, b, 1)?;
    let whole = xmm(c, i.a) & !u128::from(F::MASK) | r;
    set_xmm(c, i.a, whole);
    Ok(Flow::Next)
}

fn packed<F: Float, const MEM: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = if MEM { load_aligned(c, i)? } else { xmm(c, i.b) };
    let r = each::<F>(c, i, b, 128 / F::BITS)?;
    set_xmm(c, i.a, r);
    Ok(Flow::Next)
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    let mem = form.kinds[1] == Kind::Mem;
    Some(match (form.insn.mnemonic(), mem) {
        (Mnemonic::Roundsd, false) => scalar::<f64, false>,
        (Mnemonic::Roundsd, true) => scalar::<f64, true>,
        (Mnemonic::Roundss, false) => scalar::<f32, false>,
        (Mnemonic::Roundss, true) => scalar::<f32, true>,
        (Mnemonic::Roundpd, false) => packed::<f64, false>,
        (Mnemonic::Roundpd, true) => packed::<f64, true>,
        (Mnemonic::Roundps, false) => packed::<f32, false>,
        (Mnemonic::Roundps, true) => packed::<f32, true>,
        _ => return None,
    })
}
