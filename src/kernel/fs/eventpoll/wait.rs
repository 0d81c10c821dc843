//! epoll_wait(2): sleeping until an item is ready, and reporting those that are.
//!
//! Linux: fs/eventpoll.c (do_epoll_wait, ep_poll, ep_send_events, ep_done_scan).
//! Left out: busy polling.

use super::{as_epoll, ep_item_poll, ep_mut, ep_ref};
use crate::abi::Errno;
use crate::abi::numbers::{EPOLLET, EPOLLONESHOT};
use crate::kernel::error::{Stop, SysError, SysResult};
use crate::kernel::fs::anon_inodes::AnonId;
use crate::kernel::fs::fdtable::fget;
use crate::kernel::fs::rw::{fdget_sleep, fdput};
use crate::kernel::mm::uaccess::{access_ok, copy_to_user};
use crate::kernel::sched::core::wake_up_sleepers;
use crate::kernel::syscalls::{Call, Out};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::{Wait, WaitOn};

/// Bytes of `struct epoll_event`, which is packed on x86_64.
pub const EPOLL_EVENT_SIZE: usize = 12;

/// Waits on the instance that the call's first argument names, at most until
/// `end` on the monotonic clock (`Some(0)`: not at all). How many events it has
/// stored where argument 1 says.
///
/// # Errors
/// EINVAL: no epoll instance, or no room for an event. EBADF, EFAULT. EINTR: a
/// signal.
pub fn do_epoll_wait(sys: &mut System, task: TaskId, call: &Call, end: Option<u64>) -> SysResult {
    let result = ep_poll(sys, task, call, end);
    match result {
        Err(Stop::Block(wait)) => fdget_sleep(sys, task, call, wait, 0),
        _ => fdput(sys, task),
    }
    result
}

fn ep_poll(sys: &mut System, task: TaskId, call: &Call, end: Option<u64>) -> SysResult {
    const F: &str = "do_epoll_wait";
    let [epfd, events, max, ..] = call.args;
    let max = max as i32;
    let slept = sys.task(task).resume.as_deref().map(|r| (r.file, r.wait.deadline));
    let file = match slept {
        Some((Some(file), _)) => file,
        _ => fget(sys, task, epfd as i32)?,
    };
    if max <= 0 || max > i32::MAX / EPOLL_EVENT_SIZE as i32 {
        let why = "maxevents is not positive, or more than memory has room for";
        return Err(SysError::new(Errno::EINVAL, F, why).into());
    }
    if !call.wants_out(1) {
        access_ok(sys, events, max as u64 * EPOLL_EVENT_SIZE as u64, F)?;
    }
    let Some(id) = as_epoll(sys, file) else {
        let why = "the descriptor is open, but it is no epoll instance";
        return Err(SysError::new(Errno::EINVAL, F, why).into());
    };
    let end = slept.map_or(end, |(_, deadline)| deadline);
    let n = ep_send_events(sys, task, call, id, max as usize)?;
    if n > 0 {
        return Ok(n);
    }
    if end.is_some_and(|end| end <= sys.machine.clock.now()) {
        return Ok(0);
    }
    if sys.task(task).sigpending {
        let why = "a signal is pending and no event has come";
        return Err(SysError::new(Errno::EINTR, "ep_poll", why).into());
    }
    // One event wakes one of those that share the instance.
    let wait = Wait::interruptible(WaitOn::Anon(id));
    Err(Stop::Block(Wait { exclusive: true, deadline: end, ..wait }))
}

/// Reports items of the ready list that are ready indeed, the first ones first.
fn ep_send_events(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    id: AnonId,
    max: usize,
) -> Result<i64, SysError> {
    let Some(ep) = ep_mut(sys, id) else { return Ok(0) };
    let listed = std::mem::take(&mut ep.ready);
    if listed.is_empty() {
        return Ok(0);
    }
    let mut image = Vec::new();
    let mut again = Vec::new();
    let mut at = 0;
    let mut fault = None;
    while at < listed.len() && image.len() < max * EPOLL_EVENT_SIZE {
        let key = listed[at];
        let item = ep_ref(sys, id).and_then(|ep| ep.item(key)).cloned();
        let Some(item) = item else {
            at += 1;
            continue;
        };
        let found = ep_item_poll(sys, task, &item);
        if found == 0 {
            at += 1;
            continue;
        }
        let mut event = [0; EPOLL_EVENT_SIZE];
        event[..4].copy_from_slice(&found.to_le_bytes());
        event[4..].copy_from_slice(&item.data.to_le_bytes());
        if !call.wants_out(1) {
            let to = call.args[1].wrapping_add(image.len() as u64);
            if let Err(e) = copy_to_user(sys, task, to, &event) {
                fault = Some(e);
                break;
            }
        }
        at += 1;
        image.extend(event);
        if item.events & EPOLLONESHOT != 0 {
            disarm(sys, id, key);
        } else if item.events & EPOLLET == 0 {
            again.push(key);
        }
    }
    if let Some(ep) = ep_mut(sys, id) {
        // What was not looked at comes first, then what may be ready still.
        let mut ready = listed[at..].to_vec();
        ready.extend(again);
        for key in std::mem::take(&mut ep.ready) {
            if !ready.contains(&key) {
                ready.push(key);
            }
        }
        let more = !ready.is_empty();
        ep.ready = ready;
        if more {
            wake_up_sleepers(sys, WaitOn::Anon(id));
        }
    }
    match fault {
        Some(e) if image.is_empty() => Err(e),
        _ => {
            let n = image.len() / EPOLL_EVENT_SIZE;
            if call.wants_out(1) {
                sys.set_out(task, Out::Bytes(image));
            }
            Ok(n as i64)
        }
    }
}

/// EPOLLONESHOT: the item keeps what is private to it, and hears nothing.
fn disarm(sys: &mut System, id: AnonId, key: super::ItemKey) {
    if let Some(ep) = ep_mut(sys, id)
        && let Some(item) = ep.items.iter_mut().find(|i| i.key == key)
    {
        item.events &= super::PRIVATE_BITS;
    }
}
