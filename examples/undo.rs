//! Every outcome of a race, by going back in time: two processes share a
//! counter and each adds one to it in two steps, a load and a store. From each
//! state either may go on; undo returns to the state to try the other.
//!
//! `cargo run --example undo`
#![allow(clippy::print_stdout, reason = "an example talks")]
#![allow(dead_code, reason = "the tests call `run` and not `main`")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;

use forkyard::abi::CloneFlags;
use forkyard::abi::nr::syscall_number;
use forkyard::base::VirtAddr;
use forkyard::kernel::boot::BootConfig;
use forkyard::kernel::mm::symbols::{Place, define_symbol};
use forkyard::kernel::syscalls::Call;
use forkyard::kernel::task::TaskId;
use forkyard::machine::{Size, UserOp};
use forkyard::session::{Session, Trouble};

/// Where a process is in its two steps.
#[derive(Clone, Copy)]
enum At {
    Load,
    Store(u64),
    Done,
}

struct Race {
    session: Session,
    tasks: [TaskId; 2],
    counter: VirtAddr,
    /// Final values, and the schedules that lead to each.
    outcomes: BTreeMap<u64, Vec<String>>,
}

impl Race {
    /// Lets one process take its next step.
    fn step(&mut self, who: usize, at: At) -> Result<At, Trouble> {
        let (addr, size) = (self.counter, Size::Qword);
        let sys = &mut self.session.system;
        match at {
            At::Load => sys.op(self.tasks[who], UserOp::Load { addr, size }).map(At::Store),
            At::Store(seen) => {
                let op = UserOp::Store { addr, size, value: seen + 1 };
                sys.op(self.tasks[who], op).map(|_| At::Done)
            }
            At::Done => Ok(At::Done),
        }
    }

    /// Tries every order of the steps that are left.
    fn explore(&mut self, at: [At; 2], schedule: &str) -> Result<(), Trouble> {
        if matches!(at, [At::Done, At::Done]) {
            let (addr, size) = (self.counter, Size::Qword);
            let end = self.session.system.op(self.tasks[0], UserOp::Load { addr, size })?;
            self.outcomes.entry(end).or_default().push(schedule.to_string());
            return Ok(());
        }
        for who in 0..2 {
            if matches!(at[who], At::Done) {
                continue;
            }
            self.session.checkpoint();
            let mut next = at;
            next[who] = self.step(who, at[who])?;
            self.explore(next, &format!("{schedule}{}", ["A", "B"][who]))?;
            self.session.undo();
        }
        Ok(())
    }
}

/// The demonstration, as text.
pub fn run() -> Result<String, Box<dyn Error>> {
    let mut session = Session::boot(BootConfig::default())?;
    let init = session.init();
    let counter = define_symbol(&mut session.system, init, "counter", 8, Place::OwnPage)?;
    let clone = syscall_number("clone").ok_or("no clone")?;
    // CLONE_VM: the two share the address space, so there is no copy to write.
    let flags = CloneFlags::CLONE_VM.bits() | 17;
    session.system.call(init, Call::new(clone, &[flags]))?;
    let (child, _) = session.system.new_task().ok_or("no child")?;
    let before = session.system.clone();

    let counter = VirtAddr(counter);
    let mut race = Race { session, tasks: [init, child], counter, outcomes: BTreeMap::new() };
    race.explore([At::Load; 2], "")?;

    let mut out = String::new();
    for (value, schedules) in &race.outcomes {
        writeln!(out, "counter = {value} in {} orders: {}", schedules.len(), schedules.join(" "))?;
    }
    let same = if race.session.system == before { "the same" } else { "another" };
    writeln!(out, "after all undos the system is {same}")?;
    Ok(out)
}

fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", run()?);
    Ok(())
}
