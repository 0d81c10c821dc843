//! poll(2), ppoll(2): waiting until one of many descriptors is ready. select(2)
//! is in `fd_set`, on top of this.
//!
//! ```text
//! look at every descriptor: is it ready for what is asked?
//!   one is, or the time is over:  done
//!   none:                         onto the queue of each, and sleep
//!     pipe, reading end  rd_wait          a writer, or the last one's close
//!     pipe, writing end  wr_wait          a reader, or the last one's close
//!     pidfd              pid->wait_pidfd  the process dies, or is reaped
//!     terminal           read_wait, write_wait of its side
//!     event, timer, epoll its own queue; signals: that of the dispositions
//! ```
//! What has a queue keeps a reference for each sleeper ([`PollWqueues`]), as
//! another thread may close the descriptor meanwhile. The queues are those of
//! the first look; every further look goes by the descriptor.
//!
//! Linux: fs/select.c (do_sys_poll, do_poll, do_pollfd, __pollwait,
//! poll_freewait, poll_select_finish, do_restart_poll), fs/pipe.c (pipe_poll),
//! fs/pidfs.c (pidfd_poll), drivers/tty/tty_io.c (tty_poll).
//! Left out: poll on files of control groups, which tell of changes; a ppoll whose time was not in memory begins it anew when a signal
//! without a handler has ended its sleep.

use super::anon_inodes;
use super::fdtable::{fget, nofile_limit};
use super::file::{fput, get_file};
use super::{FileId, FileKind};
use crate::abi::Errno;
use crate::abi::numbers::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLRDNORM, POLLWRNORM};
use crate::kernel::error::{Stop, SysError, refuse};
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user};
use crate::kernel::nanosleep::RestartBlock;
use crate::kernel::pid::{self, PidType};
use crate::kernel::sched::core as sched;
use crate::kernel::signal::delay_group_leader;
use crate::kernel::syscalls::Call;
use crate::kernel::system::System;
use crate::kernel::task::{Resume, TaskId};
use crate::kernel::tty::n_tty::n_tty_poll;
use crate::kernel::wait_queue::{Wait, WaitOn};
use std::sync::Arc;

/// `struct pollfd`, without what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PollFd {
    /// The descriptor; a negative one is left alone.
    pub fd: i32,
    /// `POLL*` that are asked for.
    pub events: u16,
}

/// Where the descriptors are listed, and where what is found goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ufds {
    /// In user memory: address and number of `struct pollfd`.
    User(u64, u32),
    /// With the call; what is found goes to `kernel.out`.
    Given(Arc<[PollFd]>),
}

/// `struct poll_wqueues`: what a sleeping poll keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollWqueues {
    /// The descriptors as they were listed when it began.
    pub fds: Vec<PollFd>,
    /// The queues it is on, each with the file behind it, which it holds.
    pub table: Vec<(WaitOn, FileId)>,
    /// When it gives up, on the monotonic clock.
    pub end: Option<u64>,
}

/// What a file without a method of its own is ready for: everything.
const DEFAULT_POLLMASK: u16 = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

/// Bytes of `struct pollfd`.
const POLLFD_SIZE: usize = 8;

/// What a file is ready for, and the queues that tell of a change
/// (`vfs_poll`). A signalfd is ready for the signals of who asks.
///
/// # Errors
/// ENOSYS: a file of a control group.
pub(super) fn vfs_poll(
    sys: &System,
    task: TaskId,
    file: FileId,
) -> Result<(u16, [Option<WaitOn>; 2]), SysError> {
    Ok(match sys.kernel.filps[file].kind {
        FileKind::PipeRead(pipe) => {
            let p = &sys.kernel.pipes[pipe];
            let data = if p.bufs.is_empty() { 0 } else { POLLIN | POLLRDNORM };
            let end = if p.writers == 0 { POLLHUP } else { 0 };
            (data | end, [Some(WaitOn::PipeRead(pipe)), None])
        }
        FileKind::PipeWrite(pipe) => {
            let p = &sys.kernel.pipes[pipe];
            let room = if p.full() { 0 } else { POLLOUT | POLLWRNORM };
            let end = if p.readers == 0 { POLLERR } else { 0 };
            (room | end, [Some(WaitOn::PipeWrite(pipe)), None])
        }
        FileKind::Pidfd(pid) => {
            let mask = match pid::pid_task(sys, pid, PidType::Pid) {
                None => POLLIN | POLLRDNORM | POLLHUP,
                // A leader counts as alive while other threads of it are.
                Some(t) if sys.task(t).is_dead() && !delay_group_leader(sys, t) => {
                    POLLIN | POLLRDNORM
                }
                Some(_) => 0,
            };
            (mask, [Some(WaitOn::PidExit(pid)), None])
        }
        FileKind::Tty(tty) => {
            (n_tty_poll(sys, tty), [Some(WaitOn::TtyRead(tty)), Some(WaitOn::TtyWrite(tty))])
        }
        // hung_up_tty_poll
        FileKind::HungUpTty(_) => (DEFAULT_POLLMASK | POLLERR | POLLHUP, [None; 2]),
        FileKind::Anon(id) => {
            let (mask, queue) = anon_inodes::poll(sys, task, id);
            (mask, [queue, None])
        }
        FileKind::Inode(_) | FileKind::Proc(..) | FileKind::Ns(_) => (DEFAULT_POLLMASK, [None; 2]),
        FileKind::Cgroup(..) => {
            let why = "files of a control group tell of their changes, which is not modelled";
            return refuse(Errno::ENOSYS, "kernfs_fop_poll", why);
        }
    })
}

/// What one descriptor is ready for, of what was asked and of `always`
/// (`do_pollfd`).
fn do_pollfd(sys: &System, task: TaskId, p: PollFd, always: u16) -> Result<u16, SysError> {
    if p.fd < 0 {
        return Ok(0);
    }
    match fget(sys, task, p.fd) {
        Ok(file) => Ok(vfs_poll(sys, task, file)?.0 & (p.events | always)),
        Err(_) => Ok(POLLNVAL),
    }
}

/// What the task's sleeping poll keeps.
pub(super) fn asleep(sys: &System, task: TaskId) -> Option<&PollWqueues> {
    sys.task(task).resume.as_ref()?.poll.as_deref()
}

/// Whether the task's call is a poll that has slept.
pub fn has_slept(sys: &System, task: TaskId) -> bool {
    asleep(sys, task).is_some()
}

/// When a poll that has slept gives up.
pub fn sleeps_until(sys: &System, task: TaskId) -> Option<u64> {
    asleep(sys, task).and_then(|poll| poll.end)
}

/// The list of descriptors.
///
/// # Errors
/// EINVAL: more than RLIMIT_NOFILE. EFAULT.
fn copy_fds(sys: &mut System, task: TaskId, ufds: &Ufds) -> Result<Vec<PollFd>, SysError> {
    let n = match ufds {
        Ufds::User(_, n) => u64::from(*n),
        Ufds::Given(fds) => fds.len() as u64,
    };
    let limit = nofile_limit(sys, task);
    if n > limit {
        let why = format!("{n} descriptors are more than RLIMIT_NOFILE, {limit}");
        return Err(SysError::with(Errno::EINVAL, "do_sys_poll", why));
    }
    let addr = match ufds {
        Ufds::User(addr, _) => *addr,
        Ufds::Given(fds) => return Ok(fds.to_vec()),
    };
    let mut bytes = vec![0; n as usize * POLLFD_SIZE];
    copy_from_user(sys, task, addr, &mut bytes)?;
    let (fds, _) = bytes.as_chunks::<POLLFD_SIZE>();
    Ok(fds
        .iter()
        .map(|b| PollFd {
            fd: i32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            events: u16::from_le_bytes([b[4], b[5]]),
        })
        .collect())
}

/// Tells what was found.
///
/// # Errors
/// EFAULT.
fn put_revents(
    sys: &mut System,
    task: TaskId,
    ufds: &Ufds,
    fds: &[PollFd],
    found: &[u16],
) -> Result<(), SysError> {
    if let Ufds::User(addr, _) = ufds {
        for (i, revents) in found.iter().enumerate() {
            let at = addr.wrapping_add((i * POLLFD_SIZE) as u64 + 6);
            copy_to_user(sys, task, at, &revents.to_le_bytes())?;
        }
        return Ok(());
    }
    let image = fds.iter().zip(found).flat_map(|(p, revents)| {
        let [a, b, c, d] = p.fd.to_le_bytes();
        let ([e, f], [g, h]) = (p.events.to_le_bytes(), revents.to_le_bytes());
        [a, b, c, d, e, f, g, h]
    });
    sys.kernel.out = crate::kernel::syscalls::Out::Bytes(image.collect());
    Ok(())
}

/// Waits until a descriptor is ready or the time `end` on the monotonic clock
/// has come; `Some(0)` is not at all. How many are ready.
///
/// # Errors
/// EINVAL, EFAULT; ERESTARTNOHAND: a signal. ENOSYS: a file of a control group.
pub fn do_sys_poll(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    ufds: &Ufds,
    end: Option<u64>,
) -> Result<i64, Stop> {
    let (fds, end) = match asleep(sys, task) {
        Some(q) => (q.fds.clone(), q.end),
        None => (copy_fds(sys, task, ufds)?, end),
    };
    let (fds, found) = match do_poll(sys, task, call, fds, POLLERR | POLLHUP, end)? {
        Looked::Found(fds, found) => (fds, found),
        Looked::Signal(fds) => {
            put_revents(sys, task, ufds, &fds, &vec![0; fds.len()])?;
            let why = "a signal is pending and no descriptor is ready";
            return Err(SysError::new(Errno::ERESTARTNOHAND, "do_poll", why).into());
        }
    };
    put_revents(sys, task, ufds, &fds, &found)?;
    Ok(found.iter().filter(|revents| **revents != 0).count() as i64)
}

/// How a look at all descriptors ended.
pub(super) enum Looked {
    /// What each is ready for; nothing when the time is over.
    Found(Vec<PollFd>, Vec<u16>),
    /// None is, and a signal is pending.
    Signal(Vec<PollFd>),
}

/// Looks at the descriptors, and goes to sleep unless one is ready, a signal is
/// pending or the time is over (`do_poll`). `always` is what each is asked for
/// anyway.
///
/// # Errors
/// ENOSYS: a file of a control group.
pub(super) fn do_poll(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    fds: Vec<PollFd>,
    always: u16,
    end: Option<u64>,
) -> Result<Looked, Stop> {
    let found: Result<Vec<u16>, SysError> =
        fds.iter().map(|p| do_pollfd(sys, task, *p, always)).collect();
    let found = match found {
        Ok(found) => found,
        Err(e) => {
            poll_freewait(sys, task);
            return Err(e.into());
        }
    };
    let ready = found.iter().any(|revents| *revents != 0);
    let signal = !ready && sys.task(task).sigpending;
    let over = end.is_some_and(|end| end <= sys.machine.clock.now());
    if !ready && !signal && !over {
        return Err(poll_schedule_timeout(sys, task, call, fds, end));
    }
    poll_freewait(sys, task);
    Ok(if signal { Looked::Signal(fds) } else { Looked::Found(fds, found) })
}

/// The first time, gets the task onto the queues of all descriptors
/// (`__pollwait`); then it sleeps.
fn poll_schedule_timeout(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    fds: Vec<PollFd>,
    end: Option<u64>,
) -> Stop {
    let wait = Wait { deadline: end, ..Wait::interruptible(WaitOn::Poll) };
    if has_slept(sys, task) {
        return Stop::Block(wait);
    }
    let mut table = Vec::new();
    for p in fds.iter().filter(|p| p.fd >= 0) {
        let Ok(file) = fget(sys, task, p.fd) else { continue };
        let Ok((_, queues)) = vfs_poll(sys, task, file) else { continue };
        for on in queues.into_iter().flatten() {
            get_file(sys, file);
            if let Some(q) = sched::queue_mut(sys, on) {
                q.add(task, false);
            }
            table.push((on, file));
        }
    }
    let poll = Some(Box::new(PollWqueues { fds, table, end }));
    let (call, origin) = (call.clone(), sys.log.origin);
    sys.task_mut(task).resume =
        Some(Box::new(Resume { call, wait, origin, note: 0, file: None, poll, leaving: None }));
    Stop::Block(wait)
}

/// Leaves all queues and lets go of the files (`poll_freewait`).
fn poll_freewait(sys: &mut System, task: TaskId) {
    let Some(resume) = &mut sys.task_mut(task).resume else { return };
    let Some(poll) = resume.poll.take() else { return };
    for (on, file) in poll.table {
        sched::finish_wait(sys, on, task);
        fput(sys, file);
    }
}

/// poll(2) as it goes on after a stop: until the time it had at first
/// (`do_restart_poll`), or from the beginning.
pub fn poll(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    ufds: &Ufds,
    end: Option<u64>,
) -> Result<i64, Stop> {
    let end = asleep(sys, task).map_or(end, |q| q.end);
    match do_sys_poll(sys, task, call, ufds, end) {
        Err(Stop::Error(e)) if e.errno == Errno::ERESTARTNOHAND => {
            let block = RestartBlock::Poll { ufds: ufds.clone(), end };
            sys.task_mut(task).restart_block = block;
            Err(SysError { errno: Errno::ERESTART_RESTARTBLOCK, ..e }.into())
        }
        result => result,
    }
}
