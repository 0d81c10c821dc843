//! An address space as plain data: maps, walks, pages, counters.
//!
//! Linux: fs/proc/task_mmu.c (`show_map_vma`, `get_vma_name`,
//! `task_statm`). Left out: smaps, numa_maps, names of anonymous areas.

use crate::base::{PAGE_SHIFT, Pfn, VirtAddr};
use crate::kernel::fs::inode::{CharDev, InodeKind};
use crate::kernel::mm::filemap::file_inode;
use crate::kernel::mm::rmap::page_mappers;
use crate::kernel::mm::{MmCounter, MmId, MmStruct, VmAreaStruct, VmFlags, VmOps};
use crate::kernel::system::System;
use crate::machine::{Page, Walk, paging};
use std::fmt;
use std::sync::Arc;

/// One line of /proc/PID/maps; `Display` prints it as Linux does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapsLine {
    /// First byte.
    pub start: u64,
    /// Byte after the last.
    pub end: u64,
    /// `VM_*`.
    pub flags: VmFlags,
    /// Offset in the file in bytes; 0 without a file.
    pub offset: u64,
    /// Device, major and minor.
    pub dev: (u32, u32),
    /// Inode number.
    pub inode: u64,
    /// Path, or a name in brackets; empty for plain anonymous memory.
    pub name: Arc<str>,
}

impl MapsLine {
    /// `rw-p` and so on.
    pub fn perms(&self) -> String {
        let c = |f, yes| if self.flags.contains(f) { yes } else { '-' };
        [
            c(VmFlags::READ, 'r'),
            c(VmFlags::WRITE, 'w'),
            c(VmFlags::EXEC, 'x'),
            if self.flags.contains(VmFlags::MAYSHARE) { 's' } else { 'p' },
        ]
        .iter()
        .collect()
    }
}

impl fmt::Display for MapsLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = format!(
            "{:08x}-{:08x} {} {:08x} {:02x}:{:02x} {} ",
            self.start,
            self.end,
            self.perms(),
            self.offset,
            self.dev.0,
            self.dev.1,
            self.inode
        );
        if self.name.is_empty() {
            return f.write_str(&head);
        }
        write!(f, "{head:<73}{}", self.name)
    }
}

/// Name, device and inode of an area (`get_vma_name`).
fn describe(sys: &System, m: &MmStruct, vma: &VmAreaStruct) -> (Arc<str>, (u32, u32), u64) {
    if let Some(file) = vma.vm_file
        && let Some(f) = sys.kernel.filps.get(file)
    {
        let inode = file_inode(sys, file);
        let kind = inode.and_then(|i| sys.kernel.inodes.get(i));
        let dev = match kind {
            // The kernel's own tmpfs, devtmpfs, the root file system.
            Some(i) if i.i_nlink == 0 => (0, 1),
            Some(i) if matches!(i.kind, InodeKind::Chr(CharDev::Zero)) => (0, 6),
            _ => (0, 2),
        };
        return (f.path.clone(), dev, inode.map_or(0, |i| u64::from(i.index()) + 1));
    }
    let name = if vma.vm_start < m.brk && vma.vm_end > m.start_brk && vma.vm_ops == VmOps::Anonymous
    {
        "[heap]"
    } else if vma.vm_start <= m.start_stack && vma.vm_end >= m.start_stack && m.start_stack != 0 {
        "[stack]"
    } else {
        ""
    };
    (Arc::from(name), (0, 0), 0)
}

/// The areas of an address space, ascending.
pub fn maps(sys: &System, mm: MmId) -> Vec<MapsLine> {
    let Some(m) = sys.kernel.mms.get(mm) else { return Vec::new() };
    let line = |vma: &VmAreaStruct| {
        let (name, dev, inode) = describe(sys, m, vma);
        let offset = if vma.vm_file.is_some() { vma.vm_pgoff << PAGE_SHIFT } else { 0 };
        let (start, end, flags) = (vma.vm_start, vma.vm_end, vma.vm_flags);
        MapsLine { start, end, flags, offset, dev, inode, name }
    };
    m.mmap.values().map(line).collect()
}

/// The walk through the page tables for an address.
pub fn walk(sys: &System, mm: MmId, addr: u64) -> Option<Walk> {
    let m = sys.kernel.mms.get(mm).filter(|_| sys.machine.config.mmu)?;
    let levels = sys.machine.config.paging_levels;
    Some(paging::walk(&sys.machine.mem, m.pgd, levels, VirtAddr(addr)))
}

/// A frame and who maps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageInfo {
    /// The frame.
    pub pfn: Pfn,
    /// Its `struct page`.
    pub page: Page,
    /// Address spaces and addresses that map it.
    pub mappers: Vec<(MmId, u64)>,
}

/// What is known of a frame.
pub fn page_info(sys: &System, pfn: Pfn) -> PageInfo {
    PageInfo { pfn, page: *sys.machine.mem.page(pfn), mappers: page_mappers(sys, pfn) }
}

/// Resident pages: all, and by kind (VmRSS, RssAnon, RssFile, RssShmem).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rss {
    /// Sum.
    pub total: i64,
    /// Anonymous.
    pub anon: i64,
    /// Of files.
    pub file: i64,
    /// Of shared memory.
    pub shmem: i64,
    /// Largest sum so far (VmHWM).
    pub hiwater: i64,
}

/// The resident-page counters of an address space.
pub fn rss(m: &MmStruct) -> Rss {
    let n = |c: MmCounter| m.rss_stat[c as usize];
    let (anon, file, shmem) = (n(MmCounter::Anon), n(MmCounter::File), n(MmCounter::Shmem));
    let total = anon + file + shmem;
    Rss { total, anon, file, shmem, hiwater: total.max(m.hiwater_rss as i64) }
}
