//! More calls on signals as programs make them; see `calls`.
//!
//! Left out: POSIX timers, which the kernel does not model.

use rhai::{Dynamic, Map};

use super::asking::{Function, library};
use super::calls::{Give, NOTHING, Row, SET, SIGSETSIZE, numbers, rows, sigaction};
use crate::abi::flags::SaFlags;
use crate::abi::signal::si_code;
use crate::abi::structs::SigInfo;
use crate::abi::{SigSet, Signal};
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::bind::args;
use crate::script::bind::door::nr;
use crate::script::bind::signals::Info;
use crate::script::value::Addr;
use crate::session::program::{Child, Want};

const INFO: Give = |ret, out| match out {
    Out::SigInfo(info) => Dynamic::from(Info(*info)),
    _ => ret.into(),
};
const STACK: Give = |ret, out| match out {
    Out::AltStack(sp, flags, size) => {
        let mut map = Map::new();
        map.insert("sp".into(), Dynamic::from(Addr(sp)));
        map.insert("flags".into(), i64::from(flags).into());
        map.insert("size".into(), (size as i64).into());
        map.into()
    }
    _ => ret.into(),
};

pub(super) const NUMBERS: &[Row] = numbers! {
    /// Sends a signal to a thread (tkill(2)).
    "tkill(tid: int, sig: Signal)" => "tkill", NOTHING;
    /// Sends a signal to the process of a pidfd (pidfd_send_signal(2)).
    "pidfd_send_signal(pidfd: int, sig: Signal)" => "pidfd_send_signal", NOTHING;
};

pub(super) const OTHERS: &[Row] = rows! {
    /// Says what a signal does, and that calls which it interrupts are made
    /// again (signal(2) of glibc).
    "signal(sig: Signal, handler: function)" => NOTHING,
        |c, name, a| sigaction(c, name, &a[0], &a[1], SaFlags::SA_RESTART, SigSet::EMPTY);
    /// The blocked signals (sigprocmask(2)).
    "sigprocmask() -> SigSet" => SET, |_, _, _| {
        Ok((Call::new(nr("rt_sigprocmask"), &[0, 0, 0, SIGSETSIZE]), Child::Returns))
    };
    /// Takes a pending signal of a set, or sleeps until there is one
    /// (sigwaitinfo(2)); gives what it carried.
    "sigwaitinfo(set: Signal|array) -> Siginfo" => INFO, |_, name, a| {
        let payload = Payload::SigSet(args::signal_set(&format!("{name}: set"), &a[0])?);
        Ok((Call::with(nr("rt_sigtimedwait"), &[0, 0, 0, SIGSETSIZE], payload), Child::Returns))
    };
    /// The alternate signal stack: #{sp, size, flags} (sigaltstack(2)).
    "sigaltstack() -> map" => STACK, |_, _, _| {
        Ok((Call::new(nr("sigaltstack"), &[0, 0]), Child::Returns))
    };
    /// Sets the alternate signal stack; gives the old one.
    "sigaltstack(sp: Addr, size: int) -> map" => STACK, |_, name, a| {
        let sp = args::word(&format!("{name}: sp"), &a[0])?;
        let size = args::word(&format!("{name}: size"), &a[1])?;
        Ok((Call::with(nr("sigaltstack"), &[0, 0], Payload::AltStack(sp, 0, size)), Child::Returns))
    };
};

pub(super) const LIBRARY: &[Function] = library! {
    /// Sends a signal with a value (sigqueue(3)).
    "sigqueue(pid: int, sig: Signal, value: int)" => |asking, a| {
        let pid = args::word("sigqueue: pid", &a[0])?;
        let number = args::signal_number("sigqueue: signal", &a[1])?;
        let value = args::word("sigqueue: value", &a[2])?;
        let me = asking.sys(const { nr("getpid") }, &[])?;
        let uid = asking.sys(const { nr("getuid") }, &[])?;
        // The kernel puts the number given in place of this one.
        let stand_in = i32::try_from(number).ok().and_then(Signal::new).unwrap_or(Signal::SIGHUP);
        let info = SigInfo {
            si_pid: me as i32,
            si_uid: uid as u32,
            si_value: value,
            ..SigInfo::new(stand_in, si_code::SI_QUEUE)
        };
        let payload = Payload::SigInfo(Box::new(info));
        let call = Call::with(const { nr("rt_sigqueueinfo") }, &[pid, number, 0], payload);
        asking.ask(Want::Sys(call, Child::Returns)).map(|_| Dynamic::UNIT)
    };
};
