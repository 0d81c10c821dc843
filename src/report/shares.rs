//! `shares`: which objects two tasks have in common.
//!
//! ```text
//! process  shares none of mm, fs, files, sighand, signal   fork
//! thread   shares all of them                              pthread_create
//! hybrid   some but not all                                vfork, clone
//! ```
//! The kernel knows no such kinds: there are tasks and what they point to.
//!
//! Linux: include/linux/sched.h (`struct task_struct`), clone(2).
//! Left out: keyrings, perf contexts, memory policies.

use super::{NoView, live, text};
use crate::base::{Arena, Id};
use crate::kernel::pid::task_active_pid_ns;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use serde::Serialize;
use std::fmt;

/// How two pointers relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Both point to the same object.
    Shared,
    /// Each has its own.
    Separate,
    /// Neither has one.
    Neither,
    /// Only one of them has one.
    OneOnly,
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Relation::Shared => "shared",
            Relation::Separate => "separate",
            Relation::Neither => "neither has one",
            Relation::OneOnly => "one has none",
        })
    }
}

/// An object as seen from one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Object {
    /// Its number among those of its kind.
    pub id: u64,
    /// Its reference count, where it has one.
    pub count: Option<i64>,
}

/// One pointer of the two task_structs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShareRow {
    /// The field, by Linux's name.
    pub field: &'static str,
    /// What the objects are called.
    pub object: &'static str,
    /// Name of the count that is shown.
    pub count_name: &'static str,
    /// What the first task points to.
    pub a: Option<Object>,
    /// What the second points to.
    pub b: Option<Object>,
    /// How they relate.
    pub relation: Relation,
    /// What decides it when one is made from the other.
    pub by: &'static str,
}

/// The three kinds of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing of mm, fs, files, sighand and signal is shared.
    Process,
    /// All of them are.
    Thread,
    /// Some are.
    Hybrid,
    /// Both are one and the same task.
    Same,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Process => "process",
            Kind::Thread => "thread",
            Kind::Hybrid => "hybrid",
            Kind::Same => "same",
        })
    }
}

/// What two tasks share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shares {
    /// Thread id and name of the first.
    pub a: (i32, String),
    /// Thread id and name of the second.
    pub b: (i32, String),
    /// Address space.
    pub mm: bool,
    /// Root, working directory, umask.
    pub fs: bool,
    /// Descriptor table.
    pub files: bool,
    /// Signal dispositions.
    pub sighand: bool,
    /// signal_struct: they are one thread group.
    pub signal: bool,
    /// The set of namespaces as one object.
    pub nsproxy: bool,
    /// UTS namespace.
    pub uts_ns: bool,
    /// IPC namespace.
    pub ipc_ns: bool,
    /// Mount namespace.
    pub mnt_ns: bool,
    /// Network namespace.
    pub net_ns: bool,
    /// Cgroup namespace.
    pub cgroup_ns: bool,
    /// Time namespace.
    pub time_ns: bool,
    /// Pid namespace they live in.
    pub pid_ns: bool,
    /// User namespace of their credentials.
    pub user_ns: bool,
    /// Credentials as one object.
    pub cred: bool,
    /// System V semaphore adjustments.
    pub sysvsem: bool,
    /// I/O context.
    pub io_context: bool,
    /// Real parent.
    pub parent: bool,
    /// All rows, in the order of the fields above.
    pub rows: Vec<ShareRow>,
    /// Process, thread or something between.
    pub kind: Kind,
}

/// Compares what two tasks point to.
///
/// # Errors
/// One of them is gone.
pub fn shares(sys: &System, a: TaskId, b: TaskId) -> Result<Shares, NoView> {
    let (ta, tb) = (live(sys, a)?, live(sys, b)?);
    let rows = rows(sys, a, b);
    let is = |field: &str| rows.iter().any(|r| r.field == field && r.relation == Relation::Shared);
    let core = ["mm", "fs", "files", "sighand", "signal"].map(is);
    let kind = match (a == b, core.iter().filter(|c| **c).count()) {
        (true, _) => Kind::Same,
        (_, 0) => Kind::Process,
        (_, 5) => Kind::Thread,
        _ => Kind::Hybrid,
    };
    Ok(Shares {
        a: (ta.pid, text::escape(&ta.comm())),
        b: (tb.pid, text::escape(&tb.comm())),
        mm: is("mm"),
        fs: is("fs"),
        files: is("files"),
        sighand: is("sighand"),
        signal: is("signal"),
        nsproxy: is("nsproxy"),
        uts_ns: is("uts_ns"),
        ipc_ns: is("ipc_ns"),
        mnt_ns: is("mnt_ns"),
        net_ns: is("net_ns"),
        cgroup_ns: is("cgroup_ns"),
        time_ns: is("time_ns"),
        pid_ns: is("pid_ns"),
        user_ns: is("user_ns"),
        cred: is("cred"),
        sysvsem: is("sysvsem"),
        io_context: is("io_context"),
        parent: is("real_parent"),
        rows,
        kind,
    })
}

fn object<T: Clone, const N: usize>(
    arena: &Arena<T, N>,
    id: Option<Id<T>>,
    count: impl Fn(&T) -> i64,
) -> Option<Object> {
    let id = id?;
    Some(Object { id: u64::from(id.index()), count: arena.get(id).map(count) })
}

/// The rows, each made by asking both tasks the same question.
fn rows(sys: &System, a: TaskId, b: TaskId) -> Vec<ShareRow> {
    let k = &sys.kernel;
    let mut rows = Vec::new();
    type Look<'s> = dyn Fn(TaskId) -> Option<Object> + 's;
    let mut add = |field, object, count_name, by, look: &Look<'_>| {
        let (a, b) = (look(a), look(b));
        let relation = match (a, b) {
            (None, None) => Relation::Neither,
            (Some(x), Some(y)) if x.id == y.id => Relation::Shared,
            (Some(_), Some(_)) => Relation::Separate,
            _ => Relation::OneOnly,
        };
        rows.push(ShareRow { field, object, count_name, a, b, relation, by });
    };
    let n = |c: u32| i64::from(c);
    add("mm", "mm_struct", "users", "CLONE_VM", &|t| {
        object(&k.mms, k.tasks[t].mm, |o| n(o.mm_users))
    });
    add("fs", "fs_struct", "users", "CLONE_FS", &|t| object(&k.fs, k.tasks[t].fs, |o| n(o.users)));
    add("files", "files_struct", "count", "CLONE_FILES", &|t| {
        object(&k.files, k.tasks[t].files, |o| n(o.count))
    });
    add("sighand", "sighand_struct", "count", "CLONE_SIGHAND", &|t| {
        object(&k.sighands, k.tasks[t].sighand, |o| n(o.count))
    });
    add("signal", "signal_struct", "threads", "CLONE_THREAD", &|t| {
        object(&k.signals, k.tasks[t].signal, |o| n(o.nr_threads))
    });
    let nsproxy = |t: TaskId| k.tasks[t].nsproxy.and_then(|id| k.nsproxies.get(id));
    add("nsproxy", "nsproxy", "count", "no CLONE_NEW*", &|t| {
        object(&k.nsproxies, k.tasks[t].nsproxy, |o| n(o.count))
    });
    let ns = |id| object(&k.namespaces, id, |o| n(o.count));
    add("uts_ns", "uts_namespace", "count", "no CLONE_NEWUTS", &|t| {
        ns(nsproxy(t).map(|p| p.uts_ns))
    });
    add("ipc_ns", "ipc_namespace", "count", "no CLONE_NEWIPC", &|t| {
        ns(nsproxy(t).map(|p| p.ipc_ns))
    });
    add(
        "mnt_ns",
        "mnt_namespace",
        "count",
        "no CLONE_NEWNS",
        &|t| ns(nsproxy(t).map(|p| p.mnt_ns)),
    );
    add("net_ns", "net", "count", "no CLONE_NEWNET", &|t| ns(nsproxy(t).map(|p| p.net_ns)));
    add("cgroup_ns", "cgroup_namespace", "count", "no CLONE_NEWCGROUP", &|t| {
        ns(nsproxy(t).map(|p| p.cgroup_ns))
    });
    add("time_ns", "time_namespace", "count", "no CLONE_NEWTIME", &|t| {
        ns(nsproxy(t).map(|p| p.time_ns))
    });
    add("pid_ns", "pid_namespace", "count", "no CLONE_NEWPID", &|t| {
        object(&k.pid_namespaces, Some(task_active_pid_ns(sys, t)), |o| n(o.count))
    });
    let cred = |t: TaskId| k.creds.get(k.tasks[t].cred);
    add("user_ns", "user_namespace", "count", "no CLONE_NEWUSER", &|t| {
        object(&k.user_namespaces, cred(t).map(|c| c.user_ns), |o| n(o.count))
    });
    add("cred", "cred", "usage", "CLONE_THREAD", &|t| {
        object(&k.creds, Some(k.tasks[t].cred), |o| n(o.usage))
    });
    add("sysvsem", "sem_undo_list", "", "CLONE_SYSVSEM", &|t| {
        k.tasks[t].sysvsem.map(|id| Object { id, count: None })
    });
    add("io_context", "io_context", "", "CLONE_IO", &|t| {
        k.tasks[t].io_context.map(|id| Object { id, count: None })
    });
    add("real_parent", "task_struct", "", "CLONE_PARENT, CLONE_THREAD", &|t| {
        object(&k.tasks, Some(k.tasks[t].real_parent), |o| i64::from(o.pid))
            .map(|o| Object { id: u64::try_from(o.count.unwrap_or(0)).unwrap_or(0), count: None })
    });
    rows
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |(pid, comm): &(i32, String)| format!("{comm}({pid})");
        let (a, b) = (who(&self.a), who(&self.b));
        let header = ["", a.as_str(), b.as_str(), "", "SHARED BY"];
        let mut t = text::table(&header, &[]);
        for r in &self.rows {
            let show = |o: Option<Object>| match o {
                Some(Object { id, .. }) if r.field == "real_parent" => format!("pid {id}"),
                Some(Object { id, count: Some(n) }) => format!("#{id} {} {n}", r.count_name),
                Some(Object { id, count: None }) => format!("#{id}"),
                None => "-".to_string(),
            };
            t.add_row([
                r.field.to_string(),
                show(r.a),
                show(r.b),
                r.relation.to_string(),
                r.by.to_string(),
            ]);
        }
        text::write_table(f, &t)?;
        write!(f, "\n{}", self.verdict())
    }
}

impl Shares {
    /// The kind, in a sentence that names what it follows from.
    pub fn verdict(&self) -> String {
        let core = [
            ("mm", self.mm),
            ("fs", self.fs),
            ("files", self.files),
            ("sighand", self.sighand),
            ("signal", self.signal),
        ];
        let names = |shared: bool| -> String {
            let some: Vec<_> = core.iter().filter(|c| c.1 == shared).map(|c| c.0).collect();
            some.join(", ")
        };
        match self.kind {
            Kind::Same => "one and the same task".to_string(),
            Kind::Process => format!("process: shares none of {}", names(false)),
            Kind::Thread => format!("thread: shares all of {}", names(true)),
            Kind::Hybrid => format!("hybrid: shares {} but not {}", names(true), names(false)),
        }
    }
}
