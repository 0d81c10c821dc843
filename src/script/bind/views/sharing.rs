//! `shares(a, b)` and `sharing_map(a, b)`: which objects two tasks share, and
//! by which clone flag.
//!
//! Left out: more than two tasks at once.

use rhai::Dynamic;

use super::{array, of_two};
use crate::report::shares::{ShareRow, Shares};
use crate::report::sharing_map::SharingMap;
use crate::report::{shares, sharing_map};
use crate::script::bind::registry::{Book, Raised, functions, getters};
use crate::script::bind::task::Task;

/// Registers the views.
pub(super) fn register(book: &mut Book) {
    functions! { book;
        /// What two tasks share: `shares(a, b).mm`; `.kind` is "process",
        /// "thread", "hybrid" or "same".
        "shares(a: Task, b: Task) -> Shares" => |a: Task, b: Task| -> Raised<Shares> {
            of_two(&a, &b, shares)
        };
        /// A picture of the objects that two tasks point to.
        "sharing_map(a: Task, b: Task) -> SharingMap" =>
            |a: Task, b: Task| -> Raised<SharingMap> { of_two(&a, &b, sharing_map) };
    }
    book.prints::<Shares>("Shares");
    book.iterates::<Shares>(|s| array(s.rows.clone()));
    book.prints::<SharingMap>("SharingMap");
    getters! { book, SharingMap;
        /// The same as a table.
        "shares: Shares" => |m: &mut SharingMap| m.shares.clone();
    }
    getters! { book, Shares;
        /// The address space.
        "mm: bool" => |s: &mut Shares| s.mm;
        /// Root, working directory, umask.
        "fs: bool" => |s: &mut Shares| s.fs;
        /// The descriptor table.
        "files: bool" => |s: &mut Shares| s.files;
        /// The signal dispositions.
        "sighand: bool" => |s: &mut Shares| s.sighand;
        /// The thread group.
        "signal: bool" => |s: &mut Shares| s.signal;
        /// The credentials.
        "cred: bool" => |s: &mut Shares| s.cred;
        /// The namespaces as a whole.
        "nsproxy: bool" => |s: &mut Shares| s.nsproxy;
        /// The UTS namespace.
        "uts_ns: bool" => |s: &mut Shares| s.uts_ns;
        /// The IPC namespace.
        "ipc_ns: bool" => |s: &mut Shares| s.ipc_ns;
        /// The mount namespace.
        "mnt_ns: bool" => |s: &mut Shares| s.mnt_ns;
        /// The network namespace.
        "net_ns: bool" => |s: &mut Shares| s.net_ns;
        /// The cgroup namespace.
        "cgroup_ns: bool" => |s: &mut Shares| s.cgroup_ns;
        /// The time namespace.
        "time_ns: bool" => |s: &mut Shares| s.time_ns;
        /// The pid namespace.
        "pid_ns: bool" => |s: &mut Shares| s.pid_ns;
        /// The user namespace.
        "user_ns: bool" => |s: &mut Shares| s.user_ns;
        /// The System V undo list.
        "sysvsem: bool" => |s: &mut Shares| s.sysvsem;
        /// The I/O context.
        "io_context: bool" => |s: &mut Shares| s.io_context;
        /// The parent.
        "parent: bool" => |s: &mut Shares| s.parent;
        /// "process", "thread", "hybrid" or "same".
        "kind: string" => |s: &mut Shares| s.kind.to_string();
        /// One sentence.
        "verdict: string" => |s: &mut Shares| s.verdict();
        /// The pointers compared.
        "rows: array" => |s: &mut Shares| array(s.rows.clone());
    }
    book.shows::<ShareRow>("ShareRow", |r| format!("{}: {}", r.field, r.relation));
    let id = |o: Option<crate::report::shares::Object>| {
        o.map_or(Dynamic::UNIT, |o| (o.id as i64).into())
    };
    getters! { book, ShareRow;
        /// The field of task_struct.
        "field: string" => |r: &mut ShareRow| r.field;
        /// "shared", "separate"…
        "relation: string" => |r: &mut ShareRow| r.relation.to_string();
        /// The clone flags that share it.
        "by: string" => |r: &mut ShareRow| r.by;
        /// The first task's object; () for none.
        "a: int" => move |r: &mut ShareRow| id(r.a);
        /// The second task's object; () for none.
        "b: int" => move |r: &mut ShareRow| id(r.b);
    }
}
