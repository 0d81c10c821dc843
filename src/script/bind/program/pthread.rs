//! Threads as libc makes them, from the kernel's calls and locked instructions.
//!
//! ```text
//! pthread_create   mmap PROT_NONE, mprotect all but the guard page, clone
//! the thread       its function; store the result; exit
//! exit             the kernel stores 0 to pd->tid and wakes who sleeps on it
//! pthread_join     futex wait while pd->tid is not 0; keep the stack
//!
//!   stackblock                                        pd = tls = pthread_t
//!   | guard page | stack, growing down <------------- | struct pthread |
//! ```
//!
//! Stacks of threads that were joined are kept in a list and used again, as in
//! allocatestack.c. All that these functions know lies in the process's memory.
//!
//! Linux: none; glibc's nptl/{pthread_create,allocatestack,pthread_join_common,
//! pthread_detach,pthread_exit}.c.
//! Left out: attributes, cancellation, thread-local data and its destructors,
//! signals blocked around clone, madvise of a dead thread's stack, a limit for
//! the kept stacks. The main thread has no descriptor: its pthread_self is 0.

use rhai::{Dynamic, EvalAltResult};

use super::asking::{self, Answered, Asking, Fail, Function, library};
use super::plain;
use crate::abi::Errno;
use crate::abi::flags::CloneFlags;
use crate::kernel::error::SysError;
use crate::kernel::syscalls::Call;
use crate::machine::{Atomic, Size, UserOp};
use crate::script::bind::args;
use crate::script::bind::door::nr;
use crate::script::bind::registry::Book;
use crate::script::control::Control;
use crate::script::value::Addr;
use crate::session::program::{Child, Start, Value, Want};

/// The function that a thread begins with, which calls the thread's own: no
/// function of a script can have this name.
const START_THREAD: &str = "nptl:start_thread";

/// ulimit -s, which is a thread's stack size too.
const STACK: u64 = 8 << 20;
const GUARD: u64 = 4096;
/// What is mapped for a thread.
const BLOCK: u64 = GUARD + STACK;

/// `struct pthread`: where its members lie.
mod pd {
    /// The thread's tid (32 bits), which the kernel sets and clears.
    pub const TID: u64 = 0;
    /// Who joins it; its own address when it is detached.
    pub const JOINID: u64 = 8;
    /// What its function has returned.
    pub const RESULT: u64 = 16;
    /// The next one in the list of kept stacks.
    pub const NEXT: u64 = 24;
    /// Whether its function has returned.
    pub const EXITING: u64 = 32;
    /// Whether somebody has put it into the list.
    pub const TERMINATED: u64 = 40;
    /// All of it.
    pub const SIZE: u64 = 64;
}

/// The list of kept stacks: a lock, then the first one.
const CACHE: &str = "__nptl_stack_cache";

const FLAGS: CloneFlags = CloneFlags::CLONE_VM
    .union(CloneFlags::CLONE_FS)
    .union(CloneFlags::CLONE_FILES)
    .union(CloneFlags::CLONE_SIGHAND)
    .union(CloneFlags::CLONE_THREAD)
    .union(CloneFlags::CLONE_SYSVSEM)
    .union(CloneFlags::CLONE_SETTLS)
    .union(CloneFlags::CLONE_PARENT_SETTID)
    .union(CloneFlags::CLONE_CHILD_CLEARTID);

fn refuse<T>(errno: Errno, function: &'static str, why: &'static str) -> Answered<T> {
    Err(Fail::Refused(SysError::new(errno, function, why)))
}

impl Asking<'_> {
    /// lll_lock: 0 is free, 1 taken, 2 taken and somebody may sleep.
    pub(super) fn lock(&self, at: u64) -> Answered<()> {
        if self.cmpxchg32(at, 0, 1)? == 0 {
            return Ok(());
        }
        while self.xchg32(at, 2)? != 0 {
            self.futex_wait(at, 2, None)?;
        }
        Ok(())
    }

    /// lll_unlock.
    pub(super) fn unlock(&self, at: u64) -> Answered<()> {
        match self.xchg32(at, 0)? > 1 {
            true => self.futex_wake(at, 1),
            false => Ok(()),
        }
    }

    /// THREAD_SELF.
    fn thread_self(&self) -> Answered<u64> {
        self.op(UserOp::FsBase)
    }

    /// get_cached_stack: a kept stack whose thread the kernel has let go of.
    fn cached_stack(&self) -> Answered<Option<u64>> {
        let cache = match self.ask(Want::Symbol(CACHE.into())) {
            Ok((at, _)) => at as u64,
            // No thread was joined yet.
            Err(Fail::Refused(_)) => return Ok(None),
            Err(e) => return Err(e),
        };
        self.lock(cache)?;
        let mut at = cache + 8;
        let mut thread = self.load(at)?;
        while thread != 0 && self.load32(thread + pd::TID)? != 0 {
            at = thread + pd::NEXT;
            thread = self.load(at)?;
        }
        if thread != 0 {
            let next = self.load(thread + pd::NEXT)?;
            self.store(at, next)?;
        }
        self.unlock(cache)?;
        if thread == 0 {
            return Ok(None);
        }
        for member in [pd::JOINID, pd::EXITING, pd::TERMINATED] {
            self.store(thread + member, 0)?;
        }
        Ok(Some(thread))
    }

    /// __deallocate_stack: keeps it for the next thread.
    fn keep_stack(&self, thread: u64) -> Answered<()> {
        let cache = match self.ask(Want::Symbol(CACHE.into())) {
            Ok((at, _)) => at,
            Err(Fail::Refused(_)) => self.ask(Want::Define(CACHE.into(), 16))?.0,
            Err(e) => return Err(e),
        } as u64;
        self.lock(cache)?;
        let first = self.load(cache + 8)?;
        self.store(thread + pd::NEXT, first)?;
        self.store(cache + 8, thread)?;
        self.unlock(cache)
    }

    /// __nptl_free_tcb of a detached thread: it and who detaches it may both
    /// come here.
    fn free_detached(&self, thread: u64) -> Answered<()> {
        match self.atomic(thread + pd::TERMINATED, Size::Qword, Atomic::Exchange(1))? {
            0 => self.keep_stack(thread),
            _ => Ok(()),
        }
    }

    fn allocate_stack(&self) -> Answered<u64> {
        if let Some(thread) = self.cached_stack()? {
            return Ok(thread);
        }
        // PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK: the guard page
        // is what stays so.
        let args = [0, BLOCK, 0, 0x2_0022, u64::MAX, 0];
        let block = self.sys(const { nr("mmap") }, &args)? as u64;
        self.sys(const { nr("mprotect") }, &[block + GUARD, STACK, 3])?;
        Ok(block + BLOCK - pd::SIZE)
    }

    fn create(&self, start: Start) -> Answered<Addr> {
        let thread = match self.allocate_stack() {
            Err(Fail::Refused(e)) if e.errno == Errno::ENOMEM => {
                return Err(Fail::Refused(SysError { errno: Errno::EAGAIN, ..e }));
            }
            other => other?,
        };
        let begins = Start {
            function: START_THREAD.into(),
            args: [Value::Addr(thread), Value::Text(start.function)]
                .into_iter()
                .chain(start.args)
                .collect(),
        };
        // flags, stack, where the parent and the child have the tid, tls.
        let args = [FLAGS.bits(), thread, thread + pd::TID, thread + pd::TID, thread];
        let call = Call::new(const { nr("clone") }, &args);
        match self.ask(Want::Sys(call, Child::Starts(begins))) {
            Ok(_) => Ok(Addr(thread)),
            Err(Fail::Refused(e)) => {
                self.keep_stack(thread)?;
                Err(Fail::Refused(e))
            }
            Err(e) => Err(e),
        }
    }

    fn join(&self, thread: u64) -> Answered<i64> {
        const F: &str = "pthread_join";
        if thread == 0 {
            return refuse(Errno::ESRCH, F, "the main thread has no descriptor to join it by");
        }
        let me = self.thread_self()?;
        if thread == me {
            return refuse(Errno::EDEADLK, F, "a thread that waits for itself waits for ever");
        }
        if me != 0 && self.load(me + pd::JOINID)? == thread {
            return refuse(Errno::EDEADLK, F, "that thread waits for this one to end");
        }
        // The main thread needs a name too.
        let joiner = Atomic::CompareExchange { expected: 0, new: me.max(1) };
        let before = self.atomic(thread + pd::JOINID, Size::Qword, joiner)?;
        if before == thread {
            return refuse(Errno::EINVAL, F, "the thread is detached: nobody waits for it");
        }
        if before != 0 {
            return refuse(Errno::EINVAL, F, "somebody else waits for that thread, or has done so");
        }
        loop {
            let tid = self.load32(thread + pd::TID)?;
            if tid == 0 {
                break;
            }
            self.futex_wait(thread + pd::TID, tid, None)?;
        }
        let result = self.load(thread + pd::RESULT)?;
        self.keep_stack(thread)?;
        Ok(result as i64)
    }

    fn detach(&self, thread: u64) -> Answered<()> {
        const F: &str = "pthread_detach";
        if thread == 0 {
            return refuse(Errno::ESRCH, F, "the main thread has no descriptor");
        }
        let own = Atomic::CompareExchange { expected: 0, new: thread };
        if self.atomic(thread + pd::JOINID, Size::Qword, own)? != 0 {
            return refuse(Errno::EINVAL, F, "the thread is detached, or somebody waits for it");
        }
        match self.load(thread + pd::EXITING)? {
            0 => Ok(()),
            _ => self.free_detached(thread),
        }
    }

    /// The end of start_thread. Does not return.
    fn end_thread(&self, thread: u64, result: u64) -> Answered<()> {
        self.flush()?;
        if thread != 0 {
            self.store(thread + pd::RESULT, result)?;
            self.store(thread + pd::EXITING, 1)?;
            if self.load(thread + pd::JOINID)? == thread {
                self.free_detached(thread)?;
            }
        }
        self.sys(const { nr("exit") }, &[0]).map(drop)
    }
}

/// The descriptor of a thread and the function it is to run, if this is how a
/// thread begins.
pub(super) fn routine(start: &Start) -> Option<(u64, Start)> {
    match (&*start.function, start.args.as_slice()) {
        (START_THREAD, [Value::Addr(thread), Value::Text(function), args @ ..]) => {
            Some((*thread, Start { function: function.clone(), args: args.to_vec() }))
        }
        _ => None,
    }
}

/// What a thread does when its function has returned.
pub(super) fn returned(
    control: &Control,
    thread: u64,
    value: &Dynamic,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let asking = Asking::behind(control, "pthread_exit");
    let result = args::plain_word(value).unwrap_or(0);
    asking.give(asking.end_thread(thread, result).map(Dynamic::from))
}

const THREADS: &[Function] = library! {
    /// Makes a thread that runs a function, on a stack of its own with a guard
    /// page (pthread_create(3)). Gives its pthread_t: the address of its
    /// descriptor, which lies at the end of the stack.
    "pthread_create(start: function) -> Addr" => |asking, a| {
        asking.create(plain::start("pthread_create: start", &a[0])?).map(Dynamic::from)
    };
    /// The same; the function gets an argument.
    "pthread_create(start: function, arg: any) -> Addr" => |asking, a| {
        let mut start = plain::start("pthread_create: start", &a[0])?;
        start.args.push(plain::value("pthread_create: arg", &a[1])?);
        asking.create(start).map(Dynamic::from)
    };
    /// Waits until a thread has ended; gives what its function returned, or 0
    /// when that is no number (pthread_join(3)).
    "pthread_join(thread: Addr) -> int" => |asking, a| {
        asking.join(args::word("pthread_join: thread", &a[0])?).map(Dynamic::from)
    };
    /// Nobody will wait for the thread: its stack is free when it ends
    /// (pthread_detach(3)).
    "pthread_detach(thread: Addr)" => |asking, a| {
        asking.detach(args::word("pthread_detach: thread", &a[0])?).map(Dynamic::from)
    };
};

const OWN: &[Function] = library! {
    /// Ends the calling thread; who joins it gets the value (pthread_exit(3)).
    "pthread_exit(value: int)" => |asking, a| {
        let value = args::word("pthread_exit: value", &a[0])?;
        let me = asking.thread_self()?;
        asking.end_thread(me, value).map(Dynamic::from)
    };
    /// The caller's pthread_t, by its FS register (pthread_self(3)); 0 in the
    /// main thread.
    "pthread_self() -> Addr" => |asking, _| {
        asking.thread_self().map(|me| Dynamic::from(Addr(me)))
    };
    /// The tid of a thread, 0 when it has ended (pthread_gettid_np(3)).
    "pthread_gettid_np(thread: Addr) -> int" => |asking, a| {
        let at = args::word("pthread_gettid_np: thread", &a[0])?;
        asking.load32(at + pd::TID).map(|tid| (tid as i64).into())
    };
};

/// Registers threads.
pub(super) fn register(book: &mut Book, control: &Control) {
    asking::twice(book, control, THREADS);
    asking::once(book, control, OWN);
}
