//! Making tasks, replacing programs, waiting for children.
//!
//! A task that shares its creator's memory gets the stack of its own slot, and
//! so does one for which the script names a stack: only signal frames lie there,
//! and they are the stub's.
//!
//! Left out: clone3's structure in memory.

use super::results::Kind;
use super::{Creates, Draft, No, StackAt, no, nr, own_fd, range};
use crate::abi::structs::{CLONE_ARGS_SIZE_VER0, CLONE_ARGS_SIZE_VER2, CloneArgs};
use crate::kernel::syscalls::Payload;
use crate::oracle::host::stub;
use crate::session::program::Child;

/// Offset of `stack` in `struct clone_args`.
const STACK: usize = 40;

/// Makes the calls ready that concern other tasks.
pub(super) fn prepare(d: &mut Draft) -> Result<bool, No> {
    match nr(d) {
        libc::SYS_fork => create(d, 0, None)?,
        libc::SYS_vfork => create(d, (libc::CLONE_VM | libc::CLONE_VFORK) as u64, None)?,
        libc::SYS_clone => clone(d)?,
        libc::SYS_clone3 => match d.call.payload.clone() {
            Payload::Clone(args) => clone3(d, &args)?,
            _ => return no("clone3 with an address"),
        },
        libc::SYS_execve => exec(d, 0)?,
        libc::SYS_execveat => {
            own_fd(d.call.args[0])?;
            exec(d, 1)?;
        }
        libc::SYS_wait4 => wait(d, [1, 3], Kind::Wait4)?,
        libc::SYS_waitid => wait(d, [2, 4], Kind::Waitid)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn has(flags: u64, flag: i32) -> bool {
    flags & u64::from(flag as u32) != 0
}

/// `own_stack`: the script has said a stack, or needs one.
fn create(d: &mut Draft, flags: u64, own_stack: Option<StackAt>) -> Result<(), No> {
    if own_stack.is_some() && d.asker.in_handler && *d.asker.child == Child::Returns {
        return no("a task with a stack of its own that goes on inside a signal handler");
    }
    d.order.kind = Kind::Create;
    d.order.creates = Some(Creates {
        vm: has(flags, libc::CLONE_VM),
        leads: !has(flags, libc::CLONE_THREAD),
        own_stack,
    });
    Ok(())
}

fn clone(d: &mut Draft) -> Result<(), No> {
    let [flags, stack, parent_tid, child_tid, ..] = d.call.args;
    range(parent_tid, 4)?;
    range(child_tid, 4)?;
    let shares = has(flags, libc::CLONE_VM) && !has(flags, libc::CLONE_VFORK);
    create(d, flags, (stack != 0 || shares).then_some(StackAt::Register(1)))
}

fn clone3(d: &mut Draft, a: &CloneArgs) -> Result<(), No> {
    for addr in [a.pidfd, a.child_tid, a.parent_tid] {
        range(addr, 4)?;
    }
    let set_tid: Vec<u8> = a.set_tid.iter().flat_map(|tid| tid.to_le_bytes()).collect();
    let structure = |set_tid: u64| {
        [
            a.flags,
            a.pidfd,
            a.child_tid,
            a.parent_tid,
            a.exit_signal,
            a.stack,
            a.stack_size,
            a.tls,
            set_tid,
            a.set_tid.len() as u64,
            a.cgroup,
        ]
        .map(u64::to_le_bytes)
        .concat()
    };
    d.input(0, &structure(0));
    if !set_tid.is_empty() {
        let at = d.put(&set_tid);
        d.order.input[64..72].copy_from_slice(&at.to_le_bytes());
    }
    let size = d.call.args[1];
    if size > CLONE_ARGS_SIZE_VER2 {
        return no("clone3 with a larger structure than is known");
    }
    if size < CLONE_ARGS_SIZE_VER0 {
        d.order.args[1] = CLONE_ARGS_SIZE_VER2;
    }
    // What is no stack is for the kernel to refuse.
    let says = a.stack != 0 && a.stack_size != 0;
    let none = a.stack == 0 && a.stack_size == 0;
    let shares = has(a.flags, libc::CLONE_VM) && !has(a.flags, libc::CLONE_VFORK);
    create(d, a.flags, (says || none && shares).then_some(StackAt::Input(STACK)))
}

/// `i`: which argument is the path; the strings follow.
fn exec(d: &mut Draft, i: usize) -> Result<(), No> {
    let Payload::Exec(exec) = &d.call.payload else { return no("execve with addresses") };
    let (path, argv, envp) = &**exec;
    // Where the stub finds its slot.
    let slot = d.put(&stub::slot_name(d.asker.slot));
    let mut list = |strings: &[String], first: Option<u64>| {
        let mut words: Vec<u64> = first.into_iter().collect();
        for text in strings {
            words.push(d.put_text(text));
        }
        words.push(0);
        let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        d.put(&bytes)
    };
    let (argv_at, envp_at) = (list(argv, None), list(envp, Some(slot)));
    d.text(i, path);
    (d.order.args[i + 1], d.order.args[i + 2]) = (argv_at, envp_at);
    d.order.kind = Kind::Exec(argv.clone());
    Ok(())
}

/// What a child's change of state stores: at `[status or info, rusage]`.
fn wait(d: &mut Draft, at: [usize; 2], kind: Kind) -> Result<(), No> {
    let size = if kind == Kind::Waitid { 128 } else { 8 };
    if at.iter().all(|i| d.call.wants_out(*i)) {
        d.output(at[0], size);
        d.output(at[1], 144);
        d.order.kind = kind;
        return Ok(());
    }
    d.theirs(at[0], size)?;
    d.theirs(at[1], 144)
}
