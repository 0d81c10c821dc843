//! The page of script functions, from what the bindings register: signature
//! and documentation are those that `?name` shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use forkyard::kernel::boot::BootConfig;
use forkyard::script::bind::World;
use forkyard::script::control::Buffer;
use forkyard::script::limits::Limits;
use forkyard::script::modules::NoModules;
use forkyard::script::names::{Signature, signatures};
use forkyard::script::run::Session;
use forkyard::script::stack;

use crate::generated::NOTE;

/// Types in the order of the page; others follow by name.
const FIRST: [&str; 3] = ["Task", "Machine", "Pending"];
/// Types that every script has, whose functions are called by themselves.
const PLAIN: [&str; 11] =
    ["int", "float", "bool", "char", "string", "array", "blob", "map", "range", "closure", "any"];

const INTRODUCTION: &str = "\
Types are those of scripts. A parameter `t: Task` that comes first is written before the dot: \
`fork(t: Task)` is called `init.fork()`. Everything that is refused throws a value with `.errno`, \
`.call`, `.task` and `.why`.

## Syntax

| form | meaning |
|---|---|
| `assert(expr)`, `assert(expr, \"message\")` | ends the script if `expr` is false; shows every operand |
| `expect(expr)`, `expect(expr, \"message\")` | the same, but goes on and fails at the end |
| `assert_errno(EPERM, \\|\\| init.setuid(0))` | the call must be refused with this error |
| `import \"name\" as n;` | a module of the script's own folder |
";

/// What an engine offers, and the names of its constants.
fn registered(with_world: bool) -> (Vec<Signature>, Vec<String>) {
    stack::on_deep_stack(move || {
        let output = Box::new(Buffer::new());
        let loader = Box::new(NoModules);
        let mut session = Session::new(Limits::default(), Default::default(), output, loader);
        if with_world {
            let world = World::new(BootConfig::default()).expect("the machine boots");
            world.register(&mut session.engine, &session.control, &mut session.scope);
        }
        (signatures(&session.engine, None), session.control.defined_names())
    })
    .unwrap()
}

/// Functions that the engine brings itself are the language's, not ours.
fn ours() -> Vec<Signature> {
    let key = |s: &Signature| (s.name.clone(), s.doc.clone());
    let plain: BTreeSet<_> = signatures(&rhai::Engine::new(), None).iter().map(key).collect();
    let is_name = |s: &str| s.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let mut all = registered(true).0;
    all.retain(|s| is_name(&s.name) && !s.doc.is_empty() && !plain.contains(&key(s)));
    all
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn doc(s: &Signature) -> String {
    let lines: Vec<_> = s.doc.iter().map(String::as_str).filter(|l| !l.is_empty()).collect();
    cell(&lines.join(" "))
}

fn receiver(s: &Signature) -> &str {
    s.params.first().map_or("any", |(_, ty)| ty.as_str())
}

fn section(out: &mut String, heading: &str, of: &[Signature], methods: bool) {
    write!(out, "\n## {heading}\n").unwrap();
    let settable: BTreeSet<_> = of.iter().filter_map(|s| s.name.strip_prefix("set$")).collect();
    let fields: Vec<_> = of.iter().filter(|s| s.name.starts_with("get$")).collect();
    if !fields.is_empty() {
        out.push_str("\n| field | type | meaning |\n|---|---|---|\n");
    }
    for s in fields {
        let name = &s.name["get$".len()..];
        let set = if settable.contains(name) { " Can be set." } else { "" };
        let ty = cell(&s.returns);
        writeln!(out, "| `{name}` | {ty} | {}{set} |", doc(s)).unwrap();
    }
    let functions: Vec<_> = of.iter().filter(|s| !s.name.contains('$')).collect();
    if !functions.is_empty() {
        out.push_str("\n| function | meaning |\n|---|---|\n");
    }
    for s in functions {
        let text = s.text(methods);
        let text =
            if methods { text.split_once('.').map_or(text.as_str(), |t| t.1) } else { &text };
        writeln!(out, "| `{}` | {} |", cell(text), doc(s)).unwrap();
    }
}

fn constants(out: &mut String) {
    out.push_str("\n## Names at hand\n\n| family | names |\n|---|---|\n");
    let mut families: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in registered(true).1 {
        let family = match name.split_once('_') {
            Some((first, _)) if first.chars().all(|c| c.is_ascii_uppercase()) => {
                format!("{first}_")
            }
            _ if name.starts_with("SIG") => "signals".to_string(),
            _ if name.starts_with('E') => "errors".to_string(),
            _ if name.starts_with('W') => "wait options".to_string(),
            _ => "others".to_string(),
        };
        families.entry(family).or_default().push(name);
    }
    for (family, names) in families {
        let names: Vec<_> = names.iter().map(|n| format!("`{n}`")).collect();
        writeln!(out, "| {family} | {} |", names.join(" ")).unwrap();
    }
}

/// The page.
pub fn page() -> String {
    let mut out = format!("{NOTE}# Script functions\n\n{INTRODUCTION}");
    let mut types: BTreeMap<String, Vec<Signature>> = BTreeMap::new();
    let mut free = Vec::new();
    for s in ours() {
        match receiver(&s) {
            ty if PLAIN.contains(&ty) => free.push(s),
            ty => types.entry(ty.to_string()).or_default().push(s),
        }
    }
    section(&mut out, "Functions", &free, false);
    for ty in FIRST {
        if let Some(of) = types.remove(ty) {
            section(&mut out, ty, &of, true);
        }
    }
    for (ty, of) in types {
        section(&mut out, &ty, &of, true);
    }
    constants(&mut out);
    out
}

#[test]
fn every_function_of_a_handle_is_documented() {
    let undocumented: Vec<String> = registered(true)
        .0
        .iter()
        .filter(|s| receiver(s) == "Task" && s.doc.is_empty())
        .filter(|s| !["to_string", "to_debug", "+", "==", "!="].contains(&s.name.as_str()))
        .map(|s| s.text(true))
        .collect();
    crate::none(&undocumented);
}
