//! Time as a task sees it: sleeping, and reading the clocks. Times are numbers
//! of nanoseconds.
//!
//! Left out: POSIX timers (`events`).

use rhai::{Dynamic, Map, NativeCallContext};

use super::args;
use super::door::{self, NOTHING, NUMBER, OUT_NUMBER, nr};
use super::registry::{Book, Raised, functions};
use super::task::Task;
use crate::kernel::nanosleep::NSEC_PER_SEC;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::errors::ScriptError;

type Ctx<'a> = NativeCallContext<'a>;

/// A number of units as a timespec, as far as it goes.
pub(super) fn timespec(what: &str, value: &Dynamic, unit: u64) -> Result<Payload, ScriptError> {
    let n = args::word(what, value)? as i64;
    let ns = i128::from(n) * i128::from(unit);
    let second = i128::from(NSEC_PER_SEC);
    let sec = i64::try_from(ns.div_euclid(second)).unwrap_or(i64::MAX);
    Ok(Payload::Timespec(sec, ns.rem_euclid(second) as i64))
}

/// nanosleep(2) of so many units.
pub(super) fn nanosleep(name: &str, value: &Dynamic, unit: u64) -> Result<Call, ScriptError> {
    let time = timespec(&format!("{name}: time"), value, unit)?;
    Ok(Call::with(nr("nanosleep"), &[0, 0], time))
}

/// clock_nanosleep(2).
pub(super) fn clock_nanosleep(
    clock: &Dynamic,
    flags: &Dynamic,
    ns: &Dynamic,
) -> Result<Call, ScriptError> {
    let words = [
        args::word("clock_nanosleep: clock", clock)?,
        args::word("clock_nanosleep: flags", flags)?,
        0,
        0,
    ];
    let time = timespec("clock_nanosleep: time", ns, 1)?;
    Ok(Call::with(nr("clock_nanosleep"), &words, time))
}

/// setitimer(2) with times in ns.
pub(super) fn setitimer(
    which: &Dynamic,
    value: &Dynamic,
    interval: &Dynamic,
) -> Result<Call, ScriptError> {
    let which = args::word("setitimer: which", which)?;
    let words = |what, ns: &Dynamic| {
        let ns = args::word(what, ns)? as i64;
        // A fraction of a microsecond is not lost: the timer would be off.
        let us = ns.div_euclid(1_000) + i64::from(ns.rem_euclid(1_000) > 0);
        Ok::<_, ScriptError>((us.div_euclid(1_000_000), us.rem_euclid(1_000_000)))
    };
    let (value, interval) =
        (words("setitimer: value", value)?, words("setitimer: interval", interval)?);
    let payload = Payload::Itimer([value.0, value.1, interval.0, interval.1]);
    Ok(Call::with(nr("setitimer"), &[which, 0, 0], payload))
}

/// An interval timer as a map: what is left and the interval, in ns.
pub(super) fn itimer(out: Out) -> Dynamic {
    let Out::Itimer(timer) = out else { return Dynamic::UNIT };
    let mut map = Map::new();
    map.insert("value".into(), (timer.value as i64).into());
    map.insert("interval".into(), (timer.interval as i64).into());
    map.into()
}

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    fn sleep(ctx: &Ctx, t: &Task, value: &Dynamic, unit: u64) -> Raised<Dynamic> {
        let call = nanosleep(ctx.fn_name(), value, unit)?;
        door::call(ctx, t, &[value], call, NOTHING)
    }
    functions! { book;
        /// Sleeps for nanoseconds (nanosleep(2)). `tick` lets time pass; a
        /// handler ends the sleep with EINTR.
        "nanosleep(t: Task, ns: int)" =>
            |ctx: Ctx, t: &mut Task, ns: Dynamic| sleep(&ctx, t, &ns, 1);
        /// Sleeps for seconds (sleep(3)).
        "sleep(t: Task, seconds: int)" =>
            |ctx: Ctx, t: &mut Task, n: Dynamic| sleep(&ctx, t, &n, NSEC_PER_SEC);
        /// Sleeps for microseconds (usleep(3)).
        "usleep(t: Task, us: int)" =>
            |ctx: Ctx, t: &mut Task, n: Dynamic| sleep(&ctx, t, &n, 1000);
        /// Sleeps for ns on a clock, or with TIMER_ABSTIME until it shows ns
        /// (clock_nanosleep(2)).
        "clock_nanosleep(t: Task, clock: Flags, flags: Flags, ns: int)" =>
            |ctx: Ctx, t: &mut Task, clock: Dynamic, flags: Dynamic, ns: Dynamic|
            -> Raised<Dynamic> {
                let call = clock_nanosleep(&clock, &flags, &ns)?;
                door::call(&ctx, t, &[&clock, &flags, &ns], call, NOTHING)
            };
        /// Sends SIGALRM to the process after so many seconds, 0 for not at
        /// all; gives how many were left of the alarm before (alarm(2)).
        "alarm(t: Task, seconds: int) -> int" => |ctx: Ctx, t: &mut Task, n: Dynamic| {
            door::numbers(&ctx, t, nr("alarm"), &[("seconds", &n)], NUMBER)
        };
        /// Sets an interval timer of the process, in ns: its signal after `value`,
        /// and then every `interval`; gives #{value, interval} of before
        /// (setitimer(2)).
        "setitimer(t: Task, which: Flags, value: int, interval: int) -> map" =>
            |ctx: Ctx, t: &mut Task, which: Dynamic, value: Dynamic, interval: Dynamic|
            -> Raised<Dynamic> {
                let call = setitimer(&which, &value, &interval)?;
                door::call(&ctx, t, &[&which, &value, &interval], call, |_, _, out| itimer(out))
            };
        /// What the process's interval timer has left: #{value, interval} in ns
        /// (getitimer(2)).
        "getitimer(t: Task, which: Flags) -> map" =>
            |ctx: Ctx, t: &mut Task, which: Dynamic| -> Raised<Dynamic> {
                let id = args::word("getitimer: which", &which)?;
                let call = Call::new(nr("getitimer"), &[id, 0]);
                door::call(&ctx, t, &[&which], call, |_, _, out| itimer(out))
            };
        /// Microseconds since 1970 (gettimeofday(2)).
        "gettimeofday(t: Task) -> int" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("gettimeofday"), &[], OUT_NUMBER)
        };
        /// What a clock shows, in ns (clock_gettime(2)).
        "clock_gettime(t: Task, clock: Flags) -> int" =>
            |ctx: Ctx, t: &mut Task, clock: Dynamic| -> Raised<Dynamic> {
                let id = args::word("clock_gettime: clock", &clock)?;
                let call = Call::new(nr("clock_gettime"), &[id, 0]);
                door::call(&ctx, t, &[&clock], call, OUT_NUMBER)
            };
    }
}
