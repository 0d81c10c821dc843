//! A deep host stack to evaluate scripts on, and a measure of how much of it
//! is left.
//!
//! Rhai recurses on the host stack: 6 to 18 kB for a script call in a release
//! build, up to 141 kB in a debug build, and an overflow kills the process. A
//! thread with a large stack (address space only: pages are committed when
//! touched) lets the same limits hold in both builds, and [`here`] compared
//! with [`floor`] is the last defence.
//!
//! Left out: work in parallel. The caller waits for the thread.

use std::any::Any;
use std::cell::Cell;
use std::hint::black_box;
use std::io;

/// Bytes of address space for the stack.
pub const STACK_BYTES: usize = 256 << 20;
/// Bytes kept free for natives and for taking values apart.
const RESERVE: usize = 64 << 20;
/// What we dare to use on a thread of unknown size (tests: 2 MiB).
const UNKNOWN: usize = 1 << 20;

thread_local! {
    /// The lowest address scripts may reach on this thread; 0: unknown.
    static FLOOR: Cell<usize> = const { Cell::new(0) };
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The thread could not be made.
    #[error("cannot make a thread with a deep stack: {0}")]
    Thread(#[from] io::Error),
    /// The function panicked: a mistake in this program.
    #[error("internal error: {0}")]
    Panic(String),
}

/// Runs a function on a deep stack and waits for it. Calls nest: on a deep
/// stack already, it is just called.
pub fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, StackError> {
    if FLOOR.get() != 0 {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let work = || {
            FLOOR.set(here().saturating_sub(STACK_BYTES - RESERVE));
            make_room();
            work()
        };
        let builder = std::thread::Builder::new().name("script".into()).stack_size(STACK_BYTES);
        builder
            .spawn_scoped(scope, work)?
            .join()
            .map_err(|panic| StackError::Panic(text_of(&*panic)))
    })
}

/// Has the allocator take a piece of memory for this thread at once. By itself
/// glibc's lets the heap of a thread other than the first grow page by page,
/// with a system call for each: hundreds before a script begins. The first,
/// greater piece comes from mmap(2) and teaches it that such sizes are common;
/// the second then is the top of the heap, and stays there. Nothing is touched.
fn make_room() {
    for bytes in [4 << 20, 2 << 20] {
        drop(black_box(Vec::<u8>::with_capacity(bytes)));
    }
}

/// The lowest address a script may reach on this thread.
pub fn floor() -> usize {
    match FLOOR.get() {
        0 => here().saturating_sub(UNKNOWN),
        floor => floor,
    }
}

/// About where the stack pointer is.
#[inline]
pub fn here() -> usize {
    let local = 0u8;
    (&raw const *black_box(&local)).addr()
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_is_deep_and_nests() {
        // Two calls may stand on stack frames of their own.
        const FRAMES: usize = 4096;
        let left = on_deep_stack(|| {
            let inner = on_deep_stack(|| here() - floor()).unwrap();
            assert!(inner <= here() - floor() + FRAMES);
            inner
        });
        assert!(left.unwrap() > 100 << 20);
        assert!(here() - floor() <= UNKNOWN + FRAMES);
    }

    #[test]
    fn a_panic_is_an_error() {
        let result = on_deep_stack(|| {
            if black_box(true) {
                panic!("boom {}", 1)
            }
        });
        assert_eq!(result.unwrap_err().to_string(), "internal error: boom 1");
    }
}
