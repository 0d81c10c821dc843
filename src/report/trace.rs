//! Traces as text: the kernel functions passed, indented, with the script
//! line that caused them and the pid in whose context they ran.
//!
//! ```text
//! cow.rhai:12     1 | fork() {
//!                 1 |   kernel_clone() {
//!                 1 |     copy_process() {
//!                 1 |       copy_creds();
//!                 1 |     }
//!                 1 |   }
//!                 1 | } = 3
//! ```
//!
//! Linux: ftrace's function_graph tracer; strace for the call's own line.
//! Left out: durations; virtual time passes at entries only.

use super::text;
use crate::abi::{Errno, Signal};
use crate::kernel::syscalls::table;
use crate::trace::{Event, EventKind, Origin};
use serde::Serialize;
use std::fmt;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceLine {
    /// Script and line, `cow.rhai:12`; empty when no script line is behind it.
    pub place: String,
    /// Pid of the task in whose context it happened.
    pub pid: i32,
    /// Nesting depth.
    pub depth: usize,
    /// What happened.
    pub text: String,
}

/// A trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The lines in order.
    pub lines: Vec<TraceLine>,
}

/// Renders events. `source` names the source texts that origins refer to.
pub fn trace(events: &[Event], source: impl Fn(u32) -> String) -> Trace {
    let mut r = Renderer { source, lines: Vec::with_capacity(events.len()), open: Vec::new() };
    let mut i = 0;
    while i < events.len() {
        i += r.event(events, i);
    }
    Trace { lines: r.lines }
}

struct Renderer<F> {
    source: F,
    lines: Vec<TraceLine>,
    /// Functions entered and not left, and by whom.
    open: Vec<(&'static str, i32)>,
}

impl<F: Fn(u32) -> String> Renderer<F> {
    fn place(&self, o: Origin) -> String {
        if o.line == 0 { String::new() } else { format!("{}:{}", (self.source)(o.source), o.line) }
    }

    fn line(&mut self, e: &Event, text: String) {
        let place = self.place(e.origin);
        self.lines.push(TraceLine { place, pid: e.pid, depth: self.open.len(), text });
    }

    /// Renders the event at `i`; gives how many events that used up.
    fn event(&mut self, events: &[Event], i: usize) -> usize {
        let e = &events[i];
        let next = |n: usize| events.get(i + n).map(|e| &e.kind);
        match &e.kind {
            EventKind::Syscall(name, args) => {
                let call = format!("{name}({})", arguments(name, args));
                if next(1) == Some(&EventKind::Enter(name)) {
                    return 1 + self.enter(e, call, name, &events[i + 1..]);
                }
                self.line(e, call);
            }
            EventKind::Enter(name) => {
                return self.enter(e, format!("{name}()"), name, &events[i..]);
            }
            EventKind::Leave(name) => {
                let Some(depth) = self.open.iter().rposition(|(n, _)| n == name) else { return 1 };
                let (_, pid) = self.open[depth];
                self.open.truncate(depth);
                if let Some(EventKind::SyscallRet(n, ret)) = next(1)
                    && n == name
                {
                    self.line(e, format!("}} = {}", result(*ret)));
                    return 2;
                }
                // Who entered is dead and switched away from: the function
                // never returns.
                if pid == e.pid {
                    self.line(e, "}".to_string());
                }
            }
            EventKind::SyscallRet(name, ret) => self.line(e, format!("{name} = {}", result(*ret))),
            other => self.line(e, remark(other)),
        }
        1
    }

    /// A function begins; one in which nothing happens takes one line.
    /// `from` begins with its Enter.
    fn enter(&mut self, e: &Event, call: String, name: &'static str, from: &[Event]) -> usize {
        if from.get(1).map(|e| &e.kind) == Some(&EventKind::Leave(name)) {
            if let Some(EventKind::SyscallRet(n, ret)) = from.get(2).map(|e| &e.kind)
                && *n == name
            {
                self.line(e, format!("{call} = {}", result(*ret)));
                return 3;
            }
            self.line(e, format!("{call};"));
            return 2;
        }
        self.line(e, format!("{call} {{"));
        self.open.push((name, e.pid));
        1
    }
}

/// The arguments of a call with their names, as many as it takes.
fn arguments(name: &str, args: &[u64; 6]) -> String {
    let row = table::AREAS.iter().flat_map(|a| a.iter()).find(|r| r.name == name);
    let names = row.map_or(&[][..], |r| r.args);
    let words: Vec<_> =
        names.iter().zip(args).map(|(n, v)| format!("{n}={}", number(*v))).collect();
    words.join(", ")
}

/// Small numbers in decimal, signed; others in hex.
fn number(v: u64) -> String {
    match v as i64 {
        n @ -4096..=4095 => n.to_string(),
        _ => format!("{v:#x}"),
    }
}

fn result(ret: i64) -> String {
    let errno = i32::try_from(-ret).ok().filter(|n| (1..4096).contains(n));
    match errno.and_then(Errno::from_number) {
        Some(e) => format!("-{e}"),
        None => number(ret as u64),
    }
}

/// Events that are no calls, as ftrace writes them between the calls.
fn remark(kind: &EventKind) -> String {
    let signal = |n: i32| Signal::new(n).map_or_else(|| n.to_string(), |s| s.name());
    match kind {
        EventKind::Exception(what) => format!("/* {what} */"),
        EventKind::SchedSwitch { cpu, prev, next } => {
            format!("/* CPU {cpu} switches from {prev} to {next} */")
        }
        EventKind::SignalGenerate { sig, pid, .. } => {
            format!("/* {} sent to {pid} */", signal(*sig))
        }
        EventKind::SignalIgnored { pid, info } => {
            format!("/* {} sent to {pid}: ignored */", info.si_signo)
        }
        EventKind::SignalDeliver { sig, action, .. } => {
            format!("/* {} taken: {action} */", signal(*sig))
        }
        EventKind::Note(note) => format!("/* {note} */"),
        EventKind::Enter(name) | EventKind::Leave(name) => (*name).to_string(),
        EventKind::Syscall(name, _) => (*name).to_string(),
        EventKind::SyscallRet(name, ret) => format!("{name} = {}", result(*ret)),
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.lines.iter().map(|l| l.place.chars().count()).max().unwrap_or(0);
        let mut last = "";
        let lines = self.lines.iter().map(|l| {
            // A place is printed where it changes.
            let place = if l.place == last { "" } else { &l.place };
            last = &l.place;
            let indent = "  ".repeat(l.depth);
            let gap = if width > 0 { "  " } else { "" };
            format!("{place:width$}{gap}{:5} | {indent}{}", l.pid, l.text)
        });
        text::write_lines(f, lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::structs::SigInfo;

    fn events(kinds: Vec<(u32, EventKind)>) -> Vec<Event> {
        let origin = |line| Origin { source: 0, line, column: 1 };
        kinds
            .into_iter()
            .map(|(line, kind)| Event { time: 0, pid: 1, depth: 0, origin: origin(line), kind })
            .collect()
    }

    #[test]
    fn calls_are_nested_and_leaves_take_one_line() {
        use EventKind::*;
        let sigterm = Box::new(SigInfo::kernel(Signal::SIGTERM));
        let log = events(vec![
            (3, Syscall("kill", [7, 15, 0, 0, 0, 0])),
            (3, Enter("kill")),
            (3, Enter("find_task")),
            (3, Leave("find_task")),
            (3, SignalGenerate { sig: 15, pid: 7, info: sigterm }),
            (3, Leave("kill")),
            (3, SyscallRet("kill", -1)),
            (4, Syscall("getpid", [0; 6])),
            (4, Enter("getpid")),
            (4, Leave("getpid")),
            (4, SyscallRet("getpid", 1)),
            (0, Leave("never entered")),
        ]);
        let text = trace(&log, |_| "k.rhai".to_string()).to_string();
        let want = "\
k.rhai:3      1 | kill(pid=7, sig=15) {
              1 |   find_task();
              1 |   /* SIGTERM sent to 7 */
              1 | } = -EPERM
k.rhai:4      1 | getpid() = 1";
        assert_eq!(text, want);
    }

    #[test]
    fn what_never_returns_is_not_closed() {
        use EventKind::*;
        let mut log = events(vec![
            (1, Enter("do_exit")),
            (1, SchedSwitch { cpu: 0, prev: 1, next: 0 }),
            (1, Leave("do_exit")),
            (2, Enter("settle")),
            (2, Leave("settle")),
        ]);
        log.iter_mut().skip(2).for_each(|e| e.pid = 0);
        let text = trace(&log, |_| "x".to_string()).to_string();
        let want = "\
x:1      1 | do_exit() {
         1 |   /* CPU 0 switches from 1 to 0 */
x:2      0 | settle();";
        assert_eq!(text, want);
    }
}
