//! A pipe whose other end leads out of the machine: whoever drives it takes out
//! what was written, and puts in what is to be read.
//!
//! Linux: none; this is what a process at the other end would do with read(2)
//! and write(2). Left out: waiting; the caller does when there is nothing.

use super::{PipeBuffer, PipeId};
use crate::base::PAGE_SIZE;
use crate::kernel::sched::core::wake_up;
use crate::kernel::system::System;
use crate::kernel::wait_queue::WaitOn;

/// Takes all that lies in the pipe; writers that waited for room go on.
pub fn take_all(sys: &mut System, pipe: PipeId) -> Vec<u8> {
    // Looked at first: a write copies what is shared with snapshots.
    if sys.kernel.pipes.get(pipe).is_none_or(|p| p.bufs.is_empty()) {
        return Vec::new();
    }
    let Some(p) = sys.kernel.pipes.get_mut(pipe) else { return Vec::new() };
    p.bufs.clear();
    let bytes = std::mem::take(&mut p.buf).into();
    wake_up(sys, WaitOn::PipeWrite(pipe));
    bytes
}

/// Whether somebody waits to read from the pipe, or polls it.
pub fn is_awaited(sys: &System, pipe: PipeId) -> bool {
    sys.kernel.pipes.get(pipe).is_some_and(|p| !p.rd_wait.entries.is_empty())
}

/// Puts bytes into the pipe, as many as have room; readers go on.
pub fn put(sys: &mut System, pipe: PipeId, bytes: &[u8]) -> usize {
    let Some(p) = sys.kernel.pipes.get_mut(pipe) else { return 0 };
    let mut done = 0;
    for part in bytes.chunks(PAGE_SIZE as usize) {
        if p.full() {
            break;
        }
        p.buf.extend(part);
        p.bufs.push_back(PipeBuffer { offset: 0, len: part.len() as u16 });
        done += part.len();
    }
    if done > 0 {
        wake_up(sys, WaitOn::PipeRead(pipe));
    }
    done
}
