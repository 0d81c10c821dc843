//! MMX: integers in eight registers of 64 bits, which are the significands of the
//! x87 registers.
//!
//! ```text
//! MMn = bits 0..63 of physical register n       a write sets bits 64..79
//! any MMX instruction   TOP = 0, every register in use
//! EMMS                  no register in use: x87 may begin
//! ```
//!
//! Operations that do the same in each lane are those of XMM registers, on the low
//! half (`operand::Op`).
//!
//! - `narrow`: those that do something else with 64 bits
//! - `mov`: to and from general registers, memory and XMM registers; masks
//! - `convert`: from and to floats
//!
//! An instruction first raises #MF if an unmasked x87 exception is pending, then
//! reads memory, and only then changes anything. Operands need not be aligned.
//!
//! Linux: none. Source: Intel SDM vol. 1, chapter 9; vol. 3, chapter 13. Left out:
//! CR0.EM and CR0.TS; 3DNow!.

mod convert;
mod mov;
mod narrow;

use super::operand::Op;
use crate::machine::fpu::F80;
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::x87;

/// What the bits above a significand become.
const ABOVE: u16 = 0xffff;

/// A register.
#[inline]
fn mm(c: &Core<'_>, n: u8) -> u64 {
    c.fpu.x87.regs[usize::from(n & 7)].mantissa
}

/// Writes a register.
#[inline]
fn set_mm(c: &mut Core<'_>, n: u8, value: u64) {
    c.fpu.x87.regs[usize::from(n & 7)] = F80 { sign_exp: ABOVE, mantissa: value };
}

/// The registers are MMX's from here on.
#[inline]
fn take(c: &mut Core<'_>) {
    c.fpu.x87.set_top(0);
    c.fpu.x87.in_use = 0xff;
}

/// Reads an operand of 4 or 8 bytes.
#[inline]
fn load<const BYTES: usize>(c: &mut Core<'_>, i: &Insn) -> Result<u64, Trap> {
    let at = c.address(i);
    Ok(match BYTES {
        4 => u32::from_le_bytes(c.read(at)?).into(),
        _ => u64::from_le_bytes(c.read(at)?),
    })
}

fn finish<O: Op>(c: &mut Core<'_>, i: &Insn, b: u64) -> Result<Flow, Trap> {
    let r = O::of(mm(c, i.a).into(), b.into(), i.imm) as u64;
    take(c);
    set_mm(c, i.a, r);
    Ok(Flow::Next)
}

fn reg_reg<O: Op>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let b = mm(c, i.b);
    finish::<O>(c, i, b)
}

fn reg_mem<O: Op, const BYTES: usize>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    let b = load::<BYTES>(c, i)?;
    finish::<O>(c, i, b)
}

fn reg_imm<O: Op>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    x87::wait(c)?;
    finish::<O>(c, i, i.imm)
}

/// The handler of an operation for the operands at hand, the first of which is an
/// MMX register.
pub(super) fn handler<O: Op>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] => Some(reg_reg::<O>),
        [Kind::Reg, Kind::Mem, ..] if form.width(1) == 4 => Some(reg_mem::<O, 4>),
        [Kind::Reg, Kind::Mem, ..] => Some(reg_mem::<O, 8>),
        [Kind::Reg, Kind::Imm, ..] => Some(reg_imm::<O>),
        _ => None,
    }
}

/// The handler of an instruction that is other than its namesake for XMM
/// registers, or has none.
pub(super) fn select(form: &Form<'_>, out: &mut Insn) -> Option<Handler> {
    // The one kind whose operands may be none of MMX's.
    if let Some(handler) = convert::select(form) {
        return Some(handler);
    }
    if !has_register(form) && !mov::has_hidden_register(form) {
        return None;
    }
    narrow::select(form).or_else(|| mov::select(form, out))
}

/// Whether an operand is an MMX register.
pub(super) fn has_register(form: &Form<'_>) -> bool {
    (0..form.insn.op_count()).any(|op| form.insn.op_register(op).is_mm())
}

#[cfg(test)]
mod tests {
    use crate::base::cow::Arc;
    use crate::machine::exception::Exception;
    use crate::machine::fpu::{F80, FpuState};
    use crate::machine::interp::Exit;
    use crate::machine::interp::testing::{Bench, DATA};

    /// Executes instructions with these registers in MM0 and MM1; gives the state.
    fn run(code: &[u8], mm: [u64; 2]) -> (Exit, FpuState) {
        let mut b = Bench::new(&[code, &[0x0f, 0x05]].concat());
        let mut fpu = FpuState::default();
        fpu.x87.set_top(5);
        for (to, from) in fpu.x87.regs.iter_mut().zip(mm) {
            to.mantissa = from;
        }
        fpu.xmm[1] = 0x7000_0000_0000_0000_3fc0_0000_c020_0000;
        b.space.m.cpus[0].fpu = Some(Arc::new(fpu));
        (b.regs().ax, b.regs().bx) = (0x1_8000_0005, DATA);
        let exit = b.go();
        (exit, b.space.m.cpus[0].fpu.as_deref().copied().unwrap())
    }

    fn result(code: &[u8], mm: [u64; 2]) -> u64 {
        let (exit, fpu) = run(code, mm);
        assert_eq!(exit, Exit::Syscall, "{code:x?}");
        assert_eq!((fpu.x87.in_use, fpu.x87.top()), (0xff, 0), "{code:x?}");
        assert_eq!(fpu.x87.regs[0].sign_exp, 0xffff, "{code:x?}");
        fpu.x87.regs[0].mantissa
    }

    #[test]
    fn operations_on_eight_bytes() {
        let (a, b) = (0x0102_0304_0506_7f80, 0xff01_8000_0001_7f81);
        // paddb, paddsw, punpckhbw, punpcklbw, packuswb, pmaddwd
        assert_eq!(result(&[0x0f, 0xfc, 0xc1], [a, b]), 0x0003_8304_0507_fe01);
        assert_eq!(result(&[0x0f, 0xed, 0xc1], [a, b]), 0x0003_8304_0507_7fff);
        assert_eq!(result(&[0x0f, 0x68, 0xc1], [a, b]), 0xff01_0102_8003_0004);
        assert_eq!(result(&[0x0f, 0x60, 0xc1], [a, b]), 0x0005_0106_7f7f_8180);
        assert_eq!(result(&[0x0f, 0x67, 0xc1], [a, b]), 0x0000_01ff_ffff_ffff);
        assert_eq!(result(&[0x0f, 0xf5, 0xc1], [1, 2]), 2);
        // pshufw mm0,mm1,1bh ; psllq mm0,8 ; psrlw mm0,64 by mm1 ; palignr mm0,mm1,3
        assert_eq!(result(&[0x0f, 0x70, 0xc1, 0x1b], [a, b]), 0x7f81_0001_8000_ff01);
        assert_eq!(result(&[0x0f, 0x73, 0xf0, 8], [a, b]), 0x0203_0405_067f_8000);
        assert_eq!(result(&[0x0f, 0xd1, 0xc1], [a, 64]), 0);
        assert_eq!(result(&[0x0f, 0x3a, 0x0f, 0xc1, 3], [a, b]), 0x067f_80ff_0180_0000);
        // phaddw, pshufb
        assert_eq!(result(&[0x0f, 0x38, 0x01, 0xc1], [a, b]) >> 48, 0x7f01);
        assert_eq!(result(&[0x0f, 0x38, 0x00, 0xc1], [a, 0x8007_0605_0403_0201]) >> 48, 1);
    }

    #[test]
    fn moves_and_conversions() {
        // movd mm0,eax ; movq mm0,rax ; movdq2q mm0,xmm1 ; pinsrw mm0,eax,2
        assert_eq!(result(&[0x0f, 0x6e, 0xc0], [9, 9]), 0x8000_0005);
        assert_eq!(result(&[0x48, 0x0f, 0x6e, 0xc0], [9, 9]), 0x1_8000_0005);
        assert_eq!(result(&[0xf2, 0x0f, 0xd6, 0xc1], [9, 9]), 0x3fc0_0000_c020_0000);
        assert_eq!(result(&[0x0f, 0xc4, 0xc0, 2], [9, 9]), 0x0005_0000_0009);
        // cvtps2pi mm0,xmm1: -2.5 and 1.5 to the even one
        assert_eq!(result(&[0x0f, 0x2d, 0xc1], [9, 9]), 0x0000_0002_ffff_fffe);
        // movq [rbx],mm1 ; movq mm0,[rbx]
        assert_eq!(result(&[0x0f, 0x7f, 0x0b, 0x0f, 0x6f, 0x03], [9, 77]), 77);
        // cvtpi2ps xmm1,mm1 keeps the high half; emms gives the registers back.
        let (_, fpu) = run(&[0x0f, 0x2a, 0xc9, 0x0f, 0x77], [0, 0xffff_ffff_0000_0003]);
        assert_eq!(fpu.xmm[1], 0x7000_0000_0000_0000_bf80_0000_4040_0000);
        assert_eq!(fpu.x87.in_use, 0);
    }

    #[test]
    fn a_pending_exception_of_x87_comes_first() {
        // fldcw [rbx] (all unmasked) ; fldz ; fldz ; fdivp ; movd mm0,eax
        let code = [0xd9, 0x2b, 0xd9, 0xee, 0xd9, 0xee, 0xde, 0xf9, 0x0f, 0x6e, 0xc0];
        let (exit, fpu) = run(&code, [1, 2]);
        assert_eq!(exit, Exit::Exception(Exception::X87FloatingPoint));
        assert_ne!(fpu.x87.regs[0], F80 { sign_exp: 0xffff, mantissa: 0x8000_0005 });
    }
}
