//! Which sets of clone flags make sense: every refusal of clone(2) and
//! clone3(2) that depends on the arguments alone, in Linux's order.
//!
//! The order matters, because a call can be wrong in several ways and only
//! the first is told.
//!
//! Linux: kernel/fork.c (copy_clone_args_from_user, clone3_args_valid,
//! clone3_stack_valid, kernel_clone, copy_process).
//! Left out: refusals that need the kernel's state beyond [`Creator`].

use crate::abi::structs::{CLONE_ARGS_SIZE_VER0, CLONE_ARGS_SIZE_VER2, CloneArgs};
use crate::abi::{CloneFlags, Errno, Signal};
use crate::base::PAGE_SIZE;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::pid_namespace::MAX_PID_NS_LEVEL;

/// What the checks need to know of the creating task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Creator {
    /// It is an init: `SIGNAL_UNKILLABLE`.
    pub unkillable: bool,
    /// Its children go to another pid namespace than its own.
    pub pid_ns_change_pending: bool,
}

/// Checks that clone3 makes while it copies its argument from user memory.
/// `size` is the caller's idea of the structure's size in bytes.
/// Source: `copy_clone_args_from_user`.
pub fn check_clone3_copy(args: &CloneArgs, size: u64) -> Result<(), SysError> {
    const F: &str = "copy_clone_args_from_user";
    if size > PAGE_SIZE {
        return refuse(Errno::E2BIG, F, "clone_args is larger than a page");
    }
    if size < CLONE_ARGS_SIZE_VER0 {
        return refuse(Errno::EINVAL, F, "clone_args is smaller than its first version (64 bytes)");
    }
    if args.set_tid.len() > MAX_PID_NS_LEVEL as usize {
        return refuse(
            Errno::EINVAL,
            F,
            "set_tid has more entries than pid namespaces can nest (32)",
        );
    }
    if args.exit_signal > 0xff
        || (args.exit_signal != 0 && Signal::new(args.exit_signal as i32).is_none())
    {
        return refuse(Errno::EINVAL, F, "exit_signal is neither 0 nor a signal number (1 to 64)");
    }
    if args.flags & CloneFlags::CLONE_INTO_CGROUP.bits() != 0
        && (args.cgroup > i32::MAX as u64 || size < CLONE_ARGS_SIZE_VER2)
    {
        return refuse(
            Errno::EINVAL,
            F,
            "CLONE_INTO_CGROUP without a descriptor in clone_args.cgroup",
        );
    }
    Ok(())
}

/// Checks of clone3 alone. `task_size` is the first address beyond user space.
/// Source: `clone3_args_valid`.
pub fn check_clone3(args: &CloneArgs, task_size: u64) -> Result<(), SysError> {
    const F: &str = "clone3_args_valid";
    let unknown = args.flags & !CloneFlags::all().bits();
    // Bits 0 to 6 are the exit signal's in legacy clone; clone3 has a field.
    let low = args.flags & 0x7f;
    if unknown & !0xff != 0 {
        return Err(SysError::with(
            Errno::EINVAL,
            F,
            format!("unknown clone3 flag bits {:#x}", unknown & !0xff),
        ));
    }
    if low != 0 {
        return refuse(
            Errno::EINVAL,
            F,
            "the low bits of clone3's flags are not an exit signal: use exit_signal",
        );
    }
    let flags = CloneFlags::from_bits_truncate(args.flags);
    if flags.contains(CloneFlags::CLONE_DETACHED) {
        return refuse(Errno::EINVAL, F, "CLONE_DETACHED exists in legacy clone only");
    }
    if flags.contains(CloneFlags::CLONE_SIGHAND | CloneFlags::CLONE_CLEAR_SIGHAND) {
        return refuse(
            Errno::EINVAL,
            F,
            "CLONE_SIGHAND shares the handlers, CLONE_CLEAR_SIGHAND resets them: not both",
        );
    }
    if flags.intersects(CloneFlags::CLONE_THREAD | CloneFlags::CLONE_PARENT)
        && args.exit_signal != 0
    {
        return refuse(
            Errno::EINVAL,
            F,
            "with CLONE_THREAD or CLONE_PARENT the exit signal is not the caller's to choose",
        );
    }
    if args.stack == 0 && args.stack_size > 0 {
        return refuse(Errno::EINVAL, "clone3_stack_valid", "stack_size without stack");
    }
    if args.stack != 0 {
        if args.stack_size == 0 {
            return refuse(Errno::EINVAL, "clone3_stack_valid", "stack without stack_size");
        }
        if args.stack.checked_add(args.stack_size).is_none_or(|end| end > task_size) {
            return refuse(
                Errno::EINVAL,
                "clone3_stack_valid",
                "the stack does not lie in user space",
            );
        }
    }
    Ok(())
}

/// Checks of every creation, in the order of `kernel_clone` and
/// `copy_process`. `pidfd_ptr` and `parent_tid_ptr` are where results go.
pub fn check(
    flags: CloneFlags,
    pidfd_ptr: u64,
    parent_tid_ptr: u64,
    creator: Creator,
) -> Result<(), SysError> {
    use CloneFlags as C;
    const F: &str = "copy_process";
    if flags.contains(C::CLONE_PIDFD | C::CLONE_PARENT_SETTID) && pidfd_ptr == parent_tid_ptr {
        return refuse(
            Errno::EINVAL,
            "kernel_clone",
            "CLONE_PIDFD and CLONE_PARENT_SETTID would store to the same address",
        );
    }
    if flags.contains(C::CLONE_NEWNS | C::CLONE_FS) {
        return refuse(
            Errno::EINVAL,
            F,
            "CLONE_NEWNS with CLONE_FS: a root directory cannot be shared across mount namespaces",
        );
    }
    if flags.contains(C::CLONE_NEWUSER | C::CLONE_FS) {
        return refuse(
            Errno::EINVAL,
            F,
            "CLONE_NEWUSER with CLONE_FS: a root directory cannot be shared across user namespaces",
        );
    }
    if flags.contains(C::CLONE_THREAD) && !flags.contains(C::CLONE_SIGHAND) {
        return refuse(
            Errno::EINVAL,
            F,
            "CLONE_THREAD needs CLONE_SIGHAND: threads of a group share their signal handlers",
        );
    }
    if flags.contains(C::CLONE_SIGHAND) && !flags.contains(C::CLONE_VM) {
        return refuse(
            Errno::EINVAL,
            F,
            "CLONE_SIGHAND needs CLONE_VM: handlers are addresses and mean nothing in another address space",
        );
    }
    if flags.contains(C::CLONE_PARENT) && creator.unkillable {
        return refuse(
            Errno::EINVAL,
            F,
            "CLONE_PARENT by an init: its siblings could not be reaped by it, and its parent lies outside",
        );
    }
    if flags.contains(C::CLONE_THREAD) {
        if flags.intersects(C::CLONE_NEWUSER | C::CLONE_NEWPID) {
            return refuse(
                Errno::EINVAL,
                F,
                "CLONE_THREAD with CLONE_NEWUSER or CLONE_NEWPID: threads of a group live in one user and pid namespace",
            );
        }
        if creator.pid_ns_change_pending {
            return refuse(
                Errno::EINVAL,
                F,
                "CLONE_THREAD after unshare(CLONE_NEWPID): the next task starts another pid namespace",
            );
        }
    }
    if flags.contains(C::CLONE_PIDFD | C::CLONE_DETACHED) {
        return refuse(
            Errno::EINVAL,
            F,
            "CLONE_PIDFD with CLONE_DETACHED: the bit is kept free for a later meaning",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errno(flags: CloneFlags) -> Option<Errno> {
        check(flags, 1, 2, Creator::default()).err().map(|e| e.errno)
    }

    #[test]
    fn a_thread_needs_handlers_and_memory() {
        use CloneFlags as C;
        assert_eq!(errno(C::CLONE_THREAD), Some(Errno::EINVAL));
        assert_eq!(errno(C::CLONE_SIGHAND), Some(Errno::EINVAL));
        assert_eq!(errno(C::CLONE_THREAD | C::CLONE_SIGHAND | C::CLONE_VM), None);
        // The manual page forbids these; the kernel does not.
        assert_eq!(errno(C::CLONE_NEWPID | C::CLONE_PARENT), None);
        assert_eq!(errno(C::CLONE_THREAD | C::CLONE_SIGHAND | C::CLONE_VM | C::CLONE_PIDFD), None);
    }

    #[test]
    fn clone3_knows_newtime_and_no_other_low_bit() {
        let with = |flags| CloneArgs { flags, ..CloneArgs::default() };
        assert!(check_clone3(&with(0x80), 1 << 47).is_ok());
        for bit in 0..7 {
            assert_eq!(check_clone3(&with(1 << bit), 1 << 47).unwrap_err().errno, Errno::EINVAL);
        }
        assert_eq!(check_clone3(&with(1 << 34), 1 << 47).unwrap_err().errno, Errno::EINVAL);
        let thread = CloneArgs {
            flags: CloneFlags::CLONE_THREAD.bits(),
            exit_signal: 17,
            ..Default::default()
        };
        assert_eq!(check_clone3(&thread, 1 << 47).unwrap_err().errno, Errno::EINVAL);
    }
}
