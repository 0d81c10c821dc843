//! Signals: sending them, choosing what they do, blocking and awaiting them.
//!
//! A handler is an address. When one runs, the task is in it: what the script
//! makes the task do then is what the handler does, and `t.sigreturn()` ends
//! it.
//!
//! Left out: signalfd and POSIX timers, which the kernel does not model.

use rhai::{Dynamic, Map, NativeCallContext};

use super::args::{self, Named};
use super::door::{self, Convert, NOTHING, NUMBER, nr};
use super::kinds;
use super::objects::Action;
use super::registry::{Book, Raised, functions, getters};
use super::task::Task;
use super::trouble::si_code_name;
use super::user_mode;
use crate::abi::flags::SaFlags;
use crate::abi::signal::si_code;
use crate::abi::structs::SigInfo;
use crate::abi::{SigSet, Signal};
use crate::kernel::signal::SigAction;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::errors::ScriptError;
use crate::script::value::Addr;

type Ctx<'a> = NativeCallContext<'a>;

/// sizeof(sigset_t) as the kernel wants it.
const SIGSETSIZE: u64 = 8;

const ACTION: Convert = |_, ret, out| match out {
    Out::SigAction(action) => Dynamic::from(Action(action)),
    _ => ret.into(),
};

const SET: Convert = |_, ret, out| match out {
    Out::SigSet(set) => Dynamic::from(set),
    _ => ret.into(),
};

/// What a signal carried, as sigwaitinfo gives it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Info(pub(super) SigInfo);

impl std::fmt::Display for Info {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let i = &self.0;
        write!(f, "{} ({})", i.si_signo, si_code_name(i.si_signo, i.si_code))?;
        match i.si_pid {
            0 => Ok(()),
            pid => write!(f, " from task {pid}"),
        }
    }
}

/// Sends by pid and signal; `shape` puts them into registers.
fn send(ctx: &Ctx, t: &Task, number: u32, ids: &[&Dynamic], sig: &Dynamic) -> Raised<Dynamic> {
    let mut words = Vec::with_capacity(4);
    for id in ids {
        words.push(args::pid(&format!("{}: pid", ctx.fn_name()), t, id)?);
    }
    words.push(args::signal_number(&format!("{}: signal", ctx.fn_name()), sig)?);
    let mut shown = ids.to_vec();
    shown.push(sig);
    door::call(ctx, t, &shown, Call::new(number, &words), NOTHING)
}

/// What a disposition's handler may be given as.
fn handler(value: &Dynamic) -> Result<u64, ScriptError> {
    if value.is_fnptr() {
        return Err(ScriptError::Usage {
            message: "a handler is an address in the task's memory, not a function".into(),
            help: Some(
                "when the handler runs, make the task do what it does, then `t.sigreturn()`".into(),
            ),
        });
    }
    args::word("sigaction: handler", value)
}

/// Where a handler returns to: libc's __restore_rt, which every program has
/// and which only calls sigreturn. Any address in the code stands for it.
fn restorer(t: &Task) -> Result<u64, ScriptError> {
    t.read(|sys, s| {
        let mm = s.mm.and_then(|mm| sys.kernel.mms.get(mm));
        mm.map_or(0, |mm| mm.start_code + RESTORE_RT)
    })
}

/// Offset of __restore_rt in a program's code.
const RESTORE_RT: u64 = 0x10;

/// The end of a handler: RET pops the frame's return address, the restorer
/// calls rt_sigreturn.
fn sigreturn(ctx: Ctx, t: &mut Task) -> Raised<Dynamic> {
    user_mode::ret(&ctx, t)?;
    door::numbers(&ctx, t, nr("rt_sigreturn"), &[], NOTHING)
}

fn sigaction(
    ctx: &Ctx,
    t: &Task,
    sig: &Dynamic,
    new: Option<(&Dynamic, &Dynamic, SigSet)>,
    shown: &[&Dynamic],
) -> Raised<Dynamic> {
    let number = args::signal_number("sigaction: signal", sig)?;
    let payload = match new {
        None => Payload::None,
        Some((at, flags, mask)) => {
            let flags = SaFlags::from_bits_truncate(args::word("sigaction: flags", flags)?);
            Payload::SigAction(SigAction {
                handler: handler(at)?,
                flags: flags | SaFlags::SA_RESTORER,
                restorer: restorer(t)?,
                mask,
            })
        }
    };
    let call = Call::with(nr("rt_sigaction"), &[number, 0, 0, SIGSETSIZE], payload);
    door::call(ctx, t, shown, call, ACTION)
}

/// sigaction with a map: #{handler, flags, mask}.
fn sigaction_named(ctx: &Ctx, t: &Task, sig: &Dynamic, given: &Dynamic) -> Raised<Dynamic> {
    let Some(map) = given.read_lock::<Map>() else {
        let none: Dynamic = 0_i64.into();
        return sigaction(ctx, t, sig, Some((given, &none, SigSet::EMPTY)), &[sig, given]);
    };
    let mut named = Named::new("sigaction", &map);
    let default: Dynamic = 0_i64.into();
    let at = named.get("handler").unwrap_or(&default);
    let flags = named.get("flags").unwrap_or(&default);
    let mask = match named.get("mask") {
        Some(mask) => args::signal_set("sigaction mask", mask)?,
        None => SigSet::EMPTY,
    };
    named.finish()?;
    sigaction(ctx, t, sig, Some((at, flags, mask)), &[sig, given])
}

fn sigprocmask(ctx: &Ctx, t: &Task, how: &Dynamic, set: &Dynamic) -> Raised<Dynamic> {
    let word = args::word("sigprocmask: how", how)?;
    let set_value = args::signal_set("sigprocmask: set", set)?;
    let payload = Payload::SigSet(set_value);
    let call = Call::with(nr("rt_sigprocmask"), &[word, 0, 0, SIGSETSIZE], payload);
    door::call(ctx, t, &[how, set], call, SET)
}

fn queued(t: &Task, sig: &Dynamic, value: &Dynamic) -> Result<(u64, Payload), ScriptError> {
    let number = args::signal_number("sigqueue: signal", sig)?;
    let stand_in = i32::try_from(number).ok().and_then(Signal::new).unwrap_or(Signal::SIGHUP);
    let (pid, uid) = t.read(|sys, s| {
        let uid = sys.kernel.creds.get(s.cred).map_or(0, |c| c.uid);
        (crate::kernel::pid::task_tgid_vnr(sys, t.id()), uid)
    })?;
    let info = SigInfo {
        si_pid: pid,
        si_uid: uid,
        si_value: args::word("sigqueue: value", value)?,
        ..SigInfo::new(stand_in, si_code::SI_QUEUE)
    };
    Ok((number, Payload::SigInfo(Box::new(info))))
}

fn sigqueue(ctx: Ctx, t: &mut Task, who: Dynamic, sig: Dynamic, value: Dynamic) -> Raised<Dynamic> {
    let pid = args::pid("sigqueue: pid", t, &who)?;
    let (number, payload) = queued(t, &sig, &value)?;
    let call = Call::with(nr("rt_sigqueueinfo"), &[pid, number, 0], payload);
    door::call(&ctx, t, &[&who, &sig, &value], call, NOTHING)
}

fn sigaltstack(ctx: &Ctx, t: &Task, new: Option<(&Dynamic, &Dynamic, u32)>) -> Raised<Dynamic> {
    let (payload, shown) = match new {
        None => (Payload::None, vec![]),
        Some((sp, size, flags)) => {
            let words =
                (args::word("sigaltstack: sp", sp)?, flags, args::word("sigaltstack: size", size)?);
            (Payload::AltStack(words.0, words.1, words.2), vec![sp, size])
        }
    };
    let convert: Convert = |_, ret, out| match out {
        Out::AltStack(sp, flags, size) => {
            let mut map = Map::new();
            map.insert("sp".into(), Dynamic::from(Addr(sp)));
            map.insert("flags".into(), i64::from(flags).into());
            map.insert("size".into(), (size as i64).into());
            map.into()
        }
        _ => ret.into(),
    };
    door::call(ctx, t, &shown, Call::with(nr("sigaltstack"), &[0, 0], payload), convert)
}

/// Registers what programs get too.
pub(super) fn register_siginfo(book: &mut Book) {
    book.prints::<Info>("Siginfo");
    getters! { book, Siginfo;
        /// The signal.
        "signo: Signal" => |i: &mut Info| kinds::of_signal(i.0.si_signo);
        /// Why it came: "SI_USER", "CLD_EXITED"…
        "code: string" => |i: &mut Info| si_code_name(i.0.si_signo, i.0.si_code);
        /// The sender's or child's pid.
        "pid: int" => |i: &mut Info| i64::from(i.0.si_pid);
        /// The sender's or child's real uid.
        "uid: int" => |i: &mut Info| i64::from(i.0.si_uid);
        /// Exit code or signal of the child.
        "status: int" => |i: &mut Info| i64::from(i.0.si_status);
        /// The faulting address.
        "addr: Addr" => |i: &mut Info| Addr(i.0.si_addr);
        /// The value of sigqueue.
        "value: int" => |i: &mut Info| i.0.si_value as i64;
    }
}

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    sending(book);
    dispositions(book);
    masks(book);
    waiting(book);
}

fn sending(book: &mut Book) {
    functions! { book;
        /// Sends a signal (kill(2)): to a task's process, to a pid, to group n as
        /// -n, to the own group as 0, to all as -1. Signal 0 only asks.
        "kill(t: Task, pid: int|Task, sig: Signal)" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic, sig: Dynamic| {
                send(&ctx, t, nr("kill"), &[&who], &sig)
            };
        /// Sends a signal to one thread (tkill(2)).
        "tkill(t: Task, tid: int|Task, sig: Signal)" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic, sig: Dynamic| {
                send(&ctx, t, nr("tkill"), &[&who], &sig)
            };
        /// Sends a signal to one thread of a process (tgkill(2)).
        "tgkill(t: Task, tgid: int|Task, tid: int|Task, sig: Signal)" =>
            |ctx: Ctx, t: &mut Task, group: Dynamic, who: Dynamic, sig: Dynamic| {
                send(&ctx, t, nr("tgkill"), &[&group, &who], &sig)
            };
        /// Sends a signal with a value (sigqueue(3)).
        "sigqueue(t: Task, pid: int|Task, sig: Signal, value: int)" => sigqueue;
        /// Sends a signal to oneself (raise(3)).
        "raise(t: Task, sig: Signal)" => |ctx: Ctx, t: &mut Task, sig: Dynamic| {
            let me = Dynamic::from(t.clone());
            send(&ctx, t, nr("tkill"), &[&me], &sig)
        };
        /// Sends a signal to the process of a pidfd (pidfd_send_signal(2)).
        "pidfd_send_signal(t: Task, pidfd: int, sig: Signal)" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, sig: Dynamic| -> Raised<Dynamic> {
                let words = [
                    args::word("pidfd_send_signal: pidfd", &fd)?,
                    args::signal_number("pidfd_send_signal: signal", &sig)?,
                    0,
                    0,
                ];
                let call = Call::new(nr("pidfd_send_signal"), &words);
                door::call(&ctx, t, &[&fd, &sig], call, NOTHING)
            };
    }
}

fn dispositions(book: &mut Book) {
    functions! { book;
        /// The disposition of a signal (sigaction(2)).
        "sigaction(t: Task, sig: Signal) -> Action" => |ctx: Ctx, t: &mut Task, sig: Dynamic| {
            sigaction(&ctx, t, &sig, None, &[&sig])
        };
        /// Sets the disposition: SIG_IGN, SIG_DFL, an address, or #{handler,
        /// flags, mask}; gives the old one.
        "sigaction(t: Task, sig: Signal, handler: Addr|map) -> Action" =>
            |ctx: Ctx, t: &mut Task, sig: Dynamic, at: Dynamic| sigaction_named(&ctx, t, &sig, &at);
        /// Sets the disposition with SA_* flags.
        "sigaction(t: Task, sig: Signal, handler: Addr, flags: Flags) -> Action" =>
            |ctx: Ctx, t: &mut Task, sig: Dynamic, at: Dynamic, flags: Dynamic| {
                let new = Some((&at, &flags, SigSet::EMPTY));
                sigaction(&ctx, t, &sig, new, &[&sig, &at, &flags])
            };
        /// Sets the disposition as signal(2) of glibc does, with SA_RESTART.
        "signal(t: Task, sig: Signal, handler: Addr) -> Action" =>
            |ctx: Ctx, t: &mut Task, sig: Dynamic, at: Dynamic| {
                let restart: Dynamic = (SaFlags::SA_RESTART.bits() as i64).into();
                sigaction(&ctx, t, &sig, Some((&at, &restart, SigSet::EMPTY)), &[&sig, &at])
            };
        /// Ends a handler: takes back what it interrupted (sigreturn(2)).
        "sigreturn(t: Task)" => sigreturn;
        /// The alternate signal stack: #{sp, size, flags} (sigaltstack(2)).
        "sigaltstack(t: Task) -> map" => |ctx: Ctx, t: &mut Task| sigaltstack(&ctx, t, None);
        /// Sets the alternate signal stack; gives the old one.
        "sigaltstack(t: Task, sp: Addr, size: int) -> map" =>
            |ctx: Ctx, t: &mut Task, sp: Dynamic, size: Dynamic| {
                sigaltstack(&ctx, t, Some((&sp, &size, 0)))
            };
    }
}

fn masks(book: &mut Book) {
    functions! { book;
        /// The blocked signals (sigprocmask(2)).
        "sigprocmask(t: Task) -> SigSet" => |ctx: Ctx, t: &mut Task| {
            let call = Call::new(nr("rt_sigprocmask"), &[0, 0, 0, SIGSETSIZE]);
            door::call(&ctx, t, &[], call, SET)
        };
        /// Blocks, unblocks or sets blocked signals: SIG_BLOCK, SIG_UNBLOCK,
        /// SIG_SETMASK with a signal, an array or a set; gives the old set.
        "sigprocmask(t: Task, how: Flags, set: Signal|array|SigSet) -> SigSet" =>
            |ctx: Ctx, t: &mut Task, how: Dynamic, set: Dynamic| sigprocmask(&ctx, t, &how, &set);
        /// The pending signals, its own and the group's (sigpending(2)).
        "sigpending(t: Task) -> SigSet" => |ctx: Ctx, t: &mut Task| {
            door::call(&ctx, t, &[], Call::new(nr("rt_sigpending"), &[0, SIGSETSIZE]), SET)
        };
    }
}

fn waiting(book: &mut Book) {
    functions! { book;
        /// Sleeps until a signal is handled (pause(2)).
        "pause(t: Task) -> int" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("pause"), &[], NUMBER)
        };
        /// Sleeps with other signals blocked until one is handled
        /// (sigsuspend(2)).
        "sigsuspend(t: Task, mask: Signal|array|SigSet) -> int" =>
            |ctx: Ctx, t: &mut Task, mask: Dynamic| -> Raised<Dynamic> {
                let set = args::signal_set("sigsuspend: mask", &mask)?;
                let payload = Payload::SigSet(set);
                let call = Call::with(nr("rt_sigsuspend"), &[0, SIGSETSIZE], payload);
                door::call(&ctx, t, &[&mask], call, NUMBER)
            };
        /// Takes a pending signal of a set, or sleeps until there is one
        /// (sigwaitinfo(2)); gives what it carried.
        "sigwaitinfo(t: Task, set: Signal|array|SigSet) -> Siginfo" =>
            |ctx: Ctx, t: &mut Task, set: Dynamic| -> Raised<Dynamic> {
                let payload = Payload::SigSet(args::signal_set("sigwaitinfo: set", &set)?);
                let call = Call::with(nr("rt_sigtimedwait"), &[0, 0, 0, SIGSETSIZE], payload);
                door::call(&ctx, t, &[&set], call, |_, ret, out| match out {
                    Out::SigInfo(info) => Dynamic::from(Info(*info)),
                    _ => ret.into(),
                })
            };
    }
    getters! { book, Task;
        /// The last signal delivered to it, or ().
        "last_siginfo: Siginfo" => |t: &mut Task| t.field(|_, s| match &s.last_siginfo {
            Some(info) => Dynamic::from(Info(**info)),
            None => Dynamic::UNIT,
        });
    }
}
