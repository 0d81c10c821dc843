//! Processor exceptions: vector, error code, sentence.
//!
//! Linux: arch/x86/include/asm/trapnr.h, trap_pf.h, kernel/traps.c.
//! Source: Intel SDM vol. 3, chapter 7, and section 5.7 for the page-fault
//! error code.
//! Left out: NMI, machine checks, task gates, and everything only
//! segmentation can raise.

use crate::base::VirtAddr;
use bitflags::bitflags;
use std::fmt;

bitflags! {
    /// Page-fault error code (`enum x86_pf_error_code`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct PfError: u32 {
        /// The page was present: rights were missing (`X86_PF_PROT`). Clear:
        /// no page was there.
        const P = 1 << 0;
        /// The access was a write (`X86_PF_WRITE`).
        const W = 1 << 1;
        /// The access came from ring 3 (`X86_PF_USER`).
        const U = 1 << 2;
        /// A reserved bit was set in an entry (`X86_PF_RSVD`).
        const RSVD = 1 << 3;
        /// The access was an instruction fetch (`X86_PF_INSTR`).
        const I = 1 << 4;
    }
}

/// What the processor raises instead of finishing an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// #DE: division by zero, or the quotient does not fit.
    DivideError,
    /// #DB: single step or breakpoint register.
    Debug,
    /// #BP: INT3.
    Breakpoint,
    /// #OF: INTO.
    Overflow,
    /// #UD: no such instruction.
    InvalidOpcode,
    /// #NM: no FPU at the moment.
    DeviceNotAvailable,
    /// #DF: an exception while another was delivered.
    DoubleFault {
        /// Always 0.
        code: u32,
    },
    /// #SS: a non-canonical stack address.
    StackFault {
        /// 0, or a segment selector.
        code: u32,
    },
    /// #GP: a privileged instruction in ring 3, a non-canonical address, a
    /// register value the processor refuses.
    GeneralProtection {
        /// 0, or a segment selector.
        code: u32,
    },
    /// #PF: translation failed. CR2 holds the address.
    PageFault {
        /// The address accessed.
        addr: VirtAddr,
        /// What kind of access, and why it failed.
        code: PfError,
    },
    /// #MF: an unmasked x87 exception is pending.
    X87FloatingPoint,
    /// #AC: unaligned access while checked.
    AlignmentCheck,
    /// #XM: an unmasked SSE floating-point exception; MXCSR says which.
    SimdFloatingPoint,
}

impl Exception {
    /// #GP with error code 0, by far the most frequent.
    pub const GP: Exception = Exception::GeneralProtection { code: 0 };

    /// The vector number (`X86_TRAP_*`).
    pub fn vector(self) -> u8 {
        match self {
            Exception::DivideError => 0,
            Exception::Debug => 1,
            Exception::Breakpoint => 3,
            Exception::Overflow => 4,
            Exception::InvalidOpcode => 6,
            Exception::DeviceNotAvailable => 7,
            Exception::DoubleFault { .. } => 8,
            Exception::StackFault { .. } => 12,
            Exception::GeneralProtection { .. } => 13,
            Exception::PageFault { .. } => 14,
            Exception::X87FloatingPoint => 16,
            Exception::AlignmentCheck => 17,
            Exception::SimdFloatingPoint => 19,
        }
    }

    /// The manual's mnemonic.
    pub fn mnemonic(self) -> &'static str {
        match self {
            Exception::DivideError => "#DE",
            Exception::Debug => "#DB",
            Exception::Breakpoint => "#BP",
            Exception::Overflow => "#OF",
            Exception::InvalidOpcode => "#UD",
            Exception::DeviceNotAvailable => "#NM",
            Exception::DoubleFault { .. } => "#DF",
            Exception::StackFault { .. } => "#SS",
            Exception::GeneralProtection { .. } => "#GP",
            Exception::PageFault { .. } => "#PF",
            Exception::X87FloatingPoint => "#MF",
            Exception::AlignmentCheck => "#AC",
            Exception::SimdFloatingPoint => "#XM",
        }
    }

    /// The error code the processor pushes, if this exception has one.
    pub fn error_code(self) -> Option<u32> {
        match self {
            Exception::DoubleFault { code }
            | Exception::StackFault { code }
            | Exception::GeneralProtection { code } => Some(code),
            Exception::PageFault { code, .. } => Some(code.bits()),
            Exception::AlignmentCheck => Some(0),
            _ => None,
        }
    }

    /// Whether the saved instruction pointer is that of the next instruction
    /// (a trap) and not of this one (a fault, which is tried again).
    pub fn is_trap(self) -> bool {
        matches!(self, Exception::Breakpoint | Exception::Overflow | Exception::Debug)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.mnemonic())?;
        match *self {
            Exception::DivideError => f.write_str("division by zero or quotient too large"),
            Exception::Debug => f.write_str("debug trap"),
            Exception::Breakpoint => f.write_str("breakpoint"),
            Exception::Overflow => f.write_str("overflow"),
            Exception::InvalidOpcode => f.write_str("invalid instruction"),
            Exception::DeviceNotAvailable => f.write_str("FPU not available"),
            Exception::DoubleFault { .. } => f.write_str("double fault"),
            Exception::StackFault { code } => write!(f, "stack fault, error code {code:#x}"),
            Exception::GeneralProtection { code } => {
                write!(f, "general protection, error code {code:#x}")
            }
            Exception::PageFault { addr, code } => {
                let who = if code.contains(PfError::U) { "user" } else { "kernel" };
                let what = if code.contains(PfError::I) {
                    "instruction fetch"
                } else if code.contains(PfError::W) {
                    "write"
                } else {
                    "read"
                };
                let why = if code.contains(PfError::RSVD) {
                    "a reserved bit is set in the page tables"
                } else if code.contains(PfError::P) {
                    "the page does not allow it"
                } else {
                    "no page is there"
                };
                write!(f, "{who} {what} at {addr}, {why} (error code {:#x})", code.bits())
            }
            Exception::X87FloatingPoint => f.write_str("x87 floating-point exception"),
            Exception::AlignmentCheck => f.write_str("unaligned access"),
            Exception::SimdFloatingPoint => f.write_str("SSE floating-point exception"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_faults_read_as_sentences() {
        let e = Exception::PageFault { addr: VirtAddr(0x1000), code: PfError::W | PfError::U };
        assert_eq!(e.to_string(), "#PF: user write at 0x1000, no page is there (error code 0x6)");
        assert_eq!((e.vector(), e.error_code()), (14, Some(6)));
        assert_eq!(Exception::GP.to_string(), "#GP: general protection, error code 0x0");
        assert_eq!(Exception::DivideError.error_code(), None);
        assert!(Exception::Breakpoint.is_trap() && !e.is_trap());
    }
}
