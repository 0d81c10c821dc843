//! Events, timers and signals as descriptors, epoll and select, POSIX timers, and
//! the names of the machine: for directors. Times are numbers of nanoseconds.
//!
//! Left out: programs (they wait with `poll`); structures in user memory
//! (`syscall` takes them).

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::args;
use super::door::{self, NOTHING, NUMBER, OUT_NUMBER, nr};
use super::kinds;
use super::registry::{Book, Raised, functions};
use super::task::Task;
use crate::abi::numbers::{EPOLL_CTL_DEL, SIGEV_SIGNAL};
use crate::kernel::nanosleep::NSEC_PER_SEC;
use crate::kernel::syscalls::{Call, Out, Payload, SelectArgs};
use crate::script::errors::ScriptError;
use crate::script::value::Flags;

type Ctx<'a> = NativeCallContext<'a>;

/// `struct itimerspec` of two times in ns.
fn itimerspec(value: &Dynamic, interval: &Dynamic) -> Result<Payload, ScriptError> {
    let mut bytes = Vec::new();
    for (what, ns) in [("settime: interval", interval), ("settime: value", value)] {
        let ns = args::word(what, ns)? as i64;
        let second = NSEC_PER_SEC as i64;
        bytes.extend(ns.div_euclid(second).to_le_bytes());
        bytes.extend(ns.rem_euclid(second).to_le_bytes());
    }
    Ok(Payload::Bytes(bytes.into()))
}

fn word(bytes: &[u8], at: usize) -> i64 {
    let bytes = bytes.get(at..at + 8).and_then(|b| b.try_into().ok());
    bytes.map_or(0, i64::from_le_bytes)
}

fn int(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
    bytes.map_or(0, u32::from_le_bytes)
}

/// The same as a map: what is left and the interval, in ns.
fn times(_: &Task, _: i64, out: Out) -> Dynamic {
    let Out::Bytes(b) = out else { return Dynamic::UNIT };
    let ns = |at| word(&b, at).wrapping_mul(NSEC_PER_SEC as i64).wrapping_add(word(&b, at + 8));
    let mut map = Map::new();
    map.insert("value".into(), ns(16).into());
    map.insert("interval".into(), ns(0).into());
    map.into()
}

/// `struct new_utsname` as a map.
fn names(_: &Task, _: i64, out: Out) -> Dynamic {
    const FIELDS: [&str; 6] =
        ["sysname", "nodename", "release", "version", "machine", "domainname"];
    let Out::Bytes(b) = out else { return Dynamic::UNIT };
    let mut map = Map::new();
    for (name, field) in FIELDS.into_iter().zip(b.chunks(65)) {
        let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
        map.insert(name.into(), String::from_utf8_lossy(&field[..end]).into_owned().into());
    }
    map.into()
}

/// The events that epoll_wait has stored: `[fd, events]` each.
fn events(_: &Task, ret: i64, out: Out) -> Dynamic {
    let b = match out {
        Out::Bytes(b) => b,
        // None came in time.
        _ if ret == 0 => Vec::new(),
        _ => return ret.into(),
    };
    let one = |event: &[u8]| -> Dynamic {
        let found = Flags { bits: int(event, 0).into(), kind: &kinds::EPOLL };
        vec![word(event, 4).into(), Dynamic::from(found)].into()
    };
    b.chunks(12).map(one).collect::<Array>().into()
}

/// Who is ready, set by set.
fn sets(_: &Task, ret: i64, out: Out) -> Dynamic {
    let Out::Bytes(b) = out else { return ret.into() };
    let mut map = Map::new();
    for (i, name) in ["read", "write", "except"].into_iter().enumerate() {
        let of = b.chunks(8).filter(|pair| int(pair, 0) as usize == i);
        let fds: Array = of.map(|pair| i64::from(int(pair, 4) as i32).into()).collect();
        map.insert(name.into(), fds.into());
    }
    map.into()
}

/// A set of descriptors.
fn fds(what: &str, value: &Dynamic) -> Result<Vec<i32>, ScriptError> {
    let Some(list) = value.read_lock::<Array>() else {
        let message = format!("{what} is an array of descriptors, not {}", args::type_of(value));
        return Err(ScriptError::usage(message));
    };
    list.iter().map(|fd| args::word(what, fd).map(|fd| fd as i32)).collect()
}

fn select(read: &Dynamic, write: &Dynamic, ns: &Dynamic) -> Result<Call, ScriptError> {
    let sets = [fds("select: read", read)?, fds("select: write", write)?, Vec::new()];
    let timeout = if ns.is_unit() { None } else { Some(args::word("select: ns", ns)?) };
    let payload = SelectArgs { sets: sets.into(), timeout };
    Ok(Call::with(nr("select"), &[], Payload::Select(Box::new(payload))))
}

/// `struct epoll_event`, whose data is the descriptor.
fn epoll_event(fd: u64, events: &Dynamic) -> Result<Payload, ScriptError> {
    let events = args::word("epoll_ctl: events", events)? as u32;
    let mut bytes = events.to_le_bytes().to_vec();
    bytes.extend(fd.to_le_bytes());
    Ok(Payload::Bytes(bytes.into()))
}

/// `struct sigevent`: a signal to the process.
fn sigevent(sig: &Dynamic) -> Result<Payload, ScriptError> {
    let sig = args::signal_number("timer_create: signal", sig)?;
    let mut bytes = vec![0; 64];
    bytes[8..12].copy_from_slice(&(sig as u32).to_le_bytes());
    bytes[12..16].copy_from_slice(&SIGEV_SIGNAL.to_le_bytes());
    Ok(Payload::Bytes(bytes.into()))
}

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    descriptors(book);
    waits(book);
    timers(book);
    functions! { book;
        /// Who the machine says it is: #{sysname, nodename, release, version,
        /// machine, domainname} (uname(2)).
        "uname(t: Task) -> map" => |ctx: Ctx, t: &mut Task| {
            door::call(&ctx, t, &[], Call::new(nr("uname"), &[]), names)
        };
        /// Names the host, in the task's uts namespace (sethostname(2)).
        "sethostname(t: Task, name: string)" =>
            |ctx: Ctx, t: &mut Task, name: Dynamic| -> Raised<Dynamic> {
                let text = args::text("sethostname: name", &name)?;
                let call = Call::with(nr("sethostname"), &[], Payload::Text(text.into()));
                door::call(&ctx, t, &[&name], call, NOTHING)
            };
    }
}

fn descriptors(book: &mut Book) {
    functions! { book;
        /// A counter as a descriptor (eventfd2(2)): EFD_SEMAPHORE, EFD_NONBLOCK,
        /// EFD_CLOEXEC.
        "eventfd(t: Task, count: int, flags: Flags|int) -> int" =>
            |ctx: Ctx, t: &mut Task, count: Dynamic, flags: Dynamic| {
                let named = [("count", &count), ("flags", &flags)];
                door::numbers(&ctx, t, nr("eventfd2"), &named, NUMBER)
            };
        /// Takes the counter of an eventfd (eventfd_read(3)), or the expirations
        /// of a timerfd: the 8 bytes that read(2) gives, as a number.
        "eventfd_read(t: Task, fd: int) -> int" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic| -> Raised<Dynamic> {
                let n = args::word("eventfd_read: fd", &fd)?;
                let call = Call::new(nr("read"), &[n, 0, 8]);
                door::call(&ctx, t, &[&fd], call, |_, ret, out| match out {
                    Out::Bytes(b) => word(&b, 0).into(),
                    _ => ret.into(),
                })
            };
        /// Adds to the counter of an eventfd (eventfd_write(3)).
        "eventfd_write(t: Task, fd: int, n: int)" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, n: Dynamic| -> Raised<Dynamic> {
                let to = args::word("eventfd_write: fd", &fd)?;
                let value = args::word("eventfd_write: n", &n)?;
                let payload = Payload::Bytes(value.to_le_bytes().into());
                let call = Call::with(nr("write"), &[to, 0, 8], payload);
                door::call(&ctx, t, &[&fd, &n], call, NOTHING)
            };
        /// Signals of a set as a descriptor; `fd` is -1 for a new one
        /// (signalfd4(2)): SFD_NONBLOCK, SFD_CLOEXEC.
        "signalfd(t: Task, fd: int, set: array, flags: Flags|int) -> int" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, set: Dynamic, flags: Dynamic|
            -> Raised<Dynamic> {
                let words = [
                    args::word("signalfd: fd", &fd)?,
                    0,
                    8,
                    args::word("signalfd: flags", &flags)?,
                ];
                let mask = Payload::SigSet(args::signal_set("signalfd: set", &set)?);
                let call = Call::with(nr("signalfd4"), &words, mask);
                door::call(&ctx, t, &[&fd, &set, &flags], call, NUMBER)
            };
        /// A timer as a descriptor (timerfd_create(2)): TFD_NONBLOCK, TFD_CLOEXEC.
        "timerfd_create(t: Task, clock: Flags, flags: Flags|int) -> int" =>
            |ctx: Ctx, t: &mut Task, clock: Dynamic, flags: Dynamic| {
                let named = [("clock", &clock), ("flags", &flags)];
                door::numbers(&ctx, t, nr("timerfd_create"), &named, NUMBER)
            };
        /// Arms it: after `value` ns, or when its clock shows that with
        /// TFD_TIMER_ABSTIME, and then every `interval`; 0 disarms it
        /// (timerfd_settime(2)).
        "timerfd_settime(t: Task, fd: int, flags: Flags|int, value: int, interval: int)" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, flags: Dynamic, value: Dynamic, every: Dynamic|
            -> Raised<Dynamic> {
                let words = [
                    args::word("timerfd_settime: fd", &fd)?,
                    args::word("timerfd_settime: flags", &flags)?,
                ];
                let spec = itimerspec(&value, &every)?;
                let call = Call::with(nr("timerfd_settime"), &words, spec);
                door::call(&ctx, t, &[&fd, &flags, &value, &every], call, NOTHING)
            };
        /// What it has left: #{value, interval} in ns (timerfd_gettime(2)).
        "timerfd_gettime(t: Task, fd: int) -> map" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic| -> Raised<Dynamic> {
                let n = args::word("timerfd_gettime: fd", &fd)?;
                let call = Call::new(nr("timerfd_gettime"), &[n, 0]);
                door::call(&ctx, t, &[&fd], call, times)
            };
    }
}

fn waits(book: &mut Book) {
    functions! { book;
        /// Waits until a descriptor of `read` can be read or one of `write`
        /// written, for so many ns, `()` for ever; gives who can:
        /// #{read, write, except} (select(2)).
        "select(t: Task, read: array, write: array, ns: any) -> map" =>
            |ctx: Ctx, t: &mut Task, read: Dynamic, write: Dynamic, ns: Dynamic|
            -> Raised<Dynamic> {
                let call = select(&read, &write, &ns)?;
                door::call(&ctx, t, &[&read, &write, &ns], call, sets)
            };
        /// A set of descriptors to wait for, as a descriptor (epoll_create1(2)).
        "epoll_create1(t: Task, flags: Flags|int) -> int" =>
            |ctx: Ctx, t: &mut Task, flags: Dynamic| {
                door::numbers(&ctx, t, nr("epoll_create1"), &[("flags", &flags)], NUMBER)
            };
        /// Changes what is asked of a descriptor (epoll_ctl(2)): EPOLL_CTL_ADD,
        /// EPOLL_CTL_MOD, EPOLL_CTL_DEL; EPOLLIN | EPOLLOUT | EPOLLET | EPOLLONESHOT.
        "epoll_ctl(t: Task, epfd: int, op: Flags, fd: int, events: Flags|int)" =>
            |ctx: Ctx, t: &mut Task, epfd: Dynamic, op: Dynamic, fd: Dynamic, events: Dynamic|
            -> Raised<Dynamic> {
                let words = [
                    args::word("epoll_ctl: epfd", &epfd)?,
                    args::word("epoll_ctl: op", &op)?,
                    args::word("epoll_ctl: fd", &fd)?,
                ];
                let payload = match words[1] == u64::from(EPOLL_CTL_DEL) {
                    true => Payload::None,
                    false => epoll_event(words[2], &events)?,
                };
                let call = Call::with(nr("epoll_ctl"), &words, payload);
                door::call(&ctx, t, &[&epfd, &op, &fd, &events], call, NOTHING)
            };
        /// Waits until a descriptor of the set is ready, for so many ms, -1 for
        /// ever; gives `[fd, events]` of at most `max` (epoll_wait(2)).
        "epoll_wait(t: Task, epfd: int, max: int, timeout: int) -> array" =>
            |ctx: Ctx, t: &mut Task, epfd: Dynamic, max: Dynamic, ms: Dynamic|
            -> Raised<Dynamic> {
                let words = [
                    args::word("epoll_wait: epfd", &epfd)?,
                    0,
                    args::word("epoll_wait: max", &max)?,
                    args::word("epoll_wait: timeout", &ms)?,
                ];
                let call = Call::new(nr("epoll_wait"), &words);
                door::call(&ctx, t, &[&epfd, &max, &ms], call, events)
            };
    }
}

fn timers(book: &mut Book) {
    functions! { book;
        /// A POSIX timer that sends the process a signal (timer_create(2)).
        "timer_create(t: Task, clock: Flags, signal: Flags|int) -> int" =>
            |ctx: Ctx, t: &mut Task, clock: Dynamic, signal: Dynamic| -> Raised<Dynamic> {
                let id = args::word("timer_create: clock", &clock)?;
                let call = Call::with(nr("timer_create"), &[id, 0, 0], sigevent(&signal)?);
                door::call(&ctx, t, &[&clock, &signal], call, OUT_NUMBER)
            };
        /// Arms it: after `value` ns, or at that time of its clock with
        /// TIMER_ABSTIME, and then every `interval`; 0 disarms it
        /// (timer_settime(2)).
        "timer_settime(t: Task, timer: int, flags: Flags|int, value: int, interval: int)" =>
            |ctx: Ctx, t: &mut Task, id: Dynamic, flags: Dynamic, value: Dynamic, every: Dynamic|
            -> Raised<Dynamic> {
                let words = [
                    args::word("timer_settime: timer", &id)?,
                    args::word("timer_settime: flags", &flags)?,
                ];
                let spec = itimerspec(&value, &every)?;
                let call = Call::with(nr("timer_settime"), &words, spec);
                door::call(&ctx, t, &[&id, &flags, &value, &every], call, NOTHING)
            };
        /// What it has left: #{value, interval} in ns (timer_gettime(2)).
        "timer_gettime(t: Task, timer: int) -> map" =>
            |ctx: Ctx, t: &mut Task, id: Dynamic| -> Raised<Dynamic> {
                let n = args::word("timer_gettime: timer", &id)?;
                let call = Call::new(nr("timer_gettime"), &[n, 0]);
                door::call(&ctx, t, &[&id], call, times)
            };
        /// How often it expired again before its last signal was taken
        /// (timer_getoverrun(2)).
        "timer_getoverrun(t: Task, timer: int) -> int" =>
            |ctx: Ctx, t: &mut Task, id: Dynamic| {
                door::numbers(&ctx, t, nr("timer_getoverrun"), &[("timer", &id)], NUMBER)
            };
        /// Ends it (timer_delete(2)).
        "timer_delete(t: Task, timer: int)" => |ctx: Ctx, t: &mut Task, id: Dynamic| {
            door::numbers(&ctx, t, nr("timer_delete"), &[("timer", &id)], NOTHING)
        };
    }
}
