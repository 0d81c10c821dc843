//! Linux's user-space interface as numbers and layouts: errnos, flags,
//! signals, capabilities, system call numbers, structures passed by pointer.
//!
//! Linux: include/uapi/**, arch/x86/include/uapi/**.
//! Left out: everything of other architectures and of 32-bit tasks.

pub mod cap;
pub mod errno;
pub mod flags;
pub mod nr;
pub mod numbers;
pub mod ptrace;
pub mod signal;
pub mod structs;
pub mod tty;

pub use cap::{Cap, CapSet};
pub use errno::Errno;
pub use flags::{CloneFlags, MapFlags, OpenFlags, ProtFlags, WaitOptions};
pub use signal::{SigSet, Signal};
