//! Packets that gdbstub does not know, and what there is to learn from those that
//! it does.
//!
//! ```text
//! answered here     qfThreadInfo, qXfer:threads, qXfer:siginfo; D of one process of several
//! learned from      Hg, vCont (which process), qSupported (what gdb understands)
//! ```
//!
//! gdbstub knows threads of one process. Here they may be of several, between a
//! fork and what gdb makes of it.
//!
//! Source: the manual of gdb, appendix E. Left out: vFile; QPassSignals.

use super::target::Program;
use super::wire::{Amend, Writer};
use crate::kernel::ptrace::outside;
use crate::kernel::signal::frame::siginfo_bytes;
use crate::kernel::task::TaskId;
use std::collections::BTreeSet;
use std::fmt::Write;

/// What gdb has told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    /// Packets are not acknowledged any more.
    pub no_ack: bool,
    /// Thread numbers have pids.
    pub multiprocess: bool,
    /// It wants to hear of fork and vfork.
    pub forks: bool,
    /// It wants to hear of execve.
    pub execs: bool,
}

/// What is to be done with a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// gdbstub answers.
    Pass,
    /// This is the answer.
    Reply(Vec<u8>),
}

/// What we can do, and gdbstub does not say.
const FEATURES: &str = ";qXfer:threads:read+;qXfer:siginfo:read+;exec-events+";

impl Client {
    /// Looks at a packet before gdbstub does.
    pub fn look(&mut self, p: &mut Program<'_>, writer: &mut Writer, body: &[u8]) -> Verdict {
        let Ok(text) = std::str::from_utf8(body) else { return Verdict::Pass };
        if let Some(features) = text.strip_prefix("qSupported:") {
            let has = |name: &str| features.split(';').any(|f| f == name);
            self.multiprocess = has("multiprocess+");
            self.forks = has("fork-events+") && self.multiprocess;
            self.execs = has("exec-events+");
            writer.amend = Some(Amend::Append(FEATURES.to_string()));
        } else if let Some(thread) = text.strip_prefix("Hg") {
            if let Some(pid) = pid_of(thread) {
                p.general = pid;
            } else if let Some(task) = tid_of(thread).and_then(|t| p.debugger.task(p.sys, t)) {
                p.general = p.sys.task(task).tgid;
            }
        } else if let Some(actions) = text.strip_prefix("vCont;") {
            p.resumed = resumed(actions);
        } else if text == "qfThreadInfo" {
            let all: Vec<String> = self.threads(p).map(|t| self.name(p, t)).collect();
            return Verdict::Reply(format!("m{}", all.join(",")).into_bytes());
        } else if let Some(range) = text.strip_prefix("qXfer:threads:read::") {
            return Verdict::Reply(chunk(self.thread_list(p).as_bytes(), range));
        } else if let Some(range) = text.strip_prefix("qXfer:siginfo:read::") {
            let task = p.debugger.last_task();
            return Verdict::Reply(match outside::held(p.sys, task) {
                Some(info) => chunk(&siginfo_bytes(&info), range),
                None => b"E01".to_vec(),
            });
        } else if let Some(pid) = text.strip_prefix("D;").and_then(hex) {
            let last = p.debugger.processes().all(|other| other == pid);
            p.debugger.detach(p.sys, pid);
            if !last {
                let mut others = p.debugger.processes();
                if p.focus == pid {
                    p.focus = others.next().unwrap_or(pid);
                    p.general = p.focus;
                }
                return Verdict::Reply(b"OK".to_vec());
            }
        } else if text == "QStartNoAckMode" {
            // The reply to this one is still acknowledged.
            self.no_ack = true;
        }
        Verdict::Pass
    }

    fn threads<'p>(&self, p: &'p Program<'_>) -> impl Iterator<Item = TaskId> + 'p {
        p.debugger.processes().flat_map(|pid| p.debugger.tasks(p.sys, pid))
    }

    /// A thread's number for the protocol.
    pub fn name(&self, p: &Program<'_>, task: TaskId) -> String {
        let t = p.sys.task(task);
        match self.multiprocess {
            true => format!("p{:x}.{:x}", t.tgid, t.pid),
            false => format!("{:x}", t.pid),
        }
    }

    fn thread_list(&self, p: &Program<'_>) -> String {
        let mut xml = String::from("<?xml version=\"1.0\"?>\n<threads>\n");
        for task in self.threads(p) {
            let t = p.sys.task(task);
            let _ = writeln!(
                xml,
                "<thread id=\"{}\" core=\"{}\" name=\"{}\">{}</thread>",
                self.name(p, task),
                t.cpu,
                escape(&t.comm()),
                state(p, task),
            );
        }
        xml + "</threads>\n"
    }
}

/// What a task is doing, for `info threads`.
fn state(p: &Program<'_>, task: TaskId) -> String {
    let t = p.sys.task(task);
    let call = t.resume.as_ref().and_then(|r| crate::abi::nr::syscall_name(r.call.nr.into()));
    match call {
        Some(name) => format!("{} in {name}", t.state_char()),
        None => t.state_char().to_string(),
    }
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

fn hex(text: &str) -> Option<i32> {
    i32::from_str_radix(text, 16).ok()
}

/// The pid in `pPID.TID`.
fn pid_of(thread: &str) -> Option<i32> {
    hex(thread.strip_prefix('p')?.split('.').next()?).filter(|pid| *pid > 0)
}

/// The number of a thread without a pid.
fn tid_of(thread: &str) -> Option<i32> {
    hex(thread).filter(|tid| *tid > 0)
}

/// Which processes a vCont is about; none: all.
fn resumed(actions: &str) -> BTreeSet<i32> {
    let mut pids = BTreeSet::new();
    for action in actions.split(';') {
        match action.split_once(':').map(|(_, thread)| pid_of(thread)) {
            Some(Some(pid)) => {
                pids.insert(pid);
            }
            _ => return BTreeSet::new(),
        }
    }
    pids
}

/// Part of an object, as qXfer wants it: `offset,length`.
fn chunk(object: &[u8], range: &str) -> Vec<u8> {
    let parse = |text: &str| usize::from_str_radix(text, 16).ok();
    let Some((from, len)) = range.split_once(',').and_then(|(a, b)| Some((parse(a)?, parse(b)?)))
    else {
        return b"E00".to_vec();
    };
    let from = from.min(object.len());
    let end = from.saturating_add(len).min(object.len());
    let mut out = vec![if end == object.len() { b'l' } else { b'm' }];
    for b in &object[from..end] {
        match b {
            b'#' | b'$' | b'}' | b'*' => out.extend([b'}', b ^ 0x20]),
            b => out.push(*b),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on() {
        assert_eq!(resumed("c:p5.-1"), BTreeSet::from([5]));
        assert_eq!(resumed("s:p5.6;c:p5.-1"), BTreeSet::from([5]));
        assert_eq!(resumed("s:p5.6;c"), BTreeSet::new());
        assert_eq!(resumed("c:-1"), BTreeSet::new());
    }

    #[test]
    fn objects_in_parts() {
        assert_eq!(chunk(b"abc", "0,2"), b"mab");
        assert_eq!(chunk(b"ab#", "2,ff"), [b'l', b'}', 3]);
        assert_eq!(chunk(b"abc", "9,1"), b"l");
        assert_eq!(chunk(b"abc", "x"), b"E00");
    }
}
