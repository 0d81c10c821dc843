//! /proc/sys: settings of the kernel.
//!
//! Linux: kernel/sysctl.c (proc_dointvec_minmax), kernel/pid_namespace.c
//! (pid_max is the reader's pid namespace's; here the initial one's).
//! Left out: all settings that nothing here depends on.

use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::pid_namespace::PID_MAX_LIMIT;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setting {
    /// kernel/pid_max
    PidMax,
    /// kernel/threads-max
    ThreadsMax,
    /// kernel/ostype
    Ostype,
    /// kernel/osrelease
    Osrelease,
    /// kernel/ns_last_pid
    NsLastPid,
    /// vm/max_map_count
    MaxMapCount,
    /// vm/mmap_min_addr
    MmapMinAddr,
    /// vm/overcommit_memory
    OvercommitMemory,
    /// fs/suid_dumpable
    SuidDumpable,
    /// kernel/randomize_va_space
    RandomizeVaSpace,
}

/// Directory, name and setting.
const SETTINGS: [(&str, &str, Setting); 10] = [
    ("kernel", "pid_max", Setting::PidMax),
    ("kernel", "threads-max", Setting::ThreadsMax),
    ("kernel", "ostype", Setting::Ostype),
    ("kernel", "osrelease", Setting::Osrelease),
    ("kernel", "ns_last_pid", Setting::NsLastPid),
    ("kernel", "randomize_va_space", Setting::RandomizeVaSpace),
    ("vm", "max_map_count", Setting::MaxMapCount),
    ("vm", "mmap_min_addr", Setting::MmapMinAddr),
    ("vm", "overcommit_memory", Setting::OvercommitMemory),
    ("fs", "suid_dumpable", Setting::SuidDumpable),
];

/// The setting with a name below /proc/sys.
pub(super) fn by_path(path: &[&str]) -> Option<Setting> {
    let found = SETTINGS.iter().find(|(dir, name, _)| path == [*dir, *name]);
    found.map(|(.., setting)| *setting)
}

/// The names in a directory.
pub(super) fn names(part: &str) -> Vec<&'static str> {
    SETTINGS.iter().filter(|(dir, ..)| *dir == part).map(|(_, name, _)| *name).collect()
}

/// Permission bits.
pub(super) fn mode(setting: Setting) -> u32 {
    if matches!(setting, Setting::Osrelease | Setting::Ostype) { 0o444 } else { 0o644 }
}

/// Whether a setting can be opened so: root's files, by uid 0 and not by a
/// capability (`sysctl_perm`).
pub(super) fn may_open(
    sys: &System,
    task: TaskId,
    setting: Setting,
    write: bool,
) -> Result<(), SysError> {
    use Setting::{NsLastPid, Osrelease, Ostype, OvercommitMemory, RandomizeVaSpace};
    if !write {
        return Ok(());
    }
    if matches!(setting, Osrelease | Ostype) {
        return refuse(Errno::EACCES, "sysctl_perm", "the setting is only read");
    }
    if matches!(setting, NsLastPid | OvercommitMemory | RandomizeVaSpace) {
        return refuse(Errno::ENOSYS, "sysctl_perm", "changing this setting is not modelled");
    }
    if sys.cred(task).euid != 0 {
        return refuse(Errno::EACCES, "sysctl_perm", "settings are for the user root to change");
    }
    Ok(())
}

/// What the file says.
pub(super) fn show(sys: &System, setting: Setting) -> String {
    let ns = &sys.kernel.pid_namespaces[sys.kernel.init_pid_ns];
    let s = &sys.kernel.sysctl;
    match setting {
        Setting::PidMax => format!("{}\n", ns.pid_max),
        Setting::ThreadsMax => format!("{}\n", s.threads_max),
        Setting::Ostype => "Linux\n".into(),
        Setting::Osrelease => "6.18.0\n".into(),
        Setting::NsLastPid => format!("{}\n", ns.idr_next - 1),
        Setting::MaxMapCount => format!("{}\n", s.max_map_count),
        Setting::MmapMinAddr => format!("{}\n", s.mmap_min_addr),
        Setting::SuidDumpable => format!("{}\n", s.suid_dumpable),
        // Heuristic overcommit; no address is random.
        Setting::OvercommitMemory | Setting::RandomizeVaSpace => "0\n".into(),
    }
}

/// Sets it to the number that is written.
///
/// # Errors
/// EINVAL: no number, or out of range.
pub(super) fn write(sys: &mut System, setting: Setting, bytes: &[u8]) -> Result<(), SysError> {
    let text = String::from_utf8_lossy(bytes);
    let Ok(value) = text.trim_matches(|c: char| c.is_whitespace() || c == '\0').parse::<i64>()
    else {
        let why = format!("{:?} is no number", text.trim());
        return Err(SysError::with(Errno::EINVAL, "proc_dointvec_minmax", why));
    };
    let range = match setting {
        Setting::PidMax => 301..=i64::from(PID_MAX_LIMIT),
        Setting::ThreadsMax => 1..=0x3fff_ffff,
        Setting::SuidDumpable => 0..=2,
        Setting::MmapMinAddr => 0..=1 << 40,
        _ => 0..=i64::from(i32::MAX),
    };
    if !range.contains(&value) {
        let why = format!("{value} is not between {} and {}", range.start(), range.end());
        return Err(SysError::with(Errno::EINVAL, "proc_dointvec_minmax", why));
    }
    let ns = sys.kernel.init_pid_ns;
    let s = &mut sys.kernel.sysctl;
    match setting {
        Setting::PidMax => sys.kernel.pid_namespaces[ns].pid_max = value as i32,
        Setting::ThreadsMax => s.threads_max = value as u32,
        Setting::MaxMapCount => s.max_map_count = value as u32,
        Setting::MmapMinAddr => s.mmap_min_addr = value as u64,
        Setting::SuidDumpable => s.suid_dumpable = value as u32,
        Setting::Ostype
        | Setting::Osrelease
        | Setting::NsLastPid
        | Setting::OvercommitMemory
        | Setting::RandomizeVaSpace => {}
    }
    Ok(())
}
