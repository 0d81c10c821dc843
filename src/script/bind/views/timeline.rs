//! `timeline()`: who ran when, while the scheduler chose.
//!
//! Left out: drawing; that is `report`'s.

use rhai::{Array, Dynamic, INT};

use super::array;
use crate::report::timeline::{Stretch, Timeline, TimelineRow};
use crate::report::{timeline, timeline_between};
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
