//! Where operands come from: XMM registers and memory.
//!
//! An operation is a type with a function of two 128-bit values; from it come
//! three handlers, for a second operand in a register, in memory, or immediate.
//!
//! Linux: none. Source: Intel SDM vol. 2, section 2.4 (exceptions of SSE
//! instructions, alignment). Left out: RFLAGS.AC, MXCSR.MM.

use crate::machine::exception::Exception;
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};

/// An operation on two values; the result goes to the first operand.
pub trait Op {
    /// Bytes of the second operand in memory; 16 are aligned.
    const BYTES: usize = 16;
    /// The result, of both operands and the immediate one.
    fn of(a: u128, b: u128, imm: u64) -> u128;
}

/// A register.
#[inline(always)]
pub fn xmm(c: &Core<'_>, n: u8) -> u128 {
    c.fpu.xmm[usize::from(n & 15)]
}

/// Writes a register.
#[inline(always)]
pub fn set_xmm(c: &mut Core<'_>, n: u8, value: u128) {
    c.fpu.xmm[usize::from(n & 15)] = value;
}

/// Writes the low `BITS` bits of a register.
#[inline(always)]
pub fn set_low<const BITS: u32>(c: &mut Core<'_>, n: u8, value: u64) {
    let r = &mut c.fpu.xmm[usize::from(n & 15)];
    let mask = !0u128 >> (128 - BITS);
    *r = *r & !mask | u128::from(value) & mask;
}

/// The address of 16 aligned bytes.
#[inline(always)]
pub fn aligned(c: &mut Core<'_>, i: &Insn) -> Result<u64, Trap> {
    let at = c.address(i);
    if at & 15 != 0 {
        return c.raise(Exception::GP);
    }
    Ok(at)
}

/// 16 bytes of memory wherever they are.
#[inline(always)]
pub fn load_unaligned(c: &mut Core<'_>, i: &Insn) -> Result<u128, Trap> {
    let at = c.address(i);
    Ok(u128::from_le_bytes(c.read(at)?))
}

/// 16 aligned bytes of memory.
#[inline(always)]
pub fn load_aligned(c: &mut Core<'_>, i: &Insn) -> Result<u128, Trap> {
    let at = aligned(c, i)?;
    Ok(u128::from_le_bytes(c.read(at)?))
}

/// An operand in memory: 16 bytes are aligned, less need not be.
#[inline(always)]
pub fn load<const BYTES: usize>(c: &mut Core<'_>, i: &Insn) -> Result<u128, Trap> {
    if BYTES == 16 {
        return load_aligned(c, i);
    }
    let at = c.address(i);
    Ok(match BYTES {
        8 => u128::from(u64::from_le_bytes(c.read(at)?)),
        4 => u128::from(u32::from_le_bytes(c.read(at)?)),
        2 => u128::from(u16::from_le_bytes(c.read(at)?)),
        _ => u128::from(u8::from_le_bytes(c.read(at)?)),
    })
}

fn reg_reg<O: Op>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let r = O::of(xmm(c, i.a), xmm(c, i.b), i.imm);
    set_xmm(c, i.a, r);
    Ok(Flow::Next)
}

fn reg_mem<O: Op>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = c.address(i);
    match c.peek(at) {
        Some(b) if O::BYTES == 16 && at & 15 == 0 => {
            let r = O::of(xmm(c, i.a), u128::from_le_bytes(b), i.imm);
            set_xmm(c, i.a, r);
            Ok(Flow::Next)
        }
        _ => reg_mem_slow::<O>(c, i),
    }
}

#[inline(never)]
fn reg_mem_slow<O: Op>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = match O::BYTES {
        16 => load::<16>(c, i)?,
        8 => load::<8>(c, i)?,
        4 => load::<4>(c, i)?,
        2 => load::<2>(c, i)?,
        _ => load::<1>(c, i)?,
    };
    let r = O::of(xmm(c, i.a), b, i.imm);
    set_xmm(c, i.a, r);
    Ok(Flow::Next)
}

fn reg_imm<O: Op>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let r = O::of(xmm(c, i.a), u128::from(i.imm), i.imm);
    set_xmm(c, i.a, r);
    Ok(Flow::Next)
}

/// The handler of an operation for the operands at hand.
pub fn handler<O: Op>(form: &Form<'_>) -> Option<Handler> {
    if form.insn.op0_register().is_mm() {
        return super::mmx::handler::<O>(form);
    }
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] => Some(reg_reg::<O>),
        [Kind::Reg, Kind::Mem, ..] => Some(reg_mem::<O>),
        [Kind::Reg, Kind::Imm, ..] => Some(reg_imm::<O>),
        _ => None,
    }
}

/// `select` of a family of operations: a line each, its mnemonic, the bytes of
/// its operand in memory if not 16, and the result.
macro_rules! ops {
    ($a:ident, $b:ident, $imm:ident; $($name:ident $(: $bytes:literal)? => $result:expr,)*) => {
        /// The handler, if the instruction is of this family.
        pub fn select(
            form: &crate::machine::interp::decode::Form<'_>,
        ) -> Option<crate::machine::interp::insn::Handler> {
            match form.insn.mnemonic() {
                $(iced_x86::Mnemonic::$name => {
                    struct It;
                    impl crate::machine::interp::sse::operand::Op for It {
                        $(const BYTES: usize = $bytes;)?
                        #[inline(always)]
                        #[allow(unused_variables, reason = "not all have two operands")]
                        fn of($a: u128, $b: u128, $imm: u64) -> u128 {
                            $result
                        }
                    }
                    crate::machine::interp::sse::operand::handler::<It>(form)
                })*
                _ => None,
            }
        }
    };
}
pub(super) use ops;
