//! System calls that belong nowhere else: architecture, random bytes.
//!
//! Linux: kernel/sys.c, arch/x86/kernel/process_64.c, drivers/char/random.c.
//! Left out: see the notes of the rows.

use super::table::{Syscall, row};
use super::{Call, Out};
use crate::abi::Errno;
use crate::abi::structs::Rusage;
use crate::kernel::error::{SysError, SysResult, refuse};
use crate::kernel::mm::{layout, uaccess};
use crate::kernel::random::{self, To};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::Cpu;

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(158, "arch_prctl", &["code", "addr"], sys_arch_prctl)
        .partly("ARCH_SET_FS, ARCH_GET_FS, ARCH_SET_GS, ARCH_GET_GS"),
    row(318, "getrandom", &["buf", "buflen", "flags"], sys_getrandom)
        .noting("the bytes follow from the machine's seed"),
];

/// Stores a `struct rusage`: two timevals, then 14 longs of which Linux fills
/// maxrss (0), minflt (4), majflt (5), nvcsw (12), nivcsw (13).
pub fn put_rusage(sys: &mut System, task: TaskId, addr: u64, u: &Rusage) -> Result<(), SysError> {
    let mut words = [0u64; 18];
    let us = |ns: u64| (ns / 1_000_000_000, ns % 1_000_000_000 / 1000);
    (words[0], words[1]) = us(u.ru_utime);
    (words[2], words[3]) = us(u.ru_stime);
    words[4] = u.ru_maxrss;
    (words[8], words[9]) = (u.ru_minflt, u.ru_majflt);
    (words[16], words[17]) = (u.ru_nvcsw, u.ru_nivcsw);
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    uaccess::copy_to_user(sys, task, addr, &bytes)
}

fn sys_getrandom(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    let [buf, len, flags, ..] = call.args;
    let to = if call.wants_out(0) { To::Value } else { To::User(buf) };
    let (n, bytes) = random::getrandom(sys, current, to, len, flags as u32)?;
    sys.kernel.out = Out::Bytes(bytes);
    Ok(n)
}

fn sys_arch_prctl(sys: &mut System, current: TaskId, call: &Call) -> SysResult {
    const ARCH_SET_GS: u64 = 0x1001;
    const ARCH_SET_FS: u64 = 0x1002;
    const ARCH_GET_FS: u64 = 0x1003;
    const ARCH_GET_GS: u64 = 0x1004;
    let [code, addr, ..] = call.args;
    let max = layout::task_size(sys);
    let cpu = sys.task(current).cpu as usize;
    let Cpu { msrs, selectors, .. } = &mut sys.machine.cpus[cpu];
    match code {
        ARCH_SET_FS | ARCH_SET_GS if addr >= max => Ok(refuse(
            Errno::EPERM,
            "do_arch_prctl_64",
            "the base is not an address in user space",
        )?),
        ARCH_SET_FS => {
            (msrs.fs_base, selectors.fs) = (addr, 0);
            Ok(0)
        }
        // In the kernel the user's GS base lies in the other register (swapgs).
        ARCH_SET_GS => {
            (msrs.kernel_gs_base, selectors.gs) = (addr, 0);
            Ok(0)
        }
        ARCH_GET_FS | ARCH_GET_GS => {
            let value = if code == ARCH_GET_FS { msrs.fs_base } else { msrs.kernel_gs_base };
            if !call.wants_out(1) {
                uaccess::put_user_u64(sys, current, addr, value)?;
            }
            sys.kernel.out = Out::Number(value);
            Ok(0)
        }
        _ => Err(SysError::with(
            Errno::EINVAL,
            "do_arch_prctl_64",
            format!("arch_prctl code {code:#x} is unknown or not modelled"),
        )
        .into()),
    }
}
