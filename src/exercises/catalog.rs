//! The exercises that travel inside the program.
//!
//! Each is a folder `content/NN_name`:
//!
//! ```text
//! exercise.md    `# Title`, the task, and under `## Hint` headings the hints
//! start.rhai     what the learner begins with; it fails
//! solution.rhai  one that passes; never shown, proved by a test
//! check.rhai     hidden checks, run after the learner's file; see `check`
//! ```
//!
//! Left out: exercises from other places.

use include_dir::{Dir, include_dir};

use crate::script::names::{did_you_mean, suggestion};

static CONTENT: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/src/exercises/content");

/// One exercise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exercise {
    /// Its place in the course, from 1.
    pub number: usize,
    /// Its name, which is that of its file.
    pub name: String,
    /// What it is about, in a few words.
    pub title: String,
    /// The task.
    pub text: String,
    /// Hints, from vague to plain.
    pub hints: Vec<String>,
    /// What the learner begins with.
    pub start: String,
    /// A script that passes.
    pub solution: String,
    /// The hidden checks, as one text.
    pub check: String,
}

/// Why the exercises that were built in are not usable; a mistake of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("exercise `{folder}`: {what}")]
pub struct Broken {
    /// The folder.
    pub folder: String,
    /// What is wrong with it.
    pub what: String,
}

/// All exercises in their order.
pub fn all() -> Result<Vec<Exercise>, Broken> {
    let mut folders: Vec<&Dir> = CONTENT.dirs().collect();
    folders.sort_by_key(|dir| dir.path());
    folders.into_iter().enumerate().map(|(i, dir)| read(i + 1, dir)).collect()
}

fn read(number: usize, dir: &Dir) -> Result<Exercise, Broken> {
    let folder = dir.path().to_string_lossy().into_owned();
    let broken = |what: &str| Broken { folder: folder.clone(), what: what.to_string() };
    let file = |name: &str| {
        let file = dir.get_file(dir.path().join(name)).and_then(|f| f.contents_utf8());
        file.map(str::to_string).ok_or_else(|| broken(&format!("no text file `{name}`")))
    };
    let (digits, name) = folder.split_once('_').ok_or_else(|| broken("not named NN_name"))?;
    if digits.parse() != Ok(number) {
        return Err(broken(&format!("numbered {digits}, but it is the {number}th")));
    }
    let about = file("exercise.md")?;
    let (title, text, hints) = parse(&about).ok_or_else(|| broken("no `# Title`"))?;
    Ok(Exercise {
        number,
        name: name.to_string(),
        title,
        text,
        hints,
        start: file("start.rhai")?,
        solution: file("solution.rhai")?,
        check: file("check.rhai")?,
    })
}

/// Takes title, task and hints apart.
fn parse(about: &str) -> Option<(String, String, Vec<String>)> {
    let (title, rest) = about.strip_prefix("# ")?.split_once('\n')?;
    let mut parts = rest.split("\n## Hint\n").map(|part| part.trim().to_string());
    let text = parts.next()?;
    Some((title.trim().to_string(), text, parts.collect()))
}

/// The exercise that somebody means: by name, number, file name, or the start
/// of its name. An error suggests others.
pub fn find<'e>(all: &'e [Exercise], wanted: &str) -> Result<&'e Exercise, String> {
    let file = wanted.rsplit('/').next().unwrap_or(wanted);
    let word = file.strip_suffix(".rhai").unwrap_or(file);
    let word = match word.split_once('_') {
        Some((digits, name)) if digits.parse::<usize>().is_ok() => name,
        _ => word,
    };
    let number: Option<usize> = word.parse().ok();
    let exact = all.iter().find(|e| e.name == word || Some(e.number) == number);
    if let Some(exercise) = exact {
        return Ok(exercise);
    }
    let begins: Vec<&Exercise> = all.iter().filter(|e| e.name.starts_with(word)).collect();
    match begins[..] {
        [one] if !word.is_empty() => Ok(one),
        _ => {
            let names = all.iter().map(|e| e.name.as_str());
            let help = suggestion(&did_you_mean(word, names));
            let help = help.unwrap_or_else(|| "`forkyard exercises` lists them".into());
            Err(format!("there is no exercise `{wanted}`; {help}"))
        }
    }
}

/// An exercise for tests: solved when `x` is 42 and `y` exists.
#[cfg(test)]
pub(super) fn sample() -> Exercise {
    Exercise {
        number: 1,
        name: "answer".into(),
        title: "The answer".into(),
        text: "Make x the answer.".into(),
        hints: vec!["Think.".into(), "It is 42.".into()],
        start: "// Make x the answer.\nlet x = 1;\nprint(x);\nassert(x > 40);\n".into(),
        solution: "let x = 42;\nlet y = 1;\n".into(),
        check: "//@ check: x is the answer\n//@ at: x\nassert(x == 42, \"not yet\");\n\
                //@ check: y exists\nassert(y == 1);\n"
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_exercises_are_readable() {
        for exercise in all().unwrap() {
            assert!(!exercise.text.is_empty(), "{}", exercise.name);
            assert!(exercise.hints.len() > 1, "{}", exercise.name);
        }
    }

    #[test]
    fn descriptions_are_taken_apart() {
        let (title, text, hints) =
            parse("# A b\n\nDo\nthis.\n\n## Hint\nOne.\n\n## Hint\nTwo.\n").unwrap();
        assert_eq!((title.as_str(), text.as_str()), ("A b", "Do\nthis."));
        assert_eq!(hints, ["One.", "Two."]);
        assert_eq!(parse("no title"), None);
    }

    #[test]
    fn exercises_are_found() {
        let mut all = vec![sample(), sample()];
        all[1].name = "ants".into();
        all[1].number = 2;
        for (word, name) in [
            ("answer", "answer"),
            ("2", "ants"),
            ("02_ants", "ants"),
            ("ant", "ants"),
            ("exercises/answer.rhai", "answer"),
        ] {
            assert_eq!(find(&all, word).unwrap().name, name, "{word}");
        }
        assert_eq!(
            find(&all, "antz"),
            Err("there is no exercise `antz`; did you mean `ants`?".into())
        );
        assert!(find(&all, "an").is_err() && find(&all, "").is_err() && find(&all, "9").is_err());
    }
}
