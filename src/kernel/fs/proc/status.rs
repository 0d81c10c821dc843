//! `/proc/PID/status`, line by line as Linux writes it.
//!
//! Linux: fs/proc/array.c (proc_pid_status), fs/proc/task_mmu.c (task_mem).
//! Left out: lines about what is not modelled (VmPeak, VmPin, VmSwap, huge
//! pages, core dumping, speculation, memory nodes).

use super::array::{proc_task_name, task_ppid};
use crate::abi::numbers::RLIMIT_SIGPENDING;
use crate::base::PAGE_MASK;
use crate::base::addr::page_align_up;
use crate::kernel::mm::{MmCounter, MmStruct};
use crate::kernel::pid::{PidType, task_pid_nr_ns};
use crate::kernel::signal::SighandStruct;
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskStruct};
use serde::Serialize;
use std::fmt;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusLine {
    /// What stands before the colon.
    pub key: &'static str,
    /// What stands after colon and tab, exactly.
    pub value: String,
}

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Its lines.
    pub lines: Vec<StatusLine>,
}

impl Status {
    /// The value of a line, without the blanks that align it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.lines.iter().find(|l| l.key == key).map(|l| l.value.trim())
    }

    fn add(&mut self, key: &'static str, value: impl ToString) {
        self.lines.push(StatusLine { key, value: value.to_string() });
    }

    /// A size: pages as KiB, right-aligned in eight columns.
    fn kib(&mut self, key: &'static str, kib: u64) {
        self.add(key, format!("{kib:8} kB"));
    }
}

/// /proc/PID/status of a task, as seen from the initial namespaces.
pub fn proc_pid_status(sys: &System, task: TaskId) -> Status {
    let t = sys.task(task);
    let mut s = Status { lines: Vec::with_capacity(48) };
    s.add("Name", proc_task_name(&t.comm()));
    identity(sys, task, t, &mut s);
    if let Some(mm) = t.mm.and_then(|mm| sys.kernel.mms.get(mm)) {
        memory(mm, &mut s);
    }
    signals(sys, t, &mut s);
    if let Some(c) = sys.kernel.creds.get(t.real_cred) {
        let sets = [
            ("CapInh", c.cap_inheritable),
            ("CapPrm", c.cap_permitted),
            ("CapEff", c.cap_effective),
            ("CapBnd", c.cap_bset),
            ("CapAmb", c.cap_ambient),
        ];
        for (key, set) in sets {
            s.add(key, format!("{:016x}", set.0));
        }
    }
    s.add("NoNewPrivs", u32::from(t.no_new_privs));
    s.add("Seccomp", 0);
    let cpus = sys.machine.cpus.len();
    s.add("Cpus_allowed", cpus_hex(t.cpus_mask, cpus));
    s.add("Cpus_allowed_list", cpus_list(t.cpus_mask, cpus));
    s.add("voluntary_ctxt_switches", t.nvcsw);
    s.add("nonvoluntary_ctxt_switches", t.nivcsw);
    s
}

fn identity(sys: &System, task: TaskId, t: &TaskStruct, s: &mut Status) {
    if let Some(fs) = t.fs.and_then(|fs| sys.kernel.fs.get(fs)) {
        s.add("Umask", format!("{:04o}", fs.umask));
    }
    s.add("State", state_words(t.state_char()));
    s.add("Tgid", t.tgid);
    // No NUMA balancing, no NUMA group.
    s.add("Ngid", 0);
    s.add("Pid", t.pid);
    s.add("PPid", task_ppid(sys, t));
    let tracer = if t.ptrace.is_empty() { None } else { sys.kernel.tasks.get(t.parent) };
    s.add("TracerPid", tracer.map_or(0, |p| p.pid));
    if let Some(c) = sys.kernel.creds.get(t.real_cred) {
        s.add("Uid", format!("{}\t{}\t{}\t{}", c.uid, c.euid, c.suid, c.fsuid));
        s.add("Gid", format!("{}\t{}\t{}\t{}", c.gid, c.egid, c.sgid, c.fsgid));
        s.add("FDSize", fd_size(sys, t));
        let groups: Vec<_> = c.group_info.iter().map(u32::to_string).collect();
        s.add("Groups", groups.join(" ") + " ");
    }
    let numbers = t.thread_pid.and_then(|p| sys.kernel.pids.get(p)).map(|p| &p.numbers);
    let kinds = [
        ("NStgid", PidType::Tgid),
        ("NSpid", PidType::Pid),
        ("NSpgid", PidType::Pgid),
        ("NSsid", PidType::Sid),
    ];
    for (key, kind) in kinds {
        let seen: Vec<_> = numbers.map_or(Vec::new(), |n| {
            n.iter().map(|u| task_pid_nr_ns(sys, task, kind, Some(u.ns)).to_string()).collect()
        });
        s.add(key, seen.join("\t"));
    }
    s.add("Kthread", u32::from(t.flags.contains(PF::KTHREAD)));
}

/// Slots of the descriptor table: 64 lie in the structure, larger tables are
/// a power of two and at least 256 long (`alloc_fdtable`).
fn fd_size(sys: &System, t: &TaskStruct) -> usize {
    match t.files.and_then(|f| sys.kernel.files.get(f)).map(|f| f.fdt.len()) {
        None => 0,
        Some(n) if n <= 64 => 64,
        Some(n) => n.next_multiple_of(256).next_power_of_two(),
    }
}

/// A state as the file writes it: letter and words.
pub fn state_words(letter: char) -> &'static str {
    match letter {
        'S' => "S (sleeping)",
        'D' => "D (disk sleep)",
        'T' => "T (stopped)",
        't' => "t (tracing stop)",
        'X' => "X (dead)",
        'Z' => "Z (zombie)",
        'P' => "P (parked)",
        'I' => "I (idle)",
        _ => "R (running)",
    }
}

fn memory(mm: &MmStruct, s: &mut Status) {
    let rss = |c: MmCounter| u64::try_from(mm.rss_stat[c as usize]).unwrap_or(0);
    let (anon, file, shmem) = (rss(MmCounter::Anon), rss(MmCounter::File), rss(MmCounter::Shmem));
    let total = anon + file + shmem;
    let text =
        page_align_up(mm.end_code).unwrap_or(mm.end_code).saturating_sub(mm.start_code & PAGE_MASK)
            >> 10;
    s.kib("VmSize", mm.total_vm * 4);
    s.kib("VmLck", mm.locked_vm * 4);
    s.kib("VmHWM", mm.hiwater_rss.max(total) * 4);
    s.kib("VmRSS", total * 4);
    s.kib("RssAnon", anon * 4);
    s.kib("RssFile", file * 4);
    s.kib("RssShmem", shmem * 4);
    s.kib("VmData", mm.data_vm * 4);
    s.kib("VmStk", mm.stack_vm * 4);
    s.kib("VmExe", text);
    s.kib("VmLib", (mm.exec_vm * 4).saturating_sub(text));
    s.kib("VmPTE", mm.nr_pgtables * 4);
}

fn signals(sys: &System, t: &TaskStruct, s: &mut Status) {
    let signal = t.signal.and_then(|id| sys.kernel.signals.get(id));
    let sighand = t.sighand.and_then(|id| sys.kernel.sighands.get(id));
    let user = sys.kernel.creds.get(t.real_cred).and_then(|c| sys.kernel.users.get(c.user));
    s.add("Threads", signal.map_or(0, |s| s.nr_threads));
    let limit = signal.map_or(0, |s| s.rlim[RLIMIT_SIGPENDING as usize].cur);
    s.add("SigQ", format!("{}/{limit}", user.map_or(0, |u| u.sigpending)));
    let (ignored, caught) = sighand.map_or((0, 0), SighandStruct::ignored_and_caught);
    let shared = signal.map_or(0, |s| s.shared_pending.signal.0);
    let sets = [
        ("SigPnd", t.pending.signal.0),
        ("ShdPnd", shared),
        ("SigBlk", t.blocked.0),
        ("SigIgn", ignored),
        ("SigCgt", caught),
    ];
    for (key, set) in sets {
        s.add(key, format!("{set:016x}"));
    }
}

/// A processor mask as `%*pb` prints it: groups of 32 bits, highest first.
fn cpus_hex(mask: u64, cpus: usize) -> String {
    let cpus = cpus.clamp(1, 64);
    let mask = mask & (u64::MAX >> (64 - cpus));
    let digits = |n: usize| n.div_ceil(4);
    match cpus {
        ..=32 => format!("{mask:0w$x}", w = digits(cpus)),
        _ => format!("{:0w$x},{:08x}", mask >> 32, mask & 0xffff_ffff, w = digits(cpus - 32)),
    }
}

/// A processor mask as `%*pbl` prints it: `0-2,5`.
fn cpus_list(mask: u64, cpus: usize) -> String {
    let set: Vec<_> = (0..cpus.min(64)).filter(|n| mask >> n & 1 != 0).collect();
    let runs = set.chunk_by(|a, b| a + 1 == *b);
    let words: Vec<_> = runs
        .map(|r| match r {
            [one] => one.to_string(),
            [first, .., last] => format!("{first}-{last}"),
            [] => String::new(),
        })
        .collect();
    words.join(",")
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, l) in self.lines.iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}{}:\t{}", l.key, l.value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_masks_print_as_linux_prints_them() {
        assert_eq!((cpus_hex(u64::MAX, 2), cpus_list(u64::MAX, 2)), ("3".into(), "0-1".into()));
        assert_eq!(cpus_hex(0x21, 33), "0,00000021");
        assert_eq!(cpus_list(0b10_0111, 8), "0-2,5");
        assert_eq!(cpus_hex(1, 8), "01");
    }
}
