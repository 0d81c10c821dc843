//! Making a named step fail, so that the unwinding can be watched.
//!
//! Linux: lib/fault-inject.c (failslab, fail_function).
//! Left out: probabilities; a step fails the next time, or the n-th.

use crate::abi::Errno;
use crate::kernel::error::SysError;
use crate::kernel::system::System;

/// The steps that can be made to fail, in the order in which copy_process
/// passes them, then the others.
pub const STEPS: &[&str] = &[
    "dup_task_struct",
    "alloc_thread_stack",
    "copy_creds",
    "sched_fork",
    "copy_semundo",
    "copy_files",
    "copy_fs",
    "copy_sighand",
    "copy_signal",
    "copy_mm",
    "dup_mmap",
    "copy_page_range",
    "copy_namespaces",
    "copy_io",
    "copy_thread",
    "alloc_pid",
    "pidfd_prepare",
    "cgroup_can_fork",
    "prepare_creds",
    "mm_alloc",
    "alloc_page",
    "do_mmap",
    "bprm_execve",
    "prepare_nsset",
    "validate_ns",
];

/// One armed failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Armed {
    /// Index into [`STEPS`].
    pub step: usize,
    /// What it fails with.
    pub errno: Errno,
    /// How many times it still succeeds first.
    pub skip: u32,
}

/// All armed failures.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Inject {
    armed: Vec<Armed>,
}

impl Inject {
    /// Arms `step`; `Err` names the known steps when it is none of them.
    pub fn arm(
        &mut self,
        step: &str,
        errno: Errno,
        skip: u32,
    ) -> Result<(), &'static [&'static str]> {
        let step = STEPS.iter().position(|s| *s == step).ok_or(STEPS)?;
        self.armed.retain(|a| a.step != step);
        self.armed.push(Armed { step, errno, skip });
        Ok(())
    }

    /// Disarms everything.
    pub fn clear(&mut self) {
        self.armed.clear();
    }

    /// What is armed.
    pub fn armed(&self) -> &[Armed] {
        &self.armed
    }
}

/// Passes `step`: an error if it is armed, which disarms it.
#[inline]
pub fn should_fail(sys: &mut System, step: &'static str) -> Result<(), SysError> {
    if sys.kernel.inject.armed.is_empty() {
        return Ok(());
    }
    check(sys, step)
}

#[cold]
fn check(sys: &mut System, step: &'static str) -> Result<(), SysError> {
    let armed = &mut sys.kernel.inject.armed;
    let Some(i) = armed.iter().position(|a| STEPS[a.step] == step) else { return Ok(()) };
    if armed[i].skip > 0 {
        armed[i].skip -= 1;
        return Ok(());
    }
    let errno = armed.remove(i).errno;
    Err(SysError::with(errno, step, format!("injected: {step} was told to fail with {errno}")))
}
