//! State as a whole: LDMXCSR, STMXCSR, FXSAVE, FXRSTOR.
//!
//! Linux: none. Source: Intel SDM vol. 1, section 10.5; vol. 2. Left out:
//! nothing.

use super::operand::aligned;
use crate::machine::exception::Exception;
use crate::machine::fpu::{FXSAVE_SIZE, FpuState, MXCSR_MASK};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::Form;
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::W32;
use iced_x86::Mnemonic;

/// What FXSAVE writes of its image; the rest is software's.
const WRITTEN: usize = 416;

/// In the x87 status word: an unmasked exception is pending.
const PENDING: u16 = 1 << 7;

/// The last byte of an image, which the processor asks for first.
fn last(at: u64) -> u64 {
    at.wrapping_add(FXSAVE_SIZE as u64 - 1)
}

fn ldmxcsr(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let value = c.load::<W32>(c.address(i))? as u32;
    if value & !MXCSR_MASK != 0 {
        return c.raise(Exception::GP);
    }
    c.fpu.mxcsr = value;
    Ok(Flow::Next)
}

fn stmxcsr(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    c.store::<W32>(c.address(i), u64::from(c.fpu.mxcsr))?;
    Ok(Flow::Next)
}

fn fxsave<const WIDE: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = aligned(c, i)?;
    c.probe_write(last(at), 1)?;
    let image = c.fpu.to_fxsave();
    let mut bytes = [0; WRITTEN];
    bytes.copy_from_slice(&image[..WRITTEN]);
    if !WIDE {
        // Offsets of 32 bits, and selectors where there are offsets.
        let x = &c.fpu.x87;
        let shown = if x.status & PENDING != 0 { !0 } else { 0 };
        let selector = |s: u16| u32::from(s & shown).to_le_bytes();
        bytes[12..16].copy_from_slice(&selector(x.code_segment));
        bytes[20..24].copy_from_slice(&selector(x.data_segment));
    }
    c.write_slow(at, &bytes)?;
    Ok(Flow::Next)
}

fn fxrstor<const WIDE: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = aligned(c, i)?;
    c.probe_read(last(at), 1)?;
    let mut bytes = [0; FXSAVE_SIZE];
    c.read_slow(at, &mut bytes)?;
    let selector = |at: usize| u16::from(bytes[at]) | u16::from(bytes[at + 1]) << 8;
    let selectors = if WIDE { (0, 0) } else { (selector(12), selector(20)) };
    if !WIDE {
        bytes[12..16].fill(0);
        bytes[20..24].fill(0);
    }
    match FpuState::from_fxsave(&bytes) {
        Ok(state) => {
            *c.fpu = state;
            let x = &mut c.fpu.x87;
            (x.code_segment, x.data_segment) = selectors;
        }
        Err(_) => return c.raise(Exception::GP),
    }
    Ok(Flow::Next)
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Ldmxcsr => Some(ldmxcsr),
        Mnemonic::Stmxcsr => Some(stmxcsr),
        Mnemonic::Fxsave => Some(fxsave::<false>),
        Mnemonic::Fxsave64 => Some(fxsave::<true>),
        Mnemonic::Fxrstor => Some(fxrstor::<false>),
        Mnemonic::Fxrstor64 => Some(fxrstor::<true>),
        _ => None,
    }
}
