//! signalfd(2): signals that are read instead of handled.
//!
//! A descriptor holds a set. Reading it takes pending signals of the set from
//! the reader's own queues, as rt_sigtimedwait(2) does; they are blocked as a
//! rule, so that no handler takes them first. Who sleeps for signals is on a
//! queue of the dispositions, and every signal that is sent wakes it.
//!
//! Linux: fs/signalfd.c (do_signalfd4, signalfd_read_iter, signalfd_dequeue,
//! signalfd_copyinfo, signalfd_poll), include/linux/signalfd.h (signalfd_notify).
//! Left out: fdinfo.

use super::FileId;
use super::anon_inodes::{AnonKind, anon_fget, anon_inode_getfd};
use super::uio::Dest;
use crate::abi::numbers::POLLIN;
use crate::abi::signal::si_code;
use crate::abi::structs::SigInfo;
use crate::abi::{Errno, OpenFlags, SigSet, Signal};
use crate::kernel::error::{Stop, SysError, refuse};
use crate::kernel::sched::core::wake_up;
use crate::kernel::signal::frame::{is_about_a_child, is_fault};
use crate::kernel::signal::pending::{dequeue_signal, next_signal};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::{Wait, WaitOn};

/// Bytes of `struct signalfd_siginfo`.
pub const SIGNALFD_SIGINFO_SIZE: usize = 128;

/// signalfd4(2): a new descriptor (`fd` is -1), or another set for an old one.
///
/// # Errors
/// EINVAL: an unknown flag, or `fd` is no signalfd. EBADF, EMFILE.
pub fn do_signalfd4(
    sys: &mut System,
    task: TaskId,
    fd: i32,
    mut mask: SigSet,
    flags: u32,
) -> Result<i32, SysError> {
    const F: &str = "do_signalfd4";
    if flags & !(OpenFlags::O_CLOEXEC | OpenFlags::O_NONBLOCK).bits() != 0 {
        return refuse(Errno::EINVAL, F, "signalfd knows SFD_CLOEXEC and SFD_NONBLOCK");
    }
    mask.del(Signal::SIGKILL);
    mask.del(Signal::SIGSTOP);
    if fd == -1 {
        let flags = OpenFlags::from_bits_truncate(flags);
        return anon_inode_getfd(sys, task, AnonKind::Signal(mask), flags);
    }
    let (_, id) = anon_fget(sys, task, fd)?;
    match id.and_then(|id| sys.kernel.anon_inodes.get_mut(id)).map(|a| &mut a.kind) {
        Some(AnonKind::Signal(set)) => *set = mask,
        _ => return refuse(Errno::EINVAL, F, "the descriptor is open, but it is no signalfd"),
    }
    if let Some(sighand) = sys.task(task).sighand {
        wake_up(sys, WaitOn::Signalfd(sighand));
    }
    Ok(fd)
}

/// A signal was sent to a task (`signalfd_notify`).
pub fn signalfd_notify(sys: &mut System, task: TaskId) {
    if let Some(sighand) = sys.task(task).sighand {
        wake_up(sys, WaitOn::Signalfd(sighand));
    }
}

/// Whether the task has a signal of the set to read.
pub(super) fn signalfd_poll(sys: &System, task: TaskId, mask: SigSet) -> u16 {
    let others = SigSet(!mask.0);
    let t = sys.task(task);
    let shared = t.signal.map(|s| &sys.kernel.signals[s].shared_pending);
    let any = next_signal(&t.pending, others).is_some()
        || shared.is_some_and(|p| next_signal(p, others).is_some());
    if any { POLLIN } else { 0 }
}

/// Takes signals of the set, as many as fit; waits for the first one only.
///
/// # Errors
/// EINVAL: less than one structure. EAGAIN, ERESTARTSYS, EFAULT.
pub(super) fn signalfd_read(
    sys: &mut System,
    task: TaskId,
    file: FileId,
    mask: SigSet,
    dest: &mut Dest,
) -> Result<u64, Stop> {
    const F: &str = "signalfd_read_iter";
    let size = SIGNALFD_SIGINFO_SIZE as u64;
    let room = dest.count() / size;
    if room == 0 {
        return Err(SysError::new(Errno::EINVAL, F, "a signal has 128 bytes").into());
    }
    let mut done = 0;
    while done < room {
        let Some((info, _)) = dequeue_signal(sys, task, SigSet(!mask.0)) else { break };
        match dest.put(sys, task, done * size, &signalfd_siginfo(&info)) {
            Ok(()) => done += 1,
            // The signal is lost, as it is on Linux.
            Err(e) if done == 0 => return Err(e.into()),
            Err(_) => break,
        }
    }
    if done > 0 {
        return Ok(done * size);
    }
    if sys.kernel.filps[file].nonblocking() {
        let why = "no signal of the set is pending, and O_NONBLOCK is set";
        return Err(SysError::new(Errno::EAGAIN, F, why).into());
    }
    if sys.task(task).sigpending {
        let why = "a signal that is not of the set is pending";
        return Err(SysError::new(Errno::ERESTARTSYS, F, why).into());
    }
    match sys.task(task).sighand {
        Some(sighand) => Err(Stop::Block(Wait::interruptible(WaitOn::Signalfd(sighand)))),
        None => Ok(0),
    }
}

/// `struct signalfd_siginfo` of a signal (`signalfd_copyinfo`): unlike siginfo_t,
/// each field has a place of its own.
fn signalfd_siginfo(info: &SigInfo) -> [u8; SIGNALFD_SIGINFO_SIZE] {
    let mut b = [0; SIGNALFD_SIGINFO_SIZE];
    let mut int = |at: usize, v: u32| b[at..at + 4].copy_from_slice(&v.to_le_bytes());
    int(0, info.si_signo.number() as u32);
    int(8, info.si_code as u32);
    let mut words = [(0, 0); 3];
    if info.si_code == si_code::SI_TIMER {
        // si_timerid and si_overrun.
        int(24, info.si_pid as u32);
        int(32, info.si_uid);
        int(44, info.si_value as u32);
        words[0] = (48, info.si_value);
    } else if is_fault(info) {
        words[0] = (72, info.si_addr);
    } else {
        int(12, info.si_pid as u32);
        int(16, info.si_uid);
        if is_about_a_child(info) {
            int(40, info.si_status as u32);
            words = [(56, info.si_utime), (64, info.si_stime), (0, 0)];
        } else {
            int(44, info.si_value as u32);
            words[0] = (48, info.si_value);
        }
    }
    for (at, word) in words.into_iter().filter(|(at, _)| *at != 0) {
        b[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }
    b
}
