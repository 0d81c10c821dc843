//! /proc/PID/uid_map, gid_map and setgroups: which ids a user namespace has.
//!
//! ```text
//! inside  outside  count        one line an extent, at most 340
//!      0     1000      1        uid 0 in here is uid 1000 of the parent
//! ```
//! A map is written once. Without privilege over the parent a process maps its
//! own id only, and its own gid only after it has given up setgroups(2).
//!
//! Linux: kernel/user_namespace.c (map_write, new_idmap_permitted,
//! verify_root_map, proc_setgroups_write, uid_m_show).
//! Left out: projid_map.

use super::user_ns::{Map, down, extents, up};
use crate::abi::{Cap, Errno};
use crate::kernel::capability::ns_capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::nsproxy::{UidExtent, UserNsId};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Most extents of a map (`UID_GID_MAP_MAX_EXTENTS`).
const MAX_EXTENTS: usize = 340;

fn map(sys: &System, ns: UserNsId, which: Map) -> &[UidExtent] {
    extents(&sys.kernel.user_namespaces[ns], which)
}

/// Whether one line of a map holds a whole range.
fn holds(map: &[UidExtent], first: u32, count: u32) -> bool {
    let inside =
        |e: &UidExtent| e.first <= first && count <= e.count && first - e.first <= e.count - count;
    map.iter().any(inside)
}

/// The file as a reader sees it: outside ids are those of its own namespace,
/// or of the parent when it is in this very one.
pub fn show(sys: &System, reader: TaskId, ns: UserNsId, which: Map) -> String {
    let own = sys.cred(reader).user_ns;
    let seen = match sys.kernel.user_namespaces[ns].parent {
        Some(parent) if own == ns => parent,
        _ => own,
    };
    let above = sys.kernel.user_namespaces[ns].parent.unwrap_or(ns);
    let line = |e: &UidExtent| {
        let kid = down(sys, above, e.lower_first, which);
        let lower = kid.and_then(|kid| up(sys, seen, kid, which)).unwrap_or(u32::MAX);
        format!("{:>10} {lower:>10} {:>10}\n", e.first, e.count)
    };
    map(sys, ns, which).iter().map(line).collect()
}

fn invalid<T>(why: &'static str) -> Result<T, SysError> {
    refuse(Errno::EINVAL, "map_write", why)
}

/// Lines of three numbers; outside ids as written.
fn parse(bytes: &[u8]) -> Result<Vec<UidExtent>, SysError> {
    let Ok(text) = std::str::from_utf8(bytes) else { return invalid("a line is no text") };
    let mut extents: Vec<UidExtent> = Vec::new();
    for line in text.trim_end_matches('\0').split('\n') {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [first, lower, count] = words.as_slice() else {
            if words.is_empty() && !extents.is_empty() {
                break;
            }
            return invalid("a line is three numbers: inside, outside, count");
        };
        let numbers = (first.parse::<u32>(), lower.parse::<u32>(), count.parse::<u32>());
        let (Ok(first), Ok(lower_first), Ok(count)) = numbers else {
            return invalid("a line is three numbers: inside, outside, count");
        };
        if first == u32::MAX || lower_first == u32::MAX {
            return invalid("the id -1 means none");
        }
        let wraps = |id: u32| id.checked_add(count).is_none_or(|end| end <= id);
        if wraps(first) || wraps(lower_first) {
            return invalid("a range is empty or wraps around");
        }
        let overlap = |a: u32, b: u32, other: u32| a < b + other && b < a + count;
        if extents.iter().any(|e| {
            overlap(first, e.first, e.count) || overlap(lower_first, e.lower_first, e.count)
        }) {
            return invalid("two ranges overlap");
        }
        if extents.len() == MAX_EXTENTS {
            return invalid("more than 340 ranges");
        }
        extents.push(UidExtent { first, lower_first, count });
    }
    if extents.is_empty() { invalid("no range at all") } else { Ok(extents) }
}

/// Writes a map.
///
/// # Errors
/// EPERM: written before, or not permitted. EINVAL: the text, or not at the
/// file's start.
pub fn map_write(
    sys: &mut System,
    task: TaskId,
    of: TaskId,
    which: Map,
    pos: u64,
    bytes: &[u8],
) -> Result<(), SysError> {
    let denied = |why: &'static str| refuse(Errno::EPERM, "map_write", why);
    let ns = sys.cred(of).user_ns;
    let own = sys.cred(task).user_ns;
    let Some(parent) = sys.kernel.user_namespaces[ns].parent else {
        return denied("the initial user namespace has all ids");
    };
    if own != ns && own != parent {
        return denied("a map is written from inside or from the parent namespace");
    }
    if pos != 0 {
        return invalid("a map is written at once, from the file's start");
    }
    if !map(sys, ns, which).is_empty() {
        return denied("a map is written only once");
    }
    if !ns_capable(sys, task, ns, Cap::CAP_SYS_ADMIN) {
        return denied("CAP_SYS_ADMIN in the namespace is missing");
    }
    let extents = parse(bytes)?;
    if !new_idmap_permitted(sys, task, (ns, parent), which, &extents) {
        return denied(
            "without CAP_SETUID or CAP_SETGID over the parent a process maps its own id only, \
             and a gid only after \"deny\" in setgroups",
        );
    }
    if extents.iter().any(|e| !holds(map(sys, parent, which), e.lower_first, e.count)) {
        return denied("the parent namespace has no such ids");
    }
    let ns = &mut sys.kernel.user_namespaces[ns];
    match which {
        Map::Uid => ns.uid_map = extents,
        Map::Gid => ns.gid_map = extents,
    }
    Ok(())
}

fn new_idmap_permitted(
    sys: &mut System,
    task: TaskId,
    (ns, parent): (UserNsId, UserNsId),
    which: Map,
    extents: &[UidExtent],
) -> bool {
    // verify_root_map
    let maps_root = extents.iter().any(|e| e.lower_first == 0);
    if which == Map::Uid && maps_root {
        let inside = sys.cred(task).user_ns == ns;
        let may = match inside {
            true => sys.kernel.user_namespaces[ns].parent_could_setfcap,
            false => ns_capable(sys, task, parent, Cap::CAP_SETFCAP),
        };
        if !may {
            return false;
        }
    }
    let n = &sys.kernel.user_namespaces[ns];
    let c = sys.cred(task);
    if let [one] = extents
        && one.count == 1
        && n.owner == c.euid
    {
        let own = match which {
            Map::Uid => down(sys, parent, one.lower_first, which) == Some(c.euid),
            Map::Gid => {
                !n.setgroups_allowed && down(sys, parent, one.lower_first, which) == Some(c.egid)
            }
        };
        if own {
            return true;
        }
    }
    let cap = if which == Map::Uid { Cap::CAP_SETUID } else { Cap::CAP_SETGID };
    ns_capable(sys, task, parent, cap)
}

/// Writes "allow" or "deny" to setgroups.
///
/// # Errors
/// EPERM: deny after gid_map was written, allow after deny. EINVAL.
pub fn setgroups_write(
    sys: &mut System,
    of: TaskId,
    pos: u64,
    bytes: &[u8],
) -> Result<(), SysError> {
    const F: &str = "proc_setgroups_write";
    let text = String::from_utf8_lossy(bytes);
    let allow = match text.trim_end() {
        "allow" => true,
        "deny" => false,
        _ => return refuse(Errno::EINVAL, F, "neither \"allow\" nor \"deny\""),
    };
    if pos != 0 || bytes.len() >= 8 {
        return refuse(Errno::EINVAL, F, "one word, from the file's start");
    }
    let ns_id = sys.cred(of).user_ns;
    let ns = &mut sys.kernel.user_namespaces[ns_id];
    match (allow, ns.setgroups_allowed) {
        (true, false) => refuse(Errno::EPERM, F, "it was denied before, and that is for good"),
        (true, true) => Ok(()),
        (false, _) if !ns.gid_map.is_empty() => {
            refuse(Errno::EPERM, F, "the gid_map is written already")
        }
        (false, _) => {
            ns.setgroups_allowed = false;
            Ok(())
        }
    }
}
