//! pipe(2): a bounded queue of bytes with two ends.
//!
//! Linux: fs/pipe.c. Left out: packet mode, splice, resizing.

use crate::kernel::wait_queue::WaitQueueHead;
use std::collections::VecDeque;

/// Capacity of a pipe in bytes (16 pages).
pub const PIPE_SIZE: usize = 65536;
/// Writes up to this size are atomic.
pub const PIPE_BUF: usize = 4096;

/// `struct pipe_inode_info`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pipe {
    /// Bytes not yet read.
    pub buf: VecDeque<u8>,
    /// Open reading ends.
    pub readers: u32,
    /// Open writing ends.
    pub writers: u32,
    /// Sleeping readers.
    pub rd_wait: WaitQueueHead,
    /// Sleeping writers.
    pub wr_wait: WaitQueueHead,
}
