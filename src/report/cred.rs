//! `cred`: who a task is: ids, groups, capability sets.
//!
//! Linux: kernel/cred.c, /proc/PID/status; capabilities(7), credentials(7).
//! Left out: keyrings, security modules.

use super::{NoView, live, text};
use crate::abi::CapSet;
use crate::abi::numbers::SECBIT_NAMES;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use serde::Serialize;
use std::fmt;

/// A task's credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredView {
    /// Whose.
    pub pid: i32,
    /// Its name.
    pub comm: String,
    /// Number of the struct cred it acts with.
    pub cred: u32,
    /// Number of the one others judge it by; the same unless overridden.
    pub real_cred: u32,
    /// References to `cred`.
    pub usage: u32,
    /// Real, effective, saved and file-system uid.
    pub uids: [u32; 4],
    /// The same of groups.
    pub gids: [u32; 4],
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Names of the secure bits that are set.
    pub securebits: Vec<&'static str>,
    /// Capability sets: name and members.
    pub sets: Vec<(&'static str, String)>,
    /// No exec may grant privileges.
    pub no_new_privs: bool,
    /// Number of the user namespace.
    pub user_ns: u32,
    /// Tasks of this real uid, as RLIMIT_NPROC counts them.
    pub processes: u32,
}

/// The credentials of a task.
///
/// # Errors
/// The task is gone.
pub fn cred(sys: &System, task: TaskId) -> Result<CredView, NoView> {
    let t = live(sys, task)?;
    let c = sys.kernel.creds.get(t.cred).ok_or(NoView::Nothing {
        pid: t.pid,
        what: "credentials",
        why: "they were freed under it",
    })?;
    let bits = SECBIT_NAMES.iter().filter(|(_, bit)| i64::from(c.securebits) & bit != 0);
    Ok(CredView {
        pid: t.pid,
        comm: text::escape(&t.comm()),
        cred: t.cred.index(),
        real_cred: t.real_cred.index(),
        usage: c.usage,
        uids: [c.uid, c.euid, c.suid, c.fsuid],
        gids: [c.gid, c.egid, c.sgid, c.fsgid],
        groups: c.group_info.to_vec(),
        securebits: bits.map(|(name, _)| *name).collect(),
        sets: vec![
            ("effective", set_words(c.cap_effective)),
            ("permitted", set_words(c.cap_permitted)),
            ("inheritable", set_words(c.cap_inheritable)),
            ("bounding", set_words(c.cap_bset)),
            ("ambient", set_words(c.cap_ambient)),
        ],
        no_new_privs: t.no_new_privs,
        user_ns: c.user_ns.index(),
        processes: sys.kernel.users.get(c.user).map_or(0, |u| u.processes),
    })
}

/// A capability set; a large one by what it lacks.
fn set_words(set: CapSet) -> String {
    let names = |s: CapSet| s.iter().map(|c| c.name()).collect::<Vec<_>>().join(" ");
    let missing = CapSet::FULL.minus(set);
    match (set.is_empty(), missing.iter().count()) {
        (true, _) => "none".to_string(),
        (_, 0) => "all".to_string(),
        (_, 1..=8) => format!("all but {}", names(missing)),
        _ => names(set),
    }
}

impl fmt::Display for CredView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = |name, [r, e, s, fs]: [u32; 4]| {
            format!("  {name:12} real {r}  effective {e}  saved {s}  file system {fs}")
        };
        let list = |v: Vec<String>| if v.is_empty() { "none".to_string() } else { v.join(" ") };
        let mut lines = vec![
            format!(
                "cred #{} of {}({}), usage {}, user namespace #{}",
                self.cred, self.comm, self.pid, self.usage, self.user_ns
            ),
            ids("uid", self.uids),
            ids("gid", self.gids),
            format!("  {:12} {}", "groups", list(self.groups.iter().map(u32::to_string).collect())),
        ];
        if self.real_cred != self.cred {
            lines.push(format!("  others judge it by cred #{}", self.real_cred));
        }
        lines.extend(self.sets.iter().map(|(name, set)| format!("  {name:12} {set}")));
        let bits = self.securebits.iter().map(|s| (*s).to_string()).collect();
        lines.push(format!("  {:12} {}", "securebits", list(bits)));
        if self.no_new_privs {
            lines.push("  no_new_privs is set: exec grants nothing".to_string());
        }
        lines.push(format!(
            "  {:12} {} with real uid {}",
            "counted",
            text::plural(u64::from(self.processes), "task"),
            self.uids[0]
        ));
        text::write_lines(f, lines)
    }
}
