//! PTRACE_PEEKDATA and POKEDATA: a word of the tracee's memory.
//!
//! Linux: kernel/ptrace.c (ptrace_access_vm, generic_ptrace_peekdata,
//! generic_ptrace_pokedata).
//! Left out: process_vm_readv(2) and process_vm_writev(2).

use super::ptracer_capable;
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::MmId;
use crate::kernel::mm::gup::{read_remote_vm, write_remote_vm};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

const F: &str = "ptrace_access_vm";

/// SUID_DUMP_USER.
const SUID_DUMP_USER: u32 = 1;

/// The tracee's address space, if the tracer may look into it: a program that
/// has become privileged under it keeps its memory to itself.
fn accessible_mm(sys: &System, child: TaskId) -> Result<MmId, SysError> {
    let Some(mm) = sys.task(child).mm else {
        return refuse(Errno::EIO, F, "the tracee has no memory any more");
    };
    if sys.mm(mm).dumpable != SUID_DUMP_USER
        && !ptracer_capable(sys, child, sys.kernel.init_user_ns)
    {
        let why = "the tracee is not dumpable, and its tracer had no CAP_SYS_PTRACE when it \
                   attached";
        return refuse(Errno::EIO, F, why);
    }
    Ok(mm)
}

/// Reads a word.
///
/// # Errors
/// EIO: a byte of it is not there, or the memory is closed to the tracer.
pub fn ptrace_peekdata(
    sys: &mut System,
    current: TaskId,
    child: TaskId,
    addr: u64,
) -> Result<u64, SysError> {
    let mm = accessible_mm(sys, child)?;
    let mut word = [0; 8];
    traced!(sys, read_remote_vm(current, mm, addr, &mut word))
        .map_err(|why| SysError::with(Errno::EIO, F, why))?;
    Ok(u64::from_le_bytes(word))
}

/// Writes a word: copy-on-write is broken first, and a private mapping that
/// the tracee itself may only read is written all the same.
///
/// # Errors
/// EIO, as for reading; also a shared mapping without PROT_WRITE.
pub fn ptrace_pokedata(
    sys: &mut System,
    current: TaskId,
    child: TaskId,
    addr: u64,
    word: u64,
) -> Result<(), SysError> {
    let mm = accessible_mm(sys, child)?;
    traced!(sys, write_remote_vm(current, mm, addr, &word.to_le_bytes()))
        .map_err(|why| SysError::with(Errno::EIO, F, why))
}
