//! The files of a group's directory.
//!
//! Linux: kernel/cgroup/cgroup.c (cgroup_base_files, cgroup_procs_write,
//! cgroup_subtree_control_write, cgroup_kill_write), kernel/cgroup/pids.c.
//! Left out: cgroup.threads, cgroup.type, cgroup.freeze, limits of the tree.

use std::collections::BTreeSet;

use super::migrate::{cgroup_migrate, populated_child};
use super::{Cgroup, CgroupId, Pids, has_left, is_below, is_populated};
use crate::abi::{Errno, Signal};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::pid::{find_task_by_vpid, pid_nr_ns, task_active_pid_ns};
use crate::kernel::pid_namespace::PID_MAX_LIMIT;
use crate::kernel::signal::kill::send_sig;
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId};

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "Documentation/admin-guide/cgroup-v2.rst describes each")]
pub enum CgroupFile {
    Procs,
    Controllers,
    SubtreeControl,
    Events,
    Kill,
    PidsMax,
    PidsCurrent,
    PidsPeak,
    PidsEvents,
}

impl CgroupFile {
    /// Names of all there are.
    pub const NAMES: [&str; 9] = [
        "cgroup.procs",
        "cgroup.controllers",
        "cgroup.subtree_control",
        "cgroup.events",
        "cgroup.kill",
        "pids.max",
        "pids.current",
        "pids.peak",
        "pids.events",
    ];

    /// The file of a group with a name, if the group has it.
    pub fn by_name(group: &Cgroup, name: &str) -> Option<CgroupFile> {
        let counted = group.pids.is_some();
        let below_root = group.parent.is_some();
        Some(match name {
            "cgroup.procs" => CgroupFile::Procs,
            "cgroup.controllers" => CgroupFile::Controllers,
            "cgroup.subtree_control" => CgroupFile::SubtreeControl,
            "cgroup.events" if below_root => CgroupFile::Events,
            "cgroup.kill" if below_root => CgroupFile::Kill,
            "pids.max" if counted => CgroupFile::PidsMax,
            "pids.current" if counted => CgroupFile::PidsCurrent,
            "pids.peak" if counted => CgroupFile::PidsPeak,
            "pids.events" if counted => CgroupFile::PidsEvents,
            _ => return None,
        })
    }

    /// Permission bits.
    pub fn mode(self) -> u32 {
        match self {
            CgroupFile::Procs | CgroupFile::SubtreeControl | CgroupFile::PidsMax => 0o644,
            CgroupFile::Kill => 0o200,
            _ => 0o444,
        }
    }
}

fn dead<T>() -> Result<T, SysError> {
    refuse(Errno::ENODEV, "kernfs_get_active", "the group has been removed")
}

/// What a file says to a reader.
///
/// # Errors
/// ENODEV: the group has been removed.
pub fn show(
    sys: &System,
    reader: TaskId,
    id: CgroupId,
    file: CgroupFile,
) -> Result<String, SysError> {
    let c = &sys.kernel.cgroups[id];
    if c.dead {
        return dead();
    }
    let pids = c.pids.unwrap_or_default();
    let controllers = |on: bool| if on { "pids\n".to_string() } else { "\n".to_string() };
    Ok(match file {
        CgroupFile::Procs => procs(sys, reader, id),
        CgroupFile::Controllers => controllers(c.parent.is_none() || c.pids.is_some()),
        CgroupFile::SubtreeControl => controllers(c.subtree_pids),
        CgroupFile::Events => {
            format!("populated {}\nfrozen 0\n", u32::from(is_populated(sys, id)))
        }
        CgroupFile::Kill => String::new(),
        CgroupFile::PidsMax => match pids.limit {
            Some(limit) => format!("{limit}\n"),
            None => "max\n".into(),
        },
        CgroupFile::PidsCurrent => format!("{}\n", pids.counter),
        CgroupFile::PidsPeak => format!("{}\n", pids.watermark),
        CgroupFile::PidsEvents => format!("max {}\n", pids.events_max),
    })
}

/// Processes with a live thread, by the numbers that the reader knows.
fn procs(sys: &System, reader: TaskId, id: CgroupId) -> String {
    let lives = |t: &crate::kernel::task::TaskStruct| {
        t.cgroup == id && !has_left(t) && t.thread_pid.is_some()
    };
    let mut found: Vec<i32> = sys
        .kernel
        .tasks
        .iter()
        .filter(|(_, t)| lives(t))
        .map(|(_, t)| number(sys, reader, t.group_leader))
        .collect();
    found.sort_unstable();
    found.dedup();
    found.iter().map(|nr| format!("{nr}\n")).collect()
}

/// The number of a process in the reader's pid namespace; 0 for one outside.
fn number(sys: &System, reader: TaskId, leader: TaskId) -> i32 {
    let ns = task_active_pid_ns(sys, reader);
    sys.task(leader).thread_pid.map_or(0, |pid| pid_nr_ns(sys, pid, ns))
}

fn invalid<T>(function: &'static str, why: &'static str) -> Result<T, SysError> {
    refuse(Errno::EINVAL, function, why)
}

/// Writes to a file.
///
/// # Errors
/// EINVAL: no such value; ESRCH: no such process; EBUSY, EACCES, ENODEV as
/// moving and enabling say.
pub fn write(
    sys: &mut System,
    task: TaskId,
    id: CgroupId,
    file: CgroupFile,
    bytes: &[u8],
) -> Result<(), SysError> {
    if sys.kernel.cgroups[id].dead {
        return dead();
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    match file {
        CgroupFile::Procs => {
            let Ok(pid) = text.parse::<i32>() else {
                return invalid("cgroup_procs_write_start", "not the number of a process");
            };
            if pid < 0 {
                return invalid("cgroup_procs_write_start", "not the number of a process");
            }
            let found = if pid == 0 { Some(task) } else { find_task_by_vpid(sys, task, pid) };
            let Some(found) = found else {
                let why = "there is no process with this number";
                return refuse(Errno::ESRCH, "cgroup_procs_write_start", why);
            };
            let leader = sys.task(found).group_leader;
            cgroup_migrate(sys, task, leader, id)
        }
        CgroupFile::SubtreeControl => subtree_control(sys, id, text),
        CgroupFile::Kill => {
            if text != "1" {
                return refuse(Errno::ERANGE, "cgroup_kill_write", "only 1 can be written");
            }
            kill_all(sys, id);
            Ok(())
        }
        CgroupFile::PidsMax => {
            let limit = match text {
                "max" => None,
                number => match number.parse::<u64>() {
                    Ok(n) if n <= PID_MAX_LIMIT as u64 => Some(n),
                    _ => return invalid("pids_max_write", "neither a number of tasks nor \"max\""),
                },
            };
            if let Some(pids) = &mut sys.kernel.cgroups[id].pids {
                pids.limit = limit;
            }
            Ok(())
        }
        _ => invalid("cgroup_file_write", "the file cannot be written"),
    }
}

/// "+pids" and "-pids", in any number; the last one counts.
fn subtree_control(sys: &mut System, id: CgroupId, text: &str) -> Result<(), SysError> {
    const F: &str = "cgroup_subtree_control_write";
    let mut wanted = None;
    for word in text.split_ascii_whitespace() {
        wanted = Some(match word {
            "+pids" => true,
            "-pids" => false,
            other => {
                let why = format!("{other:?}: only \"+pids\" and \"-pids\" are known here");
                return Err(SysError::with(Errno::EINVAL, F, why));
            }
        });
    }
    let c = &sys.kernel.cgroups[id];
    let Some(on) = wanted.filter(|on| *on != c.subtree_pids) else { return Ok(()) };
    let below_root = c.parent.is_some();
    if on && below_root && c.pids.is_none() {
        return refuse(Errno::ENOENT, F, "the group above does not hand out pids");
    }
    if on && below_root && c.nr_tasks > 0 && populated_child(sys, id) {
        let why = "tasks are in the group beside groups in use";
        return refuse(Errno::EBUSY, F, why);
    }
    let children: Vec<CgroupId> = sys
        .kernel
        .cgroups
        .iter()
        .filter(|(_, c)| c.parent == Some(id) && !c.dead)
        .map(|(child, _)| child)
        .collect();
    if !on && children.iter().any(|c| sys.kernel.cgroups[*c].subtree_pids) {
        return refuse(Errno::EBUSY, F, "a group below hands out pids itself");
    }
    sys.kernel.cgroups[id].subtree_pids = on;
    for child in children {
        let counter = tasks_below(sys, child);
        sys.kernel.cgroups[child].pids =
            on.then_some(Pids { counter, watermark: counter, ..Pids::default() });
    }
    Ok(())
}

/// Tasks in a group and below that are not yet released.
fn tasks_below(sys: &System, id: CgroupId) -> u64 {
    let inside =
        |t: &crate::kernel::task::TaskStruct| t.thread_pid.is_some() && is_below(sys, t.cgroup, id);
    sys.kernel.tasks.iter().filter(|(_, t)| inside(t)).count() as u64
}

/// SIGKILL for all processes in the group and below.
fn kill_all(sys: &mut System, id: CgroupId) {
    let inside = |t: &crate::kernel::task::TaskStruct| {
        t.thread_pid.is_some()
            && !t.flags.intersects(PF::EXITING | PF::KTHREAD)
            && is_below(sys, t.cgroup, id)
    };
    let inside = sys.kernel.tasks.iter().filter(|(_, t)| inside(t));
    let leaders: BTreeSet<TaskId> = inside.map(|(_, t)| t.group_leader).collect();
    for leader in leaders {
        if sys.kernel.tasks.contains(leader) {
            send_sig(sys, leader, Signal::SIGKILL);
        }
    }
}
