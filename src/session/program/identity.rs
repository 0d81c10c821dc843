//! By what two programs are the same: their functions and what these were told.
//!
//! A tape is hashed as it grows, so that asking costs nothing. Times are not
//! told apart: an answer that only differs in CPU time is the same answer.
//!
//! Two tapes that lead to the same place in a function with the same variables
//! are the same too, where the interpreter knows places (`Tape::arrives`).
//!
//! Linux: none. Left out: variables that are not used any more.

use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

use super::{Answer, Body, Frame, Programs};
use crate::base::Mixer;
use crate::kernel::syscalls::Out;
use crate::kernel::task::TaskId;

/// Hashes what a value prints, without making the text.
#[derive(Debug)]
pub struct Printed<'h, H>(pub &'h mut H);

impl<H: Hasher> Write for Printed<'_, H> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0.write(s.as_bytes());
        Ok(())
    }
}

/// The hash of a tape with one more answer.
pub fn extend(digest: u64, question: u64, answer: &Answer) -> u64 {
    let mut h = Mixer::default();
    (digest, question).hash(&mut h);
    match answer {
        Answer::Returned(ret, out) => {
            (0u8, ret).hash(&mut h);
            out_of(out, &mut h);
        }
        Answer::Refused(e) => {
            (1u8, e.errno as i32, &e.why).hash(&mut h);
        }
    }
    h.finish()
}

/// What a call stored.
fn out_of(out: &Out, h: &mut impl Hasher) {
    match out {
        Out::None => 0u8.hash(h),
        Out::Wait(info) => {
            (info.pid, info.status, info.si_code, info.si_status, info.uid).hash(h);
        }
        // CPU times and counters.
        Out::Rusage(_) => 1u8.hash(h),
        Out::SigInfo(info) => {
            let mut info = **info;
            (info.si_utime, info.si_stime) = (0, 0);
            printed(&info, h);
        }
        other => printed(other, h),
    }
}

/// Hashes what a value prints.
pub fn printed(value: &impl fmt::Debug, h: &mut impl Hasher) {
    write!(Printed(h), "{value:?}").expect("hashing does not fail");
    0xffu8.hash(h);
}

impl Programs {
    /// Tells where the functions are that were told something since: `place`
    /// says it of the top frame of a body, if it can. Afterwards programs whose
    /// functions are at the same places are the same.
    pub fn arrive(&mut self, mut place: impl FnMut(&Body) -> Option<u64>) {
        let moved = |(_, body): &(&TaskId, &mut Body)| !body.top().tape.is_placed();
        for (_, body) in self.bodies.iter_mut().filter(moved) {
            let at = place(body);
            if let Some(top) = body.frames.last_mut() {
                top.tape.arrives(at);
            }
        }
    }
}

impl Body {
    /// Hash of what decides what it will ask: equal bodies ask the same.
    pub fn digest(&self) -> u64 {
        self.digest_with(self.top().tape.digest())
    }

    /// The same with another digest of the top frame's tape.
    pub fn digest_with(&self, top: u64) -> u64 {
        let Body { number, pid, frames, thread, mask } = self;
        let mut h = Mixer::default();
        (number, pid, thread, mask, frames.len()).hash(&mut h);
        // What a frame has begun with is part of its tape's digest.
        let last = frames.len().wrapping_sub(1);
        for (i, Frame { start: _, tape, handler_sp, waits }) in frames.iter().enumerate() {
            let digest = if i == last { top } else { tape.digest() };
            (digest, handler_sp).hash(&mut h);
            waits.as_ref().map(|w| (w.question, &w.child, w.execs)).hash(&mut h);
        }
        h.finish()
    }
}
