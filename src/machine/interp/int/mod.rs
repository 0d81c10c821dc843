//! General instructions, family by family.
//!
//! ```text
//! mov       data movement, LEA, PUSH, POP      alu      two operands, six flags
//! control   jumps, calls, SYSCALL              shift    shifts and rotations
//! muldiv    MUL, IMUL, DIV, IDIV, CBW…         bit      BT, BSF, POPCNT, BSWAP
//! string    MOVS, STOS, CMPS, SCAS, LODS       atomic   XADD, CMPXCHG, XCHG
//! cpuid     what CPUID says                    system   RDTSC, flags, the rest
//! segment   segment registers                  beyond   what x86-64-v2 does not have
//! ```
//!
//! Linux: none. Source: Intel SDM vol. 1, chapter 7; vol. 2. Left out: what has
//! no meaning in 64-bit mode.

mod alu;
mod atomic;
mod beyond;
mod bit;
mod control;
mod cpuid;
mod mov;
mod muldiv;
mod segment;
mod shift;
mod string;
mod system;

pub use beyond::is_beyond;
pub use mov::has_whole_address;
pub use system::{invalid, too_long, unsupported};

use super::decode::{Form, segment};
use super::insn::{Handler, Insn};

/// The handler of a general instruction.
pub fn select(form: &Form<'_>, out: &mut Insn) -> Option<Handler> {
    alu::select(form)
        .or_else(|| mov::select(form, out))
        .or_else(|| control::select(form))
        .or_else(|| shift::select(form, out))
        .or_else(|| muldiv::select(form))
        .or_else(|| bit::select(form))
        .or_else(|| string::select(form, out))
        .or_else(|| atomic::select(form, out))
        .or_else(|| segment::select(form))
        .or_else(|| system::select(form))
}

/// A handler for the operand width in bytes: `sized!(bytes, f::<W>)` with `W`
/// standing for the width.
macro_rules! sized {
    ($bytes:expr, $W:ident => $f:expr) => {
        match $bytes {
            1 => {
                type $W = crate::machine::interp::width::W8;
                Some($f as crate::machine::interp::insn::Handler)
            }
            2 => {
                type $W = crate::machine::interp::width::W16;
                Some($f as crate::machine::interp::insn::Handler)
            }
            4 => {
                type $W = crate::machine::interp::width::W32;
                Some($f as crate::machine::interp::insn::Handler)
            }
            8 => {
                type $W = crate::machine::interp::width::W64;
                Some($f as crate::machine::interp::insn::Handler)
            }
            _ => None,
        }
    };
}
use sized;
