//! Calls on numbers, descriptors, paths, ids and limits.
//!
//! Left out: those with a file of their own here.

use libc::c_long;

use super::results::Kind;
use super::{Draft, No, no, nr, own_fd};
use crate::abi::Errno;
use crate::abi::structs::SCHED_ATTR_SIZE_VER1;
use crate::kernel::fs::stat::STAT_SIZE;
use crate::kernel::syscalls::Payload;
use crate::oracle::host::stub::CONTROL_FD;

/// Calls whose registers are numbers, none of them an address or a descriptor.
const NUMBERS: &[c_long] = &[
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_getpgrp,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_pause,
    libc::SYS_sched_yield,
    libc::SYS_umask,
    libc::SYS_unshare,
    libc::SYS_pidfd_open,
    libc::SYS_munlockall,
    libc::SYS_getpriority,
    libc::SYS_setpriority,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_getscheduler,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Calls on a descriptor and numbers.
const ON_FD: &[c_long] = &[
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_lseek,
    libc::SYS_ftruncate,
    libc::SYS_fchdir,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_setns,
];

/// Calls on a path, by the register that has it.
const PATHS: &[(c_long, usize)] = &[
    (libc::SYS_open, 0),
    (libc::SYS_creat, 0),
    (libc::SYS_unlink, 0),
    (libc::SYS_chdir, 0),
    (libc::SYS_mkdir, 0),
    (libc::SYS_rmdir, 0),
    (libc::SYS_chmod, 0),
    (libc::SYS_chown, 0),
    (libc::SYS_truncate, 0),
    (libc::SYS_access, 0),
    (libc::SYS_chroot, 0),
    (libc::SYS_openat, 1),
    (libc::SYS_mkdirat, 1),
    (libc::SYS_unlinkat, 1),
    (libc::SYS_fchmodat, 1),
    (libc::SYS_faccessat, 1),
    (libc::SYS_faccessat2, 1),
];

/// Calls that change what names and files there are.
pub(super) const CHANGE_FILES: &[c_long] = &[
    libc::SYS_creat,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_mkdirat,
    libc::SYS_chmod,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_chown,
    libc::SYS_fchown,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
];

const FCNTL: &[i32] = &[
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GETPIPE_SZ,
    libc::F_SETPIPE_SZ,
    libc::F_GETOWN,
    libc::F_SETOWN,
];

/// access(2): whether it can be executed.
const X_OK: u64 = 1;

/// Options of prctl(2) that take numbers only.
const PRCTL: &[i32] = &[
    libc::PR_SET_PDEATHSIG,
    libc::PR_GET_DUMPABLE,
    libc::PR_SET_DUMPABLE,
    libc::PR_GET_KEEPCAPS,
    libc::PR_SET_KEEPCAPS,
    libc::PR_SET_CHILD_SUBREAPER,
    libc::PR_SET_NO_NEW_PRIVS,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_CAPBSET_READ,
    libc::PR_CAPBSET_DROP,
    libc::PR_GET_SECUREBITS,
    libc::PR_SET_SECUREBITS,
    libc::PR_GET_TIMERSLACK,
    libc::PR_SET_TIMERSLACK,
    libc::PR_CAP_AMBIENT,
];

/// Calls that take numbers.
pub(super) fn number(d: &mut Draft) -> Result<bool, No> {
    let args = d.call.args;
    match nr(d) {
        n if NUMBERS.contains(&n) => {
            if matches!(n, libc::SYS_exit | libc::SYS_exit_group) {
                d.order.kind = Kind::End;
            }
        }
        n if ON_FD.contains(&n) => own_fd(args[0])?,
        libc::SYS_dup2 | libc::SYS_dup3 | libc::SYS_pidfd_getfd => {
            own_fd(args[0])?;
            own_fd(args[1])?;
        }
        libc::SYS_close_range => {
            let ours = CONTROL_FD as u64;
            // What lies above ours a script can hardly have.
            let (first, last) = (args[0] as u32, args[1] as u32);
            if u64::from(first) <= ours && ours <= u64::from(last) {
                d.order.args[1] = ours - 1;
            }
            if u64::from(first) == ours {
                return Err(No::Errno(Errno::EBADF));
            }
        }
        libc::SYS_fcntl => {
            own_fd(args[0])?;
            let command = args[1] as i32;
            if !FCNTL.contains(&command) {
                return no(format!("fcntl command {command}"));
            }
        }
        libc::SYS_prctl => prctl(d)?,
        libc::SYS_arch_prctl => arch_prctl(d)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn prctl(d: &mut Draft) -> Result<(), No> {
    let option = d.call.args[0] as i32;
    match option {
        libc::PR_GET_PDEATHSIG | libc::PR_GET_CHILD_SUBREAPER => d.result(1, 4, Kind::Word(4)),
        libc::PR_GET_TID_ADDRESS => d.result(1, 8, Kind::Word(8)),
        libc::PR_SET_NAME => d.path(1),
        libc::PR_GET_NAME => d.result(1, 16, Kind::Text),
        _ if PRCTL.contains(&option) => Ok(()),
        _ => no(format!("prctl option {option}")),
    }
}

fn arch_prctl(d: &mut Draft) -> Result<(), No> {
    const ARCH_SET_FS: u64 = 0x1002;
    const ARCH_GET_FS: u64 = 0x1003;
    match d.call.args[0] {
        ARCH_SET_FS => Ok(()),
        ARCH_GET_FS => d.result(1, 8, Kind::Word(8)),
        code => no(format!("arch_prctl code {code:#x} (GS is the stub's)")),
    }
}

/// Calls on files and pipes.
pub(super) fn file(d: &mut Draft) -> Result<bool, No> {
    let args = d.call.args;
    let n = nr(d);
    if let Some((_, i)) = PATHS.iter().find(|(call, _)| *call == n) {
        if *i == 1 {
            own_fd(args[0])?;
        }
        let asks = matches!(n, libc::SYS_access | libc::SYS_faccessat);
        if asks && args[*i + 1] & X_OK != 0 {
            return no("access with X_OK: files of the sandbox cannot be executed (noexec)");
        }
        d.path(*i)?;
        return Ok(true);
    }
    match n {
        libc::SYS_pipe2 | libc::SYS_pipe => d.result(0, 8, Kind::Fds)?,
        libc::SYS_read | libc::SYS_pread64 => {
            own_fd(args[0])?;
            d.result(1, args[2], Kind::Bytes)?;
        }
        libc::SYS_write | libc::SYS_pwrite64 => {
            own_fd(args[0])?;
            match &d.call.payload {
                Payload::Bytes(bytes) => d.input(1, bytes),
                _ => d.theirs(1, args[2])?,
            }
        }
        libc::SYS_getrandom => d.result(0, args[1], Kind::Bytes)?,
        libc::SYS_stat | libc::SYS_lstat => {
            d.path(0)?;
            d.result(1, STAT_SIZE as u64, Kind::Stat)?;
        }
        libc::SYS_fstat => {
            own_fd(args[0])?;
            d.result(1, STAT_SIZE as u64, Kind::Stat)?;
        }
        libc::SYS_newfstatat => {
            own_fd(args[0])?;
            d.path(1)?;
            d.result(2, STAT_SIZE as u64, Kind::Stat)?;
        }
        libc::SYS_readlink => {
            d.path(0)?;
            d.result(1, u64::from(args[2] as u32).min(4096), Kind::Link)?;
        }
        libc::SYS_readlinkat => {
            own_fd(args[0])?;
            d.path(1)?;
            d.result(2, u64::from(args[3] as u32).min(4096), Kind::Link)?;
        }
        libc::SYS_getdents64 => {
            own_fd(args[0])?;
            d.result(1, u64::from(args[2] as u32).min(32 << 10), Kind::Dirents)?;
        }
        libc::SYS_getcwd => d.result(0, args[1].min(4096), Kind::Text)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Calls on ids, capabilities, limits and processors.
pub(super) fn identity(d: &mut Draft) -> Result<bool, No> {
    let args = d.call.args;
    match nr(d) {
        libc::SYS_getresuid | libc::SYS_getresgid => {
            let wanted = (0..3).all(|i| d.call.wants_out(i));
            for i in 0..3 {
                match wanted {
                    true => d.output(i, 4),
                    false => d.theirs(i, 4)?,
                }
            }
            if wanted {
                d.order.kind = Kind::Ids(3);
            }
        }
        libc::SYS_getgroups => {
            const MOST: u64 = 16 << 10;
            if d.call.wants_out(1) {
                if args[0] == 0 {
                    d.order.args[0] = MOST;
                }
                d.output(1, (args[0] as i32).max(0) as u64 * 4);
                if args[0] == 0 {
                    d.order.output.1 = MOST * 4;
                }
                d.order.kind = Kind::IdList;
            } else {
                d.theirs(1, u64::from(args[0] as u32).saturating_mul(4))?;
            }
        }
        libc::SYS_setgroups => match &d.call.payload {
            Payload::Ids(ids) => {
                let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
                d.input(1, &bytes);
            }
            _ => d.theirs(1, u64::from(args[0] as u32).saturating_mul(4))?,
        },
        libc::SYS_capget | libc::SYS_capset => caps(d)?,
        libc::SYS_getrlimit => d.result(1, 16, Kind::Rlimit)?,
        libc::SYS_setrlimit => match &d.call.payload {
            Payload::Rlimit(r) => d.input(1, &[r.cur, r.max].map(u64::to_le_bytes).concat()),
            _ => d.theirs(1, 16)?,
        },
        libc::SYS_prlimit64 => {
            match &d.call.payload {
                Payload::Rlimit(r) => d.input(2, &[r.cur, r.max].map(u64::to_le_bytes).concat()),
                _ => d.theirs(2, 16)?,
            }
            d.result(3, 16, Kind::Rlimit)?;
        }
        libc::SYS_getrusage => d.result(1, 144, Kind::Rusage)?,
        libc::SYS_times => d.theirs(0, 32)?,
        libc::SYS_sched_setaffinity => match &d.call.payload {
            Payload::Bytes(mask) => d.input(2, mask),
            _ => d.theirs(2, u64::from(args[1] as u32))?,
        },
        libc::SYS_sched_getaffinity => {
            d.result(2, u64::from(args[1] as u32), Kind::Word(8))?;
        }
        libc::SYS_sched_setscheduler => structure(d, 2, 4)?,
        libc::SYS_sched_setparam => structure(d, 1, 4)?,
        libc::SYS_sched_getparam => d.result(1, 4, Kind::Image(4))?,
        libc::SYS_sched_rr_get_interval => d.result(1, 16, Kind::Image(16))?,
        libc::SYS_sched_setattr => structure(d, 1, SCHED_ATTR_SIZE_VER1.into())?,
        libc::SYS_sched_getattr => {
            let size = u64::from(args[2] as u32).min(4096);
            d.result(1, size, Kind::Image(size.min(SCHED_ATTR_SIZE_VER1.into()) as usize))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// A structure that the call brings along, or that lies in the script's memory.
fn structure(d: &mut Draft, i: usize, size: u64) -> Result<(), No> {
    match &d.call.payload {
        Payload::Bytes(bytes) => {
            d.input(i, bytes);
            Ok(())
        }
        // NULL is the kernel's to refuse.
        _ if d.call.args[i] == 0 => Ok(()),
        _ => d.theirs(i, size),
    }
}

fn caps(d: &mut Draft) -> Result<(), No> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = |pid: u32| [VERSION_3, pid].map(u32::to_le_bytes).concat();
    match &d.call.payload {
        Payload::Ids(ids) => {
            d.input(0, &header(ids.first().copied().unwrap_or(0)));
            d.result(1, 24, Kind::Caps)
        }
        Payload::Caps(e, p, i) => {
            d.input(0, &header(d.call.args[0] as u32));
            let words = [0, 32].map(|shift| [e, p, i].map(|set| (set.0 >> shift) as u32));
            d.input(1, &words.concat().into_iter().flat_map(u32::to_le_bytes).collect::<Vec<_>>());
            Ok(())
        }
        _ => {
            d.theirs(0, 8)?;
            d.theirs(1, 24)
        }
    }
}
