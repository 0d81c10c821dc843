//! Names that do not exist: functions, variables, properties, modules. Rhai
//! says "not found" for a wrong name, a wrong number of arguments and a wrong
//! type of argument alike; here they are told apart.
//!
//! Left out: spelling of keywords; the parser stops at those.

use super::super::diagnostic::Report;
use super::super::lex::Kind;
use super::super::names::{Signature, did_you_mean, friendly, signatures, suggestion};
use super::super::span::{self, Extent};
use super::Place;
use crate::abi::nr::SYSCALL_NAMES;
use crate::kernel::syscalls::table::{is_modelled, lookup};

const FUNCTION: &str = "forkyard::unknown-function";
const ARGUMENT: &str = "forkyard::argument";
const VARIABLE: &str = "forkyard::unknown-variable";
const PROPERTY: &str = "forkyard::unknown-property";

/// Most signatures listed under an error.
const LISTED: usize = 6;

/// The call as Rhai describes it: `fork (Task, i64)`.
struct Call {
    name: String,
    types: Vec<String>,
    as_method: bool,
}

impl Call {
    fn parse(place: &Place, text: &str) -> Call {
        let (name, args) = text.split_once(" (").unwrap_or((text, ""));
        let args = args.strip_suffix(')').unwrap_or(args);
        let engine = place.ctx.engine;
        let types = args.split(", ").filter(|a| !a.is_empty());
        let types = types.map(|a| friendly(engine.map_type_name(a))).collect();
        Call {
            name: name.trim().to_string(),
            types,
            as_method: span::is_method(&place.source, place.pos),
        }
    }

    fn shift(&self) -> usize {
        usize::from(self.as_method)
    }
}

/// The report for a function that was not found.
pub(super) fn unknown_function(place: &Place, text: &str) -> Report {
    let call = Call::parse(place, text);
    if !call.name.starts_with(|c: char| c == '_' || c.is_alphabetic()) {
        return operator(place, &call);
    }
    // What the engine calls a function here is a sentence about `sort()`.
    if let Some(ty) =
        text.strip_prefix("elements of ").and_then(|t| t.strip_suffix(" cannot be sorted"))
    {
        let ty = friendly(place.ctx.engine.map_type_name(ty));
        return place
            .report(
                "forkyard::type",
                format!("values of type {ty} have no order"),
                Extent::Operand,
                "cannot sort these",
            )
            .help("say what to compare: `tasks.sort(|a, b| a.pid - b.pid)`");
    }
    if call.name.starts_with("anon$") {
        return place
            .report(FUNCTION, "this closure cannot be called here", Extent::Operand, "called here")
            .help("a closure made in an imported module stays in that module");
    }
    let all = signatures(place.ctx.engine, place.ctx.ast);
    let mut same: Vec<&Signature> = all.iter().filter(|s| s.name == call.name).collect();
    let receiver = call.types.first().filter(|_| call.as_method);
    let of_receiver = |s: &&Signature| receiver.is_some_and(|ty| s.takes(0, ty));
    if same.iter().any(of_receiver) {
        same.retain(of_receiver);
    }
    if same.is_empty() {
        return unknown_name(place, &call, &all);
    }
    if let Some(plain) = call.name.strip_prefix("try_")
        && receiver.is_some_and(|ty| ty == "Task")
        && !same.iter().any(of_receiver)
    {
        return twin(place, &call.name, plain);
    }
    let count = call.types.len();
    let fitting: Vec<&Signature> =
        same.iter().filter(|s| s.params.len() == count).copied().collect();
    if call.name == "print" && count > 1 {
        let message = format!("`print` takes one value, not {count}");
        return place
            .report(ARGUMENT, message, Extent::Operand, format!("{count} given"))
            .help("put them into one text: print(`${a} ${b}`)");
    }
    let mut report = match fitting.is_empty() {
        true => wrong_count(place, &call, &same),
        false => wrong_type(place, &call, &fitting),
    };
    for s in same.iter().take(LISTED) {
        report = report.help(s.text(call.as_method));
    }
    if same.len() > LISTED {
        report = report.help(format!("… and {} more", same.len() - LISTED));
    }
    report
}

fn operator(place: &Place, call: &Call) -> Report {
    let all = signatures(place.ctx.engine, place.ctx.ast);
    let types = call.types.join(" and ");
    let message = format!("`{}` does not work on {types}", call.name);
    let mut report = place.report("forkyard::type", message, Extent::Operand, "");
    let given = |ty: &str| call.types.iter().any(|t| t == ty);
    if matches!(call.name.as_str(), "&" | "|" | "^") && given("bool") {
        return report.help(format!(
            "`==` and its kind bind tighter than `{0}`: write `(a {0} b) == c`",
            call.name
        ));
    }
    if call.name == "+" && call.types == ["Flags", "Flags"] {
        return report.help("flags are put together with `|`");
    }
    let left = call.types.first().map_or("", String::as_str);
    let mut partners: Vec<&str> = all
        .iter()
        .filter(|s| s.name == call.name && s.params.len() == 2 && s.params[0].1 == left)
        .map(|s| s.params[1].1.as_str())
        .collect();
    partners.dedup();
    if !partners.is_empty() && call.types.len() == 2 {
        let with = partners.join(", ");
        report = report.help(format!("`{left} {} …` works with: {with}", call.name));
    }
    report
}

fn unknown_name(place: &Place, call: &Call, all: &[Signature]) -> Report {
    let name = &call.name;
    if is_variable(place, name) && !call.as_method {
        let args = span::arguments(&place.source, place.pos);
        let args: Vec<&str> = args.iter().map(|a| place.source.slice(a)).collect();
        return place
            .report(
                FUNCTION,
                format!("`{name}` is a variable, not a function"),
                Extent::Operand,
                "",
            )
            .help(format!("to call the closure it holds: `{name}.call({})`", args.join(", ")));
    }
    let receiver = call.types.first().filter(|_| call.as_method);
    let message = match receiver {
        Some(ty) => format!("{ty} has no function `{name}`"),
        None => format!("unknown function `{name}`"),
    };
    let plain = name.strip_prefix("try_").unwrap_or(name);
    let system_call = SYSCALL_NAMES.iter().find(|(_, n)| *n == plain).map(|(number, _)| *number);
    if let Some(number) = system_call.filter(|_| receiver.is_none_or(|ty| ty == "Task")) {
        return of_linux(place, plain, number);
    }
    let mut report = place.report(FUNCTION, message, Extent::Token, "not a known function");
    if let Some(ty) = receiver
        && all.iter().any(|s| s.name == format!("get${name}") && s.takes(0, ty))
    {
        return report.help(format!("`{name}` is a field: write it without `()`"));
    }
    let usable = all.iter().filter(|s| {
        !s.name.contains('$') && receiver.is_none_or(|ty| s.takes(0, ty) || s.in_script)
    });
    let near = did_you_mean(name, usable.map(|s| s.name.as_str()));
    if let Some(help) = suggestion(&near) {
        report = report.help(help);
        for s in all.iter().filter(|s| near.first() == Some(&s.name.as_str())).take(LISTED) {
            if receiver.is_none_or(|ty| s.takes(0, ty)) {
                report = report.help(s.text(call.as_method));
            }
        }
    }
    report
}

/// The `try_` twin of a call, asked of a handle: only programs have those.
fn twin(place: &Place, name: &str, plain: &str) -> Report {
    let message = format!("Task has no function `{name}`");
    place.report(FUNCTION, message, Extent::Token, "a free function of programs").help(format!(
        "a director writes `.{plain}(…)`, which throws what is refused: \
         `assert_errno(EPERM, || t.{plain}(…))`, or try and catch"
    ))
}

/// A system call of Linux that has no function in scripts.
fn of_linux(place: &Place, name: &str, number: u32) -> Report {
    if is_modelled(number) {
        let message = format!("{name}(2) has no function of its own");
        let report = place.report(FUNCTION, message, Extent::Token, "not a known function");
        return report.help(format!("by the raw door: `t.syscall({name:?}, …)`"));
    }
    let message = format!("{name}(2) is a system call of Linux that is not modelled");
    let report = place.report("forkyard::unsupported", message, Extent::Token, "not modelled");
    match lookup(number) {
        Some(row) => report.note(row.note),
        None => report,
    }
}

fn wrong_count(place: &Place, call: &Call, same: &[&Signature]) -> Report {
    let mut counts: Vec<usize> =
        same.iter().map(|s| s.params.len().saturating_sub(call.shift())).collect();
    counts.sort_unstable();
    counts.dedup();
    let given = call.types.len() - call.shift().min(call.types.len());
    let wanted: Vec<String> = counts.iter().map(usize::to_string).collect();
    let s = if counts == [1] { "" } else { "s" };
    let message = format!("`{}` takes {} argument{s}, not {given}", call.name, wanted.join(" or "));
    place.report(ARGUMENT, message, Extent::Operand, format!("{given} given"))
}

/// The number of arguments is right: some argument's type is not.
fn wrong_type(place: &Place, call: &Call, fitting: &[&Signature]) -> Report {
    let matches =
        |s: &Signature| call.types.iter().enumerate().filter(|(i, t)| s.takes(*i, t)).count();
    let best = fitting.iter().map(|s| matches(s)).max().unwrap_or(0);
    let nearest: Vec<&&Signature> = fitting.iter().filter(|s| matches(s) == best).collect();
    let wrong =
        (0..call.types.len()).find(|i| nearest.iter().all(|s| !s.takes(*i, &call.types[*i])));
    let Some(i) = wrong else {
        let types = call.types.join(", ");
        let message = format!("`{}` cannot be called with ({types})", call.name);
        return place.report(ARGUMENT, message, Extent::Operand, "");
    };
    let found = &call.types[i];
    let mut wanted: Vec<&str> = nearest.iter().map(|s| s.params[i].1.as_str()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let wanted = wanted.join(" or ");
    if call.as_method && i == 0 {
        let message = format!("{found} has no function `{}`", call.name);
        let report = place.report(FUNCTION, message, Extent::Token, format!("works on {wanted}"));
        return match fitting.iter().any(|s| s.takes(0, "string")) {
            true => report.help(format!("on its text: `.to_string().{}(…)`", call.name)),
            false => report,
        };
    }
    let nth = i + 1 - call.shift();
    let message = format!("argument {nth} of `{}` must be {wanted}, not {found}", call.name);
    let args = span::arguments(&place.source, place.pos);
    match args.get(i - call.shift()) {
        Some(range) => Report::error(ARGUMENT, message)
            .with_source(&place.source)
            .label(super::shorten(&place.source, range.clone()), format!("this is {found}")),
        None => place.report(ARGUMENT, message, Extent::Operand, ""),
    }
}

/// Whether the source or the scope has a variable of this name.
fn is_variable(place: &Place, name: &str) -> bool {
    place.ctx.scope.is_some_and(|scope| scope.contains(name)) || declares(place, name)
}

/// Whether the source has `let name`, `const name` or `for name`.
fn declares(place: &Place, name: &str) -> bool {
    let text = place.source.text();
    let tokens = place.source.tokens();
    tokens.windows(2).any(|pair| {
        pair[1].text(text) == name && matches!(pair[0].text(text), "let" | "const" | "for")
    })
}

/// The report for a variable that does not exist.
pub fn unknown_variable(place: &Place, name: &str) -> Report {
    let all = signatures(place.ctx.engine, place.ctx.ast);
    let message = format!("unknown variable `{name}`");
    if let Some((module, local)) = name.rsplit_once("::") {
        let report = place.report(VARIABLE, message, Extent::Operand, "not known here");
        return report
            .help(format!("`{module}` gives what it exports: `export const {local} = …;`"));
    }
    let report = place.report(VARIABLE, message, Extent::Token, "not known here");
    if all.iter().any(|s| s.name == name) {
        return report.help(format!("`{name}` is a function: call it, `{name}(…)`"));
    }
    if ["null", "nil", "None", "undefined", "NULL"].contains(&name) {
        return report.help("the value for nothing is `()`");
    }
    if declares(place, name) {
        return report
            .help("a function sees its parameters and the constants, not the file's variables")
            .help(format!("give it `{name}` as an argument"));
    }
    let text = place.source.text();
    let declared = place.ctx.control.defined_names();
    let mut names: Vec<&str> = declared.iter().map(String::as_str).collect();
    if let Some(scope) = place.ctx.scope {
        names.extend(scope.iter().map(|(name, ..)| name));
    }
    for pair in place.source.tokens().windows(2) {
        if pair[1].kind == Kind::Ident && matches!(pair[0].text(text), "let" | "const" | "for") {
            names.push(pair[1].text(text));
        }
    }
    match suggestion(&did_you_mean(name, names)) {
        Some(help) => report.help(help),
        None => report,
    }
}

/// The report for a property that does not exist or cannot be set. Rhai gives
/// a sentence: `Unknown property 'x' - a getter is not registered for type 'T'`.
pub(super) fn unknown_property(place: &Place, text: &str) -> Report {
    let mut quoted = text.split('\'').skip(1).step_by(2);
    let (Some(property), Some(ty)) = (quoted.next(), quoted.next()) else {
        return place.report(PROPERTY, text, Extent::Token, "here");
    };
    let ty = friendly(place.ctx.engine.map_type_name(ty));
    let all = signatures(place.ctx.engine, place.ctx.ast);
    let has = |name: &str| all.iter().any(|s| s.name == name && s.takes(0, &ty));
    let getter = has(&format!("get${property}"));
    if getter && text.contains("setter") {
        let message = format!("`{property}` of {ty} cannot be set");
        return place.report(PROPERTY, message, Extent::Token, "read-only");
    }
    let message = format!("{ty} has no field `{property}`");
    let report = place.report(PROPERTY, message, Extent::Token, "no such field");
    if has(property) {
        return report.help(format!("`{property}` is a function: `.{property}()`"));
    }
    match ty.as_str() {
        "()" => {
            return report.help(
                "`()` means that there is nothing: compare with it before you use the value",
            );
        }
        "Pending" => {
            let help = "the call has not returned: when `.done` is true, `.value` is its result";
            return report.help(help);
        }
        _ => {}
    }
    let of_type = all.iter().filter(|s| s.takes(0, &ty));
    let fields: Vec<&str> = of_type.filter_map(|s| s.name.strip_prefix("get$")).collect();
    match suggestion(&did_you_mean(property, fields.iter().copied())) {
        Some(help) => report.help(help),
        None if fields.is_empty() => report,
        None => {
            let mut listed = fields;
            listed.retain(|f| *f != "tag");
            listed.dedup();
            let more = if listed.len() > 12 { ", …" } else { "" };
            listed.truncate(12);
            report.help(format!("fields of {ty}: {}{more}", listed.join(", ")))
        }
    }
}

/// The report for `module::name` with an unknown module.
pub(super) fn unknown_module(place: &Place, name: &str) -> Report {
    place
        .report(
            "forkyard::import",
            format!("unknown module `{name}`"),
            Extent::Token,
            "not imported",
        )
        .help(format!("`import \"{name}\" as {name};` at the top makes it known"))
}
