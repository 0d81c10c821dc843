//! One processor: registers, control registers, MSRs, TLB.
//!
//! Linux: arch/x86/kernel/cpu/common.c (`cpu_init`, `syscall_init`) leaves it
//! in the state [`Cpu::new`] builds.
//! Source: Intel SDM vol. 3, sections 2.5 (control registers), 5.1
//! (paging-mode changes); vol. 4 (MSRs).
//! Left out: real, protected and compatibility mode; the local APIC but for
//! one timer deadline.

use super::exception::Exception;
use super::fpu::FpuState;
use super::paging::PagingLevels;
use super::phys::PHYS_BITS;
pub use super::regs::Regs;
use super::regs::{Cr0, Cr4, Efer, Rflags, Ring};
use super::tlb::Tlb;
use crate::base::cow::Arc;
use crate::base::{Pfn, PhysAddr, VirtAddr};

/// A model-specific register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Msr {
    /// `MSR_EFER`.
    Efer,
    /// `MSR_STAR`: segments for SYSCALL and SYSRET.
    Star,
    /// `MSR_LSTAR`: where SYSCALL goes.
    Lstar,
    /// `MSR_SYSCALL_MASK`: flags SYSCALL clears.
    Fmask,
    /// `MSR_FS_BASE`: thread-local storage.
    FsBase,
    /// `MSR_GS_BASE`.
    GsBase,
    /// `MSR_KERNEL_GS_BASE`: what SWAPGS swaps in.
    KernelGsBase,
}

impl Msr {
    /// The register with this number, if it is modelled.
    pub fn from_number(number: u32) -> Option<Msr> {
        Some(match number {
            0xc000_0080 => Msr::Efer,
            0xc000_0081 => Msr::Star,
            0xc000_0082 => Msr::Lstar,
            0xc000_0084 => Msr::Fmask,
            0xc000_0100 => Msr::FsBase,
            0xc000_0101 => Msr::GsBase,
            0xc000_0102 => Msr::KernelGsBase,
            _ => return None,
        })
    }
}

/// The MSRs of one CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Msrs {
    /// See [`Msr::Efer`].
    pub efer: Efer,
    /// See [`Msr::Star`].
    pub star: u64,
    /// See [`Msr::Lstar`].
    pub lstar: u64,
    /// See [`Msr::Fmask`].
    pub fmask: u64,
    /// See [`Msr::FsBase`].
    pub fs_base: u64,
    /// See [`Msr::GsBase`].
    pub gs_base: u64,
    /// See [`Msr::KernelGsBase`].
    pub kernel_gs_base: u64,
}

/// Segment registers that mean nothing in 64-bit mode but for the bases of the last
/// two, which are MSRs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names are the manual's")]
pub struct Selectors {
    pub ds: u16,
    pub es: u16,
    pub fs: u16,
    pub gs: u16,
}

/// One processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpu {
    /// Number, from 0.
    pub id: u32,
    /// General registers. Kept for whoever runs on the CPU.
    pub regs: Regs,
    /// CR0.
    pub cr0: Cr0,
    /// CR2: address of the last page fault.
    pub cr2: VirtAddr,
    /// CR4.
    pub cr4: Cr4,
    /// DS, ES, FS and GS.
    pub selectors: Selectors,
    /// Model-specific registers.
    pub msrs: Msrs,
    /// Cached translations.
    pub tlb: Tlb,
    /// `TSS.RSP0`: the stack an exception from ring 3 switches to.
    pub rsp0: u64,
    /// When the local timer fires, in ns of the machine's clock.
    pub timer_deadline_ns: Option<u64>,
    /// x87 and SSE registers; `None`: as after a reset.
    pub fpu: Option<Arc<FpuState>>,
    /// The time-stamp counter: one for each instruction executed.
    pub tsc: u64,
    cr3: PhysAddr,
}

/// Flags that Linux has SYSCALL clear (`syscall_init`).
const LINUX_FMASK: Rflags = Rflags::CF
    .union(Rflags::PF)
    .union(Rflags::AF)
    .union(Rflags::ZF)
    .union(Rflags::SF)
    .union(Rflags::TF)
    .union(Rflags::IF)
    .union(Rflags::DF)
    .union(Rflags::OF)
    .union(Rflags::IOPL)
    .union(Rflags::NT)
    .union(Rflags::RF)
    .union(Rflags::AC)
    .union(Rflags::ID);

impl Cpu {
    /// A processor as Linux leaves it after `cpu_init`, in ring 0. LSTAR and
    /// CR3 are 0 until the kernel sets them.
    pub fn new(id: u32, levels: PagingLevels, paging: Paging) -> Cpu {
        let mut cr0 = Cr0::PE | Cr0::MP | Cr0::ET | Cr0::NE | Cr0::WP | Cr0::AM;
        cr0.set(Cr0::PG, paging != Paging::None);
        let mut cr4 = Cr4::PSE | Cr4::PAE | Cr4::PGE | Cr4::FSGSBASE | Cr4::SMEP | Cr4::SMAP;
        cr4.set(Cr4::LA57, levels == PagingLevels::Five);
        let mut efer = Efer::SCE | Efer::LME | Efer::LMA;
        efer.set(Efer::NXE, paging != Paging::WithoutNx);
        // wrmsr(MSR_STAR, 0, (__USER32_CS << 16) | __KERNEL_CS)
        let star = 0x0023_0010 << 32;
        let msrs = Msrs { efer, star, fmask: LINUX_FMASK.bits(), ..Msrs::default() };
        Cpu {
            id,
            regs: Regs::kernel(),
            cr0,
            cr2: VirtAddr(0),
            cr4,
            selectors: Selectors::default(),
            msrs,
            tlb: Tlb::default(),
            rsp0: 0,
            timer_deadline_ns: None,
            fpu: None,
            tsc: 0,
            cr3: PhysAddr(0),
        }
    }

    /// The privilege level the CPU runs at.
    #[inline]
    pub fn ring(&self) -> Ring {
        self.regs.ring()
    }

    /// CR3: physical address of the top page table.
    #[inline]
    pub fn cr3(&self) -> PhysAddr {
        self.cr3
    }

    /// The frame of the top page table.
    #[inline]
    pub fn pgd(&self) -> Pfn {
        self.cr3.pfn()
    }

    /// How many levels the CPU walks.
    #[inline]
    pub fn levels(&self) -> PagingLevels {
        if self.cr4.contains(Cr4::LA57) { PagingLevels::Five } else { PagingLevels::Four }
    }

    /// Whether the address fits the virtual-address width.
    #[inline]
    pub fn is_canonical(&self, va: u64) -> bool {
        VirtAddr(va).is_canonical(self.levels().va_bits())
    }

    /// MOV to CR3 with the frame of another top table: forgets all translations
    /// but global ones.
    pub fn load_cr3(&mut self, pgd: Pfn) {
        self.cr3 = pgd.addr();
        self.tlb.flush_nonglobal();
    }

    /// MOV to CR3 with a raw value.
    ///
    /// # Errors
    /// #GP when address bits are set that the processor does not have.
    pub fn write_cr3(&mut self, value: u64) -> Result<(), Exception> {
        if value >> PHYS_BITS != 0 {
            return Err(Exception::GP);
        }
        self.load_cr3(PhysAddr(value).pfn());
        Ok(())
    }

    /// MOV to CR0. Flushes the TLB when PG or WP changes.
    ///
    /// # Errors
    /// #GP for PG without PE, and for leaving paging in 64-bit mode.
    pub fn write_cr0(&mut self, value: u64) -> Result<(), Exception> {
        let new = Cr0::from_bits(value).ok_or(Exception::GP)?;
        let had_paging = self.cr0.contains(Cr0::PG);
        if !new.contains(Cr0::PE) || had_paging != new.contains(Cr0::PG) {
            return Err(Exception::GP);
        }
        if (self.cr0 ^ new).contains(Cr0::WP) {
            self.tlb.flush_all();
        }
        self.cr0 = new;
        Ok(())
    }

    /// MOV to CR4. Flushes the TLB when a paging bit changes.
    ///
    /// # Errors
    /// #GP for bits the processor does not have, for clearing PAE and for
    /// changing LA57 in 64-bit mode.
    pub fn write_cr4(&mut self, value: u64) -> Result<(), Exception> {
        let new = Cr4::from_bits(value).ok_or(Exception::GP)?;
        let changed = self.cr4 ^ new;
        if changed.intersects(Cr4::PAE | Cr4::LA57) {
            return Err(Exception::GP);
        }
        if changed.intersects(Cr4::PGE | Cr4::SMEP | Cr4::SMAP | Cr4::PSE) {
            self.tlb.flush_all();
        }
        self.cr4 = new;
        Ok(())
    }

    /// INVLPG.
    pub fn invlpg(&mut self, va: VirtAddr) {
        self.tlb.flush_page(va);
    }

    /// RDMSR.
    pub fn rdmsr(&self, msr: Msr) -> u64 {
        match msr {
            Msr::Efer => self.msrs.efer.bits(),
            Msr::Star => self.msrs.star,
            Msr::Lstar => self.msrs.lstar,
            Msr::Fmask => self.msrs.fmask,
            Msr::FsBase => self.msrs.fs_base,
            Msr::GsBase => self.msrs.gs_base,
            Msr::KernelGsBase => self.msrs.kernel_gs_base,
        }
    }

    /// WRMSR.
    ///
    /// # Errors
    /// #GP for a non-canonical base, for EFER bits the processor does not
    /// have, for leaving long mode, and for FMASK bits above 31.
    pub fn wrmsr(&mut self, msr: Msr, value: u64) -> Result<(), Exception> {
        let is_base = matches!(msr, Msr::Lstar | Msr::FsBase | Msr::GsBase | Msr::KernelGsBase);
        if is_base && !self.is_canonical(value) {
            return Err(Exception::GP);
        }
        match msr {
            Msr::Efer => {
                let new = Efer::from_bits(value).ok_or(Exception::GP)?;
                let fixed = Efer::LME | Efer::LMA;
                if (self.msrs.efer ^ new).intersects(fixed) {
                    return Err(Exception::GP);
                }
                if self.msrs.efer != new {
                    self.tlb.flush_all();
                }
                self.msrs.efer = new;
            }
            Msr::Star => self.msrs.star = value,
            Msr::Lstar => self.msrs.lstar = value,
            Msr::Fmask if value >> 32 != 0 => return Err(Exception::GP),
            Msr::Fmask => self.msrs.fmask = value,
            Msr::FsBase => self.msrs.fs_base = value,
            Msr::GsBase => self.msrs.gs_base = value,
            Msr::KernelGsBase => self.msrs.kernel_gs_base = value,
        }
        Ok(())
    }

    /// SWAPGS: the kernel's first instruction after entry.
    pub fn swapgs(&mut self) {
        std::mem::swap(&mut self.msrs.gs_base, &mut self.msrs.kernel_gs_base);
    }
}

/// What kind of address translation the processor is built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// Paging with execute protection.
    WithNx,
    /// Paging with EFER.NXE clear (`noexec=off`).
    WithoutNx,
    /// None: no MMU.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu() -> Cpu {
        Cpu::new(0, PagingLevels::Four, Paging::WithNx)
    }

    #[test]
    fn boots_as_linux_leaves_it() {
        let c = cpu();
        assert!(c.cr0.contains(Cr0::PG | Cr0::WP | Cr0::PE));
        assert!(c.cr4.contains(Cr4::PAE | Cr4::SMEP | Cr4::SMAP) && !c.cr4.contains(Cr4::LA57));
        assert_eq!(c.rdmsr(Msr::Efer), 0xd01);
        assert_eq!(c.rdmsr(Msr::Star), 0x0023_0010_0000_0000);
        assert_eq!(c.rdmsr(Msr::Fmask), 0x25_7fd5);
        let five = Cpu::new(0, PagingLevels::Five, Paging::WithoutNx);
        assert_eq!(five.levels(), PagingLevels::Five);
        assert!(!five.msrs.efer.contains(Efer::NXE));
    }

    #[test]
    fn bad_register_values_are_refused_and_change_nothing() {
        let mut c = cpu();
        let before = c.clone();
        for msr in [Msr::Lstar, Msr::FsBase, Msr::GsBase, Msr::KernelGsBase] {
            assert_eq!(c.wrmsr(msr, 0x8000_0000_0000), Err(Exception::GP));
        }
        assert_eq!(c.wrmsr(Msr::Efer, 1 << 5), Err(Exception::GP));
        assert_eq!(c.wrmsr(Msr::Efer, 0), Err(Exception::GP));
        assert_eq!(c.wrmsr(Msr::Fmask, 1 << 32), Err(Exception::GP));
        assert_eq!(c.write_cr0(0), Err(Exception::GP));
        assert_eq!(c.write_cr4(0), Err(Exception::GP));
        assert_eq!(c.write_cr4(c.cr4.bits() | Cr4::LA57.bits()), Err(Exception::GP));
        assert_eq!(c.write_cr3(1 << 50), Err(Exception::GP));
        assert_eq!(c, before);
        assert_eq!(Msr::from_number(0x10), None);
        assert_eq!(Msr::from_number(0xc000_0100), Some(Msr::FsBase));
        c.wrmsr(Msr::GsBase, 0xffff_8000_0000_0000).unwrap();
        c.swapgs();
        assert_eq!((c.msrs.gs_base, c.msrs.kernel_gs_base), (0, 0xffff_8000_0000_0000));
    }
}
