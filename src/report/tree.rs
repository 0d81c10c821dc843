//! `tree`: who made or adopted whom.
//!
//! ```text
//! swapper/0(0)
//! ├─ init(1)
//! │  ├─ {init}(4)            a thread
//! │  └─ cow(3) Z exit 3      a zombie with its exit code
//! └─ kthreadd(2)
//! ```
//!
//! Linux: pstree(1); task_struct.children, sibling.
//! Left out: folding of equal branches.

use super::text;
use crate::abi::structs::WaitStatus;
use crate::kernel::list;
use crate::kernel::signal::threads;
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList};
use serde::Serialize;
use std::fmt;

/// Deeper levels are counted, not drawn: a line must stay readable.
const MAX_DRAWN_DEPTH: usize = 24;

/// One task and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TreeNode {
    /// Distance from the root.
    pub depth: usize,
    /// Whether it is the last child of its parent.
    pub last: bool,
    /// Thread id.
    pub pid: i32,
    /// Name.
    pub comm: String,
    /// Whether it is a thread that does not lead its group.
    pub thread: bool,
    /// State letter.
    pub state: char,
    /// Wait status, once it is dead.
    pub exit_code: Option<i32>,
    /// The thread that is its parent, when that is not its group's leader.
    pub parent_thread: Option<i32>,
}

/// A tree of tasks, parents before children.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tree {
    /// The tasks; children follow their parent, in order of birth or adoption.
    pub nodes: Vec<TreeNode>,
}

/// The tree below the swapper: every process and thread.
pub fn tree(sys: &System) -> Tree {
    tree_of(sys, sys.kernel.init_task)
}

/// The tree below one task's process.
pub fn tree_of(sys: &System, root: TaskId) -> Tree {
    let mut nodes = Vec::new();
    // A chain of forks may be longer than the host's stack is deep.
    let mut todo = vec![(root, 0, true)];
    while let Some((task, depth, last)) = todo.pop() {
        let Some(t) = sys.kernel.tasks.get(task) else { continue };
        let thread = t.group_leader != task;
        nodes.push(node(sys, task, depth, last));
        if thread {
            continue;
        }
        let below = below(sys, task);
        let n = below.len();
        todo.extend(below.into_iter().enumerate().rev().map(|(i, c)| (c, depth + 1, i + 1 == n)));
    }
    Tree { nodes }
}

/// A process's other threads, then the children of all its threads.
fn below(sys: &System, leader: TaskId) -> Vec<TaskId> {
    let group = threads(sys, leader);
    let mut below: Vec<_> = group.iter().copied().filter(|t| *t != leader).collect();
    for thread in group {
        let children = sys.task(thread).children;
        below.extend(list::iter(&sys.kernel.tasks, children, TaskList::Sibling));
    }
    below
}

fn node(sys: &System, task: TaskId, depth: usize, last: bool) -> TreeNode {
    let t = sys.task(task);
    let parent = sys.kernel.tasks.get(t.real_parent);
    let parent_thread =
        parent.filter(|p| p.group_leader != t.real_parent && t.group_leader == task);
    TreeNode {
        depth,
        last,
        pid: t.pid,
        comm: text::escape(&t.comm()),
        thread: t.group_leader != task,
        state: t.state_char(),
        exit_code: t.is_dead().then_some(t.exit_code),
        parent_thread: parent_thread.map(|p| p.pid),
    }
}

impl fmt::Display for TreeNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TreeNode { pid, comm, .. } = self;
        match self.thread {
            true => write!(f, "{{{comm}}}({pid})")?,
            false => write!(f, "{comm}({pid})")?,
        }
        if let Some(code) = self.exit_code {
            write!(f, " {} {}", self.state, exit_words(code))?;
        }
        if let Some(thread) = self.parent_thread {
            write!(f, " child of thread {thread}")?;
        }
        Ok(())
    }
}

/// A wait status in words: `exit 3`, `killed by SIGTERM`.
pub(super) fn exit_words(status: i32) -> String {
    let signal = |n| crate::abi::Signal::new(n).map_or_else(|| n.to_string(), |s| s.name());
    match WaitStatus::decode(status) {
        WaitStatus::Exited(code) => format!("exit {code}"),
        WaitStatus::Signaled(n, core) => {
            format!("killed by {}{}", signal(n), if core { ", core dumped" } else { "" })
        }
        WaitStatus::Stopped(n) => format!("stopped by {}", signal(n)),
        WaitStatus::Continued => "continued".to_string(),
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        // Whether the branch at each depth goes on below the current line.
        let mut open: Vec<bool> = Vec::new();
        let mut hidden = 0;
        for n in &self.nodes {
            open.truncate(n.depth);
            open.resize(n.depth, false);
            open.push(!n.last);
            if n.depth > MAX_DRAWN_DEPTH {
                hidden += 1;
                continue;
            }
            close_hidden(&mut lines, &mut hidden);
            let mut line = String::new();
            for goes_on in open.get(1..n.depth).unwrap_or_default() {
                line.push_str(if *goes_on { "│  " } else { "   " });
            }
            if n.depth > 0 {
                line.push_str(if n.last { "└─ " } else { "├─ " });
            }
            line.push_str(&n.to_string());
            lines.push(line);
        }
        close_hidden(&mut lines, &mut hidden);
        text::write_lines(f, lines)
    }
}

fn close_hidden(lines: &mut Vec<String>, hidden: &mut u64) {
    if *hidden > 0 {
        let indent = "   ".repeat(MAX_DRAWN_DEPTH);
        lines.push(format!("{indent}└─ … {} deeper", text::plural(*hidden, "task")));
        *hidden = 0;
    }
}
