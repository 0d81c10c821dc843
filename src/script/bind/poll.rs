//! Waiting for descriptors: poll and ppoll, for directors and programs.
//!
//! Left out: a list of descriptors in user memory (`syscall` takes it).

use rhai::{Array, Dynamic, NativeCallContext};

use super::args;
use super::door::{self, nr};
use super::kinds;
use super::registry::{Book, Raised, functions};
use super::task::Task;
use crate::abi::numbers::POLLIN;
use crate::kernel::fs::select::PollFd;
use crate::kernel::syscalls::{Call, Out, Payload, PollArgs};
use crate::script::errors::ScriptError;
use crate::script::value::Flags;

type Ctx<'a> = NativeCallContext<'a>;

/// Descriptors, each alone (POLLIN) or with what is asked: `[3, [4, POLLOUT]]`.
fn pollfds(what: &str, value: &Dynamic) -> Result<Vec<PollFd>, ScriptError> {
    let Some(list) = value.read_lock::<Array>() else {
        return Err(ScriptError::usage(format!(
            "{what} must be an array of descriptors or of [descriptor, events], not {}",
            args::type_of(value)
        )));
    };
    let one = |entry: &Dynamic| -> Result<PollFd, ScriptError> {
        let (fd, events) = match entry.read_lock::<Array>() {
            Some(pair) if pair.len() == 2 => {
                (args::word(what, &pair[0])?, args::word(what, &pair[1])?)
            }
            Some(_) => {
                let message = format!("{what}: an entry is a descriptor or [descriptor, events]");
                return Err(ScriptError::usage(message));
            }
            None => (args::word(what, entry)?, u64::from(POLLIN)),
        };
        Ok(PollFd { fd: fd as i32, events: events as u16 })
    };
    list.iter().map(one).collect()
}

/// poll(2).
pub(super) fn poll(fds: &Dynamic, msecs: &Dynamic) -> Result<Call, ScriptError> {
    let fds = pollfds("poll: fds", fds)?;
    let words = [0, fds.len() as u64, args::word("poll: timeout", msecs)?];
    let payload = PollArgs { fds: fds.into(), timeout: None, mask: None };
    Ok(Call::with(nr("poll"), &words, Payload::Poll(Box::new(payload))))
}

/// ppoll(2); `()` stands for NULL.
pub(super) fn ppoll(fds: &Dynamic, ns: &Dynamic, mask: &Dynamic) -> Result<Call, ScriptError> {
    const SECOND: i64 = 1_000_000_000;
    let fds = pollfds("ppoll: fds", fds)?;
    let timeout = match ns.is_unit() {
        true => None,
        false => {
            let ns = args::word("ppoll: ns", ns)? as i64;
            Some((ns.div_euclid(SECOND), ns.rem_euclid(SECOND)))
        }
    };
    let mask = match mask.is_unit() {
        true => None,
        false => Some(args::signal_set("ppoll: mask", mask)?),
    };
    let words = [0, fds.len() as u64, 0, 0, 8];
    let payload = PollArgs { fds: fds.into(), timeout, mask };
    Ok(Call::with(nr("ppoll"), &words, Payload::Poll(Box::new(payload))))
}

/// What was found, entry by entry.
pub(super) fn revents(ret: i64, out: Out) -> Dynamic {
    let Out::Bytes(bytes) = out else { return ret.into() };
    let (fds, _) = bytes.as_chunks::<8>();
    let found = fds.iter().map(|b| {
        let bits = u64::from(u16::from_le_bytes([b[6], b[7]]));
        Dynamic::from(Flags { bits, kind: &kinds::POLL })
    });
    found.collect::<Array>().into()
}

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    functions! { book;
        /// Waits until a descriptor is ready, for so many milliseconds, -1 for
        /// ever (poll(2)). `fds` has descriptors, asked for POLLIN, or
        /// `[fd, POLLIN | POLLOUT]`; gives what was found, entry by entry.
        "poll(t: Task, fds: array, timeout: int) -> array" =>
            |ctx: Ctx, t: &mut Task, fds: Dynamic, ms: Dynamic| -> Raised<Dynamic> {
                let call = poll(&fds, &ms)?;
                door::call(&ctx, t, &[&fds, &ms], call, |_, ret, out| revents(ret, out))
            };
        /// The same with a time in ns and a set of signals that are blocked
        /// while it waits; `()` for no end, and for the mask it has (ppoll(2)).
        "ppoll(t: Task, fds: array, ns: any, mask: any) -> array" =>
            |ctx: Ctx, t: &mut Task, fds: Dynamic, ns: Dynamic, mask: Dynamic| -> Raised<Dynamic> {
                let call = ppoll(&fds, &ns, &mask)?;
                door::call(&ctx, t, &[&fds, &ns, &mask], call, |_, ret, out| revents(ret, out))
            };
    }
}
