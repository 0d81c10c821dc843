//! getrandom(2): bytes that nobody can foretell, of the machine's own seed.
//!
//! All random bytes of the machine come from one generator, as Linux's come
//! from one pool: who asks after somebody else's fork(2), which takes a stack
//! canary, gets other bytes. The generator is part of a state of `explore`.
//!
//! Linux: drivers/char/random.c (getrandom, get_random_bytes_user).
//! Left out: a pool that is not ready (EAGAIN of GRND_NONBLOCK, and waiting for
//! it), a signal that ends a long call early.

use crate::abi::Errno;
use crate::abi::numbers::{GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM};
use crate::base::{PAGE_SIZE, Rng};
use crate::kernel::error::{SysError, refuse};
use crate::kernel::fs::uio::MAX_RW_COUNT;
use crate::kernel::mm::uaccess::{access_ok, copy_to_user};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

const F: &str = "getrandom";

/// Where the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// To user memory.
    User(u64),
    /// To whoever made the call, as a value.
    Value,
}

/// Most bytes that are given as a value.
pub const MOST_AS_VALUE: u64 = 1 << 16;

/// Fills a buffer; gives how many bytes it has filled, and them if they are
/// wanted as a value.
///
/// # Errors
/// EINVAL: a flag that is not known, or GRND_INSECURE with GRND_RANDOM; more
/// than [`MOST_AS_VALUE`] as a value.
/// EFAULT: the first byte cannot be stored.
pub fn getrandom(
    sys: &mut System,
    task: TaskId,
    to: To,
    len: u64,
    flags: u32,
) -> Result<(i64, Vec<u8>), SysError> {
    let unknown = flags & !(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE);
    if unknown != 0 {
        let why = format!("there are no flags {unknown:#x}");
        return Err(SysError::with(Errno::EINVAL, F, why));
    }
    if flags & (GRND_RANDOM | GRND_INSECURE) == GRND_RANDOM | GRND_INSECURE {
        return refuse(
            Errno::EINVAL,
            F,
            "GRND_INSECURE does not wait for the pool, and GRND_RANDOM does: it cannot be both",
        );
    }
    let len = len.min(MAX_RW_COUNT);
    // Bytes that nobody was given are not taken.
    let mut rng = sys.kernel.rng.clone();
    let (done, bytes) = match to {
        To::Value => {
            if len > MOST_AS_VALUE {
                let why = format!("at most {MOST_AS_VALUE} bytes are given as a value");
                return Err(SysError::with(Errno::EINVAL, F, why));
            }
            let mut bytes = vec![0; len as usize];
            fill(&mut rng, &mut bytes);
            (bytes.len() as u64, bytes)
        }
        To::User(at) => {
            access_ok(sys, at, len, F)?;
            (fill_user(sys, task, &mut rng, at, len)?, Vec::new())
        }
    };
    sys.kernel.rng = rng;
    Ok((done as i64, bytes))
}

/// Page by page, until one cannot be written: what was stored before counts.
fn fill_user(
    sys: &mut System,
    task: TaskId,
    rng: &mut Rng,
    at: u64,
    len: u64,
) -> Result<u64, SysError> {
    let mut done = 0;
    let mut page = Vec::new();
    while done < len {
        let to = at + done;
        page.resize((PAGE_SIZE - to % PAGE_SIZE).min(len - done) as usize, 0);
        fill(rng, &mut page);
        match copy_to_user(sys, task, to, &page) {
            Ok(()) => done += page.len() as u64,
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// Takes the next bytes.
pub(crate) fn fill(rng: &mut Rng, bytes: &mut [u8]) {
    for word in bytes.chunks_mut(8) {
        let random = rng.next_u64().to_le_bytes();
        word.copy_from_slice(&random[..word.len()]);
    }
}

#[cfg(test)]
mod tests {
    use crate::abi::Errno;
    use crate::kernel::syscalls::Payload;
    use crate::kernel::testing::world;

    /// Numbers that Linux 6.18 gives for the same calls.
    #[test]
    fn flags_lengths_and_addresses() {
        let mut w = world();
        let init = w.init;
        let t = w.fork(init);
        let page = w.call(t, "mmap", &[0, 8192, 3, 0x22, u64::MAX, 0]) as u64;
        w.call(t, "munmap", &[page + 4096, 4096]);
        let mut get = |at, len, flags| match w.try_with(
            t,
            "getrandom",
            &[at, len, flags],
            Payload::Registers,
        ) {
            Ok((n, _)) => n,
            Err(errno) => errno.to_ret(),
        };
        for flags in [0, 1, 2, 3, 4, 5] {
            assert_eq!(get(page, 100, flags), 100, "{flags}");
        }
        for flags in [6, 7, 8, 0x8000_0000] {
            assert_eq!(get(page, 100, flags), Errno::EINVAL.to_ret(), "{flags}");
        }
        // The upper half of the register is not looked at.
        assert_eq!(get(page, 1, 1 << 32), 1);
        assert_eq!(get(page + 4000, 4096, 0), 96);
        assert_eq!(get(page + 4096, 10, 0), Errno::EFAULT.to_ret());
        assert_eq!(get(0, 10, 0), Errno::EFAULT.to_ret());
        assert_eq!(get(0, 0, 0), 0);
        assert_eq!(get(1 << 63, 1, 0), Errno::EFAULT.to_ret());
        assert_eq!(get(page + 4095, 1 << 20, 0), 1);
        assert_eq!(get(1 << 63, 0, 0), Errno::EFAULT.to_ret());
    }
}
