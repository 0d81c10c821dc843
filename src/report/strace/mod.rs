//! System calls in the format of strace(1), for programs of machine code.
//!
//! ```text
//! let mut tracer = Tracer::new(TraceOptions { explain: true });
//! tracer.begin(&mut sys);                  // the kernel notes calls and signals
//! eprintln!("{}", tracer.started(&sys, spawned.task, &command));
//! let mut run = CodeRun::begin(&mut sys);
//! loop {
//!     let event = run.next(&mut sys)?;
//!     for line in tracer.event(&mut sys, &event) { eprintln!("{line}"); }
//!     ...                                   // streams, Idle, the end
//! }
//! for line in tracer.finish(&sys) { eprintln!("{line}"); }
//! eprint!("{}", tracer.summary());         // the table of strace -c
//! ```
//!
//! Every event goes to [`Tracer::event`], right after `next`: a call that is
//! announced has not been made yet then, and what it takes is still in memory.
//! A call's line comes when it returns; when another task has something to say
//! before, in two parts, as strace does it.
//!
//! ```text
//! peek, ctx          looking into memory
//! text, names        strings, words of flags
//! kind, table        what the arguments of each call are
//! special            calls that are printed by hand: clone, fileops, futex, prctl,
//!                    ptrace, ready; and what they print: signals, structs, termios
//! call, lines        one call's line; whose line it is
//! summary            counts
//! ```
//!
//! Nothing here touches the system but [`Tracer::begin`], which tells its log to
//! record calls, and [`Tracer::event`], which takes them out. No tracee knows:
//! unlike strace's, its calls are not interrupted by signals that it ignores.
//!
//! Linux: strace -f (6.x), ptrace(2). Left out: filters (`-e`), `-o`, `-s`, `-t`,
//! `-y`; sockets and System V IPC print their arguments in hex.

mod call;
mod clone;
mod ctx;
mod fileops;
mod futex;
mod kind;
mod lines;
mod names;
mod peek;
mod prctl;
mod ptrace;
mod ready;
mod signals;
mod special;
mod structs;
mod summary;
mod table;
mod termios;
mod text;
mod tracee;

pub use peek::{peek, peek_string, peek_up_to};
pub use summary::{Count, Summary};

use crate::abi::nr::syscall_number;
use crate::abi::structs::SigInfo;
use crate::kernel::entry::code::user_regs;
use crate::kernel::syscalls::{Call, Outcome};
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId};
use crate::session::code::CodeEvent;
use crate::session::spawn::Command;
use crate::trace::{Event, EventKind, Filter};
use ctx::Ctx;
use lines::Lines;
use std::collections::BTreeMap;
use tracee::{Fate, OpenCall, Tracee};

const SIGKILL: i32 = 9;
const NR_EXIT: u32 = 60;
const NR_EXIT_GROUP: u32 = 231;

/// What a trace shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceOptions {
    /// Behind a refused call stands which check of the kernel refused it, and
    /// behind the signal of a fault what the fault was.
    pub explain: bool,
}

/// Follows programs of machine code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracer {
    options: TraceOptions,
    tracees: BTreeMap<TaskId, Tracee>,
    lines: Lines,
    summary: Summary,
    /// Events of the log seen so far, where the log belongs to somebody else.
    seen: u64,
}

impl Tracer {
    /// A tracer that has seen nothing.
    pub fn new(options: TraceOptions) -> Tracer {
        Tracer { options, ..Tracer::default() }
    }

    /// Tells the kernel to note calls and signals, unless it notes everything
    /// already (a filter by words gives way), and looks who is there. Also to go on
    /// after a while without a trace.
    pub fn begin(&mut self, sys: &mut System) {
        if *sys.log.filter() != Filter::All {
            sys.log.set_filter(Filter::Calls);
            sys.log.drain();
        }
        self.seen = sys.log.dropped() + sys.log.events().len() as u64;
        for (task, t) in sys.kernel.tasks.iter().filter(|(_, t)| t.code && !t.is_dead()) {
            self.tracees.entry(task).or_insert_with(|| Tracee::new(t));
        }
    }

    /// The line of the execve(2) that a program was started with
    /// (`System::spawn`), before it has executed anything. The environment is shown where it lies in the new stack.
    pub fn started(&self, sys: &System, task: TaskId, command: &Command) -> String {
        let sp = user_regs(sys, task).sp;
        // argc, argv and a NULL lie below it.
        let below = 8 * (command.argv.len() as u64 + 2);
        clone::started(command, sp.wrapping_add(below))
    }

    /// Something happened: the lines that are complete now.
    pub fn event(&mut self, sys: &mut System, event: &CodeEvent) -> Vec<String> {
        let log = self.log(sys);
        let sys = &*sys;
        if !log.is_empty() {
            self.find_new(sys);
        }
        let mut last = None;
        for (i, e) in log.iter().enumerate() {
            if last.is_some_and(|pid| pid != e.pid) {
                // Who had its say before may have died of it.
                self.find_dead(sys, Some(e.pid));
            }
            last = Some(e.pid);
            self.logged(sys, e, &log[i + 1..], event);
        }
        if let CodeEvent::Call(task, call) = event {
            self.enter(sys, *task, call);
        }
        if !log.is_empty() || !matches!(event, CodeEvent::Ran(..)) {
            self.find_dead(sys, None);
        }
        self.lines.take()
    }

    /// The end of the trace: calls that have not returned.
    pub fn finish(&mut self, sys: &System) -> Vec<String> {
        self.find_dead(sys, None);
        self.lines.interrupt();
        self.lines.take()
    }

    /// Counts of the calls that have returned.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// A call is about to be made.
    pub fn enter(&mut self, sys: &System, task: TaskId, call: &Call) {
        self.find_new(sys);
        self.ignored(sys, task);
        self.open(sys, task, call.nr, call.args);
    }

    /// A call has returned.
    pub fn returned(&mut self, sys: &System, task: TaskId, outcome: &Outcome) {
        let why = outcome.error.as_ref().map(|e| e.why.to_string());
        self.close(sys, task, Some(outcome.ret), why);
    }

    /// Takes what happened out of the log, or reads it there.
    fn log(&mut self, sys: &mut System) -> Vec<Event> {
        if *sys.log.filter() == Filter::Calls {
            return sys.log.drain();
        }
        let from = self.seen.saturating_sub(sys.log.dropped()) as usize;
        self.seen = sys.log.dropped() + sys.log.events().len() as u64;
        sys.log.events().get(from..).unwrap_or_default().to_vec()
    }

    fn task(&self, pid: i32) -> Option<TaskId> {
        self.tracees.iter().find(|(_, t)| t.pid == pid).map(|(task, _)| *task)
    }

    /// `[pid 4] `, where there is more than one.
    fn prefix(&self, task: TaskId) -> String {
        match self.tracees.get(&task) {
            Some(t) if self.tracees.len() > 1 => format!("[pid {:5}] ", t.pid),
            _ => String::new(),
        }
    }

    /// Processes and threads that were made since.
    fn find_new(&mut self, sys: &System) {
        for (task, t) in sys.kernel.tasks.iter().filter(|(_, t)| t.code && !t.is_dead()) {
            if let Some(known) = self.tracees.get_mut(&task) {
                known.pid = t.pid;
                continue;
            }
            let pid = t.pid;
            self.tracees.insert(task, Tracee::new(t));
            self.lines.aside(format!("strace: Process {pid} attached"));
        }
    }

    /// Those that have died since; the one with pid `but` has more to say.
    fn find_dead(&mut self, sys: &System, but: Option<i32>) {
        let gone = |task: &TaskId| sys.kernel.tasks.get(*task).is_none_or(|t| t.is_dead());
        let dead: Vec<_> = self.tracees.keys().filter(|t| gone(t)).copied().collect();
        for task in dead {
            if self.tracees.get(&task).is_some_and(|t| Some(t.pid) == but) {
                continue;
            }
            self.close(sys, task, None, None);
            let fate = self.fate(sys, task);
            if let Fate::Killed(sig, _) = fate {
                let sent = self.tracees.get_mut(&task).and_then(|t| t.sent.remove(&sig));
                // A fatal signal kills a whole process as it is sent; a tracer
                // would see it delivered.
                if let Some(info) = sent.filter(|_| sig != SIGKILL) {
                    self.signal(task, &info, None);
                }
            }
            let prefix = self.prefix(task);
            self.lines.line(format!("{prefix}+++ {fate} +++"));
            self.tracees.remove(&task);
        }
    }

    fn fate(&self, sys: &System, task: TaskId) -> Fate {
        let Some(tracee) = self.tracees.get(&task) else { return Fate::Exited(0) };
        let heir = |(id, t): &(&TaskId, &Tracee)| **id != task && t.pid == tracee.pid;
        if let Some((_, t)) = self.tracees.iter().find(heir) {
            return Fate::Superseded(t.first_pid);
        }
        match sys.kernel.tasks.get(task) {
            Some(t) => Fate::of_code(t.exit_code),
            None => tracee.fate.unwrap_or(Fate::Exited(0)),
        }
    }

    /// A task has begun to say how it and its threads will end.
    fn note_fate(&mut self, task: TaskId, fate: Fate, group: bool) {
        let Some(tgid) = self.tracees.get(&task).map(|t| t.tgid) else { return };
        for (id, t) in &mut self.tracees {
            if *id == task || group && t.tgid == tgid && t.fate.is_none() {
                t.fate = Some(fate);
            }
        }
    }

    fn logged(&mut self, sys: &System, e: &Event, later: &[Event], event: &CodeEvent) {
        match &e.kind {
            EventKind::Syscall(name, args) => {
                let Some(task) = self.task(e.pid) else { return };
                // Announced, or woken and made once more: that is no news.
                if self.tracees.get(&task).is_some_and(|t| t.open.is_none())
                    && let Some(nr) = syscall_number(name)
                {
                    self.ignored(sys, task);
                    self.open(sys, task, nr, *args);
                }
            }
            EventKind::SyscallRet(_, ret) => {
                let Some(task) = self.task(e.pid) else { return };
                let why = match event {
                    CodeEvent::Returned(of, outcome) if *of == task => {
                        outcome.error.as_ref().map(|e| e.why.to_string())
                    }
                    _ => None,
                };
                let silent = self.dies_silently(sys, task, later);
                let ret = Some(*ret).filter(|_| !silent);
                self.close(sys, task, ret, why.filter(|_| ret.is_some_and(|r| r < 0)));
                self.ignored(sys, task);
            }
            EventKind::SignalGenerate { sig, pid, info } => {
                if let Some(t) = self.task(*pid).and_then(|t| self.tracees.get_mut(&t)) {
                    t.sent.insert(*sig, **info);
                }
            }
            EventKind::SignalIgnored { pid, info } => {
                if let Some(t) = self.task(*pid).and_then(|t| self.tracees.get_mut(&t)) {
                    t.ignored.push(**info);
                }
            }
            EventKind::SignalDeliver { sig, action, info } => {
                let Some(task) = self.task(e.pid) else { return };
                self.delivered(task, *sig, action, info.as_deref(), event);
            }
            _ => {}
        }
    }

    fn delivered(
        &mut self,
        task: TaskId,
        sig: i32,
        action: &str,
        info: Option<&SigInfo>,
        event: &CodeEvent,
    ) {
        if let Some(t) = self.tracees.get_mut(&task) {
            t.sent.remove(&sig);
        }
        let fatal = matches!(action, "terminate" | "core dump");
        let Some(info) = info else { return };
        let why = match event {
            CodeEvent::Fault(of, fault) if *of == task => Some(fault.why.as_str()),
            _ => None,
        };
        if sig != SIGKILL {
            self.signal(task, info, why);
        }
        if action == "stop" {
            let prefix = self.prefix(task);
            self.lines.line(format!("{prefix}--- stopped by {} ---", signals::signal(sig)));
        }
        if fatal {
            self.note_fate(task, Fate::Killed(sig, action == "core dump"), true);
        }
    }

    /// Whether a task is killed on its way out of a call without a word: a
    /// tracer does not see it return then.
    fn dies_silently(&self, sys: &System, task: TaskId, later: &[Event]) -> bool {
        let Some(pid) = self.tracees.get(&task).map(|t| t.pid) else { return false };
        let killed = |e: &Event| {
            let kill = EventKind::SignalDeliver { sig: SIGKILL, action: "terminate", info: None };
            e.pid == pid && e.kind == kill
        };
        later.iter().any(killed)
            && !matches!(self.fate(sys, task), Fate::Killed(sig, _) if sig != SIGKILL)
    }

    /// Signals that a task ignores, which a tracer sees none the less.
    fn ignored(&mut self, sys: &System, task: TaskId) {
        let Some(t) = self.tracees.get_mut(&task) else { return };
        let infos = std::mem::take(&mut t.ignored);
        let dies = sys.kernel.tasks.get(task).is_none_or(|t| t.flags.contains(PF::EXITING));
        for info in infos.iter().filter(|_| !dies) {
            self.signal(task, info, None);
        }
    }

    fn signal(&mut self, task: TaskId, info: &SigInfo, why: Option<&str>) {
        let (prefix, name) = (self.prefix(task), signals::signal(info.si_signo.number()));
        let why = self.because(why);
        self.lines.line(format!("{prefix}--- {name} {} ---{why}", signals::siginfo(info)));
    }

    /// The kernel's sentence, if it is wanted.
    fn because(&self, why: Option<&str>) -> String {
        why.filter(|_| self.options.explain).map_or_else(String::new, |w| format!(" # {w}"))
    }

    fn open(&mut self, sys: &System, task: TaskId, nr: u32, args: [u64; 6]) {
        let begun = call::begin(nr, &Ctx { sys, task, args, ret: None });
        let text = format!("{}{}", self.prefix(task), begun.text);
        let stime = sys.kernel.tasks.get(task).map_or(0, |t| t.stime);
        let Some(t) = self.tracees.get_mut(&task) else { return };
        t.open = Some(OpenCall { nr, args, said: begun.said, comma: begun.comma, stime });
        self.lines.begin(task, text);
        let code = Fate::Exited(args[0] as i32 & 0xff);
        match nr {
            NR_EXIT => self.note_fate(task, code, false),
            NR_EXIT_GROUP => self.note_fate(task, code, true),
            _ => {}
        }
    }

    /// The open call of a task, if there is one, has returned, or never will.
    fn close(&mut self, sys: &System, task: TaskId, ret: Option<i64>, why: Option<String>) {
        let Some(open) = self.tracees.get_mut(&task).and_then(|t| t.open.take()) else { return };
        let ctx = Ctx { sys, task, args: open.args, ret };
        let name = call::name(open.nr);
        let again = format!("{}<... {name} resumed>", self.prefix(task));
        let rest = match ret {
            Some(_) => call::rest(open.nr, &ctx, open.said, open.comma),
            None => String::new(),
        };
        let why = self.because(why.as_deref());
        self.lines.end(task, &again, &rest, &format!("{}{why}", call::result(open.nr, &ctx)));
        if ret.is_some() {
            let stime = sys.kernel.tasks.get(task).map_or(open.stime, |t| t.stime);
            let time = stime.saturating_sub(open.stime);
            self.summary.count(open.nr, &name, ctx.failed(), time);
        }
    }
}
