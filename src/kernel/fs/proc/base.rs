//! The files of a process: which there are, who may open them, what is in them.
//!
//! Linux: fs/proc/base.c (tgid_base_stuff, tid_base_stuff, proc_pid_limits,
//! comm_write, __set_oom_adj, proc_mem_open).
//! Left out: io, sched, syscall, stack, mem, mountinfo and what else is not
//! listed here.

use std::fmt::Write;

use super::super::perm::{MAY_READ, MAY_WRITE};
use super::wchan::wchan;
use super::{array, attr, gone, status, task_mmu};
use crate::abi::{Cap, Errno};
use crate::base::PAGE_SHIFT;
use crate::base::text;
use crate::kernel::capability::{capable, ns_capable};
use crate::kernel::cred::id_map;
use crate::kernel::cred::user_ns::Map;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::MmId;
use crate::kernel::mm::layout::task_size;
use crate::kernel::ptrace::ptrace_may_access;
use crate::kernel::signal::same_thread_group;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "proc(5) describes each")]
pub enum Entry {
    Status,
    Stat,
    Statm,
    Comm,
    Cmdline,
    Environ,
    Maps,
    Smaps,
    Pagemap,
    Limits,
    Wchan,
    OomScoreAdj,
    UidMap,
    GidMap,
    Setgroups,
    Children,
    Cgroup,
}

impl Entry {
    /// All of them, by name.
    pub(super) const NAMES: [(&'static str, Entry); 17] = [
        ("status", Entry::Status),
        ("stat", Entry::Stat),
        ("statm", Entry::Statm),
        ("comm", Entry::Comm),
        ("cmdline", Entry::Cmdline),
        ("environ", Entry::Environ),
        ("maps", Entry::Maps),
        ("smaps", Entry::Smaps),
        ("pagemap", Entry::Pagemap),
        ("limits", Entry::Limits),
        ("wchan", Entry::Wchan),
        ("oom_score_adj", Entry::OomScoreAdj),
        ("uid_map", Entry::UidMap),
        ("gid_map", Entry::GidMap),
        ("setgroups", Entry::Setgroups),
        ("children", Entry::Children),
        ("cgroup", Entry::Cgroup),
    ];

    /// The file with a name.
    pub(super) fn by_name(name: &str) -> Option<Entry> {
        Entry::NAMES.iter().find(|(n, _)| *n == name).map(|(_, entry)| *entry)
    }

    /// Whether processes (`whole`) or threads have it.
    pub(super) fn is_of(self, whole: bool) -> bool {
        !(whole && self == Entry::Children)
    }

    pub(super) fn mode(self) -> u32 {
        match self {
            Entry::Environ | Entry::Pagemap => 0o400,
            Entry::Comm | Entry::OomScoreAdj | Entry::UidMap | Entry::GidMap | Entry::Setgroups => {
                0o644
            }
            _ => 0o444,
        }
    }

    /// Whether its open method asks for ptrace access.
    fn is_private(self) -> bool {
        matches!(self, Entry::Environ | Entry::Maps | Entry::Smaps | Entry::Pagemap)
    }
}

/// Whose the files of a task are: those of what may not be dumped are root's.
pub(super) fn task_dump_owner(sys: &System, target: TaskId) -> (u32, u32) {
    let dumpable = sys.task(target).mm.is_none_or(|mm| sys.mm(mm).dumpable == 1);
    if dumpable { (sys.cred(target).euid, sys.cred(target).egid) } else { (0, 0) }
}

/// Whether a file can be opened so.
///
/// # Errors
/// EACCES.
pub(super) fn may_open(
    sys: &mut System,
    task: TaskId,
    target: TaskId,
    entry: Entry,
    read: bool,
    write: bool,
) -> Result<(), SysError> {
    let mut asked = 0;
    if read {
        asked |= MAY_READ;
    }
    if write {
        asked |= MAY_WRITE;
    }
    let owner = task_dump_owner(sys, target);
    attr::check_mode(sys, task, entry.mode(), owner, asked)?;
    if entry.is_private()
        && let Err(e) = ptrace_may_access(sys, task, target)
    {
        return Err(SysError { errno: Errno::EACCES, ..e });
    }
    if write
        && entry == Entry::Setgroups
        && let ns = sys.cred(target).user_ns
        && !ns_capable(sys, task, ns, Cap::CAP_SYS_ADMIN)
    {
        let why = "setgroups is changed with CAP_SYS_ADMIN in the user namespace";
        return refuse(Errno::EACCES, "proc_setgroups_open", why);
    }
    Ok(())
}

fn of_mm(sys: &System, of: TaskId, show: fn(&System, MmId) -> String) -> Vec<u8> {
    let shown = sys.task(of).mm.map(|mm| show(sys, mm)).unwrap_or_default();
    text::encode(&shown).into_owned()
}

/// What is in a file.
pub(super) fn show(
    sys: &mut System,
    task: TaskId,
    of: TaskId,
    entry: Entry,
    whole: bool,
) -> Result<Vec<u8>, SysError> {
    let text = match entry {
        Entry::Status => format!("{}\n", status::proc_pid_status(sys, of)),
        Entry::Stat => {
            let permitted = ptrace_may_access(sys, task, of).is_ok();
            array::do_task_stat(sys, of, whole, permitted)
        }
        Entry::Statm => array::proc_pid_statm(sys, of),
        Entry::Comm => format!("{}\n", array::proc_task_name(&sys.task(of).comm())),
        Entry::Cmdline => return Ok(array::strings(sys, of, false)),
        Entry::Environ => return Ok(array::strings(sys, of, true)),
        Entry::Maps => return Ok(of_mm(sys, of, task_mmu::maps)),
        Entry::Smaps => return Ok(of_mm(sys, of, task_mmu::smaps)),
        Entry::Limits => limits(sys, of),
        Entry::Wchan => match wchan(sys, of) {
            "-" => "0".into(),
            name => name.into(),
        },
        Entry::OomScoreAdj => {
            let signal = sys.task(of).signal.and_then(|s| sys.kernel.signals.get(s));
            format!("{}\n", signal.map_or(0, |s| s.oom_score_adj))
        }
        Entry::UidMap => id_map::show(sys, task, sys.cred(of).user_ns, Map::Uid),
        Entry::GidMap => id_map::show(sys, task, sys.cred(of).user_ns, Map::Gid),
        Entry::Setgroups => {
            let ns = sys.cred(of).user_ns;
            let allowed = sys.kernel.user_namespaces[ns].setgroups_allowed;
            if allowed { "allow\n".into() } else { "deny\n".into() }
        }
        Entry::Children => array::children(sys, of),
        Entry::Cgroup => cgroup_line(sys, of),
        Entry::Pagemap => return gone(),
    };
    Ok(text::encode(&text).into_owned())
}

/// /proc/PID/cgroup (`proc_cgroup_show`).
fn cgroup_line(sys: &System, of: TaskId) -> String {
    let group = &sys.kernel.cgroups[sys.task(of).cgroup];
    let deleted = if group.dead { " (deleted)" } else { "" };
    format!("0::{}{deleted}\n", group.path)
}

/// Names and units, by `RLIMIT_*`.
const LIMITS: [(&str, &str); 16] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];

fn limits(sys: &System, of: TaskId) -> String {
    let Some(signal) = sys.task(of).signal.and_then(|s| sys.kernel.signals.get(s)) else {
        return String::new();
    };
    let value = |n: u64| if n == u64::MAX { "unlimited".to_string() } else { n.to_string() };
    let mut text =
        format!("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for ((name, unit), limit) in LIMITS.iter().zip(&signal.rlim) {
        let _ = write!(text, "{name:<25} {:<20} {:<20} ", value(limit.cur), value(limit.max));
        let _ = if unit.is_empty() { writeln!(text) } else { writeln!(text, "{unit:<10}") };
    }
    text
}

/// Most bytes of pagemap at once.
const PAGEMAP_MOST: u64 = 1 << 20;

/// Entries of pagemap from an offset on.
///
/// # Errors
/// EINVAL: not in whole entries.
pub(super) fn pagemap(
    sys: &mut System,
    task: TaskId,
    of: TaskId,
    pos: u64,
    count: u64,
) -> Result<Vec<u8>, SysError> {
    if !pos.is_multiple_of(8) || !count.is_multiple_of(8) {
        return refuse(Errno::EINVAL, "pagemap_read", "offset and length are multiples of 8");
    }
    let Some(mm) = sys.task(of).mm else { return Ok(Vec::new()) };
    let frames = capable(sys, task, Cap::CAP_SYS_ADMIN);
    let end = task_size(sys) >> PAGE_SHIFT;
    let first = pos / 8;
    let pages = (count.min(PAGEMAP_MOST) / 8).min(end.saturating_sub(first));
    let entry = |page: u64| task_mmu::pagemap_entry(sys, mm, page << PAGE_SHIFT, frames);
    Ok((first..first + pages).flat_map(|page| entry(page).to_le_bytes()).collect())
}

/// Writes to a file.
///
/// # Errors
/// EINVAL, EPERM, EACCES: what the file says.
pub(super) fn write(
    sys: &mut System,
    task: TaskId,
    of: TaskId,
    entry: Entry,
    pos: u64,
    bytes: &[u8],
) -> Result<(), SysError> {
    match entry {
        Entry::Comm => {
            if !same_thread_group(sys, task, of) {
                let why = "a process names its own threads only";
                return refuse(Errno::EINVAL, "comm_write", why);
            }
            let name = String::from_utf8_lossy(bytes);
            sys.task_mut(of).set_comm(name.trim_end_matches('\n'));
            Ok(())
        }
        Entry::OomScoreAdj => oom_score_adj_write(sys, task, of, bytes),
        Entry::UidMap => id_map::map_write(sys, task, of, Map::Uid, pos, bytes),
        Entry::GidMap => id_map::map_write(sys, task, of, Map::Gid, pos, bytes),
        Entry::Setgroups => id_map::setgroups_write(sys, of, pos, bytes),
        _ => refuse(Errno::EIO, "proc_pid_write", "the file cannot be written"),
    }
}

fn oom_score_adj_write(
    sys: &mut System,
    task: TaskId,
    of: TaskId,
    bytes: &[u8],
) -> Result<(), SysError> {
    let text = String::from_utf8_lossy(bytes);
    let Ok(value) = text.trim().parse::<i32>() else {
        return refuse(Errno::EINVAL, "oom_score_adj_write", "the value is no number");
    };
    if !(-1000..=1000).contains(&value) {
        return refuse(Errno::EINVAL, "oom_score_adj_write", "the value is not in -1000..1000");
    }
    let Some(signal) = sys.task(of).signal else { return gone() };
    let lowest = sys.kernel.signals[signal].oom_score_adj_min;
    let may = capable(sys, task, Cap::CAP_SYS_RESOURCE);
    if value < lowest && !may {
        let why = "below what CAP_SYS_RESOURCE has set last";
        return refuse(Errno::EACCES, "__set_oom_adj", why);
    }
    let s = &mut sys.kernel.signals[signal];
    s.oom_score_adj = value;
    if may {
        s.oom_score_adj_min = value;
    }
    Ok(())
}
