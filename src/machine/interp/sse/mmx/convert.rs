//! Conversions between two integers in an MMX register and floats in an XMM
//! register: CVTPI2PS, CVTPS2PI and their kin.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::super::convert::{Convert, FromInt, ToInt, lanes_of};
use super::super::operand::{load_aligned, set_xmm, xmm};
use super::{load, mm, set_mm, take};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::W32;
use crate::machine::interp::x87;
use iced_x86::Mnemonic;

const LOW64: u128 = 0xffff_ffff_ffff_ffff;

/// Two floats of an XMM register or of memory to an MMX register.
fn to_mm<C: Convert, const MEMORY: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let from = match (MEMORY, C::FROM) {
        (false, _) => xmm(c, i.b),
        (true, 64) => load_aligned(c, i)?,
        (true, _) => load::<8>(c, i)?.into(),
    };
    let r = lanes_of::<C>(c, from, 2)? as u64;
    take(c);
    set_mm(c, i.a, r);
    Ok(Flow::Next)
}

/// Two integers of an MMX register or of memory to an XMM register, whose high
/// half stays if the floats leave it.
fn to_xmm<C: Convert, const MEMORY: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    // From memory, no MMX register takes part. The manual says so of doubles only,
    // processors do so for both.
    if !MEMORY {
        x87::wait(c)?;
    }
    let from = if MEMORY { load::<8>(c, i)? } else { mm(c, i.b) };
    let r = lanes_of::<C>(c, from.into(), 2)?;
    if !MEMORY {
        take(c);
    }
    let kept = if C::TO == 32 { xmm(c, i.a) & !LOW64 } else { 0 };
    set_xmm(c, i.a, kept | r);
    Ok(Flow::Next)
}

fn mm_form<C: Convert>(form: &Form<'_>) -> Option<Handler> {
    if form.kinds[1] == Kind::Mem { Some(to_mm::<C, true>) } else { Some(to_mm::<C, false>) }
}

fn xmm_form<C: Convert>(form: &Form<'_>) -> Option<Handler> {
    if form.kinds[1] == Kind::Mem { Some(to_xmm::<C, true>) } else { Some(to_xmm::<C, false>) }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Cvtpi2ps => xmm_form::<FromInt<W32, f32>>(form),
        Mnemonic::Cvtpi2pd => xmm_form::<FromInt<W32, f64>>(form),
        Mnemonic::Cvtps2pi => mm_form::<ToInt<f32, W32, false>>(form),
        Mnemonic::Cvttps2pi => mm_form::<ToInt<f32, W32, true>>(form),
        Mnemonic::Cvtpd2pi => mm_form::<ToInt<f64, W32, false>>(form),
        Mnemonic::Cvttpd2pi => mm_form::<ToInt<f64, W32, true>>(form),
        _ => None,
    }
}
