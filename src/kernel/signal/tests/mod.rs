//! The rules for sending, delivering and stopping, as a 6.18 kernel answered
//! the same calls.
//!
//! Linux: signal(7), kill(2), sigaction(2). Left out: signalfd.

mod child;
mod deliver;
mod send;
mod sleep;
mod stop;

use super::altstack::MINSIGSTKSZ;
use super::frame::{FRAME_SIZE, OFFSET_INFO, OFFSET_UC};
use super::{Rlimit, SIG_DFL, SIG_IGN, SigAction, SignalFlags};
use crate::abi::Errno::*;
use crate::abi::flags::SaFlags;
use crate::abi::numbers::*;
use crate::abi::signal::si_code;
use crate::abi::structs::{SigInfo, WaitStatus};
use crate::abi::{SigSet, Signal};
use crate::kernel::entry::Entered;
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user};
use crate::kernel::syscalls::{Out, Payload};
use crate::kernel::task::{PF, TaskId};
use crate::kernel::testing::{World, world};

const HANDLER: u64 = 0x40_1000;
const RESTORER: u64 = 0x40_2000;
const WNOHANG: u64 = 1;
const WUNTRACED: u64 = 2;
const WCONTINUED: u64 = 8;

fn set(sigs: &[Signal]) -> SigSet {
    let mut s = SigSet::EMPTY;
    sigs.iter().for_each(|x| s.add(*x));
    s
}

fn action(w: &mut World, t: TaskId, sig: Signal, handler: u64, flags: SaFlags) {
    let flags = flags | SaFlags::SA_RESTORER;
    let a = SigAction { handler, flags, restorer: RESTORER, mask: SigSet::EMPTY };
    let args = [sig.number() as u64, 0, 0, 8];
    w.try_with(t, "rt_sigaction", &args, Payload::SigAction(a)).unwrap();
}

fn mask(w: &mut World, t: TaskId, how: u64, sigs: &[Signal]) -> SigSet {
    let out = w.try_with(t, "rt_sigprocmask", &[how, 0, 0, 8], Payload::SigSet(set(sigs)));
    match out.unwrap().1 {
        Out::SigSet(s) => s,
        other => panic!("{other:?}"),
    }
}

fn pending(w: &mut World, t: TaskId) -> SigSet {
    match w.try_with(t, "rt_sigpending", &[0, 8], Payload::None).unwrap().1 {
        Out::SigSet(s) => s,
        other => panic!("{other:?}"),
    }
}

fn status(w: &mut World, parent: TaskId, options: u64) -> Option<WaitStatus> {
    match w.wait4(parent, -1, options).unwrap() {
        (0, _) => None,
        (_, s) => Some(WaitStatus::decode(s)),
    }
}

/// Changes what user mode has in its registers.
fn set_user_regs(w: &mut World, t: TaskId, f: impl FnOnce(&mut crate::machine::Regs)) {
    crate::kernel::sched::core::run_on_cpu(&mut w.sys, t);
    let cpu = w.sys.task(t).cpu as usize;
    f(&mut w.sys.machine.cpus[cpu].regs);
    w.sys.task_mut(t).regs = w.sys.machine.cpus[cpu].regs;
}
