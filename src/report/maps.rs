//! `maps`: the areas of an address space, as /proc/PID/maps writes them.
//!
//! Linux: fs/proc/task_mmu.c (show_map_vma); the lines come from `mm::view`.
//! Left out: smaps.

use super::{NoView, live_mm, text};
use crate::kernel::mm::MmId;
use crate::kernel::mm::view::{self, MapsLine};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::fmt;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maps {
    /// Its lines, ascending by address.
    pub lines: Vec<MapsLine>,
}

/// /proc/PID/maps of a task.
///
/// # Errors
/// The task is gone or has no address space.
pub fn maps(sys: &System, task: TaskId) -> Result<Maps, NoView> {
    Ok(mm_maps(sys, live_mm(sys, task)?))
}

/// The areas of an address space; none for one that is freed.
pub fn mm_maps(sys: &System, mm: MmId) -> Maps {
    Maps { lines: view::maps(sys, mm) }
}

impl fmt::Display for Maps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write_lines(f, &self.lines)
    }
}
