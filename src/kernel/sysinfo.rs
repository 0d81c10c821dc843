//! sysinfo(2): memory, processes and the time since power-on, in one structure.
//!
//! Linux: kernel/sys.c (do_sysinfo), mm/show_mem.c (si_meminfo).
//! Left out: load (nobody samples it: 0), buffers, swap and high memory (there
//! are none: 0).

use crate::base::PAGE_SIZE;
use crate::kernel::fs::inode::InodeKind;
use crate::kernel::nanosleep::NSEC_PER_SEC;
use crate::kernel::system::System;

/// Bytes of `struct sysinfo`.
pub const SYSINFO_SIZE: usize = 112;

/// The structure as user mode reads it. Its unit of memory is the byte, as on
/// every machine whose memory a word can count.
pub fn do_sysinfo(sys: &System) -> [u8; SYSINFO_SIZE] {
    let mem = &sys.machine.mem;
    let now = sys.machine.clock.now();
    let bytes = |pages: u64| pages * PAGE_SIZE;
    // NR_SHMEM: files of the tree in memory, and shared anonymous mappings.
    let shared: u64 = sys
        .kernel
        .inodes
        .iter()
        .map(|(_, inode)| match &inode.kind {
            InodeKind::Reg { pages, .. } => pages.len() as u64,
            _ => 0,
        })
        .sum();
    let procs = u64::from(sys.kernel.nr_threads).min(u64::from(u16::MAX));
    let words: [u64; 14] = [
        // Rounded up.
        now.div_ceil(NSEC_PER_SEC),
        0,
        0,
        0,
        bytes(u64::from(mem.total_pages())),
        bytes(u64::from(mem.free_pages())),
        bytes(shared),
        0,
        0,
        0,
        procs,
        0,
        0,
        // mem_unit
        1,
    ];
    let mut image = [0; SYSINFO_SIZE];
    for (at, word) in image.chunks_exact_mut(8).zip(words) {
        at.copy_from_slice(&word.to_le_bytes());
    }
    image
}
