//! How far the thing at a position reaches: Rhai says where a mistake starts,
//! a label needs its end as well.
//!
//! Left out: a syntax tree. Positions come from Rhai with or without one, and
//! after a syntax error there is none; the tokens are always there.

mod view;

use std::ops::Range;

use rhai::{Expr, Position};

use super::lex::{Kind, Token};
use super::source::Source;
use view::View;

/// How much of the text around a position is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The one token.
    Token,
    /// A whole operand: a call with its arguments, a bracketed list, both
    /// sides of an operator.
    Operand,
    /// To the end of the statement.
    Statement,
}

/// The bytes meant by `extent` at a position. Without a position, an empty
/// range at the start.
pub fn at(source: &Source, pos: Position, extent: Extent) -> Range<usize> {
    source.offset_of(pos).map_or(0..0, |offset| at_offset(source, offset, extent))
}

/// As [`at`], for a byte offset.
pub fn at_offset(source: &Source, offset: usize, extent: Extent) -> Range<usize> {
    let tokens = source.tokens();
    let Some(i) = token_at(tokens, offset) else {
        let end = source.text().trim_end().len();
        return end.min(offset)..end.min(offset);
    };
    let view = View { tokens, text: source.text() };
    let (first, last) = match extent {
        Extent::Token => (i, i),
        Extent::Operand => view.around(i),
        Extent::Statement => (i, view.statement_end(i)),
    };
    tokens[first].range.start..tokens[last].range.end
}

/// The end of the token before this position: where something is missing.
pub fn after_previous(source: &Source, pos: Position) -> Option<Range<usize>> {
    let offset = source.offset_of(pos)?;
    let before = source.tokens().partition_point(|t| t.range.start < offset);
    let end = source.tokens().get(before.checked_sub(1)?)?.range.end;
    // The last character, so that the label has something to stand under.
    let start = source.text()[..end].char_indices().next_back().map_or(end, |(i, _)| i);
    Some(start..end)
}

/// The innermost bracket that is open at this position, or at the end.
pub fn open_bracket(source: &Source, pos: Position) -> Option<Range<usize>> {
    let end = source.offset_of(pos).unwrap_or(usize::MAX);
    let mut open = Vec::new();
    for token in source.tokens().iter().take_while(|t| t.range.start < end) {
        match token.kind {
            Kind::Open => open.push(token.range.clone()),
            Kind::Close => {
                open.pop();
            }
            _ => {}
        }
    }
    open.pop()
}

/// The nearest of these words before an offset.
pub fn word_before(source: &Source, offset: usize, words: &[&str]) -> Option<Range<usize>> {
    let tokens = source.tokens();
    let before = tokens.partition_point(|t| t.range.end <= offset);
    let mut earlier = tokens[..before].iter().rev();
    earlier.find(|t| words.contains(&t.text(source.text()))).map(|t| t.range.clone())
}

/// Whether the name at this position follows a dot.
pub fn is_method(source: &Source, pos: Position) -> bool {
    let tokens = source.tokens();
    let i = source.offset_of(pos).and_then(|offset| token_at(tokens, offset));
    let before = i.and_then(|i| tokens.get(i.checked_sub(1)?));
    before.is_some_and(|t| matches!(t.text(source.text()), "." | "?."))
}

/// The arguments of the call whose name is at this position.
pub fn arguments(source: &Source, pos: Position) -> Vec<Range<usize>> {
    let tokens = source.tokens();
    let view = View { tokens, text: source.text() };
    let name = source.offset_of(pos).and_then(|offset| token_at(tokens, offset));
    let Some(open) = name.map(|i| i + 1).filter(|i| view.text(*i) == "(") else {
        return Vec::new();
    };
    let close = view.close_of(open);
    let mut arguments = Vec::new();
    let mut first = open + 1;
    let mut i = first;
    let mut in_bars = false;
    while i <= close {
        match (view.text(i), view.kind(i)) {
            // The parameters of a closure.
            ("|", _) if in_bars || !view.ends_operand(i - 1) => in_bars = !in_bars,
            (_, Some(Kind::Open)) => i = view.close_of(i),
            (",", _) if in_bars => {}
            (",", _) | (_, Some(Kind::Close)) => {
                if i > first {
                    arguments.push(tokens[first].range.start..tokens[i - 1].range.end);
                }
                first = i + 1;
            }
            _ => {}
        }
        i += 1;
    }
    arguments
}

/// The bytes of a parsed expression. Parentheses are not in the tree: they are
/// added where the range would otherwise be unbalanced.
pub fn of_expr(source: &Source, expr: &Expr) -> Range<usize> {
    let tokens = source.tokens();
    let view = View { tokens, text: source.text() };
    let mut bounds: Option<(usize, usize)> = None;
    expr.walk(&mut Vec::new(), &mut |path| {
        if let Some(rhai::ASTNode::Expr(e)) = path.last() {
            let pos = match e {
                Expr::Variable(x, ..) if !x.2.is_empty() => x.2.position(),
                Expr::FnCall(x, ..) if x.is_qualified() => x.namespace.position(),
                e => e.position(),
            };
            let i = source.offset_of(pos).and_then(|offset| token_at(tokens, offset));
            if let Some(i) = i {
                let end = if view.is_binary(i) { i } else { view.operand_end(i, false) };
                let (first, last) = bounds.get_or_insert((i, end));
                *first = i.min(*first);
                *last = end.max(*last);
            }
        }
        true
    });
    let Some((first, last)) = bounds else { return at(source, expr.position(), Extent::Token) };
    let (first, last) = view.balance(first, last);
    tokens[first].range.start..tokens[last].range.end
}

/// The token at or after an offset.
fn token_at(tokens: &[Token], offset: usize) -> Option<usize> {
    let i = tokens.partition_point(|t| t.range.end <= offset);
    (i < tokens.len()).then_some(i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str, at: &str, extent: Extent) -> String {
        let source = Source::new("x", text);
        let range = at_offset(&source, text.find(at).unwrap(), extent);
        source.slice(&range).to_string()
    }

    #[test]
    fn operands_reach_to_their_closers() {
        let operand = |text, at| span(text, at, Extent::Operand);
        assert_eq!(operand("x.setuid(f(1), [2]) + 1", "setuid"), "setuid(f(1), [2])");
        assert_eq!(operand("print(`a ${b} c` )", "`a"), "`a ${b} c`");
        assert_eq!(operand("let a = [1, [2]];", "["), "[1, [2]]");
        assert_eq!(operand("a.b[c.d] = 1", "[c"), "a.b[c.d]");
        assert_eq!(operand("foo(", "foo"), "foo(");
    }

    #[test]
    fn operators_take_both_sides_by_precedence() {
        let operand = |text, at| span(text, at, Extent::Operand);
        assert_eq!(operand("1 + a.b(c) / d[0] + 2", "/"), "a.b(c) / d[0]");
        assert_eq!(operand("1 + a * 2 == x", "=="), "1 + a * 2 == x");
        assert_eq!(operand("x = a - b * c;", "- b"), "a - b * c");
        assert_eq!(operand("let y = (a + b) * -c;", "*"), "(a + b) * -c");
        assert_eq!(operand("+", "+"), "+");
    }

    #[test]
    fn arguments_of_a_call() {
        let source = Source::new("x", "a.foo(1 + 2, |x, y| [x, y], b(c, d),)");
        let found = arguments(&source, Position::new(1, 3));
        let texts: Vec<&str> = found.iter().map(|r| source.slice(r)).collect();
        assert_eq!(texts, ["1 + 2", "|x, y| [x, y]", "b(c, d)"]);
        assert!(is_method(&source, Position::new(1, 3)));
        assert!(!is_method(&source, Position::new(1, 1)));
        assert!(arguments(&Source::new("x", "foo("), Position::new(1, 1)).is_empty());
    }

    #[test]
    fn statements_end_before_the_semicolon() {
        assert_eq!(span("throw #{a: 1} + x; y", "throw", Extent::Statement), "throw #{a: 1} + x");
        assert_eq!(span("{ throw x }", "throw", Extent::Statement), "throw x");
    }

    #[test]
    fn expressions_of_the_tree() {
        for text in [
            "a + b.c(d)[e]",
            "a.b.c == foo(1, [2, 3])",
            "(a + b).foo(c)",
            "x in [1, 2]",
            "`a ${b}` + \"c\"",
            "-a * (b + c)",
            "m::f(a) == m::X",
            "a && (b || c)",
            "f.call(|x| x + 1)",
        ] {
            let engine = rhai::Engine::new();
            let code = format!("let q = {text}; z");
            let source = Source::new("x", &code);
            let mut options = engine;
            options.set_optimization_level(rhai::OptimizationLevel::None);
            let ast = options.compile(&code).unwrap();
            let rhai::Stmt::Var(x, ..) = &ast.statements()[0] else { panic!() };
            assert_eq!(source.slice(&of_expr(&source, &x.1)), text);
        }
    }

    #[test]
    fn positions_off_the_text() {
        let source = Source::new("x", "a;  ");
        assert_eq!(at_offset(&source, 4, Extent::Operand), 2..2);
        assert_eq!(at(&source, Position::NONE, Extent::Operand), 0..0);
        assert_eq!(after_previous(&source, Position::new(1, 3)), Some(1..2));
        assert_eq!(after_previous(&source, Position::new(1, 1)), None);
    }
}
