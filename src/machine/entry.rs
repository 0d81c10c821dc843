//! What SYSCALL, SYSRET, an exception and IRET do to the registers.
//!
//! Linux: arch/x86/entry/entry_64.S starts where this ends.
//! Source: Intel SDM vol. 2 (SYSCALL, SYSRET, IRET), vol. 3 section 7.14.
//! Left out: the interrupt descriptor table (the kernel passes the handler),
//! interrupt stack table, SYSENTER, INT 0x80.

use super::cpu::Cpu;
use super::exception::Exception;
use super::regs::{Efer, KERNEL_CS, Rflags, Ring};

/// Length of the SYSCALL instruction.
pub const SYSCALL_LEN: u64 = 2;

/// RFLAGS bits that SYSRET and IRET restore from memory or registers.
const RESTORED: u64 = 0x3c_7fd7;

/// What the processor pushes when an exception or interrupt is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IretFrame {
    /// Where to go on.
    pub ip: u64,
    /// Code segment, with the interrupted privilege level.
    pub cs: u64,
    /// Flags.
    pub flags: u64,
    /// Stack pointer.
    pub sp: u64,
    /// Stack segment.
    pub ss: u64,
}

impl Cpu {
    /// SYSCALL with `ip` at the instruction: enters ring 0 at LSTAR. Return
    /// address and flags go to RCX and R11; the stack pointer stays the
    /// user's.
    ///
    /// # Errors
    /// #UD when EFER.SCE is clear.
    pub fn syscall(&mut self) -> Result<(), Exception> {
        if !self.msrs.efer.contains(Efer::SCE) {
            return Err(Exception::InvalidOpcode);
        }
        let selectors = self.msrs.star >> 32;
        let r = &mut self.regs;
        r.cx = r.ip.wrapping_add(SYSCALL_LEN);
        r.r11 = r.flags & !Rflags::RF.bits();
        r.ip = self.msrs.lstar;
        r.flags = r.flags & !self.msrs.fmask & !Rflags::RF.bits() | Rflags::FIXED.bits();
        r.cs = selectors & 0xfffc;
        r.ss = (selectors & 0xffff).wrapping_add(8);
        Ok(())
    }

    /// SYSRET: back to ring 3 at RCX with the flags from R11.
    ///
    /// # Errors
    /// #UD when EFER.SCE is clear; #GP outside ring 0, and for a non-canonical
    /// RCX: still in ring 0, but on the user's stack, which is why Linux
    /// checks the address itself and takes IRET instead.
    pub fn sysret(&mut self) -> Result<(), Exception> {
        if !self.msrs.efer.contains(Efer::SCE) {
            return Err(Exception::InvalidOpcode);
        }
        if self.ring() != Ring::Kernel || !self.is_canonical(self.regs.cx) {
            return Err(Exception::GP);
        }
        let selectors = self.msrs.star >> 48;
        let r = &mut self.regs;
        r.ip = r.cx;
        r.flags = r.r11 & RESTORED | Rflags::FIXED.bits();
        r.cs = (selectors + 16) | 3;
        r.ss = (selectors + 8) | 3;
        Ok(())
    }

    /// Delivers an exception or interrupt to `handler`: switches to ring 0 and,
    /// coming from ring 3, to the stack at `rsp0`. Returns what the processor
    /// pushes; the kernel stores it as part of `pt_regs`.
    pub fn enter_exception(&mut self, handler: u64) -> IretFrame {
        let from = self.regs.ring();
        let r = &mut self.regs;
        let frame = IretFrame { ip: r.ip, cs: r.cs, flags: r.flags, sp: r.sp, ss: r.ss };
        if from == Ring::User {
            r.sp = self.rsp0;
            // A null selector, as the processor loads on a stack switch.
            r.ss = 0;
        }
        let cleared = Rflags::IF | Rflags::TF | Rflags::NT | Rflags::RF | Rflags::VM;
        r.flags &= !cleared.bits();
        r.cs = KERNEL_CS;
        r.ip = handler;
        frame
    }

    /// IRET: goes back to what [`Cpu::enter_exception`] returned, or to a frame
    /// the kernel or a script made up.
    ///
    /// # Errors
    /// #GP outside ring 0 (the kernel uses it nowhere else), for a
    /// non-canonical address and for segments that do not agree on the ring.
    pub fn iret(&mut self, frame: IretFrame) -> Result<(), Exception> {
        let ring_of_ss_differs = frame.ss & 3 != frame.cs & 3 && frame.ss != 0;
        let bad_ring = !matches!(frame.cs & 3, 0 | 3) || ring_of_ss_differs;
        if self.ring() != Ring::Kernel || bad_ring || !self.is_canonical(frame.ip) {
            return Err(Exception::GP);
        }
        let r = &mut self.regs;
        r.ip = frame.ip;
        r.cs = frame.cs;
        r.flags = frame.flags & RESTORED | Rflags::FIXED.bits();
        r.sp = frame.sp;
        r.ss = frame.ss;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::cpu::Paging;
    use crate::machine::{Msr, PagingLevels, Regs, USER_CS, USER_DS};

    fn cpu() -> Cpu {
        let mut c = Cpu::new(0, PagingLevels::Four, Paging::WithNx);
        c.wrmsr(Msr::Lstar, 0xffff_ffff_8100_0000).unwrap();
        c.rsp0 = 0xffff_c900_0000_4000;
        c.regs = Regs::user(0x40_1000, 0x7fff_0000);
        c.regs.flags |= (Rflags::CF | Rflags::DF).bits();
        c
    }

    #[test]
    fn syscall_and_back() {
        let mut c = cpu();
        let user = c.regs;
        c.syscall().unwrap();
        assert_eq!(c.ring(), Ring::Kernel);
        assert_eq!((c.regs.cx, c.regs.r11), (0x40_1002, user.flags));
        assert_eq!((c.regs.ip, c.regs.flags), (0xffff_ffff_8100_0000, 2));
        assert_eq!((c.regs.cs, c.regs.ss, c.regs.sp), (0x10, 0x18, user.sp));
        c.sysret().unwrap();
        let (cx, r11) = (c.regs.cx, c.regs.r11);
        assert_eq!(c.regs, Regs { ip: 0x40_1002, cx, r11, ..user });
        assert_eq!((c.regs.cs, c.regs.ss), (USER_CS, USER_DS));
    }

    #[test]
    fn sysret_refuses() {
        let mut c = cpu();
        assert_eq!(c.sysret(), Err(Exception::GP));
        c.syscall().unwrap();
        c.regs.cx = 0x8000_0000_0000;
        let before = c.clone();
        assert_eq!(c.sysret(), Err(Exception::GP));
        assert_eq!(c, before);
        c.msrs.efer.remove(Efer::SCE);
        assert_eq!(c.sysret(), Err(Exception::InvalidOpcode));
        assert_eq!(c.syscall(), Err(Exception::InvalidOpcode));
    }

    #[test]
    fn exception_and_back() {
        let mut c = cpu();
        let user = c.regs;
        let frame = c.enter_exception(0xffff_ffff_8200_0000);
        assert_eq!((c.ring(), c.regs.sp), (Ring::Kernel, c.rsp0));
        assert!(!c.regs.has(Rflags::IF) && c.regs.has(Rflags::DF));
        // A fault inside the kernel stays on its stack.
        c.regs.sp -= 64;
        let sp = c.regs.sp;
        let nested = c.enter_exception(0xffff_ffff_8200_0000);
        assert_eq!((c.regs.sp, nested.cs), (sp, KERNEL_CS));
        c.iret(nested).unwrap();
        c.iret(frame).unwrap();
        assert_eq!(c.regs, user);
        assert_eq!(c.iret(frame), Err(Exception::GP));
    }

    #[test]
    fn iret_refuses_made_up_frames() {
        let mut c = cpu();
        let good = c.enter_exception(0);
        for bad in [
            IretFrame { ip: 1 << 47, ..good },
            IretFrame { cs: 0x31, ..good },
            IretFrame { ss: 0x28, ..good },
        ] {
            assert_eq!(c.iret(bad), Err(Exception::GP));
        }
        c.iret(good).unwrap();
    }
}
