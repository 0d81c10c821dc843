//! A process of machine code with its standard streams: what a shell does for a
//! command.
//!
//! ```text
//! init --fork--> child: setsid, dup2 x 3, close the rest, execve
//!  pipes:  stdin   init writes    child reads 0
//!          stdout  child writes 1 init reads
//!          stderr  child writes 2 init reads
//! ```
//!
//! Init's ends stand for whoever runs the machine: bytes are put in and taken
//! out without a call (`kernel::fs::pipe::outside`).
//!
//! Linux: none; a shell, or sshd without a terminal. Left out: a terminal.

use super::director::{Done, Trouble};
use crate::abi::Errno;
use crate::kernel::error::SysError;
use crate::kernel::fs::FileKind;
use crate::kernel::fs::fdtable::fget;
use crate::kernel::fs::pipe::{PipeId, outside};
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const NR_CLOSE: u32 = 3;
const NR_DUP2: u32 = 33;
const NR_FORK: u32 = 57;
const NR_EXECVE: u32 = 59;
const NR_SETSID: u32 = 112;
const NR_PIPE2: u32 = 293;
const NR_CLOSE_RANGE: u32 = 436;

/// What to execute.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// Path of the file in the machine's tree.
    pub path: String,
    /// Arguments, the name first.
    pub argv: Vec<String>,
    /// Environment, `NAME=value` each.
    pub envp: Vec<String>,
}

/// The outer ends of a process's standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    stdin: PipeId,
    /// Init's descriptor for it, until it is closed.
    stdin_fd: Option<i32>,
    stdout: PipeId,
    stdout_fd: Option<i32>,
    stderr: PipeId,
}

/// A process that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spawned {
    /// Its first thread.
    pub task: TaskId,
    /// Its pid.
    pub pid: i32,
    /// Its streams.
    pub streams: Streams,
}

/// What only a script that has broken init can bring about.
fn failed(source_fn: &'static str, why: &'static str) -> Trouble {
    Trouble::Refused(SysError::new(Errno::EBADF, source_fn, why))
}

fn call(sys: &mut System, task: TaskId, nr: u32, args: &[u64]) -> Result<(i64, Out), Trouble> {
    give(sys.call(task, Call::new(nr, args))?)
}

/// None of the calls made here waits.
fn give(done: Done) -> Result<(i64, Out), Trouble> {
    match done {
        Done::Returned(ret, out) => Ok((ret, out)),
        _ => Ok((-1, Out::None)),
    }
}

/// A pipe of init: its descriptors.
fn pipe(sys: &mut System) -> Result<(i32, i32), Trouble> {
    let init = sys.kernel.init_process;
    match call(sys, init, NR_PIPE2, &[0, 0])?.1 {
        Out::Fds(r, w) => Ok((r, w)),
        _ => Ok((-1, -1)),
    }
}

fn pipe_of(sys: &System, fd: i32) -> Result<PipeId, Trouble> {
    let init = sys.kernel.init_process;
    let kind = fget(sys, init, fd).ok().and_then(|f| sys.kernel.filps.get(f)).map(|f| f.kind);
    match kind {
        Some(FileKind::PipeRead(p) | FileKind::PipeWrite(p)) => Ok(p),
        _ => Err(failed("do_pipe2", "pipe2(2) of init gave no pipe")),
    }
}

impl System {
    /// Starts a process of machine code. It has executed nothing yet.
    ///
    /// # Errors
    /// A call was refused, execve's reasons first of all; the child is gone then.
    pub fn spawn(&mut self, command: &Command) -> Result<Spawned, Trouble> {
        let init = self.kernel.init_process;
        let (input, output, error) = (pipe(self)?, pipe(self)?, pipe(self)?);
        let streams = Streams {
            stdin: pipe_of(self, input.1)?,
            stdin_fd: Some(input.1),
            stdout: pipe_of(self, output.0)?,
            stdout_fd: Some(output.0),
            stderr: pipe_of(self, error.0)?,
        };
        call(self, init, NR_FORK, &[])?;
        let Some((task, _)) = self.new_task() else {
            return Err(failed("kernel_clone", "fork(2) of init gave no task"));
        };
        let pid = self.task(task).pid;
        for (fd, inner) in [(0, input.0), (1, output.1), (2, error.1)] {
            call(self, task, NR_DUP2, &[inner as u64, fd])?;
            call(self, init, NR_CLOSE, &[inner as u64])?;
        }
        call(self, task, NR_CLOSE_RANGE, &[3, u64::from(u32::MAX), 0])?;
        call(self, task, NR_SETSID, &[])?;
        let exec = (command.path.clone(), command.argv.clone(), command.envp.clone());
        let exec = Call::with(NR_EXECVE, &[0; 3], Payload::Exec(Box::new(exec)));
        match self.call(task, exec) {
            Ok(_) => {}
            Err(trouble) => {
                let status = [127];
                self.call(task, Call::new(super::code::NR_EXIT_GROUP, &status))?;
                return Err(trouble);
            }
        }
        if let Some(t) = self.kernel.tasks.get_mut(task) {
            t.code = true;
        }
        Ok(Spawned { task, pid, streams })
    }
}

impl Streams {
    /// What was written to standard output since the last time.
    pub fn take_stdout(&self, sys: &mut System) -> Vec<u8> {
        outside::take_all(sys, self.stdout)
    }

    /// What was written to standard error since the last time.
    pub fn take_stderr(&self, sys: &mut System) -> Vec<u8> {
        outside::take_all(sys, self.stderr)
    }

    /// Whether somebody waits for input.
    pub fn wants_input(&self, sys: &System) -> bool {
        self.stdin_fd.is_some() && outside::is_awaited(sys, self.stdin)
    }

    /// Gives input; how much of it had room.
    pub fn put_stdin(&self, sys: &mut System, bytes: &[u8]) -> usize {
        outside::put(sys, self.stdin, bytes)
    }

    /// The input has ended.
    ///
    /// # Errors
    /// The kernel is broken.
    pub fn close_stdin(&mut self, sys: &mut System) -> Result<(), Trouble> {
        let init = sys.kernel.init_process;
        if let Some(fd) = self.stdin_fd.take() {
            call(sys, init, NR_CLOSE, &[fd as u64])?;
        }
        Ok(())
    }

    /// Nobody reads the output any more.
    ///
    /// # Errors
    /// The kernel is broken.
    pub fn close_stdout(&mut self, sys: &mut System) -> Result<(), Trouble> {
        let init = sys.kernel.init_process;
        if let Some(fd) = self.stdout_fd.take() {
            call(sys, init, NR_CLOSE, &[fd as u64])?;
        }
        Ok(())
    }

    /// Whether somebody could still write to one of the outputs.
    pub fn is_written(&self, sys: &System) -> bool {
        let open = |p: PipeId| sys.kernel.pipes.get(p).is_some_and(|p| p.writers > 0);
        open(self.stdout) && self.stdout_fd.is_some() || open(self.stderr)
    }
}
