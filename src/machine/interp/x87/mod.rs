//! x87: floating point in 80 bits, on a stack of eight registers.
//!
//! ```text
//! instruction                            values
//! load      FLD FST FILD FIST FBLD …     convert   to and from memory's formats
//! basic     FADD FSUB FMUL FDIV          arith     exact, then rounded once
//! compare   FCOM FUCOM FCOMI FXAM …      round     to 24, 53, 64 bits; overflow
//! function  FSQRT FPREM FSIN FYL2X …     partial, transcend, series, wide
//! control   FLDCW FNSTENV FRSTOR …       number    classes, NaN rules
//!                    status: flags, masks, the stack
//! ```
//!
//! An instruction first raises #MF if an unmasked exception is pending, then
//! reads memory, and only then changes anything. Each but the control
//! instructions leaves its address, its operand's address and its opcode.
//!
//! Linux: none. Source: Intel SDM vol. 1, chapter 8; vol. 2. Where processors
//! differ, what an AMD one of family 19h does. Left out: CR0.EM and CR0.TS.

mod arith;
mod basic;
mod compare;
mod control;
mod convert;
mod function;
mod load;
mod number;
mod partial;
mod round;
mod series;
mod status;
mod transcend;
mod wide;

use super::core::Core;
use super::decode::{Form, Kind};
use super::insn::{Handler, Insn, ODD_ADDRESS, PAGE, Trap};
use crate::machine::exception::Exception;
use crate::machine::fpu::X87;
use crate::machine::regs::{USER_CS, USER_DS};
use iced_x86::Register;

/// The handler of such an instruction.
pub fn select(form: &Form<'_>, out: &mut Insn) -> Option<Handler> {
    // Where both are there, one of the two operands is ST(0).
    let st = |op: u32| {
        let r = if form.kinds[op as usize] == Kind::Reg {
            form.insn.op_register(op)
        } else {
            Register::None
        };
        r.is_st().then(|| r.number() as u8)
    };
    out.c = match (st(0), st(1)) {
        (Some(0), Some(b)) => b,
        (Some(a), _) => a,
        _ => 0,
    };
    let handler = basic::select(form)
        .or_else(|| load::select(form))
        .or_else(|| compare::select(form))
        .or_else(|| function::select(form))
        .or_else(|| control::select(form))?;
    out.imm = u64::from(opcode(form.code));
    if matches!(form.insn.segment_prefix(), Register::FS | Register::GS) {
        out.imm |= BASED;
    } else if matches!(
        form.insn.memory_base(),
        Register::RSP | Register::RBP | Register::ESP | Register::EBP
    ) {
        // The stack segment, whatever prefix says otherwise.
        out.imm |= USER_DS << 16;
    }
    Some(handler)
}

/// In [`Insn::imm`], besides FOP and FDS: the operand's segment has a base.
const BASED: u64 = 1 << 32;

/// FOP: three bits of the first byte after the prefixes, and the second byte.
fn opcode(code: &[u8]) -> u16 {
    let at = code.iter().position(|b| b & 0xf8 == 0xd8).unwrap_or(0);
    let byte = |i: usize| code.get(i).map_or(0, |b| u16::from(*b));
    (byte(at) & 7) << 8 | byte(at + 1)
}

/// Raises what an earlier instruction has left pending.
#[inline(always)]
pub fn wait(c: &mut Core<'_>) -> Result<(), Trap> {
    if c.fpu.x87.status & status::ES != 0 {
        return c.raise(Exception::X87FloatingPoint);
    }
    Ok(())
}

/// Notes an instruction without a memory operand that leaves C1; gives the
/// registers.
#[inline(always)]
fn note_only<'a>(c: &'a mut Core<'_>, i: &Insn) -> &'a mut X87 {
    let x = &mut c.fpu.x87;
    x.ip = c.r[usize::from(PAGE)].wrapping_add(i.at.into());
    x.opcode = i.imm as u16;
    x.code_segment = USER_CS as u16;
    x
}

/// Notes an instruction without a memory operand and clears C1.
#[inline(always)]
fn note<'a>(c: &'a mut Core<'_>, i: &Insn) -> &'a mut X87 {
    let x = note_only(c, i);
    x.status &= !status::C1;
    x
}

/// Notes an instruction with an operand at `at`.
#[inline(always)]
fn note_memory<'a>(c: &'a mut Core<'_>, i: &Insn, at: u64) -> &'a mut X87 {
    let offset = if i.imm & BASED != 0 { without_base(c, i, at) } else { at };
    let x = note(c, i);
    x.dp = offset;
    x.data_segment = (i.imm >> 16) as u16;
    x
}

/// An address as offset in a segment with a base.
#[cold]
fn without_base(c: &Core<'_>, i: &Insn, at: u64) -> u64 {
    let base = if i.scale & ODD_ADDRESS != 0 { i.seg } else { i.index };
    at.wrapping_sub(c.r[usize::from(base & 31)])
}
