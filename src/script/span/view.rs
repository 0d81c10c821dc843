//! Finds the ends of operands, operations and statements among tokens, by
//! matching brackets and Rhai's operator precedences.
//!
//! Left out: a grammar. On text that is no Rhai at all the answers are
//! harmless, not meaningful.

use super::super::lex::{Kind, Token};

/// Tokens with their text.
pub(super) struct View<'s> {
    pub(super) tokens: &'s [Token],
    pub(super) text: &'s str,
}

impl View<'_> {
    pub(super) fn text(&self, i: usize) -> &str {
        self.tokens.get(i).map_or("", |t| t.text(self.text))
    }

    pub(super) fn kind(&self, i: usize) -> Option<Kind> {
        self.tokens.get(i).map(|t| t.kind)
    }

    /// The bracket that closes the one at `i`, or the last token.
    pub(super) fn close_of(&self, i: usize) -> usize {
        let mut depth = 0usize;
        for (j, t) in self.tokens.iter().enumerate().skip(i) {
            match t.kind {
                Kind::Open => depth += 1,
                Kind::Close => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return j;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len().saturating_sub(1)
    }

    /// The bracket that opens the one at `i`, or the first token.
    pub(super) fn open_of(&self, i: usize) -> usize {
        let mut depth = 0usize;
        for j in (0..=i).rev() {
            match self.tokens[j].kind {
                Kind::Close => depth += 1,
                Kind::Open => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return j;
                    }
                }
                _ => {}
            }
        }
        0
    }

    /// What ends an operand, so that an operator after it is a binary one.
    pub(super) fn ends_operand(&self, i: usize) -> bool {
        match self.kind(i) {
            Some(Kind::Ident | Kind::Number | Kind::Close) => true,
            Some(Kind::Str { goes_on, .. }) => !goes_on,
            Some(Kind::Keyword) => matches!(self.text(i), "true" | "false" | "this"),
            _ => false,
        }
    }

    pub(super) fn is_binary(&self, i: usize) -> bool {
        precedence(self.text(i)).is_some() && i > 0 && self.ends_operand(i - 1)
    }

    /// First and last token of the operand or operation at `i`.
    pub(super) fn around(&self, i: usize) -> (usize, usize) {
        if self.is_binary(i) {
            return self.operation(i);
        }
        match self.kind(i) {
            Some(Kind::Close) => (self.open_of(i), i),
            Some(Kind::Open) if self.text(i) == "[" && i > 0 && self.ends_operand(i - 1) => {
                (self.operand_start(i - 1), self.close_of(i))
            }
            _ => (i, self.operand_end(i, false)),
        }
    }

    /// Both sides of the binary operator at `i`, by precedence.
    pub(super) fn operation(&self, i: usize) -> (usize, usize) {
        let level = precedence(self.text(i)).unwrap_or(0);
        let mut first = self.operand_start(i - 1);
        while first >= 2
            && self.is_binary(first - 1)
            && precedence(self.text(first - 1)).is_some_and(|p| p >= level)
        {
            first = self.operand_start(first - 2);
        }
        let mut last = self.operand_end(i + 1, true);
        while self.is_binary(last + 1) && precedence(self.text(last + 1)).is_some_and(|p| p > level)
        {
            last = self.operand_end(last + 2, true);
        }
        (first, last.min(self.tokens.len() - 1))
    }

    /// Last token of the operand that starts at `i`; with `chain`, of all the
    /// calls, fields and indexes that follow.
    pub(super) fn operand_end(&self, i: usize, chain: bool) -> usize {
        let last_token = self.tokens.len().saturating_sub(1);
        let mut i = i.min(last_token);
        while matches!(self.text(i), "-" | "+" | "!") && i < last_token {
            i += 1;
        }
        let mut end = match self.kind(i) {
            Some(Kind::Open) => self.close_of(i),
            Some(Kind::Str { goes_on: true, .. }) => {
                let mut piece = i;
                while let Some(Kind::Str { goes_on: true, .. }) = self.kind(piece) {
                    piece = (self.close_of(piece + 1) + 1).min(last_token);
                }
                piece
            }
            _ => i,
        };
        let callable = matches!(self.kind(i), Some(Kind::Ident));
        loop {
            let next = end + 1;
            end = match self.text(next) {
                "::" => next + 1,
                "!" if callable && self.text(next + 1) == "(" => self.close_of(next + 1),
                "(" if (callable || chain) && self.ends_operand(end) => self.close_of(next),
                "." | "?." if chain => next + 1,
                "[" | "?[" if chain => self.close_of(next),
                _ => return end.min(last_token),
            };
            if end >= last_token {
                return last_token;
            }
        }
    }

    /// First token of the operand whose last token is `i`.
    pub(super) fn operand_start(&self, mut i: usize) -> usize {
        loop {
            if self.kind(i) == Some(Kind::Close) {
                i = self.open_of(i);
                let opener = self.text(i);
                if opener == "${" {
                    i = i.saturating_sub(1);
                } else if i > 0 && matches!(opener, "(" | "[" | "?[") && self.ends_operand(i - 1) {
                    i -= 1;
                    continue;
                }
            }
            if i >= 2 && matches!(self.text(i - 1), "." | "?." | "::") {
                i -= 2;
                continue;
            }
            return i;
        }
    }

    /// Widens a range of tokens until its brackets are balanced.
    pub(super) fn balance(&self, mut first: usize, mut last: usize) -> (usize, usize) {
        let (mut depth, mut lowest) = (0isize, 0isize);
        for t in &self.tokens[first..=last] {
            match t.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth -= 1,
                _ => {}
            }
            lowest = lowest.min(depth);
        }
        for _ in lowest..0 {
            first = first.saturating_sub(1);
        }
        let mut open = depth - lowest;
        while open > 0 && last + 1 < self.tokens.len() {
            last += 1;
            match self.tokens[last].kind {
                Kind::Open => open += 1,
                Kind::Close => open -= 1,
                _ => {}
            }
        }
        (first, last)
    }

    /// Last token of the statement that starts at `i`.
    pub(super) fn statement_end(&self, i: usize) -> usize {
        let mut end = i;
        let mut j = i + 1;
        while let Some(kind) = self.kind(j) {
            match (kind, self.text(j)) {
                (Kind::Close, _) | (_, ";") => break,
                (Kind::Open, _) => j = self.close_of(j),
                _ => {}
            }
            end = j;
            j += 1;
        }
        end
    }
}

/// Rhai's precedence of a binary operator.
fn precedence(op: &str) -> Option<u8> {
    Some(match op {
        "=" | "+=" | "-=" | "*=" | "/=" | "%=" | "**=" | "<<=" | ">>=" | "&=" | "|=" | "^=" => 1,
        "||" | "|" | "^" => 30,
        "&&" | "&" => 60,
        "==" | "!=" => 90,
        "in" => 110,
        "<" | "<=" | ">" | ">=" => 130,
        "??" => 135,
        ".." | "..=" => 140,
        "+" | "-" => 150,
        "*" | "/" | "%" => 180,
        "**" => 190,
        "<<" | ">>" => 210,
        _ => return None,
    })
}
