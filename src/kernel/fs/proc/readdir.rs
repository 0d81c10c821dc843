//! What the directories of /proc list.
//!
//! Linux: fs/proc/base.c (proc_pid_readdir, proc_task_readdir,
//! proc_pident_readdir), fs/proc/fd.c (proc_readfd_common),
//! fs/proc/namespaces.c (proc_ns_dir_readdir).
//! Left out: names of what is not modelled.

use super::base::Entry;
use super::global::Global;
use super::node::{NS_ENTRIES, ProcDir, SYS_PARTS};
use super::{sysctl, target};
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::readdir::{DT_DIR, DT_LNK, DT_REG, Dirent};
use crate::kernel::pid::{PidId, PidType, pid_task};
use crate::kernel::signal::threads;
use crate::kernel::system::System;

fn entry(name: impl Into<String>, kind: u8) -> Dirent {
    Dirent { name: name.into(), kind }
}

/// What /proc itself lists: its files, its links, and the processes by number.
pub(in crate::kernel::fs) fn root(sys: &System) -> Vec<Dirent> {
    let mut list: Vec<Dirent> = Global::NAMES.iter().map(|(n, _)| entry(*n, DT_REG)).collect();
    list.push(entry("self", DT_LNK));
    list.push(entry("sys", DT_DIR));
    list.push(entry("thread-self", DT_LNK));
    let ns = &sys.kernel.pid_namespaces[sys.kernel.init_pid_ns];
    for (nr, pid) in ns.idr.iter().enumerate() {
        if pid.is_some_and(|pid| pid_task(sys, pid, PidType::Tgid).is_some()) {
            list.push(entry(nr.to_string(), DT_DIR));
        }
    }
    list
}

/// What a directory below it lists.
///
/// # Errors
/// ENOENT: the process has ended.
pub(in crate::kernel::fs) fn list(
    sys: &System,
    dir: ProcDir,
    pid: Option<PidId>,
) -> Result<Vec<Dirent>, SysError> {
    let of = match dir {
        ProcDir::Sys => return Ok(SYS_PARTS.iter().map(|n| entry(*n, DT_DIR)).collect()),
        ProcDir::SysPart(part) => {
            return Ok(sysctl::names(part).into_iter().map(|n| entry(n, DT_REG)).collect());
        }
        _ => target(sys, pid),
    };
    let Ok(of) = of else {
        return refuse(Errno::ENOENT, "proc_pident_readdir", "the process has ended");
    };
    Ok(match dir {
        ProcDir::Process | ProcDir::Thread => {
            let whole = dir == ProcDir::Process;
            let mut list = Vec::new();
            if whole {
                list.push(entry("task", DT_DIR));
            }
            list.push(entry("fd", DT_DIR));
            list.push(entry("ns", DT_DIR));
            let files = Entry::NAMES.iter().filter(|(_, e)| e.is_of(whole));
            list.extend(files.map(|(name, _)| entry(*name, DT_REG)));
            list.extend(["cwd", "root", "exe"].map(|name| entry(name, DT_LNK)));
            list
        }
        ProcDir::Tasks => threads(sys, of)
            .into_iter()
            .map(|t| entry(sys.task(t).pid.to_string(), DT_DIR))
            .collect(),
        ProcDir::Fd => {
            let files = sys.task(of).files.and_then(|f| sys.kernel.files.get(f));
            let fdt = files.map_or(&[][..], |f| &f.fdt);
            let open = fdt.iter().enumerate().filter(|(_, slot)| slot.is_some());
            open.map(|(fd, _)| entry(fd.to_string(), DT_LNK)).collect()
        }
        ProcDir::Ns => NS_ENTRIES.iter().map(|(name, _)| entry(*name, DT_LNK)).collect(),
        ProcDir::Sys | ProcDir::SysPart(_) => Vec::new(),
    })
}
