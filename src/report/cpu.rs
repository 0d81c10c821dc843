//! `cpu` and `tlb`: a processor's registers, and the translations it
//! remembers, with those that no longer agree with the page tables.
//!
//! Linux: arch/x86/kernel/process_64.c (__show_regs), arch/x86/mm/tlb.c.
//! Source: Intel SDM vol. 3, sections 2.5 and 5.10.
//! Left out: FPU, debug registers, segment descriptors.

use super::{NoView, text};
use crate::kernel::mm::MmId;
use crate::kernel::system::System;
use crate::machine::{Cpu, Rights, Ring, paging};
use serde::Serialize;
use std::fmt;

/// One processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CpuView {
    /// Its number.
    pub cpu: u32,
    /// Pid and name of `current_task`.
    pub current: (i32, String),
    /// 0 or 3.
    pub ring: u8,
    /// Instruction pointer.
    pub ip: u64,
    /// Stack pointer.
    pub sp: u64,
    /// The kernel stack an exception switches to.
    pub rsp0: u64,
    /// CR0 and the names of its bits.
    pub cr0: (u64, String),
    /// CR2: address of the last page fault.
    pub cr2: u64,
    /// CR3: physical address of the top page table.
    pub cr3: u64,
    /// Whose tables CR3 points at, in words.
    pub cr3_of: String,
    /// CR4 and the names of its bits.
    pub cr4: (u64, String),
    /// EFER and the names of its bits.
    pub efer: (u64, String),
    /// Where SYSCALL goes.
    pub lstar: u64,
    /// FS base.
    pub fs_base: u64,
    /// GS base.
    pub gs_base: u64,
    /// What SWAPGS would swap in.
    pub kernel_gs_base: u64,
}

fn find(sys: &System, cpu: u32) -> Result<&Cpu, NoView> {
    let cpus = sys.machine.cpus.len() as u32;
    sys.machine.cpus.get(cpu as usize).ok_or(NoView::NoCpu { cpu, cpus })
}

fn names<F: bitflags::Flags>(flags: F) -> String {
    flags.iter_names().map(|(n, _)| n).collect::<Vec<_>>().join(" ")
}

/// The address space whose top table a processor has loaded.
fn loaded_mm(sys: &System, c: &Cpu) -> Option<MmId> {
    sys.kernel.mms.iter().find(|(_, m)| m.pgd == c.pgd()).map(|(id, _)| id)
}

fn mm_words(sys: &System, mm: Option<MmId>) -> String {
    match mm {
        None => "no address space: a freed one".to_string(),
        Some(mm) if mm == sys.kernel.init_mm => "init_mm".to_string(),
        Some(mm) => {
            let pids = super::page::users(sys, mm);
            let pids: Vec<_> = pids.iter().map(i32::to_string).collect();
            match pids.is_empty() {
                true => format!("mm #{}, borrowed: its users are gone", mm.index()),
                false => format!("mm #{} of pid {}", mm.index(), pids.join(", ")),
            }
        }
    }
}

/// The registers of a processor.
///
/// # Errors
/// There is no such processor.
pub fn cpu(sys: &System, cpu: u32) -> Result<CpuView, NoView> {
    let c = find(sys, cpu)?;
    let current = sys
        .kernel
        .per_cpu
        .get(cpu as usize)
        .and_then(|p| sys.kernel.tasks.get(p.current_task))
        .map_or((0, "?".to_string()), |t| (t.pid, text::escape(&t.comm())));
    Ok(CpuView {
        cpu,
        current,
        ring: if c.ring() == Ring::User { 3 } else { 0 },
        ip: c.regs.ip,
        sp: c.regs.sp,
        rsp0: c.rsp0,
        cr0: (c.cr0.bits(), names(c.cr0)),
        cr2: c.cr2.0,
        cr3: c.cr3().0,
        cr3_of: mm_words(sys, loaded_mm(sys, c)),
        cr4: (c.cr4.bits(), names(c.cr4)),
        efer: (c.msrs.efer.bits(), names(c.msrs.efer)),
        lstar: c.msrs.lstar,
        fs_base: c.msrs.fs_base,
        gs_base: c.msrs.gs_base,
        kernel_gs_base: c.msrs.kernel_gs_base,
    })
}

impl fmt::Display for CpuView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pid, comm) = &self.current;
        let bits = |name, (v, names): &(u64, String)| format!("  {name} {v:016x}  {names}");
        let lines = [
            format!("CPU {} runs {comm}({pid}) in ring {}", self.cpu, self.ring),
            format!("  ip   {:016x}  sp {:016x}  rsp0 {:016x}", self.ip, self.sp, self.rsp0),
            bits("cr0 ", &self.cr0),
            format!("  cr2  {:016x}  address of the last page fault", self.cr2),
            format!("  cr3  {:016x}  {}", self.cr3, self.cr3_of),
            bits("cr4 ", &self.cr4),
            bits("efer", &self.efer),
            format!("  lstar {:016x}  where SYSCALL goes", self.lstar),
            format!(
                "  fs {:016x}  gs {:016x}  kernel_gs {:016x}",
                self.fs_base, self.gs_base, self.kernel_gs_base
            ),
        ];
        text::write_lines(f, lines)
    }
}

/// One remembered translation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlbRow {
    /// Address of the page.
    pub addr: u64,
    /// The frame.
    pub pfn: u32,
    /// What it allows: `w` write, `u` user, `x` execute, `d` dirty, `g` global.
    pub rights: String,
    /// Whether the page tables say otherwise by now.
    pub stale: bool,
}

/// A processor's TLB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlbView {
    /// The processor.
    pub cpu: u32,
    /// Translations by address.
    pub rows: Vec<TlbRow>,
    /// Translations served from it.
    pub hits: u64,
    /// Walks of the tables.
    pub misses: u64,
    /// Times it was emptied.
    pub flushes: u64,
    /// Single pages forgotten (INVLPG).
    pub page_flushes: u64,
}

/// What a processor's TLB remembers.
///
/// # Errors
/// There is no such processor.
pub fn tlb(sys: &System, cpu: u32) -> Result<TlbView, NoView> {
    let c = find(sys, cpu)?;
    let levels = sys.machine.config.paging_levels;
    let rows = c.tlb.entries().into_iter().map(|e| {
        let leaf = paging::walk(&sys.machine.mem, c.pgd(), levels, e.va).leaf;
        let agrees = leaf.is_some_and(|p| {
            p.is_present()
                && p.pfn() == e.pfn
                && (p.is_writable() || !e.rights.contains(Rights::WRITE))
        });
        let letter = |r, l| if e.rights.contains(r) { l } else { '-' };
        TlbRow {
            addr: e.va.0,
            pfn: e.pfn.0,
            rights: [
                letter(Rights::WRITE, 'w'),
                letter(Rights::USER, 'u'),
                letter(Rights::EXEC, 'x'),
                letter(Rights::DIRTY, 'd'),
                letter(Rights::GLOBAL, 'g'),
            ]
            .iter()
            .collect(),
            stale: !agrees,
        }
    });
    let s = c.tlb.stats;
    Ok(TlbView {
        cpu,
        rows: rows.collect(),
        hits: s.hits,
        misses: s.misses,
        flushes: s.flushes,
        page_flushes: s.page_flushes,
    })
}

impl fmt::Display for TlbView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TlbView { cpu, hits, misses, flushes, page_flushes, .. } = self;
        let mut lines = vec![format!(
            "TLB of CPU {cpu}: {}; {hits} hits, {misses} misses, {flushes} flushes, \
             {page_flushes} of single pages",
            match self.rows.len() as u64 {
                1 => "1 entry".to_string(),
                n => format!("{n} entries"),
            }
        )];
        for r in &self.rows {
            let stale = if r.stale { "  STALE: the page table says otherwise" } else { "" };
            lines.push(format!("  {:#018x} -> {:#05x}  {}{stale}", r.addr, r.pfn, r.rights));
        }
        text::write_lines(f, lines)
    }
}
