//! process_vm_readv and process_vm_writev. Each answer was seen on a running 6.18
//! kernel.
//!
//! Linux: mm/process_vm_access.c. Left out: what ptrace_may_access checks already.

use super::{Payload, Raw, raw};
use crate::abi::Errno;
use crate::kernel::task::TaskId;

const CALLS: [&str; 2] = ["process_vm_readv", "process_vm_writev"];

/// A list of buffers in the caller's memory.
fn list(r: &mut Raw, off: u64, places: &[(u64, u64)]) -> u64 {
    let words: Vec<i64> = places.iter().flat_map(|(a, n)| [*a as i64, *n as i64]).collect();
    r.put_words(off, &words)
}

fn rw(
    r: &mut Raw,
    name: &str,
    pid: u64,
    local: &[(u64, u64)],
    remote: &[(u64, u64)],
) -> Result<i64, Errno> {
    let (l, n) = (list(r, 4096, local), local.len() as u64);
    let (p, m) = (list(r, 6144, remote), remote.len() as u64);
    r.sys(name, &[pid, l, n, p, m, 0])
}

fn own_pid(r: &Raw) -> u64 {
    r.w.pid(r.t)
}

/// Three pages of data, and three of which the second is missing.
fn places(r: &mut Raw) -> (u64, u64) {
    let map = |r: &mut Raw| r.ok("mmap", &[0, 3 * 4096, 3, 0x22, u64::MAX, 0]) as u64;
    let (data, holes) = (map(r), map(r));
    r.ok("munmap", &[holes + 4096, 4096]);
    (data, holes)
}

#[test]
fn bytes_go_both_ways_between_processes() {
    let mut r = raw();
    r.put(0, b"of the parent");
    let child: TaskId = r.w.fork(r.t);
    let (pid, at) = (r.w.pid(child), r.at);
    r.put(0, b"of a process!");
    // Two buffers here, one place there, which the child has not written since.
    assert_eq!(rw(&mut r, CALLS[0], pid, &[(at + 64, 3), (at + 80, 100)], &[(at, 13)]), Ok(13));
    assert_eq!((&r.get::<3>(64), &r.get::<10>(80)), (b"of ", b"the parent"));
    // A write breaks the sharing of the child's page only.
    assert_eq!(rw(&mut r, CALLS[1], pid, &[(at + 80, 10)], &[(at + 3, 10)]), Ok(10));
    assert_eq!(&r.get::<13>(0), b"of a process!");
    assert_eq!(rw(&mut r, CALLS[0], pid, &[(at + 64, 13)], &[(at, 13)]), Ok(13));
    assert_eq!(&r.get::<13>(64), b"of the parent");
}

#[test]
fn what_was_moved_before_a_fault_counts() {
    let mut r = raw();
    let (pid, (d, x)) = (own_pid(&r), places(&mut r));
    for name in CALLS {
        let mut ask = |l: &[(u64, u64)], p: &[(u64, u64)]| rw(&mut r, name, pid, l, p);
        assert_eq!(ask(&[(d, 100)], &[(d + 200, 8), (d + 300, 0), (d + 400, 4)]), Ok(12));
        assert_eq!(ask(&[(d, 5), (d + 10, 2)], &[(d + 200, 100)]), Ok(7));
        // To the end of the page before the hole.
        assert_eq!(ask(&[(d, 8192)], &[(x + 4000, 200)]), Ok(96));
        assert_eq!(ask(&[(d, 8192)], &[(x, 100), (x + 5000, 8), (x, 100)]), Ok(100));
        assert_eq!(ask(&[(x + 4000, 200)], &[(d, 8192)]), Ok(96));
        assert_eq!(ask(&[(d, 8192)], &[(x + 4096, 200)]), Err(Errno::EFAULT));
        assert_eq!(ask(&[(x + 4096, 200)], &[(d, 8192)]), Err(Errno::EFAULT));
    }
}

#[test]
fn protection_counts() {
    let mut r = raw();
    let (pid, (d, _)) = (own_pid(&r), places(&mut r));
    let wanted =
        [[Ok(8), Err(Errno::EFAULT)], [Err(Errno::EFAULT); 2], [Err(Errno::EFAULT), Ok(8)]];
    for (prot, wanted) in [1, 0, 2].into_iter().zip(wanted) {
        let page = r.ok("mmap", &[0, 4096, prot, 0x22, u64::MAX, 0]) as u64;
        for (name, wanted) in CALLS.into_iter().zip(wanted) {
            assert_eq!(rw(&mut r, name, pid, &[(d, 8)], &[(page, 8)]), wanted, "{name} {prot}");
        }
    }
}

#[test]
fn what_is_refused() {
    const KERNEL: u64 = 0xffff_8000_0000_0000;
    let mut r = raw();
    let (pid, (d, _)) = (own_pid(&r), places(&mut r));
    let dead = r.w.fork(r.t);
    r.w.enter(dead, "exit", &[0], Payload::Registers);
    let dead = r.w.pid(dead);
    for name in CALLS {
        let mut ask = |pid, l: (u64, u64), p: (u64, u64)| rw(&mut r, name, pid, &[l], &[p]);
        assert_eq!(ask(9999, (d, 8), (d, 8)), Err(Errno::ESRCH));
        // Nobody is looked for to do nothing.
        assert_eq!(ask(9999, (d, 8), (d, 0)), Ok(0));
        assert_eq!(ask(9999, (d, 0), (d, u64::MAX)), Ok(0));
        assert_eq!(ask(2, (d, 8), (d, 8)), Err(Errno::ESRCH), "a kernel thread");
        assert_eq!(ask(dead, (d, 8), (d, 8)), Err(Errno::ESRCH), "a zombie");
        assert_eq!(ask(pid, (d, u64::MAX), (d, 8)), Err(Errno::EINVAL));
        assert_eq!(ask(pid, (d, 8), (d, u64::MAX)), Err(Errno::EINVAL));
        assert_eq!(ask(pid, (KERNEL, 8), (d, 8)), Err(Errno::EFAULT));
        assert_eq!(ask(pid, (d, 8), (KERNEL, 8)), Err(Errno::EFAULT));
        let l = list(&mut r, 4096, &[(d, 8)]);
        for flags in [1, 1 << 32] {
            let args = [pid, l, 1, l, 1, flags];
            assert_eq!(r.sys(name, &args), Err(Errno::EINVAL));
        }
        assert_eq!(r.sys(name, &[pid, l, 1, l, 1025, 0]), Err(Errno::EINVAL));
    }
    // Another user's process.
    let at = r.at;
    let l = list(&mut r, 4096, &[(at, 8)]);
    let child = r.w.fork(r.t);
    r.by(child, "setuid", &[1000]).unwrap();
    for name in CALLS {
        assert_eq!(r.by(child, name, &[pid, l, 1, l, 1, 0]), Err(Errno::EPERM));
    }
}
