//! `ps()`, `tree()`, `t.status()`, `t.fds()`, `t.creds()`, `t.signals()`,
//! `diff(snapshot, t)`.
//!
//! Left out: fields of tasks; those are the handle's.

use rhai::{Array, Dynamic, INT, ImmutableString};

use super::{array, of_task};
use crate::report::cred::CredView;
use crate::report::diff::{Change, Diff};
use crate::report::fds::{FdRow, Fds};
use crate::report::ps::{Ps, PsRow};
use crate::report::signals::Signals;
use crate::report::status::Status;
use crate::report::tree::{Tree, TreeNode, tree_of};
use crate::report::{cred, diff, fds, ps, ps_threads, signals, status, tree};
use crate::script::bind::machine::Saved;
use crate::script::bind::registry::{Book, Raised, functions, getters, member};
use crate::script::bind::task::Task;
use crate::script::bind::world::Machine;
use crate::script::errors::ScriptError;

/// Registers the views.
pub(super) fn register(book: &mut Book, main: &Machine) {
    lists(book, main);
    rows(book);
    of_one_task(book);
    changes(book);
}

fn lists(book: &mut Book, main: &Machine) {
    let (m, threads, all) = (main.clone(), main.clone(), main.clone());
    functions! { book;
        /// The processes, as ps(1) lists them.
        "ps() -> Ps" => move || m.read(ps);
        /// All threads, as ps -L lists them.
        "ps_threads() -> Ps" => move || threads.read(ps_threads);
        /// All tasks under their parents, as pstree(1) draws them.
        "tree() -> Tree" => move || all.read(tree);
        /// The processes of a machine.
        "ps(m: Machine) -> Ps" => |m: &mut Machine| m.read(ps);
        /// All threads of a machine.
        "ps_threads(m: Machine) -> Ps" => |m: &mut Machine| m.read(ps_threads);
        /// All tasks of a machine under their parents.
        "tree(m: Machine) -> Tree" => |m: &mut Machine| m.read(tree);
        /// A task and those below it.
        "tree(t: Task) -> Tree" => |t: &mut Task| -> Raised<Tree> {
            Ok(of_task(t, |sys, id| Ok(tree_of(sys, id)))?)
        };
    }
}

fn rows(book: &mut Book) {
    book.prints::<Ps>("Ps");
    book.iterates::<Ps>(|p| array(p.rows.clone()));
    functions! { book;
        /// The number of rows.
        "len(p: Ps) -> int" => |p: &mut Ps| p.rows.len() as INT;
        /// The row of a pid.
        "row(p: Ps, pid: int) -> PsRow" => |p: &mut Ps, pid: INT| -> Raised<PsRow> {
            let found = p.rows.iter().find(|r| INT::from(r.pid) == pid).cloned();
            found.ok_or_else(|| ScriptError::usage(format!("ps lists no pid {pid}")).into())
        };
        /// The number of tasks drawn.
        "len(t: Tree) -> int" => |t: &mut Tree| t.nodes.len() as INT;
    }
    getters! { book, Ps;
        /// The rows, by pid.
        "rows: array" => |p: &mut Ps| array(p.rows.clone());
        /// The pids listed.
        "pids: array" => |p: &mut Ps| -> Array {
            p.rows.iter().map(|r| INT::from(r.pid).into()).collect()
        };
    }
    book.shows::<PsRow>("PsRow", |r| format!("{} {} {}", r.pid, r.stat, r.command));
    getters! { book, PsRow;
        /// Thread id.
        "pid: int" => |r: &mut PsRow| INT::from(r.pid);
        /// Thread group id.
        "tgid: int" => |r: &mut PsRow| INT::from(r.tgid);
        /// The parent's process id.
        "ppid: int" => |r: &mut PsRow| INT::from(r.ppid);
        /// State letter and marks: "S", "Zl", "Ss".
        "stat: string" => |r: &mut PsRow| r.stat.clone();
        /// Effective uid.
        "uid: int" => |r: &mut PsRow| INT::from(r.uid);
        /// The kernel function it sleeps in.
        "wchan: string" => |r: &mut PsRow| r.wchan;
        /// Its controlling terminal below /dev, or ().
        "tty: string" => |r: &mut PsRow| r.tty.clone().map_or(Dynamic::UNIT, Dynamic::from);
        /// Name.
        "command: string" => |r: &mut PsRow| r.command.clone();
    }
    book.prints::<Tree>("Tree");
    book.iterates::<Tree>(|t| array(t.nodes.clone()));
    getters! { book, Tree;
        /// The tasks in the order drawn.
        "nodes: array" => |t: &mut Tree| array(t.nodes.clone());
    }
    book.shows::<TreeNode>("TreeNode", |n| format!("{}({})", n.comm, n.pid));
    getters! { book, TreeNode;
        /// Steps below the root.
        "depth: int" => |n: &mut TreeNode| n.depth as INT;
        /// Thread id.
        "pid: int" => |n: &mut TreeNode| INT::from(n.pid);
        /// Name.
        "comm: string" => |n: &mut TreeNode| n.comm.clone();
        /// Whether it is a thread that leads no group.
        "thread: bool" => |n: &mut TreeNode| n.thread;
        /// State letter.
        "state: string" => |n: &mut TreeNode| n.state.to_string();
    }
}

fn of_one_task(book: &mut Book) {
    book.prints::<Status>("Status");
    functions! { book;
        /// /proc/PID/status; a line by its key: `t.status()["VmRSS"]`.
        "status(t: Task) -> Status" => |t: &mut Task| -> Raised<Status> { Ok(of_task(t, status)?) };
        /// The open descriptors, as ls -l /proc/PID/fd shows them.
        "fds(t: Task) -> Fds" => |t: &mut Task| -> Raised<Fds> { Ok(of_task(t, fds)?) };
        /// The credentials as a table.
        "creds(t: Task) -> Creds" => |t: &mut Task| -> Raised<CredView> { Ok(of_task(t, cred)?) };
        /// Pending and blocked signals, and dispositions other than SIG_DFL.
        "signals(t: Task) -> Signals" => |t: &mut Task| -> Raised<Signals> {
            Ok(of_task(t, signals)?)
        };
        /// The number of open descriptors.
        "len(f: Fds) -> int" => |f: &mut Fds| f.rows.len() as INT;
    }
    member!(
        book,
        IndexGetter,
        "Status",
        "[key: string] -> string",
        [" A line by its key."],
        |s: &mut Status, key: ImmutableString| -> Raised<String> {
            let found = s.get(key.trim_end_matches(':')).map(str::trim).map(str::to_string);
            found.ok_or_else(|| ScriptError::usage(format!("status has no line `{key}`")).into())
        }
    );
    getters! { book, Status;
        /// The keys, in order.
        "keys: array" => |s: &mut Status| -> Array {
            s.lines.iter().map(|l| l.key.into()).collect()
        };
    }
    book.prints::<Fds>("Fds");
    book.iterates::<Fds>(|f| array(f.rows.clone()));
    getters! { book, Fds;
        /// The rows, by descriptor.
        "rows: array" => |f: &mut Fds| array(f.rows.clone());
        /// Tasks that share the table.
        "count: int" => |f: &mut Fds| INT::from(f.count);
    }
    book.shows::<FdRow>("FdRow", |r| format!("{} -> {}", r.fd, r.target));
    getters! { book, FdRow;
        /// The descriptor's number.
        "fd: int" => |r: &mut FdRow| r.fd as INT;
        /// Whether execve closes it.
        "cloexec: bool" => |r: &mut FdRow| r.cloexec;
        /// References to the open file description.
        "f_count: int" => |r: &mut FdRow| INT::from(r.f_count);
        /// Its offset.
        "f_pos: int" => |r: &mut FdRow| r.f_pos as INT;
        /// What it refers to: a path, a pipe, a process.
        "target: string" => |r: &mut FdRow| r.target.clone();
        /// "r", "w" or "rw", with status flags.
        "mode: string" => |r: &mut FdRow| r.mode.clone();
    }
    book.prints::<CredView>("Creds");
    book.prints::<Signals>("Signals");
}

fn changes(book: &mut Book) {
    book.prints::<Diff>("Diff");
    book.iterates::<Diff>(|d| array(d.changes.clone()));
    functions! { book;
        /// What changed in a task's task_struct and mm since a snapshot.
        "diff(before: Snapshot, t: Task) -> Diff" => |before: Saved, t: Task| -> Raised<Diff> {
            if !before.is_of(t.machine()) {
                return Err(ScriptError::usage("the snapshot was taken of another machine").into());
            }
            Ok(t.machine().read(|sys| diff(before.system(), sys, t.id())))
        };
        /// The number of changes.
        "len(d: Diff) -> int" => |d: &mut Diff| d.changes.len() as INT;
        /// Whether a field changed; also written `"min_flt" in d`.
        "contains(d: Diff, field: string) -> bool" => |d: &mut Diff, field: ImmutableString| {
            d.changes.iter().any(|c| c.field == field.as_str())
        };
    }
    getters! { book, Diff;
        /// The changes, in the order of the fields.
        "changes: array" => |d: &mut Diff| array(d.changes.clone());
    }
    book.shows::<Change>("Change", |c| format!("{}: {} -> {}", c.field, c.before, c.after));
    getters! { book, Change;
        /// The field.
        "field: string" => |c: &mut Change| c.field;
        /// Its value before.
        "before: string" => |c: &mut Change| c.before.clone();
        /// Its value after.
        "after: string" => |c: &mut Change| c.after.clone();
    }
}
