//! Random programs over everything that the model supports, to be run on both
//! kernels.
//!
//! ```text
//! print(`#1: ${try_setpgid(0, 0)}`);    every call says what it gave
//! c = try_fork();
//! if c == 0 { …; exit(3) }
//! try_waitid(P_PID, c, WEXITED | WNOWAIT | __WALL);
//! print(`#5: ${try_waitpid(-1, WNOHANG)}`);
//! ```
//!
//! Whoever makes a child mostly sleeps until it is dead or stopped, so one
//! schedule is as good as another. Where it is not (a signal to somebody who
//! sleeps, a child that nobody waits for), all schedules of the model decide;
//! see `oracle::judge`.
//!
//! What the host does not do is left out: [`features`] says how that is found
//! out. What differs by design is in `oracle::variations`.
//!
//! Left out: machine code, the scheduler's classes; of ptrace, all that shows
//! registers or system calls.

pub mod calls;
pub mod coverage;
pub mod features;
pub mod generate;
pub mod program;
pub mod shrink;

pub use coverage::Coverage;
pub use features::{Feature, Features};
pub use generate::generate;
pub use program::{Call, Child, End, Form, Make, Program, Step, Wait};
pub use shrink::shrink;
