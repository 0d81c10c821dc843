//! Loads, stores, constants, exchanges: FLD, FST, FSTP, FILD, FIST, FISTP,
//! FISTTP, FBLD, FBSTP, FLD1 and its like, FXCH, FCMOVcc.
//!
//! A store whose exception is unmasked writes nothing and pops nothing, except
//! for a rounded result, which is stored. The memory must be writable even so.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::basic::operand;
use super::convert::{from_bcd, narrow, to_bcd, to_int};
use super::number::{Class, INDEFINITE, class, quieted};
use super::round::{DOUBLE, SINGLE};
use super::status::{BEFORE, C1, DE, EXCEPTIONS, IE, OE, PE, Stack, UE, push_overflow, rounding};
use super::{note, note_memory, note_only, wait};
use crate::machine::fpu::{F80, X87};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::{W16, W32, W64, Width};
use iced_x86::Mnemonic;

fn load<W: Width, const INT: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let at = c.address(i);
    let (v, denormal) = operand::<W, INT>(c, at)?;
    let x = note_memory(c, i, at);
    if !x.is_empty(7) {
        push_overflow(x);
    } else if INT {
        x.push(v);
    } else if denormal {
        // Pushed even if this is unmasked.
        x.signal(DE);
        x.push(v);
    } else if class(v) == Class::SignalingNan {
        if x.signal(IE) {
            x.push(quieted(v));
        }
    } else {
        x.push(v);
    }
    Ok(Flow::Next)
}

fn load_80<const BCD: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let at = c.address(i);
    let bytes = c.read::<10>(at)?;
    let x = note_memory(c, i, at);
    if x.is_empty(7) {
        x.push(if BCD { from_bcd(bytes) } else { F80::from_bytes(bytes) });
    } else {
        push_overflow(x);
    }
    Ok(Flow::Next)
}

fn load_register(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    if x.is_empty(i.c) {
        if x.underflow() {
            x.push(INDEFINITE);
        }
    } else if x.is_empty(7) {
        x.push(x.st(i.c));
    } else {
        push_overflow(x);
    }
    Ok(Flow::Next)
}

/// FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ.
fn constant<const N: usize>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    /// Exponent, significand, and whether the rest is more than half.
    const TABLE: [(u16, u64, bool); 7] = [
        (0x3fff, 1 << 63, false),
        (0x4000, 0xd49a_784b_cd1b_8afe, false),
        (0x3fff, 0xb8aa_3b29_5c17_f0bb, true),
        (0x4000, 0xc90f_daa2_2168_c234, true),
        (0x3ffd, 0x9a20_9a84_fbcf_f798, true),
        (0x3ffe, 0xb172_17f7_d1cf_79ab, true),
        (0, 0, false),
    ];
    wait(c)?;
    let x = note(c, i);
    if !x.is_empty(7) {
        push_overflow(x);
        return Ok(Flow::Next);
    }
    let (sign_exp, below, more) = TABLE[N];
    let up = N != 0
        && N != 6
        && match rounding(x.control) {
            0 => more,
            mode => mode == 2,
        };
    x.push(F80 { sign_exp, mantissa: below + u64::from(up) });
    Ok(Flow::Next)
}

/// After a number that goes to memory was rounded: `true` if it is to be
/// written. Its flags are noted by [`stored`], after the memory took it.
#[inline(always)]
fn is_stored(x: &X87, flags: u16) -> bool {
    flags & !x.control & (BEFORE | OE | UE) == 0
}

#[inline(always)]
fn stored<const POP: bool>(x: &mut X87, flags: u16, written: bool) {
    // What is not stored is not rounded.
    let flags = if written { flags } else { flags & !(C1 | PE) };
    if flags & (EXCEPTIONS | C1) != 0 {
        x.signal(flags);
    }
    if POP && written {
        x.pop();
    }
}

/// Writes bytes if the exceptions allow it, then notes those.
#[inline(always)]
fn finish<const POP: bool, const N: usize>(
    c: &mut Core<'_>,
    i: &Insn,
    at: u64,
    (bytes, flags): ([u8; N], u16),
) -> Result<Flow, Trap> {
    let written = is_stored(&c.fpu.x87, flags);
    if written {
        c.write(at, bytes)?;
    } else {
        c.probe_write(at, N)?;
    }
    let x = note_memory(c, i, at);
    stored::<POP>(x, flags, written);
    Ok(Flow::Next)
}

/// Nothing is in ST(0): "indefinite" may be written.
#[cold]
fn store_nothing<const POP: bool, const N: usize>(
    c: &mut Core<'_>,
    i: &Insn,
    at: u64,
    bytes: [u8; N],
) -> Result<Flow, Trap> {
    finish::<POP, N>(c, i, at, (bytes, IE | super::status::SF))
}

fn store_single<const POP: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let at = c.address(i);
    let x = &c.fpu.x87;
    if x.is_empty(0) {
        return store_nothing::<POP, 4>(c, i, at, 0xffc0_0000u32.to_le_bytes());
    }
    let (bits, flags) = narrow::<8, 23>(x.control, SINGLE, x.st(0));
    finish::<POP, 4>(c, i, at, ((bits as u32).to_le_bytes(), flags))
}

fn store_double<const POP: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let at = c.address(i);
    let x = &c.fpu.x87;
    if x.is_empty(0) {
        return store_nothing::<POP, 8>(c, i, at, (0xfff8u64 << 48).to_le_bytes());
    }
    let (bits, flags) = narrow::<11, 52>(x.control, DOUBLE, x.st(0));
    finish::<POP, 8>(c, i, at, (bits.to_le_bytes(), flags))
}

fn store_extended(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let at = c.address(i);
    let x = &c.fpu.x87;
    if x.is_empty(0) {
        return store_nothing::<true, 10>(c, i, at, INDEFINITE.to_bytes());
    }
    let bytes = x.st(0).to_bytes();
    finish::<true, 10>(c, i, at, (bytes, 0))
}

fn store_bcd(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let at = c.address(i);
    let x = &c.fpu.x87;
    if x.is_empty(0) {
        let (bytes, _) = to_bcd(0, INDEFINITE);
        return store_nothing::<true, 10>(c, i, at, bytes);
    }
    let result = to_bcd(x.control, x.st(0));
    finish::<true, 10>(c, i, at, result)
}

fn store_int<W: Width, const POP: bool, const TRUNCATE: bool>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    wait(c)?;
    let at = c.address(i);
    let x = &c.fpu.x87;
    let (n, flags) = if x.is_empty(0) {
        (-1i64 << (W::BITS - 1), IE | super::status::SF)
    } else {
        let mode = if TRUNCATE { 3 } else { rounding(x.control) };
        to_int(mode, W::BITS, x.st(0))
    };
    match W::BYTES {
        2 => finish::<POP, 2>(c, i, at, ((n as i16).to_le_bytes(), flags)),
        4 => finish::<POP, 4>(c, i, at, ((n as i32).to_le_bytes(), flags)),
        _ => finish::<POP, 8>(c, i, at, (n.to_le_bytes(), flags)),
    }
}

fn store_register<const POP: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    let v = if !x.is_empty(0) {
        x.st(0)
    } else if x.underflow() {
        INDEFINITE
    } else {
        return Ok(Flow::Next);
    };
    x.set_st(i.c, v);
    if POP {
        x.pop();
    }
    Ok(Flow::Next)
}

/// FSTPNCE: as FSTP, but with nothing in ST(0) it only pops.
fn store_register_unchecked(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    if !x.is_empty(0) {
        x.set_st(i.c, x.st(0));
    }
    x.pop();
    Ok(Flow::Next)
}

fn exchange(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    if x.is_empty(0) || x.is_empty(i.c) {
        if !x.underflow() {
            return Ok(Flow::Next);
        }
        for n in [0, i.c] {
            if x.is_empty(n) {
                x.set_st(n, INDEFINITE);
            }
        }
    }
    let (a, b) = (x.st(0), x.st(i.c));
    x.set_st(0, b);
    x.set_st(i.c, a);
    Ok(Flow::Next)
}

/// FCMOVcc, by the condition's number.
fn cmov<const CC: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let holds = c.flags.condition::<CC>();
    let x = note_only(c, i);
    if x.is_empty(0) || x.is_empty(i.c) {
        if x.underflow() {
            x.set_st(0, INDEFINITE);
        }
    } else if holds {
        x.set_st(0, x.st(i.c));
    }
    Ok(Flow::Next)
}

fn store<const POP: bool>(form: &Form<'_>) -> Option<Handler> {
    match (form.kinds[0], form.bytes) {
        (Kind::Reg, _) => Some(store_register::<POP>),
        (Kind::Mem, 4) => Some(store_single::<POP>),
        (Kind::Mem, 8) => Some(store_double::<POP>),
        (Kind::Mem, 10) if POP => Some(store_extended),
        _ => None,
    }
}

fn integer<const POP: bool, const TRUNCATE: bool>(form: &Form<'_>) -> Option<Handler> {
    match form.bytes {
        2 => Some(store_int::<W16, POP, TRUNCATE>),
        4 => Some(store_int::<W32, POP, TRUNCATE>),
        8 if POP => Some(store_int::<W64, POP, TRUNCATE>),
        _ => None,
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Fld => match (form.kinds[0], form.bytes) {
            (Kind::Reg, _) => Some(load_register),
            (Kind::Mem, 4) => Some(load::<W32, false>),
            (Kind::Mem, 8) => Some(load::<W64, false>),
            (Kind::Mem, 10) => Some(load_80::<false>),
            _ => None,
        },
        Mnemonic::Fild => match form.bytes {
            2 => Some(load::<W16, true>),
            4 => Some(load::<W32, true>),
            8 => Some(load::<W64, true>),
            _ => None,
        },
        Mnemonic::Fbld => Some(load_80::<true>),
        Mnemonic::Fst => store::<false>(form),
        Mnemonic::Fstp => store::<true>(form),
        Mnemonic::Fstpnce => Some(store_register_unchecked),
        Mnemonic::Fist => integer::<false, false>(form),
        Mnemonic::Fistp => integer::<true, false>(form),
        Mnemonic::Fisttp => integer::<true, true>(form),
        Mnemonic::Fbstp => Some(store_bcd),
        Mnemonic::Fld1 => Some(constant::<0>),
        Mnemonic::Fldl2t => Some(constant::<1>),
        Mnemonic::Fldl2e => Some(constant::<2>),
        Mnemonic::Fldpi => Some(constant::<3>),
        Mnemonic::Fldlg2 => Some(constant::<4>),
        Mnemonic::Fldln2 => Some(constant::<5>),
        Mnemonic::Fldz => Some(constant::<6>),
        Mnemonic::Fxch => Some(exchange),
        Mnemonic::Fcmovb => Some(cmov::<2>),
        Mnemonic::Fcmovnb => Some(cmov::<3>),
        Mnemonic::Fcmove => Some(cmov::<4>),
        Mnemonic::Fcmovne => Some(cmov::<5>),
        Mnemonic::Fcmovbe => Some(cmov::<6>),
        Mnemonic::Fcmovnbe => Some(cmov::<7>),
        Mnemonic::Fcmovu => Some(cmov::<10>),
        Mnemonic::Fcmovnu => Some(cmov::<11>),
        _ => None,
    }
}
