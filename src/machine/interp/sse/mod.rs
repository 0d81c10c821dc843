//! MMX, and SSE to SSE4.2 on XMM registers, family by family.
//!
//! ```text
//! operand   registers and memory, 16 bytes     lanes     a register as numbers
//! mov       data movement                      packed    lane by lane
//! shift     shifts                             shuffle   lanes change places
//! across    sums over lanes                    convert   integers and floats
//! float     arithmetic and its exceptions      arith     ADD, MUL, SQRT…
//! compare   CMPxx, COMISD                      nearest   ROUNDxx
//! dot       DPPS, DPPD                         text      PCMPESTRI and kin
//! state     MXCSR, FXSAVE                      crc       CRC32
//! full      arithmetic on what is not ordinary     mmx       registers of 64 bits
//! ```
//!
//! A 16-byte operand in memory must be aligned, but for those of the unaligned
//! moves and of the string comparisons: #GP.
//!
//! Linux: none. Source: Intel SDM vol. 1, chapters 10 to 12; vol. 2. Left out:
//! CR0.EM and CR0.TS, as in `x87`.

mod across;
mod arith;
mod compare;
mod convert;
mod crc;
mod dot;
mod float;
mod full;
mod lanes;
mod mmx;
mod mov;
mod nearest;
mod operand;
mod packed;
mod shift;
mod shuffle;
mod state;
#[cfg(test)]
mod tests;
mod text;

use super::decode::Form;
use super::insn::{Handler, Insn};

/// The handler of such an instruction.
pub fn select(form: &Form<'_>, out: &mut Insn) -> Option<Handler> {
    let mmx = mmx::select(form, out);
    if mmx.is_some() || mmx::has_register(form) {
        return mmx
            .or_else(|| packed::select(form))
            .or_else(|| shift::select(form))
            .or_else(|| shuffle::select(form))
            .or_else(|| across::select(form));
    }
    mov::select(form, out)
        .or_else(|| packed::select(form))
        .or_else(|| shift::select(form))
        .or_else(|| shuffle::select(form))
        .or_else(|| arith::select(form))
        .or_else(|| compare::select(form))
        .or_else(|| convert::select(form))
        .or_else(|| across::select(form))
        .or_else(|| nearest::select(form))
        .or_else(|| dot::select(form))
        .or_else(|| text::select(form))
        .or_else(|| crc::select(form))
        .or_else(|| state::select(form))
}
