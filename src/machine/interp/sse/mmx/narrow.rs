//! Operations on MMX registers that do something else than on the low half of an
//! XMM register: packing, interleaving of high halves, shuffles, sums of
//! neighbours.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::super::across::{pairs16, pairs32};
use super::super::lanes::bytes;
use super::super::operand::ops;
use super::super::shuffle::{mix8, mix16, mix32, pack16, pack32, shuffle_words};

/// Both operands in one value, the first one low.
#[inline(always)]
fn both(a: u128, b: u128) -> u128 {
    a | b << 64
}

/// What is interleaved above the low half.
#[inline(always)]
fn above(v: u128) -> u128 {
    v >> 64
}

ops! { a, b, i;
    Packsswb => pack16(both(a, b), 0, |v| v.clamp(-128, 127) as u8),
    Packuswb => pack16(both(a, b), 0, |v| v.clamp(0, 255) as u8),
    Packssdw => pack32(both(a, b), 0, |v| v.clamp(-0x8000, 0x7fff) as u16),
    Punpckhbw => above(mix8(a as u64, b as u64)),
    Punpckhwd => above(mix16(a as u64, b as u64)),
    Punpckhdq => above(mix32(a as u64, b as u64)),
    Pshufw => shuffle_words(b as u64, i).into(),
    Pshufb => {
        let v = bytes(a);
        u128::from_le_bytes(
            bytes(b).map(|n| if n & 0x80 != 0 { 0 } else { v[usize::from(n & 7)] }),
        )
    },
    Palignr => {
        let n = (i & 0xff) as u32 * 8;
        if n < 128 { both(b, a) >> n } else { 0 }
    },
    Phaddw => pairs16(both(a, b), 0, i16::wrapping_add),
    Phaddsw => pairs16(both(a, b), 0, i16::saturating_add),
    Phsubw => pairs16(both(a, b), 0, i16::wrapping_sub),
    Phsubsw => pairs16(both(a, b), 0, i16::saturating_sub),
    Phaddd => pairs32(both(a, b), 0, u32::wrapping_add),
    Phsubd => pairs32(both(a, b), 0, u32::wrapping_sub),
}
