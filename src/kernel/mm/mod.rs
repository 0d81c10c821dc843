//! Address spaces: `mm_struct`, the areas in it, and the page tables behind.
//!
//! ```text
//! task -> mm_struct -> vm_area_struct [start, end)  what may be there
//!            |
//!            +-> pgd -> pud -> pmd -> pte           what is there
//! ```
//!
//! Linux: include/linux/mm_types.h, mm/*.c, kernel/fork.c (dup_mm).
//! Left out: swap, huge pages, NUMA, userfaultfd, memory cgroups.

pub mod account;
pub mod brk;
#[cfg(test)]
pub(crate) mod check;
pub mod fault;
mod file_fault;
pub mod filemap;
pub mod fork;
pub mod gap;
pub mod gup;
pub mod image;
pub mod init;
pub mod layout;
pub mod lifetime;
pub mod madvise;
pub mod mlock;
pub mod mmap;
pub mod mprotect;
pub mod mremap;
pub mod msync;
pub mod munmap;
pub mod nommu;
pub mod oom;
pub mod pgtable;
pub mod populate;
pub mod process_vm_access;
pub mod rmap;
pub mod stack;
pub mod symbols;
#[cfg(test)]
mod tests;
pub mod tlb;
pub mod uaccess;
pub mod view;
pub mod vma;
pub mod vmalloc;
pub mod zap;

use crate::base::{Id, Pfn};
use crate::kernel::fs::FileId;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names an `mm_struct`.
pub type MmId = Id<MmStruct>;
/// Names an `anon_vma`.
pub type AnonVmaId = Id<AnonVma>;

bitflags::bitflags! {
    /// `vm_flags`, `VM_*`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct VmFlags: u64 {
        /// May be read now.
        const READ = 0x0000_0001;
        /// May be written now.
        const WRITE = 0x0000_0002;
        /// May be executed now.
        const EXEC = 0x0000_0004;
        /// Shared mapping.
        const SHARED = 0x0000_0008;
        /// mprotect may grant reading.
        const MAYREAD = 0x0000_0010;
        /// mprotect may grant writing.
        const MAYWRITE = 0x0000_0020;
        /// mprotect may grant executing.
        const MAYEXEC = 0x0000_0040;
        /// Shared and file writable.
        const MAYSHARE = 0x0000_0080;
        /// Grows down, as a stack does.
        const GROWSDOWN = 0x0000_0100;
        /// Locked in memory.
        const LOCKED = 0x0000_2000;
        /// madvise(MADV_SEQUENTIAL).
        const SEQ_READ = 0x0000_8000;
        /// madvise(MADV_RANDOM).
        const RAND_READ = 0x0001_0000;
        /// Not copied by fork.
        const DONTCOPY = 0x0002_0000;
        /// Cannot be expanded.
        const DONTEXPAND = 0x0004_0000;
        /// Locked once faulted.
        const LOCKONFAULT = 0x0008_0000;
        /// Counted as committed memory.
        const ACCOUNT = 0x0010_0000;
        /// No reservation.
        const NORESERVE = 0x0020_0000;
        /// Zeroed in the child of a fork.
        const WIPEONFORK = 0x0200_0000;
        /// Left out of core dumps.
        const DONTDUMP = 0x0400_0000;
    }
}

impl VmFlags {
    /// `VM_ACCESS_FLAGS`: some access is allowed.
    pub const ACCESS: VmFlags = VmFlags::READ.union(VmFlags::WRITE).union(VmFlags::EXEC);
    /// `VM_LOCKED_MASK`.
    pub const LOCKED_MASK: VmFlags = VmFlags::LOCKED.union(VmFlags::LOCKONFAULT);
    /// Everything mprotect(2) may grant.
    pub const MAY: VmFlags = VmFlags::MAYREAD.union(VmFlags::MAYWRITE).union(VmFlags::MAYEXEC);
}

/// `vm_ops`: who fills the pages of an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VmOps {
    /// NULL: anonymous memory (`vma_is_anonymous`).
    #[default]
    Anonymous,
    /// The page cache of `vm_file`.
    File,
}

/// `struct vm_area_struct`: one mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmAreaStruct {
    /// First byte.
    pub vm_start: u64,
    /// Byte after the last.
    pub vm_end: u64,
    /// `VM_*`.
    pub vm_flags: VmFlags,
    /// Offset in the file in pages; for anonymous memory the page number of
    /// `vm_start` at creation.
    pub vm_pgoff: u64,
    /// The file behind it (a reference is held). Private mappings of
    /// /dev/zero have one and are anonymous all the same: see `vm_ops`.
    pub vm_file: Option<FileId>,
    /// Who fills its pages.
    pub vm_ops: VmOps,
    /// The anon_vma of its private pages, once it has one.
    pub anon_vma: Option<AnonVmaId>,
    /// All anon_vmas its pages may belong to: its own and its ancestors'
    /// (`anon_vma_chain`), a reference each.
    pub anon_vma_chain: smallvec::SmallVec<[AnonVmaId; 2]>,
}

/// `struct anon_vma`: joins the mappings that may share an anonymous page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnonVma {
    /// References: one while any area is linked to it (`nr_vmas` is not 0),
    /// and one from every other anon_vma whose root it is.
    pub refcount: u32,
    /// Areas linked to it (nodes of `rb_root`): chain entries that name it.
    pub nr_vmas: u32,
    /// The oldest ancestor.
    pub root: Option<AnonVmaId>,
    /// The anon_vma of the mapping this one was forked from.
    pub parent: Option<AnonVmaId>,
    /// Child anon_vmas; a root counts itself as its own child.
    pub num_children: u32,
    /// VMAs whose `anon_vma` is this.
    pub num_active_vmas: u32,
}

/// Index of a resident-page counter in `rss_stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MmCounter {
    /// Private file pages, clean.
    File = 0,
    /// Anonymous pages.
    Anon = 1,
    /// Pages of shared memory.
    Shmem = 2,
}

/// A named variable of the image: what a debugger's symbol table tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol {
    /// Address.
    pub addr: u64,
    /// Size in bytes.
    pub size: u64,
}

/// `struct mm_struct`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MmStruct {
    /// Tasks that use it as their address space.
    pub mm_users: u32,
    /// References to the structure: one for all users together, one a lazy
    /// borrower.
    pub mm_count: u32,
    /// Frame of the top page table.
    pub pgd: Pfn,
    /// The areas by start address.
    pub mmap: BTreeMap<u64, VmAreaStruct>,
    /// Pages mapped by all areas.
    pub total_vm: u64,
    /// Pages of private writable areas that are no stack.
    pub data_vm: u64,
    /// Pages of executable areas that are not writable.
    pub exec_vm: u64,
    /// Pages of growing areas.
    pub stack_vm: u64,
    /// Locked pages.
    pub locked_vm: u64,
    /// Flags for new areas (mlockall(MCL_FUTURE)).
    pub def_flags: VmFlags,
    /// Pages of page tables, the PGD not counted.
    pub nr_pgtables: u64,
    /// Resident pages by [`MmCounter`].
    pub rss_stat: [i64; 3],
    /// Largest number of resident pages so far.
    pub hiwater_rss: u64,
    /// Where the top-down search for free space begins.
    pub mmap_base: u64,
    /// Where the next search may begin: no hole of `cached_hole_size` bytes
    /// or more lies above.
    pub free_area_cache: u64,
    /// See `free_area_cache`.
    pub cached_hole_size: u64,
    /// Code.
    pub start_code: u64,
    /// End of code.
    pub end_code: u64,
    /// Initialised data.
    pub start_data: u64,
    /// End of initialised data.
    pub end_data: u64,
    /// Where the heap begins.
    pub start_brk: u64,
    /// Where the heap ends.
    pub brk: u64,
    /// First stack pointer.
    pub start_stack: u64,
    /// First byte of the arguments' strings.
    pub arg_start: u64,
    /// Behind their last one.
    pub arg_end: u64,
    /// First byte of the environment's strings.
    pub env_start: u64,
    /// Behind their last one.
    pub env_end: u64,
    /// `suid_dumpable` state: 0, 1 or 2.
    pub dumpable: u32,
    /// Path of the program.
    pub exe_file: Arc<str>,
    /// Variables that scripts defined, in order of definition.
    pub symbols: Arc<IndexMap<String, Symbol>>,
    /// Where the next variable goes.
    pub next_symbol: u64,
    /// Processors that may hold translations of this mm (`mm_cpumask`).
    pub cpu_bitmap: u64,
    /// membarrier(2): what the process has registered for, `MEMBARRIER_*`.
    pub membarrier_state: u32,
}
