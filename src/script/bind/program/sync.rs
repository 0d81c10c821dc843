//! Locked instructions, and what libc makes of them and of futex(2): mutexes,
//! condition variables, semaphores.
//!
//! Each is 8 bytes of the program's memory, all zero at first, named by address
//! or by the name of a variable: `define("m", 0); pthread_mutex_lock("m")`.
//! They work among all who share the memory, as with PTHREAD_PROCESS_SHARED.
//!
//! ```text
//! mutex  0 free, 1 taken, 2 taken and somebody may sleep    (lowlevellock.h)
//! cond   counts signals; who waits sleeps while it stays the same
//! sem    low half: the value; high half: how many wait         (sem_post.c)
//! ```
//!
//! Linux: none; glibc's nptl/{pthread_mutex_lock,sem_waitcommon,sem_post}.c.
//! A condition variable is bionic's and musl's simple one: glibc's, with its two
//! groups, wakes in a fairer order and saves calls when nobody waits.
//! Left out: other kinds of mutexes, owners, attributes, timed locks.

use rhai::Dynamic;

use super::asking::{self, Answered, Asking, Function, Slept, library};
use crate::abi::Errno;
use crate::kernel::error::SysError;
use crate::machine::{Atomic, Size};
use crate::script::bind::args;
use crate::script::bind::registry::Book;
use crate::script::control::Control;

/// INT_MAX, all who sleep.
const ALL: u64 = i32::MAX as u64;
/// One that waits, in a semaphore's word.
const ONE_WAITS: u64 = 1 << 32;

const NONE: fn(()) -> Dynamic = Dynamic::from;

fn change(asking: &Asking, a: &[Dynamic], size: Size, change: Atomic) -> Answered<Dynamic> {
    let at = asking.place("addr", &a[0])?;
    Ok((asking.atomic(at, size, change)? as i64).into())
}

fn word(name: &str, value: &Dynamic) -> Answered<u64> {
    Ok(args::word(name, value)?)
}

fn swap(a: &[Dynamic]) -> Answered<Atomic> {
    Ok(Atomic::CompareExchange {
        expected: word("cmpxchg: old", &a[1])?,
        new: word("cmpxchg: new", &a[2])?,
    })
}

const ATOMICS: &[Function] = library! {
    /// Stores `new` at an address or in a variable if `old` is there, in one
    /// instruction (LOCK CMPXCHG); gives what was there: `old` if it worked.
    "cmpxchg(addr: Addr|string, old: int, new: int) -> int" => |asking, a| {
        change(asking, a, Size::Qword, swap(a)?)
    };
    /// Stores a value and gives what was there, in one instruction (XCHG).
    "xchg(addr: Addr|string, value: int) -> int" => |asking, a| {
        change(asking, a, Size::Qword, Atomic::Exchange(word("xchg: value", &a[1])?))
    };
    /// Adds n and gives what was there, in one instruction (LOCK XADD).
    "fetch_add(addr: Addr|string, n: int) -> int" => |asking, a| {
        change(asking, a, Size::Qword, Atomic::FetchAdd(word("fetch_add: n", &a[1])?))
    };
    /// The same with 32 bits, as futexes have.
    "cmpxchg32(addr: Addr|string, old: int, new: int) -> int" => |asking, a| {
        change(asking, a, Size::Dword, swap(a)?)
    };
    /// The same with 32 bits.
    "xchg32(addr: Addr|string, value: int) -> int" => |asking, a| {
        change(asking, a, Size::Dword, Atomic::Exchange(word("xchg32: value", &a[1])?))
    };
    /// The same with 32 bits.
    "fetch_add32(addr: Addr|string, n: int) -> int" => |asking, a| {
        change(asking, a, Size::Dword, Atomic::FetchAdd(word("fetch_add32: n", &a[1])?))
    };
};

const SYNC: &[Function] = library! {
    /// Takes a mutex; sleeps while another has it (pthread_mutex_lock(3)).
    "pthread_mutex_lock(mutex: Addr|string)" => |asking, a| {
        let at = asking.place("mutex", &a[0])?;
        asking.lock(at).map(NONE)
    };
    /// Takes a mutex if it is free; gives whether it was
    /// (pthread_mutex_trylock(3)).
    "pthread_mutex_trylock(mutex: Addr|string) -> bool" => |asking, a| {
        let at = asking.place("mutex", &a[0])?;
        Ok((asking.cmpxchg32(at, 0, 1)? == 0).into())
    };
    /// Lets a mutex go (pthread_mutex_unlock(3)).
    "pthread_mutex_unlock(mutex: Addr|string)" => |asking, a| {
        let at = asking.place("mutex", &a[0])?;
        asking.unlock(at).map(NONE)
    };
    /// Lets a mutex go, sleeps until the condition is signalled, and takes the
    /// mutex again (pthread_cond_wait(3)). It may wake without a signal.
    "pthread_cond_wait(cond: Addr|string, mutex: Addr|string)" => |asking, a| {
        let (cond, mutex) = (asking.place("cond", &a[0])?, asking.place("mutex", &a[1])?);
        let seen = asking.load32(cond)?;
        asking.unlock(mutex)?;
        asking.futex_wait(cond, seen, None)?;
        asking.lock(mutex).map(NONE)
    };
    /// The same for ns at most: ETIMEDOUT then, with the mutex taken
    /// (pthread_cond_timedwait(3)).
    "pthread_cond_timedwait(cond: Addr|string, mutex: Addr|string, ns: int)" => |asking, a| {
        let (cond, mutex) = (asking.place("cond", &a[0])?, asking.place("mutex", &a[1])?);
        let seen = asking.load32(cond)?;
        asking.unlock(mutex)?;
        let slept = asking.futex_wait(cond, seen, Some(&a[2]))?;
        asking.lock(mutex)?;
        match slept {
            Slept::Woken | Slept::Interrupted => Ok(Dynamic::UNIT),
            Slept::TimeOver => Err(asking::Fail::Refused(SysError::new(
                Errno::ETIMEDOUT,
                "pthread_cond_timedwait",
                "nobody signalled the condition in time",
            ))),
        }
    };
    /// Wakes one that waits for the condition (pthread_cond_signal(3)).
    "pthread_cond_signal(cond: Addr|string)" => |asking, a| {
        let cond = asking.place("cond", &a[0])?;
        asking.atomic(cond, Size::Dword, Atomic::FetchAdd(1))?;
        asking.futex_wake(cond, 1).map(NONE)
    };
    /// Wakes all that wait for the condition (pthread_cond_broadcast(3)).
    "pthread_cond_broadcast(cond: Addr|string)" => |asking, a| {
        let cond = asking.place("cond", &a[0])?;
        asking.atomic(cond, Size::Dword, Atomic::FetchAdd(1))?;
        asking.futex_wake(cond, ALL).map(NONE)
    };
    /// Gives a semaphore its value (sem_init(3)); `define(name, value)` does
    /// the same.
    "sem_init(sem: Addr|string, value: int)" => |asking, a| {
        let at = asking.place("sem", &a[0])?;
        let value = word("sem_init: value", &a[1])?;
        if value > ALL {
            return Err(asking::Fail::Refused(SysError::new(
                Errno::EINVAL,
                "sem_init",
                "the value is more than SEM_VALUE_MAX, 2147483647",
            )));
        }
        asking.store(at, value).map(NONE)
    };
    /// Takes one; sleeps while there is none (sem_wait(3)). A handler ends the
    /// sleep with EINTR.
    "sem_wait(sem: Addr|string)" => |asking, a| {
        let at = asking.place("sem", &a[0])?;
        asking.sem_wait(at).map(NONE)
    };
    /// Takes one if there is one; gives whether there was (sem_trywait(3)).
    "sem_trywait(sem: Addr|string) -> bool" => |asking, a| {
        let at = asking.place("sem", &a[0])?;
        Ok(asking.sem_take(at, 0)?.into())
    };
    /// Gives one, and wakes one that waits (sem_post(3)).
    "sem_post(sem: Addr|string)" => |asking, a| {
        let at = asking.place("sem", &a[0])?;
        let before = asking.atomic(at, Size::Qword, Atomic::FetchAdd(1))?;
        match before >= ONE_WAITS {
            true => asking.futex_wake(at, 1).map(NONE),
            false => Ok(Dynamic::UNIT),
        }
    };
    /// A semaphore's value (sem_getvalue(3)).
    "sem_getvalue(sem: Addr|string) -> int" => |asking, a| {
        let at = asking.place("sem", &a[0])?;
        Ok((asking.load32(at)? as i64).into())
    };
};

impl Asking<'_> {
    /// Takes one, and `less` besides, as long as there is one.
    fn sem_take(&self, at: u64, less: u64) -> Answered<bool> {
        let mut seen = self.load(at)?;
        while seen as u32 > 0 {
            let new = seen.wrapping_sub(1 + less);
            let taken = Atomic::CompareExchange { expected: seen, new };
            let before = self.atomic(at, Size::Qword, taken)?;
            if before == seen {
                return Ok(true);
            }
            seen = before;
        }
        Ok(false)
    }

    fn sem_wait(&self, at: u64) -> Answered<()> {
        if self.sem_take(at, 0)? {
            return Ok(());
        }
        self.atomic(at, Size::Qword, Atomic::FetchAdd(ONE_WAITS))?;
        while !self.sem_take(at, ONE_WAITS)? {
            if self.futex_wait(at, 0, None)? == Slept::Interrupted {
                self.atomic(at, Size::Qword, Atomic::FetchAdd(ONE_WAITS.wrapping_neg()))?;
                return Err(asking::Fail::Refused(SysError::new(
                    Errno::EINTR,
                    "sem_wait",
                    "a signal's handler ended the wait",
                )));
            }
        }
        Ok(())
    }
}

/// Registers them.
pub(super) fn register(book: &mut Book, control: &Control) {
    asking::once(book, control, ATOMICS);
    asking::twice(book, control, SYNC);
}
