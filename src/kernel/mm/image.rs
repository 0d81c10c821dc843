//! The segments of a program in a new address space, and its stack.
//!
//! ```text
//! 0x400000   text   r-x
//!            data   rw-   (file, private)
//!            bss    rw-   (anonymous)
//!            [heap] begins here, empty
//! ...        mappings, downwards from mmap_base
//!            [stack] rw-, grows down; strings, argv, envp at its top
//! ```
//!
//! Linux: fs/binfmt_elf.c (`load_elf_binary`), fs/exec.c
//! (`setup_arg_pages`), arch/x86/mm/mmap.c (`arch_pick_mmap_layout`).
//! Left out: the program interpreter, vDSO. What lies on the stack is put there
//! by `fs/exec/load.rs`.

use crate::abi::Errno;
use crate::abi::numbers::RLIMIT_STACK;
use crate::base::{PAGE_SHIFT, PAGE_SIZE};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::FileId;
use crate::kernel::fs::inode::Image;
use crate::kernel::mm::account::{page_align_len, rlimit};
use crate::kernel::mm::brk::DATA_FLAGS;
use crate::kernel::mm::layout::{STACK_EXPAND, STACK_TOP, TEXT_START, mmap_base};
pub use crate::kernel::mm::mmap::insert_vma;
use crate::kernel::mm::vma::vma_get_file;
use crate::kernel::mm::{MmId, VmAreaStruct, VmFlags, VmOps, nommu};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Stack size on a machine without MMU, where it cannot grow.
const NOMMU_STACK: u64 = 128 << 10;

/// Chooses where mappings go, from the stack limit.
pub fn arch_pick_mmap_layout(sys: &mut System, task: TaskId, mm: MmId) {
    let base = mmap_base(rlimit(sys, task, RLIMIT_STACK));
    let m = &mut sys.kernel.mms[mm];
    (m.mmap_base, m.free_area_cache, m.cached_hole_size) = (base, base, 0);
}

/// One segment of the program; its file reference is taken here.
fn map_segment(
    sys: &mut System,
    mm: MmId,
    start: u64,
    len: u64,
    flags: VmFlags,
    file: Option<(FileId, u64)>,
) {
    if len == 0 {
        return;
    }
    let vm_file = file.map(|(f, _)| f);
    vma_get_file(sys, vm_file);
    let vma = VmAreaStruct {
        vm_start: start,
        vm_end: start + len,
        vm_flags: flags,
        vm_pgoff: file.map_or(start >> PAGE_SHIFT, |(_, off)| off),
        vm_file,
        vm_ops: if vm_file.is_some() { VmOps::File } else { VmOps::Anonymous },
        anon_vma: None,
        anon_vma_chain: Default::default(),
    };
    insert_vma(sys, mm, vma);
}

/// Maps text, data and bss and sets the marks of the address space. Returns
/// the entry point.
///
/// # Errors
/// ENOMEM.
pub fn load_image(
    sys: &mut System,
    mm: MmId,
    image: &Image,
    file: Option<FileId>,
) -> Result<u64, SysError> {
    let text = page_align_len(image.text_bytes);
    let data = page_align_len(image.data_bytes);
    let bss = page_align_len(image.bss_bytes);
    if text.checked_add(data).and_then(|n| n.checked_add(bss)).is_none_or(|n| n >= 1 << 46) {
        return refuse(Errno::ENOMEM, "load_elf_binary", "the program is larger than user memory");
    }
    let exec = VmFlags::READ | VmFlags::EXEC | VmFlags::MAY;
    let mut start = TEXT_START;
    if sys.machine.config.mmu {
        map_segment(sys, mm, start, text, exec, file.map(|f| (f, 0)));
        let at = start + text;
        map_segment(sys, mm, at, data, DATA_FLAGS, file.map(|f| (f, text >> PAGE_SHIFT)));
        map_segment(sys, mm, at + data, bss, DATA_FLAGS, None);
    } else {
        // One block: code and data must not be apart, nothing relocates them.
        start = nommu::map_block(sys, mm, (text + data + bss).max(PAGE_SIZE), DATA_FLAGS)?;
    }
    let m = &mut sys.kernel.mms[mm];
    (m.start_code, m.end_code) = (start, start + image.text_bytes);
    m.start_data = start + text;
    m.end_data = m.start_data + image.data_bytes;
    m.start_brk = m.start_data + data + bss;
    m.brk = m.start_brk;
    // Variables go where zeros are, unless there is no such place.
    m.next_symbol = if bss > 0 { m.start_data + data } else { m.start_data };
    Ok(start)
}

/// Makes the stack area: what arguments need and 128 KiB, within the limit.
///
/// # Errors
/// ENOMEM.
pub fn setup_arg_pages(sys: &mut System, task: TaskId, mm: MmId) -> Result<(), SysError> {
    if !sys.machine.config.mmu {
        let start = nommu::map_block(sys, mm, NOMMU_STACK, DATA_FLAGS)?;
        sys.kernel.mms[mm].start_stack = start + NOMMU_STACK;
        return Ok(());
    }
    let limit = rlimit(sys, task, RLIMIT_STACK) & !(PAGE_SIZE - 1);
    let size = (PAGE_SIZE + STACK_EXPAND).min(limit).max(PAGE_SIZE);
    let flags = DATA_FLAGS | VmFlags::GROWSDOWN;
    map_segment(sys, mm, STACK_TOP - size, size, flags, None);
    sys.kernel.mms[mm].start_stack = STACK_TOP;
    Ok(())
}
