//! What Intel's processors do otherwise than AMD's, which the emulated one follows
//! where they differ: not compared on Intel's.
//!
//! - A call to an address that no processor has: the return address is pushed
//!   before #GP.
//! - A repeated string instruction that faults: flags and the upper halves of
//!   32-bit counts and addresses are those of the next round or of the last one; the
//!   halves are cleared though no round is made.
//! - MASKMOVDQU and its kin: the fault is at the upper half.
//! - DPPS: which of several NaNs it gives.
//! - FXSAVE, FNSAVE, FNSTENV: the last instruction's address is stored though no
//!   exception is pending.
//! - Stores of x87 numbers with an exception that is not masked, and such that reach
//!   into a page that faults.
//! - FXSAVE and FXRSTOR where they should not be, while alignment is checked.

use crate::state::Outcome;
use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind};
use std::sync::LazyLock;

/// Whether the host's processor is one of Intel's.
static IS_INTEL: LazyLock<bool> = LazyLock::new(|| {
    std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("GenuineIntel"))
});

/// The instruction that raised what ended the test.
pub fn faulting<'i>(insns: &'i [Instruction], end: &Outcome) -> Option<&'i Instruction> {
    insns.iter().find(|i| end.vector != 3 && i.ip() == end.ip)
}

/// Whether a test ends otherwise on the host's processor for a reason.
pub fn leaves_open(insns: &[Instruction], end: &Outcome) -> bool {
    use Mnemonic as M;
    if !*IS_INTEL {
        return false;
    }
    let raises = faulting(insns, end).is_some_and(|i| {
        let repeats = i.has_rep_prefix() || i.has_repne_prefix();
        let calls = matches!(i.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
        calls
            || i.is_string_instruction() && repeats
            || matches!(i.mnemonic(), M::Maskmovdqu | M::Maskmovq)
            || matches!(i.mnemonic(), M::Fstp | M::Fbstp)
            || matches!(i.mnemonic(), M::Fxrstor | M::Fxrstor64)
    });
    let pending = end.fx[2] & 0x80 != 0;
    raises
        || insns.iter().any(|i| match i.mnemonic() {
            _ if i.is_string_instruction() => {
                let narrow = |k| {
                    matches!(k, OpKind::MemoryESEDI | OpKind::MemorySegESI | OpKind::MemorySegEDI)
                };
                narrow(i.op0_kind()) || narrow(i.op1_kind())
            }
            M::Dpps | M::Dppd => true,
            M::Fxsave | M::Fxsave64 | M::Fnsave | M::Fnstenv => true,
            M::Fst | M::Fstp | M::Fist | M::Fistp | M::Fisttp | M::Fbstp => pending,
            _ => false,
        })
}
