//! Memory: mappings and what is done to them. Ranges must not have anything of
//! the stub's in them.
//!
//! Left out: locking all memory (the stub's is among it), advice that breaks
//! the host's memory.

use super::{Draft, No, no, nr, own_fd, range};

/// Most memory that one call may fill.
const MOST: u64 = 256 << 20;

/// Makes the calls on memory ready.
pub(super) fn prepare(d: &mut Draft) -> Result<bool, No> {
    let [addr, len, third, fourth, fifth, _] = d.call.args;
    match nr(d) {
        libc::SYS_mmap => {
            let has = |flag: i32| fourth & flag as u64 != 0;
            if has(libc::MAP_FIXED) || has(libc::MAP_FIXED_NOREPLACE) {
                range(addr.max(1), len)?;
            }
            if (has(libc::MAP_POPULATE) || has(libc::MAP_LOCKED)) && len > MOST {
                return no("mmap that fills more than 256 MiB");
            }
            if !has(libc::MAP_ANONYMOUS) {
                own_fd(fifth)?;
            }
        }
        libc::SYS_mremap => {
            range(addr.max(1), len)?;
            if fourth & libc::MREMAP_FIXED as u64 != 0 {
                range(fifth.max(1), third)?;
            }
        }
        libc::SYS_munmap | libc::SYS_mprotect | libc::SYS_msync | libc::SYS_munlock => {
            range(addr.max(1), len)?;
        }
        libc::SYS_mlock => {
            range(addr.max(1), len)?;
            if len > MOST {
                return no("mlock of more than 256 MiB");
            }
        }
        libc::SYS_madvise => {
            const POPULATE_READ: i32 = 22;
            const POPULATE_WRITE: i32 = 23;
            range(addr.max(1), len)?;
            match third as i32 {
                libc::MADV_HWPOISON | libc::MADV_SOFT_OFFLINE => {
                    return no("madvise that breaks the host's memory");
                }
                POPULATE_READ | POPULATE_WRITE if len > MOST => {
                    return no("madvise that fills more than 256 MiB");
                }
                _ => {}
            }
        }
        libc::SYS_mincore => {
            range(addr.max(1), len)?;
            d.theirs(2, len.div_ceil(4096))?;
        }
        libc::SYS_brk => {}
        _ => return Ok(false),
    }
    Ok(true)
}
