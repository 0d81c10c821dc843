//! Named variables in the data segment, for teaching: what a debugger's
//! symbol table would tell of a real program.
//!
//! Linux: none. Left out: types; a variable is an address and a size.

use crate::abi::Errno;
use crate::base::PAGE_SIZE;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::Symbol;
use crate::kernel::mm::brk::do_brk_flags;
use crate::kernel::mm::mmap::do_mmap;
use crate::kernel::mm::uaccess::copy_to_user;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::sync::Arc;

/// Which page a variable is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Behind the last one, as a linker would: variables share pages.
    Packed,
    /// On a page of its own.
    OwnPage,
}

/// Reserves room for a variable in the task's data segment and names it. An
/// existing variable of that name and size keeps its address. Nothing is
/// written: the page is not touched.
///
/// # Errors
/// EFAULT without an address space, EINVAL for size 0, ENOMEM without room.
pub fn define_symbol(
    sys: &mut System,
    task: TaskId,
    name: &str,
    size: u64,
    place: Place,
) -> Result<u64, SysError> {
    const F: &str = "define_symbol";
    let Some(mm) = sys.kernel.tasks[task].mm else {
        return refuse(Errno::EFAULT, F, "the task has no user memory to put a variable in");
    };
    if size == 0 {
        return refuse(Errno::EINVAL, F, "a variable has at least one byte");
    }
    let m = &sys.kernel.mms[mm];
    if let Some(old) = m.symbols.get(name)
        && old.size == size
    {
        return Ok(old.addr);
    }
    let align = match place {
        Place::Packed => 8,
        Place::OwnPage => PAGE_SIZE,
    };
    let addr = m.next_symbol.next_multiple_of(align);
    let Some(end) = addr.checked_add(size) else {
        return refuse(Errno::ENOMEM, F, "the variable is larger than the address space");
    };
    let addr = if end <= m.start_brk && m.next_symbol != 0 {
        addr
    } else if sys.machine.config.mmu && m.next_symbol != 0 && m.brk == m.start_brk {
        grow_data(sys, task, end)?;
        addr
    } else {
        // The heap is in use behind the data: elsewhere, then.
        do_mmap(sys, task, 0, size, 3, 0x22, None, 0)?
    };
    let m = &mut sys.kernel.mms[mm];
    if addr + size > m.next_symbol && addr < m.start_brk {
        m.next_symbol = match place {
            Place::Packed => addr + size,
            Place::OwnPage => (addr + size).next_multiple_of(PAGE_SIZE),
        };
    }
    Arc::make_mut(&mut m.symbols).insert(name.to_string(), Symbol { addr, size });
    Ok(addr)
}

/// The same, and stores the first value as the program itself would.
///
/// # Errors
/// As [`define_symbol`]; EFAULT.
pub fn define_symbol_init(
    sys: &mut System,
    task: TaskId,
    name: &str,
    bytes: &[u8],
    place: Place,
) -> Result<u64, SysError> {
    let addr = define_symbol(sys, task, name, bytes.len() as u64, place)?;
    copy_to_user(sys, task, addr, bytes)?;
    Ok(addr)
}

/// Moves the beginning of a heap nobody has used, to make room for data.
fn grow_data(sys: &mut System, task: TaskId, end: u64) -> Result<(), SysError> {
    let Some(mm) = sys.kernel.tasks[task].mm else { return Ok(()) };
    let start = sys.kernel.mms[mm].start_brk;
    let Some(stop) = crate::base::addr::page_align_up(end) else {
        return refuse(Errno::ENOMEM, "define_symbol", "the variable is too large");
    };
    do_brk_flags(sys, task, mm, start, stop - start)?;
    let m = &mut sys.kernel.mms[mm];
    (m.start_brk, m.brk) = (stop, stop);
    Ok(())
}

/// The variable of that name.
pub fn find_symbol(sys: &System, task: TaskId, name: &str) -> Option<Symbol> {
    let mm = sys.kernel.tasks.get(task)?.mm?;
    sys.kernel.mms[mm].symbols.get(name).copied()
}
