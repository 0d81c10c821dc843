//! A program in a new address space: what execve and boot put together.
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
//! Linux: fs/binfmt_elf.c (`load_elf_binary`, `create_elf_tables`), fs/exec.c
//! (`setup_arg_pages`), arch/x86/mm/mmap.c (`arch_pick_mmap_layout`).
//! Left out: the program interpreter, vDSO, most of the auxiliary vector.

use crate::abi::Errno;
use crate::abi::numbers::RLIMIT_STACK;
use crate::base::{PAGE_SHIFT, PAGE_SIZE};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::FileId;
use crate::kernel::fs::inode::Image;
use crate::kernel::mm::account::{page_align_len, rlimit};
use crate::kernel::mm::brk::DATA_FLAGS;
use crate::kernel::mm::layout::{STACK_EXPAND, STACK_TOP, TEXT_START, mmap_base};
use crate::kernel::mm::lifetime::{mm_alloc, mmput};
pub use crate::kernel::mm::mmap::insert_vma;
use crate::kernel::mm::uaccess::copy_to_mm;
use crate::kernel::mm::vma::vma_get_file;
use crate::kernel::mm::{MmId, VmAreaStruct, VmFlags, VmOps, nommu};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Stack size on a machine without MMU, where it cannot grow.
const NOMMU_STACK: u64 = 128 << 10;
/// `MAX_ARG_STRLEN`: longest single argument.
const MAX_ARG_STRLEN: usize = 32 * PAGE_SIZE as usize;

/// Where a loaded program starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// First instruction.
    pub ip: u64,
    /// Stack pointer: argc is there.
    pub sp: u64,
}

/// A new address space with the program in it, ready to run. `task` is who
/// executes: its limits count. The caller owns one user of the result.
///
/// # Errors
/// ENOMEM, E2BIG; nothing stays.
pub fn new_program_mm(
    sys: &mut System,
    task: TaskId,
    image: &Image,
    file: Option<FileId>,
    path: &str,
    argv: &[String],
    envp: &[String],
) -> Result<(MmId, Entry), SysError> {
    let mm = mm_alloc(sys)?;
    sys.kernel.mms[mm].exe_file = path.into();
    let built = (|| {
        arch_pick_mmap_layout(sys, task, mm);
        let ip = load_image(sys, mm, image, file)?;
        setup_arg_pages(sys, task, mm)?;
        let sp = create_tables(sys, task, mm, argv, envp)?;
        Ok(Entry { ip, sp })
    })();
    match built {
        Ok(entry) => Ok((mm, entry)),
        Err(e) => {
            mmput(sys, mm);
            Err(e)
        }
    }
}

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

/// Puts strings, environment and arguments on the stack (`copy_strings`,
/// `create_elf_tables`) and returns the stack pointer, a multiple of 16.
///
/// # Errors
/// E2BIG, ENOMEM.
pub fn create_tables(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    argv: &[String],
    envp: &[String],
) -> Result<u64, SysError> {
    const F: &str = "copy_strings";
    let strings = || argv.iter().chain(envp);
    let bytes: usize = strings().map(|s| s.len() + 1).sum();
    let pointers = (argv.len() + envp.len() + 3 + 4) * 8;
    // bprm_stack_limits: a quarter of the stack limit, at most 6 MiB.
    let limit = (rlimit(sys, task, RLIMIT_STACK) / 4).clamp(32 * PAGE_SIZE, 6 << 20);
    if (bytes + pointers) as u64 > limit {
        return refuse(
            Errno::E2BIG,
            F,
            "arguments and environment are larger than a quarter of the stack limit",
        );
    }
    if strings().any(|s| s.len() + 1 > MAX_ARG_STRLEN) {
        return refuse(Errno::E2BIG, F, "one argument is longer than 128 KiB");
    }
    let top = sys.kernel.mms[mm].start_stack - 8;
    let first = top - bytes as u64;
    let mut block = Vec::with_capacity(bytes);
    let mut addrs = Vec::with_capacity(argv.len() + envp.len());
    for s in strings() {
        addrs.push(first + block.len() as u64);
        block.extend_from_slice(s.as_bytes());
        block.push(0);
    }
    let (args, envs) = addrs.split_at(argv.len());
    let mut words = vec![argv.len() as u64];
    words.extend_from_slice(args);
    words.push(0);
    words.extend_from_slice(envs);
    words.push(0);
    // The auxiliary vector: AT_PAGESZ, AT_NULL.
    words.extend_from_slice(&[6, PAGE_SIZE, 0, 0]);
    let sp = (first - words.len() as u64 * 8) & !15;
    let raw: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    if sys.machine.config.mmu {
        let m = &sys.kernel.mms[mm];
        let low = m.mmap.range(..=first).next_back().map_or(first, |(&s, _)| s);
        if sp < low {
            crate::kernel::mm::stack::expand_stack(sys, task, mm, low, sp)?;
        }
    }
    copy_in(sys, task, mm, first, &block)?;
    copy_in(sys, task, mm, sp, &raw)?;
    Ok(sp)
}

fn copy_in(
    sys: &mut System,
    task: TaskId,
    mm: MmId,
    addr: u64,
    bytes: &[u8],
) -> Result<(), SysError> {
    // get_arg_page faults pages in by address space, not through the task,
    // whose own is still the old one.
    copy_to_mm(sys, task, mm, addr, bytes, "copy_strings")
        .map_err(|e| SysError { errno: Errno::ENOMEM, ..e })
}
