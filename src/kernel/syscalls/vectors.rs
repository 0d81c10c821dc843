//! System calls: reading and writing with several buffers. Handlers decode
//! arguments; the verbs live elsewhere.
//!
//! Linux: fs/read_write.c (vfs_readv, vfs_writev, do_preadv, do_pwritev),
//! mm/process_vm_access.c.
//! Left out: RWF_* flags. A call that has slept reads its list of buffers again.

use super::Call;
use super::files::may_sleep;
use super::table::{Syscall, row};
use crate::abi::Errno;
use crate::kernel::error::{SysResult, refuse};
use crate::kernel::fs::rw::{self, At, Way};
use crate::kernel::fs::uio::{Dest, Source, import_iovec};
use crate::kernel::mm::process_vm_access::{Way as Remote, process_vm_rw};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const RWF_NOTE: &str = "every RWF_ flag is refused (EOPNOTSUPP)";

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(19, "readv", &["fd", "vec", "vlen"], sys_readv),
    row(20, "writev", &["fd", "vec", "vlen"], sys_writev),
    row(295, "preadv", &["fd", "vec", "vlen", "pos_l", "pos_h"], sys_preadv),
    row(296, "pwritev", &["fd", "vec", "vlen", "pos_l", "pos_h"], sys_pwritev),
    row(310, "process_vm_readv", REMOTE, |sys, t, call| remote(sys, t, call, Remote::Read)),
    row(311, "process_vm_writev", REMOTE, |sys, t, call| remote(sys, t, call, Remote::Write)),
    row(327, "preadv2", &["fd", "vec", "vlen", "pos_l", "pos_h", "flags"], sys_preadv2)
        .partly(RWF_NOTE),
    row(328, "pwritev2", &["fd", "vec", "vlen", "pos_l", "pos_h", "flags"], sys_pwritev2)
        .partly(RWF_NOTE),
];

/// Arguments of process_vm_readv and process_vm_writev.
const REMOTE: &[&str] = &["pid", "lvec", "liovcnt", "rvec", "riovcnt", "flags"];

fn remote(sys: &mut System, task: TaskId, call: &Call, way: Remote) -> SysResult {
    let [pid, local, liovcnt, remote, riovcnt, flags] = call.args;
    let lists = ((local, liovcnt), (remote, riovcnt));
    Ok(process_vm_rw(sys, task, pid as i32, lists.0, lists.1, flags, way)?)
}

/// The descriptor is looked at before the buffers are.
fn transfer(sys: &mut System, task: TaskId, call: &Call, way: Way, at: At) -> SysResult {
    transfer2(sys, task, call, (way, at), 0)
}

fn transfer2(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    (way, at): (Way, At),
    flags: u32,
) -> SysResult {
    let [fd, vec, vlen, ..] = call.args;
    let fd = fd as i32;
    rw::may_transfer(sys, task, fd, way, at)?;
    let list = import_iovec(sys, task, vec, vlen)?;
    if list.iter().all(|(_, len)| *len == 0) {
        return Ok(0);
    }
    if flags != 0 {
        let why = "no RWF_ flag is modelled";
        return Ok(refuse(Errno::EOPNOTSUPP, "kiocb_set_rw_flags", why)?);
    }
    may_sleep(sys, task, call, |sys, note| match way {
        Way::Read => rw::ksys_read(sys, task, fd, Dest::Vec(list), at, note),
        Way::Write => rw::ksys_write(sys, task, fd, Source::Vec(&list), at, note),
    })
}

/// The offset of preadv2 and pwritev2: -1 is the description's own.
fn at2(call: &Call) -> At {
    match call.args[3] as i64 {
        -1 => At::Pos,
        pos => At::Offset(pos),
    }
}

fn sys_readv(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    transfer(sys, task, call, Way::Read, At::Pos)
}

fn sys_writev(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    transfer(sys, task, call, Way::Write, At::Pos)
}

fn sys_preadv(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    transfer(sys, task, call, Way::Read, At::Offset(call.args[3] as i64))
}

fn sys_pwritev(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    transfer(sys, task, call, Way::Write, At::Offset(call.args[3] as i64))
}

fn sys_preadv2(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    transfer2(sys, task, call, (Way::Read, at2(call)), call.args[5] as u32)
}

fn sys_pwritev2(sys: &mut System, task: TaskId, call: &Call) -> SysResult {
    transfer2(sys, task, call, (Way::Write, at2(call)), call.args[5] as u32)
}
