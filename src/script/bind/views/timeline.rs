//! `timeline()`: who ran when, while the scheduler chose. `rq(cpu)`: who is on a
//! processor's queues.
//!
//! Left out: drawing; that is `report`'s.

use rhai::{Array, Dynamic, INT};

use super::array;
use crate::report::rq::{RqRow, RqView};
use crate::report::timeline::{Stretch, Timeline, TimelineRow};
use crate::report::{rq, timeline, timeline_between};
use crate::script::bind::registry::{Book, Raised, functions, getters};
use crate::script::bind::world::Machine;
use crate::script::errors::ScriptError;

fn between(m: &Machine, from: INT, to: INT) -> Raised<Timeline> {
    match (u64::try_from(from), u64::try_from(to)) {
        (Ok(from), Ok(to)) if from <= to => Ok(m.read(|sys| timeline_between(sys, from, to))),
        _ => {
            Err(ScriptError::usage("timeline: times are ns, the first not after the second").into())
        }
    }
}

/// Registers the view.
pub(super) fn register(book: &mut Book, main: &Machine) {
    let (m, n) = (main.clone(), main.clone());
    book.prints::<Timeline>("Timeline");
    book.iterates::<Timeline>(|t| array(t.rows.clone()));
    book.shows::<TimelineRow>("TimelineRow", |r| format!("{} ran {} ns", r.pid, r.ran));
    book.shows::<Stretch>("Stretch", |s| {
        let what = if s.runs { "runs" } else { "waits" };
        format!("{what} on cpu {} from {} to {} ns", s.cpu, s.from, s.to)
    });
    functions! { book;
        /// Who ran when in the last run_for: # runs (or the processor's number),
        /// . waits.
        "timeline() -> Timeline" => move || m.read(timeline);
        /// The same between two times, ns since power-on.
        "timeline(from: int, to: int) -> Timeline" =>
            move |from: INT, to: INT| between(&n, from, to);
        /// Who ran when in a machine's last run_for.
        "timeline(m: Machine) -> Timeline" => |m: &mut Machine| m.read(timeline);
        /// The same between two times, ns since power-on.
        "timeline(m: Machine, from: int, to: int) -> Timeline" =>
            |m: &mut Machine, from: INT, to: INT| between(m, from, to);
        /// The row of a pid.
        "row(t: Timeline, pid: int) -> TimelineRow" =>
            |t: &mut Timeline, pid: INT| -> Raised<TimelineRow> {
                let found = t.rows.iter().find(|r| INT::from(r.pid) == pid).cloned();
                found.ok_or_else(|| {
                    ScriptError::usage(format!("pid {pid} neither ran nor waited")).into()
                })
            };
    }
    queues(book, main);
    getters! { book, Timeline;
        /// Begin, ns since power-on.
        "from: int" => |t: &mut Timeline| t.from as INT;
        /// End, ns.
        "to: int" => |t: &mut Timeline| t.to as INT;
        /// Those who ran or waited, by pid.
        "rows: array" => |t: &mut Timeline| array(t.rows.clone());
        /// The pids that ran, each time one was given a processor, in order.
        "order: array" => |t: &mut Timeline| -> Array {
            let all = t.rows.iter().flat_map(|r| r.stretches.iter().map(move |s| (s, r.pid)));
            let mut runs: Vec<_> = all.filter(|(s, _)| s.runs).collect();
            runs.sort_by_key(|(s, _)| (s.from, s.cpu));
            runs.into_iter().map(|(_, pid)| Dynamic::from(INT::from(pid))).collect()
        };
    }
    getters! { book, TimelineRow;
        /// Its pid.
        "pid: int" => |r: &mut TimelineRow| INT::from(r.pid);
        /// Its name.
        "command: string" => |r: &mut TimelineRow| r.command.clone();
        /// ns for which it ran.
        "ran: int" => |r: &mut TimelineRow| r.ran as INT;
        /// ns for which it could run and did not.
        "waited: int" => |r: &mut TimelineRow| r.waited as INT;
        /// Times it was given the processor.
        "times: int" => |r: &mut TimelineRow| r.times as INT;
        /// When it ran and waited.
        "stretches: array" => |r: &mut TimelineRow| array(r.stretches.clone());
    }
    getters! { book, Stretch;
        /// Begin, ns since power-on.
        "from: int" => |s: &mut Stretch| s.from as INT;
        /// End, ns.
        "to: int" => |s: &mut Stretch| s.to as INT;
        /// The processor.
        "cpu: int" => |s: &mut Stretch| INT::from(s.cpu);
        /// Whether it ran; else it waited.
        "runs: bool" => |s: &mut Stretch| s.runs;
    }
}

fn of_cpu(m: &Machine, cpu: INT) -> Raised<RqView> {
    let found = u32::try_from(cpu).ok().and_then(|cpu| m.read(|sys| rq(sys, cpu)));
    found.ok_or_else(|| ScriptError::usage(format!("there is no processor {cpu}")).into())
}

fn queues(book: &mut Book, main: &Machine) {
    let m = main.clone();
    book.prints::<RqView>("Rq");
    book.iterates::<RqView>(|q| array(q.rows.clone()));
    book.shows::<RqRow>("RqRow", |r| format!("{} {} {}", r.pid, r.policy, r.prio));
    functions! { book;
        /// A processor's run queues, those who go first at the top.
        "rq(cpu: int) -> Rq" => move |cpu: INT| of_cpu(&m, cpu);
        /// The same of another machine.
        "rq(m: Machine, cpu: int) -> Rq" => |m: &mut Machine, cpu: INT| of_cpu(m, cpu);
    }
    getters! { book, RqView;
        /// Tasks on the queues.
        "nr_running: int" => |q: &mut RqView| INT::from(q.nr_running);
        /// V, the fair class's virtual time, ns.
        "avg_vruntime: int" => |q: &mut RqView| q.avg_vruntime;
        /// The fair tasks' weights together.
        "load: int" => |q: &mut RqView| q.load as INT;
        /// The tasks.
        "rows: array" => |q: &mut RqView| array(q.rows.clone());
    }
    getters! { book, RqRow;
        /// Its pid.
        "pid: int" => |r: &mut RqRow| INT::from(r.pid);
        /// Its name.
        "command: string" => |r: &mut RqRow| r.command.clone();
        /// SCHED_*, without the prefix.
        "policy: string" => |r: &mut RqRow| r.policy.clone();
        /// Effective priority.
        "prio: int" => |r: &mut RqRow| INT::from(r.prio);
        /// Whether it runs now.
        "runs: bool" => |r: &mut RqRow| r.runs;
        /// What a fair task is owed, V - vruntime, ns; () for others.
        "lag: int" => |r: &mut RqRow| r.fair.map_or(Dynamic::UNIT, |f| f.3.into());
        /// Whether a fair task has had no more than its share; () for others.
        "eligible: bool" => |r: &mut RqRow| r.fair.map_or(Dynamic::UNIT, |f| f.4.into());
    }
}
