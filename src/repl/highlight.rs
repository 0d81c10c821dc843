//! Colours for script text as it is typed.
//!
//! Left out: colours of diagnostics; see `script::diagnostic`.

use crate::script::lex::{self, Kind};

const RESET: &str = "\x1b[0m";
/// Prompts.
pub const PROMPT: &str = "\x1b[1;32m";
/// Hints and remarks.
pub const DIM: &str = "\x1b[2m";
const KEYWORD: &str = "\x1b[35m";
const NUMBER: &str = "\x1b[36m";
const STRING: &str = "\x1b[32m";
const COMMENT: &str = "\x1b[2m";
const CALL: &str = "\x1b[34m";
const CONSTANT: &str = "\x1b[33m";
const MATCHING: &str = "\x1b[1;4m";

/// A text in a colour.
pub fn paint(text: &str, colour: &str) -> String {
    format!("{colour}{text}{RESET}")
}

/// Colours a text. The bracket that belongs to the one at the cursor is
/// underlined.
pub fn highlight(text: &str, cursor: usize) -> String {
    let tokens = lex::tokenize(text);
    let pair = matching(&tokens, cursor);
    let mut out = String::with_capacity(text.len() * 2);
    let mut at = 0;
    for (i, token) in tokens.iter().enumerate() {
        out += &text[at..token.range.start];
        let word = token.text(text);
        let is_call = || tokens.get(i + 1).is_some_and(|t| t.text(text) == "(");
        let colour = match token.kind {
            Kind::Keyword => KEYWORD,
            Kind::Number => NUMBER,
            Kind::Str { .. } => STRING,
            Kind::Comment { .. } => COMMENT,
            Kind::Ident if is_call() => CALL,
            Kind::Ident if is_constant(word) => CONSTANT,
            Kind::Open | Kind::Close if pair.contains(&Some(i)) => MATCHING,
            _ => "",
        };
        match colour {
            "" => out += word,
            colour => out += &paint(word, colour),
        }
        at = token.range.end;
    }
    out + &text[at..]
}

/// `CLONE_VM`, `SIGCHLD`, but not `A`.
fn is_constant(word: &str) -> bool {
    word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The bracket at or before the cursor, and its other half.
fn matching(tokens: &[lex::Token], cursor: usize) -> [Option<usize>; 2] {
    let at = tokens.iter().position(|t| {
        matches!(t.kind, Kind::Open | Kind::Close)
            && (t.range.contains(&cursor) || t.range.end == cursor)
    });
    let Some(at) = at else { return [None; 2] };
    let mut depth = 0i32;
    let step = |i: usize, depth: &mut i32| {
        match tokens[i].kind {
            Kind::Open => *depth += 1,
            Kind::Close => *depth -= 1,
            _ => {}
        }
        *depth == 0
    };
    let other = match tokens[at].kind {
        Kind::Open => (at..tokens.len()).find(|i| step(*i, &mut depth)),
        _ => (0..=at).rev().find(|i| step(*i, &mut depth)),
    };
    [other.map(|_| at), other]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(i) = rest.find('\x1b') {
            out += &rest[..i];
            rest = rest[i..].split_once('m').map_or("", |(_, rest)| rest);
        }
        out + rest
    }

    #[test]
    fn colours_change_no_text() {
        for text in ["", "let x = `a ${f(1)} b`; // c", "漢 \"open", "fn f( { ) ]", "/* x"] {
            for cursor in 0..=text.len() {
                assert_eq!(plain(&highlight(text, cursor)), text);
            }
        }
    }

    #[test]
    fn words_have_their_colours() {
        let text = highlight("let a = f(CLONE_VM)", 99);
        for part in [paint("let", KEYWORD), paint("f", CALL), paint("CLONE_VM", CONSTANT)] {
            assert!(text.contains(&part), "{text:?}");
        }
        assert_eq!(highlight("(a)", 3).matches(MATCHING).count(), 2);
        assert_eq!(highlight("(a", 1).matches(MATCHING).count(), 0);
    }
}
