//! Moving data: MOVAPS and its kin, MOVD, MOVQ, MOVSS, MOVSD, halves of
//! registers, masks, PINSRx, PEXTRx, MASKMOVDQU.
//!
//! Non-temporal moves are moves.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: MMX registers, see `mmx`.

use super::lanes::{bytes, dwords, qwords, words};
use super::operand::{aligned, load, load_aligned, load_unaligned, set_xmm, xmm};
use super::packed::test_bits;
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{ADDR32, FS, Flow, GS, Handler, Insn, ODD_ADDRESS, Trap, ZERO};
use crate::machine::interp::width::{W8, W16, W32, W64, Width};
use iced_x86::{Mnemonic, OpKind, Register};

const LOW32: u128 = 0xffff_ffff;
const LOW64: u128 = 0xffff_ffff_ffff_ffff;

fn reg_reg(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = xmm(c, i.b);
    set_xmm(c, i.a, v);
    Ok(Flow::Next)
}

fn reg_mem<const ALIGNED: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = c.address(i);
    match c.peek(at) {
        Some(bytes) if !ALIGNED || at & 15 == 0 => {
            set_xmm(c, i.a, u128::from_le_bytes(bytes));
            Ok(Flow::Next)
        }
        _ => reg_mem_slow::<ALIGNED>(c, i),
    }
}

#[cold]
#[inline(never)]
fn reg_mem_slow<const ALIGNED: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = if ALIGNED { load_aligned(c, i)? } else { load_unaligned(c, i)? };
    set_xmm(c, i.a, v);
    Ok(Flow::Next)
}

fn mem_reg<const ALIGNED: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = c.address(i);
    let v = xmm(c, i.b);
    if (!ALIGNED || at & 15 == 0) && c.poke(at, v.to_le_bytes()) {
        return Ok(Flow::Next);
    }
    mem_reg_slow::<ALIGNED>(c, i)
}

#[cold]
#[inline(never)]
fn mem_reg_slow<const ALIGNED: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = if ALIGNED { aligned(c, i)? } else { c.address(i) };
    let v = xmm(c, i.b);
    c.write(at, v.to_le_bytes())?;
    Ok(Flow::Next)
}

fn whole<const ALIGNED: bool>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] => Some(reg_reg),
        [Kind::Reg, Kind::Mem, ..] => Some(reg_mem::<ALIGNED>),
        [Kind::Mem, Kind::Reg, ..] => Some(mem_reg::<ALIGNED>),
        _ => None,
    }
}

/// The low part of a register to memory.
fn mem_low<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = xmm(c, i.b) as u64;
    let at = c.address(i);
    let done = if W::BYTES == 8 {
        c.poke(at, v.to_le_bytes())
    } else {
        c.poke(at, (v as u32).to_le_bytes())
    };
    if done { Ok(Flow::Next) } else { mem_low_slow::<W>(c, i) }
}

#[cold]
#[inline(never)]
fn mem_low_slow<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = xmm(c, i.b) as u64;
    c.store::<W>(c.address(i), v)?;
    Ok(Flow::Next)
}

/// Memory to the low part of a register, the rest of which becomes 0.
fn low_mem<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = c.address(i);
    let v = if W::BYTES == 8 {
        c.peek(at).map(u64::from_le_bytes)
    } else {
        c.peek(at).map(|b| u32::from_le_bytes(b).into())
    };
    match v {
        Some(v) => {
            set_xmm(c, i.a, v.into());
            Ok(Flow::Next)
        }
        None => low_mem_slow::<W>(c, i),
    }
}

#[cold]
#[inline(never)]
fn low_mem_slow<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.load::<W>(c.address(i))?;
    set_xmm(c, i.a, v.into());
    Ok(Flow::Next)
}

/// A general register to the low part of a register.
fn low_gpr<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.get::<W>(i.b);
    set_xmm(c, i.a, v.into());
    Ok(Flow::Next)
}

/// The low part of a register to a general register.
fn gpr_low<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = xmm(c, i.b) as u64;
    c.set::<W>(i.a, v);
    Ok(Flow::Next)
}

/// MOVQ between registers.
fn low_low(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = xmm(c, i.b) & LOW64;
    set_xmm(c, i.a, v);
    Ok(Flow::Next)
}

/// MOVSS or MOVSD between registers: the rest stays.
fn merge_low<const MASK: u128>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = xmm(c, i.a) & !MASK | xmm(c, i.b) & MASK;
    set_xmm(c, i.a, v);
    Ok(Flow::Next)
}

fn movd<W: Width>(form: &Form<'_>) -> Option<Handler> {
    let xmm = |op: u32| form.insn.op_register(op).is_xmm();
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] if xmm(0) && xmm(1) => Some(low_low),
        [Kind::Reg, Kind::Reg, ..] if xmm(0) => Some(low_gpr::<W>),
        [Kind::Reg, Kind::Reg, ..] if xmm(1) => Some(gpr_low::<W>),
        [Kind::Reg, Kind::Mem, ..] if xmm(0) => Some(low_mem::<W>),
        [Kind::Mem, Kind::Reg, ..] if xmm(1) => Some(mem_low::<W>),
        _ => None,
    }
}

fn scalar<W: Width, const MASK: u128>(form: &Form<'_>) -> Option<Handler> {
    let xmm = |op: u32| form.insn.op_register(op).is_xmm();
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] if xmm(0) => Some(merge_low::<MASK>),
        [Kind::Reg, Kind::Mem, ..] if xmm(0) => Some(low_mem::<W>),
        [Kind::Mem, Kind::Reg, ..] if xmm(1) => Some(mem_low::<W>),
        _ => None,
    }
}

/// One half of the first operand becomes one of the second.
fn half_reg<const TO_HIGH: bool, const FROM_HIGH: bool>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let (a, b) = (xmm(c, i.a), xmm(c, i.b));
    let half = if FROM_HIGH { b >> 64 } else { b & LOW64 };
    let v = if TO_HIGH { a & LOW64 | half << 64 } else { a & !LOW64 | half };
    set_xmm(c, i.a, v);
    Ok(Flow::Next)
}

fn half_mem<const HIGH: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let half = load::<8>(c, i)?;
    let a = xmm(c, i.a);
    let v = if HIGH { a & LOW64 | half << 64 } else { a & !LOW64 | half };
    set_xmm(c, i.a, v);
    Ok(Flow::Next)
}

fn mem_high(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = (xmm(c, i.b) >> 64) as u64;
    c.store::<W64>(c.address(i), v)?;
    Ok(Flow::Next)
}

fn mask8(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    // The top bits of eight bytes, gathered in the product's top byte.
    let gather =
        |v: u64| (v >> 7 & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let [low, high] = qwords(xmm(c, i.b));
    c.set::<W64>(i.a, gather(low) | gather(high) << 8);
    Ok(Flow::Next)
}

fn mask32(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = dwords(xmm(c, i.b));
    let mask = (0..4).fold(0, |mask, n| mask | u64::from(v[n] >> 31) << n);
    c.set::<W64>(i.a, mask);
    Ok(Flow::Next)
}

fn mask64(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let [low, high] = qwords(xmm(c, i.b));
    c.set::<W64>(i.a, low >> 63 | high >> 63 << 1);
    Ok(Flow::Next)
}

/// A lane, as PEXTRx and EXTRACTPS count them.
#[inline(always)]
fn lane<W: Width>(v: u128, n: u64) -> u64 {
    match W::BYTES {
        1 => bytes(v)[(n & 15) as usize].into(),
        2 => words(v)[(n & 7) as usize].into(),
        4 => dwords(v)[(n & 3) as usize].into(),
        _ => qwords(v)[(n & 1) as usize],
    }
}

fn extract_reg<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = lane::<W>(xmm(c, i.b), i.imm);
    c.set::<W64>(i.a, v);
    Ok(Flow::Next)
}

fn extract_mem<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = lane::<W>(xmm(c, i.b), i.imm);
    c.store::<W>(c.address(i), v)?;
    Ok(Flow::Next)
}

fn extract<W: Width>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds[0] {
        Kind::Reg => Some(extract_reg::<W>),
        Kind::Mem => Some(extract_mem::<W>),
        _ => None,
    }
}

#[inline(always)]
fn put_lane<W: Width>(c: &mut Core<'_>, i: &Insn, value: u64) {
    let n = i.imm as u32 & (16 / W::BYTES as u32 - 1);
    let (at, mask) = (n * W::BITS, u128::from(W::MASK));
    let v = xmm(c, i.a) & !(mask << at) | (u128::from(value) & mask) << at;
    set_xmm(c, i.a, v);
}

fn insert_reg<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    // The register is a doubleword at least, never AH.
    let v = c.get::<W64>(i.b);
    put_lane::<W>(c, i, v);
    Ok(Flow::Next)
}

fn insert_mem<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.load::<W>(c.address(i))?;
    put_lane::<W>(c, i, v);
    Ok(Flow::Next)
}

fn insert<W: Width>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds[1] {
        Kind::Reg => Some(insert_reg::<W>),
        Kind::Mem => Some(insert_mem::<W>),
        _ => None,
    }
}

fn maskmov(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let (data, mask) = (bytes(xmm(c, i.b)), bytes(xmm(c, i.c)));
    let at = c.address(i);
    let chosen = (0..16u64).filter(|n| mask[*n as usize] & 0x80 != 0);
    // Processors differ in what bytes that are not chosen may raise; this does
    // as AMD's.
    c.probe_bytes(at, 16)?;
    for n in chosen {
        c.write(at.wrapping_add(n), [data[n as usize]])?;
    }
    Ok(Flow::Next)
}

/// The operand at RDI, which is not encoded.
pub fn at_rdi(form: &Form<'_>, out: &mut Insn) {
    out.base = 7;
    let segment = match form.insn.segment_prefix() {
        Register::FS => FS,
        Register::GS => GS,
        _ => ZERO,
    };
    if form.insn.op0_kind() == OpKind::MemorySegEDI {
        out.seg = segment | ADDR32;
        out.scale |= ODD_ADDRESS;
    } else {
        out.index = segment;
    }
}

fn set_test(c: &mut Core<'_>, a: u128, b: u128) {
    let (zf, cf) = test_bits(a, b);
    c.flags.set_status(u64::from(zf) << 6 | u64::from(cf));
}

fn test_reg(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let (a, b) = (xmm(c, i.a), xmm(c, i.b));
    set_test(c, a, b);
    Ok(Flow::Next)
}

fn test_mem(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = load_aligned(c, i)?;
    let a = xmm(c, i.a);
    set_test(c, a, b);
    Ok(Flow::Next)
}

fn mem_gpr<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.get::<W>(i.b);
    c.store::<W>(c.address(i), v)?;
    Ok(Flow::Next)
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>, out: &mut Insn) -> Option<Handler> {
    use Mnemonic::{
        Extractps, Lddqu, Maskmovdqu, Movapd, Movaps, Movd, Movdqa, Movdqu, Movhlps, Movhpd,
        Movhps, Movlhps, Movlpd, Movlps, Movmskpd, Movmskps, Movntdq, Movntdqa, Movnti, Movntpd,
        Movntps, Movq, Movsd, Movss, Movupd, Movups, Pextrb, Pextrd, Pextrq, Pextrw, Pinsrb,
        Pinsrd, Pinsrq, Pinsrw, Pmovmskb, Ptest,
    };
    match form.insn.mnemonic() {
        Movups | Movupd | Movdqu | Lddqu => whole::<false>(form),
        Movaps | Movapd | Movdqa | Movntps | Movntpd | Movntdq | Movntdqa => whole::<true>(form),
        Movd => movd::<W32>(form),
        Movq => movd::<W64>(form),
        Movss => scalar::<W32, LOW32>(form),
        Movsd => scalar::<W64, LOW64>(form),
        Movlps | Movlpd if form.kinds[0] == Kind::Mem => Some(mem_low::<W64>),
        Movhps | Movhpd if form.kinds[0] == Kind::Mem => Some(mem_high),
        Movlps | Movlpd => Some(half_mem::<false>),
        Movhps | Movhpd => Some(half_mem::<true>),
        Movhlps => Some(half_reg::<false, true>),
        Movlhps => Some(half_reg::<true, false>),
        Movnti if form.width(1) == 8 => Some(mem_gpr::<W64>),
        Movnti => Some(mem_gpr::<W32>),
        Pmovmskb => Some(mask8),
        Movmskps => Some(mask32),
        Movmskpd => Some(mask64),
        Pextrb => extract::<W8>(form),
        Pextrw => extract::<W16>(form),
        Pextrd | Extractps => extract::<W32>(form),
        Pextrq => extract::<W64>(form),
        Pinsrb => insert::<W8>(form),
        Pinsrw => insert::<W16>(form),
        Pinsrd => insert::<W32>(form),
        Pinsrq => insert::<W64>(form),
        Ptest if form.kinds[1] == Kind::Reg => Some(test_reg),
        Ptest => Some(test_mem),
        Maskmovdqu => {
            at_rdi(form, out);
            Some(maskmov)
        }
        _ => None,
    }
}
