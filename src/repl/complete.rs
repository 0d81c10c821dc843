//! Completion and hints: what may stand where the cursor is.
//!
//! Left out: the line editor's side; see `editor`.

use std::path::Path;

use rhai::Map;

use super::command;
use super::state::State;
use super::vocabulary::{Typed, Vocabulary, chain};
use crate::script::lex::{self, Kind, Token};
use crate::script::names::Signature;

/// Something that could be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What is put in place of the word.
    pub text: String,
    /// What is shown in a list.
    pub shown: String,
}

impl Candidate {
    fn new(text: impl Into<String>) -> Candidate {
        let text = text.into();
        Candidate { shown: text.clone(), text }
    }
}

/// Words of assertions, which are syntax and no functions.
const ASSERTIONS: &[&str] = &["assert(", "expect("];

/// What could replace the word before the cursor, and where that word begins.
pub fn complete(state: &State, words: &Vocabulary, before: &str) -> (usize, Vec<Candidate>) {
    if command::is_command(before) {
        return complete_command(state, words, before);
    }
    let tokens = lex::tokenize(before);
    let (word, rest) = match tokens.split_last() {
        Some((last, rest)) if last.range.end == before.len() => match last.kind {
            Kind::Ident | Kind::Keyword => (last.text(before), rest),
            Kind::Str { .. } | Kind::Comment { .. } | Kind::Number => return (0, Vec::new()),
            _ => ("", &tokens[..]),
        },
        // A line comment has no end of its own.
        Some((last, _)) if matches!(last.kind, Kind::Comment { closed: false }) => {
            return (0, Vec::new());
        }
        _ => ("", &tokens[..]),
    };
    let start = before.len() - word.len();
    let after_dot = rest.last().is_some_and(|t| matches!(t.text(before), "." | "?."));
    let mut found = match rest.split_last() {
        Some((_, receiver)) if after_dot => members(state, words, before, receiver),
        _ if word.is_empty() => Vec::new(),
        _ => free(state, words),
    };
    found.retain(|c| c.text.starts_with(word));
    found.dedup_by(|a, b| a.text == b.text);
    (start, found)
}

/// Fields and methods of what stands before the dot.
fn members(state: &State, words: &Vocabulary, text: &str, tokens: &[Token]) -> Vec<Candidate> {
    let Some(of) = words.type_of(state, text, chain(text, tokens)) else { return Vec::new() };
    let mut found: Vec<Candidate> = Vec::new();
    if let Some(map) = of.value.as_ref().and_then(|v| v.read_lock::<Map>()) {
        found.extend(map.keys().map(|key| Candidate::new(key.as_str())));
    }
    found.extend(one_each(&words.members(state, &of), true));
    found.sort_by(|a, b| a.text.cmp(&b.text));
    found
}

/// What can begin an expression or statement.
fn free(state: &State, words: &Vocabulary) -> Vec<Candidate> {
    let script = state.script();
    let mut variables: Vec<Candidate> =
        script.variables().into_iter().map(|(name, _)| Candidate::new(name)).collect();
    variables.sort_by(|a, b| a.text.cmp(&b.text));
    let mut others: Vec<Candidate> = one_each(&words.functions(state), false);
    others.extend(script.session.control.defined_names().into_iter().map(Candidate::new));
    others.extend(lex::KEYWORDS.iter().chain(ASSERTIONS).map(|word| Candidate::new(*word)));
    others.sort_by(|a, b| a.text.cmp(&b.text));
    variables.extend(others);
    variables
}

/// One candidate for all functions of a name.
fn one_each(all: &[Signature], as_member: bool) -> Vec<Candidate> {
    let mut found: Vec<(Candidate, usize)> = Vec::new();
    for s in all {
        let (text, shown) = match s.name.strip_prefix("get$") {
            Some(field) => (field.to_string(), format!("{field}: {}", s.returns)),
            None => {
                let params = s.params.len() - usize::from(as_member && !s.params.is_empty());
                let text = format!("{}{}", s.name, if params == 0 { "()" } else { "(" });
                let shown = s.text(as_member);
                (
                    text,
                    shown
                        .split_once('.')
                        .filter(|_| as_member)
                        .map_or(shown.clone(), |x| x.1.into()),
                )
            }
        };
        let open = |text: &str| text.trim_end_matches(')').to_string();
        match found.iter_mut().find(|(c, _)| open(&c.text) == open(&text)) {
            Some((candidate, more)) => {
                // With some overload that takes arguments, leave the call open.
                if candidate.text != text {
                    candidate.text = open(&text);
                }
                *more += 1;
            }
            None => found.push((Candidate { text, shown }, 0)),
        }
    }
    let with_count = |(mut c, more): (Candidate, usize)| {
        if more > 0 {
            c.shown += &format!(" (+{more})");
        }
        c
    };
    found.into_iter().map(with_count).collect()
}

fn complete_command(state: &State, words: &Vocabulary, text: &str) -> (usize, Vec<Candidate>) {
    let trimmed = text.trim_start();
    let offset = text.len() - trimmed.len();
    if let Some(name) = trimmed.strip_prefix('?') {
        let word = name.trim_start();
        let mut names: Vec<String> = words.signatures(state).into_iter().map(|s| s.name).collect();
        names.extend(state.script().variables().into_iter().map(|(name, _)| name));
        names.extend(state.script().session.control.defined_names());
        names.retain(|n| n.starts_with(word) && n.starts_with(|c: char| c.is_alphabetic()));
        let fields = |n: String| n.strip_prefix("get$").map(str::to_string).unwrap_or(n);
        let mut names: Vec<String> =
            names.into_iter().map(fields).filter(|n| !n.contains('$')).collect();
        names.sort();
        names.dedup();
        return (text.len() - word.len(), names.into_iter().map(Candidate::new).collect());
    }
    let Some((name, file)) = trimmed.split_once(char::is_whitespace) else {
        let found = command::HELP.iter().map(|(name, args, _)| {
            let space = if args.is_empty() { "" } else { " " };
            Candidate { text: format!(":{name}{space}"), shown: format!(":{name} {args}") }
        });
        return (offset, found.filter(|c| c.text.starts_with(trimmed)).collect());
    };
    match name.trim_end_matches('!') {
        ":load" | ":save" | ":l" => complete_file(file.trim_start(), text.len()),
        ":trace" => {
            let word = file.trim_start();
            let found = ["on", "off"].map(Candidate::new).into_iter();
            (text.len() - word.len(), found.filter(|c| c.text.starts_with(word)).collect())
        }
        _ => (text.len(), Vec::new()),
    }
}

/// File names; folders end in a slash.
fn complete_file(path: &str, end: usize) -> (usize, Vec<Candidate>) {
    let (folder, word) = match path.rfind('/') {
        Some(i) => path.split_at(i + 1),
        None => ("", path),
    };
    let place = if folder.is_empty() { Path::new(".") } else { Path::new(folder) };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let Ok(mut name) = entry.file_name().into_string() else { continue };
        let hidden = name.starts_with('.') && !word.starts_with('.');
        if hidden || !name.starts_with(word) {
            continue;
        }
        if entry.path().is_dir() {
            name.push('/');
        }
        found.push(Candidate::new(name));
    }
    found.sort_by(|a, b| a.text.cmp(&b.text));
    (end - word.len(), found)
}

/// What is shown behind the cursor: the parameters of the call being written,
/// or the rest of the only word that fits. The second part can be taken over.
pub fn hint(state: &State, words: &Vocabulary, before: &str) -> Option<(String, Option<String>)> {
    if command::is_command(before) {
        return None;
    }
    if before.ends_with('(') {
        return signature_hint(state, words, before).map(|shown| (shown, None));
    }
    let (start, found) = complete(state, words, before);
    let word = before.get(start..).filter(|w| w.len() > 1)?;
    match &found[..] {
        [one] if one.text.len() > word.len() => {
            let rest = one.text[word.len()..].to_string();
            Some((rest.clone(), Some(rest)))
        }
        _ => None,
    }
}

/// The parameters of the function whose bracket was just opened.
fn signature_hint(state: &State, words: &Vocabulary, before: &str) -> Option<String> {
    let tokens = lex::tokenize(before);
    let (_, called) = tokens.split_last()?;
    let (name, rest) = called.split_last().filter(|(n, _)| n.kind == Kind::Ident)?;
    let name = name.text(before);
    let receiver: Option<Typed> = match rest.split_last() {
        Some((dot, receiver)) if matches!(dot.text(before), "." | "?.") => {
            Some(words.type_of(state, before, chain(before, receiver))?)
        }
        _ => None,
    };
    let all = match &receiver {
        Some(of) => words.members(state, of),
        None => words.functions(state),
    };
    let found: Vec<&Signature> = all.iter().filter(|s| s.name == name).collect();
    // The overload with most parameters says most.
    let best = found.iter().max_by_key(|s| s.params.len())?;
    let text = best.text(receiver.is_some());
    let (_, params) = text.split_once('(')?;
    Some(match found.len() {
        1 => params.to_string(),
        n => format!("{params} (+{})", n - 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repl::state;

    fn state(inputs: &[&str]) -> State {
        let mut state = state::testing();
        for input in inputs {
            assert!(matches!(state.eval(input), state::Ended::Well(..)), "{input}");
        }
        state
    }

    fn texts(state: &State, before: &str) -> (usize, Vec<String>) {
        let (start, found) = complete(state, &Vocabulary::default(), before);
        (start, found.into_iter().map(|c| c.text).collect())
    }

    #[test]
    fn members_are_those_of_the_receiver() {
        let s = state(&[
            "let a = addr(0x2345)",
            "let m = #{x: #{deep: addr(1)}, y: [addr(2)]}",
            "fn mine(p, q) {}",
        ]);
        for (before, start, some) in [
            ("a.pa", 2, "page"),
            ("a.o", 2, "offset"),
            ("print(a.", 8, "hex()"),
            ("1 + a.page.", 11, "page"),
            ("addr(1).pa", 8, "page"),
            ("addr(1).page.of", 13, "offset"),
            ("(a).pa", 4, "page"),
            ("m.", 2, "x"),
            ("m.x.", 4, "deep"),
            ("m.x.deep.pa", 9, "page"),
            ("m.y[0].pa", 7, "page"),
            ("m.y.le", 4, "len()"),
            ("\"text\".tr", 7, "trim()"),
            ("let x = `${a.pa", 13, "page"),
            ("mi", 0, "mine("),
            ("EPE", 0, "EPERM"),
            ("let b = wh", 8, "while"),
            ("asse", 0, "assert("),
        ] {
            let (at, found) = texts(&s, before);
            assert_eq!(at, start, "{before}");
            assert!(found.iter().any(|f| f == some), "{before}: {found:?}");
        }
        for nothing in ["", "\"a.pa", "// a.pa", "a.zzz", "nobody.pa", "1.5", "let x = "] {
            assert_eq!(texts(&s, nothing).1, Vec::<String>::new(), "{nothing}");
        }
        assert!(!texts(&s, "a.").1.contains(&"x".to_string()));
    }

    #[test]
    fn variables_come_first() {
        let s = state(&["let property = 1"]);
        let found = texts(&s, "pr").1;
        assert_eq!(found[0], "property");
        assert!(found[1..].contains(&"print(".to_string()), "{found:?}");
    }

    #[test]
    fn commands_and_files_complete() {
        let s = state(&["let alpha = 1"]);
        assert_eq!(texts(&s, ":re"), (0, vec![":redo ".into(), ":reset".into()]));
        assert_eq!(texts(&s, "?alp"), (1, vec!["alpha".into()]));
        assert_eq!(texts(&s, ":trace of").1, ["off"]);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.rhai"), "").unwrap();
        std::fs::create_dir(dir.path().join("xs")).unwrap();
        let before = format!(":load {}/x", dir.path().display());
        assert_eq!(texts(&s, &before).1, ["x.rhai", "xs/"]);
    }

    #[test]
    fn hints_show_parameters_and_the_rest() {
        let s = state(&["fn mine(p, q) {}", "let a = addr(1)"]);
        let hint = |before| hint(&s, &Vocabulary::default(), before);
        assert_eq!(hint("mine("), Some(("p, q)".into(), None)));
        assert_eq!(hint("a.pag"), Some(("e".into(), Some("e".into()))));
        assert_eq!(hint("a.hex("), Some((") -> string".into(), None)));
        assert_eq!(hint("x"), None);
        assert_eq!(hint(":he"), None);
    }
}
