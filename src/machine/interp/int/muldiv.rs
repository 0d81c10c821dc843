//! Multiplication, division, and what widens a number for them: MUL, IMUL, DIV,
//! IDIV, CBW, CWDE, CDQE, CWD, CDQ, CQO.
//!
//! ```text
//! width     MUL: factor   product     DIV: dividend   quotient   remainder
//! byte      AL            AX          AX              AL         AH
//! others    rAX           rDX:rAX     rDX:rAX         rAX        rDX
//! ```
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: MULX (not in x86-64-v2).

use super::sized;
use crate::machine::exception::Exception;
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, HIGH, Handler, Insn, Trap};
use crate::machine::interp::width::{W8, W16, W32, W64, Width};
use iced_x86::Mnemonic;

const AX: u8 = 0;
const DX: u8 = 2;
const AH: u8 = HIGH;

/// The operand: a register or memory.
#[inline(always)]
fn operand<const MEM: bool, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<u64, Trap> {
    if MEM { c.load::<W>(c.address(i)) } else { Ok(c.get::<W>(i.a)) }
}

/// CF and OF say that the product does not fit into its lower half. The rest is
/// undefined, and stays.
#[inline(always)]
fn product_flags(c: &mut Core<'_>, too_large: bool) {
    c.flags.set_cf(too_large);
    c.flags.set_of(too_large);
}

/// The signed product, and whether it is too large for the width.
#[inline(always)]
fn signed<W: Width>(a: u64, b: u64) -> (u128, bool) {
    let (a, b) = (W::sign_extend(a) as i64, W::sign_extend(b) as i64);
    if W::BYTES == 8 {
        let product = i128::from(a) * i128::from(b);
        (product as u128, product != i128::from(product as i64))
    } else {
        let product = a.wrapping_mul(b);
        (product as u128, product as u64 != W::sign_extend(product as u64))
    }
}

fn multiply<const SIGNED: bool, const MEM: bool, W: Width>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let b = operand::<MEM, W>(c, i)?;
    let a = c.get::<W>(AX);
    let (product, too_large) = if SIGNED {
        signed::<W>(a, b)
    } else {
        let product = u128::from(a) * u128::from(b);
        (product, product >> W::BITS != 0)
    };
    if W::BYTES == 1 {
        c.set::<W16>(AX, product as u64);
    } else {
        c.set::<W>(AX, product as u64);
        c.set::<W>(DX, (product >> W::BITS) as u64);
    }
    product_flags(c, too_large);
    Ok(Flow::Next)
}

/// IMUL with a destination of its own: two operands, or three with a constant.
fn imul<const MEM: bool, const IMM: bool, W: Width>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let b = if MEM { c.load::<W>(c.address(i))? } else { c.get::<W>(i.b) };
    let a = if IMM { i.imm } else { c.get::<W>(i.a) };
    let (product, too_large) = signed::<W>(a, b);
    c.set::<W>(i.a, product as u64);
    product_flags(c, too_large);
    Ok(Flow::Next)
}

/// Quotient and remainder, unless the divisor is 0 or the quotient too large.
#[inline(always)]
fn divide<const SIGNED: bool, W: Width>(dividend: u128, divisor: u64) -> Option<(u64, u64)> {
    let unused = 128 - 2 * W::BITS;
    if SIGNED {
        let a = (dividend << unused) as i128 >> unused;
        let b = i128::from(W::sign_extend(divisor) as i64);
        let (q, r) = (a.checked_div(b)?, a.checked_rem(b)?);
        (q == i128::from(W::sign_extend(q as u64) as i64)).then_some((q as u64, r as u64))
    } else {
        let (a, b) = (dividend, u128::from(divisor));
        if b == 0 {
            return None;
        }
        if let Ok(a) = u64::try_from(a) {
            let (q, r) = (a / divisor, a % divisor);
            return (q & !W::MASK == 0).then_some((q, r));
        }
        let (q, r) = (a / b, a % b);
        (q >> W::BITS == 0).then_some((q as u64, r as u64))
    }
}

fn division<const SIGNED: bool, const MEM: bool, W: Width>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let divisor = operand::<MEM, W>(c, i)?;
    let dividend = if W::BYTES == 1 {
        u128::from(c.get::<W16>(AX))
    } else {
        u128::from(c.get::<W>(DX)) << W::BITS | u128::from(c.get::<W>(AX))
    };
    let Some((quotient, remainder)) = divide::<SIGNED, W>(dividend, divisor) else {
        return c.raise(Exception::DivideError);
    };
    c.set::<W>(AX, quotient);
    c.set::<W>(if W::BYTES == 1 { AH } else { DX }, remainder);
    Ok(Flow::Next)
}

/// CBW, CWDE, CDQE: the accumulator from half its width.
fn widen<From: Width, To: Width>(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    let v = c.get::<From>(AX);
    c.set::<To>(AX, From::sign_extend(v));
    Ok(Flow::Next)
}

/// CWD, CDQ, CQO: rDX becomes the sign of rAX.
fn sign<W: Width>(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    let v = c.get::<W>(AX);
    c.set::<W>(DX, if v & W::SIGN != 0 { !0 } else { 0 });
    Ok(Flow::Next)
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    let mem = form.kinds[0] == Kind::Mem;
    macro_rules! one {
        ($f:ident, $signed:literal) => {
            if mem {
                sized!(form.bytes, W => $f::<$signed, true, W>)
            } else {
                sized!(form.bytes, W => $f::<$signed, false, W>)
            }
        };
    }
    match (form.insn.mnemonic(), form.kinds) {
        (Mnemonic::Mul, _) => one!(multiply, false),
        (Mnemonic::Imul, [_, Kind::None, ..]) => one!(multiply, true),
        (Mnemonic::Imul, [Kind::Reg, Kind::Reg, Kind::None, _]) => {
            sized!(form.bytes, W => imul::<false, false, W>)
        }
        (Mnemonic::Imul, [Kind::Reg, Kind::Mem, Kind::None, _]) => {
            sized!(form.bytes, W => imul::<true, false, W>)
        }
        (Mnemonic::Imul, [Kind::Reg, Kind::Reg, Kind::Imm, _]) => {
            sized!(form.bytes, W => imul::<false, true, W>)
        }
        (Mnemonic::Imul, [Kind::Reg, Kind::Mem, Kind::Imm, _]) => {
            sized!(form.bytes, W => imul::<true, true, W>)
        }
        (Mnemonic::Div, _) => one!(division, false),
        (Mnemonic::Idiv, _) => one!(division, true),
        (Mnemonic::Cbw, _) => Some(widen::<W8, W16>),
        (Mnemonic::Cwde, _) => Some(widen::<W16, W32>),
        (Mnemonic::Cdqe, _) => Some(widen::<W32, W64>),
        (Mnemonic::Cwd, _) => Some(sign::<W16>),
        (Mnemonic::Cdq, _) => Some(sign::<W32>),
        (Mnemonic::Cqo, _) => Some(sign::<W64>),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotient_must_fit() {
        assert_eq!(divide::<false, W8>(0x0fff, 0x10), Some((0xff, 0x0f)));
        assert_eq!(divide::<false, W8>(0x1000, 0x10), None);
        assert_eq!(divide::<false, W64>(1 << 64, 2), Some((1 << 63, 0)));
        assert_eq!(divide::<false, W64>(2 << 64, 2), None);
        assert_eq!(divide::<false, W32>(7, 0), None);
        // -7 / 2 rounds to zero; MIN / -1 does not fit.
        let minus_seven = (-7i64 as u64 & W32::MASK) as u128 | 0xffff_ffff << 32;
        assert_eq!(divide::<true, W32>(minus_seven, 2), Some((-3i64 as u64, -1i64 as u64)));
        assert_eq!(divide::<true, W64>(1u128 << 127, !0), None);
        assert_eq!(divide::<true, W64>(!0 << 63, !0), None);
        assert_eq!(divide::<true, W8>(0xff80, 0xff), None);
        assert_eq!(divide::<true, W8>(0xff80, 1), Some((-128i64 as u64, 0)));
    }
}
