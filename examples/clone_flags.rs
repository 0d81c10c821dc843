//! Which sets of clone flags Linux takes, and what it says to the others.
//!
//! `cargo run --example clone_flags`
#![allow(clippy::print_stdout, reason = "an example talks")]
#![allow(dead_code, reason = "the tests call `run` and not `main`")]

use std::error::Error;
use std::fmt::Write;

use forkyard::abi::CloneFlags;
use forkyard::abi::nr::syscall_number;
use forkyard::kernel::boot::BootConfig;
use forkyard::kernel::syscalls::Call;
use forkyard::report;
use forkyard::session::{Session, Trouble};

const VM: CloneFlags = CloneFlags::CLONE_VM;
const FS: CloneFlags = CloneFlags::CLONE_FS;
const FILES: CloneFlags = CloneFlags::CLONE_FILES;
const SIGHAND: CloneFlags = CloneFlags::CLONE_SIGHAND;
const THREAD: CloneFlags = CloneFlags::CLONE_THREAD;

/// The sets tried, from process to thread, then the impossible ones.
const SETS: &[CloneFlags] = &[
    CloneFlags::empty(),
    CloneFlags::CLONE_PARENT,
    VM.union(CloneFlags::CLONE_VFORK),
    FILES,
    VM.union(FS).union(FILES),
    VM.union(SIGHAND).union(THREAD),
    VM.union(FS).union(FILES).union(SIGHAND).union(THREAD),
    SIGHAND,
    VM.union(THREAD),
    FS.union(CloneFlags::CLONE_NEWNS),
    FS.union(CloneFlags::CLONE_NEWUSER),
    CloneFlags::CLONE_SYSVSEM.union(CloneFlags::CLONE_NEWIPC),
    CloneFlags::CLONE_PIDFD.union(CloneFlags::CLONE_DETACHED),
    VM.union(SIGHAND).union(THREAD).union(CloneFlags::CLONE_NEWPID),
];

/// The demonstration, as text.
pub fn run() -> Result<String, Box<dyn Error>> {
    let mut out = String::new();
    let clone = syscall_number("clone").ok_or("no clone")?;
    let mut session = Session::boot(BootConfig::default())?;
    // init may not use CLONE_PARENT: its children would have no parent to
    // wait for them. A child of it tries instead.
    session.system.call(session.init(), Call::new(clone, &[17]))?;
    let (creator, _) = session.system.new_task().ok_or("no creator")?;
    for flags in SETS {
        // A thread has no exit signal; anything else sends SIGCHLD.
        let signal = if flags.contains(THREAD) { 0 } else { 17 };
        let names: Vec<_> = flags.iter_names().map(|(name, _)| &name["CLONE_".len()..]).collect();
        let names = if names.is_empty() { "(none)".to_string() } else { names.join("|") };
        // A creator that sleeps until its vfork child is done cannot try the
        // next set, so every set begins from the same state.
        session.checkpoint();
        let result = session.system.call(creator, Call::new(clone, &[flags.bits() | signal]));
        match result {
            Ok(_) => {
                let (child, _) = session.system.new_task().ok_or("no child")?;
                let shares = report::shares(&session.system, creator, child)?;
                writeln!(out, "{names:30} {}", shares.verdict())?;
            }
            Err(Trouble::Refused(e)) => {
                writeln!(out, "{names:30} {}: {}", e.errno, e.why)?;
            }
            Err(other) => return Err(other.into()),
        }
        session.undo();
    }
    Ok(out)
}

fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", run()?);
    Ok(())
}
