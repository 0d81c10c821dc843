//! `?name`: what is it? And `:vars`: what is there?
//!
//! Left out: pages of the book.

use rhai::{Dynamic, FnPtr};

use super::command;
use super::state::State;
use super::vocabulary::{Vocabulary, typed, variable};
use crate::script::lex;
use crate::script::names::{Signature, did_you_mean, suggestion};

/// All that is known about a name: variable, functions, field, type, command.
/// An error suggests other names.
pub fn explain(state: &State, words: &Vocabulary, name: &str) -> Result<String, String> {
    let mut parts = Vec::new();
    // A function is a value too, under its own name; its entry says more.
    let itself = |value: &Dynamic| value.read_lock::<FnPtr>().is_some_and(|f| f.fn_name() == name);
    if let Some(value) = variable(state, name).filter(|value| !itself(value)) {
        let shown = state.script().show(&value);
        parts.push(format!("{name}: {} = {shown}\n", typed(state, value).ty));
    }
    let all = words.signatures(state);
    let name_only = name.rsplit('.').next().unwrap_or(name);
    let owner = name.rsplit_once('.').map(|(owner, _)| owner_type(state, owner));
    let of_owner = |s: &&Signature| {
        let first = s.params.first().map(|(_, ty)| ty.as_str());
        owner.as_deref().is_none_or(|owner| first == Some(owner))
    };
    let getter = format!("get${name_only}");
    // Somebody who asks for their own `a` does not mean fields of that name.
    let is_variable = !parts.is_empty();
    let functions =
        all.iter().filter(|s| s.name == name_only || (s.name == getter && !is_variable));
    parts.extend(functions.filter(of_owner).map(entry));
    if parts.is_empty() {
        parts.extend(members_of(&all, name));
    }
    if let Some((name, args, what)) =
        command::HELP.iter().find(|c| Some(c.0) == name.strip_prefix(':'))
    {
        parts.push(format!(":{name} {args}\n    {what}\n"));
    }
    if parts.is_empty() && lex::KEYWORDS.contains(&name) {
        parts.push(format!("`{name}` is a word of the language\n"));
    }
    match parts.is_empty() {
        false => Ok(parts.concat()),
        true => {
            let near = names(state, &all);
            let near: Vec<&str> = near.iter().map(String::as_str).collect();
            let help = suggestion(&did_you_mean(name, near)).map(|s| format!("; {s}"));
            Err(format!("nothing is known about `{name}`{}", help.unwrap_or_default()))
        }
    }
}

/// The type that `?init.fork` or `?Task.fork` speaks of.
fn owner_type(state: &State, owner: &str) -> String {
    variable(state, owner).map_or_else(|| owner.to_string(), |value| typed(state, value).ty)
}

/// One function or field with its documentation.
fn entry(s: &Signature) -> String {
    let mut text = match (s.name.strip_prefix("get$"), s.params.first()) {
        (Some(field), Some((_, of))) => format!("{of}.{field}: {}\n", s.returns),
        (_, Some((_, of))) if is_handle(of) => format!("{}\n", s.text(true)),
        _ => format!("{}\n", s.text(false)),
    };
    for line in s.doc.iter().filter(|line| !line.is_empty()) {
        text += &format!("    {line}\n");
    }
    text
}

/// Types with a name of their own are handles and views; their functions are
/// methods.
fn is_handle(ty: &str) -> bool {
    ty.starts_with(|c: char| c.is_uppercase())
}

/// For the name of a type: its fields and methods, in lines.
fn members_of(all: &[Signature], ty: &str) -> Option<String> {
    let own: Vec<&Signature> =
        all.iter().filter(|s| s.params.first().is_some_and(|(_, of)| of == ty)).collect();
    let mut fields: Vec<&str> = own.iter().filter_map(|s| s.name.strip_prefix("get$")).collect();
    let named =
        |s: &&&Signature| s.name.starts_with(|c: char| c.is_alphabetic()) && !s.name.contains('$');
    let mut methods: Vec<String> =
        own.iter().filter(named).map(|s| format!("{}()", s.name)).collect();
    methods.dedup();
    fields.dedup();
    if fields.is_empty() && methods.is_empty() {
        return None;
    }
    let fields: Vec<String> = fields.into_iter().map(str::to_string).collect();
    let mut text = format!("{ty}: a type\n");
    for (what, names) in [("fields", fields), ("methods", methods)] {
        if !names.is_empty() {
            text += &format!("  {what}:\n{}", columns(&names));
        }
    }
    Some(text)
}

/// Words in lines of up to 76 columns, indented.
fn columns(words: &[String]) -> String {
    let mut text = String::new();
    let mut line = String::new();
    for word in words {
        if !line.is_empty() && line.len() + word.len() > 72 {
            text += &format!("    {}\n", line.trim_end());
            line.clear();
        }
        line += word;
        line.push(' ');
    }
    text.push_str(&format!("    {}\n", line.trim_end()));
    text
}

fn names(state: &State, all: &[Signature]) -> Vec<String> {
    let mut names: Vec<String> =
        all.iter().map(|s| s.name.trim_start_matches("get$").to_string()).collect();
    names.extend(state.script().variables().into_iter().map(|(name, _)| name));
    names.extend(state.script().session.control.defined_names());
    names.retain(|n| n.starts_with(|c: char| c.is_alphabetic()) && !n.contains('$'));
    names
}

/// The commands, in lines.
pub fn help() -> String {
    let mut text = String::new();
    for (name, args, what) in command::HELP {
        text += &format!("  {:<22} {what}\n", format!(":{name} {args}").trim_end());
    }
    text += "  ?NAME                  what a function, field, type or variable is\n\n";
    text += "Tab completes. An unfinished input goes on in the next line; a blank line ends\n\
             it in any case. The last value is `it`. Ctrl-C stops a running input.\n";
    text
}

/// The variables, in lines.
pub fn variables(state: &State) -> String {
    let rows: Vec<(String, String, String)> = state
        .script()
        .variables()
        .into_iter()
        .map(|(name, value)| {
            let shown = state.script().show(&value);
            (name, typed(state, value).ty, shown)
        })
        .collect();
    if rows.is_empty() {
        return "no variables yet\n".into();
    }
    let width = |f: fn(&(String, String, String)) -> &String| {
        rows.iter().map(|row| f(row).chars().count()).max().unwrap_or(0)
    };
    let (names, types) = (width(|r| &r.0), width(|r| &r.1));
    rows.iter().map(|(name, ty, value)| format!("{name:names$}  {ty:types$}  {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repl::state;

    #[test]
    fn names_are_explained() {
        let mut s = state::testing();
        s.eval("let a = addr(0x2345)");
        s.eval("/// Adds one.\nfn inc(x) { x + 1 }");
        let explain = |name: &str| explain(&s, &Vocabulary::default(), name);
        assert_eq!(explain("a").unwrap(), "a: Addr = 0x2345\n");
        assert!(explain("inc").unwrap().starts_with("inc(x)\n    Adds one.\n"));
        assert!(explain("page").unwrap().contains("Addr.page: Addr\n"));
        assert!(explain("a.page").unwrap().contains("Addr.page: Addr\n"));
        assert!(explain("Addr").unwrap().contains("  fields:\n    offset page\n"));
        assert!(explain("EPERM").unwrap().contains("EPERM: Errno = EPERM"));
        assert!(explain("while").unwrap().contains("word of the language"));
        assert!(explain(":undo").unwrap().contains("take the last inputs back"));
        assert_eq!(
            explain("adr"),
            Err("nothing is known about `adr`; did you mean `addr`?".into())
        );
        assert_eq!(explain("qqqqqq"), Err("nothing is known about `qqqqqq`".into()));
    }

    #[test]
    fn variables_are_in_columns() {
        let mut s = state::testing();
        assert_eq!(variables(&s), "no variables yet\n");
        s.eval("let long_name = \"text\"");
        s.eval("let n = 1");
        assert_eq!(variables(&s), "long_name  string  \"text\"\nn          int     1\n");
    }

    #[test]
    fn help_fits_the_terminal() {
        let text = help();
        assert_eq!(text.lines().find(|line| line.chars().count() > 80), None);
    }
}
