//! Cuts script text into tokens with exact byte ranges.
//!
//! Rhai's own tokenizer gives the start of a token only, as a line and a
//! column, and stops at the first mistake. Error labels, the highlighter and
//! the test for unfinished input need ends too, and need them in broken text.
//! This one never fails: what it does not know becomes [`Kind::Other`].
//!
//! Left out: the meaning of escapes and numbers; that is Rhai's business.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name.
    Ident,
    /// A word of the language: `let`, `fn`, `if`…
    Keyword,
    /// A number.
    Number,
    /// A string or character, or a piece of an interpolated string.
    Str {
        /// The piece is followed by `${`, so the string goes on after its `}`.
        goes_on: bool,
        /// The closing quote is there (or the `${`).
        closed: bool,
    },
    /// `(`, `[`, `{`, `#{`, `?[` or `${`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// An operator or a punctuation mark.
    Op,
    /// A comment; `closed` is false for a block comment without its end.
    Comment {
        /// The comment has its end.
        closed: bool,
    },
    /// A character that starts no token.
    Other,
}

/// One token of a source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it is, in bytes.
    pub range: Range<usize>,
}

impl Token {
    /// The token's text.
    pub fn text<'t>(&self, source: &'t str) -> &'t str {
        source.get(self.range.clone()).unwrap_or("")
    }
}

/// Words of the language, which cannot be names.
pub const KEYWORDS: &[&str] = &[
    "as", "break", "catch", "const", "continue", "do", "else", "export", "false", "fn", "for",
    "if", "import", "in", "let", "loop", "private", "return", "switch", "this", "throw", "true",
    "try", "until", "while",
];

/// Operators of more than one character, longest first.
const LONG_OPS: &[&str] = &[
    "..=", "...", "**=", "<<=", ">>=", "===", "!==", "::<", "->", "<-", "=>", "::", "??", "?.",
    "..", "**", "<<", ">>", "==", "!=", "<=", ">=", "&&", "||", "+=", "-=", "*=", "/=", "%=", "&=",
    "|=", "^=", ":=",
];

/// Cuts `text` into tokens, comments included, in order of appearance.
pub fn tokenize(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), interpolations: Vec::new() };
    if text.starts_with("#!") {
        lexer.line_comment();
    }
    while lexer.step() {}
    lexer.tokens
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
    /// For each `${` we are in: how many `{` were opened since.
    interpolations: Vec<usize>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind, len: usize) {
        self.tokens.push(Token { kind, range: self.at..self.at + len });
        self.at += len;
    }

    fn step(&mut self) -> bool {
        let Some(c) = self.rest().chars().next() else { return false };
        match c {
            c if c.is_whitespace() => self.at += c.len_utf8(),
            '/' if self.rest().starts_with("//") => self.line_comment(),
            '/' if self.rest().starts_with("/*") => self.block_comment(),
            '"' | '\'' => self.quoted(c),
            '`' => self.template(1),
            '#' if raw_hashes(self.rest()).is_some() => self.raw_string(),
            c if c.is_ascii_digit() => self.number(),
            c if c == '_' || c.is_alphabetic() => {
                let end = self.rest().find(|c: char| c != '_' && !c.is_alphanumeric() && c != '$');
                let len = end.unwrap_or(self.rest().len());
                let word = &self.rest()[..len];
                let kind = if KEYWORDS.contains(&word) { Kind::Keyword } else { Kind::Ident };
                self.push(kind, len);
            }
            _ => self.symbol(c),
        }
        true
    }

    fn line_comment(&mut self) {
        let len = self.rest().find('\n').unwrap_or(self.rest().len());
        self.push(Kind::Comment { closed: true }, len);
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let bytes = self.rest().as_bytes();
        let (mut i, mut depth) = (2, 1);
        while i < bytes.len() && depth > 0 {
            let (step, change) = match &bytes[i..] {
                [b'/', b'*', ..] => (2, 1),
                [b'*', b'/', ..] => (2, -1),
                _ => (1, 0),
            };
            i += step;
            depth += change;
        }
        self.push(Kind::Comment { closed: depth == 0 }, i);
    }

    /// `"…"` and `'…'`. A string ends at the line's end unless a backslash
    /// stands before it; a doubled quote is a quote.
    fn quoted(&mut self, quote: char) {
        let mut chars = self.rest().char_indices().skip(1).peekable();
        let mut len = self.rest().len();
        let mut closed = false;
        while let Some((i, c)) = chars.next() {
            if c == '\\' {
                chars.next_if(|&(_, c)| c == '\r');
                chars.next();
            } else if c == quote {
                if quote == '"' && chars.next_if(|&(_, c)| c == quote).is_some() {
                    continue;
                }
                (len, closed) = (i + 1, true);
                break;
            } else if c == '\n' {
                len = i;
                break;
            }
        }
        self.push(Kind::Str { goes_on: false, closed }, len);
    }

    /// A piece of a back-tick string; `skip` bytes of it are known already.
    fn template(&mut self, skip: usize) {
        let bytes = self.rest().as_bytes();
        let mut i = skip;
        while i < bytes.len() {
            match &bytes[i..] {
                [b'\\', b'$', b'{', ..] => i += 3,
                [b'$', b'{', ..] => {
                    self.push(Kind::Str { goes_on: true, closed: true }, i);
                    self.push(Kind::Open, 2);
                    self.interpolations.push(0);
                    return;
                }
                [b'`', b'`', ..] => i += 2,
                [b'`', ..] => {
                    self.push(Kind::Str { goes_on: false, closed: true }, i + 1);
                    return;
                }
                _ => i += 1,
            }
        }
        self.push(Kind::Str { goes_on: false, closed: false }, i);
    }

    fn raw_string(&mut self) {
        let hashes = raw_hashes(self.rest()).unwrap_or(1);
        let end = format!("\"{}", "#".repeat(hashes));
        let body = &self.rest()[hashes + 1..];
        let (len, closed) = match body.find(&end) {
            Some(i) => (hashes + 1 + i + end.len(), true),
            None => (self.rest().len(), false),
        };
        self.push(Kind::Str { goes_on: false, closed }, len);
    }

    fn number(&mut self) {
        let bytes = self.rest().as_bytes();
        let mut i = 1;
        let radix = matches!(bytes, [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..]);
        if radix {
            i = 2;
        }
        while i < bytes.len() {
            let next = bytes.get(i + 1).copied().unwrap_or(0);
            match bytes[i] {
                b'_' => i += 1,
                c if c.is_ascii_hexdigit() && (radix || c.is_ascii_digit()) => i += 1,
                b'.' if !radix && !matches!(next, b'.' | b'_') && !next.is_ascii_alphabetic() => {
                    i += 1;
                }
                b'e' | b'E' if !radix && (next.is_ascii_digit() || b"+-".contains(&next)) => i += 2,
                _ => break,
            }
        }
        self.push(Kind::Number, i);
    }

    fn symbol(&mut self, c: char) {
        if self.rest().starts_with("#{") || self.rest().starts_with("?[") {
            if c == '#' {
                self.nest(1);
            }
            return self.push(Kind::Open, 2);
        }
        match c {
            '(' | '[' => self.push(Kind::Open, 1),
            '{' => {
                self.nest(1);
                self.push(Kind::Open, 1);
            }
            ')' | ']' => self.push(Kind::Close, 1),
            '}' => {
                if self.interpolations.last() == Some(&0) {
                    self.interpolations.pop();
                    self.push(Kind::Close, 1);
                    self.template(0);
                } else {
                    self.nest(-1);
                    self.push(Kind::Close, 1);
                }
            }
            _ => {
                let long = LONG_OPS.iter().find(|op| self.rest().starts_with(**op));
                match long {
                    Some(op) => self.push(Kind::Op, op.len()),
                    None if c.is_ascii_punctuation() => self.push(Kind::Op, 1),
                    None => self.push(Kind::Other, c.len_utf8()),
                }
            }
        }
    }

    fn nest(&mut self, by: isize) {
        if let Some(depth) = self.interpolations.last_mut() {
            *depth = depth.saturating_add_signed(by);
        }
    }
}

/// The number of `#` before the quote of a raw string, if this starts one.
fn raw_hashes(text: &str) -> Option<usize> {
    let hashes = text.bytes().take_while(|&b| b == b'#').count();
    (hashes > 0 && text.as_bytes().get(hashes) == Some(&b'"')).then_some(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<&str> {
        tokenize(source).iter().map(|t| t.text(source)).collect()
    }

    #[test]
    fn strings_of_all_kinds() {
        assert_eq!(texts(r#"a("x\"y", 'c')"#), ["a", "(", r#""x\"y""#, ",", "'c'", ")"]);
        assert_eq!(texts("#\"a \" b\"# + 1"), ["#\"a \" b\"#", "+", "1"]);
        assert_eq!(
            texts("`a ${ #{b: `c${1}`}.b } d` + 2"),
            [
                "`a ", "${", "#{", "b", ":", "`c", "${", "1", "}", "`", "}", ".", "b", "}", " d`",
                "+", "2"
            ]
        );
        assert_eq!(texts("\"open\nx"), ["\"open", "x"]);
    }

    #[test]
    fn numbers_ranges_and_methods() {
        assert_eq!(texts("1..2"), ["1", "..", "2"]);
        assert_eq!(texts("1.foo()"), ["1", ".", "foo", "(", ")"]);
        assert_eq!(texts("1.5e-3+0xff_ff"), ["1.5e-3", "+", "0xff_ff"]);
    }

    #[test]
    fn comments_nest_and_may_be_open() {
        assert_eq!(texts("/* a /* b */ c */ x"), ["/* a /* b */ c */", "x"]);
        let tokens = tokenize("x /* open");
        assert_eq!(tokens[1].kind, Kind::Comment { closed: false });
        assert_eq!(texts("#!/usr/bin/env forkyard\nx"), ["#!/usr/bin/env forkyard", "x"]);
    }

    #[test]
    fn tokens_start_where_rhais_do() {
        let engine = crate::script::engine::plain();
        for text in [
            "let x = 1.5e3 + foo(a, \"b\\n\", 'c')[1..=2]; // end\nfn f(x) { x?.y ?? z }",
            "#{a: 1, \"b\": [2]}; /* c /* d */ */ x **= 2 >= 3 && !y || a !in b",
            "import \"x\" as y; y::z(|a, b| a << b); switch x { 1 => 2, _ => 3 }",
            "#\"raw \"\" text\"# + \"dou\"\"bled\" + 0xff_ff - 0b11; a.1",
            "assert(init.pid == 1, `text`); t.clone(CLONE_VM | SIGCHLD); x -= -1",
        ] {
            let ours: Vec<usize> = tokenize(text)
                .into_iter()
                .filter(|t| !matches!(t.kind, Kind::Comment { .. }))
                .map(|t| t.range.start)
                .collect();
            let source = crate::script::source::Source::new("x", text);
            let (stream, _) = engine.lex(std::slice::from_ref(&text));
            for (token, pos) in stream.take_while(|(t, _)| *t != rhai::Token::EOF) {
                let start = source.offset_of(pos).unwrap();
                assert!(ours.contains(&start), "{token:?} at {start} of {text}");
            }
        }
    }

    #[test]
    fn any_text_is_covered_in_order() {
        for text in ["", "é漢\u{0}\u{7f}", "}}}`${", "`", "\"\\", "#", "'", "/*", "0x", "1."] {
            let mut end = 0;
            for t in tokenize(text) {
                assert!(t.range.start >= end && t.range.end > t.range.start, "{text:?} {t:?}");
                assert!(text.get(t.range.clone()).is_some());
                end = t.range.end;
            }
            assert!(text[end..].trim().is_empty(), "{text:?}");
        }
    }
}
