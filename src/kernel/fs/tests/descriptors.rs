//! Descriptors and what they share.

use super::*;

#[test]
fn descriptors_are_the_lowest_free_and_share_their_offset() {
    let (mut s, t) = sys();
    let base = get_unused_fd(&s, t).unwrap();
    let a = o(&mut s, t, "/etc/passwd", RDONLY).unwrap();
    assert_eq!(a, base);
    let b = dup::dup(&mut s, t, a).unwrap();
    assert_eq!(b, base + 1);
    assert_eq!(r(&mut s, t, a, 4).unwrap(), b"root");
    assert_eq!(r(&mut s, t, b, 2).unwrap(), b":x");
    let other = o(&mut s, t, "/etc/passwd", RDONLY).unwrap();
    assert_eq!(r(&mut s, t, other, 4).unwrap(), b"root");
    close_fd(&mut s, t, a).unwrap();
    assert_eq!(get_unused_fd(&s, t).unwrap(), a);
    assert_eq!(r(&mut s, t, b, 3).unwrap(), b":0:");
    assert_eq!(errno(close_fd(&mut s, t, a)), EBADF);
    assert_eq!(errno(close_fd(&mut s, t, -1)), EBADF);
}

#[test]
fn dup_and_fcntl_refuse_as_linux_does() {
    let (mut s, t) = sys();
    let f = o(&mut s, t, "/dev/null", RDWR | APPEND).unwrap();
    assert_eq!(errno(dup::dup2(&mut s, t, f, -1)), EBADF);
    assert_eq!(errno(dup::dup2(&mut s, t, f, 100_000_000)), EBADF);
    assert_eq!(errno(dup::dup2(&mut s, t, 99, 99)), EBADF);
    assert_eq!(dup::dup2(&mut s, t, f, f).unwrap(), f);
    assert_eq!(errno(dup::ksys_dup3(&mut s, t, f, f, 0)), EINVAL);
    assert_eq!(errno(dup::ksys_dup3(&mut s, t, f, 50, 0o4000)), EINVAL);
    assert_eq!(errno(dup::ksys_dup3(&mut s, t, 99, 99, 0)), EINVAL);
    assert_eq!(errno(dup::ksys_dup3(&mut s, t, 99, -1, 0)), EBADF);
    assert_eq!(dup::ksys_dup3(&mut s, t, f, 50, 0o2000000).unwrap(), 50);
    assert_eq!(dup::do_fcntl(&mut s, t, 50, 1, 0).unwrap(), 1);
    assert_eq!(dup::do_fcntl(&mut s, t, f, 3, 0).unwrap(), 0o102002);
    assert_eq!(dup::do_fcntl(&mut s, t, f, 0, 60).unwrap(), 60);
    assert_eq!(errno(dup::do_fcntl(&mut s, t, f, 0, u64::MAX)), EINVAL);
    assert_eq!(errno(dup::do_fcntl(&mut s, t, f, 12345, 0)), EINVAL);
    assert_eq!(errno(dup::do_fcntl(&mut s, t, 99, 12345, 0)), EBADF);
    assert_eq!(errno(dup::close_range(&mut s, t, 5, 4, 0)), EINVAL);
    assert_eq!(errno(dup::close_range(&mut s, t, 5, 6, 1)), EINVAL);
    dup::close_range(&mut s, t, 40, u32::MAX, 0).unwrap();
    assert_eq!(errno(fget(&s, t, 60)), EBADF);
    assert!(fget(&s, t, f).is_ok());
}

#[test]
fn a_copied_table_shares_descriptions_and_counts_them() {
    let (mut s, t) = sys();
    let f = o(&mut s, t, "/etc/passwd", RDONLY).unwrap();
    let file = fget(&s, t, f).unwrap();
    let live = s.kernel.filps.len();
    let files = s.task(t).files.unwrap();
    let copy = dup_fd(&mut s, files).unwrap();
    assert_eq!(s.kernel.filps[file].f_count, 2);
    assert_eq!(s.kernel.files[copy].fdt.len(), f as usize + 1);
    put_files_struct(&mut s, copy);
    assert_eq!(s.kernel.filps[file].f_count, 1);
    assert_eq!(s.kernel.filps.len(), live);
    assert!(!s.kernel.files.contains(copy));
}

#[test]
fn rlimit_nofile_bounds_descriptors() {
    let (mut s, t) = sys();
    let n = get_unused_fd(&s, t).unwrap() as u64;
    s.signal_mut(t).rlim[7].cur = n + 1;
    let before = s.clone();
    assert_eq!(errno(do_pipe2(&mut s, t, 0)), EMFILE);
    assert_eq!(s, before);
    o(&mut s, t, "/dev/null", RDONLY).unwrap();
    assert_eq!(errno(o(&mut s, t, "/nowhere", RDONLY)), EMFILE);
    assert_eq!(errno(o(&mut s, t, "", RDONLY)), ENOENT);
}

#[test]
fn pidfds_name_processes() {
    let (mut s, t) = sys();
    let fd = pidfd::pidfd_open(&mut s, t, 1, 0o4000).unwrap();
    assert_eq!(dup::do_fcntl(&mut s, t, fd, 3, 0).unwrap(), 0o4002);
    assert_eq!(dup::do_fcntl(&mut s, t, fd, 1, 0).unwrap(), 1);
    let pid = s.task(t).thread_pid.unwrap();
    let count = s.kernel.pids[pid].count;
    assert_eq!(stop_errno(r(&mut s, t, fd, 1).map(|_| 0)), EINVAL);
    assert_eq!(stop_errno(w(&mut s, t, fd, b"x")), EINVAL);
    assert_eq!(errno(ksys_lseek(&mut s, t, fd, 0, 0)), ESPIPE);
    close_fd(&mut s, t, fd).unwrap();
    assert_eq!(s.kernel.pids[pid].count, count - 1);
    assert_eq!(errno(pidfd::pidfd_open(&mut s, t, 0, 0)), EINVAL);
    assert_eq!(errno(pidfd::pidfd_open(&mut s, t, -1, 0)), EINVAL);
    assert_eq!(errno(pidfd::pidfd_open(&mut s, t, 1, 1)), EINVAL);
    assert_eq!(errno(pidfd::pidfd_open(&mut s, t, 30_000, 0)), ESRCH);
}
