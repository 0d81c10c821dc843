//! What Linux does, fact by fact, at the library's door. Each of these was
//! seen on a running 6.18 kernel; the numbers are those of the project's list.

mod counts;
mod create;
mod cred;
mod exec;
mod files;
mod futex;
#[path = "../kit/mod.rs"]
mod kit;
mod memory;
mod orphans;
mod ptrace;
mod raw;
mod sched;
mod setns;
mod signals;
mod small;
mod terminals;
mod time;
mod tty;
mod unshare;
mod wait;

use forkyard::abi::flags::SaFlags;
use forkyard::abi::structs::CloneArgs;
use forkyard::abi::{Cap, CapSet, Errno, SigSet, Signal};
use forkyard::base::Pfn;
use forkyard::kernel::TaskId;
use forkyard::kernel::check::Census;
use forkyard::kernel::mm::pgtable::{lookup, pte_present};
use forkyard::kernel::signal::{Rlimit, SIG_DFL, SIG_IGN, SigAction};
use forkyard::kernel::syscalls::{Out, Payload};
use forkyard::session::{Done, Trouble};
use kit::World;

const SIGCHLD: u64 = 17;
const WNOHANG: u64 = 1;
const WUNTRACED: u64 = 2;
const WEXITED: u64 = 4;
const WCONTINUED: u64 = 8;
const WALL: u64 = 0x4000_0000;
const WCLONE: u64 = 0x8000_0000;
const NEWPID: u64 = 0x2000_0000;
const ANY: u64 = u64::MAX;
const HANDLER: u64 = 0x40_0000;

/// A world with a process to play with, a child of init.
fn world() -> (World, TaskId) {
    let mut w = World::new(1);
    let init = w.init;
    let t = w.fork(init);
    (w, t)
}

fn clone3_args(w: &mut World, t: TaskId, args: CloneArgs) -> Result<TaskId, Errno> {
    match w.with(t, "clone3", &[0, 88], Payload::Clone(Box::new(args))) {
        Ok(_) => Ok(w.sys.new_task().expect("a task was made").0),
        Err(Trouble::Refused(e)) => Err(e.errno),
        Err(e) => panic!("{e:?}"),
    }
}

fn clone3(w: &mut World, t: TaskId, flags: u64, exit_signal: u64) -> Result<TaskId, Errno> {
    clone3_args(w, t, CloneArgs { flags, exit_signal, ..CloneArgs::default() })
}

fn become_user(w: &mut World, t: TaskId, uid: u64) {
    w.ok(t, "setgroups", &[0, 0]);
    w.ok(t, "setresgid", &[uid; 3]);
    w.ok(t, "setresuid", &[uid; 3]);
}

fn sigaction(w: &mut World, t: TaskId, sig: u64, handler: u64, flags: SaFlags) {
    let flags = flags | SaFlags::SA_RESTORER;
    let action = SigAction { handler, flags, restorer: HANDLER + 16, mask: SigSet(0) };
    w.value(t, "rt_sigaction", &[sig, 0, 0, 8], Payload::SigAction(action)).unwrap();
}

fn disposition(w: &mut World, t: TaskId, sig: u64) -> u64 {
    w.ok(t, "rt_sigaction", &[sig, 0, 0, 8]);
    let Out::SigAction(old) = &w.out else { panic!("{:?}", w.out) };
    old.handler
}

fn block(w: &mut World, t: TaskId, sig: i32) {
    let set = SigSet::of(Signal::new(sig).unwrap());
    w.value(t, "rt_sigprocmask", &[0, 0, 0, 8], Payload::SigSet(set)).unwrap();
}

fn pending(w: &mut World, t: TaskId) -> SigSet {
    w.ok(t, "rt_sigpending", &[0, 8]);
    let Out::SigSet(set) = w.out else { panic!("{:?}", w.out) };
    set
}

fn execve(w: &mut World, t: TaskId, path: &str) -> Result<Done, Errno> {
    let program = (path.to_string(), vec![path.to_string()], Vec::new());
    match w.with(t, "execve", &[0, 0, 0], Payload::Exec(Box::new(program))) {
        Ok(done) => Ok(done),
        Err(Trouble::Refused(e)) => Err(e.errno),
        Err(e) => panic!("{e:?}"),
    }
}

/// The frame mapped at an address, if one is.
fn frame(w: &World, t: TaskId, addr: u64) -> Option<Pfn> {
    let mm = w.sys.task(t).mm.unwrap();
    lookup(&w.sys, mm, addr).map(|(_, pte)| pte).filter(|p| pte_present(*p)).map(|p| p.pfn())
}

fn open(w: &mut World, t: TaskId, path: &str, flags: u64) -> u64 {
    w.value(t, "open", &[0, flags, 0o644], Payload::Text(path.into())).unwrap() as u64
}

fn status(w: &mut World, t: TaskId, child: TaskId) -> i32 {
    let pid = i64::from(w.pid(child));
    w.wait4(t, pid, WALL).unwrap().1
}
