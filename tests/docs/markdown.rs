//! Fenced code blocks of a Markdown page, and putting other text into them.

use std::ops::Range;

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What stands after the opening back ticks.
    pub info: String,
    /// 1-based line of the opening back ticks.
    pub line: usize,
    /// The lines between the fences.
    pub text: String,
    /// Where these lie in the page.
    pub span: Range<usize>,
}

impl Block {
    /// The language: `rhai` of `rhai,fails`.
    pub fn language(&self) -> &str {
        self.info.split(',').next().unwrap_or("").trim()
    }

    /// Whether a word stands after the language.
    pub fn has(&self, word: &str) -> bool {
        self.info.split(',').skip(1).any(|w| w.trim() == word)
    }
}

/// The blocks of a page, in order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(String, usize, usize)> = None;
    let mut at = 0;
    for (number, line) in page.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len();
        let Some(info) = line.trim_end().strip_prefix("```") else { continue };
        open = match open {
            None => Some((info.to_string(), number + 1, at)),
            Some((info, line, from)) => {
                let text = page[from..start].to_string();
                found.push(Block { info, line, text, span: from..start });
                None
            }
        };
    }
    assert!(open.is_none(), "a code block is not closed: {open:?}");
    found
}

/// The page with other texts in some places.
pub fn replace(page: &str, changes: &[(Range<usize>, String)]) -> String {
    let mut out = String::with_capacity(page.len());
    let mut at = 0;
    for (span, text) in changes {
        out.push_str(&page[at..span.start]);
        out.push_str(text);
        at = span.end;
    }
    out + &page[at..]
}

#[test]
fn blocks_are_found_and_replaced() {
    let page = "a\n```rhai,fails\nx\n```\nb\n```text\n1\n2\n```\n";
    let found = blocks(page);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].language(), found[0].has("fails"), found[0].line), ("rhai", true, 2));
    assert_eq!(found[1].text, "1\n2\n");
    let changed = replace(page, &[(found[1].span.clone(), "3\n".into())]);
    assert_eq!(changed, "a\n```rhai,fails\nx\n```\nb\n```text\n3\n```\n");
}
