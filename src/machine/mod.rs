//! The machine: physical memory, paging, TLBs, CPUs, clock.
//!
//! It knows no process and never calls up: operations return a value or an
//! [`Exception`], and the kernel decides. Everything is plain data; cloning a
//! machine shares its memory until one side writes.
//!
//! ```text
//! op, vmem        loads, stores, the few instructions scripts need
//! mmu, tlb        translation with rights, A/D bits, page faults
//! interp          user instructions, decoded and executed
//! cpu, regs, fpu  registers; entry: SYSCALL, exceptions; ptregs: their layout
//! paging, pte     tables read without side effects
//! tables          loops over a table and its struct pages (fork, exit)
//! phys, access    allocator and struct page; reading and writing frames
//! frame, sparse   how the host stores a frame; chunks: how it stores many
//! ```
//!
//! Linux: none below arch/x86; this is the computer it runs on.
//! Source: Intel SDM. Left out: devices, firmware, interrupt controllers.

mod access;
mod chunks;
pub mod clock;
pub mod cpu;
pub mod entry;
pub mod exception;
pub mod fpu;
pub mod frame;
pub mod interp;
pub mod mmu;
pub mod op;
pub mod page;
pub mod paging;
pub mod phys;
pub mod pte;
pub mod ptregs;
pub mod regs;
pub mod sparse;
pub mod tables;
#[cfg(test)]
mod testing;
pub mod tlb;
pub mod vmem;

pub use clock::Clock;
pub use cpu::{Cpu, Msr, Msrs, Paging, Selectors};
pub use entry::{IretFrame, SYSCALL_LEN};
pub use exception::{Exception, PfError};
pub use fpu::{F80, FpuState, X87};
pub use frame::{FRAME_WORDS, Frame, FrameMut};
pub use interp::{Accel, AccessKind, Exit, HWCAP, Run, accesses_of, disassemble};
pub use mmu::{Access, translate};
pub use op::{Atomic, UserOp};
pub use page::{Page, PageBug, PageFlags};
pub use paging::{Level, PagingLevels, Walk, WalkError, WalkStep, entry_addr};
pub use phys::{LOW_RESERVED, PHYS_BITS, PageRun, PhysMem};
pub use pte::{Pte, PteFlags};
pub use regs::{Cr0, Cr4, Efer, KERNEL_CS, KERNEL_DS, Regs, Rflags, Ring, USER_CS, USER_DS};
pub use tables::{CopyEntry, ZapEntry};
pub use tlb::{Rights, Tlb, TlbEntry, TlbStats};
pub use vmem::{Partial, Size};

/// What kind of machine to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineConfig {
    /// Number of processors; 0 counts as 1.
    pub cpus: u32,
    /// Size of RAM, rounded down to pages.
    pub ram_bytes: u64,
    /// Levels of page tables.
    pub paging_levels: PagingLevels,
    /// Whether there is address translation.
    pub mmu: bool,
    /// Whether pages can be protected against execution.
    pub nx: bool,
}

impl Default for MachineConfig {
    fn default() -> Self {
        MachineConfig {
            cpus: 1,
            ram_bytes: 256 << 20,
            paging_levels: PagingLevels::Four,
            mmu: true,
            nx: true,
        }
    }
}

/// The computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// RAM.
    pub mem: PhysMem,
    /// Processors; at least one.
    pub cpus: Vec<Cpu>,
    /// Time.
    pub clock: Clock,
    /// What it was built from.
    pub config: MachineConfig,
    /// Decoded instructions and the like: no part of its value.
    pub accel: Accel,
}

impl Machine {
    /// A machine just after the boot code of Linux has set up its CPUs.
    pub fn new(config: MachineConfig) -> Machine {
        let paging = match (config.mmu, config.nx) {
            (false, _) => Paging::None,
            (true, true) => Paging::WithNx,
            (true, false) => Paging::WithoutNx,
        };
        let cpus = 0..config.cpus.max(1);
        Machine {
            mem: PhysMem::new(config.ram_bytes),
            cpus: cpus.map(|id| Cpu::new(id, config.paging_levels, paging)).collect(),
            clock: Clock::default(),
            config,
            accel: Accel::default(),
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Machine::new(MachineConfig::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_plain_data() {
        fn is_plain<T: Clone + Eq + std::fmt::Debug + Send + Sync>() {}
        is_plain::<Machine>();
        let m = Machine::new(MachineConfig { cpus: 0, ..MachineConfig::default() });
        assert_eq!(m.cpus.len(), 1);
        assert_eq!(m, m.clone());
    }
}
