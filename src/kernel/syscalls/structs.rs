//! Structures behind pointer arguments: out of user memory, or as a director
//! passes them; into user memory, or as the outcome of the call.
//!
//! Linux: lib/usercopy.c. Left out: nothing; larger payloads have kinds of their
//! own.

use super::{Call, Out, Payload};
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::mm::uaccess::{copy_from_user, copy_to_user};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// The `N` bytes that argument `i` points to.
///
/// # Errors
/// EFAULT. EINVAL: a director has passed another number of bytes.
pub fn take<const N: usize>(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    i: usize,
) -> Result<[u8; N], SysError> {
    if let Payload::Bytes(given) = &call.payload {
        return match <[u8; N]>::try_from(&**given) {
            Ok(bytes) => Ok(bytes),
            Err(_) => refuse(Errno::EINVAL, "copy_from_user", "the structure has another size"),
        };
    }
    let mut bytes = [0; N];
    copy_from_user(sys, task, call.args[i], &mut bytes)?;
    Ok(bytes)
}

/// Stores what argument `i` asks for; a director gets it as [`Out::Bytes`].
///
/// # Errors
/// EFAULT.
pub fn give(
    sys: &mut System,
    task: TaskId,
    call: &Call,
    i: usize,
    bytes: &[u8],
) -> Result<(), SysError> {
    if !call.wants_out(i) {
        copy_to_user(sys, task, call.args[i], bytes)?;
    }
    sys.set_out(task, Out::Bytes(bytes.to_vec()));
    Ok(())
}

/// Little-endian words of a structure.
pub fn words<const N: usize>(bytes: &[u8]) -> [i64; N] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|i| words.get(i).map_or(0, |w| i64::from_le_bytes(*w)))
}
