//! Values that were raised: refused calls, failed assertions, waiting tasks,
//! broken kernels, whatever a script throws, and orders to stop.
//!
//! Left out: errors of the language; see the siblings.

use std::sync::Arc;

use rhai::{Dynamic, Map};

use super::super::control::Stop;
use super::super::diagnostic::{KernelReason, Report, Severity};
use super::super::errors::{AssertFail, BlockedUse, Fault, ScriptError};
use super::super::source::{Source, Sources};
use super::super::span::{self, Extent};
use super::super::value::show;
use super::{Place, shorten};
use crate::kernel::Oops;

/// The report for a thrown value.
pub(super) fn thrown(place: &Place, value: &Dynamic) -> Report {
    if let Some(error) = value.read_lock::<ScriptError>() {
        return raised(place, &error);
    }
    if let Some(stop) = value.read_lock::<Stop>() {
        return self::stop(&stop);
    }
    let message = match value.read_lock::<Map>() {
        // What a script catches from Rhai itself and throws again.
        Some(map) if map.contains_key("error") && map.contains_key("message") => {
            map["message"].to_string()
        }
        _ if value.is_string() => value.to_string(),
        _ => format!("thrown: {}", show(place.ctx.engine, value)),
    };
    place.report("forkyard::thrown", message, Extent::Statement, "thrown here")
}

fn raised(place: &Place, error: &ScriptError) -> Report {
    let with_help = |code, message: &str, help: &Option<String>| {
        let report = place.report(code, message, Extent::Operand, "");
        match help {
            Some(help) => report.help(help.clone()),
            None => report,
        }
    };
    match error {
        ScriptError::Refused(reason) => refused(place, reason),
        ScriptError::Blocked(blocked) => waiting(place, blocked),
        ScriptError::Fault(fault) => faulted(place, fault),
        ScriptError::Oops(oops) => broken(place, oops),
        ScriptError::Assert(fail) => assertion(place.ctx.control.sources(), fail),
        ScriptError::Import { message, help } => with_help("forkyard::import", message, help),
        ScriptError::Unsupported { help, .. } => {
            with_help("forkyard::unsupported", &error.to_string(), help)
        }
        ScriptError::Usage { message, help } => with_help("forkyard::usage", message, help),
        ScriptError::Language { message, .. } => {
            place.report("forkyard::thrown", message, Extent::Statement, "thrown here")
        }
        ScriptError::Limit { help, .. } => with_help("forkyard::limit", &error.to_string(), help),
    }
}

fn refused(place: &Place, reason: &KernelReason) -> Report {
    let label = format!("{}: {}", reason.errno, reason.errno.text());
    let mut report = place.report("forkyard::refused", reason.sentence(), Extent::Operand, label);
    report.kernel = Some(reason.clone());
    report
}

fn waiting(place: &Place, blocked: &BlockedUse) -> Report {
    let message = format!(
        "task {} is waiting in {} and cannot {} now",
        blocked.task, blocked.call, blocked.wanted
    );
    let mut report = place
        .report("forkyard::waiting", message, Extent::Operand, "used here")
        .note(format!("it waits for {}", blocked.waits_for));
    if let Some((name, pos)) = &blocked.since
        && let Some(source) = place.ctx.control.sources().get(name)
    {
        let at = shorten(&source, span::at(&source, *pos, Extent::Operand));
        if source.name() == place.source.name() {
            report = report.label(at, "waiting since this call");
        } else {
            let since = Report::error("forkyard::waiting", "waiting since this call");
            let since = since.severity(Severity::Advice).with_source(&source).label(at, "");
            report.related.push(since);
        }
    }
    report
}

fn faulted(place: &Place, fault: &Fault) -> Report {
    let label = match fault.addr {
        0 => fault.code.clone(),
        addr => format!("{} at {addr:#x}", fault.code),
    };
    let report = place.report("forkyard::fault", fault.sentence(), Extent::Operand, label);
    report.note(fault.why.clone())
}

fn broken(place: &Place, oops: &Oops) -> Report {
    let message = format!("{oops} (task {})", oops.pid);
    let mut report = place.report("forkyard::oops", message, Extent::Operand, "broke it");
    if !oops.in_function.is_empty() {
        report = report.note(format!("found by {}", oops.in_function));
    }
    for line in &oops.dump {
        report = report.note(line.clone());
    }
    report
}

/// The report for a failed assertion or expectation.
pub fn assertion(sources: &Sources, fail: &AssertFail) -> Report {
    let report = Report::error("forkyard::assert", fail.title.clone());
    let Some(source) = sources.get(&fail.source) else { return report };
    let mut report =
        report.with_source(&source).label(shorten(&source, fail.span.clone()), fail.label.clone());
    for (span, value) in &fail.values {
        report = report.label(shorten(&source, span.clone()), value.clone());
    }
    for note in &fail.notes {
        report = report.note(note.clone());
    }
    report
}

/// The report for a script that was stopped from outside.
pub(super) fn terminated(place: &Place, token: &Dynamic) -> Report {
    let Some(why) = token.read_lock::<Stop>() else {
        let message = format!("stopped: {}", show(place.ctx.engine, token));
        return place.report("forkyard::stopped", message, Extent::Operand, "here");
    };
    located(stop(&why), &place.source, place)
}

fn located(report: Report, source: &Arc<Source>, place: &Place) -> Report {
    if place.pos.is_none() {
        return report.with_source(source);
    }
    let at = shorten(source, span::at(source, place.pos, Extent::Operand));
    report.with_source(source).label(at, "stopped here")
}

/// The report for an order to stop, without a place.
pub fn stop(why: &Stop) -> Report {
    let limit = |message: String| Report::error("forkyard::limit", message);
    match why {
        Stop::Interrupted => Report::error("forkyard::interrupted", "interrupted"),
        Stop::Operations(max) => limit(format!("the script ran for more than {max} operations"))
            .help("does this loop have an end?"),
        Stop::Instructions(max) => {
            let message = format!("the program executed more than {max} operations allow");
            limit(message).help("ten instructions count as one operation; does it have an end?")
        }
        Stop::Output(max) => limit(format!("the script printed more than {max} bytes")),
        Stop::Nesting(max) => limit(format!("a value is nested more than {max} deep"))
            .help("arrays in arrays, or closures that captured closures"),
        Stop::Memory(max) => limit(format!("the variables hold more than {} MiB", max >> 20)),
        Stop::Stack => limit("the script is nested too deeply for the host's stack".into()),
        Stop::OutputFailed(_) | Stop::OutputClosed => {
            Report::error("forkyard::output", why.to_string())
        }
    }
}
