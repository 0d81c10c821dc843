//! The intrusive lists that tie tasks together.
//!
//! A list is a head (first, last) in its owner and a link (prev, next) in each
//! member, all of them ids. `invariants` checks that both directions agree.
//!
//! Linux: include/linux/list.h (`list_add_tail`, `list_del_init`).
//! Left out: circularity; an end is `None`.

use crate::kernel::task::{ListHead, ListLink, TaskId, TaskList, Tasks};

/// Appends `id`. Precondition: it is on no list of this kind.
pub fn list_add_tail(tasks: &mut Tasks, head: &mut ListHead, list: TaskList, id: TaskId) {
    tasks[id].links[list as usize] = ListLink { prev: head.last, next: None };
    match head.last {
        Some(last) => tasks[last].links[list as usize].next = Some(id),
        None => head.first = Some(id),
    }
    head.last = Some(id);
}

/// Prepends `id` (`hlist_add_head`). Precondition as for [`list_add_tail`].
pub fn list_add(tasks: &mut Tasks, head: &mut ListHead, list: TaskList, id: TaskId) {
    tasks[id].links[list as usize] = ListLink { prev: None, next: head.first };
    match head.first {
        Some(first) => tasks[first].links[list as usize].prev = Some(id),
        None => head.last = Some(id),
    }
    head.first = Some(id);
}

/// Takes `id` off. Precondition: it is on this list.
pub fn list_del(tasks: &mut Tasks, head: &mut ListHead, list: TaskList, id: TaskId) {
    let link = std::mem::take(&mut tasks[id].links[list as usize]);
    match link.prev {
        Some(prev) => tasks[prev].links[list as usize].next = link.next,
        None => head.first = link.next,
    }
    match link.next {
        Some(next) => tasks[next].links[list as usize].prev = link.prev,
        None => head.last = link.prev,
    }
}

/// Puts `new` in the place of `old` (`list_replace_init`).
pub fn list_replace(
    tasks: &mut Tasks,
    head: &mut ListHead,
    list: TaskList,
    old: TaskId,
    new: TaskId,
) {
    let link = std::mem::take(&mut tasks[old].links[list as usize]);
    tasks[new].links[list as usize] = link;
    match link.prev {
        Some(prev) => tasks[prev].links[list as usize].next = Some(new),
        None => head.first = Some(new),
    }
    match link.next {
        Some(next) => tasks[next].links[list as usize].prev = Some(new),
        None => head.last = Some(new),
    }
}

/// The members in order. The list may not change while iterating; collect
/// first where the loop changes it (`list_for_each_entry_safe`).
pub fn iter(tasks: &Tasks, head: ListHead, list: TaskList) -> impl Iterator<Item = TaskId> + '_ {
    std::iter::successors(head.first, move |id| tasks[*id].links[list as usize].next)
}
