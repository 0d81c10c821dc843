//! Commands: inputs that begin with a colon, and questions that begin with `?`.
//!
//! Left out: what they do; see `session`.

use crate::script::names::{did_you_mean, suggestion};

/// What can be asked of the prompt itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `:help`.
    Help,
    /// `?name`: what is it?
    Explain(String),
    /// `:vars`.
    Vars,
    /// `:ps`.
    Ps,
    /// `:tree`.
    Tree,
    /// `:trace on`, `:trace off`, `:trace copy_mm,dup_task`; without a word,
    /// whether it is on.
    Trace(String),
    /// `:undo`, `:undo 3`.
    Undo(usize),
    /// `:redo`, `:redo 3`.
    Redo(usize),
    /// `:save FILE`; `:save! FILE` replaces a file.
    Save {
        /// The file.
        file: String,
        /// Whether it may exist.
        replace: bool,
    },
    /// `:load FILE`.
    Load(String),
    /// `:reset`.
    Reset,
    /// `:quit`.
    Quit,
}

/// Name, arguments, and what it does, in a line.
pub const HELP: &[(&str, &str, &str)] = &[
    ("help", "", "this list"),
    ("vars", "", "the variables, their types and values"),
    ("ps", "", "the tasks, as ps(1) shows them"),
    ("tree", "", "the tasks as a tree"),
    ("trace", "on|off|WORDS", "show the kernel functions that inputs pass"),
    ("undo", "[N]", "take the last inputs back, machine and all"),
    ("redo", "[N]", "do again what was taken back"),
    ("save", "FILE", "write the inputs as a script; `:save!` replaces a file"),
    ("load", "FILE", "run a script here"),
    ("reset", "", "begin anew: nothing defined, a machine just booted"),
    ("quit", "", "leave, as does Ctrl-D"),
];

/// Whether an input is for the prompt itself and not for the engine.
pub fn is_command(input: &str) -> bool {
    input.trim_start().starts_with([':', '?'])
}

/// Reads a command. A name may be shortened as long as it is clear.
pub fn parse(input: &str) -> Result<Command, String> {
    let input = input.trim();
    if let Some(name) = input.strip_prefix('?') {
        let name = name.trim().trim_end_matches("()");
        return Ok(match name {
            "" => Command::Help,
            name => Command::Explain(name.to_string()),
        });
    }
    let input = input.strip_prefix(':').unwrap_or(input);
    let (name, rest) = input.split_once(char::is_whitespace).unwrap_or((input, ""));
    let (rest, replace) = (rest.trim(), name.ends_with('!'));
    let full = full_name(name.trim_end_matches('!'))?;
    if replace && full != "save" {
        return Err(format!("`:{full}` has no `!`"));
    }
    let takes = HELP.iter().find(|(name, ..)| *name == full).map_or("", |(_, args, _)| args);
    if takes.is_empty() && !rest.is_empty() {
        return Err(format!("`:{full}` takes no argument"));
    }
    if takes == "FILE" && rest.is_empty() {
        return Err(format!("`:{full}` needs the name of a file"));
    }
    Ok(match full {
        "help" => Command::Help,
        "vars" => Command::Vars,
        "ps" => Command::Ps,
        "tree" => Command::Tree,
        "trace" => Command::Trace(rest.to_string()),
        "undo" => Command::Undo(times(rest)?),
        "redo" => Command::Redo(times(rest)?),
        "save" => Command::Save { file: rest.to_string(), replace },
        "load" => Command::Load(rest.to_string()),
        "reset" => Command::Reset,
        _ => Command::Quit,
    })
}

fn full_name(name: &str) -> Result<&'static str, String> {
    let all: Vec<&'static str> = HELP.iter().map(|(name, ..)| *name).collect();
    let begins: Vec<&'static str> = all.iter().copied().filter(|n| n.starts_with(name)).collect();
    match begins[..] {
        [one] => Ok(one),
        [_, ..] if begins.contains(&name) => Ok(begins[0]),
        [_, ..] if !name.is_empty() => {
            Err(format!("`:{name}` could be `:{}`", begins.join("` or `:")))
        }
        _ => {
            let near = did_you_mean(name, all.iter().copied());
            let near: Vec<String> = near.iter().map(|n| format!(":{n}")).collect();
            let help = suggestion(&near.iter().map(String::as_str).collect::<Vec<_>>());
            let help = help.unwrap_or_else(|| "`:help` lists the commands".into());
            Err(format!("there is no command `:{name}`; {help}"))
        }
    }
}

fn times(text: &str) -> Result<usize, String> {
    match text {
        "" => Ok(1),
        text => match text.parse() {
            Ok(n) if n > 0 => Ok(n),
            _ => Err(format!("`{text}` is not a number of inputs")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        for (text, command) in [
            (":help", Command::Help),
            ("?", Command::Help),
            ("? fork()", Command::Explain("fork".into())),
            (":q", Command::Quit),
            (":t", Command::Help),
            (":tree ", Command::Tree),
            (":trace copy_mm", Command::Trace("copy_mm".into())),
            (":undo", Command::Undo(1)),
            (":u 3", Command::Undo(3)),
            (":load a b.rhai", Command::Load("a b.rhai".into())),
            (":save! x", Command::Save { file: "x".into(), replace: true }),
        ] {
            match parse(text) {
                Ok(found) => assert_eq!(found, command, "{text}"),
                Err(e) => {
                    assert_eq!((text, e.as_str()), (":t", "`:t` could be `:tree` or `:trace`"))
                }
            }
        }
    }

    #[test]
    fn mistakes_are_explained() {
        for (text, message) in [
            (":vras", "there is no command `:vras`; did you mean `:vars`?"),
            (":xyz", "there is no command `:xyz`; `:help` lists the commands"),
            (":", "there is no command `:`; `:help` lists the commands"),
            (":undo x", "`x` is not a number of inputs"),
            (":undo 0", "`0` is not a number of inputs"),
            (":load", "`:load` needs the name of a file"),
            (":ps all", "`:ps` takes no argument"),
            (":load! x", "`:load` has no `!`"),
        ] {
            assert_eq!(parse(text), Err(message.to_string()));
        }
    }
}
