//! What the views share: tables without borders, lines, safe names.
//!
//! Linux: fs/proc/array.c (proc_task_name escapes names).
//! Left out: wrapping; a line that is too long stays one line.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use std::fmt;

/// A table of columns two blanks apart. `right` lists the columns that are
/// numbers.
pub(super) fn table<S: ToString>(header: &[S], right: &[usize]) -> Table {
    let mut t = Table::new();
    t.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    t.set_header(header.iter().map(S::to_string));
    for (i, column) in t.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    t
}

/// Writes a table without blanks at line ends.
pub(super) fn write_table(f: &mut fmt::Formatter<'_>, t: &Table) -> fmt::Result {
    write_lines(f, t.lines().map(|l| l.trim_end().to_string()))
}

/// Writes lines with newlines between them, none at the end.
pub(super) fn write_lines<S: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    lines: impl IntoIterator<Item = S>,
) -> fmt::Result {
    for (i, line) in lines.into_iter().enumerate() {
        if i > 0 {
            f.write_str("\n")?;
        }
        write!(f, "{line}")?;
    }
    Ok(())
}

pub(super) use crate::kernel::fs::proc::array::proc_task_name as escape;

/// `1 page`, `2 pages`.
pub(super) fn plural(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_lines() {
        assert_eq!(escape("a\nb\\c\x1b[1m"), "a\\nb\\\\c\\033[1m");
        assert_eq!(escape("init"), "init");
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!((plural(1, "page"), plural(0, "page")), ("1 page".into(), "0 pages".into()));
    }
}
