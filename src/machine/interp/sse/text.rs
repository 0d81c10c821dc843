//! String comparisons: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM.
//!
//! ```text
//! immediate operand
//!   1..0  elements: 0 bytes, 1 words, 2 signed bytes, 3 signed words
//!   3..2  0 equal any   1 ranges   2 equal each   3 equal ordered
//!   5..4  1: the opposite   3: the opposite within the second string
//!   6     the last index instead of the first; a mask of lanes, not of bits
//! ```
//!
//! Linux: none. Source: Intel SDM vol. 2, section 4.1. Left out: nothing.

use super::lanes::{bytes, of_bytes, of_words, words};
use super::operand::{load_unaligned, set_xmm, xmm};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::{W32, W64, Width};
use iced_x86::Mnemonic;
use std::array::from_fn;

const AX: u8 = 0;
const CX: u8 = 1;
const DX: u8 = 2;

/// A string: up to 16 elements, and how many count.
#[derive(Debug, Clone, Copy)]
struct Text {
    elements: [i32; 16],
    len: usize,
}

impl Text {
    fn new(v: u128, imm: u64, len: Option<usize>) -> Text {
        let elements: [i32; 16] = match imm & 3 {
            0 => bytes(v).map(i32::from),
            1 => from_fn(|n| words(v).get(n).map_or(0, |w| i32::from(*w))),
            2 => bytes(v).map(|b| i32::from(b as i8)),
            _ => from_fn(|n| words(v).get(n).map_or(0, |w| i32::from(*w as i16))),
        };
        let most = count(imm);
        // An implicit length: up to the first zero.
        let len = len.unwrap_or_else(|| elements.iter().position(|e| *e == 0).unwrap_or(most));
        Text { elements, len: len.min(most) }
    }

    fn get(&self, n: usize) -> Option<i32> {
        self.elements[..self.len].get(n).copied()
    }
}

/// Elements of a register.
fn count(imm: u64) -> usize {
    if imm & 1 == 0 { 16 } else { 8 }
}

/// A bit for each element of the second string (each pair, for equal each).
fn compare(a: &Text, b: &Text, imm: u64) -> u32 {
    let all = count(imm);
    let (first, second) = (&a.elements[..a.len], &b.elements[..b.len]);
    let any = |holds: &dyn Fn(i32) -> bool| {
        second.iter().enumerate().fold(0, |r, (n, e)| r | u32::from(holds(*e)) << n)
    };
    let found = match imm >> 2 & 3 {
        0 => any(&|e| first.contains(&e)),
        1 => any(&|e| first.chunks_exact(2).any(|range| range[0] <= e && e <= range[1])),
        2 => (0..all).fold(0, |r, n| r | u32::from(a.get(n) == b.get(n)) << n),
        _ => (0..all).fold(0, |r, at| {
            // What lies beyond the register is not looked at.
            let here = first.iter().take(all - at).enumerate();
            let same = here.into_iter().all(|(n, e)| b.get(at + n) == Some(*e));
            r | u32::from(same) << at
        }),
    };
    match imm >> 4 & 3 {
        1 => found ^ ((1 << all) - 1),
        3 => found ^ ((1 << b.len) - 1),
        _ => found,
    }
}

/// A length in a general register: its magnitude, at most 16.
fn length<W: Width>(c: &Core<'_>, n: u8) -> usize {
    (W::sign_extend(c.get::<W>(n)) as i64).unsigned_abs().min(16) as usize
}

const INDEX: bool = true;
const MASK: bool = false;

/// `W` is the width of explicit lengths.
fn run<W: Width, const EXPLICIT: bool, const RESULT: bool, const MEM: bool>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let b = if MEM { load_unaligned(c, i)? } else { xmm(c, i.b) };
    let len = |n| EXPLICIT.then(|| length::<W>(c, n));
    let (a, b) = (Text::new(xmm(c, i.a), i.imm, len(AX)), Text::new(b, i.imm, len(DX)));
    let found = compare(&a, &b, i.imm);
    let all = count(i.imm);
    let high = i.imm & 0x40 != 0;
    if RESULT == INDEX {
        let index = match found {
            0 => all as u32,
            _ if high => 31 - found.leading_zeros(),
            _ => found.trailing_zeros(),
        };
        c.set::<W32>(CX, index.into());
    } else {
        let on = |n: usize| found >> n & 1 != 0;
        let mask = match (high, all) {
            (false, _) => found.into(),
            (true, 16) => of_bytes(from_fn(|n| u8::from(on(n)).wrapping_neg())),
            _ => of_words(from_fn(|n| u16::from(on(n)).wrapping_neg())),
        };
        set_xmm(c, 0, mask);
    }
    let flag = |on: bool, at: u32| u64::from(on) << at;
    c.flags.set_status(
        flag(found != 0, 0)
            | flag(b.len < all, 6)
            | flag(a.len < all, 7)
            | flag(found & 1 != 0, 11),
    );
    Ok(Flow::Next)
}

fn by_kind<W: Width, const EXPLICIT: bool, const RESULT: bool>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds[1] {
        Kind::Reg => Some(run::<W, EXPLICIT, RESULT, false>),
        Kind::Mem => Some(run::<W, EXPLICIT, RESULT, true>),
        _ => None,
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Pcmpestri => by_kind::<W32, true, INDEX>(form),
        Mnemonic::Pcmpestri64 => by_kind::<W64, true, INDEX>(form),
        Mnemonic::Pcmpestrm => by_kind::<W32, true, MASK>(form),
        Mnemonic::Pcmpestrm64 => by_kind::<W64, true, MASK>(form),
        Mnemonic::Pcmpistri => by_kind::<W32, false, INDEX>(form),
        Mnemonic::Pcmpistrm => by_kind::<W32, false, MASK>(form),
        _ => None,
    }
}
