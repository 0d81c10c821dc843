//! Shifts and rotations: SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD.
//!
//! The count is cut to 5 bits, 6 for quadwords, and nothing happens if that is
//! 0: no flag changes.
//!
//! ```text
//! SHL  CF <- [.......] <- 0        ROL  CF <- [.......] <-+     RCL  +- CF <- [.......] <-+
//! SHR   0 -> [.......] -> CF               +--------------+          +--------------------+
//! ```
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: SHLX and its kin (not in
//! x86-64-v2).

use super::sized;
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::flags::Flags;
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::{W16, W32, W64, Width};
use iced_x86::{Mnemonic, Register};

const SHL: u8 = 0;
const SHR: u8 = 1;
const SAR: u8 = 2;
const ROL: u8 = 3;
const ROR: u8 = 4;
const RCL: u8 = 5;
const RCR: u8 = 6;

/// Number of RCX.
const CX: u8 = 1;

/// The bits of a count that are looked at.
const fn count_mask<W: Width>() -> u64 {
    if W::BYTES == 8 { 63 } else { 31 }
}

/// The two highest bits differ: what OF is after a shift to the right by 1.
#[inline(always)]
fn top_two_differ<W: Width>(v: u64) -> bool {
    (v ^ v << 1) & W::SIGN != 0
}

/// Shifts by `n`, which is cut already and not 0.
#[inline(always)]
fn shift<const OP: u8, W: Width>(flags: &mut Flags, a: u64, n: u32) -> u64 {
    let n = n & 63;
    let a = a & W::MASK;
    match OP {
        SHL => {
            let r = a << n & W::MASK;
            let cf = n <= W::BITS && a >> ((W::BITS - n) & 63) & 1 != 0;
            flags.shifted::<W>(r, cf, cf != (r & W::SIGN != 0));
            r
        }
        SHR => {
            let r = a >> n;
            flags.shifted::<W>(r, a >> (n.wrapping_sub(1) & 63) & 1 != 0, top_two_differ::<W>(r));
            r
        }
        SAR => {
            let s = W::sign_extend(a) as i64;
            let r = (s >> n) as u64 & W::MASK;
            flags.shifted::<W>(r, s >> (n.wrapping_sub(1) & 63) & 1 != 0, false);
            r
        }
        ROL => {
            let k = n % W::BITS;
            let r = W::rotate_left(a, k);
            flags.rotated(r, r >> (W::BITS - 1));
            r
        }
        ROR => {
            let k = n % W::BITS;
            let r = W::rotate_left(a, W::BITS - k);
            flags.rotated(r >> (W::BITS - 1), r >> (W::BITS - 2));
            r
        }
        _ => through_carry::<OP, W>(flags, a, n),
    }
}

/// RCL and RCR: the carry flag is one more bit of the number.
fn through_carry<const OP: u8, W: Width>(flags: &mut Flags, a: u64, n: u32) -> u64 {
    let bits = W::BITS + 1;
    let k = n % bits;
    if k == 0 {
        return a;
    }
    let whole = u128::from(flags.cf()) << W::BITS | u128::from(a);
    let turned = match OP {
        RCL => whole << k | whole >> (bits - k),
        _ => whole >> k | whole << (bits - k),
    };
    let r = turned as u64 & W::MASK;
    let cf = turned >> W::BITS & 1 != 0;
    flags.set_cf(cf);
    flags.set_of(if OP == RCL { cf != (r & W::SIGN != 0) } else { top_two_differ::<W>(r) });
    r
}

/// By a constant, cut and not 0.
fn reg_imm<const OP: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let a = c.get::<W>(i.a);
    let r = shift::<OP, W>(&mut c.flags, a, i.imm as u32);
    c.set::<W>(i.a, r);
    Ok(Flow::Next)
}

fn mem_imm<const OP: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let n = i.imm as u32;
    c.update::<W>(c.address(i), |flags, a| shift::<OP, W>(flags, a, n))?;
    Ok(Flow::Next)
}

#[inline(always)]
fn by_count<const OP: u8, W: Width>(flags: &mut Flags, a: u64, n: u64) -> u64 {
    match n & count_mask::<W>() {
        0 => a,
        n => shift::<OP, W>(flags, a, n as u32),
    }
}

/// By CL.
fn reg_cl<const OP: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let (a, n) = (c.get::<W>(i.a), c.r[usize::from(CX)]);
    let r = by_count::<OP, W>(&mut c.flags, a, n);
    // A doubleword clears the upper half even if the count is 0.
    c.set::<W>(i.a, r);
    Ok(Flow::Next)
}

fn mem_cl<const OP: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let n = c.r[usize::from(CX)];
    c.update::<W>(c.address(i), |flags, a| by_count::<OP, W>(flags, a, n))?;
    Ok(Flow::Next)
}

/// A constant count of 0.
fn reg_zero<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let a = c.get::<W>(i.a);
    c.set::<W>(i.a, a);
    Ok(Flow::Next)
}

fn mem_zero<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    c.update::<W>(c.address(i), |_, a| a)?;
    Ok(Flow::Next)
}

/// SHLD: bits from the top of `b` come in at the bottom; SHRD the other way.
/// `n` is cut and not 0. A word shifted by more than 16 is undefined: it is
/// taken to be followed by itself.
#[inline(always)]
fn double<const LEFT: bool, W: Width>(flags: &mut Flags, a: u64, b: u64, n: u32) -> u64 {
    let (a, b) = (u128::from(a & W::MASK), u128::from(b & W::MASK));
    let (bits, n) = (W::BITS, n & 63);
    let (r, cf) = if LEFT {
        if bits == 64 {
            ((a << n | b >> (64 - n)) as u64, a >> (64 - n) & 1 != 0)
        } else {
            let whole = a << ((2 * bits) & 127) | b << bits | a;
            ((whole << n >> ((2 * bits) & 127)) as u64 & W::MASK, whole >> (3 * bits - n) & 1 != 0)
        }
    } else {
        let whole = if bits == 64 { b << 64 | a } else { a << ((2 * bits) & 127) | b << bits | a };
        ((whole >> n) as u64 & W::MASK, whole >> (n - 1) & 1 != 0)
    };
    flags.shifted::<W>(r, cf, (r ^ a as u64) & W::SIGN != 0);
    r
}

/// The count of SHLD and SHRD: CL or a constant.
#[inline(always)]
fn double_count<const CL: bool, W: Width>(c: &Core<'_>, i: &Insn) -> u32 {
    let n = if CL { c.r[usize::from(CX)] } else { i.imm };
    (n & count_mask::<W>()) as u32
}

fn double_reg<const LEFT: bool, const CL: bool, W: Width>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let (a, b, n) = (c.get::<W>(i.a), c.get::<W>(i.b), double_count::<CL, W>(c, i));
    let r = if n == 0 { a } else { double::<LEFT, W>(&mut c.flags, a, b, n) };
    c.set::<W>(i.a, r);
    Ok(Flow::Next)
}

fn double_mem<const LEFT: bool, const CL: bool, W: Width>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let (b, n) = (c.get::<W>(i.b), double_count::<CL, W>(c, i));
    c.update::<W>(
        c.address(i),
        |flags, a| {
            if n == 0 { a } else { double::<LEFT, W>(flags, a, b, n) }
        },
    )?;
    Ok(Flow::Next)
}

fn is_cl(form: &Form<'_>, op: u32) -> bool {
    form.insn.op_register(op) == Register::CL
}

fn one<const OP: u8>(form: &Form<'_>, out: &mut Insn) -> Option<Handler> {
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] if is_cl(form, 1) => sized!(form.bytes, W => reg_cl::<OP, W>),
        [Kind::Mem, Kind::Reg, ..] if is_cl(form, 1) => sized!(form.bytes, W => mem_cl::<OP, W>),
        [place, Kind::Imm, ..] => {
            out.imm &= if form.bytes == 8 { 63 } else { 31 };
            match (place, out.imm) {
                (Kind::Reg, 0) => sized!(form.bytes, W => reg_zero::<W>),
                (Kind::Mem, 0) => sized!(form.bytes, W => mem_zero::<W>),
                (Kind::Reg, _) => sized!(form.bytes, W => reg_imm::<OP, W>),
                (Kind::Mem, _) => sized!(form.bytes, W => mem_imm::<OP, W>),
                _ => None,
            }
        }
        _ => None,
    }
}

fn two<const LEFT: bool>(form: &Form<'_>) -> Option<Handler> {
    macro_rules! by_width {
        ($f:ident, $cl:literal) => {
            match form.bytes {
                2 => Some($f::<LEFT, $cl, W16> as Handler),
                4 => Some($f::<LEFT, $cl, W32> as Handler),
                8 => Some($f::<LEFT, $cl, W64> as Handler),
                _ => None,
            }
        };
    }
    match form.kinds {
        [Kind::Reg, Kind::Reg, Kind::Reg, _] => by_width!(double_reg, true),
        [Kind::Mem, Kind::Reg, Kind::Reg, _] => by_width!(double_mem, true),
        [Kind::Reg, Kind::Reg, Kind::Imm, _] => by_width!(double_reg, false),
        [Kind::Mem, Kind::Reg, Kind::Imm, _] => by_width!(double_mem, false),
        _ => None,
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>, out: &mut Insn) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Shl | Mnemonic::Sal => one::<SHL>(form, out),
        Mnemonic::Shr => one::<SHR>(form, out),
        Mnemonic::Sar => one::<SAR>(form, out),
        Mnemonic::Rol => one::<ROL>(form, out),
        Mnemonic::Ror => one::<ROR>(form, out),
        Mnemonic::Rcl => one::<RCL>(form, out),
        Mnemonic::Rcr => one::<RCR>(form, out),
        Mnemonic::Shld => two::<true>(form),
        Mnemonic::Shrd => two::<false>(form),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::interp::width::W8;

    #[test]
    fn the_last_bit_that_left_is_the_carry() {
        let mut f = Flags::from_word(0);
        assert_eq!((shift::<SHL, W8>(&mut f, 0x81, 1), f.cf(), f.of()), (2, true, true));
        assert_eq!((shift::<SHL, W8>(&mut f, 0x01, 8), f.cf(), f.zf()), (0, true, true));
        assert_eq!((shift::<SHR, W16>(&mut f, 0x8001, 1), f.cf(), f.of()), (0x4000, true, true));
        assert_eq!((shift::<SAR, W8>(&mut f, 0x80, 31), f.cf(), f.sf()), (0xff, true, true));
        assert_eq!((shift::<SHL, W64>(&mut f, 3, 63), f.cf()), (1 << 63, true));
    }

    #[test]
    fn rotations_keep_all_bits() {
        let mut f = Flags::from_word(0);
        assert_eq!((shift::<ROL, W8>(&mut f, 0x81, 9), f.cf()), (0x03, true));
        assert_eq!((shift::<ROR, W32>(&mut f, 1, 1), f.cf(), f.of()), (1 << 31, true, true));
        for n in 1..64 {
            let there = shift::<RCL, W16>(&mut f, 0x1234, n & 31);
            assert_eq!(shift::<RCR, W16>(&mut f, there, n & 31), 0x1234);
        }
    }

    #[test]
    fn double_shifts_bring_in_the_other_number() {
        let mut f = Flags::from_word(0);
        assert_eq!(double::<true, W32>(&mut f, 0x8000_0001, 0xf000_0000, 4), 0x1f);
        assert_eq!(double::<false, W64>(&mut f, 0x10, 3, 5), 3 << 59);
        assert!(f.cf());
        assert_eq!(double::<true, W64>(&mut f, 1, 1 << 63, 1), 3);
    }
}
