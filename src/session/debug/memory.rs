//! A task's memory as a debugger sees it: past protections, and without a trace
//! as long as it only reads.
//!
//! Linux: kernel/ptrace.c (ptrace_access_vm), mm/memory.c (access_process_vm).
//! Left out: memory of devices.

use crate::abi::Errno;
use crate::kernel::error::SysError;
use crate::kernel::mm::gup::{present_bytes, read_remote_vm, write_remote_vm};
use crate::kernel::mm::view;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Bytes a page.
const PAGE: u64 = crate::base::PAGE_SIZE;

/// Up to `len` bytes at an address, as far as they can be read. Pages that the
/// task has not touched yet are what they would be; it does not get them.
pub fn read(sys: &System, task: TaskId, addr: u64, len: usize) -> Vec<u8> {
    let Some(mm) = sys.task(task).mm else { return Vec::new() };
    let mut bytes = present_bytes(sys, mm, addr, len);
    if bytes.len() == len {
        return bytes;
    }
    // Page faults happen to a copy of everything.
    let mut copy = sys.clone();
    while bytes.len() < len {
        let Some(at) = addr.checked_add(bytes.len() as u64) else { break };
        let n = ((PAGE - at % PAGE) as usize).min(len - bytes.len());
        let mut part = vec![0; n];
        if read_remote_vm(&mut copy, task, mm, at, &mut part).is_err() {
            break;
        }
        bytes.extend(part);
    }
    bytes
}

/// Writes to the task's memory as ptrace(2) does: pages are copied first, and those
/// of a private mapping may be read-only.
///
/// # Errors
/// EIO: nothing is mapped there, or a shared mapping without PROT_WRITE.
pub fn write(sys: &mut System, task: TaskId, addr: u64, bytes: &[u8]) -> Result<(), SysError> {
    const F: &str = "ptrace_access_vm";
    let Some(mm) = sys.task(task).mm else {
        return Err(SysError::new(Errno::EIO, F, "the task has no memory any more"));
    };
    write_remote_vm(sys, task, mm, addr, bytes).map_err(|why| SysError::with(Errno::EIO, F, why))
}

/// The auxiliary vector that the program was started with, from its stack.
pub fn auxv(sys: &System, task: TaskId) -> Vec<u8> {
    let Some(mm) = sys.task(task).mm else { return Vec::new() };
    let word = |at: u64| -> Option<u64> {
        Some(u64::from_le_bytes(read(sys, task, at, 8).try_into().ok()?))
    };
    let mut at = sys.mm(mm).start_stack;
    // argc, its pointers and a 0; the environment and a 0; then pairs.
    let Some(argc) = word(at) else { return Vec::new() };
    at = at.wrapping_add(argc.wrapping_add(2).wrapping_mul(8));
    let mut strings = 0;
    while strings < MOST_STRINGS && word(at).is_some_and(|p| p != 0) {
        at = at.wrapping_add(8);
        strings += 1;
    }
    at = at.wrapping_add(8);
    let mut found = Vec::new();
    while found.len() < MOST_AUXV {
        let pair = read(sys, task, at, 16);
        if pair.len() < 16 {
            return Vec::new();
        }
        let last = pair[..8].iter().all(|b| *b == 0);
        found.extend(pair);
        if last {
            break;
        }
        at = at.wrapping_add(16);
    }
    found
}

const MOST_STRINGS: u32 = 1 << 16;
const MOST_AUXV: usize = 64 * 16;

/// Path of the program in the machine.
pub fn exe(sys: &System, task: TaskId) -> Option<String> {
    let mm = sys.task(task).mm?;
    Some(sys.mm(mm).exe_file.to_string()).filter(|path| !path.is_empty())
}

/// `/proc/PID/maps`.
pub fn maps(sys: &System, task: TaskId) -> String {
    let lines = sys.task(task).mm.map(|mm| view::maps(sys, mm)).unwrap_or_default();
    lines.iter().map(|line| format!("{line}\n")).collect()
}
