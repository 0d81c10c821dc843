//! FADD, FSUB, FSUBR, FMUL, FDIV, FDIVR and their forms with memory, with
//! integers, and those that pop.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::arith::{add, div, mul};
use super::convert::{from_int, widen};
use super::number::{Class, INDEFINITE, Outcome, class};
use super::status::Stack;
use super::{note, note_memory, wait};
use crate::machine::fpu::F80;
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::{W16, W32, W64, Width};
use iced_x86::Mnemonic;

const ADD: u8 = 0;
const MUL: u8 = 1;
const SUB: u8 = 4;
const SUBR: u8 = 5;
const DIV: u8 = 6;
const DIVR: u8 = 7;

#[inline(always)]
fn compute<const OP: u8>(control: u16, to: F80, from: F80) -> Outcome {
    match OP {
        ADD => add(control, to, from, false),
        MUL => mul(control, to, from),
        SUB => add(control, to, from, true),
        SUBR => add(control, from, to, true),
        DIV => div(control, to, from),
        _ => div(control, from, to),
    }
}

fn registers<const OP: u8, const POP: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    let store = if x.is_empty(i.a) || x.is_empty(i.b) {
        x.underflow().then_some(INDEFINITE)
    } else {
        let o = compute::<OP>(x.control, x.st(i.a), x.st(i.b));
        x.settle(&o).then_some(o.value)
    };
    if let Some(v) = store {
        x.set_st(i.a, v);
        if POP {
            x.pop();
        }
    }
    Ok(Flow::Next)
}

/// A memory operand: binary32 or binary64, or an integer.
#[inline(always)]
pub(super) fn operand<W: Width, const INT: bool>(
    c: &mut Core<'_>,
    at: u64,
) -> Result<(F80, bool), Trap> {
    let bits = c.load::<W>(at)?;
    Ok(match (INT, W::BYTES) {
        (true, _) => (from_int(W::sign_extend(bits) as i64), false),
        (false, 4) => widen::<8, 23>(bits),
        (false, _) => widen::<11, 52>(bits),
    })
}

fn memory<const OP: u8, W: Width, const INT: bool>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    wait(c)?;
    let at = c.address(i);
    let (from, denormal) = operand::<W, INT>(c, at)?;
    let x = note_memory(c, i, at);
    let store = if x.is_empty(0) {
        x.underflow().then_some(INDEFINITE)
    } else {
        let to = x.st(0);
        let mut o = compute::<OP>(x.control, to, from);
        if denormal {
            let nan = matches!(class(to), Class::QuietNan);
            o = o.with_denormal(!nan);
        }
        x.settle(&o).then_some(o.value)
    };
    if let Some(v) = store {
        x.set_st(0, v);
    }
    Ok(Flow::Next)
}

fn float<const OP: u8>(form: &Form<'_>) -> Option<Handler> {
    match (form.kinds[0], form.bytes) {
        (Kind::Reg, _) => Some(registers::<OP, false>),
        (Kind::Mem, 4) => Some(memory::<OP, W32, false>),
        (Kind::Mem, 8) => Some(memory::<OP, W64, false>),
        _ => None,
    }
}

fn integer<const OP: u8>(form: &Form<'_>) -> Option<Handler> {
    match form.bytes {
        2 => Some(memory::<OP, W16, true>),
        4 => Some(memory::<OP, W32, true>),
        _ => None,
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Fadd => float::<ADD>(form),
        Mnemonic::Fmul => float::<MUL>(form),
        Mnemonic::Fsub => float::<SUB>(form),
        Mnemonic::Fsubr => float::<SUBR>(form),
        Mnemonic::Fdiv => float::<DIV>(form),
        Mnemonic::Fdivr => float::<DIVR>(form),
        Mnemonic::Faddp => Some(registers::<ADD, true>),
        Mnemonic::Fmulp => Some(registers::<MUL, true>),
        Mnemonic::Fsubp => Some(registers::<SUB, true>),
        Mnemonic::Fsubrp => Some(registers::<SUBR, true>),
        Mnemonic::Fdivp => Some(registers::<DIV, true>),
        Mnemonic::Fdivrp => Some(registers::<DIVR, true>),
        Mnemonic::Fiadd => integer::<ADD>(form),
        Mnemonic::Fimul => integer::<MUL>(form),
        Mnemonic::Fisub => integer::<SUB>(form),
        Mnemonic::Fisubr => integer::<SUBR>(form),
        Mnemonic::Fidiv => integer::<DIV>(form),
        Mnemonic::Fidivr => integer::<DIVR>(form),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::ONE;
    use crate::machine::exception::Exception;
    use crate::machine::interp::Exit;
    use crate::machine::interp::testing::Bench;

    #[test]
    fn adds_and_pops() {
        // fld1; fld1; faddp; fld1; fadd st1,st0; syscall
        let code = [0xd9, 0xe8, 0xd9, 0xe8, 0xde, 0xc1, 0xd9, 0xe8, 0xdc, 0xc1, 0x0f, 0x05];
        let mut b = Bench::new(&code);
        assert_eq!(b.go(), Exit::Syscall);
        let x = b.space.m.cpus[0].fpu.clone().unwrap().x87;
        assert_eq!((x.top(), x.in_use, x.regs[6]), (6, 0xc0, ONE));
        assert_eq!((x.regs[7].sign_exp, x.regs[7].mantissa), (0x4000, 3 << 62));
        assert_eq!(x.opcode, 0x4c1);
    }

    #[test]
    fn an_unmasked_exception_waits_for_the_next_instruction() {
        // push 0x37b (ZE unmasked); fldcw [rsp]; fld1; fldz; fdivp; mov eax,1; fld1; syscall
        let code = [
            0x68, 0x7b, 3, 0, 0, 0xd9, 0x2c, 0x24, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0xb8, 1, 0,
            0, 0, 0xd9, 0xe8, 0x0f, 0x05,
        ];
        let mut b = Bench::new(&code);
        assert_eq!(b.go(), Exit::Exception(Exception::X87FloatingPoint));
        assert_eq!((b.regs().ax, b.regs().ip & 0xff), (1, 19));
        let x = b.space.m.cpus[0].fpu.clone().unwrap().x87;
        assert_eq!(x.status & 0x80ff, 0x8084);
        assert_eq!((x.in_use, x.ip & 0xff), (0xc0, 12), "nothing is popped");
    }
}
