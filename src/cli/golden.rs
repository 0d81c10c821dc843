//! Golden texts: compared, shown as a diff, or written anew.
//!
//! Left out: normalising. The same seed and inputs give the same bytes, so
//! there is nothing to even out.

use std::fmt::Write;
use std::io;
use std::path::Path;

use similar::{ChangeTag, TextDiff};

use super::files::write_atomically;

/// What became of a golden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blessed {
    /// It was right already.
    Unchanged,
    /// It was written.
    Written,
    /// The text is empty now, so the file is gone.
    Removed,
}

/// Reads a golden; a missing file is an empty text.
pub fn read(path: &Path) -> io::Result<String> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(e),
    }
}

/// Makes a golden say what was found. Empty texts have no file.
pub fn bless(path: &Path, text: &str) -> io::Result<Blessed> {
    let exists = path.try_exists()?;
    if text.is_empty() {
        if exists {
            std::fs::remove_file(path)?;
        }
        return Ok(if exists { Blessed::Removed } else { Blessed::Unchanged });
    }
    if exists && read(path)? == text {
        return Ok(Blessed::Unchanged);
    }
    write_atomically(path, text)?;
    Ok(Blessed::Written)
}

/// Most lines of a diff that are shown.
const MOST_LINES: usize = 60;

/// The difference between two texts, line by line with some context; `None` if
/// there is none.
pub fn diff(name: &str, expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let mut text = format!("--- {name} (expected)\n+++ {name} (found)\n");
    let diff = TextDiff::from_lines(expected, found);
    let mut lines = 0;
    for (i, group) in diff.grouped_ops(2).iter().enumerate() {
        if i > 0 {
            text.push_str("  ...\n");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            lines += 1;
            if lines > MOST_LINES {
                text.push_str("  ... and more\n");
                return Some(text);
            }
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let line = change.value();
            let _ = write!(text, "{sign}{line}");
            if !line.ends_with('\n') {
                text.push_str("\n\\ no line end\n");
            }
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_shown_by_line() {
        let text = diff("x.out", "a\nb\nc\n", "a\nB\nc").unwrap();
        assert_eq!(
            text,
            "--- x.out (expected)\n+++ x.out (found)\n a\n-b\n-c\n+B\n+c\n\\ no line end\n"
        );
        assert_eq!(diff("x", "a\n", "a\n"), None);
        assert!(diff("x", "", &"a\n".repeat(500)).unwrap().lines().count() < 70);
    }

    #[test]
    fn goldens_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.out");
        assert_eq!(read(&path).unwrap(), "");
        assert_eq!(bless(&path, "").unwrap(), Blessed::Unchanged);
        assert_eq!(bless(&path, "1\n").unwrap(), Blessed::Written);
        assert_eq!(bless(&path, "1\n").unwrap(), Blessed::Unchanged);
        assert_eq!(read(&path).unwrap(), "1\n");
        assert_eq!(bless(&path, "").unwrap(), Blessed::Removed);
        assert!(!path.exists());
    }
}
