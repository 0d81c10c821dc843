//! Programs of machine code run to their end, or to a limit, in a small system.
//!
//! Linux: none. Left out: input.

use super::World;
use forkyard::kernel::check::{invariants, teardown};
use forkyard::kernel::{System, TaskId};
use forkyard::session::Trouble;
use forkyard::session::code::{CodeEvent, CodeRun};
use forkyard::session::spawn::{Command, Spawned};

/// Where programs are put.
pub const PATH: &str = "/tmp/program";

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// execve refused it.
    Refused(i32),
    Exit(u8),
    Signal(i32),
    /// It was still at work.
    Limit,
    /// Nobody can go on.
    Idle,
}

/// The program as a process, which has executed nothing.
pub fn spawn(sys: &mut System, image: &[u8]) -> Result<Spawned, Trouble> {
    sys.install_file(PATH, image, 0o755).expect("room for the file");
    let command = Command { path: PATH.into(), argv: vec![PATH.into()], envp: Vec::new() };
    sys.spawn(&command)
}

/// How a process ended, if it did.
pub fn end_of(sys: &System, task: TaskId) -> Option<End> {
    let t = sys.kernel.tasks.get(task)?;
    if !t.is_dead() {
        return None;
    }
    Some(match t.exit_code & 0x7f {
        0 => End::Exit((t.exit_code >> 8) as u8),
        sig => End::Signal(sig),
    })
}

/// What came of a program, and the system then. Its output is thrown away.
pub struct Ran {
    pub sys: System,
    pub end: End,
    pub retired: u64,
    /// Most tasks there were at the end of a step.
    pub most_tasks: usize,
    /// Most frames in use.
    pub most_pages: u32,
}

/// Runs a program up to so many instructions and events.
pub fn run(base: &World, image: &[u8], limit: u64) -> Ran {
    let mut sys = base.sys.clone();
    let ran = |sys, end, retired, most: (usize, u32)| Ran {
        sys,
        end,
        retired,
        most_tasks: most.0,
        most_pages: most.1,
    };
    let spawned = match spawn(&mut sys, image) {
        Ok(spawned) => spawned,
        Err(Trouble::Refused(e)) => return ran(sys, End::Refused(e.errno as i32), 0, (0, 0)),
        Err(e) => panic!("{e}"),
    };
    let mut code = CodeRun::begin(&mut sys);
    code.until = Some(limit);
    let mut most = (0, 0);
    let mut events = 0;
    let end = loop {
        if let Some(end) = end_of(&sys, spawned.task) {
            break end;
        }
        let place = code.place();
        events += 1;
        if place.retired >= limit || events > limit {
            break End::Limit;
        }
        let event = code.next(&mut sys).unwrap_or_else(|e| panic!("{e}"));
        spawned.streams.take_stdout(&mut sys);
        spawned.streams.take_stderr(&mut sys);
        let mem = &sys.machine.mem;
        most =
            (most.0.max(sys.kernel.tasks.len()), most.1.max(mem.total_pages() - mem.free_pages()));
        if event == CodeEvent::Idle {
            break end_of(&sys, spawned.task).unwrap_or(End::Idle);
        }
    };
    let retired = code.place().retired;
    code.end(&mut sys);
    ran(sys, end, retired, most)
}

/// Everything adds up now, and when all processes have ended.
pub fn is_sound(sys: &mut System, what: &str) {
    adds_up(sys, what);
    teardown(sys).unwrap_or_else(|e| panic!("{what}: teardown: {e}"));
    adds_up(sys, what);
}

fn adds_up(sys: &System, what: &str) {
    if let Err(found) = invariants(sys) {
        let list: Vec<_> = found.iter().map(|v| format!("  {v}")).collect();
        panic!("{what}:\n{}", list.join("\n"));
    }
    if let Some(oops) = &sys.kernel.oops {
        panic!("{what}: {oops} in {}", oops.in_function);
    }
}
