//! The interpreter: user-mode x86-64 instructions, decoded once a block and
//! executed by one handler each.
//!
//! ```text
//! run       the loop over blocks           Machine::run -> Run
//! core      registers and memory of the processor at work
//! decode    bytes -> Insn                  by iced_x86
//! insn      a decoded instruction          code: blocks of them, by frame
//! fastmem   pages in use, as host memory   soft: pages translated in a run
//! flags     worked out when asked          width: operand sizes as types
//! int       general instructions           sse (with MMX), x87: the others
//! disasm    their text                 operands: memory they access
//! softfloat what the host's floating point does not tell
//! ```
//!
//! What CPUID promises is x86-64-v2: up to SSE4.2, POPCNT and CMPXCHG16B, no
//! AVX. An instruction without a handler is not executed, and says so
//! ([`Exit::Unsupported`]); none is executed wrongly.
//!
//! Linux: none; this is the processor. Source: Intel SDM vol. 1 and 2.
//! Left out: ring 0, 16- and 32-bit code, AVX, a just-in-time compiler.

mod code;
mod core;
mod decode;
mod disasm;
mod fastmem;
mod flags;
mod insn;
mod int;
mod operands;
mod run;
mod soft;
mod softfloat;
mod sse;
#[cfg(test)]
mod testing;
mod width;
mod x87;

pub use decode::is_supported;
pub use disasm::disassemble;
pub use operands::{AccessKind, accesses_of};

use super::exception::Exception;

/// What CPUID leaf 1 gives in EDX: FPU, TSC, MSR, PAE, CX8, SEP, PGE, CMOV, CLFSH,
/// MMX, FXSR, SSE, SSE2.
pub const HWCAP: u32 =
    1 << 0 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 11 | 1 << 13 | 1 << 15 | 1 << 19 | 0xf << 23;

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The instruction at RIP is SYSCALL.
    Syscall,
    /// The instruction at RIP raises this; INT3 and single steps: the one before it did.
    Exception(Exception),
    /// The instruction at RIP has no handler.
    Unsupported,
    /// All that was asked for is executed.
    Budget,
    /// The instruction at RIP is one to stop at.
    Breakpoint,
}

/// What came of running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Why it ended.
    pub exit: Exit,
    /// How many instructions were executed to their end.
    pub retired: u64,
}

/// What makes running fast and is no part of the machine's value: a copy begins
/// with nothing, and all are equal.
#[derive(Debug, Default)]
pub struct Accel(Option<Box<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    fast: fastmem::FastMem,
    soft: soft::Soft,
    code: code::Code,
    frames: code::CodeFrames,
}

impl Clone for Accel {
    fn clone(&self) -> Self {
        Accel::default()
    }
}

impl PartialEq for Accel {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Accel {}
