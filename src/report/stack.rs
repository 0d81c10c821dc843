//! `stack`: a task's kernel stack, `pt_regs` at its top and the magic word at
//! its bottom.
//!
//! Linux: include/linux/sched/task_stack.h (task_stack_page,
//! task_stack_end_corrupted), arch/x86/include/asm/processor.h (task_pt_regs).
//! Left out: call frames between the two; the model's kernel code does not
//! run on this stack.

use super::{NoView, live, text};
use crate::kernel::entry::PT_REGS_OFFSET;
use crate::kernel::mm::vmalloc;
use crate::kernel::system::System;
use crate::kernel::task::{STACK_END_MAGIC, THREAD_SIZE, TaskId};
use crate::machine::ptregs::{PT_REGS_FIELDS, PT_REGS_WORDS};
use serde::Serialize;
use std::fmt;

/// A kernel stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackView {
    /// Whose.
    pub pid: i32,
    /// Its name.
    pub comm: String,
    /// Lowest address.
    pub base: u64,
    /// Address above the highest byte.
    pub top: u64,
    /// Its frames, lowest address first.
    pub frames: Vec<u32>,
    /// Where `pt_regs` lies.
    pub pt_regs: u64,
    /// Field, address and value of the words of `pt_regs`, highest first.
    pub words: Vec<(&'static str, u64, u64)>,
    /// The word at the lowest address.
    pub end_magic: u64,
    /// Whether that is what it should be (`task_stack_end_corrupted`).
    pub intact: bool,
    /// Words between the two that are not zero.
    pub used_words: u64,
}

/// The kernel stack of a task.
///
/// # Errors
/// The task is gone, or its stack is freed.
pub fn stack(sys: &System, task: TaskId) -> Result<StackView, NoView> {
    let t = live(sys, task)?;
    let Some(stack) = t.stack else {
        let why = "it is dead and has been switched away from for the last time";
        return Err(NoView::Nothing { pid: t.pid, what: "kernel stack", why });
    };
    let base = stack.base.0;
    let mut all = vec![0; (THREAD_SIZE / 8) as usize];
    vmalloc::stack_read_words(sys, &stack, 0, &mut all);
    let (middle, regs) = all.split_at(all.len() - PT_REGS_WORDS);
    let words = PT_REGS_FIELDS.iter().zip(regs).enumerate().rev();
    Ok(StackView {
        pid: t.pid,
        comm: text::escape(&t.comm()),
        base,
        top: base + THREAD_SIZE,
        frames: stack.pages.iter().map(|p| p.0).collect(),
        pt_regs: base + PT_REGS_OFFSET,
        words: words
            .map(|(i, (name, v))| (*name, base + PT_REGS_OFFSET + i as u64 * 8, *v))
            .collect(),
        end_magic: all[0],
        intact: all[0] == STACK_END_MAGIC,
        used_words: middle.iter().skip(1).filter(|w| **w != 0).count() as u64,
    })
}

impl fmt::Display for StackView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StackView { pid, comm, base, top, pt_regs, .. } = self;
        let frames: Vec<_> = self.frames.iter().map(|p| format!("{p:#x}")).collect();
        let mut lines = vec![
            format!(
                "kernel stack of {comm}({pid}): {} KiB in frames {}",
                (top - base) >> 10,
                frames.join(" ")
            ),
            format!("  {top:#018x}  top: what TSS.rsp0 holds while it runs"),
        ];
        lines.extend(self.words.iter().map(|(n, at, v)| format!("  {at:#018x}  {n:8} {v:#x}")));
        let free = (pt_regs - base - 8) / 8 - self.used_words;
        lines.push(format!("  {pt_regs:#018x}  pt_regs begins here; the stack grows down"));
        lines.push(match self.used_words {
            0 => format!("  {:18}  {} bytes never used", "", free * 8),
            n => {
                let used = text::plural(n, "word");
                format!("  {:18}  {used} in use, {} bytes never used", "", free * 8)
            }
        });
        let state = if self.intact { "STACK_END_MAGIC" } else { "CORRUPT: no STACK_END_MAGIC" };
        lines.push(format!("  {base:#018x}  {:#x} {state}", self.end_magic));
        text::write_lines(f, lines)
    }
}
