//! Is the checker awake? One count or link at a time is made wrong, and
//! `invariants` must say which.

mod memory;
mod objects;
mod processes;

use super::invariants;
use crate::abi::Signal;
use crate::abi::tty::TIOCSPTLCK;
use crate::base::Id;
use crate::kernel::entry::Entered;
use crate::kernel::fs::{FileId, FileKind};
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user};
use crate::kernel::mm::{MmId, VmAreaStruct};
use crate::kernel::pid::PidId;
use crate::kernel::syscalls::{Out, Payload};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskStruct};
use crate::kernel::testing::{World, world};
use crate::kernel::tty::TtyStruct;

/// A system in which everything that is checked exists.
#[derive(Clone)]
struct Scene {
    sys: System,
    init: TaskId,
    /// Has a thread, children, pipes, a pidfd, a queued signal, memory.
    parent: TaskId,
    thread: TaskId,
    /// Shares pages with its parent.
    child: TaskId,
    zombie: TaskId,
    stopped: TaskId,
    /// Reads from an empty pipe.
    reader: TaskId,
    /// The child of a task that sleeps in vfork.
    vforked: TaskId,
    /// In a pid, user and UTS namespace of its own.
    nested: TaskId,
    /// An ordinary user.
    user: TaskId,
    /// Leads a session that has a terminal.
    leader: TaskId,
    /// Four private pages: written, written, read, untouched.
    private: u64,
    /// A shared page, written.
    shared: u64,
}

impl Scene {
    fn task(&mut self, t: TaskId) -> &mut TaskStruct {
        self.sys.task_mut(t)
    }

    fn mm(&self, t: TaskId) -> MmId {
        self.sys.task(t).mm.expect("it has an mm")
    }

    fn area(&mut self, start: u64) -> &mut VmAreaStruct {
        let mm = self.mm(self.child);
        self.sys.mm_mut(mm).mmap.get_mut(&start).expect("the area is there")
    }

    fn file(&self, fd: usize) -> FileId {
        let files = self.sys.task(self.parent).files.expect("it has a table");
        self.sys.kernel.files[files].fdt[fd].expect("the descriptor is open").file
    }

    fn pipe(&self, fd: usize) -> Id<crate::kernel::fs::pipe::Pipe> {
        match self.sys.kernel.filps[self.file(fd)].kind {
            FileKind::PipeRead(p) | FileKind::PipeWrite(p) => p,
            other => panic!("{other:?}"),
        }
    }

    fn tty(&mut self) -> &mut TtyStruct {
        let tty = self.sys.signal(self.leader).tty.expect("it has one");
        &mut self.sys.kernel.ttys[tty]
    }

    fn pid(&self, t: TaskId) -> PidId {
        self.sys.task(t).thread_pid.expect("it is hashed")
    }
}

/// The name of an object that is no more.
fn gone<T>() -> Id<T> {
    Id::from_bits(u64::MAX)
}

fn blocks(w: &mut World, t: TaskId, name: &str, args: &[u64]) {
    assert_eq!(w.enter(t, name, args, Payload::None), Entered::Blocked, "{name}");
}

fn pipe(w: &mut World, t: TaskId) -> (i32, i32) {
    match w.try_with(t, "pipe2", &[0, 0], Payload::None) {
        Ok((_, Out::Fds(r, w))) => (r, w),
        other => panic!("{other:?}"),
    }
}

/// A session of its own, and a terminal for it.
fn terminal(w: &mut World, t: TaskId) {
    w.call(t, "setsid", &[]);
    let open = |w: &mut World, path: &str| {
        let (fd, _) =
            w.try_with(t, "open", &[0, 2, 0], Payload::Text(path.into())).expect("it opens");
        fd as u64
    };
    let master = open(w, "/dev/ptmx");
    let unlock = [master, TIOCSPTLCK.into(), 0];
    w.try_with(t, "ioctl", &unlock, Payload::Bytes([0; 4].into())).expect("a master can");
    open(w, "/dev/pts/0");
    w.try_with(t, "write", &[master, 0, 3], Payload::Bytes((*b"a\nb").into())).expect("room");
}

fn scene() -> Scene {
    const PRIVATE: u64 = 0x22;
    const SHARED: u64 = 0x21;
    const NAMESPACES: u64 = 0x1000_0000 | 0x2000_0000 | 0x0400_0000;
    let mut w = world();
    let init = w.init;
    let parent = w.fork(init);
    let none = u64::MAX;
    let private = w.call(parent, "mmap", &[0, 0x4000, 3, PRIVATE, none, 0]) as u64;
    let shared = w.call(parent, "mmap", &[0, 0x1000, 3, SHARED, none, 0]) as u64;
    for at in [private, private + 0x1000, shared] {
        copy_to_user(&mut w.sys, parent, at, &[1]).expect("it is writable");
    }
    copy_from_user(&mut w.sys, parent, private + 0x2000, &mut [0]).expect("it is readable");
    let thread = w.thread(parent);
    // Descriptors 3 to 6, of which 5 stays empty.
    assert_eq!((pipe(&mut w, parent), pipe(&mut w, parent)), ((3, 4), (5, 6)));
    let bytes = Payload::Bytes((*b"hello").into());
    w.try_with(parent, "write", &[4, 0, 5], bytes).expect("the pipe has room");
    let child = w.fork(parent);
    let zombie = w.fork(parent);
    w.enter(zombie, "exit", &[3], Payload::None);
    let stopped = w.fork(parent);
    w.kill(parent, stopped, Signal::SIGSTOP);
    let reader = w.fork(parent);
    blocks(&mut w, reader, "read", &[5, 0, 8]);
    let vforker = w.fork(parent);
    blocks(&mut w, vforker, "vfork", &[]);
    let vforked = w.sys.kernel.new_task.expect("a child").0;
    let futex = w.fork(parent);
    blocks(&mut w, futex, "futex", &[private, 0, 1, 0]);
    let nested = w.clone(parent, NAMESPACES | 17);
    let user = w.fork(parent);
    w.call(user, "setuid", &[1000]);
    let pid = w.pid(child);
    assert_eq!(w.call(parent, "pidfd_open", &[pid, 0]), 7);
    let leader = w.fork(parent);
    terminal(&mut w, leader);
    let mut set = crate::abi::SigSet::EMPTY;
    set.add(Signal::SIGUSR1);
    w.try_with(parent, "rt_sigprocmask", &[0, 0, 0, 8], Payload::SigSet(set)).expect("a mask");
    w.try_with(thread, "rt_sigprocmask", &[0, 0, 0, 8], Payload::SigSet(set)).expect("a mask");
    w.kill(init, parent, Signal::SIGUSR1);
    Scene {
        sys: w.sys,
        init,
        parent,
        thread,
        child,
        zombie,
        stopped,
        reader,
        vforked,
        nested,
        user,
        leader,
        private,
        shared,
    }
}

/// What the checker must say, and what it must say it of.
type Case<'a> = (&'a str, fn(&mut Scene));

/// Breaks a sound system in each of these ways; each must be noticed, in
/// these words.
fn each(cases: &[Case<'_>]) {
    let sound = scene();
    assert_eq!(invariants(&sound.sys), Ok(()));
    for (words, break_it) in cases {
        let mut s = sound.clone();
        break_it(&mut s);
        let found = match invariants(&s.sys) {
            Ok(()) => panic!("not noticed: {words}"),
            Err(found) => found,
        };
        let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(texts.iter().any(|t| t.contains(words)), "{words}: {texts:#?}");
    }
}
