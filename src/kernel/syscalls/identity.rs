//! System calls: identity. Handlers decode arguments; the verbs live elsewhere.
//!
//! Linux: include/linux/syscalls.h. Left out: see the notes of the rows.

use super::table::Syscall;

/// Rows of the table.
pub const CALLS: &[Syscall] = &[];
