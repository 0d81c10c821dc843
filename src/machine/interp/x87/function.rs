//! Functions of ST(0), and of ST(0) and ST(1): FSQRT, FABS, FCHS, FRNDINT,
//! FSCALE, FXTRACT, FPREM, FPREM1, FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1,
//! FYL2X, FYL2XP1.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::number::{INDEFINITE, ONE, Outcome, SIGN};
use super::partial::{extract, remainder, scale, to_integral};
use super::status::{C1, C2, CONDITIONS, Stack};
use super::transcend::{self, Angle};
use super::{arith, note, wait};
use crate::machine::fpu::{F80, X87};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::Form;
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use iced_x86::Mnemonic;

/// Replaces ST(0) by a function of it.
#[inline(always)]
fn one(c: &mut Core<'_>, i: &Insn, f: impl FnOnce(u16, F80) -> Outcome) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    if x.is_empty(0) {
        if x.underflow() {
            x.set_st(0, INDEFINITE);
        }
        return Ok(Flow::Next);
    }
    let o = f(x.control, x.st(0));
    if x.settle(&o) {
        x.set_st(0, o.value);
    }
    Ok(Flow::Next)
}

fn sign(c: &mut Core<'_>, i: &Insn, f: impl FnOnce(u16) -> u16) -> Result<Flow, Trap> {
    one(c, i, |_, v| Outcome::exact(F80 { sign_exp: f(v.sign_exp), ..v }))
}

/// Replaces ST(1) by a function of it and ST(0), and pops.
#[inline(always)]
fn two(c: &mut Core<'_>, i: &Insn, f: impl FnOnce(u16, F80, F80) -> Outcome) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    let store = if x.is_empty(0) || x.is_empty(1) {
        x.underflow().then_some(INDEFINITE)
    } else {
        let o = f(x.control, x.st(1), x.st(0));
        x.settle(&o).then_some(o.value)
    };
    if let Some(v) = store {
        x.set_st(1, v);
        x.pop();
    }
    Ok(Flow::Next)
}

fn prem<const NEAREST: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    x.status &= !C2;
    if x.is_empty(0) || x.is_empty(1) {
        if x.underflow() {
            x.set_st(0, INDEFINITE);
        }
        return Ok(Flow::Next);
    }
    let (mut o, conditions) = remainder::<NEAREST>(x.control, x.st(0), x.st(1));
    o.flags &= !C1;
    if x.settle(&o) {
        x.set_st(0, o.value);
        if let Some(conditions) = conditions {
            x.status = x.status & !CONDITIONS | conditions;
        }
    }
    Ok(Flow::Next)
}

fn fscale(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    if x.is_empty(0) || x.is_empty(1) {
        if x.underflow() {
            x.set_st(0, INDEFINITE);
        }
        return Ok(Flow::Next);
    }
    let o = scale(x.control, x.st(0), x.st(1));
    if x.settle(&o) {
        x.set_st(0, o.value);
    }
    Ok(Flow::Next)
}

/// Two results: the second is pushed. `true` if ST(0) is there to compute with
/// and there is room.
fn room_for_two(x: &mut X87) -> bool {
    if x.is_empty(0) {
        if x.underflow() {
            x.set_st(0, INDEFINITE);
            x.push(INDEFINITE);
        }
        return false;
    }
    if !x.is_empty(7) {
        if x.overflow() {
            x.set_st(0, INDEFINITE);
            x.push(INDEFINITE);
        }
        return false;
    }
    true
}

fn fxtract(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    if room_for_two(x) {
        let (exponent, significand) = extract(x.st(0));
        if x.settle(&exponent) {
            x.set_st(0, exponent.value);
            x.push(significand);
        }
    }
    Ok(Flow::Next)
}

/// FSIN and FCOS, by which is taken.
#[inline(always)]
fn circular(
    c: &mut Core<'_>,
    i: &Insn,
    which: impl FnOnce(&Angle) -> Outcome,
) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    x.status &= !C2;
    if x.is_empty(0) {
        if x.underflow() {
            x.set_st(0, INDEFINITE);
        }
        return Ok(Flow::Next);
    }
    match transcend::angle(x.control, x.st(0)) {
        None => x.status |= C2,
        Some(a) => {
            let o = which(&a);
            if x.settle(&o) {
                x.set_st(0, o.value);
            }
        }
    }
    Ok(Flow::Next)
}

/// FSINCOS and FPTAN: what stays, and what is pushed.
#[inline(always)]
fn circular_two(
    c: &mut Core<'_>,
    i: &Insn,
    which: impl FnOnce(&Angle) -> (Outcome, Outcome),
) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    x.status &= !C2;
    if !room_for_two(x) {
        return Ok(Flow::Next);
    }
    match transcend::angle(x.control, x.st(0)) {
        None => x.status |= C2,
        Some(a) => {
            let (stays, pushed) = which(&a);
            let both = Outcome { value: stays.value, flags: stays.flags | pushed.flags };
            if x.settle(&both) {
                x.set_st(0, stays.value);
                x.push(pushed.value);
            }
        }
    }
    Ok(Flow::Next)
}

/// What FPTAN pushes: 1, or the NaN that the tangent is.
fn beside_tangent(tan: Outcome) -> Outcome {
    match super::number::propagate_one(tan.value) {
        Some(o) => o,
        None => Outcome::exact(ONE),
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    Some(match form.insn.mnemonic() {
        Mnemonic::Fsqrt => |c, i| one(c, i, arith::sqrt),
        Mnemonic::Fabs => |c, i| sign(c, i, |e| e & !SIGN),
        Mnemonic::Fchs => |c, i| sign(c, i, |e| e ^ SIGN),
        Mnemonic::Frndint => |c, i| one(c, i, to_integral),
        Mnemonic::F2xm1 => |c, i| one(c, i, transcend::exp2_less_1),
        Mnemonic::Fscale => fscale,
        Mnemonic::Fxtract => fxtract,
        Mnemonic::Fprem => prem::<false>,
        Mnemonic::Fprem1 => prem::<true>,
        Mnemonic::Fpatan => |c, i| two(c, i, transcend::atan2),
        Mnemonic::Fyl2x => |c, i| two(c, i, transcend::y_log2_x),
        Mnemonic::Fyl2xp1 => |c, i| two(c, i, transcend::y_log2_x_and_1),
        Mnemonic::Fsin => |c, i| circular(c, i, |a| a.sin),
        Mnemonic::Fcos => |c, i| circular(c, i, |a| a.cos),
        Mnemonic::Fsincos => |c, i| circular_two(c, i, |a| (a.sin, a.cos)),
        Mnemonic::Fptan => |c, i| circular_two(c, i, |a| (a.tan, beside_tangent(a.tan))),
        _ => return None,
    })
}
