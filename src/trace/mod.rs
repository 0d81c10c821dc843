//! One enum of events, one log: what the kernel did, in order, and the script
//! line that made it do so.
//!
//! Linux: ftrace's function graph and the tracepoints sched_*, signal_*,
//! exceptions:page_fault_user, raw_syscalls:*.
//! Left out: anything when tracing is off; the log then stays empty.

use crate::abi::structs::SigInfo;

/// The script position that caused an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// Number of the source text, as the script layer numbers them.
    pub source: u32,
    /// 1-based line; 0 when no script line is involved.
    pub line: u32,
    /// 1-based column.
    pub column: u32,
}

/// Which events are recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Filter {
    /// Nothing.
    #[default]
    Off,
    /// Everything.
    All,
    /// What strace(1) shows: system calls, and signals sent and taken.
    Calls,
    /// Functions whose name contains one of these, with all that happens in
    /// them, and events whose kind is named.
    Matching(Vec<String>),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// A kernel function was entered.
    Enter(&'static str),
    /// It returned.
    Leave(&'static str),
    /// A system call began: name and the six argument registers.
    Syscall(&'static str, [u64; 6]),
    /// It ended with this in RAX.
    SyscallRet(&'static str, i64),
    /// The processor raised an exception, in words.
    Exception(String),
    /// A processor switched from one task to another (pids).
    SchedSwitch {
        /// Processor number.
        cpu: u32,
        /// Pid of the task that left.
        prev: i32,
        /// Pid of the task that came.
        next: i32,
    },
    /// A signal was queued for a task.
    SignalGenerate {
        /// Signal number.
        sig: i32,
        /// Receiver.
        pid: i32,
        /// What it carries.
        info: Box<SigInfo>,
    },
    /// A signal was dropped where it was sent: its receiver ignores it, or
    /// dies already. [`Filter::Calls`] alone records it: a tracer would see it.
    SignalIgnored {
        /// Receiver.
        pid: i32,
        /// What it carries.
        info: Box<SigInfo>,
    },
    /// A signal was taken by a task.
    SignalDeliver {
        /// Signal number.
        sig: i32,
        /// What was done, in a word.
        action: &'static str,
        /// What it carries; nothing when a task dies because its process does.
        info: Option<Box<SigInfo>>,
    },
    /// Something worth a sentence.
    Note(String),
}

impl EventKind {
    /// Whether [`Filter::Calls`] wants it.
    fn is_of_calls(&self) -> bool {
        matches!(
            self,
            EventKind::Syscall(..)
                | EventKind::SyscallRet(..)
                | EventKind::SignalGenerate { .. }
                | EventKind::SignalIgnored { .. }
                | EventKind::SignalDeliver { .. }
        )
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Virtual time in ns.
    pub time: u64,
    /// Pid of the task in whose context it happened.
    pub pid: i32,
    /// Nesting depth of kernel functions.
    pub depth: u16,
    /// The script line behind it.
    pub origin: Origin,
    /// What happened.
    pub kind: EventKind,
}

/// Most events kept; beyond it the oldest half is dropped and counted.
const MAX_EVENTS: usize = 1 << 20;

/// The log of a system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    filter: Filter,
    events: Vec<Event>,
    dropped: u64,
    depth: u16,
    /// Depth at which a matching function was entered (filtered logging).
    inside: Option<u16>,
    /// The script line now being executed.
    pub origin: Origin,
    /// Virtual time in ns, kept by the kernel at each entry.
    pub time: u64,
    /// Pid of the current task, kept by the kernel at each switch.
    pub pid: i32,
}

impl Log {
    /// Chooses what is recorded from now on.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        self.inside = None;
    }

    /// What is recorded.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether anything is recorded; test it before building an event.
    #[inline]
    pub fn on(&self) -> bool {
        self.filter != Filter::Off
    }

    /// A kernel function begins.
    #[inline]
    pub fn enter(&mut self, name: &'static str) {
        if self.on() {
            if self.inside.is_none()
                && let Filter::Matching(names) = &self.filter
                && names.iter().any(|n| name.contains(n.as_str()))
            {
                self.inside = Some(self.depth);
            }
            self.push(EventKind::Enter(name));
            self.depth = self.depth.saturating_add(1);
        }
    }

    /// A kernel function ends.
    #[inline]
    pub fn leave(&mut self, name: &'static str) {
        if self.on() {
            self.depth = self.depth.saturating_sub(1);
            self.push(EventKind::Leave(name));
            if self.inside == Some(self.depth) {
                self.inside = None;
            }
        }
    }

    /// Records an event, if the filter wants it.
    pub fn push(&mut self, kind: EventKind) {
        let wanted = match &self.filter {
            Filter::Off => false,
            // ftrace's picture of a call has no place for what came to nothing.
            Filter::All => !matches!(kind, EventKind::SignalIgnored { .. }),
            Filter::Calls => kind.is_of_calls(),
            Filter::Matching(_) => self.inside.is_some(),
        };
        if !wanted {
            return;
        }
        if self.events.len() >= MAX_EVENTS {
            self.events.drain(..MAX_EVENTS / 2);
            self.dropped += (MAX_EVENTS / 2) as u64;
        }
        self.events.push(Event {
            time: self.time,
            pid: self.pid,
            depth: self.depth,
            origin: self.origin,
            kind,
        });
    }

    /// The events so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Takes the events out of the log.
    pub fn drain(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Number of events that were dropped because the log was full.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Kernel functions are entered anew from the outside: depth 0.
    pub fn reset_depth(&mut self) {
        self.depth = 0;
        self.inside = None;
    }
}

/// Calls a kernel function and records its entry and return:
/// `traced!(sys, copy_files(flags, p))` is `copy_files(sys, flags, p)`.
#[macro_export]
macro_rules! traced {
    ($sys:expr, $($path:ident)::+ ( $($arg:expr),* $(,)? )) => {{
        const NAME: &str = $crate::trace::last_segment(stringify!($($path)::+));
        $sys.log.enter(NAME);
        let result = $($path)::+($sys, $($arg),*);
        $sys.log.leave(NAME);
        result
    }};
}

/// The name after the last `::` of a path as `stringify!` prints it.
#[doc(hidden)]
pub const fn last_segment(path: &'static str) -> &'static str {
    let bytes = path.as_bytes();
    let mut i = bytes.len();
    while i > 0 {
        if bytes[i - 1] == b':' || bytes[i - 1] == b' ' {
            let (_, tail) = path.split_at(i);
            return tail;
        }
        i -= 1;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_keeps_what_happens_inside_a_matching_function() {
        let mut log = Log::default();
        log.enter("unseen");
        log.set_filter(Filter::Matching(vec!["copy_mm".into()]));
        log.enter("copy_files");
        log.leave("copy_files");
        log.enter("copy_mm");
        log.enter("dup_mm");
        log.push(EventKind::Note("here".into()));
        log.leave("dup_mm");
        log.leave("copy_mm");
        log.enter("copy_thread");
        let names: Vec<_> = log.events().iter().map(|e| (e.depth, e.kind.clone())).collect();
        assert_eq!(
            names,
            [
                (0, EventKind::Enter("copy_mm")),
                (1, EventKind::Enter("dup_mm")),
                (2, EventKind::Note("here".into())),
                (1, EventKind::Leave("dup_mm")),
                (0, EventKind::Leave("copy_mm")),
            ]
        );
    }

    #[test]
    fn last_segment_drops_the_path() {
        assert_eq!(last_segment("mm::fork::dup_mm"), "dup_mm");
        assert_eq!(last_segment("dup_mm"), "dup_mm");
    }
}
