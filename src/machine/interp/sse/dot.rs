//! Dot products: DPPS, DPPD. And the approximations RCPxS and RSQRTxS.
//!
//! The high half of the immediate operand says which products count, the low
//! half which lanes get the sum.
//!
//! RCPPS may err by 1.5 * 2^-12, and processors differ within that; here it
//! errs by less than 2^-23, as does RSQRTPS.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::float::{ADD, Float, MUL, lane, settle};
use super::full::{arith, nan};
use super::lanes::{dwords, of_dwords};
use super::operand::{load, load_aligned, set_xmm, xmm};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use iced_x86::Mnemonic;

/// The same operation on pairs, flags settled after all of them.
fn step<F: Float>(c: &mut Core<'_>, op: u8, pairs: &[(u64, u64)]) -> Result<[u64; 4], Trap> {
    let (mut results, mut flags) = ([0; 4], 0);
    for (r, (x, y)) in results.iter_mut().zip(pairs) {
        let (value, f) = arith::<F>(op, *x, *y, c.fpu.mxcsr);
        *r = value;
        flags |= f;
    }
    settle(c, flags)?;
    Ok(results)
}

fn dot<F: Float, const MEM: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = if MEM { load_aligned(c, i)? } else { xmm(c, i.b) };
    let a = xmm(c, i.a);
    let lanes = 128 / F::BITS;
    // A lane that does not count is a product of zeros.
    let pairs: [(u64, u64); 4] = std::array::from_fn(|n| {
        let counts = (n as u32) < lanes && i.imm >> (4 + n) & 1 != 0;
        if counts { (lane::<F>(a, n as u32), lane::<F>(b, n as u32)) } else { (0, 0) }
    });
    let products = step::<F>(c, MUL, &pairs)?;
    let [p, q, r, s] = products;
    let sum = if lanes == 2 {
        step::<F>(c, ADD, &[(p, q)])?[0]
    } else {
        let [low, high, ..] = step::<F>(c, ADD, &[(p, q), (r, s)])?;
        step::<F>(c, ADD, &[(low, high)])?[0]
    };
    let result = (0..lanes)
        .filter(|n| i.imm >> n & 1 != 0)
        .fold(0, |v, n| v | u128::from(sum) << (n * F::BITS));
    set_xmm(c, i.a, result);
    Ok(Flow::Next)
}

/// 1/x or 1/sqrt(x); denormal numbers count as zeros and no flag is set.
fn approximate<const ROOT: bool>(bits: u32) -> u32 {
    if let Some((nan, _)) = nan::<f32>(bits.into(), bits.into()) {
        return nan as u32;
    }
    let x = f32::from_bits(bits);
    let x = if x.is_subnormal() { 0.0f32.copysign(x) } else { x };
    if ROOT && x < 0.0 {
        return f32::DEFAULT_NAN as u32;
    }
    let r = if ROOT { 1.0f32.copysign(x) / x.abs().sqrt() } else { 1.0 / x };
    if r.is_subnormal() { 0.0f32.copysign(r).to_bits() } else { r.to_bits() }
}

fn approximate_one<const ROOT: bool, const MEM: bool>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let b = if MEM { load::<4>(c, i)? } else { xmm(c, i.b) };
    let r = u128::from(approximate::<ROOT>(b as u32));
    let whole = xmm(c, i.a) & !0xffff_ffff | r;
    set_xmm(c, i.a, whole);
    Ok(Flow::Next)
}

fn approximate_all<const ROOT: bool, const MEM: bool>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let b = if MEM { load_aligned(c, i)? } else { xmm(c, i.b) };
    let r = of_dwords(dwords(b).map(approximate::<ROOT>));
    set_xmm(c, i.a, r);
    Ok(Flow::Next)
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    let mem = form.kinds[1] == Kind::Mem;
    Some(match (form.insn.mnemonic(), mem) {
        (Mnemonic::Dpps, false) => dot::<f32, false>,
        (Mnemonic::Dpps, true) => dot::<f32, true>,
        (Mnemonic::Dppd, false) => dot::<f64, false>,
        (Mnemonic::Dppd, true) => dot::<f64, true>,
        (Mnemonic::Rcpss, false) => approximate_one::<false, false>,
        (Mnemonic::Rcpss, true) => approximate_one::<false, true>,
        (Mnemonic::Rsqrtss, false) => approximate_one::<true, false>,
        (Mnemonic::Rsqrtss, true) => approximate_one::<true, true>,
        (Mnemonic::Rcpps, false) => approximate_all::<false, false>,
        (Mnemonic::Rcpps, true) => approximate_all::<false, true>,
        (Mnemonic::Rsqrtps, false) => approximate_all::<true, false>,
        (Mnemonic::Rsqrtps, true) => approximate_all::<true, true>,
        _ => return None,
    })
}
