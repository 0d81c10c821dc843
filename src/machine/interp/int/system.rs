//! What asks or tells the processor about itself: NOP and hints, flags as a
//! whole, and instructions that user mode may not execute.
//!
//! Linux: none. Source: Intel SDM vol. 2; vol. 3, section 6.9 (privileged
//! instructions). Left out: I/O permission bitmaps.

use crate::machine::exception::Exception;
use crate::machine::interp::core::{Core, Stopped};
use crate::machine::interp::decode::Form;
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use iced_x86::Mnemonic;

/// The handler of bytes that are no instruction.
pub fn invalid() -> Handler {
    undefined
}

/// The handler of instructions that have none.
pub fn unsupported() -> Handler {
    |c, _| {
        c.trap = Stopped::Unsupported;
        Err(Trap)
    }
}

fn undefined(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    c.raise(Exception::InvalidOpcode)
}

fn privileged(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    c.raise(Exception::GP)
}

fn nothing(_: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    Ok(Flow::Next)
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    match form.insn.mnemonic() {
        Mnemonic::Nop
        | Mnemonic::Pause
        | Mnemonic::Endbr64
        | Mnemonic::Endbr32
        | Mnemonic::Lfence
        | Mnemonic::Mfence
        | Mnemonic::Sfence => Some(nothing),
        Mnemonic::Ud2 | Mnemonic::Ud1 | Mnemonic::Ud0 => Some(undefined),
        Mnemonic::Hlt | Mnemonic::Cli | Mnemonic::Sti | Mnemonic::In | Mnemonic::Out => {
            Some(privileged)
        }
        _ => None,
    }
}
