//! futex(2): which arguments it has depends on the operation.
//!
//! Linux: futex(2). Left out: futex_waitv and its kin.

use super::ctx::Ctx;
use super::kind::{Piece, one};
use super::names;
use super::special::known;
use super::structs::timespec;
use super::text::{addr, hex};

/// FUTEX_WAKE_OP's packed operation.
fn wake_op(v: u32) -> String {
    let (op, cmp) = (v >> 28, v >> 24 & 0xf);
    let shift = if op & 8 != 0 { "FUTEX_OP_OPARG_SHIFT<<28|" } else { "" };
    format!(
        "{shift}{}<<28|{}<<12|{}<<24|{}",
        one(names::tasks::FUTEX_OP, op & 7, "FUTEX_OP_???"),
        hex((v >> 12 & 0xfff).into()),
        one(names::tasks::FUTEX_CMP, cmp, "FUTEX_OP_CMP_???"),
        hex((v & 0xfff).into())
    )
}

/// A futex's operation with its two flags.
fn futex_op(v: u32) -> String {
    const PRIVATE: u32 = 128;
    const REALTIME: u32 = 256;
    let base = one(names::tasks::FUTEX, v & !(PRIVATE | REALTIME), "FUTEX_???");
    let private = if v & PRIVATE != 0 { "_PRIVATE" } else { "" };
    let clock = if v & REALTIME != 0 { "|FUTEX_CLOCK_REALTIME" } else { "" };
    format!("{base}{private}{clock}")
}

pub fn futex(ctx: &Ctx) -> Vec<Piece> {
    let [at, op, val, timeout, uaddr2, val3] = ctx.args;
    let val = (val as u32).to_string();
    let until = |at: u64| timespec(ctx, at).unwrap_or_else(|| addr(at));
    let bits = |v: u64| match v as u32 {
        u32::MAX => "FUTEX_BITSET_MATCH_ANY".to_string(),
        v => hex(v.into()),
    };
    let val2 = (timeout as u32).to_string();
    let mut words = vec![addr(at), futex_op(op as u32)];
    words.extend(match op as u32 & 0x7f {
        0 => vec![val, until(timeout)],
        1 => vec![val],
        3 => vec![val, val2, addr(uaddr2)],
        4 | 12 => vec![val, val2, addr(uaddr2), (val3 as u32).to_string()],
        5 => vec![val, val2, addr(uaddr2), wake_op(val3 as u32)],
        6 | 13 => vec![until(timeout)],
        7 | 8 => vec![],
        9 => vec![val, until(timeout), bits(val3)],
        10 => vec![val, bits(val3)],
        11 => vec![val, until(timeout), addr(uaddr2)],
        _ => vec![val, addr(timeout), addr(uaddr2), hex(val3 & 0xffff_ffff)],
    });
    known(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_of_futexes() {
        assert_eq!(futex_op(129), "FUTEX_WAKE_PRIVATE");
        assert_eq!(futex_op(9 | 128 | 256), "FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME");
        assert_eq!(wake_op(0x0400_0001), "FUTEX_OP_SET<<28|0<<12|FUTEX_OP_CMP_GT<<24|0x1");
    }
}
