//! General registers and the control-register bits.
//!
//! Linux: arch/x86/include/asm/ptrace.h, uapi/asm/processor-flags.h,
//! asm/segment.h. Source: Intel SDM vol. 1, section 3.4; vol. 3, section 2.5.
//! Left out: FPU and vector state, debug registers; DS, ES, FS and GS, see
//! `cpu::Selectors`.

use bitflags::bitflags;

/// Kernel code segment (`__KERNEL_CS`).
pub const KERNEL_CS: u64 = 0x10;
/// Kernel stack segment (`__KERNEL_DS`).
pub const KERNEL_DS: u64 = 0x18;
/// User code segment (`__USER_CS`).
pub const USER_CS: u64 = 0x33;
/// User code segment for 32-bit code (`__USER32_CS`).
pub const USER32_CS: u64 = 0x23;
/// User stack segment (`__USER_DS`).
pub const USER_DS: u64 = 0x2b;

/// Privilege level. x86 has four rings, Linux uses two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// Ring 0.
    Kernel,
    /// Ring 3.
    User,
}

bitflags! {
    /// CR0.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Cr0: u64 {
        /// Protection enable.
        const PE = 1 << 0;
        /// Monitor coprocessor.
        const MP = 1 << 1;
        /// Emulation: no FPU.
        const EM = 1 << 2;
        /// Task switched.
        const TS = 1 << 3;
        /// Extension type.
        const ET = 1 << 4;
        /// Numeric error.
        const NE = 1 << 5;
        /// Write protect: read-only pages bind ring 0 too.
        const WP = 1 << 16;
        /// Alignment mask.
        const AM = 1 << 18;
        /// Not write-through.
        const NW = 1 << 29;
        /// Cache disable.
        const CD = 1 << 30;
        /// Paging.
        const PG = 1 << 31;
    }

    /// CR4.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Cr4: u64 {
        /// Page size extensions.
        const PSE = 1 << 4;
        /// Physical address extension: 8-byte entries.
        const PAE = 1 << 5;
        /// Page global enable.
        const PGE = 1 << 7;
        /// 5-level paging.
        const LA57 = 1 << 12;
        /// FSGSBASE instructions.
        const FSGSBASE = 1 << 16;
        /// Ring 0 may not execute user pages.
        const SMEP = 1 << 20;
        /// Ring 0 may not read or write user pages while RFLAGS.AC is clear.
        const SMAP = 1 << 21;
    }

    /// The EFER register.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Efer: u64 {
        /// SYSCALL enable.
        const SCE = 1 << 0;
        /// Long mode enable.
        const LME = 1 << 8;
        /// Long mode active.
        const LMA = 1 << 10;
        /// No-execute enable.
        const NXE = 1 << 11;
    }

    /// RFLAGS.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Rflags: u64 {
        /// Carry.
        const CF = 1 << 0;
        /// Always 1.
        const FIXED = 1 << 1;
        /// Parity.
        const PF = 1 << 2;
        /// Auxiliary carry.
        const AF = 1 << 4;
        /// Zero.
        const ZF = 1 << 6;
        /// Sign.
        const SF = 1 << 7;
        /// Trap: single step.
        const TF = 1 << 8;
        /// Interrupts enabled.
        const IF = 1 << 9;
        /// Direction.
        const DF = 1 << 10;
        /// Overflow.
        const OF = 1 << 11;
        /// I/O privilege level, 2 bits.
        const IOPL = 3 << 12;
        /// Nested task.
        const NT = 1 << 14;
        /// Resume.
        const RF = 1 << 16;
        /// Virtual-8086 mode.
        const VM = 1 << 17;
        /// Alignment check; in ring 0 lifts SMAP.
        const AC = 1 << 18;
        /// Virtual interrupt flag.
        const VIF = 1 << 19;
        /// Virtual interrupt pending.
        const VIP = 1 << 20;
        /// CPUID exists.
        const ID = 1 << 21;
    }
}

/// The registers of one thread of execution, by Linux's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names are the manual's")]
pub struct Regs {
    pub ax: u64,
    pub bx: u64,
    pub cx: u64,
    pub dx: u64,
    pub si: u64,
    pub di: u64,
    pub bp: u64,
    pub sp: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    /// RIP.
    pub ip: u64,
    /// RFLAGS, see [`Rflags`].
    pub flags: u64,
    /// Code segment; its low two bits are the current privilege level.
    pub cs: u64,
    /// Stack segment.
    pub ss: u64,
}

impl Regs {
    /// What `start_thread` gives a new program: ring 3 at `ip` with stack
    /// `sp`, interrupts on, everything else 0.
    pub fn user(ip: u64, sp: u64) -> Regs {
        let flags = (Rflags::IF | Rflags::FIXED).bits();
        Regs { ip, sp, flags, cs: USER_CS, ss: USER_DS, ..Regs::default() }
    }

    /// Ring 0 with interrupts off, as after reset into 64-bit mode.
    pub fn kernel() -> Regs {
        let flags = Rflags::FIXED.bits();
        Regs { flags, cs: KERNEL_CS, ss: KERNEL_DS, ..Regs::default() }
    }

    /// The privilege level (`user_mode(regs)`).
    #[inline]
    pub fn ring(&self) -> Ring {
        if self.cs & 3 == 0 { Ring::Kernel } else { Ring::User }
    }

    /// Whether a flag is set.
    #[inline]
    pub fn has(&self, flag: Rflags) -> bool {
        self.flags & flag.bits() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_is_in_cs() {
        assert_eq!(Regs::user(0, 0).ring(), Ring::User);
        assert_eq!(Regs::kernel().ring(), Ring::Kernel);
        assert!(Regs::user(0, 0).has(Rflags::IF) && !Regs::kernel().has(Rflags::IF));
    }
}
