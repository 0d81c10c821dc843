//! Two operands, one result, six flags: ADD, OR, ADC, SBB, AND, SUB, XOR, CMP,
//! TEST; and with one operand INC, DEC, NEG, NOT.
//!
//! The LOCK prefix changes nothing here: processors take turns.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: ADCX and ADOX (not in
//! x86-64-v2).

use super::sized;
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::flags::Flags;
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::Width;
use iced_x86::Mnemonic;

const ADD: u8 = 0;
const OR: u8 = 1;
const ADC: u8 = 2;
const SBB: u8 = 3;
const AND: u8 = 4;
const SUB: u8 = 5;
const XOR: u8 = 6;
const CMP: u8 = 7;
const TEST: u8 = 8;

const INC: u8 = 0;
const DEC: u8 = 1;
const NEG: u8 = 2;
const NOT: u8 = 3;

/// Two operands: the result, and the flags it leaves.
#[inline(always)]
fn binary<const OP: u8, W: Width>(flags: &mut Flags, a: u64, b: u64) -> u64 {
    let (a, b) = (a & W::MASK, b & W::MASK);
    match OP {
        ADD => {
            let r = a.wrapping_add(b);
            flags.add::<W>(a, b, r);
            r
        }
        ADC => {
            let r = a.wrapping_add(b).wrapping_add(u64::from(flags.cf()));
            flags.add::<W>(a, b, r);
            r
        }
        SUB | CMP => {
            let r = a.wrapping_sub(b);
            flags.sub::<W>(a, b, r);
            r
        }
        SBB => {
            let r = a.wrapping_sub(b).wrapping_sub(u64::from(flags.cf()));
            flags.sub::<W>(a, b, r);
            r
        }
        OR => {
            flags.logic::<W>(a | b);
            a | b
        }
        XOR => {
            flags.logic::<W>(a ^ b);
            a ^ b
        }
        _ => {
            flags.logic::<W>(a & b);
            a & b
        }
    }
}

/// Whether the result is written back.
const fn writes(op: u8) -> bool {
    op != CMP && op != TEST
}

fn reg_reg<const OP: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let (a, b) = (c.get::<W>(i.a), c.get::<W>(i.b));
    let r = binary::<OP, W>(&mut c.flags, a, b);
    if writes(OP) {
        c.set::<W>(i.a, r);
    }
    Ok(Flow::Next)
}

fn reg_imm<const OP: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let a = c.get::<W>(i.a);
    let r = binary::<OP, W>(&mut c.flags, a, i.imm);
    if writes(OP) {
        c.set::<W>(i.a, r);
    }
    Ok(Flow::Next)
}

fn reg_mem<const OP: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = c.load::<W>(c.address(i))?;
    let a = c.get::<W>(i.a);
    let r = binary::<OP, W>(&mut c.flags, a, b);
    if writes(OP) {
        c.set::<W>(i.a, r);
    }
    Ok(Flow::Next)
}

fn mem_reg<const OP: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = c.get::<W>(i.b);
    to_memory::<OP, W>(c, i, b)
}

fn mem_imm<const OP: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    to_memory::<OP, W>(c, i, i.imm)
}

#[inline(always)]
fn to_memory<const OP: u8, W: Width>(c: &mut Core<'_>, i: &Insn, b: u64) -> Result<Flow, Trap> {
    let at = c.address(i);
    if writes(OP) {
        c.update::<W>(at, |flags, a| binary::<OP, W>(flags, a, b))?;
    } else {
        let a = c.load::<W>(at)?;
        binary::<OP, W>(&mut c.flags, a, b);
    }
    Ok(Flow::Next)
}

#[inline(always)]
fn unary<const OP: u8, W: Width>(flags: &mut Flags, a: u64) -> u64 {
    let a = a & W::MASK;
    match OP {
        INC => {
            let r = a.wrapping_add(1);
            flags.inc::<W>(a, r);
            r
        }
        DEC => {
            let r = a.wrapping_sub(1);
            flags.dec::<W>(a, r);
            r
        }
        NEG => {
            let r = a.wrapping_neg();
            flags.sub::<W>(0, a, r);
            r
        }
        _ => !a,
    }
}

fn unary_reg<const OP: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let a = c.get::<W>(i.a);
    let r = unary::<OP, W>(&mut c.flags, a);
    c.set::<W>(i.a, r);
    Ok(Flow::Next)
}

fn unary_mem<const OP: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    c.update::<W>(c.address(i), |flags, a| unary::<OP, W>(flags, a))?;
    Ok(Flow::Next)
}

fn two<const OP: u8>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] => sized!(form.bytes, W => reg_reg::<OP, W>),
        [Kind::Reg, Kind::Imm, ..] => sized!(form.bytes, W => reg_imm::<OP, W>),
        [Kind::Reg, Kind::Mem, ..] => sized!(form.bytes, W => reg_mem::<OP, W>),
        [Kind::Mem, Kind::Reg, ..] => sized!(form.bytes, W => mem_reg::<OP, W>),
        [Kind::Mem, Kind::Imm, ..] => sized!(form.bytes, W => mem_imm::<OP, W>),
        _ => None,
    }
}

fn one<const OP: u8>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds[0] {
        Kind::Reg => sized!(form.bytes, W => unary_reg::<OP, W>),
        Kind::Mem => sized!(form.bytes, W => unary_mem::<OP, W>),
        _ => None,
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Add => two::<ADD>(form),
        Mnemonic::Or => two::<OR>(form),
        Mnemonic::Adc => two::<ADC>(form),
        Mnemonic::Sbb => two::<SBB>(form),
        Mnemonic::And => two::<AND>(form),
        Mnemonic::Sub => two::<SUB>(form),
        Mnemonic::Xor => two::<XOR>(form),
        Mnemonic::Cmp => two::<CMP>(form),
        Mnemonic::Test => two::<TEST>(form),
        Mnemonic::Inc => one::<INC>(form),
        Mnemonic::Dec => one::<DEC>(form),
        Mnemonic::Neg => one::<NEG>(form),
        Mnemonic::Not => one::<NOT>(form),
        _ => None,
    }
}
