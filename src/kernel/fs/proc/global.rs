//! Files of the whole machine: loadavg, meminfo, stat, uptime, version.
//!
//! Linux: fs/proc/loadavg.c, meminfo.c, stat.c, uptime.c, version.c.
//! Left out: load (nobody samples it: 0.00), interrupts; of memory what is not
//! counted (swap, caches, slabs, commitments): 0.

use std::fmt::Write;

use crate::kernel::list;
use crate::kernel::nanosleep::{BOOT_REALTIME, NSEC_PER_SEC};
use crate::kernel::signal::notify::NSEC_PER_CLOCK_TICK;
use crate::kernel::signal::threads;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList, TaskState};
use crate::kernel::utsname::{RELEASE, VERSION};
use crate::machine::page::PageFlags;

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Global {
    /// loadavg
    Loadavg,
    /// meminfo
    Meminfo,
    /// stat
    Stat,
    /// uptime
    Uptime,
    /// version
    Version,
}

/// All tasks but the idle ones.
fn tasks(sys: &System) -> Vec<TaskId> {
    let leaders = list::iter(&sys.kernel.tasks, sys.kernel.task_list, TaskList::Tasks);
    let init_task = sys.kernel.init_task;
    leaders.filter(|t| *t != init_task).flat_map(|t| threads(sys, t)).collect()
}

fn running(sys: &System) -> usize {
    let runs = |t: &&TaskId| {
        let t = sys.task(**t);
        t.__state == TaskState::RUNNING && !t.is_dead()
    };
    tasks(sys).iter().filter(runs).count()
}

fn hundredths(ns: u64) -> String {
    format!("{}.{:02}", ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / NSEC_PER_CLOCK_TICK)
}

impl Global {
    /// All of them, by name.
    pub(super) const NAMES: [(&'static str, Global); 5] = [
        ("loadavg", Global::Loadavg),
        ("meminfo", Global::Meminfo),
        ("stat", Global::Stat),
        ("uptime", Global::Uptime),
        ("version", Global::Version),
    ];

    /// The file with a name.
    pub(super) fn by_name(name: &str) -> Option<Global> {
        Global::NAMES.iter().find(|(n, _)| *n == name).map(|(_, file)| *file)
    }

    /// What is in it.
    pub(super) fn show(self, sys: &System) -> String {
        let now = sys.machine.clock.now();
        match self {
            Global::Loadavg => {
                let last = sys.kernel.pid_namespaces[sys.kernel.init_pid_ns].idr_next - 1;
                let (running, all) = (running(sys), tasks(sys).len());
                format!("0.00 0.00 0.00 {running}/{all} {last}\n")
            }
            Global::Meminfo => meminfo(sys),
            Global::Stat => stat(sys),
            Global::Uptime => {
                let idle: u64 = idle_tasks(sys).map(|t| sys.task(t).stime).sum();
                format!("{} {}\n", hundredths(now), hundredths(idle))
            }
            Global::Version => format!("Linux version {RELEASE} (forkyard) {VERSION}\n"),
        }
    }
}

fn idle_tasks(sys: &System) -> impl Iterator<Item = TaskId> + '_ {
    sys.kernel.per_cpu.iter().map(|cpu| cpu.idle)
}

fn meminfo(sys: &System) -> String {
    let mem = &sys.machine.mem;
    let (total, free) = (u64::from(mem.total_pages()) * 4, u64::from(mem.free_pages()) * 4);
    let mut text = String::new();
    let mut kib = |name: &str, kib: u64| {
        let _ = writeln!(text, "{:<16}{kib:>8} kB", format!("{name}:"));
    };
    let (mut anon, mut mapped) = (0, 0);
    for (_, page) in mem.used_pages() {
        if page.mapcount > 0 && !page.flags.contains(PageFlags::ZERO) {
            let kind = if page.flags.contains(PageFlags::ANON) { &mut anon } else { &mut mapped };
            *kind += 4;
        }
    }
    let tables: u64 = sys.kernel.mms.iter().map(|(_, mm)| mm.nr_pgtables * 4).sum();
    let stacks = tasks(sys).len() as u64 * 16;
    for (name, value) in [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", free),
        ("Buffers", 0),
        ("Cached", 0),
        ("SwapCached", 0),
        ("Active", 0),
        ("Inactive", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", anon),
        ("Mapped", mapped),
        ("Slab", 0),
        ("KernelStack", stacks),
        ("PageTables", tables),
        ("Committed_AS", 0),
        ("VmallocTotal", 0),
        ("VmallocUsed", 0),
        ("VmallocChunk", 0),
    ] {
        kib(name, value);
    }
    text
}

fn stat(sys: &System) -> String {
    let mut text = String::new();
    let all = tasks(sys);
    let per_cpu: Vec<(u64, u64)> = (0..sys.machine.cpus.len() as u32)
        .map(|cpu| {
            let on = all.iter().map(|t| sys.task(*t)).filter(|t| t.cpu == cpu);
            on.fold((0, 0), |(user, system), t| (user + t.utime, system + t.stime))
        })
        .collect();
    let line = |name: String, (user, system): (u64, u64), idle: u64| {
        format!(
            "{name} {} 0 {} {} 0 0 0 0 0 0\n",
            user / NSEC_PER_CLOCK_TICK,
            system / NSEC_PER_CLOCK_TICK,
            idle / NSEC_PER_CLOCK_TICK
        )
    };
    let now = sys.machine.clock.now();
    let sum = per_cpu.iter().fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let cpus = per_cpu.len() as u64;
    text += &line("cpu ".into(), sum, (now * cpus).saturating_sub(sum.0 + sum.1));
    for (cpu, used) in per_cpu.iter().enumerate() {
        text += &line(format!("cpu{cpu}"), *used, now.saturating_sub(used.0 + used.1));
    }
    let switches: u64 = all.iter().map(|t| sys.task(*t)).map(|t| t.nvcsw + t.nivcsw).sum();
    let blocked = all.iter().filter(|t| sys.task(**t).state_char() == 'D').count();
    let _ = write!(
        text,
        "intr 0\nctxt {switches}\nbtime {}\nprocesses {}\nprocs_running {}\nprocs_blocked {blocked}\n",
        BOOT_REALTIME / NSEC_PER_SEC,
        sys.kernel.total_forks,
        running(sys)
    );
    text
}
