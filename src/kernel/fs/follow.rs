//! Following links: a path is rewritten, link by link, until it has none left
//! that is to be followed.
//!
//! ```text
//! a/b/c       b says "../x"     a/../x/c      from where the path began
//!             b says "/x"       /x/c          from the task's root
//! ```
//! Links of the tree are found by a walk, those of /proc by `proc`; each may lead
//! to the other. A walk that fails ends the search: who walks the path then
//! finds the same failure, and says so.
//!
//! Linux: fs/namei.c (pick_link, step_into, nd->total_link_count).
//! Left out: `fs.protected_symlinks` (it is 0).

use super::fs_struct::task_fs;
use super::inode::InodeKind;
use super::namei::{follow_dotdot, lookup, path_init};
use super::perm::{MAY_EXEC, inode_permission};
use super::proc;
use super::times::touch_atime;
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::sync::Arc;

/// Most links that one path goes through (`MAXSYMLINKS`).
const MAXSYMLINKS: u32 = 40;

/// What happens to a link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It is followed.
    Follow,
    /// It is meant itself (LOOKUP_FOLLOW is not set), unless a slash follows.
    Keep,
    /// The path names an entry of a directory, slash or not (LOOKUP_PARENT).
    Parent,
}

/// The path that a path means, links followed; `None`: the same.
///
/// # Errors
/// ELOOP. EACCES, ENOENT: of a link of /proc.
pub(super) fn follow(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    end: End,
) -> Result<Option<String>, SysError> {
    let last = match end {
        End::Follow => true,
        End::Keep => name.ends_with('/'),
        End::Parent => false,
    };
    let mut now: Option<String> = None;
    let mut links = 0;
    loop {
        let path = now.as_deref().unwrap_or(name);
        if let Some(next) = next_link(sys, task, dfd, path, last)? {
            links += 1;
            if links > MAXSYMLINKS {
                return refuse(Errno::ELOOP, "pick_link", "the path goes through too many links");
            }
            now = Some(next);
            continue;
        }
        match proc::rewrite(sys, task, dfd, path, end == End::Follow)? {
            Some(next) if next != path => {
                links += 1;
                if links > MAXSYMLINKS {
                    let why = "the path goes through too many links";
                    return refuse(Errno::ELOOP, "nd_jump_link", why);
                }
                now = Some(next);
            }
            _ => return Ok(now),
        }
    }
}

/// The path with the first link of the tree replaced by what it says.
fn next_link(
    sys: &mut System,
    task: TaskId,
    dfd: i32,
    name: &str,
    last: bool,
) -> Result<Option<String>, SysError> {
    let Ok(mut dir) = path_init(sys, task, dfd, name) else { return Ok(None) };
    let root = Arc::clone(&task_fs(sys, task)?.root);
    let proc_root = lookup(sys, sys.kernel.root_inode, "proc");
    let mut at = 0;
    for comp in name.split('/') {
        let (start, end) = (at, at + comp.len());
        at = end + 1;
        if comp.is_empty() {
            continue;
        }
        let here = dir.inode();
        if Some(here) == proc_root || !sys.kernel.inodes[here].is_dir() {
            return Ok(None);
        }
        if inode_permission(sys, task, here, MAY_EXEC, "").is_err() {
            return Ok(None);
        }
        match comp {
            "." => {}
            ".." => follow_dotdot(&mut dir, &root),
            _ => {
                let Some(next) = lookup(sys, here, comp) else { return Ok(None) };
                let is_last = name[end..].bytes().all(|b| b == b'/');
                if let InodeKind::Lnk(text) = &sys.kernel.inodes[next].kind
                    && (last || !is_last)
                {
                    let (before, after) = (&name[..start], &name[end..]);
                    let path = match text.starts_with('/') {
                        true => format!("{text}{after}"),
                        false => format!("{before}{text}{after}"),
                    };
                    touch_atime(sys, next);
                    return Ok(Some(path));
                }
                dir.push(comp, next);
            }
        }
    }
    Ok(None)
}
