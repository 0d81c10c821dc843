//! Comparing two systems object by object: what did a call leave behind?
//!
//! `==` on [`System`] is exact. A call that was refused, or a sleeper that was
//! woken for nothing, leaves no trace in anything a process can see or that is
//! counted; but time has passed, a processor has switched, and allocators have
//! moved on. [`Scope`] says which of these do not count as a difference.
//!
//! Never compared, in any scope:
//!
//! ```text
//! time        the clock, the log, utime, stime, vruntime, context switches,
//!             faults, hiwater_rss
//! processors  who is current, registers, TLBs, borrowed address spaces
//!             (active_mm, the mm_count they hold, mm_cpumask)
//! scratch     kernel.out, note, new_task, born, inject; the content of kernel stacks
//! reserves    free frames and their order, free slots of arenas and their
//!             generations, cached stacks, tables of the vmalloc area, rng
//! ```
//!
//! Linux: none. Left out: the values of registers, which a call changes.

use super::tables::leaves;
use crate::base::{Arena, PVec};
use crate::kernel::mm::MmStruct;
use crate::kernel::pid_namespace::PidNamespace;
use crate::kernel::sched::SchedEntity;
use crate::kernel::system::{Kernel, System};
use crate::kernel::task::{TaskStruct, ThreadStruct};
use crate::machine::{PageFlags, Pte, PteFlags};
use std::fmt::Debug;

/// What may differ besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Nothing: a task was woken and sleeps again.
    Woken,
    /// What Linux leaves behind when a call fails half way: the cursors of
    /// pid and namespace numbers have advanced, the creator has a semaphore
    /// undo list, and pages of its private areas may be write-protected and
    /// no longer AnonExclusive, which costs a fault but changes nothing.
    Failed,
}

/// What differs between two systems, a few lines an object. Empty if nothing
/// does.
pub fn differences(before: &System, after: &System, scope: Scope) -> Vec<String> {
    let mut d = Differ { found: Vec::new(), scope };
    d.kernel(&before.kernel, &after.kernel);
    d.memory(before, after);
    d.found
}

struct Differ {
    found: Vec<String>,
    scope: Scope,
}

impl Differ {
    fn kernel(&mut self, a: &Kernel, b: &Kernel) {
        // A new field must be decided upon here.
        let Kernel {
            tasks: _,
            pids: _,
            pid_namespaces: _,
            cgroups: _,
            cgroup_root: _,
            nsproxies: _,
            namespaces: _,
            user_namespaces: _,
            creds: _,
            users: _,
            uidhash: _,
            mms: _,
            anon_vmas: _,
            sighands: _,
            signals: _,
            files: _,
            fs: _,
            filps: _,
            inodes: _,
            pipes: _,
            ttys: _,
            completions: _,
            wait_queues: _,
            kthread_create_list: _,
            kthread_callers: _,
            task_list: _,
            init_task: _,
            init_process: _,
            init_cred: _,
            init_pid_ns: _,
            init_user_ns: _,
            root_inode: _,
            devpts_root: _,
            init_mm: _,
            zero_page: _,
            per_cpu: _,
            sysctl: _,
            contained: _,
            nr_threads: _,
            total_forks: _,
            cached_stacks: _,
            free_stack_slots: _,
            next_stack_slot: _,
            next_ns_inum: _,
            next_identity: _,
            calls_made: _,
            rng: _,
            inject: _,
            bugs: _,
            todo: _,
            out: _,
            note: _,
            new_task: _,
            born: _,
            futex_queues: _,
            timers: _,
            itimers: _,
            alarms: _,
            cpu_timers_armed: _,
            anon_inodes: _,
            sched: _,
            console: _,
            oops: _,
        } = a;
        let scope = self.scope;
        self.objects("task_struct", &a.tasks, &b.tasks, |t| plain_task(t, scope));
        self.objects("pid", &a.pids, &b.pids, |_| {});
        self.objects("pid namespace", &a.pid_namespaces, &b.pid_namespaces, |n| plain_ns(n, scope));
        self.objects("cgroup", &a.cgroups, &b.cgroups, |c| {
            if let Some(pids) = &mut c.pids {
                (pids.watermark, pids.events_max) = (0, 0);
            }
        });
        self.objects("nsproxy", &a.nsproxies, &b.nsproxies, |_| {});
        self.objects("namespace", &a.namespaces, &b.namespaces, |_| {});
        self.objects("user namespace", &a.user_namespaces, &b.user_namespaces, |_| {});
        self.objects("cred", &a.creds, &b.creds, |_| {});
        self.objects("user_struct", &a.users, &b.users, |_| {});
        // One without users is held by a borrower, until that switches.
        self.some_objects("mm_struct", &a.mms, &b.mms, plain_mm, |m| m.mm_users > 0);
        self.objects("anon_vma", &a.anon_vmas, &b.anon_vmas, |_| {});
        self.objects("sighand_struct", &a.sighands, &b.sighands, |_| {});
        self.objects("signal_struct", &a.signals, &b.signals, |_| {});
        self.objects("files_struct", &a.files, &b.files, |t| {
            // A table never shrinks; what is behind the last open one is room.
            let open = t.fdt.iter().rposition(Option::is_some).map_or(0, |i| i + 1);
            t.fdt.truncate(open);
        });
        self.objects("fs_struct", &a.fs, &b.fs, |_| {});
        self.objects("file", &a.filps, &b.filps, |_| {});
        self.objects("inode", &a.inodes, &b.inodes, |_| {});
        self.objects("pipe", &a.pipes, &b.pipes, |_| {});
        self.objects("tty", &a.ttys, &b.ttys, |_| {});
        self.objects("completion", &a.completions, &b.completions, |_| {});
        self.objects("wait queue", &a.wait_queues, &b.wait_queues, |_| {});
        self.value("kthread_create_list", &a.kthread_create_list, &b.kthread_create_list);
        self.value("kthread_callers", &a.kthread_callers, &b.kthread_callers);
        self.value("uidhash", &a.uidhash, &b.uidhash);
        self.value("task_list", &a.task_list, &b.task_list);
        self.value("contained", &a.contained, &b.contained);
        self.value("init_process", &a.init_process, &b.init_process);
        self.value("root_inode", &a.root_inode, &b.root_inode);
        self.value("sysctl", &a.sysctl, &b.sysctl);
        self.value("nr_threads", &a.nr_threads, &b.nr_threads);
        self.value("total_forks", &a.total_forks, &b.total_forks);
        if scope == Scope::Woken {
            self.value("next_ns_inum", &a.next_ns_inum, &b.next_ns_inum);
            self.value("next_identity", &a.next_identity, &b.next_identity);
            self.value("calls_made", &a.calls_made, &b.calls_made);
        }
        self.value("bugs", &a.bugs, &b.bugs);
        self.value("todo", &a.todo, &b.todo);
        self.value("timers", &a.timers, &b.timers);
        self.value("itimers", &a.itimers, &b.itimers);
        self.value("alarms", &a.alarms, &b.alarms);
        self.value("cpu_timers_armed", &a.cpu_timers_armed, &b.cpu_timers_armed);
        self.objects("anonymous inode", &a.anon_inodes, &b.anon_inodes, |_| {});
        self.value("sched.config", &a.sched.config, &b.sched.config);
        self.value("dl_total_bw", &a.sched.dl_total_bw, &b.sched.dl_total_bw);
        self.value("futex_queues", &a.futex_queues, &b.futex_queues);
        self.value("console", &a.console, &b.console);
        self.value("oops", &a.oops, &b.oops);
    }

    /// Objects of an arena, each made plain first.
    fn objects<T: Clone + PartialEq + Debug, const N: usize>(
        &mut self,
        kind: &str,
        a: &Arena<T, N>,
        b: &Arena<T, N>,
        plain: impl Fn(&mut T),
    ) {
        self.some_objects(kind, a, b, plain, |_| true);
    }

    /// The same for those of them that count.
    fn some_objects<T: Clone + PartialEq + Debug, const N: usize>(
        &mut self,
        kind: &str,
        a: &Arena<T, N>,
        b: &Arena<T, N>,
        plain: impl Fn(&mut T),
        counts: impl Fn(&T) -> bool,
    ) {
        for (id, x) in a.iter().filter(|(_, x)| counts(x)) {
            let Some(y) = b.get(id) else {
                self.found.push(format!("{kind} {id:?} is gone"));
                continue;
            };
            if x == y {
                continue;
            }
            let (mut x, mut y) = (x.clone(), y.clone());
            plain(&mut x);
            plain(&mut y);
            if x != y {
                self.found.push(format!("{kind} {id:?}:{}", lines(&x, &y)));
            }
        }
        for (id, y) in b.iter().filter(|(id, y)| counts(y) && !a.contains(*id)) {
            self.found.push(format!("{kind} {id:?} is new: {y:?}"));
        }
    }

    fn value<T: PartialEq + Debug>(&mut self, name: &str, a: &T, b: &T) {
        if a != b {
            self.found.push(format!("{name}:{}", lines(a, b)));
        }
    }

    /// Frames that hold data, and the entries that map them.
    fn memory(&mut self, a: &System, b: &System) {
        let is_data = |f: PageFlags| !f.intersects(PageFlags::PGTABLE | PageFlags::KSTACK);
        let hidden = match self.scope {
            Scope::Woken => PageFlags::empty(),
            Scope::Failed => PageFlags::ANON_EXCLUSIVE,
        };
        for (pfn, page) in a.machine.mem.used_pages().filter(|(_, p)| is_data(p.flags)) {
            let now = b.machine.mem.page(pfn);
            let counts = |p: &crate::machine::Page| {
                (p.refcount, p.mapcount, p.flags.difference(hidden), p.private)
            };
            if counts(page) != counts(now) {
                self.found.push(format!("page {pfn}:{}", lines(page, now)));
            }
            if a.machine.mem.frame(pfn) != b.machine.mem.frame(pfn) {
                self.found.push(format!("page {pfn}: other content"));
            }
        }
        for (pfn, page) in b.machine.mem.used_pages().filter(|(_, p)| is_data(p.flags)) {
            if a.machine.mem.page(pfn).refcount == 0 {
                self.found.push(format!("page {pfn} is used now: {page:?}"));
            }
        }
        for (id, m) in a.kernel.mms.iter() {
            let now = b.kernel.mms.get(id);
            let (before, after) = (self.entries(a, m), now.map(|m| self.entries(b, m)));
            if after.as_ref().is_some_and(|after| *after != before) {
                let after = after.unwrap_or_default();
                self.found.push(format!("page tables of {id:?}:{}", lines(&before, &after)));
            }
        }
    }

    fn entries(&self, sys: &System, m: &MmStruct) -> Vec<(u64, Pte)> {
        let hidden = match self.scope {
            Scope::Woken => PteFlags::A,
            Scope::Failed => PteFlags::A | PteFlags::RW,
        };
        let mut entries = leaves(sys, m);
        entries.iter_mut().for_each(|(_, pte)| *pte = pte.without(hidden));
        entries
    }
}

/// The lines of the two values' descriptions that differ.
fn lines(a: &impl Debug, b: &impl Debug) -> String {
    let (a, b) = (format!("{a:#?}"), format!("{b:#?}"));
    let (a, b): (Vec<_>, Vec<_>) = (a.lines().collect(), b.lines().collect());
    let only = |x: &[&str], y: &[&str], sign: char| -> String {
        let new = x.iter().filter(|l| !y.contains(l)).take(12);
        new.map(|l| format!("\n  {sign} {}", l.trim())).collect()
    };
    format!("{}{}", only(&a, &b, '-'), only(&b, &a, '+'))
}

fn plain_task(t: &mut TaskStruct, scope: Scope) {
    (t.utime, t.stime, t.nvcsw, t.nivcsw, t.min_flt, t.maj_flt) = (0, 0, 0, 0, 0, 0);
    let SchedEntity { load_weight, custom_slice, slice, on_rq, .. } = t.se;
    t.se = SchedEntity { load_weight, custom_slice, slice, on_rq, ..SchedEntity::default() };
    (t.rt.place, t.rt.time_slice) = (0, 0);
    if let Some(dl) = &mut t.dl {
        (dl.runtime, dl.deadline, dl.arrival) = (0, 0, 0);
    }
    t.need_resched = false;
    t.on_cpu = false;
    t.thread = ThreadStruct { ret_from_fork: t.thread.ret_from_fork, ..ThreadStruct::default() };
    if t.mm.is_none() {
        t.active_mm = None;
    }
    if scope == Scope::Failed || t.resume.is_none() {
        // Who is in user mode has its registers in a processor, or where the
        // last interrupt put them.
        t.regs = Default::default();
        t.orig_ax = 0;
    }
    if scope == Scope::Failed {
        t.sysvsem = None;
        t.finished.clear();
    }
}

fn plain_mm(m: &mut MmStruct) {
    m.mm_count = 0;
    m.cpu_bitmap = 0;
    m.hiwater_rss = 0;
}

fn plain_ns(n: &mut PidNamespace, scope: Scope) {
    if scope == Scope::Failed {
        // Freed numbers leave room behind; only what is in use counts.
        n.idr_next = 0;
        let used: Vec<_> = n.idr.iter().map(Option::is_some).collect();
        let len = used.iter().rposition(|u| *u).map_or(0, |i| i + 1);
        let mut idr = PVec::new();
        n.idr.iter().take(len).for_each(|p| {
            idr.push(*p);
        });
        n.idr = idr;
        n.chunk_used.truncate(len.div_ceil(128));
    }
}
