//! What belongs to a machine's programs besides the machine: what they have
//! written, where to stop, the lines of strace, states to go back to. A snapshot
//! of the machine holds it too.
//!
//! Left out: hooks, which are the script's and stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::kernel::mm::MmId;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::report::strace::{TraceOptions, Tracer};
use crate::script::bind::pending::Calls;
use crate::session::code::CodeEvent;
use crate::session::spawn::Streams;
use crate::session::watch::{WatchKind, Watches};
use crate::trace::Filter;

/// Most lines of strace that are kept; the oldest go first.
const MOST_LINES: usize = 50_000;
/// Most states kept to go back to; the oldest go first.
const MOST_PAST: usize = 256;

/// A program that `exec` has started.
#[derive(Clone)]
pub(in crate::script::bind) struct Program {
    /// Its first task.
    pub root: TaskId,
    /// That task's pid, which is the session of all that come from it.
    pub pid: i32,
    /// The outer ends of its standard streams.
    pub streams: Streams,
    /// What it has written so far.
    pub out: Rc<Vec<u8>>,
    /// The same of standard error.
    pub err: Rc<Vec<u8>>,
    /// Input that has had no room yet.
    pub input: Rc<Vec<u8>>,
    /// The input ends behind that.
    pub closing: bool,
}

/// Watched memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::script::bind) struct Watched {
    /// Whose.
    pub mm: MmId,
    /// First byte.
    pub addr: u64,
    /// How many.
    pub len: u64,
    /// What of an access counts.
    pub kind: WatchKind,
}

/// See the module.
#[derive(Clone, Default)]
pub(in crate::script::bind) struct CodeState {
    /// In the order of their start.
    pub programs: Vec<Program>,
    /// Breakpoints by address space.
    pub points: BTreeMap<MmId, BTreeSet<u64>>,
    /// Watched memory, and what was in it.
    pub watches: Watches,
    /// The same, to list it.
    pub watched: Vec<Watched>,
    /// Tasks that have been reported where they stand.
    pub reported: BTreeSet<TaskId>,
    tracer: Option<Tracer>,
    /// Lines of strace.
    pub lines: Rc<Vec<String>>,
    past: Vec<Rc<Past>>,
}

/// A state to go back to.
struct Past {
    system: System,
    calls: Calls,
    code: CodeState,
}

impl CodeState {
    /// Remembers the present.
    pub fn remember(&mut self, system: &System, calls: &Calls) {
        let code = CodeState { past: Vec::new(), ..self.clone() };
        if self.past.len() == MOST_PAST {
            self.past.remove(0);
        }
        let past = Past { system: system.clone(), calls: calls.clone(), code };
        self.past.push(Rc::new(past));
    }

    /// Forgets what was remembered last: nothing has happened since.
    pub fn forget(&mut self) {
        self.past.pop();
    }

    /// The state that was remembered last.
    pub fn go_back(&mut self) -> Option<(System, Calls, CodeState)> {
        let last = self.past.pop()?;
        let past = std::mem::take(&mut self.past);
        let code = CodeState { past, ..last.code.clone() };
        Some((last.system.clone(), last.calls.clone(), code))
    }

    /// Notes calls from here on, unless somebody else wants only a part of what
    /// the kernel notes. Gives the filter to put back.
    pub fn begin_trace(&mut self, sys: &mut System) -> Option<Filter> {
        let before = sys.log.filter().clone();
        match before {
            Filter::Matching(_) => return None,
            Filter::All => {}
            // What lies there is nobody's.
            _ => drop(sys.log.drain()),
        }
        // Each time anew: who has ended meanwhile has said so.
        let tracer = self.tracer.get_or_insert_with(|| Tracer::new(TraceOptions::default()));
        tracer.begin(sys);
        Some(before)
    }

    /// Something has happened.
    pub fn trace(&mut self, sys: &mut System, event: &CodeEvent) {
        if let Some(tracer) = &mut self.tracer {
            let lines = tracer.event(sys, event);
            if !lines.is_empty() {
                let all = Rc::make_mut(&mut self.lines);
                all.extend(lines);
                let over = all.len().saturating_sub(MOST_LINES);
                all.drain(..over);
            }
        }
    }

    /// Takes what programs have written, and gives them input. `true`: somebody
    /// got some.
    pub fn pump(&mut self, sys: &mut System) -> bool {
        let mut given = false;
        for p in &mut self.programs {
            let out = p.streams.take_stdout(sys);
            if !out.is_empty() {
                Rc::make_mut(&mut p.out).extend(out);
            }
            let err = p.streams.take_stderr(sys);
            if !err.is_empty() {
                Rc::make_mut(&mut p.err).extend(err);
            }
            if !p.input.is_empty() {
                let n = p.streams.put_stdin(sys, &p.input);
                if n > 0 {
                    Rc::make_mut(&mut p.input).drain(..n);
                    given = true;
                }
            }
            if p.input.is_empty() && p.closing {
                p.closing = false;
                // Init's descriptor is there unless a script closed it.
                given |= p.streams.close_stdin(sys).is_ok();
            }
        }
        given
    }

    /// Bytes written by all programs.
    pub fn written(&self) -> usize {
        self.programs.iter().map(|p| p.out.len() + p.err.len()).sum()
    }

    /// The breakpoints of a process that another one has made are the same.
    pub fn inherit(&mut self, sys: &System, task: TaskId) {
        let Some((child, _)) = sys.new_task_of(task) else { return };
        let mm_of = |t: TaskId| sys.kernel.tasks.get(t).and_then(|t| t.mm);
        if let (Some(from), Some(to)) = (mm_of(task), mm_of(child))
            && from != to
            && let Some(points) = self.points.get(&from).cloned()
        {
            self.points.insert(to, points);
        }
    }

    /// Address spaces that are gone have no stops.
    pub fn sweep(&mut self, sys: &System) {
        self.points.retain(|mm, _| sys.kernel.mms.contains(*mm));
        for w in self.watched.extract_if(.., |w| !sys.kernel.mms.contains(w.mm)) {
            self.watches.forget(w.mm);
        }
        self.reported.retain(|t| sys.kernel.tasks.get(*t).is_some());
    }
}
