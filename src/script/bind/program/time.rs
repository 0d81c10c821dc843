//! Time in programs: rows of calls that sleep, and that read the clocks. When
//! everyone sleeps, time passes until the first one's sleep is over.
//!
//! Left out: POSIX timers, which the kernel does not model.

use rhai::{Dynamic, NativeCallContext};

use super::calls::{self, Give, NOTHING, NUMBER, Row, plain_call, rows};
use crate::kernel::nanosleep::NSEC_PER_SEC;
use crate::kernel::syscalls::{Call, Out};
use crate::script::bind::door::nr;
use crate::script::bind::registry::{Raised, docs};
use crate::script::bind::{args, time};
use crate::script::control::Control;
use crate::session::program::Child;

/// sleep(3), as the engine has it for numbers.
pub(in crate::script) fn sleep(
    control: &Control,
    ctx: &NativeCallContext,
    seconds: Dynamic,
) -> Raised<Dynamic> {
    calls::call(control, ctx, &SLEEP, &[seconds])
}

const ITIMER: Give = |_, out| time::itimer(out);

const TIME: Give = |ret, out| match out {
    Out::Number(ns) => (ns as i64).into(),
    _ => Dynamic::from(ret),
};

const SLEEP: Row = Row {
    signature: "sleep(seconds: int)",
    docs: docs![" Sleeps for seconds (sleep(3)); a handler ends the sleep with EINTR."],
    make: |_, name, a| Ok((time::nanosleep(name, &a[0], NSEC_PER_SEC)?, Child::Returns)),
    give: NOTHING,
};

pub(super) const SLEEPS: &[Row] = &[SLEEP];

pub(super) const ROWS: &[Row] = rows! {
    /// Sleeps for nanoseconds (nanosleep(2)); a handler ends the sleep with
    /// EINTR.
    "nanosleep(ns: int)" => NOTHING,
        |_, name, a| Ok((time::nanosleep(name, &a[0], 1)?, Child::Returns));
    /// Sleeps for microseconds (usleep(3)).
    "usleep(us: int)" => NOTHING,
        |_, name, a| Ok((time::nanosleep(name, &a[0], 1000)?, Child::Returns));
    /// Sleeps for ns on a clock, or with TIMER_ABSTIME until it shows ns
    /// (clock_nanosleep(2)).
    "clock_nanosleep(clock: Flags, flags: Flags, ns: int)" => NOTHING,
        |_, _, a| Ok((time::clock_nanosleep(&a[0], &a[1], &a[2])?, Child::Returns));
    /// Sends SIGALRM to the process after so many seconds, 0 for not at all;
    /// gives how many were left of the alarm before (alarm(2)).
    "alarm(seconds: int) -> int" => NUMBER, |_, name, a| plain_call(nr("alarm"), name, a);
    /// Sets the process's interval timer, in ns: SIGALRM after `value`, and then
    /// every `interval`; gives #{value, interval} of before (setitimer(2)).
    "setitimer(which: Flags, value: int, interval: int) -> map" => ITIMER,
        |_, _, a| Ok((time::setitimer(&a[0], &a[1], &a[2])?, Child::Returns));
    /// What the process's interval timer has left: #{value, interval} in ns
    /// (getitimer(2)).
    "getitimer(which: Flags) -> map" => ITIMER, |_, name, a| {
        let id = args::word(&format!("{name}: which"), &a[0])?;
        Ok((Call::new(nr("getitimer"), &[id, 0]), Child::Returns))
    };
    /// Microseconds since 1970 (gettimeofday(2)).
    "gettimeofday() -> int" => TIME, |_, _, _| {
        Ok((Call::new(nr("gettimeofday"), &[0, 0]), Child::Returns))
    };
    /// What a clock shows, in ns (clock_gettime(2)).
    "clock_gettime(clock: Flags) -> int" => TIME, |_, name, a| {
        let id = args::word(&format!("{name}: clock"), &a[0])?;
        Ok((Call::new(nr("clock_gettime"), &[id, 0]), Child::Returns))
    };
    /// Sleeps while the 32-bit word at the address holds the value, for ns at
    /// most: ETIMEDOUT then (futex(2)).
    "futex_wait(addr: Addr, value: int, ns: int) -> int" => NUMBER, |_, name, a| {
        let (call, child) = plain_call(nr("futex"), name, &a[..2])?;
        let [addr, value, ..] = call.args;
        let payload = time::timespec(&format!("{name}: ns"), &a[2], 1)?;
        Ok((Call::with(nr("futex"), &[addr, 0, value, 0], payload), child))
    };
};
