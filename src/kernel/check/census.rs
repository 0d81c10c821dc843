//! How many objects of each kind exist, and ending everything to see whether
//! as many are left as before.
//!
//! Linux: /proc/slabinfo, /proc/meminfo. Left out: what the kernel keeps for
//! the next time and which therefore does not return: up to two kernel stacks,
//! the page tables of the vmalloc area, and the page cache, which is the file.

use crate::abi::Signal;
use crate::abi::structs::SigInfo;
use crate::kernel::entry;
use crate::kernel::exit::release_task;
use crate::kernel::pid::PidType;
use crate::kernel::ptrace::exit::exit_ptrace;
use crate::kernel::sched::balance;
use crate::kernel::signal::send::send_signal_locked;
use crate::kernel::syscalls::Call;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use crate::machine::{LOW_RESERVED, PageFlags};

/// Live objects by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field counts the arena, or the kind of page, of its name")]
pub struct Census {
    pub tasks: usize,
    pub pids: usize,
    pub pid_namespaces: usize,
    pub nsproxies: usize,
    pub namespaces: usize,
    pub user_namespaces: usize,
    pub creds: usize,
    pub users: usize,
    pub mms: usize,
    pub anon_vmas: usize,
    pub sighands: usize,
    pub signals: usize,
    pub files: usize,
    pub fs: usize,
    pub filps: usize,
    pub inodes: usize,
    pub pipes: usize,
    pub anon_inodes: usize,
    pub ttys: usize,
    pub completions: usize,
    pub futex_queues: usize,
    pub todo: usize,
    pub stacks: usize,
    pub table_pages: usize,
    pub anon_pages: usize,
}

impl Census {
    /// Counts what exists now.
    pub fn of(sys: &System) -> Census {
        let k = &sys.kernel;
        let used = sys.machine.mem.used_pages().filter(|(pfn, _)| pfn.0 >= LOW_RESERVED);
        let (mut tables, mut anon) = (0, 0);
        for (_, page) in used {
            tables += usize::from(page.flags.contains(PageFlags::PGTABLE));
            anon += usize::from(page.flags.contains(PageFlags::ANON));
        }
        Census {
            tasks: k.tasks.len(),
            pids: k.pids.len(),
            pid_namespaces: k.pid_namespaces.len(),
            nsproxies: k.nsproxies.len(),
            namespaces: k.namespaces.len(),
            user_namespaces: k.user_namespaces.len(),
            creds: k.creds.len(),
            users: k.users.len(),
            mms: k.mms.len(),
            anon_vmas: k.anon_vmas.len(),
            sighands: k.sighands.len(),
            signals: k.signals.len(),
            files: k.files.len(),
            fs: k.fs.len(),
            filps: k.filps.len(),
            inodes: k.inodes.len(),
            pipes: k.pipes.len(),
            anon_inodes: k.anon_inodes.len(),
            ttys: k.ttys.len(),
            completions: k.completions.len(),
            futex_queues: k.futex_queues.len(),
            todo: k.todo.len(),
            stacks: k.tasks.iter().filter(|(_, t)| t.stack.is_some()).count(),
            table_pages: tables - kernel_tables(sys),
            anon_pages: anon,
        }
    }
}

/// Tables of the kernel's half: made when a stack slot is first used, kept.
fn kernel_tables(sys: &System) -> usize {
    if !sys.machine.config.mmu {
        return 0;
    }
    let user: u64 = sys.kernel.mms.iter().map(|(_, m)| m.nr_pgtables + 1).sum();
    let all = sys.machine.mem.used_pages().filter(|(_, p)| p.flags.contains(PageFlags::PGTABLE));
    all.count().saturating_sub(user as usize)
}

/// Kills every user task but init and its threads, and reaps what is left.
/// Afterwards nothing exists but what init and the kernel itself hold.
///
/// # Errors
/// Init cannot reap, because it sleeps in a call or is stopped; or tasks are
/// left that do not die.
pub fn teardown(sys: &mut System) -> Result<(), String> {
    let init = sys.kernel.init_process;
    let group = sys.task(init).signal;
    let victims = |sys: &System| -> Vec<TaskId> {
        let users = sys.kernel.tasks.iter();
        users.filter(|(_, t)| t.mm.is_some() && t.signal != group).map(|(id, _)| id).collect()
    };
    // Nobody stays in a stop for its tracer.
    let mut dead = Vec::new();
    let tracers: Vec<TaskId> = sys.kernel.tasks.iter().map(|(id, _)| id).collect();
    for tracer in tracers {
        // The signal in whose stop it stands is forgotten.
        sys.task_mut(tracer).exit_code *= i32::from(sys.task(tracer).trap.is_none());
        exit_ptrace(sys, tracer, &mut dead);
    }
    for p in dead {
        release_task(sys, p);
    }
    entry::settle(sys);
    if sys.task(init).__state == TaskState::STOPPED {
        let go_on = SigInfo::kernel(Signal::SIGCONT);
        send_signal_locked(sys, go_on, init, PidType::Tgid).map_err(|e| e.to_string())?;
        entry::settle(sys);
    }
    // A dying parent may have children made anew by nobody: one round is
    // enough, the second shows it.
    for victim in victims(sys) {
        if sys.kernel.tasks.contains(victim) && sys.task(victim).signal.is_some() {
            let kill = SigInfo::kernel(Signal::SIGKILL);
            send_signal_locked(sys, kill, victim, PidType::Tgid).map_err(|e| e.to_string())?;
        }
    }
    entry::settle(sys);
    reap(sys, init)?;
    forget_lazy_mms(sys, init)?;
    match victims(sys).as_slice() {
        [] => Ok(()),
        alive => Err(format!("{} tasks survived SIGKILL: {alive:?}", alive.len())),
    }
}

/// Number of wait4(2).
const NR_WAIT4: u32 = 61;
/// Number of getpid(2).
const NR_GETPID: u32 = 39;
/// WNOHANG and __WALL.
const ANY_NOW: u64 = 0x4000_0001;

fn reap(sys: &mut System, init: TaskId) -> Result<(), String> {
    let any = i64::from(-1) as u64;
    loop {
        let call = Call::new(NR_WAIT4, &[any, 0, ANY_NOW, 0]);
        match entry::syscall(sys, init, call).map_err(|e| e.to_string())? {
            entry::Entered::Done(o) if o.ret > 0 => {}
            _ => return Ok(()),
        }
    }
}

/// An idle processor goes on with the address space that was loaded last, and
/// so holds it (lazy TLB). Init visits each processor to replace it.
fn forget_lazy_mms(sys: &mut System, init: TaskId) -> Result<(), String> {
    let home = sys.task(init).cpu;
    for cpu in (0..sys.kernel.per_cpu.len() as u32).chain([home]) {
        balance::migrate(sys, init, cpu);
        entry::syscall(sys, init, Call::new(NR_GETPID, &[])).map_err(|e| e.to_string())?;
    }
    Ok(())
}
