//! Copy-on-write from Rust: a page before and after fork, before and after
//! the child writes to it, with the page-table entries of both sides.
//!
//! `cargo run --example fork_cow`
#![allow(clippy::print_stdout, reason = "an example talks")]
#![allow(dead_code, reason = "the tests call `run` and not `main`")]

use std::error::Error;
use std::fmt::Write;

use forkyard::abi::nr::syscall_number;
use forkyard::base::VirtAddr;
use forkyard::kernel::boot::BootConfig;
use forkyard::kernel::mm::symbols::{Place, define_symbol};
use forkyard::kernel::syscalls::Call;
use forkyard::kernel::task::TaskId;
use forkyard::machine::{Size, UserOp};
use forkyard::report;
use forkyard::session::Session;

/// The demonstration, as text.
pub fn run() -> Result<String, Box<dyn Error>> {
    let mut out = String::new();
    let mut session = Session::boot(BootConfig::default())?;
    let init = session.init();
    let sys = &mut session.system;

    // A variable on a page of its own, as `int data = 10;` would be.
    let data = define_symbol(sys, init, "data", 8, Place::OwnPage)?;
    let size = Size::Qword;
    sys.op(init, UserOp::Store { addr: VirtAddr(data), size, value: 10 })?;

    // The kernel is entered as a program would enter it: by a system call.
    let fork = syscall_number("fork").ok_or("no fork")?;
    sys.call(init, Call::new(fork, &[]))?;
    let (child, _) = sys.new_task().ok_or("no child")?;

    let mut show = |session: &Session, when: &str| -> Result<(), Box<dyn Error>> {
        let sys = &session.system;
        writeln!(out, "{when}")?;
        for task in [init, child] {
            let pid = sys.task(task).pid;
            writeln!(out, "  pid {pid}: {}", report::pte(sys, task, data)?)?;
        }
        let page = report::page(sys, init, data)?.ok_or("no page")?;
        writeln!(out, "  parent's {page}\n")?;
        Ok(())
    };

    show(&session, "after fork")?;
    let store = UserOp::Store { addr: VirtAddr(data), size, value: 20 };
    session.system.op(child, store)?;
    show(&session, "after the child's write")?;

    let load = |session: &mut Session, task: TaskId| {
        session.system.op(task, UserOp::Load { addr: VirtAddr(data), size })
    };
    let (parent, child) = (load(&mut session, init)?, load(&mut session, child)?);
    writeln!(out, "parent reads {parent}, child reads {child}")?;
    Ok(out)
}

fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", run()?);
    Ok(())
}
