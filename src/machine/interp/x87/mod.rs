//! x87.

use super::decode::Form;
use super::insn::{Handler, Insn};

/// The handler of such an instruction.
pub fn select(_: &Form<'_>, _: &mut Insn) -> Option<Handler> {
    None
}
