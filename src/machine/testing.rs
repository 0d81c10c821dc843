//! A small address space for this layer's tests.
//!
//! Linux: none. Left out: everything a kernel would check.

use super::mmu::{Access, translate};
use super::paging::{self, Level, entry_addr};
use super::{Exception, Machine, MachineConfig, PageFlags, PagingLevels, Pte, PteFlags, Ring};
use crate::base::{Pfn, PhysAddr, VirtAddr};

pub(super) const P: PteFlags = PteFlags::P;
pub(super) const RW: PteFlags = PteFlags::RW;
pub(super) const US: PteFlags = PteFlags::US;

pub(super) struct Space {
    pub(super) m: Machine,
    pub(super) cr3: Pfn,
    levels: PagingLevels,
}

impl Space {
    pub(super) fn new(levels: PagingLevels) -> Space {
        let config =
            MachineConfig { ram_bytes: 4 << 20, paging_levels: levels, ..MachineConfig::default() };
        let mut m = Machine::new(config);
        let cr3 = m.mem.alloc_page(PageFlags::PGTABLE).unwrap();
        m.cpus[0].load_cr3(cr3);
        Space { m, cr3, levels }
    }

    /// Maps a fresh page.
    pub(super) fn map(&mut self, va: VirtAddr, flags: PteFlags) -> Pfn {
        let mut table = self.cr3;
        for &level in self.levels.levels() {
            let at = entry_addr(table, self.levels.table_index(level, va));
            if level == Level::Pte {
                let pfn = self.m.mem.alloc_page(PageFlags::ANON).unwrap();
                self.m.mem.write_u64(at, Pte::new(pfn, flags).0);
                return pfn;
            }
            let mut entry = Pte(self.m.mem.read_u64(at));
            if !entry.is_present() {
                let pfn = self.m.mem.alloc_page(PageFlags::PGTABLE).unwrap();
                entry = Pte::new(pfn, P | RW | US);
                self.m.mem.write_u64(at, entry.0);
            }
            table = entry.pfn();
        }
        unreachable!("the last level returns")
    }

    pub(super) fn pte(&self, va: VirtAddr) -> Pte {
        paging::lookup(&self.m.mem, self.cr3, self.levels, va).unwrap().unwrap().1
    }

    pub(super) fn set_entry(&mut self, va: VirtAddr, pte: Pte) {
        let at = paging::pte_addr(&self.m.mem, self.cr3, self.levels, va).unwrap().unwrap();
        self.m.mem.write_u64(at, pte.0);
    }

    pub(super) fn set(&mut self, va: VirtAddr, flags: PteFlags) {
        self.set_entry(va, self.pte(va).with_flags(flags));
    }

    pub(super) fn user(&mut self, va: VirtAddr, access: Access) -> Result<PhysAddr, Exception> {
        translate(&mut self.m.cpus[0], &mut self.m.mem, va, access, Ring::User)
    }

    pub(super) fn kernel(&mut self, va: VirtAddr, access: Access) -> Result<PhysAddr, Exception> {
        translate(&mut self.m.cpus[0], &mut self.m.mem, va, access, Ring::Kernel)
    }
}
