//! `sharing_map`: two task_structs and the objects they point to, drawn.
//!
//! ```text
//!  init(1)                                                 init(3)
//! ┌─────────┐                                             ┌─────────┐
//! │ mm      ├─> mm_struct #1 users 1   mm_struct #2 … <───┤ mm      │
//! │ files   ├──────────> files_struct #1 count 2 <────────┤ files   │
//! └─────────┘                                             └─────────┘
//! ```
//!
//! Linux: the pointers of `struct task_struct`.
//! Left out: namespaces one by one; they hang on nsproxy, and `shares` lists
//! them.

use super::shares::{Object, Relation, ShareRow, Shares, shares};
use super::{NoView, text};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use serde::Serialize;
use std::fmt;

/// Columns between the two boxes.
const MIDDLE: usize = 60;
/// Columns within a box.
const BOX: usize = 10;
/// What is drawn, in this order.
const DRAWN: [&str; 9] =
    ["mm", "fs", "files", "sighand", "signal", "nsproxy", "cred", "sysvsem", "io_context"];

/// The picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharingMap {
    /// What it shows.
    pub shares: Shares,
}

/// Draws what two tasks share.
///
/// # Errors
/// One of them is gone.
pub fn sharing_map(sys: &System, a: TaskId, b: TaskId) -> Result<SharingMap, NoView> {
    Ok(SharingMap { shares: shares(sys, a, b)? })
}

fn label(r: &ShareRow, o: Object) -> String {
    match o.count {
        Some(n) => format!("{} #{} {} {n}", r.object, o.id, r.count_name),
        None => format!("{} #{}", r.object, o.id),
    }
}

/// What lies between the boxes on one line, [`MIDDLE`] columns wide.
fn arrows(r: &ShareRow) -> String {
    let pad = |s: String| {
        let n = s.chars().count();
        format!("{s}{}", " ".repeat(MIDDLE.saturating_sub(n)))
    };
    if let (Relation::Shared, Some(o)) = (r.relation, r.a) {
        let object = format!("> {} <", label(r, o));
        let free = MIDDLE.saturating_sub(object.chars().count());
        let left = free / 2;
        return format!("{}{object}{}", "─".repeat(left), "─".repeat(free - left));
    }
    let left = r.a.map(|o| format!("─> {}", label(r, o))).unwrap_or_default();
    let right = r.b.map(|o| format!("{} <─", label(r, o))).unwrap_or_default();
    let gap = MIDDLE.saturating_sub(left.chars().count() + right.chars().count());
    pad(format!("{left}{}{right}", " ".repeat(gap)))
}

impl fmt::Display for SharingMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.shares;
        let who = |(pid, comm): &(i32, String)| format!("{comm}({pid})");
        let edge = "─".repeat(BOX + 2);
        let blank = " ".repeat(MIDDLE);
        let left = who(&s.a);
        let width = BOX + 4 + MIDDLE;
        let mut lines =
            vec![format!(" {left:w$}{}", who(&s.b), w = width), format!("┌{edge}┐{blank}┌{edge}┐")];
        for name in DRAWN {
            let Some(r) = s.rows.iter().find(|r| r.field == name) else { continue };
            let (l, right) = (arm(r.a, '├', '│'), arm(r.b, '┤', '│'));
            lines.push(format!("│ {name:BOX$} {l}{}{right} {name:BOX$} │", arrows(r)));
        }
        lines.push(format!("└{edge}┘{blank}└{edge}┘"));
        lines.push(s.verdict());
        text::write_lines(f, lines.iter().map(|l| l.trim_end()))
    }
}

fn arm(o: Option<Object>, with: char, without: char) -> char {
    if o.is_some() { with } else { without }
}
