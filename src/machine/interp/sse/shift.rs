//! Shifts of lanes and of whole registers.
//!
//! A count is immediate, or the low 64 bits of the second operand; one that is
//! too large clears, or leaves the sign everywhere.
//!
//! Linux: none. Source: Intel SDM vol. 2 (PSLLW, PSRLW, PSRAW, PSLLDQ,
//! PALIGNR). Left out: nothing.

use super::lanes::{map16, map32, map64};
use super::operand::ops;

ops! { a, b, i;
    Psllw => { let n = b as u64; if n > 15 { 0 } else { map16(a, 0, |a, _| a << n) } },
    Pslld => { let n = b as u64; if n > 31 { 0 } else { map32(a, 0, |a, _| a << n) } },
    Psllq => { let n = b as u64; if n > 63 { 0 } else { map64(a, 0, |a, _| a << n) } },
    Psrlw => { let n = b as u64; if n > 15 { 0 } else { map16(a, 0, |a, _| a >> n) } },
    Psrld => { let n = b as u64; if n > 31 { 0 } else { map32(a, 0, |a, _| a >> n) } },
    Psrlq => { let n = b as u64; if n > 63 { 0 } else { map64(a, 0, |a, _| a >> n) } },
    Psraw => { let n = (b as u64).min(15); map16(a, 0, |a, _| (a as i16 >> n) as u16) },
    Psrad => { let n = (b as u64).min(31); map32(a, 0, |a, _| (a as i32 >> n) as u32) },
    Pslldq => if i > 15 { 0 } else { a << (8 * i) },
    Psrldq => if i > 15 { 0 } else { a >> (8 * i) },
    Palignr => match i & 0xff {
        0 => b,
        n @ 1..16 => b >> (8 * n) | a << (128 - 8 * n),
        n @ 16..32 => a >> (8 * (n - 16)),
        _ => 0,
    },
}
