//! What one line or a few say of a task: /proc/PID/stat, statm, children.
//!
//! Linux: fs/proc/array.c (do_task_stat, proc_pid_statm, children_seq_show,
//! proc_task_name).
//! Left out: children's faults of the processor's caches, guest time.

use std::fmt::Write;

use crate::abi::numbers::RLIMIT_RSS;
use crate::abi::structs::Rusage;
use crate::base::addr::page_align_up;
use crate::base::{PAGE_MASK, PhysAddr};
use crate::kernel::list;
use crate::kernel::mm::pgtable::{lookup, pte_present};
use crate::kernel::mm::view::rss;
use crate::kernel::mm::{MmCounter, MmId};
use crate::kernel::pid::{PidType, pid_nr_ns, task_pid_nr_ns};
use crate::kernel::signal::notify::NSEC_PER_CLOCK_TICK;
use crate::kernel::signal::{SighandStruct, threads};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList, TaskState, TaskStruct};

/// Thread group id of the real parent; 0 for a task without one.
pub fn task_ppid(sys: &System, t: &TaskStruct) -> i32 {
    sys.kernel.tasks.get(t.real_parent).map_or(0, |p| p.tgid)
}

/// A name from user memory, safe to print on one line: control characters and
/// the backslash become octal escapes.
pub fn proc_task_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\{:03o}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// What a task or, with `whole`, its process has used, and the children that
/// the process has waited for.
fn usage(sys: &System, task: TaskId, whole: bool) -> (Rusage, Rusage) {
    let t = sys.task(task);
    if !whole {
        return (t.usage(), Rusage::default());
    }
    let mut sum = Rusage::default();
    for thread in threads(sys, task) {
        sum.add(&sys.task(thread).usage());
    }
    let Some(s) = t.signal.and_then(|s| sys.kernel.signals.get(s)) else {
        return (sum, Rusage::default());
    };
    sum.add(&s.dead_threads);
    (sum, s.children_usage)
}

/// `task_prio`: 0 is the highest that is not real-time; -1 - rt_priority below.
fn task_prio(t: &TaskStruct) -> i32 {
    t.prio - 100
}

/// /proc/PID/stat, or that of a thread (`whole` false). `permitted`: whether
/// the reader may see addresses.
pub fn do_task_stat(sys: &System, task: TaskId, whole: bool, permitted: bool) -> String {
    let t = sys.task(task);
    let signal = t.signal.and_then(|s| sys.kernel.signals.get(s));
    let sighand = t.sighand.and_then(|s| sys.kernel.sighands.get(s));
    let mm = t.mm.and_then(|mm| sys.kernel.mms.get(mm));
    let (used, children) = usage(sys, task, whole);
    let (ignored, caught) = sighand.map_or((0, 0), SighandStruct::ignored_and_caught);
    let low = |set: u64| set & 0x7fff_ffff;
    let ids = |kind| task_pid_nr_ns(sys, task, kind, None);
    let (gpid, sid) =
        if signal.is_some() { (ids(PidType::Pgid), ids(PidType::Sid)) } else { (-1, -1) };
    let mut s = format!("{} ({}) {}", t.pid, t.comm().replace('\n', "\\n"), t.state_char());
    let mut put = |n: i128| {
        let _ = write!(s, " {n}");
    };
    put(task_ppid(sys, t).into());
    put(gpid.into());
    put(sid.into());
    match signal.and_then(|s| sys.kernel.ttys.get(s.tty?)) {
        Some(tty) => {
            put(tty.dev().into());
            put(tty.pgrp.map_or(0, |p| pid_nr_ns(sys, p, sys.kernel.init_pid_ns)).into());
        }
        None => {
            put(0);
            put(-1);
        }
    }
    put(t.flags.bits().into());
    for n in [used.ru_minflt, children.ru_minflt, used.ru_majflt, children.ru_majflt] {
        put(n.into());
    }
    for ns in [used.ru_utime, used.ru_stime, children.ru_utime, children.ru_stime] {
        put((ns / NSEC_PER_CLOCK_TICK).into());
    }
    put(task_prio(t).into());
    put((t.static_prio - 120).into());
    put(signal.map_or(0, |s| s.nr_threads).into());
    put(0);
    put((t.start_boottime / NSEC_PER_CLOCK_TICK).into());
    put(mm.map_or(0, |m| m.total_vm * 4096).into());
    put(mm.map_or(0, |m| rss(m).total.max(0)).into());
    put(signal.map_or(0, |s| s.rlim[RLIMIT_RSS as usize].cur).into());
    // 1 stands for "there is one, and it is not shown".
    let shown = |n: u64| if permitted { n } else { 1 };
    put(mm.map_or(0, |m| shown(m.start_code)).into());
    put(mm.map_or(0, |m| shown(m.end_code)).into());
    put(mm.filter(|_| permitted).map_or(0, |m| m.start_stack).into());
    // Registers are shown of a task that ends only.
    put(0);
    put(0);
    for set in [t.pending.signal.0, t.blocked.0, ignored, caught] {
        put(low(set).into());
    }
    let sleeps = t.__state != TaskState::RUNNING && !t.is_dead();
    put(u32::from(permitted && sleeps).into());
    put(0);
    put(0);
    put(t.exit_signal.into());
    put(t.cpu.into());
    put(t.rt_priority.into());
    put(t.policy.into());
    for _ in ["delayacct_blkio", "guest_time", "cguest_time"] {
        put(0);
    }
    let marks = mm.filter(|_| permitted).map_or([0; 7], |m| {
        [m.start_data, m.end_data, m.start_brk, m.arg_start, m.arg_end, m.env_start, m.env_end]
    });
    marks.into_iter().for_each(|n| put(n.into()));
    put(if permitted { t.exit_code.into() } else { 0 });
    s.push('\n');
    s
}

/// /proc/PID/statm: pages in all, resident, of files and shared, text, library
/// (unused), data and stack, dirty (unused).
pub fn proc_pid_statm(sys: &System, task: TaskId) -> String {
    let Some(m) = sys.task(task).mm.and_then(|mm| sys.kernel.mms.get(mm)) else {
        return "0 0 0 0 0 0 0\n".into();
    };
    let shared = m.rss_stat[MmCounter::File as usize] + m.rss_stat[MmCounter::Shmem as usize];
    let text = page_align_up(m.end_code).unwrap_or(m.end_code) - (m.start_code & PAGE_MASK);
    let data = m.data_vm + m.stack_vm;
    format!("{} {} {shared} {} 0 {data} 0\n", m.total_vm, rss(m).total, text >> 12)
}

/// /proc/PID/task/TID/children: processes of which this thread is the real
/// parent.
pub fn children(sys: &System, task: TaskId) -> String {
    let list = list::iter(&sys.kernel.tasks, sys.task(task).children, TaskList::Sibling);
    list.map(|child| format!("{} ", sys.task(child).tgid)).collect()
}

/// /proc/PID/cmdline: the arguments where the program finds them, NULs and all;
/// nothing for a kernel thread or a zombie.
pub fn strings(sys: &System, task: TaskId, environment: bool) -> Vec<u8> {
    let Some(mm) = sys.task(task).mm else { return Vec::new() };
    let Some(m) = sys.kernel.mms.get(mm) else { return Vec::new() };
    let (start, end) = match environment {
        false => (m.arg_start, m.arg_end),
        true => (m.env_start, m.env_end),
    };
    (start..end).map_while(|at| byte(sys, mm, at)).collect()
}

/// A byte of user memory that is there.
fn byte(sys: &System, mm: MmId, at: u64) -> Option<u8> {
    let (_, pte) = lookup(sys, mm, at).filter(|(_, pte)| pte_present(*pte))?;
    let mut byte = [0];
    sys.machine.mem.read(PhysAddr(pte.pfn().addr().0 + (at & !PAGE_MASK)), &mut byte);
    Some(byte[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_lines() {
        assert_eq!(proc_task_name("a\nb\\c\x1b[1m"), "a\\nb\\\\c\\033[1m");
        assert_eq!(proc_task_name("init"), "init");
    }
}
