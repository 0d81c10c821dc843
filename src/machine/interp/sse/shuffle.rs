//! Lanes that change places: shuffles, interleaving, packing, widening,
//! blending, insertion.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::lanes::{bytes, dwords, of_bytes, of_dwords, of_qwords, of_words, qwords, words};
use super::operand::{load_aligned, ops, set_xmm, xmm};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use iced_x86::Mnemonic;
use std::array::from_fn;

/// Which of four a two-bit field of the immediate operand names.
#[inline(always)]
fn field(imm: u64, n: usize) -> usize {
    (imm >> (2 * n) & 3) as usize
}

/// Words of a quadword, as the immediate operand says.
#[inline(always)]
pub fn shuffle_words(v: u64, imm: u64) -> u64 {
    (0..4).fold(0, |r, n| r | (v >> (16 * field(imm, n)) & 0xffff) << (16 * n))
}

/// Bytes of two halves in turn.
#[inline(always)]
pub fn mix8(a: u64, b: u64) -> u128 {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    of_bytes(from_fn(|i| if i % 2 == 0 { a[i / 2] } else { b[i / 2] }))
}

/// Words of two halves in turn.
#[inline(always)]
pub fn mix16(a: u64, b: u64) -> u128 {
    let (a, b) = (words(a.into()), words(b.into()));
    of_words(from_fn(|i| if i % 2 == 0 { a[i / 2] } else { b[i / 2] }))
}

/// Doublewords of two halves in turn.
#[inline(always)]
pub fn mix32(a: u64, b: u64) -> u128 {
    of_dwords([a as u32, b as u32, (a >> 32) as u32, (b >> 32) as u32])
}

#[inline(always)]
fn low(v: u128) -> u64 {
    v as u64
}

#[inline(always)]
fn high(v: u128) -> u64 {
    (v >> 64) as u64
}

/// Sixteen words of two registers become bytes.
#[inline(always)]
pub fn pack16(a: u128, b: u128, f: impl Fn(i16) -> u8) -> u128 {
    let (a, b) = (words(a), words(b));
    of_bytes(from_fn(|i| f(if i < 8 { a[i] } else { b[i - 8] } as i16)))
}

/// Eight doublewords of two registers become words.
#[inline(always)]
pub fn pack32(a: u128, b: u128, f: impl Fn(i32) -> u16) -> u128 {
    let (a, b) = (dwords(a), dwords(b));
    of_words(from_fn(|i| f(if i < 4 { a[i] } else { b[i - 4] } as i32)))
}

/// Takes lanes of `bits` bits from `b` where the immediate operand has ones.
#[inline(always)]
fn blend(a: u128, b: u128, bits: u32, imm: u64) -> u128 {
    let lane = !0 >> (128 - bits);
    let mask = (0..128 / bits)
        .filter(|n| imm >> n & 1 != 0)
        .fold(0u128, |mask, n| mask | lane << (n * bits));
    a & !mask | b & mask
}

/// INSERTPS once its doubleword is at hand.
#[inline(always)]
fn insert_dword(a: u128, value: u32, imm: u64) -> u128 {
    let mut lanes = dwords(a);
    lanes[field(imm, 2)] = value;
    of_dwords(from_fn(|i| if imm >> i & 1 != 0 { 0 } else { lanes[i] }))
}

mod fixed {
    use super::*;

    ops! { a, b, i;
        Pshufd => { let v = dwords(b); of_dwords(from_fn(|n| v[field(i, n)])) },
        Pshuflw => of_qwords([shuffle_words(low(b), i), high(b)]),
        Pshufhw => of_qwords([low(b), shuffle_words(high(b), i)]),
        Pshufb => {
            let v = bytes(a);
            of_bytes(bytes(b).map(|n| if n & 0x80 != 0 { 0 } else { v[usize::from(n & 15)] }))
        },
        Shufps => {
            let (x, y) = (dwords(a), dwords(b));
            of_dwords([x[field(i, 0)], x[field(i, 1)], y[field(i, 2)], y[field(i, 3)]])
        },
        Shufpd => of_qwords([qwords(a)[(i & 1) as usize], qwords(b)[(i >> 1 & 1) as usize]]),
        Unpcklps => mix32(low(a), low(b)),
        Unpckhps => mix32(high(a), high(b)),
        Unpcklpd => of_qwords([low(a), low(b)]),
        Unpckhpd => of_qwords([high(a), high(b)]),
        Punpcklbw => mix8(low(a), low(b)),
        Punpckhbw => mix8(high(a), high(b)),
        Punpcklwd => mix16(low(a), low(b)),
        Punpckhwd => mix16(high(a), high(b)),
        Punpckldq => mix32(low(a), low(b)),
        Punpckhdq => mix32(high(a), high(b)),
        Punpcklqdq => of_qwords([low(a), low(b)]),
        Punpckhqdq => of_qwords([high(a), high(b)]),
        Packsswb => pack16(a, b, |v| v.clamp(-128, 127) as u8),
        Packuswb => pack16(a, b, |v| v.clamp(0, 255) as u8),
        Packssdw => pack32(a, b, |v| v.clamp(-0x8000, 0x7fff) as u16),
        Packusdw => pack32(a, b, |v| v.clamp(0, 0xffff) as u16),
        Movddup: 8 => of_qwords([low(b), low(b)]),
        Movsldup => { let v = dwords(b); of_dwords([v[0], v[0], v[2], v[2]]) },
        Movshdup => { let v = dwords(b); of_dwords([v[1], v[1], v[3], v[3]]) },
        Pblendw => blend(a, b, 16, i),
        Blendps => blend(a, b, 32, i),
        Blendpd => blend(a, b, 64, i),
        Pmovzxbw: 8 => of_words(from_fn(|n| bytes(b)[n].into())),
        Pmovzxbd: 4 => of_dwords(from_fn(|n| bytes(b)[n].into())),
        Pmovzxbq: 2 => of_qwords(from_fn(|n| bytes(b)[n].into())),
        Pmovzxwd: 8 => of_dwords(from_fn(|n| words(b)[n].into())),
        Pmovzxwq: 4 => of_qwords(from_fn(|n| words(b)[n].into())),
        Pmovzxdq: 8 => of_qwords(from_fn(|n| dwords(b)[n].into())),
        Pmovsxbw: 8 => of_words(from_fn(|n| bytes(b)[n] as i8 as u16)),
        Pmovsxbd: 4 => of_dwords(from_fn(|n| bytes(b)[n] as i8 as u32)),
        Pmovsxbq: 2 => of_qwords(from_fn(|n| bytes(b)[n] as i8 as u64)),
        Pmovsxwd: 8 => of_dwords(from_fn(|n| words(b)[n] as i16 as u32)),
        Pmovsxwq: 4 => of_qwords(from_fn(|n| words(b)[n] as i16 as u64)),
        Pmovsxdq: 8 => of_qwords(from_fn(|n| dwords(b)[n] as i32 as u64)),
    }

    /// INSERTPS, which takes any lane of a register but memory as it is.
    pub mod insertps {
        use super::*;
        use crate::machine::interp::sse::operand::Op;

        pub struct FromReg;
        impl Op for FromReg {
            #[inline(always)]
            fn of(a: u128, b: u128, imm: u64) -> u128 {
                insert_dword(a, dwords(b)[field(imm, 3)], imm)
            }
        }

        pub struct FromMem;
        impl Op for FromMem {
            const BYTES: usize = 4;
            #[inline(always)]
            fn of(a: u128, b: u128, imm: u64) -> u128 {
                insert_dword(a, b as u32, imm)
            }
        }
    }
}

/// Each lane's own top bit, spread over the lane.
#[inline(always)]
fn spread<const BITS: u32>(v: u128) -> u128 {
    let ones = !0u128 / (!0u128 >> (128 - BITS));
    let tops = v >> (BITS - 1) & ones;
    tops * (!0u128 >> (128 - BITS))
}

fn blendv_reg<const BITS: u32>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let (mask, b) = (spread::<BITS>(xmm(c, 0)), xmm(c, i.b));
    let r = xmm(c, i.a) & !mask | b & mask;
    set_xmm(c, i.a, r);
    Ok(Flow::Next)
}

fn blendv_mem<const BITS: u32>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = load_aligned(c, i)?;
    let mask = spread::<BITS>(xmm(c, 0));
    let r = xmm(c, i.a) & !mask | b & mask;
    set_xmm(c, i.a, r);
    Ok(Flow::Next)
}

fn blendv<const BITS: u32>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] => Some(blendv_reg::<BITS>),
        _ => Some(blendv_mem::<BITS>),
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Pblendvb => blendv::<8>(form),
        Mnemonic::Blendvps => blendv::<32>(form),
        Mnemonic::Blendvpd => blendv::<64>(form),
        Mnemonic::Insertps if form.kinds[1] == Kind::Mem => {
            super::operand::handler::<fixed::insertps::FromMem>(form)
        }
        Mnemonic::Insertps => super::operand::handler::<fixed::insertps::FromReg>(form),
        _ => fixed::select(form),
    }
}
