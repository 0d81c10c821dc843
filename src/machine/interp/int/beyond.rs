//! What the processor does not have: everything that `iced_x86` knows and that
//! is not in x86-64-v2 raises #UD, as on a processor that came before it.
//!
//! What it has and nobody executes stays unsupported: it is never taken for an
//! invalid instruction.
//!
//! Linux: none. Source: the x86-64 psABI, section 3.1.1 (levels). Left out:
//! nothing.

use iced_x86::{CpuidFeature as F, Instruction};

/// Whether the instruction needs more than this processor promises.
pub fn is_beyond(insn: &Instruction) -> bool {
    !insn.cpuid_features().iter().all(|f| is_promised(*f))
}

#[allow(clippy::match_like_matches_macro, reason = "a row each family")]
fn is_promised(f: F) -> bool {
    matches!(
        f,
        F::INTEL8086
            | F::INTEL186
            | F::INTEL286
            | F::INTEL386
            | F::INTEL486
            | F::X64
            | F::CPUID
            | F::TSC
            | F::MSR
            | F::CX8
            | F::CMOV
            | F::CLFSH
            | F::MULTIBYTENOP
            | F::PAUSE
            | F::RDPMC
            | F::RDTSCP
            | F::SYSCALL
            | F::FSGSBASE
            | F::CMPXCHG16B
            | F::FPU
            | F::FPU287
            | F::FPU387
            | F::FXSR
            | F::MMX
            | F::POPCNT
            | F::SSE
            | F::SSE2
            | F::SSE3
            | F::SSSE3
            | F::SSE4_1
            | F::SSE4_2
    )
}
