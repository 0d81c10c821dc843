//! State as a whole: LDMXCSR, STMXCSR, FXSAVE, FXRSTOR.
//!
//! Linux: none. Source: Intel SDM vol. 1, section 10.5; vol. 2. Left out: the
//! segment selectors of the 32-bit image, which newer processors store as 0.

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
    let image = c.fpu.to_fxsave();
    let mut bytes = [0; WRITTEN];
    bytes.copy_from_slice(&image[..WRITTEN]);
    if !WIDE {
        // Offsets of 32 bits, and selectors.
        bytes[12..16].fill(0);
        bytes[20..24].fill(0);
    }
    c.write_slow(at, &bytes)?;
    Ok(Flow::Next)
}

fn fxrstor<const WIDE: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = aligned(c, i)?;
    let mut bytes = [0; FXSAVE_SIZE];
    c.read_slow(at, &mut bytes)?;
    if !WIDE {
        bytes[12..16].fill(0);
        bytes[20..24].fill(0);
    }
    match FpuState::from_fxsave(&bytes) {
        Ok(state) => *c.fpu = state,
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
