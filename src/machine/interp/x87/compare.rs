//! Comparisons: FCOM, FUCOM, FICOM, FTST into C0 to C3, FCOMI and FUCOMI into
//! RFLAGS; FXAM.
//!
//! ```text
//!              C3 C2 C0   ZF PF CF
//! ST(0) > b     0  0  0
//! ST(0) < b     0  0  1
//! equal         1  0  0
//! unordered     1  1  1
//! ```
//!
//! They are set even if an exception is unmasked; only pops are left out then.
//!
//! Linux: none. Source: Intel SDM vol. 1, section 8.3.6; vol. 2. Left out:
//! nothing.

use super::basic::operand;
use super::number::{Class, Num, class, is_negative, unpack, zero};
use super::status::{C0, C1, C2, C3, CONDITIONS, DE, IE, Stack};
use super::{note, note_memory, note_only, wait};
use crate::machine::fpu::{F80, X87};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::{W16, W32, W64, Width};
use iced_x86::Mnemonic;
use std::cmp::Ordering;

const UNORDERED: u16 = C3 | C2 | C0;

/// The order of two numbers as conditions, and the exceptions. `QUIET`: a quiet
/// NaN is no invalid operand.
fn compare<const QUIET: bool>(a: F80, b: F80, denormal: bool) -> (u16, u16) {
    let (ca, cb) = (class(a), class(b));
    for c in [ca, cb] {
        if matches!(c, Class::SignalingNan | Class::Unsupported) {
            return (UNORDERED, IE);
        }
    }
    if ca == Class::QuietNan || cb == Class::QuietNan {
        return (UNORDERED, if QUIET { 0 } else { IE });
    }
    let denormal = denormal || ca == Class::Denormal || cb == Class::Denormal;
    let conditions = match key(ca, a).cmp(&key(cb, b)) {
        Ordering::Greater => 0,
        Ordering::Less => C0,
        Ordering::Equal => C3,
    };
    (conditions, if denormal { DE } else { 0 })
}

/// A number as what compares like it.
fn key(c: Class, v: F80) -> (i8, i32, i128) {
    let sign = if is_negative(v) { -1 } else { 1 };
    match c {
        Class::Zero => (0, 0, 0),
        Class::Infinity => (sign, i32::from(sign) * i32::MAX, 0),
        _ => {
            let Num { exp, sig, .. } = unpack(v);
            // Exponents made positive, so that a sign turns them round.
            (sign, i32::from(sign) * (exp + (1 << 20)), i128::from(sign) * i128::from(sig))
        }
    }
}

/// Compares and notes; the conditions, and whether to pop.
fn conditions<const QUIET: bool>(x: &mut X87, other: Option<F80>, denormal: bool) -> (u16, bool) {
    let Some(other) = other.filter(|_| !x.is_empty(0)) else {
        return (UNORDERED, x.underflow());
    };
    let (conditions, flags) = compare::<QUIET>(x.st(0), other, denormal);
    (conditions, x.signal(flags))
}

fn set_conditions<const POPS: u8>(x: &mut X87, (conditions, pops): (u16, bool)) {
    x.status = x.status & !CONDITIONS | conditions;
    if pops {
        for _ in 0..POPS {
            x.pop();
        }
    }
}

fn full(x: &X87, i: u8) -> Option<F80> {
    (!x.is_empty(i)).then(|| x.st(i))
}

fn register<const QUIET: bool, const POPS: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    // FCOMPP and FUCOMPP, which pop two, have no operand.
    let other = full(x, if POPS == 2 { 1 } else { i.c });
    let result = conditions::<QUIET>(x, other, false);
    set_conditions::<POPS>(x, result);
    Ok(Flow::Next)
}

fn memory<W: Width, const INT: bool, const POPS: u8>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    wait(c)?;
    let at = c.address(i);
    let (other, denormal) = operand::<W, INT>(c, at)?;
    let x = note_memory(c, i, at);
    let result = conditions::<false>(x, Some(other), denormal);
    set_conditions::<POPS>(x, result);
    Ok(Flow::Next)
}

fn test(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    let result = conditions::<false>(x, Some(zero(false)), false);
    set_conditions::<0>(x, result);
    Ok(Flow::Next)
}

fn into_flags<const QUIET: bool, const POP: bool>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note_only(c, i);
    let other = full(x, i.c);
    let (result, pops) = conditions::<QUIET>(x, other, false);
    if POP && pops {
        x.pop();
    }
    // C3, C2, C0 are bits 14, 10, 8: ZF, PF, CF.
    c.flags.set_status(u64::from(result >> 8 & 0x45));
    Ok(Flow::Next)
}

fn examine(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    let v = x.st(0);
    let kind = if x.is_empty(0) {
        C3 | C0
    } else {
        match class(v) {
            Class::Unsupported => 0,
            Class::QuietNan | Class::SignalingNan => C0,
            Class::Normal => C2,
            Class::Infinity => C2 | C0,
            Class::Zero => C3,
            Class::Denormal => C3 | C2,
        }
    };
    let sign = if is_negative(v) { C1 } else { 0 };
    x.status = x.status & !CONDITIONS | kind | sign;
    Ok(Flow::Next)
}

fn float<const POPS: u8>(form: &Form<'_>) -> Option<Handler> {
    match (form.kinds[0], form.bytes) {
        (Kind::Mem, 4) => Some(memory::<W32, false, POPS>),
        (Kind::Mem, 8) => Some(memory::<W64, false, POPS>),
        (Kind::Reg, _) => Some(register::<false, POPS>),
        _ => None,
    }
}

fn integer<const POPS: u8>(form: &Form<'_>) -> Option<Handler> {
    match form.bytes {
        2 => Some(memory::<W16, true, POPS>),
        4 => Some(memory::<W32, true, POPS>),
        _ => None,
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Fcom => float::<0>(form),
        Mnemonic::Fcomp => float::<1>(form),
        Mnemonic::Fcompp => Some(register::<false, 2>),
        Mnemonic::Fucom => Some(register::<true, 0>),
        Mnemonic::Fucomp => Some(register::<true, 1>),
        Mnemonic::Fucompp => Some(register::<true, 2>),
        Mnemonic::Ficom => integer::<0>(form),
        Mnemonic::Ficomp => integer::<1>(form),
        Mnemonic::Ftst => Some(test),
        Mnemonic::Fcomi => Some(into_flags::<false, false>),
        Mnemonic::Fcomip => Some(into_flags::<false, true>),
        Mnemonic::Fucomi => Some(into_flags::<true, false>),
        Mnemonic::Fucomip => Some(into_flags::<true, true>),
        Mnemonic::Fxam => Some(examine),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::{INDEFINITE, ONE, infinity, pack};
    use super::*;

    #[test]
    fn numbers_in_order() {
        let ascending = [
            infinity(true),
            pack(true, 5, 3 << 62),
            pack(true, 5, 1 << 63),
            pack(true, -16382, 1),
            zero(true),
            pack(false, -16382, 1),
            pack(false, -16382, 2),
            ONE,
            infinity(false),
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                let expect = match i.cmp(&j) {
                    Ordering::Less => C0,
                    Ordering::Equal => C3,
                    Ordering::Greater => 0,
                };
                assert_eq!(compare::<false>(*a, *b, false).0, expect, "{a:?} {b:?}");
            }
        }
        assert_eq!(compare::<true>(ONE, INDEFINITE, true), (UNORDERED, 0));
        assert_eq!(compare::<false>(ONE, INDEFINITE, true), (UNORDERED, IE));
        assert_eq!(compare::<false>(zero(true), zero(false), false), (C3, 0));
    }
}
