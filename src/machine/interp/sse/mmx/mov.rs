//! Moving MMX registers: MOVD, MOVQ, MOVNTQ, MOVQ2DQ, MOVDQ2Q, words and masks of
//! them, MASKMOVQ.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::super::mov::at_rdi;
use super::super::operand::{set_xmm, xmm};
use super::{load, mm, set_mm, take};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::{W16, W32, W64, Width};
use crate::machine::interp::x87;
use iced_x86::Mnemonic;

fn put(c: &mut Core<'_>, n: u8, value: u64) -> Result<Flow, Trap> {
    take(c);
    set_mm(c, n, value);
    Ok(Flow::Next)
}

fn mm_mm(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let v = mm(c, i.b);
    put(c, i.a, v)
}

fn mm_gpr<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let v = c.get::<W>(i.b);
    put(c, i.a, v)
}

fn gpr_mm<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let v = mm(c, i.b);
    take(c);
    c.set::<W>(i.a, v);
    Ok(Flow::Next)
}

fn mm_mem<const BYTES: usize>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let v = load::<BYTES>(c, i)?;
    put(c, i.a, v)
}

fn mem_mm<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let v = mm(c, i.b);
    c.store::<W>(c.address(i), v)?;
    take(c);
    Ok(Flow::Next)
}

fn mm_xmm(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let v = xmm(c, i.b) as u64;
    put(c, i.a, v)
}

fn xmm_mm(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let v = mm(c, i.b);
    take(c);
    set_xmm(c, i.a, v.into());
    Ok(Flow::Next)
}

/// PMOVMSKB: the top bit of each byte.
fn mask(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let v = mm(c, i.b).to_le_bytes();
    take(c);
    let mask = (0..8).fold(0, |mask, n| mask | u64::from(v[n] >> 7) << n);
    c.set::<W64>(i.a, mask);
    Ok(Flow::Next)
}

/// PEXTRW.
fn extract(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let v = mm(c, i.b) >> (16 * (i.imm & 3)) & 0xffff;
    take(c);
    c.set::<W64>(i.a, v);
    Ok(Flow::Next)
}

/// PINSRW.
fn insert(c: &mut Core<'_>, i: &Insn, word: u64) -> Result<Flow, Trap> {
    let at = 16 * (i.imm & 3);
    let v = mm(c, i.a) & !(0xffff << at) | (word & 0xffff) << at;
    put(c, i.a, v)
}

fn insert_reg(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let v = c.get::<W64>(i.b);
    insert(c, i, v)
}

fn insert_mem(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let v = c.load::<W16>(c.address(i))?;
    insert(c, i, v)
}

/// MASKMOVQ: the bytes whose mask has its top bit set.
fn maskmov(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let (data, mask) = (mm(c, i.b).to_le_bytes(), mm(c, i.c).to_le_bytes());
    let at = c.address(i);
    // As MASKMOVDQU: bytes that are not chosen may raise, too.
    c.probe_bytes(at, 8)?;
    for n in (0..8).filter(|n| mask[*n] & 0x80 != 0) {
        c.write(at.wrapping_add(n as u64), [data[n]])?;
    }
    take(c);
    Ok(Flow::Next)
}

/// MASKMOVQ's first operand is memory that is not encoded.
pub fn has_hidden_register(form: &Form<'_>) -> bool {
    form.insn.mnemonic() == Mnemonic::Maskmovq
}

fn whole<W: Width, const BYTES: usize>(form: &Form<'_>) -> Option<Handler> {
    let is_mm = |op: u32| form.insn.op_register(op).is_mm();
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] if is_mm(0) && is_mm(1) => Some(mm_mm),
        [Kind::Reg, Kind::Reg, ..] if is_mm(0) => Some(mm_gpr::<W>),
        [Kind::Reg, Kind::Reg, ..] => Some(gpr_mm::<W>),
        [Kind::Reg, Kind::Mem, ..] => Some(mm_mem::<BYTES>),
        [Kind::Mem, Kind::Reg, ..] => Some(mem_mm::<W>),
        _ => None,
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>, out: &mut Insn) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Movd => whole::<W32, 4>(form),
        Mnemonic::Movq | Mnemonic::Movntq => whole::<W64, 8>(form),
        Mnemonic::Movq2dq => Some(xmm_mm),
        Mnemonic::Movdq2q => Some(mm_xmm),
        Mnemonic::Pmovmskb => Some(mask),
        Mnemonic::Pextrw => Some(extract),
        Mnemonic::Pinsrw if form.kinds[1] == Kind::Mem => Some(insert_mem),
        Mnemonic::Pinsrw => Some(insert_reg),
        Mnemonic::Maskmovq => {
            at_rdi(form, out);
            Some(maskmov)
        }
        _ => None,
    }
}
