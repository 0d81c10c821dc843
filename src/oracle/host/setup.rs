//! What the sandbox needs before it is there: a program, ids, a filter for
//! system calls.
//!
//! Left out: the sandbox.

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use libc::c_long;

use super::stub::{self, Vdso};
use super::{calls, sys};

/// Where the ids of the sandbox begin on the host, if we may choose.
const FIRST_ID: u32 = 100_000;
/// How many there are.
const IDS: u32 = 65_536;

/// For `PR_SET_SECCOMP`.
pub(super) const SECCOMP_MODE_FILTER: u64 = 2;

/// A seccomp filter that lets pass what `calls` and the stub make. Scripts
/// cannot have other calls made; this is for the case that one finds out how to
/// run code of its own.
pub(super) fn filter() -> Vec<u8> {
    const LOAD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const REFUSE: u32 = 0x0005_0000 | libc::ENOSYS as u32;
    const X86_64: u32 = 0xc000_003e;
    const STUB: &[c_long] = &[libc::SYS_rt_sigreturn, libc::SYS_rt_sigprocmask];
    let mut code = Vec::new();
    let mut add = |op: u16, yes: u8, no: u8, k: u32| {
        code.extend(op.to_le_bytes());
        code.extend([yes, no]);
        code.extend(k.to_le_bytes());
    };
    // struct seccomp_data: nr, arch.
    add(LOAD, 0, 0, 4);
    add(JUMP_IF_EQUAL, 1, 0, X86_64);
    add(RETURN, 0, 0, REFUSE);
    add(LOAD, 0, 0, 0);
    let ioctl = libc::SYS_ioctl as u32;
    let made = |nr: &u32| calls::is_made(*nr) || STUB.contains(&c_long::from(*nr));
    for nr in (0..512).filter(|nr| *nr != ioctl && made(nr)) {
        add(JUMP_IF_EQUAL, 0, 1, nr);
        add(RETURN, 0, 0, ALLOW);
    }
    // ioctl: the second argument says what is asked.
    let requests: Vec<u32> = calls::requests().collect();
    add(JUMP_IF_EQUAL, 0, 1 + 2 * requests.len() as u8, ioctl);
    add(LOAD, 0, 0, 24);
    for request in requests {
        add(JUMP_IF_EQUAL, 0, 1, request);
        add(RETURN, 0, 0, ALLOW);
    }
    add(RETURN, 0, 0, REFUSE);
    code
}

/// The program of the warden as a file in memory.
pub(super) fn program_file(vdso: Vdso) -> io::Result<OwnedFd> {
    let fd = sys::memory_file(true)?;
    fs::File::from(fd.try_clone()?).write_all(&stub::image("/sbin/init", vdso))?;
    // A file that is open for writing cannot be executed.
    let read = fs::File::open(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
    Ok(read.into())
}

/// Where the kernel maps the vDSO of a program without randomisation.
pub(super) fn vdso(pid: i32) -> Vdso {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let (mut begin, mut end) = (u64::MAX, 0);
    for line in maps.lines().filter(|l| l.ends_with("[vdso]") || l.contains("[vvar")) {
        let Some((from, rest)) = line.split_once('-') else { continue };
        let to = rest.split(' ').next().unwrap_or_default();
        let number = |s: &str| u64::from_str_radix(s, 16).ok();
        if let (Some(from), Some(to)) = (number(from), number(to)) {
            (begin, end) = (begin.min(from), end.max(to));
        }
    }
    if begin < end { Vdso(begin, end - begin) } else { Vdso::default() }
}

/// Gives the user namespace of a process its ids: a range that is nobody's on
/// the host if we may, else our own id as root alone.
pub(super) fn map_ids(pid: i32) -> io::Result<()> {
    let proc = |file: &str| format!("/proc/{pid}/{file}");
    let (uid, gid) = sys::effective_ids();
    let range = format!("0 {FIRST_ID} {IDS}");
    if fs::write(proc("uid_map"), &range).is_ok() {
        return fs::write(proc("gid_map"), &range);
    }
    fs::write(proc("setgroups"), "deny")?;
    fs::write(proc("uid_map"), format!("0 {uid} 1"))?;
    fs::write(proc("gid_map"), format!("0 {gid} 1"))
}
