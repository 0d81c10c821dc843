//! Sums and differences over neighbouring lanes: PMADDx, PSADBW, PHADDx,
//! PHSUBx, MPSADBW, PHMINPOSUW.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::lanes::{bytes, dwords, of_dwords, of_qwords, of_words, words};
use super::operand::ops;
use std::array::from_fn;

/// Pairs of words of two registers in turn, each made one.
#[inline(always)]
pub fn pairs16(a: u128, b: u128, f: impl Fn(i16, i16) -> i16) -> u128 {
    let (a, b) = (words(a), words(b));
    let pair = |v: &[u16; 8], n: usize| f(v[2 * n] as i16, v[2 * n + 1] as i16) as u16;
    of_words(from_fn(|n| if n < 4 { pair(&a, n) } else { pair(&b, n - 4) }))
}

/// Pairs of doublewords of two registers in turn, each made one.
#[inline(always)]
pub fn pairs32(a: u128, b: u128, f: impl Fn(u32, u32) -> u32) -> u128 {
    let (a, b) = (dwords(a), dwords(b));
    of_dwords([f(a[0], a[1]), f(a[2], a[3]), f(b[0], b[1]), f(b[2], b[3])])
}

ops! { a, b, i;
    Pmaddwd => {
        let (a, b) = (words(a), words(b));
        let product = |n: usize| i32::from(a[n] as i16) * i32::from(b[n] as i16);
        of_dwords(from_fn(|n| product(2 * n).wrapping_add(product(2 * n + 1)) as u32))
    },
    Pmaddubsw => {
        let (a, b) = (bytes(a), bytes(b));
        let product = |n: usize| i32::from(a[n]) * i32::from(b[n] as i8);
        of_words(from_fn(|n| {
            (product(2 * n) + product(2 * n + 1)).clamp(-0x8000, 0x7fff) as u16
        }))
    },
    Psadbw => {
        let (a, b) = (bytes(a), bytes(b));
        let sum = |from: usize| (from..from + 8).map(|n| u64::from(a[n].abs_diff(b[n]))).sum();
        of_qwords([sum(0), sum(8)])
    },
    Phaddw => pairs16(a, b, i16::wrapping_add),
    Phaddsw => pairs16(a, b, i16::saturating_add),
    Phsubw => pairs16(a, b, i16::wrapping_sub),
    Phsubsw => pairs16(a, b, i16::saturating_sub),
    Phaddd => pairs32(a, b, u32::wrapping_add),
    Phsubd => pairs32(a, b, u32::wrapping_sub),
    Mpsadbw => {
        let (a, b) = (bytes(a), bytes(b));
        let (from_a, from_b) = ((i >> 2 & 1) as usize * 4, (i & 3) as usize * 4);
        of_words(from_fn(|n| {
            (0..4).map(|k| u16::from(a[(from_a + n + k) & 15].abs_diff(b[from_b + k]))).sum()
        }))
    },
    Phminposuw => {
        let v = words(b);
        let (at, least) = (0..8).zip(v).fold((0u128, v[0]), |best, (n, w)| {
            if w < best.1 { (n, w) } else { best }
        });
        u128::from(least) | at << 16
    },
}
