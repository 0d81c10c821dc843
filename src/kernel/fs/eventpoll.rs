//! epoll(7): a set of descriptors, and the list of those that may be ready.
//!
//! ```text
//! epoll_ctl(ADD)   an item; a watch on each queue of the file
//! wake_up(queue) --watch--> ep_poll_callback: the item onto the ready list,
//!                           sleepers in epoll_wait wake
//! epoll_wait       looks at each item of the list: is it ready indeed?
//!                    level triggered   reported, and back onto the list
//!                    EPOLLET           reported; the next wake-up lists it again
//!                    EPOLLONESHOT      reported; deaf until EPOLL_CTL_MOD
//! ```
//! An item is known by its file and the number of the descriptor, and goes with
//! the file, not with the descriptor: a duplicate keeps it.
//!
//! Linux: fs/eventpoll.c (ep_poll_callback, ep_remove, eventpoll_release_file,
//! ep_item_poll, ep_eventpoll_poll).
//! Left out: EPOLLEXCLUSIVE (refused), max_user_watches, wake-up sources, busy
//! polling.

mod ctl;
mod wait;

pub use ctl::{CtlOp, do_epoll_create, do_epoll_ctl};
pub use wait::{EPOLL_EVENT_SIZE, do_epoll_wait};

use super::anon_inodes::{AnonId, AnonKind};
use super::select::vfs_poll;
use super::{FileId, FileKind};
use crate::abi::numbers::{EPOLLET, EPOLLONESHOT, EPOLLWAKEUP, POLLIN, POLLRDNORM};
use crate::kernel::sched::core::{queue_mut, wake_up_poll};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::{WaitOn, Watch};

/// Bits that say how, not what (`EP_PRIVATE_BITS`).
const PRIVATE_BITS: u32 = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET;

/// By what an item is known: its file, and the descriptor's number.
pub type ItemKey = (FileId, i32);

/// `struct epitem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpItem {
    /// Which one.
    pub key: ItemKey,
    /// `EPOLL*` that are asked for, and how.
    pub events: u32,
    /// What epoll_wait gives back with them.
    pub data: u64,
    /// The queues with a watch for it.
    pub queues: [Option<WaitOn>; 2],
}

/// `struct eventpoll`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventPoll {
    /// All items, the oldest first.
    pub items: Vec<EpItem>,
    /// `rdllist`: those that may be ready, in the order in which they became so.
    pub ready: Vec<ItemKey>,
}

impl EventPoll {
    fn item(&self, key: ItemKey) -> Option<&EpItem> {
        self.items.iter().find(|i| i.key == key)
    }

    fn list(&mut self, key: ItemKey) {
        if !self.ready.contains(&key) {
            self.ready.push(key);
        }
    }
}

/// The instance, to change it.
fn ep_mut(sys: &mut System, id: AnonId) -> Option<&mut EventPoll> {
    match sys.kernel.anon_inodes.get_mut(id).map(|a| &mut a.kind) {
        Some(AnonKind::Epoll(ep)) => Some(ep),
        _ => None,
    }
}

/// The instance.
fn ep_ref(sys: &System, id: AnonId) -> Option<&EventPoll> {
    match sys.kernel.anon_inodes.get(id).map(|a| &a.kind) {
        Some(AnonKind::Epoll(ep)) => Some(ep),
        _ => None,
    }
}

/// What an item's file is ready for, of what is asked, as the task sees it
/// (`ep_item_poll`).
fn ep_item_poll(sys: &System, task: TaskId, item: &EpItem) -> u32 {
    let found = vfs_poll(sys, task, item.key.0).map_or(0, |(mask, _)| u32::from(mask));
    found & item.events
}

/// Whether an item is ready (`ep_eventpoll_poll`): as other polls see the
/// instance itself.
pub(super) fn ep_eventpoll_poll(sys: &System, task: TaskId, id: AnonId) -> u16 {
    let Some(ep) = ep_ref(sys, id) else { return 0 };
    let ready = ep.ready.iter().filter_map(|key| ep.item(*key));
    let any = ready.into_iter().any(|item| ep_item_poll(sys, task, item) != 0);
    if any { POLLIN | POLLRDNORM } else { 0 }
}

/// A queue with a watch was woken because of `key` (`POLL*`; 0: whatever it is).
pub fn ep_poll_callback(sys: &mut System, watch: Watch, key: u16) {
    let Some(ep) = ep_mut(sys, watch.epoll) else { return };
    let Some(item) = ep.item(watch.item) else { return };
    let deaf = item.events & !PRIVATE_BITS == 0;
    if deaf || key != 0 && u32::from(key) & item.events == 0 {
        return;
    }
    ep.list(watch.item);
    wake_up_poll(sys, WaitOn::Anon(watch.epoll), POLLIN);
}

/// Puts a watch for an item onto the queues of its file (`ep_ptable_queue_proc`).
fn ep_watch(sys: &mut System, watch: Watch, queues: [Option<WaitOn>; 2]) {
    for on in queues.into_iter().flatten() {
        if let Some(q) = queue_mut(sys, on) {
            q.watches.push(watch);
        }
    }
}

/// Forgets an item (`ep_remove`).
fn ep_remove(sys: &mut System, id: AnonId, key: ItemKey) {
    let Some(ep) = ep_mut(sys, id) else { return };
    ep.ready.retain(|k| *k != key);
    let Some(at) = ep.items.iter().position(|i| i.key == key) else { return };
    let item = ep.items.remove(at);
    let watch = Watch { epoll: id, item: key };
    for on in item.queues.into_iter().flatten() {
        if let Some(q) = queue_mut(sys, on) {
            q.watches.retain(|w| *w != watch);
        }
    }
}

/// The instance ends: its watches go (`ep_clear_and_put`).
pub(super) fn ep_free(sys: &mut System, id: AnonId) {
    let keys = ep_ref(sys, id).map(|ep| ep.items.iter().map(|i| i.key).collect::<Vec<_>>());
    for key in keys.into_iter().flatten() {
        ep_remove(sys, id, key);
    }
}

/// A file is about to be released: no instance knows it any more
/// (`eventpoll_release`).
pub(super) fn eventpoll_release(sys: &mut System, file: FileId) {
    if sys.kernel.anon_inodes.is_empty() {
        return;
    }
    let held: Vec<(AnonId, ItemKey)> = sys
        .kernel
        .anon_inodes
        .iter()
        .filter_map(|(id, a)| match &a.kind {
            AnonKind::Epoll(ep) => Some((id, ep)),
            _ => None,
        })
        .flat_map(|(id, ep)| ep.items.iter().map(move |i| (id, i.key)))
        .filter(|(_, key)| key.0 == file)
        .collect();
    for (id, key) in held {
        ep_remove(sys, id, key);
    }
}

/// The instance that a file is, if it is one.
fn as_epoll(sys: &System, file: FileId) -> Option<AnonId> {
    match sys.kernel.filps.get(file)?.kind {
        FileKind::Anon(id) => ep_ref(sys, id).map(|_| id),
        _ => None,
    }
}
