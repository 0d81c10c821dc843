//! `regs`: a task's user-mode registers, from wherever they lie now: in the
//! processor while the task is in user mode, else in `pt_regs`.
//!
//! Linux: arch/x86/kernel/process_64.c (__show_regs), task_pt_regs.
//! Left out: FPU and debug registers.

use super::{NoView, live, text};
use crate::kernel::entry::PT_REGS_OFFSET;
use crate::kernel::mm::vmalloc;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskStruct};
use crate::machine::ptregs::{PT_REGS_WORDS, from_words};
use crate::machine::{Regs, Rflags, Ring};
use serde::Serialize;
use std::fmt;

/// Registers by Linux's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegsView {
    /// Whose.
    pub pid: i32,
    /// Where they were found, in words.
    pub place: String,
    /// Name and value, in the order of the manuals.
    pub regs: Vec<(&'static str, u64)>,
    /// Number of the system call being served, -1 outside of one.
    pub orig_ax: i64,
    /// FS base: the thread pointer.
    pub fs_base: u64,
    /// GS base of user mode.
    pub gs_base: u64,
}

impl RegsView {
    /// A register by name.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.regs.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
    }
}

/// The user-mode registers of a task.
///
/// # Errors
/// The task is gone.
pub fn regs(sys: &System, task: TaskId) -> Result<RegsView, NoView> {
    let t = live(sys, task)?;
    let found = current(sys, task, t).or_else(|| saved(sys, t));
    let (r, orig_ax, place) = found.unwrap_or_else(|| {
        (t.regs, t.orig_ax, "the last copy; the kernel stack is freed".to_string())
    });
    let on_cpu = sys.machine.cpus.get(t.cpu as usize).filter(|_| t.on_cpu);
    let (fs_base, gs_base) = match on_cpu {
        Some(c) if c.ring() == Ring::User => (c.msrs.fs_base, c.msrs.gs_base),
        Some(c) => (c.msrs.fs_base, c.msrs.kernel_gs_base),
        None => (t.thread.fsbase, t.thread.gsbase),
    };
    Ok(RegsView { pid: t.pid, place, regs: named(&r), orig_ax, fs_base, gs_base })
}

fn current(sys: &System, task: TaskId, t: &TaskStruct) -> Option<(Regs, i64, String)> {
    let cpu = sys.machine.cpus.get(t.cpu as usize)?;
    let runs = sys.kernel.per_cpu.get(t.cpu as usize)?.current_task == task;
    let in_user = runs && cpu.ring() == Ring::User;
    in_user.then(|| (cpu.regs, -1, format!("in CPU {}, user mode", t.cpu)))
}

fn saved(sys: &System, t: &TaskStruct) -> Option<(Regs, i64, String)> {
    let stack = t.stack?;
    let mut words = [0; PT_REGS_WORDS];
    vmalloc::stack_read_words(sys, &stack, PT_REGS_OFFSET, &mut words);
    let (regs, orig_ax) = from_words(&words);
    let at = stack.base.0 + PT_REGS_OFFSET;
    Some((regs, orig_ax as i64, format!("in pt_regs on the kernel stack, {at:#x}")))
}

/// Names and values, in the order of `__show_regs`.
fn named(r: &Regs) -> Vec<(&'static str, u64)> {
    vec![
        ("ip", r.ip),
        ("sp", r.sp),
        ("flags", r.flags),
        ("cs", r.cs),
        ("ss", r.ss),
        ("ax", r.ax),
        ("bx", r.bx),
        ("cx", r.cx),
        ("dx", r.dx),
        ("si", r.si),
        ("di", r.di),
        ("bp", r.bp),
        ("r8", r.r8),
        ("r9", r.r9),
        ("r10", r.r10),
        ("r11", r.r11),
        ("r12", r.r12),
        ("r13", r.r13),
        ("r14", r.r14),
        ("r15", r.r15),
    ]
}

impl fmt::Display for RegsView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = |name| self.get(name).unwrap_or(0);
        let flags: Vec<_> =
            Rflags::from_bits_truncate(v("flags")).iter_names().map(|(n, _)| n).collect();
        let mut lines = vec![
            format!("registers of pid {}: {}", self.pid, self.place),
            format!("  ip  {:016x}  cs {:02x} (ring {})", v("ip"), v("cs"), v("cs") & 3),
            format!("  sp  {:016x}  ss {:02x}", v("sp"), v("ss")),
            format!("  flags {:x} {}", v("flags"), flags.join(" ")),
        ];
        let general = self.regs.get(5..).unwrap_or_default();
        for three in general.chunks(3) {
            let words: Vec<_> = three.iter().map(|(n, v)| format!("{n:3} {v:016x}")).collect();
            lines.push(format!("  {}", words.join("  ")));
        }
        lines.push(format!("  fs_base {:016x}  gs_base {:016x}", self.fs_base, self.gs_base));
        lines.push(match self.orig_ax {
            -1 => "  orig_ax -1: not in a system call".to_string(),
            n => format!("  orig_ax {n}"),
        });
        text::write_lines(f, lines)
    }
}
