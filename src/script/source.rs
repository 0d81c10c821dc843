//! The source texts of one run, by name: the script, its imported modules, or
//! the transcript of an interactive session. Turns Rhai's positions (line and
//! column in characters) into byte offsets and back.
//!
//! Left out: reading files. Texts are handed in.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use rhai::Position;

use super::lex::{self, Kind, Token};

/// One source text.
#[derive(Debug)]
pub struct Source {
    name: String,
    text: Arc<str>,
    /// Byte offset of each line's start.
    lines: Vec<usize>,
    tokens: OnceLock<Vec<Token>>,
}

impl Source {
    /// Makes a source. Control characters are replaced by others of the same
    /// length, so that showing the text cannot drive the reader's terminal.
    pub fn new(name: impl Into<String>, text: &str) -> Source {
        let shown: String = text
            .chars()
            .map(|c| match c {
                '\n' | '\t' => c,
                '\r' => ' ',
                c if c.is_ascii_control() => '?',
                // The C1 controls take two bytes, as does this.
                '\u{80}'..='\u{9f}' => '\u{bf}',
                c => c,
            })
            .collect();
        let lines = std::iter::once(0).chain(shown.match_indices('\n').map(|(i, _)| i + 1));
        Source {
            name: name.into(),
            lines: lines.collect(),
            text: shown.into(),
            tokens: OnceLock::new(),
        }
    }

    /// The name shown to people: a path as the user wrote it, `<repl>`…
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text as it is shown.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The tokens without comments.
    pub fn tokens(&self) -> &[Token] {
        self.tokens.get_or_init(|| {
            let mut tokens = lex::tokenize(&self.text);
            tokens.retain(|t| !matches!(t.kind, Kind::Comment { .. }));
            tokens
        })
    }

    /// The byte offset of a line and column, both counted from 1, the column
    /// in characters. Beyond a line's end: the end of the line.
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let Some(range) = self.line_range(line) else { return self.text.len() };
        let text = &self.text[range.clone()];
        let within =
            text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(i, _)| i);
        range.start + within
    }

    /// The byte offset of a Rhai position, if there is one.
    pub fn offset_of(&self, pos: Position) -> Option<usize> {
        Some(self.offset(pos.line()?, pos.position().unwrap_or(1)))
    }

    /// Line and column of a byte offset, both counted from 1.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|&start| start <= offset).max(1);
        let start = self.lines[line - 1];
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or("");
        (line, before.chars().count() + 1)
    }

    /// The bytes of a line, counted from 1, without its end.
    pub fn line_range(&self, line: usize) -> Option<Range<usize>> {
        let start = *self.lines.get(line.checked_sub(1)?)?;
        let end = self.lines.get(line).map_or(self.text.len(), |next| next - 1);
        Some(start..end)
    }

    /// The text of a byte range.
    pub fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or("")
    }
}

/// All source texts of one run. Rhai says `""` for functions without a known
/// source; that means the main one.
#[derive(Debug, Default)]
pub struct Sources {
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_name: BTreeMap<String, Arc<Source>>,
    main: String,
}

impl Sources {
    /// Adds the main source, or replaces it.
    pub fn set_main(&self, name: &str, text: &str) -> Arc<Source> {
        self.inner.borrow_mut().main = name.to_string();
        self.add(name, text)
    }

    /// Adds a source, or replaces the one of this name.
    pub fn add(&self, name: &str, text: &str) -> Arc<Source> {
        let source = Arc::new(Source::new(name, text));
        self.inner.borrow_mut().by_name.insert(name.to_string(), source.clone());
        source
    }

    /// The source of this name; the main one for an empty or unknown name.
    pub fn get(&self, name: &str) -> Option<Arc<Source>> {
        let inner = self.inner.borrow();
        inner.by_name.get(name).or_else(|| inner.by_name.get(&inner.main)).cloned()
    }

    /// The main source's name.
    pub fn main_name(&self) -> String {
        self.inner.borrow().main.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let s = Source::new("x", "let 漢 = 1;\n\tfoo");
        assert_eq!(s.slice(&(s.offset(1, 5)..s.offset(1, 6))), "漢");
        assert_eq!(s.line_column(s.offset(1, 7)), (1, 7));
        assert_eq!(s.offset(2, 2), s.text().find("foo").unwrap());
    }

    #[test]
    fn positions_beyond_the_text_are_its_end() {
        let s = Source::new("x", "ab\nc");
        assert_eq!(s.offset(1, 99), 2);
        assert_eq!(s.offset(9, 1), 4);
        assert_eq!(Source::new("x", "").line_column(0), (1, 1));
        assert_eq!(Source::new("x", "").offset(1, 1), 0);
    }

    #[test]
    fn control_characters_are_not_shown() {
        let s = Source::new("x", "a\r\nb\u{1b}[31m\u{9b}\0");
        assert_eq!(&**s.text(), "a \nb?[31m\u{bf}?");
    }

    #[test]
    fn unknown_names_mean_the_main_source() {
        let all = Sources::default();
        assert!(all.get("").is_none());
        all.set_main("m.rhai", "1");
        all.add("lib.rhai", "2");
        assert_eq!(all.get("").map(|s| s.name().to_string()).as_deref(), Some("m.rhai"));
        assert_eq!(all.get("lib.rhai").map(|s| s.text().to_string()).as_deref(), Some("2"));
    }
}
