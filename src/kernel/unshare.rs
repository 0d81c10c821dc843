//! unshare(2): a task stops sharing, without making another one.
//!
//! ```text
//! asked for      comes with it
//! NEWUSER        THREAD, FS
//! VM             SIGHAND
//! SIGHAND        THREAD
//! NEWNS          FS
//! ```
//!
//! New objects are made first and put in place only when nothing can fail any
//! more. Memory and handlers cannot be given up: asking for that is granted
//! where nobody shares them.
//!
//! Linux: kernel/fork.c (ksys_unshare, check_unshare_flags, unshare_fs,
//! unshare_fd), kernel/nsproxy.c (unshare_nsproxy_namespaces).
//! Left out: System V shared memory, which there is none of.

use crate::abi::{Cap, CloneFlags, Errno};
use crate::kernel::capability::ns_capable;
use crate::kernel::cred::user_ns::create_user_ns;
use crate::kernel::cred::{CredId, abort_creds, commit_creds, prepare_creds};
use crate::kernel::error::{SysError, refuse};

use crate::kernel::fs::fdtable::{dup_fd, put_files_struct};
use crate::kernel::fs::fs_struct::{copy_fs_struct, put_fs_struct};
use crate::kernel::fs::{FilesId, FsId};
use crate::kernel::nsproxy::{
    NEW_NAMESPACES, NsproxyId, create_new_namespaces, switch_task_namespaces,
};
use crate::kernel::signal::thread_group_empty;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;

/// All that unshare(2) knows.
const KNOWN: CloneFlags = CloneFlags::CLONE_THREAD
    .union(CloneFlags::CLONE_FS)
    .union(CloneFlags::CLONE_SIGHAND)
    .union(CloneFlags::CLONE_VM)
    .union(CloneFlags::CLONE_FILES)
    .union(CloneFlags::CLONE_SYSVSEM)
    .union(CloneFlags::CLONE_NEWUSER)
    .union(NEW_NAMESPACES);

/// What has been made and is not in place yet.
#[derive(Default)]
struct Fresh {
    fs: Option<FsId>,
    files: Option<FilesId>,
    cred: Option<CredId>,
    nsproxy: Option<NsproxyId>,
}

/// Whether nobody else uses the task's memory (`current_is_single_threaded`).
pub fn current_is_single_threaded(sys: &System, task: TaskId) -> bool {
    let alone = sys.signal(task).live == 1;
    alone && sys.task(task).mm.is_none_or(|mm| sys.mm(mm).mm_users == 1)
}

/// Gives the task things of its own. `flags` is the raw word.
///
/// # Errors
/// EINVAL: an unknown flag, threads, handlers or memory that are shared,
/// CLONE_NEWPID twice. EPERM: no CAP_SYS_ADMIN for a namespace. ENOSPC: too
/// deep. ENOMEM.
pub fn ksys_unshare(sys: &mut System, task: TaskId, flags: u64) -> Result<(), SysError> {
    let flags = implied(CloneFlags::from_bits_retain(flags));
    check_unshare_flags(sys, task, flags)?;
    let mut fresh = Fresh::default();
    if let Err(e) = prepare(sys, task, flags, &mut fresh) {
        give_up(sys, fresh);
        return Err(e);
    }
    // Semaphores of the old namespace are out of reach.
    if flags.intersects(CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_SYSVSEM) {
        sys.task_mut(task).sysvsem = None;
    }
    if let Some(new) = fresh.nsproxy {
        switch_task_namespaces(sys, task, new);
    }
    if let Some(new) = fresh.fs
        && let Some(old) = sys.task_mut(task).fs.replace(new)
    {
        put_fs_struct(sys, old);
    }
    if let Some(new) = fresh.files
        && let Some(old) = sys.task_mut(task).files.replace(new)
    {
        put_files_struct(sys, old);
    }
    if let Some(new) = fresh.cred {
        traced!(sys, commit_creds(task, new));
    }
    Ok(())
}

/// The flags with those that they bring along.
fn implied(mut flags: CloneFlags) -> CloneFlags {
    use CloneFlags as C;
    if flags.contains(C::CLONE_NEWUSER) {
        flags |= C::CLONE_THREAD | C::CLONE_FS;
    }
    if flags.contains(C::CLONE_VM) {
        flags |= C::CLONE_SIGHAND;
    }
    if flags.contains(C::CLONE_SIGHAND) {
        flags |= C::CLONE_THREAD;
    }
    if flags.contains(C::CLONE_NEWNS) {
        flags |= C::CLONE_FS;
    }
    flags
}

/// What cannot be unshared must not be shared.
fn check_unshare_flags(sys: &System, task: TaskId, flags: CloneFlags) -> Result<(), SysError> {
    use CloneFlags as C;
    const F: &str = "check_unshare_flags";
    let unknown = flags.bits() & !KNOWN.bits();
    if unknown != 0 {
        let why = format!("unshare does not know the flags {unknown:#x}");
        return Err(SysError::with(Errno::EINVAL, F, why));
    }
    if flags.intersects(C::CLONE_THREAD | C::CLONE_SIGHAND | C::CLONE_VM)
        && !thread_group_empty(sys, task)
    {
        return refuse(
            Errno::EINVAL,
            F,
            "the process has other threads: CLONE_THREAD, and what brings it along (CLONE_NEWUSER, \
             CLONE_VM, CLONE_SIGHAND), cannot take a thread out of its group",
        );
    }
    let sighand = sys.task(task).sighand.map(|s| sys.kernel.sighands[s].count);
    if flags.intersects(C::CLONE_SIGHAND | C::CLONE_VM) && sighand.is_some_and(|n| n > 1) {
        return refuse(
            Errno::EINVAL,
            F,
            "signal handlers are shared with another process and cannot be given up",
        );
    }
    if flags.contains(C::CLONE_VM) && !current_is_single_threaded(sys, task) {
        return refuse(
            Errno::EINVAL,
            F,
            "the address space is shared with another process and cannot be given up",
        );
    }
    Ok(())
}

/// Makes whatever the task is to have of its own.
fn prepare(
    sys: &mut System,
    task: TaskId,
    flags: CloneFlags,
    fresh: &mut Fresh,
) -> Result<(), SysError> {
    if flags.contains(CloneFlags::CLONE_FS)
        && let Some(fs) = sys.task(task).fs
        && sys.kernel.fs[fs].users > 1
    {
        fresh.fs = Some(traced!(sys, copy_fs_struct(fs))?);
    }
    if flags.contains(CloneFlags::CLONE_FILES)
        && let Some(files) = sys.task(task).files
        && sys.kernel.files[files].count > 1
    {
        fresh.files = Some(traced!(sys, dup_fd(files))?);
    }
    if flags.contains(CloneFlags::CLONE_NEWUSER) {
        let new = traced!(sys, prepare_creds(task))?;
        fresh.cred = Some(new);
        create_user_ns(sys, task, new)?;
    }
    fresh.nsproxy = unshare_nsproxy_namespaces(sys, task, flags, fresh.cred)?;
    Ok(())
}

/// A new nsproxy with the namespaces asked for. They belong to the new user
/// namespace if there is one.
fn unshare_nsproxy_namespaces(
    sys: &mut System,
    task: TaskId,
    flags: CloneFlags,
    new_cred: Option<CredId>,
) -> Result<Option<NsproxyId>, SysError> {
    const F: &str = "unshare_nsproxy_namespaces";
    let Some(old) = sys.task(task).nsproxy.filter(|_| flags.intersects(NEW_NAMESPACES)) else {
        return Ok(None);
    };
    let user_ns = sys.kernel.creds[new_cred.unwrap_or(sys.task(task).cred)].user_ns;
    if !ns_capable(sys, task, user_ns, Cap::CAP_SYS_ADMIN) {
        return refuse(Errno::EPERM, F, "a new namespace needs CAP_SYS_ADMIN");
    }
    Ok(Some(create_new_namespaces(sys, flags, task, old, user_ns)?))
}

/// Takes back what was made, newest first.
fn give_up(sys: &mut System, fresh: Fresh) {
    let Fresh { fs, files, cred, nsproxy } = fresh;
    debug_assert!(nsproxy.is_none(), "the last step cannot fail once it has made one");
    if let Some(cred) = cred {
        abort_creds(sys, cred);
    }
    if let Some(files) = files {
        put_files_struct(sys, files);
    }
    if let Some(fs) = fs {
        put_fs_struct(sys, fs);
    }
}
