//! The first lines of a script that start with `//@`: how it must end, on which
//! machine it starts, what it shows. They stand before the first line that is
//! neither a comment nor blank.
//!
//! Left out: anything that changes the meaning of the script itself.

use std::ops::Range;
use std::sync::Arc;

use super::machine::Machine;
use crate::script::diagnostic::Report;
use crate::script::limits::Limits;
use crate::script::names::{did_you_mean, suggestion};
use crate::script::source::Source;

/// What a script says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directives {
    /// `//@ exit: 1`: the exit code it must end with.
    pub exit: u8,
    /// `//@ seeds: 0..32`: the seeds it is run with, each with the same result.
    pub seeds: Range<u64>,
    /// `//@ covers: S09, S11`: rows of SCOPE.md.
    pub covers: Vec<String>,
    /// `//@ boot: cpus=2 ram=64M`: the machine it starts on.
    pub boot: Machine,
    /// `//@ limits: ops=1000`: what it may use, where that is less than usual.
    pub limits: Limits,
}

/// The directives there are.
const NAMES: &[&str] = &["exit", "seeds", "covers", "boot", "limits"];

/// Most seeds one script may ask for.
const MOST_SEEDS: u64 = 4096;

impl Directives {
    /// Reads the first lines of a script; an error points at the line.
    pub fn parse(name: &str, text: &str) -> Result<Directives, Box<Report>> {
        let mut found = Directives::default();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let (start, content) = (at, line.trim());
            at += line.len();
            if content.is_empty() || content.starts_with("#!") {
                continue;
            }
            let Some(rest) = content.strip_prefix("//") else { break };
            let Some(directive) = rest.strip_prefix('@') else { continue };
            if let Err((message, help)) = found.set(directive.trim()) {
                let source = Arc::new(Source::new(name, text));
                let start = start + line.find("//").unwrap_or(0);
                let report = Report::error("forkyard::directive", message)
                    .with_source(&source)
                    .label(start..start + content.len(), "in this line");
                return Err(Box::new(report.help(help)));
            }
        }
        Ok(found)
    }

    fn set(&mut self, directive: &str) -> Result<(), (String, String)> {
        let Some((name, value)) = directive.split_once(':') else {
            let help = "write `//@ name: value`".to_string();
            return Err((format!("`{directive}` is not a directive"), help));
        };
        let (name, value) = (name.trim(), value.trim());
        let result = match name {
            "exit" => self.set_exit(value),
            "seeds" => self.set_seeds(value),
            "covers" => self.set_covers(value),
            "boot" => value.split_whitespace().try_for_each(|s| self.boot.set(s)),
            "limits" => value.split_whitespace().try_for_each(|s| set_limit(&mut self.limits, s)),
            _ => {
                let all = format!("there are `{}`", NAMES.join("`, `"));
                let help = suggestion(&did_you_mean(name, NAMES.iter().copied())).unwrap_or(all);
                return Err((format!("there is no directive `{name}`"), help));
            }
        };
        result.map_err(|e| (format!("directive `{name}`: {e}"), example(name).to_string()))
    }

    fn set_exit(&mut self, value: &str) -> Result<(), String> {
        self.exit = value.parse().map_err(|_| format!("`{value}` is not an exit code"))?;
        Ok(())
    }

    fn set_seeds(&mut self, value: &str) -> Result<(), String> {
        let wrong = || format!("`{value}` is not a range of numbers");
        let (start, end) = value.split_once("..").ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
        self.seeds = number(start)?..number(end)?;
        match self.seeds.end.saturating_sub(self.seeds.start) {
            0 => Err(format!("`{value}` is empty")),
            1..=MOST_SEEDS => Ok(()),
            _ => Err(format!("more than {MOST_SEEDS} seeds")),
        }
    }

    fn set_covers(&mut self, value: &str) -> Result<(), String> {
        for id in value.split(',').map(str::trim) {
            let digits = id.strip_prefix('S').filter(|d| d.len() == 2);
            if digits.and_then(|d| d.parse::<u8>().ok()).is_none_or(|n| n == 0) {
                return Err(format!("`{id}` is not a row of SCOPE.md"));
            }
            self.covers.push(id.to_string());
        }
        Ok(())
    }
}

fn set_limit(limits: &mut Limits, setting: &str) -> Result<(), String> {
    let wrong = || format!("`{setting}` is not of the form name=number");
    let (key, value) = setting.split_once('=').ok_or_else(wrong)?;
    let number: usize = value.parse().map_err(|_| wrong())?;
    let field = match key {
        "ops" => {
            limits.ops = limits.ops.min(number as u64);
            return Ok(());
        }
        "output" => &mut limits.output_bytes,
        "tasks" => &mut limits.tasks,
        "calls" => &mut limits.call_levels,
        _ => return Err(format!("`{key}` is not one of ops, output, tasks, calls")),
    };
    *field = number.min(*field);
    Ok(())
}

fn example(name: &str) -> &'static str {
    match name {
        "exit" => "for example `//@ exit: 1`",
        "seeds" => "for example `//@ seeds: 0..32`",
        "covers" => "for example `//@ covers: S09, S11`",
        "boot" => "for example `//@ boot: cpus=2 ram=64M mmu=off levels=5 seed=7`",
        _ => "for example `//@ limits: ops=10000 output=4096`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_are_read() {
        let text = "#!/usr/bin/env forkyard\n// A note.\n//@ exit: 1\n\n  //@ seeds: 0..4\n\
                    //@covers: S09, S11\n//@ boot: cpus=2 ram=64M\n//@ limits: ops=10\n\
                    let a = 1;\n//@ exit: 7\n";
        let d = Directives::parse("x", text).unwrap();
        assert_eq!((d.exit, d.seeds, d.limits.ops), (1, 0..4, 10));
        assert_eq!(d.covers, ["S09", "S11"]);
        assert_eq!((d.boot.cpus, d.boot.ram), (Some(2), Some(64 << 20)));
        assert_eq!(Directives::parse("x", "").unwrap(), Directives::default());
    }

    #[test]
    fn mistakes_point_at_their_line() {
        for (text, message, help) in [
            ("\n//@ exits: 1", "there is no directive `exits`", "did you mean `exit`?"),
            ("\n//@ exit: 256", "directive `exit`: `256` is not an exit code", "for example"),
            ("\n//@ exit", "`exit` is not a directive", "write"),
            ("\n//@ seeds: 4..4", "directive `seeds`: `4..4` is empty", "for example"),
            ("\n//@ covers: S9", "directive `covers`: `S9` is not a row of SCOPE.md", "for"),
            ("\n//@ boot: cpu=1", "directive `boot`: `cpu` is not one of cpus", "for example"),
            ("\n//@ limits: time=1", "directive `limits`: `time` is not one", "for example"),
        ] {
            let report = Directives::parse("x", text).unwrap_err();
            assert!(report.message.starts_with(message), "{}", report.message);
            assert!(report.help[0].starts_with(help), "{:?}", report.help);
            assert_eq!(report.place(), Some(("x", 2, 1)));
        }
    }

    #[test]
    fn limits_are_only_lowered() {
        let d = Directives::parse("x", "//@ limits: ops=999999999999 tasks=5").unwrap();
        assert_eq!((d.limits.ops, d.limits.tasks), (Limits::default().ops, 5));
    }
}
