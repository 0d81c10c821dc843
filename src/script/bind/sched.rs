//! The scheduler at work: giving tasks something to do, and letting the
//! scheduler choose for a while.
//!
//! Left out: the scheduler's system calls (`policy`); who runs in programs
//! (`program::run`).

use rhai::{Dynamic, INT};

use super::registry::{Book, Raised, functions};
use super::task::Task;
use super::trouble;
use super::world::Machine;
use crate::kernel::sched::work::{Phase, Work};
use crate::script::errors::ScriptError;
use rhai::NativeCallContext;

type Ctx<'a> = NativeCallContext<'a>;

/// Longest time for which the scheduler may choose in one go, s.
const MOST_S: u64 = 10;

/// A length of time: ns, or text as "5ms", "700us", "1.5s".
pub(super) fn duration(what: &str, value: &Dynamic) -> Result<u64, ScriptError> {
    let Ok(text) = value.clone().into_immutable_string() else {
        return match value.as_int() {
            Ok(ns) if ns >= 0 => Ok(ns as u64),
            _ => Err(ScriptError::usage(format!(
                "{what}: a length of time is a number of ns from 0 up, or text as \"5ms\""
            ))),
        };
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => 0,
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let number = |s: &str| if s.is_empty() { Some(0) } else { s.parse::<u64>().ok() };
    let scale = 10u64.checked_pow(part.len() as u32);
    let ns = number(whole).zip(number(part)).zip(scale).and_then(|((whole, part), scale)| {
        whole.checked_mul(unit)?.checked_add(part.checked_mul(unit)? / scale)
    });
    ns.filter(|_| unit > 0 && digits.starts_with(|c: char| c.is_ascii_digit())).ok_or_else(|| {
        ScriptError::usage(format!(
            "{what}: {text:?} is not a length of time such as \"5ms\", \"700us\" or \"1.5s\""
        ))
    })
}

fn set(t: &Task, work: Option<Work>) -> Raised<()> {
    let pid = t.pid();
    let able = t.field(|_, s| s.mm.is_some() && !s.is_dead())?;
    if !able {
        return Err(ScriptError::usage(format!("task {pid} has no user mode to work in")).into());
    }
    t.machine().write(|sys| sys.set_work(t.id(), work));
    Ok(())
}

/// Computes, then sleeps; `rounds` times, or for ever.
fn alternate(t: &Task, run: &Dynamic, sleep: &Dynamic, rounds: Option<u64>) -> Raised<()> {
    let run = duration("work: run", run)?;
    let sleep = duration("work: sleep", sleep)?;
    if run.max(sleep) == 0 {
        return Err(ScriptError::usage("work: a round must take some time").into());
    }
    set(t, Some(Work::new(vec![Phase::Run(run), Phase::Sleep(sleep)], rounds)))
}

fn run_for(ctx: &Ctx, m: &Machine, time: &Dynamic) -> Raised<()> {
    let ns = duration("run_for", time)?;
    if ns > MOST_S * 1_000_000_000 {
        let message = format!("run_for: at most {MOST_S} s at a time");
        return Err(ScriptError::usage(message).into());
    }
    m.mark_origin(ctx);
    let result = m.write(|sys| sys.run_for(ns));
    m.flush_console();
    let init = m.init();
    result.map_err(|e| trouble::error(ctx, &init, || "run_for".to_string(), e))?;
    Ok(())
}

/// Registers the functions.
pub(super) fn register(book: &mut Book, main: &Machine) {
    let m = main.clone();
    functions! { book;
        /// Gives a task so much to compute while the scheduler chooses (`run_for`): ns,
        /// or text as "5ms".
        "work(t: Task, run: int|string)" => |t: &mut Task, run: Dynamic| -> Raised<()> {
            set(t, Some(Work::new(vec![Phase::Run(duration("work: run", &run)?)], Some(1))))
        };
        /// Makes it compute and sleep (nanosleep(2)) by turns, for ever.
        "work(t: Task, run: int|string, sleep: int|string)" =>
            |t: &mut Task, run: Dynamic, sleep: Dynamic| alternate(t, &run, &sleep, None);
        /// Makes it compute and sleep by turns, so many times.
        "work(t: Task, run: int|string, sleep: int|string, times: int)" =>
            |t: &mut Task, run: Dynamic, sleep: Dynamic, times: INT| {
                alternate(t, &run, &sleep, Some(u64::try_from(times).unwrap_or(0)))
            };
        /// Makes it compute for ever.
        "spin(t: Task)" => |t: &mut Task| {
            set(t, Some(Work::new(vec![Phase::Run(u64::MAX)], None)))
        };
        /// Makes it compute for a time and then let others go first
        /// (sched_yield(2)), for ever.
        "work_and_yield(t: Task, run: int|string)" => |t: &mut Task, run: Dynamic| -> Raised<()> {
            let run = duration("work_and_yield: run", &run)?.max(1);
            set(t, Some(Work::new(vec![Phase::Run(run), Phase::Yield], None)))
        };
        /// Takes from a task what it has to do.
        "rest(t: Task)" => |t: &mut Task| set(t, None);
        /// Lets the scheduler choose for a length of time: those run that have work.
        "run_for(m: Machine, time: int|string)" =>
            |ctx: Ctx, m: &mut Machine, time: Dynamic| run_for(&ctx, m, &time);
        /// The same on the first machine.
        "run_for(time: int|string)" => move |ctx: Ctx, time: Dynamic| run_for(&ctx, &m, &time);
    }
}
