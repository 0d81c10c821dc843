//! System calls: memory. Handlers decode arguments; the verbs live elsewhere.
//!
//! Linux: mm/mmap.c, mprotect.c, madvise.c, mlock.c, msync.c, mincore.c.
//! Left out: see the notes of the rows.

use super::Call;
use super::table::{Syscall, row};
use crate::abi::Errno;
use crate::abi::flags::{MapFlags, OpenFlags};
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::fs::fdtable::fget;
use crate::kernel::mm::{
    MmId, brk, layout, madvise, mlock, mmap, mprotect, mremap, msync, munmap, uaccess,
};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

fn current_mm(sys: &System, task: TaskId, f: &'static str) -> Result<MmId, SysError> {
    let missing = SysError::new(Errno::ENOMEM, f, "a kernel thread has no address space");
    sys.kernel.tasks[task].mm.ok_or(missing)
}

/// Calls that kernels for machines without MMU are built without.
/// Source: kernel/sys_ni.c ("CONFIG_MMU only").
fn needs_mmu(sys: &System) -> Result<(), SysError> {
    if sys.machine.config.mmu {
        return Ok(());
    }
    refuse(Errno::ENOSYS, "sys_ni_syscall", "a kernel without MMU does not have this call")
}

fn sys_mmap(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let [addr, len, prot, flags, fd, off] = call.args;
    if off & 0xfff != 0 {
        return Ok(refuse(
            Errno::EINVAL,
            "sys_mmap",
            "the offset is not a multiple of the page size",
        )?);
    }
    let file = if flags as u32 & MapFlags::MAP_ANONYMOUS.bits() == 0 {
        let file = fget(sys, task, fd as i32)?;
        let flags = sys.kernel.filps.get(file).map(|f| f.f_flags);
        if flags.is_some_and(|f| f.contains(OpenFlags::O_PATH)) {
            return Ok(refuse(Errno::EBADF, "fget", "a descriptor opened with O_PATH is no file")?);
        }
        Some(file)
    } else {
        None
    };
    let pgoff = off >> 12;
    let addr =
        traced!(sys, mmap::do_mmap(task, addr, len, prot as u32, flags as u32, file, pgoff))?;
    Ok(addr as i64)
}

fn sys_munmap(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    let mm = current_mm(sys, task, "munmap")?;
    traced!(sys, munmap::do_munmap(mm, call.args[0], call.args[1]))?;
    Ok(0)
}

fn sys_mprotect(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    needs_mmu(sys)?;
    let [start, len, prot, ..] = call.args;
    if prot > u64::from(u32::MAX) {
        Err(SysError::new(Errno::EINVAL, "arch_validate_prot", "prot has bits that mean nothing"))?;
    }
    traced!(sys, mprotect::do_mprotect(task, start, len, prot as u32))?;
    Ok(0)
}

fn sys_mremap(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    if !sys.machine.config.mmu {
        let why = "mremap is not modelled for a machine without MMU";
        return Ok(refuse(Errno::ENOSYS, "mremap", why)?);
    }
    let mm = current_mm(sys, task, "mremap")?;
    let [addr, old_len, new_len, flags, new_addr, _] = call.args;
    // Linux looks at all 64 bits of the flags.
    if flags > u64::from(u32::MAX) {
        let why = "the flags are MREMAP_MAYMOVE, MREMAP_FIXED and MREMAP_DONTUNMAP";
        return Ok(refuse(Errno::EINVAL, "check_mremap_params", why)?);
    }
    let asked = mremap::Remap { addr, old_len, new_len, flags: flags as u32, new_addr };
    let addr = traced!(sys, mremap::do_mremap(task, mm, asked))?;
    Ok(addr as i64)
}

fn sys_brk(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    Ok(traced!(sys, brk::do_brk(task, call.args[0])) as i64)
}

fn sys_madvise(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    needs_mmu(sys)?;
    let [start, len, advice, ..] = call.args;
    traced!(sys, madvise::do_madvise(task, start, len, advice as u32))?;
    Ok(0)
}

fn sys_mlock(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    needs_mmu(sys)?;
    traced!(sys, mlock::do_mlock(task, call.args[0], call.args[1]))?;
    Ok(0)
}

fn sys_munlock(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    needs_mmu(sys)?;
    traced!(sys, mlock::do_munlock(task, call.args[0], call.args[1]))?;
    Ok(0)
}

fn sys_mlockall(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    needs_mmu(sys)?;
    traced!(sys, mlock::do_mlockall(task, call.args[0] as u32))?;
    Ok(0)
}

fn sys_munlockall(sys: &mut System, task: TaskId, _: &Call) -> SysResult {
    needs_mmu(sys)?;
    traced!(sys, mlock::do_munlockall(task))?;
    Ok(0)
}

fn sys_msync(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    needs_mmu(sys)?;
    let mm = current_mm(sys, task, "msync")?;
    msync::do_msync(sys, mm, call.args[0], call.args[1], call.args[2] as u32)?;
    Ok(0)
}

fn sys_mincore(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    needs_mmu(sys)?;
    let mm = current_mm(sys, task, "mincore")?;
    let [start, len, vec, ..] = call.args;
    if vec >= layout::task_size(sys) {
        return Ok(refuse(Errno::EFAULT, "mincore", "vec is no user address")?);
    }
    let mut pages = Vec::new();
    let found = msync::do_mincore(sys, mm, start, len, &mut pages);
    // What was found before a hole is stored even though the call fails.
    uaccess::copy_to_user(sys, task, vec, &pages)?;
    Ok(found.map(|()| 0)?)
}

const MMAP_NOTE: &str = "No huge pages, MAP_DROPPABLE, MAP_SYNC or protection keys; \
                         no execute-only memory.";
const MADVISE_NOTE: &str = "Advice for reclaim, huge pages, KSM, guard regions and memory failure \
                            is refused by name, MADV_FREE too.";

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(9, "mmap", &["addr", "length", "prot", "flags", "fd", "offset"], sys_mmap)
        .partly(MMAP_NOTE),
    row(10, "mprotect", &["addr", "size", "prot"], sys_mprotect),
    row(11, "munmap", &["addr", "length"], sys_munmap),
    row(25, "mremap", &["addr", "old_len", "new_len", "flags", "new_addr"], sys_mremap)
        .partly("not on a machine without MMU"),
    row(12, "brk", &["addr"], sys_brk),
    row(26, "msync", &["addr", "length", "flags"], sys_msync),
    row(27, "mincore", &["addr", "length", "vec"], sys_mincore),
    row(28, "madvise", &["addr", "size", "advice"], sys_madvise).partly(MADVISE_NOTE),
    row(149, "mlock", &["addr", "size"], sys_mlock),
    row(150, "munlock", &["addr", "size"], sys_munlock),
    row(151, "mlockall", &["flags"], sys_mlockall),
    row(152, "munlockall", &[], sys_munlockall),
];
