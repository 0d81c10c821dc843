//! select(2), pselect6(2): sets of descriptors as bits, one set for each thing
//! asked for.
//!
//! ```text
//! read    bit set and  POLLIN_SET   data, end of file, an error, or closed
//! write   bit set and  POLLOUT_SET  room, or an error
//! except  bit set and  POLLEX_SET   urgent data
//! ```
//! Each set is read, and at the end written with what was found: as many words
//! as `n` bits need, and no more than the descriptor table has.
//!
//! Linux: fs/select.c (core_sys_select, max_select_fd, do_select, select_poll_one).
//! Left out: as of poll(2), see `select`.

use super::fdtable::fget;
use super::select::{Looked, PollFd, asleep, do_poll};
use crate::abi::Errno;
use crate::abi::numbers::*;
use crate::kernel::error::{Stop, SysError, refuse};
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user};
use crate::kernel::syscalls::{Call, Out};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::sync::Arc;

const POLLIN_SET: u16 = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR | POLLNVAL;
const POLLOUT_SET: u16 = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR | POLLNVAL;
const POLLEX_SET: u16 = POLLPRI | POLLNVAL;
/// What each set asks for, in the order of the arguments; the bit that tells
/// apart who is in which set comes first.
const ASKED: [(u16, u16); 3] =
    [(POLLIN, POLLIN_SET), (POLLOUT, POLLOUT_SET), (POLLPRI, POLLEX_SET)];

/// The three sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FdSets {
    /// In user memory: addresses, 0 for none, and how many bits count.
    User([u64; 3], i32),
    /// With the call: who is in each; what is found goes to `kernel.out`.
    Given(Arc<[Vec<i32>; 3]>),
}

/// Bits of a word.
const BITS: usize = 64;

/// How many descriptors the task's table has room for (`fdt->max_fds`): 64, or
/// a power of two times 128.
fn max_fds(sys: &System, task: TaskId) -> usize {
    let len = sys.task(task).files.map_or(0, |f| sys.kernel.files[f].fdt.len());
    if len <= BITS { BITS } else { len.div_ceil(128).next_power_of_two() * 128 }
}

/// How many bits of sets in memory count.
fn bits(sys: &System, task: TaskId, n: i32) -> usize {
    usize::try_from(n).unwrap_or(0).min(max_fds(sys, task))
}

/// Who is asked for what.
///
/// # Errors
/// EINVAL: a negative number of bits. EFAULT. EBADF: a descriptor that is not
/// open.
fn get_fd_sets(sys: &mut System, task: TaskId, sets: &FdSets) -> Result<Vec<PollFd>, SysError> {
    let mut asked: Vec<(i32, u16)> = Vec::new();
    match sets {
        FdSets::Given(sets) => {
            for (set, (_, events)) in sets.iter().zip(ASKED) {
                asked.extend(set.iter().map(|fd| (*fd, events)));
            }
        }
        FdSets::User(addrs, n) => {
            if *n < 0 {
                return refuse(Errno::EINVAL, "core_sys_select", "n is negative");
            }
            let n = bits(sys, task, *n);
            for (addr, (_, events)) in addrs.iter().zip(ASKED).filter(|(addr, _)| **addr != 0) {
                let mut set = vec![0; n.div_ceil(BITS) * 8];
                copy_from_user(sys, task, *addr, &mut set)?;
                let is_in = |fd: &usize| set[fd / 8] >> (fd % 8) & 1 != 0;
                asked.extend((0..n).filter(is_in).map(|fd| (fd as i32, events)));
            }
        }
    }
    asked.sort_by_key(|(fd, _)| *fd);
    let mut fds: Vec<PollFd> = Vec::new();
    for (fd, events) in asked {
        match fds.last_mut() {
            Some(last) if last.fd == fd => last.events |= events,
            _ => fds.push(PollFd { fd, events }),
        }
    }
    if let Some(p) = fds.iter().find(|p| fget(sys, task, p.fd).is_err()) {
        let why = format!("descriptor {} is in a set, and not open", p.fd);
        return Err(SysError::with(Errno::EBADF, "max_select_fd", why));
    }
    Ok(fds)
}

/// Stores what was found; how many bits that are.
///
/// # Errors
/// EFAULT.
fn set_fd_sets(
    sys: &mut System,
    task: TaskId,
    sets: &FdSets,
    fds: &[PollFd],
    found: &[u16],
) -> Result<i64, SysError> {
    let mut count = 0;
    let mut image = Vec::new();
    for (i, (member, events)) in ASKED.into_iter().enumerate() {
        let is_in = |(p, found): &(&PollFd, &u16)| p.events & member != 0 && *found & events != 0;
        let set: Vec<i32> = fds.iter().zip(found).filter(is_in).map(|(p, _)| p.fd).collect();
        count += set.len() as i64;
        match sets {
            FdSets::Given(_) => {
                let pairs = set.iter().flat_map(|fd| [i as i32, *fd]);
                image.extend(pairs.flat_map(i32::to_le_bytes));
            }
            FdSets::User(addrs, n) if addrs[i] != 0 => {
                let n = bits(sys, task, *n);
                let mut bytes = vec![0; n.div_ceil(BITS) * 8];
                for fd in set {
                    if let Some(byte) = bytes.get_mut(fd as usize / 8) {
                        *byte |= 1 << (fd % 8);
                    }
                }
                copy_to_user(sys, task, addrs[i], &bytes)?;
            }
            FdSets::User(..) => {}
        }
    }
    if let FdSets::Given(_) = sets {
        sys.set_out(task, Out::Bytes(image));
    }
    Ok(count)
}

/// Waits until a descriptor of a set is ready, or the time `end` on the monotonic
/// clock has come; `Some(0)` is not at all. How many bits were found.
///
/// # Errors
/// EINVAL, EBADF, EFAULT; ERESTARTNOHAND: a signal, and the sets are as they
/// were. ENOSYS: a file of a control group.
pub fn core_sys_select(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    sets: &FdSets,
    end: Option<u64>,
) -> Result<i64, Stop> {
    let (fds, end) = match asleep(sys, task) {
        Some(q) => (q.fds.clone(), q.end),
        None => (get_fd_sets(sys, task, sets)?, end),
    };
    let looked = do_poll(sys, task, call, fds, 0, end)?;
    match looked {
        // An end of time with a signal is the signal's.
        Looked::Found(fds, found)
            if found.iter().any(|f| *f != 0) || !sys.task(task).sigpending =>
        {
            Ok(set_fd_sets(sys, task, sets, &fds, &found)?)
        }
        Looked::Found(..) | Looked::Signal(_) => {
            let why = "a signal is pending and no descriptor is ready";
            Err(SysError::new(Errno::ERESTARTNOHAND, "core_sys_select", why).into())
        }
    }
}
