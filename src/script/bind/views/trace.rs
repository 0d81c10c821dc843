//! `trace(|| …)`: what the kernel did while a closure ran, with the script
//! line behind each event; and `invariants()`, the kernel recounted.
//!
//! Left out: `--trace` of the command line, which records a whole run.

use rhai::{Array, Dynamic, FnPtr, INT, ImmutableString, NativeCallContext};

use super::array;
use crate::kernel::check::{Scope, differences, invariants};
use crate::report::trace;
use crate::report::trace::{Trace, TraceLine};
use crate::script::bind::machine::Saved;
use crate::script::bind::registry::{Book, Raised, functions, getters};
use crate::script::bind::world::Machine;
use crate::script::errors::ScriptError;
use crate::trace::{Event, EventKind, Filter};

/// What was recorded.
#[derive(Clone)]
struct Traced {
    events: Vec<Event>,
    drawn: Trace,
    value: Dynamic,
}

impl std::fmt::Display for Traced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.drawn.fmt(f)
    }
}

impl Traced {
    /// The kernel functions entered, in order.
    fn functions(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.events.iter().filter_map(|e| match e.kind {
            EventKind::Enter(name) => Some(name),
            _ => None,
        })
    }
}

/// Runs a closure with everything recorded. What it records is also kept for
/// whoever records the whole run.
fn record(ctx: &NativeCallContext, machine: &Machine, f: &FnPtr, filter: Filter) -> Raised<Traced> {
    let before = machine.write(|sys| sys.log.filter().clone());
    machine.keep_events();
    machine.write(|sys| sys.log.set_filter(filter));
    let result = f.call_within_context::<Dynamic>(ctx, ());
    let events = machine.write(|sys| {
        let events = sys.log.drain();
        sys.log.set_filter(before.clone());
        events
    });
    if before != Filter::Off {
        machine.keep(&events);
    }
    let value = result?;
    let name = |number| machine.source_title(number);
    let drawn = trace(&events, name);
    Ok(Traced { events, drawn, value })
}

/// Everything that does not add up, in sentences.
fn violations(machine: &Machine) -> Array {
    let found = machine.read(|sys| invariants(sys).err().unwrap_or_default());
    found.into_iter().map(|v| v.to_string().into()).collect()
}

/// What differs between a state and now, in sentences.
fn differing(machine: &Machine, before: &Saved) -> Raised<Array> {
    if !before.is_of(machine) {
        return Err(ScriptError::usage("the snapshot was taken of another machine").into());
    }
    let found = machine.read(|sys| differences(before.system(), sys, Scope::Failed));
    Ok(found.into_iter().map(Into::into).collect())
}

/// Registers the functions.
pub(super) fn register(book: &mut Book, main: &Machine) {
    let (m, named, recounted) = (main.clone(), main.clone(), main.clone());
    functions! { book;
        /// Runs a closure and records what the kernel does meanwhile:
        /// `trace(|| init.fork())`.
        "trace(f: closure) -> Trace" => move |ctx: NativeCallContext, f: FnPtr| {
            record(&ctx, &m, &f, Filter::All)
        };
        /// Records only kernel functions with this in their names, and what they
        /// call.
        "trace(name: string, f: closure) -> Trace" =>
            move |ctx: NativeCallContext, name: ImmutableString, f: FnPtr| {
                record(&ctx, &named, &f, Filter::Matching(vec![name.to_string()]))
            };
        /// Recounts every reference from its holders; gives what does not add
        /// up, so nothing when all is well.
        "invariants() -> array" => move || violations(&recounted);
        /// The same on a machine.
        "trace(m: Machine, f: closure) -> Trace" =>
            |ctx: NativeCallContext, m: &mut Machine, f: FnPtr| record(&ctx, m, &f, Filter::All);
        /// Recounts a machine.
        "invariants(m: Machine) -> array" => |m: &mut Machine| violations(m);
        /// What differs now from a snapshot, in sentences; what a failed call
        /// leaves behind in Linux too is not mentioned.
        "differences(m: Machine, before: Snapshot) -> array" =>
            |m: &mut Machine, before: Saved| differing(m, &before);
        /// The number of lines.
        "len(t: Trace) -> int" => |t: &mut Traced| t.drawn.lines.len() as INT;
        /// Whether a kernel function was entered; also written `"copy_mm" in t`.
        "contains(t: Trace, name: string) -> bool" => |t: &mut Traced, name: ImmutableString| {
            t.functions().any(|f| f == name.as_str())
        };
        /// How often a kernel function was entered.
        "count(t: Trace, name: string) -> int" => |t: &mut Traced, name: ImmutableString| {
            t.functions().filter(|f| *f == name.as_str()).count() as INT
        };
    }
    book.prints::<Traced>("Trace");
    book.iterates::<Traced>(|t| array(t.drawn.lines.clone()));
    getters! { book, Trace;
        /// The kernel functions entered, in order.
        "functions: array" => |t: &mut Traced| -> Array {
            t.functions().map(|name| name.into()).collect()
        };
        /// What the closure returned.
        "value: any" => |t: &mut Traced| t.value.clone();
        /// The lines as drawn.
        "lines: array" => |t: &mut Traced| array(t.drawn.lines.clone());
    }
    book.shows::<TraceLine>("TraceLine", |l| l.text.clone());
    getters! { book, TraceLine;
        /// What happened.
        "text: string" => |l: &mut TraceLine| l.text.clone();
        /// Pid of the task in whose context it happened.
        "pid: int" => |l: &mut TraceLine| INT::from(l.pid);
        /// Nesting depth.
        "depth: int" => |l: &mut TraceLine| l.depth as INT;
        /// Script and line behind it.
        "place: string" => |l: &mut TraceLine| l.place.clone();
    }
}
