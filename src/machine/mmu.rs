//! Address translation as the processor does it: TLB, then a walk that sets
//! accessed and dirty bits, then a page fault with its error code.
//!
//! Linux: none, this is hardware; arch/x86/mm/fault.c reads what it reports.
//! Source: Intel SDM vol. 3, sections 5.6 (access rights), 5.7 (page faults),
//! 5.8 (accessed and dirty bits), 5.10.4 (invalidation by page faults).
//! Left out: huge pages: PS set in a directory counts as a reserved bit
//! ([`super::paging::walk`] names it). Accessed bits of upper levels are set
//! when the translation succeeds; real processors may set them earlier.

use super::cpu::Cpu;
use super::exception::{Exception, PfError};
use super::paging::{Level, entry_addr};
use super::phys::PhysMem;
use super::pte::{Pte, PteFlags};
use super::regs::{Cr0, Cr4, Efer, Rflags, Ring};
use super::tlb::Rights;
use crate::base::{Pfn, PhysAddr, VirtAddr};

/// Kind of memory access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Data read.
    Read,
    /// Data write.
    Write,
    /// Instruction fetch.
    Exec,
}

/// Translates `va` for an access by `ring`. The kernel passes its own ring
/// when it reads user memory on behalf of a task.
///
/// Without an MMU the address is the physical one and must lie in RAM.
///
/// # Errors
/// #GP for a non-canonical address; #PF, with CR2 set, when the tables do not
/// allow the access.
#[inline]
pub fn translate(
    cpu: &mut Cpu,
    mem: &mut PhysMem,
    va: VirtAddr,
    access: Access,
    ring: Ring,
) -> Result<PhysAddr, Exception> {
    if let Some((pfn, rights)) = cpu.tlb.lookup(va) {
        // A write through an entry that was not dirty walks again to set D.
        let must_set_dirty = access == Access::Write && !rights.contains(Rights::DIRTY);
        if allows(cpu, rights, access, ring) && !must_set_dirty {
            cpu.tlb.stats.hits += 1;
            return Ok(PhysAddr(pfn.addr().0 | va.offset()));
        }
        if !allows(cpu, rights, access, ring) {
            // The cached rights decide, even when the tables have become more
            // generous: a spurious fault. It drops the entry, so the second
            // try walks.
            cpu.tlb.stats.hits += 1;
            return Err(page_fault(cpu, va, access, ring, PfError::P));
        }
    }
    translate_slow(cpu, mem, va, access, ring)
}

fn translate_slow(
    cpu: &mut Cpu,
    mem: &mut PhysMem,
    va: VirtAddr,
    access: Access,
    ring: Ring,
) -> Result<PhysAddr, Exception> {
    if !cpu.cr0.contains(Cr0::PG) {
        let inside = va.0 >> crate::base::PAGE_SHIFT < u64::from(mem.total_pages());
        return if inside { Ok(PhysAddr(va.0)) } else { Err(Exception::GP) };
    }
    if !cpu.is_canonical(va.0) {
        return Err(Exception::GP);
    }
    cpu.tlb.stats.misses += 1;
    let (pfn, rights) = match walk_tables(cpu, mem, va, access, ring) {
        Ok(found) => found,
        Err(why) => return Err(page_fault(cpu, va, access, ring, why)),
    };
    cpu.tlb.insert(va, pfn, rights);
    Ok(PhysAddr(pfn.addr().0 | va.offset()))
}

/// The walk proper. Fails with the part of the error code that says why.
fn walk_tables(
    cpu: &mut Cpu,
    mem: &mut PhysMem,
    va: VirtAddr,
    access: Access,
    ring: Ring,
) -> Result<(Pfn, Rights), PfError> {
    let paging = cpu.levels();
    let nxe = cpu.msrs.efer.contains(Efer::NXE);
    let mut table = cpu.pgd();
    let mut rights = Rights::WRITE | Rights::USER | Rights::EXEC;
    let mut path = [(PhysAddr(0), Pte::NONE); 5];
    let mut depth = 0;
    for &level in paging.levels() {
        let at = entry_addr(table, paging.table_index(level, va));
        let entry = Pte(mem.read_u64(at));
        if !entry.is_present() {
            return Err(PfError::empty());
        }
        let huge = level != Level::Pte && entry.has(PteFlags::PS);
        let bad_nx = entry.has(PteFlags::NX) && !nxe;
        if entry.reserved_bits() != 0 || huge || bad_nx {
            return Err(PfError::P | PfError::RSVD);
        }
        if !entry.has(PteFlags::RW) {
            rights.remove(Rights::WRITE);
        }
        if !entry.has(PteFlags::US) {
            rights.remove(Rights::USER);
        }
        if entry.has(PteFlags::NX) {
            rights.remove(Rights::EXEC);
        }
        path[depth] = (at, entry);
        depth += 1;
        table = entry.pfn();
    }
    if !allows(cpu, rights, access, ring) {
        return Err(PfError::P);
    }
    let dirty = if access == Access::Write { PteFlags::D } else { PteFlags::empty() };
    for (i, &(at, entry)) in path[..depth].iter().enumerate() {
        let is_leaf = i + 1 == depth;
        let marked = entry.with(if is_leaf { PteFlags::A | dirty } else { PteFlags::A });
        if marked != entry {
            mem.write_u64(at, marked.0);
            cpu.tlb.stats.marked += 1;
        }
        if is_leaf {
            rights.set(Rights::DIRTY, marked.is_dirty());
            let global = entry.has(PteFlags::G) && cpu.cr4.contains(Cr4::PGE);
            rights.set(Rights::GLOBAL, global);
        }
    }
    Ok((table, rights))
}

/// Whether a page with these rights allows the access. Intel SDM vol. 3,
/// section 5.6.1.
#[inline]
fn allows(cpu: &Cpu, rights: Rights, access: Access, ring: Ring) -> bool {
    let user_page = rights.contains(Rights::USER);
    match (ring, access) {
        (Ring::User, _) if !user_page => false,
        (Ring::User, Access::Read) => true,
        (Ring::User, Access::Write) => rights.contains(Rights::WRITE),
        (_, Access::Exec) => {
            let smep = ring == Ring::Kernel && user_page && cpu.cr4.contains(Cr4::SMEP);
            rights.contains(Rights::EXEC) && !smep
        }
        (Ring::Kernel, _) if user_page && smap(cpu) => false,
        (Ring::Kernel, Access::Read) => true,
        (Ring::Kernel, Access::Write) => {
            rights.contains(Rights::WRITE) || !cpu.cr0.contains(Cr0::WP)
        }
    }
}

#[inline]
fn smap(cpu: &Cpu) -> bool {
    cpu.cr4.contains(Cr4::SMAP) && !cpu.regs.has(Rflags::AC)
}

#[cold]
fn page_fault(cpu: &mut Cpu, va: VirtAddr, access: Access, ring: Ring, why: PfError) -> Exception {
    let mut code = why;
    code.set(PfError::W, access == Access::Write);
    code.set(PfError::U, ring == Ring::User);
    // Reported only where fetches can be forbidden at all.
    let fetch_rules = cpu.msrs.efer.contains(Efer::NXE) || cpu.cr4.contains(Cr4::SMEP);
    code.set(PfError::I, access == Access::Exec && fetch_rules);
    cpu.cr2 = va;
    cpu.tlb.forget(va);
    Exception::PageFault { addr: va, code }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::{P, RW, Space, US};
    use crate::machine::{Machine, MachineConfig, PageFlags, PagingLevels, paging};

    const VA: VirtAddr = VirtAddr(0x40_1234);

    fn space() -> Space {
        Space::new(PagingLevels::Four)
    }

    fn code(e: Result<PhysAddr, Exception>) -> u32 {
        match e {
            Err(Exception::PageFault { code, .. }) => code.bits(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn error_codes_say_what_and_why() {
        let mut s = space();
        assert_eq!(code(s.user(VA, Access::Read)), 4);
        assert_eq!(s.m.cpus[0].cr2, VA);
        assert_eq!(code(s.user(VA, Access::Write)), 6);
        assert_eq!(code(s.user(VA, Access::Exec)), 0x14);
        assert_eq!(code(s.kernel(VA, Access::Write)), 2);
        s.map(VA, P | US);
        assert_eq!(code(s.user(VA, Access::Write)), 7);
        assert!(s.user(VA, Access::Exec).is_ok());
        s.set(VA, P | US | RW | PteFlags::NX);
        s.m.cpus[0].tlb.flush_all();
        assert_eq!(code(s.user(VA, Access::Exec)), 0x15);
        assert!(s.user(VA, Access::Write).is_ok());
        s.set(VA, P | RW);
        s.m.cpus[0].invlpg(VA);
        assert_eq!(code(s.user(VA, Access::Read)), 5);
        assert!(s.kernel(VA, Access::Exec).is_ok());
    }

    #[test]
    fn rights_are_the_and_of_all_levels() {
        for step in 0..3 {
            let mut s = space();
            s.map(VA, P | US | RW);
            let w = paging::walk(&s.m.mem, s.cr3, PagingLevels::Four, VA).steps[step];
            let at = entry_addr(w.table, w.index);
            s.m.mem.write_u64(at, w.entry.without(RW).0);
            assert_eq!(code(s.user(VA, Access::Write)), 7);
            s.m.mem.write_u64(at, w.entry.without(US).0);
            s.m.cpus[0].tlb.flush_all();
            assert_eq!(code(s.user(VA, Access::Read)), 5);
            s.m.mem.write_u64(at, w.entry.with(PteFlags::NX).0);
            assert_eq!(code(s.user(VA, Access::Exec)), 0x15);
            s.m.mem.write_u64(at, w.entry.with(PteFlags::PS).0);
            assert_eq!(code(s.user(VA, Access::Read)), 0xd);
        }
    }

    #[test]
    fn the_walk_sets_accessed_and_dirty() {
        for levels in [PagingLevels::Four, PagingLevels::Five] {
            let mut s = Space::new(levels);
            s.map(VA, P | US | RW);
            s.user(VA, Access::Read).unwrap();
            let w = paging::walk(&s.m.mem, s.cr3, levels, VA);
            assert!(w.steps.iter().all(|s| s.entry.is_young() && !s.entry.is_dirty()));
            assert_eq!(s.m.cpus[0].tlb.stats.misses, 1);
            // Cached, but not dirty: walks again.
            s.user(VA, Access::Write).unwrap();
            assert!(s.pte(VA).is_dirty());
            assert_eq!(s.m.cpus[0].tlb.stats.misses, 2);
            s.user(VA, Access::Write).unwrap();
            assert_eq!(s.m.cpus[0].tlb.stats.hits, 1);
            let w = paging::walk(&s.m.mem, s.cr3, levels, VA);
            let dirty: Vec<_> = w.steps.iter().map(|s| s.entry.is_dirty()).collect();
            assert_eq!(dirty.iter().filter(|d| **d).count(), 1);
        }
    }

    #[test]
    fn a_forgotten_flush_shows() {
        let mut s = space();
        let old = s.map(VA, P | US | RW);
        let at = s.user(VA, Access::Write).unwrap();
        assert_eq!(at.pfn(), old);
        // Write-protected without a flush: the write still goes through.
        s.set(VA, P | US);
        assert!(s.user(VA, Access::Write).is_ok());
        // Remapped without a flush: still the old page.
        let new = s.m.mem.alloc_page(PageFlags::ANON).unwrap();
        s.set_entry(VA, Pte::new(new, P | US | RW));
        assert_eq!(s.user(VA, Access::Read).unwrap().pfn(), old);
        s.m.cpus[0].invlpg(VA);
        assert_eq!(s.user(VA, Access::Read).unwrap().pfn(), new);
    }

    #[test]
    fn more_rights_without_a_flush_fault_once() {
        let mut s = space();
        s.map(VA, P | US);
        s.user(VA, Access::Read).unwrap();
        s.set(VA, P | US | RW);
        assert_eq!(code(s.user(VA, Access::Write)), 7);
        assert!(s.user(VA, Access::Write).is_ok());
    }

    #[test]
    fn reserved_bits_fault() {
        let mut s = space();
        s.map(VA, P | US);
        let e = s.pte(VA);
        s.set_entry(VA, Pte(e.0 | 1 << 45));
        assert_eq!(code(s.user(VA, Access::Read)), 0xd);
        s.set_entry(VA, e.with(PteFlags::NX));
        s.m.cpus[0].msrs.efer.remove(Efer::NXE);
        assert_eq!(code(s.user(VA, Access::Read)), 0xd);
        // A table beyond RAM reads as ones.
        s.m.cpus[0].load_cr3(Pfn(1 << 30));
        assert_eq!(code(s.user(VA, Access::Read)), 0xd);
    }

    #[test]
    fn the_kernel_is_held_back_too() {
        let mut s = space();
        s.map(VA, P | US);
        assert_eq!(code(s.kernel(VA, Access::Read)), 1);
        assert_eq!(code(s.kernel(VA, Access::Exec)), 0x11);
        s.m.cpus[0].regs.flags |= Rflags::AC.bits();
        assert!(s.kernel(VA, Access::Read).is_ok());
        assert_eq!(code(s.kernel(VA, Access::Write)), 3);
        s.m.cpus[0].cr0.remove(Cr0::WP);
        assert!(s.kernel(VA, Access::Write).is_ok());
        assert!(s.pte(VA).is_dirty());
    }

    #[test]
    fn holes_in_the_address_space_are_not_pages() {
        let mut s = space();
        let va = VirtAddr(0x8000_0000_0000);
        assert_eq!(s.user(va, Access::Read), Err(Exception::GP));
        assert_eq!(s.m.cpus[0].cr2, VirtAddr(0));
        let mut s = Space::new(PagingLevels::Five);
        s.map(va, P | US);
        assert!(s.user(va, Access::Read).is_ok());
    }

    #[test]
    fn without_mmu_addresses_are_physical() {
        let config = MachineConfig { mmu: false, ram_bytes: 2 << 20, ..MachineConfig::default() };
        let mut m = Machine::new(config);
        let top = VirtAddr((2 << 20) - 1);
        let got = translate(&mut m.cpus[0], &mut m.mem, top, Access::Write, Ring::User);
        assert_eq!(got, Ok(PhysAddr(top.0)));
        let beyond = VirtAddr(2 << 20);
        let got = translate(&mut m.cpus[0], &mut m.mem, beyond, Access::Read, Ring::User);
        assert_eq!(got, Err(Exception::GP));
    }
}
