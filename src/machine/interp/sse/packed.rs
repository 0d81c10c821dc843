//! Integers lane by lane: addition, subtraction, multiplication, comparison,
//! minimum, maximum, average, absolute value; and bitwise operations.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::lanes::{dwords, map8, map16, map32, map64, of_qwords, qwords};
use super::operand::ops;

#[inline(always)]
fn mask8(on: bool) -> u8 {
    u8::from(on).wrapping_neg()
}

#[inline(always)]
fn mask16(on: bool) -> u16 {
    u16::from(on).wrapping_neg()
}

#[inline(always)]
fn mask32(on: bool) -> u32 {
    u32::from(on).wrapping_neg()
}

#[inline(always)]
fn mask64(on: bool) -> u64 {
    u64::from(on).wrapping_neg()
}

/// Both halves of each signed product of words.
#[inline(always)]
fn product(a: u16, b: u16) -> i32 {
    i32::from(a as i16) * i32::from(b as i16)
}

#[inline(always)]
fn sign<T: PartialOrd + Default>(value: T, by: T, negated: T) -> T {
    if by < T::default() {
        negated
    } else if by > T::default() {
        value
    } else {
        T::default()
    }
}

ops! { a, b, i;
    Pxor => a ^ b,
    Xorps => a ^ b,
    Xorpd => a ^ b,
    Por => a | b,
    Orps => a | b,
    Orpd => a | b,
    Pand => a & b,
    Andps => a & b,
    Andpd => a & b,
    Pandn => !a & b,
    Andnps => !a & b,
    Andnpd => !a & b,
    Pcmpeqb => map8(a, b, |a, b| mask8(a == b)),
    Pcmpeqw => map16(a, b, |a, b| mask16(a == b)),
    Pcmpeqd => map32(a, b, |a, b| mask32(a == b)),
    Pcmpeqq => map64(a, b, |a, b| mask64(a == b)),
    Pcmpgtb => map8(a, b, |a, b| mask8(a as i8 > b as i8)),
    Pcmpgtw => map16(a, b, |a, b| mask16(a as i16 > b as i16)),
    Pcmpgtd => map32(a, b, |a, b| mask32(a as i32 > b as i32)),
    Pcmpgtq => map64(a, b, |a, b| mask64(a as i64 > b as i64)),
    Paddb => map8(a, b, u8::wrapping_add),
    Paddw => map16(a, b, u16::wrapping_add),
    Paddd => map32(a, b, u32::wrapping_add),
    Paddq => map64(a, b, u64::wrapping_add),
    Psubb => map8(a, b, u8::wrapping_sub),
    Psubw => map16(a, b, u16::wrapping_sub),
    Psubd => map32(a, b, u32::wrapping_sub),
    Psubq => map64(a, b, u64::wrapping_sub),
    Paddusb => map8(a, b, u8::saturating_add),
    Paddusw => map16(a, b, u16::saturating_add),
    Psubusb => map8(a, b, u8::saturating_sub),
    Psubusw => map16(a, b, u16::saturating_sub),
    Paddsb => map8(a, b, |a, b| (a as i8).saturating_add(b as i8) as u8),
    Paddsw => map16(a, b, |a, b| (a as i16).saturating_add(b as i16) as u16),
    Psubsb => map8(a, b, |a, b| (a as i8).saturating_sub(b as i8) as u8),
    Psubsw => map16(a, b, |a, b| (a as i16).saturating_sub(b as i16) as u16),
    Pminub => map8(a, b, Ord::min),
    Pminuw => map16(a, b, Ord::min),
    Pminud => map32(a, b, Ord::min),
    Pminsb => map8(a, b, |a, b| (a as i8).min(b as i8) as u8),
    Pminsw => map16(a, b, |a, b| (a as i16).min(b as i16) as u16),
    Pminsd => map32(a, b, |a, b| (a as i32).min(b as i32) as u32),
    Pmaxub => map8(a, b, Ord::max),
    Pmaxuw => map16(a, b, Ord::max),
    Pmaxud => map32(a, b, Ord::max),
    Pmaxsb => map8(a, b, |a, b| (a as i8).max(b as i8) as u8),
    Pmaxsw => map16(a, b, |a, b| (a as i16).max(b as i16) as u16),
    Pmaxsd => map32(a, b, |a, b| (a as i32).max(b as i32) as u32),
    Pavgb => map8(a, b, |a, b| (u16::from(a) + u16::from(b)).div_ceil(2) as u8),
    Pavgw => map16(a, b, |a, b| (u32::from(a) + u32::from(b)).div_ceil(2) as u16),
    Pmullw => map16(a, b, u16::wrapping_mul),
    Pmulld => map32(a, b, u32::wrapping_mul),
    Pmulhw => map16(a, b, |a, b| (product(a, b) >> 16) as u16),
    Pmulhuw => map16(a, b, |a, b| ((u32::from(a) * u32::from(b)) >> 16) as u16),
    Pmulhrsw => map16(a, b, |a, b| (((product(a, b) >> 14) + 1) >> 1) as u16),
    Pmuludq => map64(a, b, |a, b| (a & 0xffff_ffff) * (b & 0xffff_ffff)),
    Pmuldq => {
        let (a, b) = (dwords(a), dwords(b));
        of_qwords([0, 2].map(|n| (i64::from(a[n] as i32) * i64::from(b[n] as i32)) as u64))
    },
    Pabsb => map8(a, b, |_, b| (b as i8).unsigned_abs()),
    Pabsw => map16(a, b, |_, b| (b as i16).unsigned_abs()),
    Pabsd => map32(a, b, |_, b| (b as i32).unsigned_abs()),
    Psignb => map8(a, b, |a, b| sign(a as i8, b as i8, (a as i8).wrapping_neg()) as u8),
    Psignw => map16(a, b, |a, b| sign(a as i16, b as i16, (a as i16).wrapping_neg()) as u16),
    Psignd => map32(a, b, |a, b| sign(a as i32, b as i32, (a as i32).wrapping_neg()) as u32),
}

/// Whether PTEST finds no bit of `b` in `a`, and none outside.
pub fn test_bits(a: u128, b: u128) -> (bool, bool) {
    let ([a0, a1], [b0, b1]) = (qwords(a), qwords(b));
    (a0 & b0 | a1 & b1 == 0, !a0 & b0 | !a1 & b1 == 0)
}
