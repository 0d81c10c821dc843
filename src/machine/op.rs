//! User-mode operations: what a task can make its processor do while no
//! machine code drives it.
//!
//! Linux: none; these stand for single instructions.
//! Source: Intel SDM vol. 2 (MOV, LOCK CMPXCHG, XCHG, LOCK XADD, RDFSBASE,
//! IDIV, HLT, UD2, INT3, CLI, IN, WRMSR).
//! Left out: everything else; the instruction interpreter has it.

use super::Machine;
use super::exception::Exception;
use super::mmu::{Access, translate};
use super::regs::Ring;
use super::vmem::Size;
use crate::base::VirtAddr;

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserOp {
    /// MOV from memory.
    Load {
        /// Where.
        addr: VirtAddr,
        /// How wide.
        size: Size,
    },
    /// MOV to memory.
    Store {
        /// Where.
        addr: VirtAddr,
        /// How wide.
        size: Size,
        /// What; higher bits are dropped.
        value: u64,
    },
    /// A locked instruction: reads, changes and writes in one; gives what was
    /// there.
    Atomic {
        /// Where.
        addr: VirtAddr,
        /// How wide.
        size: Size,
        /// What becomes of it.
        change: Atomic,
    },
    /// RDFSBASE: where the thread's own data begins.
    FsBase,
    /// IDIV, 64 bits; gives the quotient.
    Divide {
        /// Dividend.
        a: i64,
        /// Divisor.
        b: i64,
    },
    /// Instruction fetch: whether code at the address could run.
    Exec {
        /// Where.
        addr: VirtAddr,
    },
    /// HLT: stop until an interrupt. Privileged.
    Hlt,
    /// CLI, IN, WRMSR, MOV to CR and their like. Privileged.
    Privileged,
    /// UD2: an instruction that is none.
    Ud2,
    /// INT3: breakpoint.
    Int3,
}

/// What a locked instruction does to a word. Bits beyond its width are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Atomic {
    /// LOCK CMPXCHG: `new` if it is `expected`, else what it was.
    CompareExchange {
        /// What must be there.
        expected: u64,
        /// What is to be there.
        new: u64,
    },
    /// XCHG, which locks by itself.
    Exchange(u64),
    /// LOCK XADD: this much more.
    FetchAdd(u64),
}

impl Atomic {
    fn apply(self, old: u64, size: Size) -> u64 {
        match self {
            Atomic::CompareExchange { expected, new } if old == expected & size.mask() => new,
            Atomic::CompareExchange { .. } => old,
            Atomic::Exchange(new) => new,
            Atomic::FetchAdd(n) => old.wrapping_add(n),
        }
    }
}

impl Machine {
    /// Executes an operation at the privilege level the CPU runs at. Gives the
    /// value loaded or replaced or the quotient, else 0. HLT and privileged instructions do
    /// nothing in ring 0; the kernel models their effect.
    ///
    /// # Errors
    /// The exception raised; nothing was written.
    #[inline]
    pub fn exec_op(&mut self, cpu: usize, op: UserOp) -> Result<u64, Exception> {
        let ring = self.cpus[cpu].ring();
        match op {
            UserOp::Load { addr, size } => self.load(cpu, addr, size, ring),
            UserOp::Store { addr, size, value } => {
                self.store(cpu, addr, size, value, ring).map(|()| 0)
            }
            UserOp::Atomic { addr, size, change } => {
                self.update(cpu, addr, size, ring, |old| change.apply(old, size))
            }
            UserOp::FsBase => Ok(self.cpus[cpu].msrs.fs_base),
            UserOp::Divide { a, b } => match a.checked_div(b) {
                Some(quotient) => Ok(quotient as u64),
                None => Err(Exception::DivideError),
            },
            UserOp::Exec { addr } => {
                translate(&mut self.cpus[cpu], &mut self.mem, addr, Access::Exec, ring).map(|_| 0)
            }
            UserOp::Hlt | UserOp::Privileged => match ring {
                Ring::Kernel => Ok(0),
                Ring::User => Err(Exception::GP),
            },
            UserOp::Ud2 => Err(Exception::InvalidOpcode),
            UserOp::Int3 => Err(Exception::Breakpoint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::{P, RW, Space, US};
    use crate::machine::{PagingLevels, PteFlags, Regs};

    #[test]
    fn operations_raise_what_the_instructions_would() {
        let mut s = Space::new(PagingLevels::Four);
        s.m.cpus[0].regs = Regs::user(0, 0);
        let mut run = |op| s.m.exec_op(0, op);
        assert_eq!(run(UserOp::Divide { a: -7, b: 2 }), Ok(-3i64 as u64));
        assert_eq!(run(UserOp::Divide { a: 1, b: 0 }), Err(Exception::DivideError));
        assert_eq!(run(UserOp::Divide { a: i64::MIN, b: -1 }), Err(Exception::DivideError));
        assert_eq!(run(UserOp::Hlt), Err(Exception::GP));
        assert_eq!(run(UserOp::Privileged), Err(Exception::GP));
        assert_eq!(run(UserOp::Ud2), Err(Exception::InvalidOpcode));
        assert_eq!(run(UserOp::Int3), Err(Exception::Breakpoint));
        s.m.cpus[0].regs = Regs::kernel();
        assert_eq!(s.m.exec_op(0, UserOp::Hlt), Ok(0));
    }

    #[test]
    fn memory_operations_use_the_current_ring() {
        let mut s = Space::new(PagingLevels::Four);
        let addr = VirtAddr(0x1000);
        s.map(addr, P | US | RW | PteFlags::NX);
        s.m.cpus[0].regs = Regs::user(0, 0);
        let store = UserOp::Store { addr, size: Size::Word, value: 0x1_2345 };
        assert_eq!(s.m.exec_op(0, store), Ok(0));
        assert_eq!(s.m.exec_op(0, UserOp::Load { addr, size: Size::Qword }), Ok(0x2345));
        let e = s.m.exec_op(0, UserOp::Exec { addr }).unwrap_err();
        assert_eq!(e.error_code(), Some(0x15));
        // A locked instruction writes, even where nothing changes.
        let swap = |expected, new| {
            let change = Atomic::CompareExchange { expected, new };
            UserOp::Atomic { addr, size: Size::Dword, change }
        };
        assert_eq!(s.m.exec_op(0, swap(1, 2)), Ok(0x2345));
        assert_eq!(s.m.exec_op(0, swap(0xf_0000_2345, 7)), Ok(0x2345), "32 bits are compared");
        let add = UserOp::Atomic { addr, size: Size::Byte, change: Atomic::FetchAdd(255) };
        assert_eq!(s.m.exec_op(0, add), Ok(7));
        let change = Atomic::Exchange(0xabcd);
        assert_eq!(s.m.exec_op(0, UserOp::Atomic { addr, size: Size::Word, change }), Ok(6));
        assert_eq!(s.m.exec_op(0, UserOp::Load { addr, size: Size::Qword }), Ok(0xabcd));
        s.map(VirtAddr(0x2000), P | US | PteFlags::NX);
        let read_only = UserOp::Atomic { addr: VirtAddr(0x2000), size: Size::Dword, change };
        assert_eq!(s.m.exec_op(0, read_only).unwrap_err().error_code(), Some(0x7));
        s.m.cpus[0].msrs.fs_base = 0x7f00;
        assert_eq!(s.m.exec_op(0, UserOp::FsBase), Ok(0x7f00));
        // SMAP: ring 0 may not touch it.
        s.m.cpus[0].regs = Regs::kernel();
        assert!(s.m.exec_op(0, store).is_err());
    }
}
