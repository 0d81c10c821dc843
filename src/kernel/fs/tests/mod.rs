//! The rules of files, each as Linux 6.18 answered them to a C program.

mod descriptors;
mod holes;
mod io;
mod links;
mod names;

use super::fdtable::*;
use super::inode::*;
use super::namei::*;
use super::open::*;
use super::pipe::*;
use super::rw::*;
use super::uio::*;
use super::*;
use crate::abi::Errno::*;
use crate::abi::{CapSet, Errno, Signal};
use crate::kernel::boot::{BootConfig, boot};
use crate::kernel::error::{Stop, SysError, SysResult};
use crate::kernel::syscalls::Out;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

fn sys() -> (System, TaskId) {
    let sys = boot(&BootConfig::default()).unwrap();
    let init = sys.kernel.init_process;
    (sys, init)
}

fn errno<T: std::fmt::Debug>(r: Result<T, SysError>) -> Errno {
    let e = r.unwrap_err();
    assert!(!e.why.is_empty() && !e.source_fn.is_empty());
    e.errno
}

fn stop_errno(r: SysResult) -> Errno {
    match r {
        Err(Stop::Error(e)) => e.errno,
        other => panic!("{other:?}"),
    }
}

const RDONLY: u32 = 0;
const WRONLY: u32 = 1;
const RDWR: u32 = 2;
const CREAT: u32 = 0o100;
const EXCL: u32 = 0o200;
const TRUNC: u32 = 0o1000;
const APPEND: u32 = 0o2000;
const DIRECTORY: u32 = 0o200000;

fn o(sys: &mut System, t: TaskId, path: &str, flags: u32) -> Result<i32, SysError> {
    do_sys_open(sys, t, AT_FDCWD, path, flags, 0o666)
}

fn w(sys: &mut System, t: TaskId, fd: i32, bytes: &[u8]) -> SysResult {
    ksys_write(sys, t, fd, Source::Bytes(bytes), At::Pos, &mut 0)
}

fn r(sys: &mut System, t: TaskId, fd: i32, n: u64) -> Result<Vec<u8>, Stop> {
    ksys_read(sys, t, fd, Dest::Out(Vec::new(), n), At::Pos, &mut 0)?;
    match std::mem::take(&mut sys.kernel.out) {
        Out::Bytes(b) => Ok(b),
        other => panic!("{other:?}"),
    }
}

/// Makes the task uid and gid 1000 without capabilities.
fn become_user(sys: &mut System, t: TaskId) {
    let old = sys.kernel.creds[sys.task(t).cred].clone();
    let mut c = old;
    (c.uid, c.suid, c.euid, c.fsuid) = (1000, 1000, 1000, 1000);
    (c.gid, c.sgid, c.egid, c.fsgid) = (1000, 1000, 1000, 1000);
    (c.cap_permitted, c.cap_effective) = (CapSet::EMPTY, CapSet::EMPTY);
    let new = sys.kernel.creds.insert(c);
    sys.task_mut(t).cred = new;
}
