//! When two states are the same: a hash of everything that can make a
//! difference to what programs do next.
//!
//! Objects are numbered in the order in which they are reached from the
//! programs, oldest program first; so it does not matter which arena slot an
//! object got. What is hashed:
//!
//! ```text
//! programs    their functions and tapes, in order of creation
//! objects     all that is reachable: tasks, pids, credentials, dispositions,
//!             descriptors, files, pipes, terminals, namespaces, sleepers in their order
//! memory      the areas, and every word in them that is not zero
//! output      what the console has been given so far
//! ```
//!
//! What is not: the clock (sleeps and alarms count by how far away their ends
//! are), CPU times, the log, statistics, reference counts (they follow from their holders), page tables
//! and frames (only what they hold), kernel stacks, the fair scheduler's
//! accounting. A program that prints the time, or has a timer of processor time,
//! is therefore not explored in full. Structures are taken apart field by field,
//! so that a new field is a decision here.
//!
//! Two different states share a hash of 64 bits once in 2⁶⁴ pairs: with a
//! million states the chance of any such pair is one in 37 million.
//!
//! Linux: none. Left out: programs that differ only in what they were told and
//! have forgotten; see `session::program::identity`.

mod files;
mod ids;
mod mm;
mod signal;
mod sums;
mod task;
mod tty;

use std::hash::Hash;

use crate::base::Mixer;
pub(super) use sums::Sums;

use crate::base::Id;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::cred::Cred;
use crate::kernel::fs::anon_inodes::AnonInode;
use crate::kernel::fs::inode::Inode;
use crate::kernel::fs::pipe::Pipe;
use crate::kernel::fs::{File, FilesStruct, FsStruct};
use crate::kernel::kthread::KthreadCaller;
use crate::kernel::mm::MmStruct;
use crate::kernel::nsproxy::{Namespace, Nsproxy, UserNamespace};
use crate::kernel::pid::Pid;
use crate::kernel::pid_namespace::PidNamespace;
use crate::kernel::signal::{SighandStruct, SignalStruct};
use crate::kernel::system::{Kernel, System};
use crate::kernel::task::TaskStruct;
use crate::kernel::timer::Alarm;
use crate::kernel::tty::TtyStruct;
use crate::kernel::wait_queue::{Completion, CompletionOwner, FutexKind, WaitQueueHead, Watch};
use crate::session::program::Programs;
use crate::session::program::identity::printed;

/// The hash by which a state is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub u64);

/// The number of what is not there.
const NO_NUMBER: u32 = u32::MAX;

/// Numbers given to the objects of one kind, in the order they were met.
struct Names<T> {
    /// By the object's place in its arena: of two in one place at most one is
    /// there.
    numbers: Vec<u32>,
    met: Vec<Id<T>>,
    described: usize,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Names { numbers: Vec::new(), met: Vec::new(), described: 0 }
    }
}

/// A kind of kernel object.
trait Object: Sized + Clone {
    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self>;
    fn names(all: &mut AllNames) -> &mut Names<Self>;
    /// Hashes what is in it; names what it refers to.
    fn describe(&self, canon: &mut Canon<'_>);
}

/// One table of names a kind; and describing whoever was met.
macro_rules! objects {
    ($($field:ident: $kind:ty;)*) => {
        #[derive(Default)]
        struct AllNames { $($field: Names<$kind>),* }

        impl AllNames {
            fn all_described(&self) -> bool {
                true $(&& self.$field.described == self.$field.met.len())*
            }
        }

        impl Canon<'_> {
            /// Describes all that was met, and all that is met then.
            fn describe_all(&mut self) {
                while !self.names.all_described() {
                    $(self.describe_kind::<$kind>(stringify!($field));)*
                }
            }
        }
    };
}

objects! {
    tasks: TaskStruct;
    pids: Pid;
    pid_namespaces: PidNamespace;
    cgroups: Cgroup;
    nsproxies: Nsproxy;
    namespaces: Namespace;
    user_namespaces: UserNamespace;
    creds: Cred;
    mms: MmStruct;
    sighands: SighandStruct;
    signals: SignalStruct;
    files: FilesStruct;
    fs: FsStruct;
    filps: File;
    inodes: Inode;
    pipes: Pipe;
    anon_inodes: AnonInode;
    ttys: TtyStruct;
    completions: Completion;
    wait_queues: WaitQueueHead;
}

/// Says where objects of a kind live.
macro_rules! lives_in {
    ($field:ident) => {
        fn get(kernel: &crate::kernel::system::Kernel, id: crate::base::Id<Self>) -> Option<&Self> {
            kernel.$field.get(id)
        }
        fn names(all: &mut super::AllNames) -> &mut super::Names<Self> {
            &mut all.$field
        }
    };
}
use lives_in;

/// A state being hashed.
struct Canon<'s> {
    sys: &'s System,
    hasher: Mixer,
    names: AllNames,
    /// Number of the object that is described.
    object: u32,
    /// Sum over all words of memory.
    memory: u64,
}

impl Canon<'_> {
    fn put(&mut self, value: impl Hash) {
        value.hash(&mut self.hasher);
    }

    /// A small value, by what it prints.
    fn print(&mut self, value: &impl std::fmt::Debug) {
        printed(value, &mut self.hasher);
    }

    /// A time, in ns: how far away it is. Two states that differ in nothing but
    /// the clock go on alike.
    fn time(&mut self, at: u64) {
        self.put(at.saturating_sub(self.sys.machine.clock.now()));
    }

    fn opt_time(&mut self, at: Option<u64>) {
        self.put(at.is_some());
        if let Some(at) = at {
            self.time(at);
        }
    }

    /// The number of an object; a stale name has none.
    fn number<T: Object>(&mut self, id: Id<T>) -> u32 {
        if T::get(&self.sys.kernel, id).is_none() {
            return NO_NUMBER;
        }
        let names = T::names(&mut self.names);
        let place = id.index() as usize;
        if place >= names.numbers.len() {
            names.numbers.resize(place + 1, NO_NUMBER);
        }
        if names.numbers[place] == NO_NUMBER {
            names.numbers[place] = names.met.len() as u32;
            names.met.push(id);
        }
        names.numbers[place]
    }

    fn id<T: Object>(&mut self, id: Id<T>) {
        let number = self.number(id);
        self.put(number);
    }

    fn opt<T: Object>(&mut self, id: Option<Id<T>>) {
        let number = id.map(|id| self.number(id));
        self.put(number);
    }

    fn describe_kind<T: Object>(&mut self, kind: &str) {
        loop {
            let names = T::names(&mut self.names);
            let Some(id) = names.met.get(names.described).copied() else { return };
            self.object = names.described as u32;
            names.described += 1;
            let sys = self.sys;
            if let Some(object) = T::get(&sys.kernel, id) {
                self.put(kind);
                object.describe(self);
            }
        }
    }

    /// Sleepers, in the order in which they are woken.
    fn queue(&mut self, queue: &WaitQueueHead) {
        let WaitQueueHead { entries, watches } = queue;
        self.put(entries.len());
        for entry in entries {
            self.id(entry.task);
            self.put(entry.exclusive);
        }
        for Watch { epoll, item: (file, fd) } in watches {
            self.id(*epoll);
            self.id(*file);
            self.put(fd);
        }
    }

    fn kernel(&mut self, kernel: &Kernel) {
        let Kernel {
            init_process,
            init_pid_ns,
            root_inode,
            sysctl,
            contained,
            next_ns_inum,
            next_identity,
            rng,
            inject,
            bugs,
            todo,
            futex_queues,
            timers,
            itimers,
            alarms,
            cpu_timers_armed: _,
            kthread_callers,
            sched,
            console,
            oops: _,
            // Reached from the tasks.
            tasks: _,
            pids: _,
            pid_namespaces: _,
            cgroups: _,
            cgroup_root: _,
            nsproxies: _,
            namespaces: _,
            user_namespaces: _,
            creds: _,
            users: _,
            uidhash: _,
            mms: _,
            sighands: _,
            signals: _,
            files: _,
            fs: _,
            filps: _,
            inodes: _,
            pipes: _,
            anon_inodes: _,
            ttys: _,
            completions: _,
            wait_queues,
            // Empty between calls.
            kthread_create_list: _,
            task_list: _,
            // The same in all states of one exploration.
            init_task: _,
            init_cred: _,
            init_user_ns: _,
            init_mm: _,
            devpts_root: _,
            zero_page: _,
            // Statistics, accounting, and where things happen to lie.
            anon_vmas: _,
            per_cpu: _,
            nr_threads: _,
            total_forks: _,
            cached_stacks: _,
            free_stack_slots: _,
            next_stack_slot: _,
            calls_made: _,
            // Of a call under way; between calls nobody looks.
            out: _,
            note: _,
            new_task: _,
            born: _,
        } = kernel;
        self.id(*init_process);
        self.id(*init_pid_ns);
        self.id(*root_inode);
        self.put((next_ns_inum, next_identity, console));
        // The rest is accounting, and what the choices of an exploration replace.
        self.put((sched.config, sched.child_runs_first, sched.dl_total_bw));
        self.put((sysctl, contained, rng, inject, bugs));
        if bugs.no_tlb_flush {
            // Then a stale entry can be seen.
            self.print(&self.sys.machine.cpus);
        }
        for (at, signal) in itimers {
            self.time(*at);
            self.id(*signal);
        }
        for (at, alarm) in alarms {
            self.time(*at);
            match alarm {
                Alarm::Timerfd(id) => self.id(*id),
                Alarm::Posix(signal, nr) => {
                    self.id(*signal);
                    self.put(nr);
                }
            }
        }
        for (deadline, task) in timers {
            self.time(*deadline);
            self.id(*task);
        }
        // In which order they were woken is nothing to who picks them.
        let mut todo: Vec<u32> = todo.iter().map(|task| self.number(*task)).collect();
        todo.sort_unstable();
        self.put(todo);
        // What the functions of kernel threads may use, whoever does.
        for (id, _) in wait_queues.iter() {
            self.id(id);
        }
        let completions = self.sys.kernel.completions.iter();
        for (id, _) in completions.filter(|(_, c)| c.owner == CompletionOwner::Static) {
            self.id(id);
        }
        for KthreadCaller { kthread, asks, result } in kthread_callers {
            self.id(*kthread);
            self.put((asks, result));
        }
        self.describe_all();
        let mut waits: Vec<_> = futex_queues
            .iter()
            .map(|(key, queue)| {
                let object = match key.kind {
                    FutexKind::Private | FutexKind::SharedMm => {
                        u64::from(self.number(Id::<MmStruct>::from_bits(key.object)))
                    }
                    FutexKind::Inode => u64::from(self.number(Id::<Inode>::from_bits(key.object))),
                };
                ((key.kind, object, key.offset), queue)
            })
            .collect();
        waits.sort_by_key(|(key, _)| *key);
        for ((kind, object, offset), queue) in waits {
            self.put((kind as u8, object, offset));
            self.queue(queue);
        }
        self.describe_all();
    }
}

/// The hash of a state.
pub fn key(programs: &Programs) -> Key {
    Sums::of(programs).key()
}
