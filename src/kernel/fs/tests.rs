//! The rules of files, each as Linux 6.18 answered them to a C program.

use super::fdtable::*;
use super::inode::*;
use super::namei::*;
use super::open::*;
use super::pipe::*;
use super::rw::*;
use super::uio::*;
use super::*;
use crate::abi::Errno::*;
use crate::abi::{CapSet, Errno, Signal};
use crate::kernel::boot::{BootConfig, boot};
use crate::kernel::error::{Stop, SysError, SysResult};
use crate::kernel::syscalls::Out;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

fn sys() -> (System, TaskId) {
    let sys = boot(&BootConfig::default()).unwrap();
    let init = sys.kernel.init_process;
    (sys, init)
}

fn errno<T: std::fmt::Debug>(r: Result<T, SysError>) -> Errno {
    let e = r.unwrap_err();
    assert!(!e.why.is_empty() && !e.source_fn.is_empty());
    e.errno
}

fn stop_errno(r: SysResult) -> Errno {
    match r {
        Err(Stop::Error(e)) => e.errno,
        other => panic!("{other:?}"),
    }
}

const RDONLY: u32 = 0;
const WRONLY: u32 = 1;
const RDWR: u32 = 2;
const CREAT: u32 = 0o100;
const EXCL: u32 = 0o200;
const TRUNC: u32 = 0o1000;
const APPEND: u32 = 0o2000;
const DIRECTORY: u32 = 0o200000;

fn o(sys: &mut System, t: TaskId, path: &str, flags: u32) -> Result<i32, SysError> {
    do_sys_open(sys, t, AT_FDCWD, path, flags, 0o666)
}

fn w(sys: &mut System, t: TaskId, fd: i32, bytes: &[u8]) -> SysResult {
    ksys_write(sys, t, fd, Source::Bytes(bytes), At::Pos, &mut 0)
}

fn r(sys: &mut System, t: TaskId, fd: i32, n: u64) -> Result<Vec<u8>, Stop> {
    ksys_read(sys, t, fd, Dest::Out(Vec::new(), n), At::Pos)?;
    match std::mem::take(&mut sys.kernel.out) {
        Out::Bytes(b) => Ok(b),
        other => panic!("{other:?}"),
    }
}

/// Makes the task uid and gid 1000 without capabilities.
fn become_user(sys: &mut System, t: TaskId) {
    let old = sys.kernel.creds[sys.task(t).cred].clone();
    let mut c = old;
    (c.uid, c.suid, c.euid, c.fsuid) = (1000, 1000, 1000, 1000);
    (c.gid, c.sgid, c.egid, c.fsgid) = (1000, 1000, 1000, 1000);
    (c.cap_permitted, c.cap_effective) = (CapSet::EMPTY, CapSet::EMPTY);
    let new = sys.kernel.creds.insert(c);
    sys.task_mut(t).cred = new;
}

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
fn open_refuses_as_linux_does() {
    let (mut s, t) = sys();
    let cases = [
        ("/tmp", CREAT | RDWR, EISDIR),
        ("/tmp", CREAT | EXCL, EEXIST),
        ("/tmp", WRONLY, EISDIR),
        ("/tmp/", CREAT, EISDIR),
        ("/tmp/.", CREAT, EISDIR),
        ("/tmp/new/", CREAT, EISDIR),
        ("/etc/passwd/", CREAT, EISDIR),
        ("/etc/passwd/", RDONLY, ENOTDIR),
        ("/etc/passwd", DIRECTORY, ENOTDIR),
        ("/tmp", DIRECTORY | CREAT, EINVAL),
        ("/etc/passwd/x", CREAT, ENOTDIR),
        ("/etc/passwd/..", RDONLY, ENOTDIR),
        ("/etc/nope/..", RDONLY, ENOENT),
        ("/sbin/init", WRONLY, ETXTBSY),
    ];
    for (path, flags, want) in cases {
        assert_eq!(errno(o(&mut s, t, path, flags)), want, "{path} {flags:o}");
    }
    let long = format!("/{}", "a".repeat(256));
    assert_eq!(errno(o(&mut s, t, &long, RDONLY)), ENAMETOOLONG);
    assert_eq!(errno(o(&mut s, t, &"/a".repeat(2048), RDONLY)), ENAMETOOLONG);
    let f = o(&mut s, t, "/etc/passwd", RDONLY).unwrap();
    assert_eq!(errno(do_sys_open(&mut s, t, f, "x", 0, 0)), ENOTDIR);
    assert_eq!(errno(do_sys_open(&mut s, t, 99, "x", 0, 0)), EBADF);
    assert_eq!(errno(do_sys_open(&mut s, t, 99, "", 0, 0)), ENOENT);
    assert!(do_sys_open(&mut s, t, 99, "/tmp", 0, 0).is_ok());
    let neither = o(&mut s, t, "/etc/passwd", 3).unwrap();
    assert_eq!(stop_errno(r(&mut s, t, neither, 1).map(|_| 0)), EBADF);
    assert_eq!(stop_errno(w(&mut s, t, neither, b"x")), EBADF);
}

#[test]
fn names_come_and_go() {
    let (mut s, t) = sys();
    for path in ["/", "/tmp/.", "/tmp/..", "/tmp"] {
        assert_eq!(errno(do_mkdirat(&mut s, t, AT_FDCWD, path, 0o777)), EEXIST);
    }
    for (path, want) in [
        ("/", EISDIR),
        ("/tmp", EISDIR),
        ("/tmp/.", EISDIR),
        ("/tmp/", EISDIR),
        ("/etc/passwd/", ENOTDIR),
        ("/tmp/nope/", ENOENT),
    ] {
        assert_eq!(errno(do_unlinkat(&mut s, t, AT_FDCWD, path)), want, "{path}");
    }
    do_mkdirat(&mut s, t, AT_FDCWD, "/tmp/d/", 0o777).unwrap();
    ksys_chdir(&mut s, t, "/tmp/d").unwrap();
    assert_eq!(getcwd(&s, t).unwrap(), "/tmp/d");
    let inodes = s.kernel.inodes.len();
    let free = s.machine.mem.free_pages();
    let f = o(&mut s, t, "../f", CREAT | RDWR).unwrap();
    w(&mut s, t, f, &[7; 5000]).unwrap();
    do_unlinkat(&mut s, t, AT_FDCWD, "/tmp/./d/../f").unwrap();
    assert_eq!(errno(o(&mut s, t, "/tmp/f", RDONLY)), ENOENT);
    assert_eq!(ksys_lseek(&mut s, t, f, -2, 2).unwrap(), 4998);
    assert_eq!(r(&mut s, t, f, 100).unwrap(), [7, 7]);
    close_fd(&mut s, t, f).unwrap();
    assert_eq!((s.kernel.inodes.len(), s.machine.mem.free_pages()), (inodes, free));
}

#[test]
fn holes_read_as_zeros_and_truncation_forgets() {
    let (mut s, t) = sys();
    let f = o(&mut s, t, "/tmp/f", CREAT | RDWR).unwrap();
    ksys_lseek(&mut s, t, f, 10_000, 0).unwrap();
    assert_eq!(w(&mut s, t, f, b"end").unwrap(), 3);
    ksys_lseek(&mut s, t, f, 9_998, 0).unwrap();
    assert_eq!(r(&mut s, t, f, 10).unwrap(), b"\0\0end");
    let g = o(&mut s, t, "/tmp/f", WRONLY | TRUNC).unwrap();
    assert_eq!(r(&mut s, t, f, 10).unwrap(), b"");
    assert_eq!(ksys_write(&mut s, t, g, Source::Bytes(b"x"), At::Offset(3), &mut 0).unwrap(), 1);
    assert_eq!(ksys_lseek(&mut s, t, f, 0, 2).unwrap(), 4);
    assert_eq!(errno(ksys_lseek(&mut s, t, f, -1, 0)), EINVAL);
    assert_eq!(errno(ksys_lseek(&mut s, t, f, 0, 9)), EINVAL);
    let a = o(&mut s, t, "/tmp/f", WRONLY | APPEND).unwrap();
    assert_eq!(ksys_write(&mut s, t, a, Source::Bytes(b"y"), At::Offset(0), &mut 0).unwrap(), 1);
    assert_eq!(ksys_lseek(&mut s, t, f, 0, 2).unwrap(), 5);
}

#[test]
fn permissions_follow_the_file_system_ids() {
    let (mut s, t) = sys();
    o(&mut s, t, "/tmp/roots", CREAT).unwrap();
    task_umask(&mut s, t, 0o077);
    o(&mut s, t, "/tmp/private", CREAT).unwrap();
    become_user(&mut s, t);
    assert_eq!(errno(ksys_chdir(&mut s, t, "/root")), EACCES);
    assert_eq!(errno(o(&mut s, t, "/root/x", RDONLY)), EACCES);
    assert_eq!(errno(o(&mut s, t, "/etc/passwd", RDWR)), EACCES);
    assert_eq!(errno(o(&mut s, t, "/etc/new", CREAT)), EACCES);
    assert_eq!(errno(o(&mut s, t, "/tmp/private", RDONLY)), EACCES);
    assert!(o(&mut s, t, "/tmp/roots", RDONLY).is_ok());
    assert_eq!(errno(do_unlinkat(&mut s, t, AT_FDCWD, "/tmp/roots")), EPERM);
    assert_eq!(errno(attr::do_fchmodat(&mut s, t, AT_FDCWD, "/tmp/roots", 0o777)), EPERM);
    assert_eq!(errno(attr::do_fchownat(&mut s, t, AT_FDCWD, "/tmp/roots", (1000, 1000))), EPERM);
    assert_eq!(errno(ksys_chroot(&mut s, t, "/tmp")), EPERM);
    // Its own file without permission for the owner: the owner's bits count.
    let f = o(&mut s, t, "/home/user/mine", CREAT | RDWR).unwrap();
    attr::fchmod(&mut s, t, f, 0o077).unwrap();
    assert_eq!(errno(o(&mut s, t, "/home/user/mine", RDONLY)), EACCES);
    assert!(o(&mut s, t, "/home/user/excl", CREAT | EXCL | RDWR).is_ok());
}

fn task_umask(s: &mut System, t: TaskId, mask: u32) {
    fs_struct::sys_umask(s, t, mask).unwrap();
}

#[test]
fn access_asks_for_the_real_ids() {
    let (mut s, t) = sys();
    let free = s.kernel.creds.len();
    assert_eq!(do_faccessat(&mut s, t, AT_FDCWD, "/root", 7), Ok(()));
    assert_eq!(errno(do_faccessat(&mut s, t, AT_FDCWD, "/root", 8)), EINVAL);
    assert_eq!(errno(do_faccessat(&mut s, t, AT_FDCWD, "/root/x", 0)), ENOENT);
    let id = s.task(t).cred;
    s.kernel.creds[id].uid = 1000;
    assert_eq!(errno(do_faccessat(&mut s, t, AT_FDCWD, "/root", 1)), EACCES);
    assert_eq!(do_faccessat(&mut s, t, AT_FDCWD, "/etc/passwd", 4), Ok(()));
    assert!(o(&mut s, t, "/root", RDONLY).is_ok());
    assert_eq!((s.task(t).cred, s.kernel.creds.len()), (id, free));
}

#[test]
fn giving_a_file_away_takes_the_set_id_bits() {
    let (mut s, t) = sys();
    let f = o(&mut s, t, "/tmp/p", CREAT | RDWR).unwrap();
    let mode = |s: &System| {
        let FileKind::Inode(i) = s.kernel.filps[fget(s, t, f).unwrap()].kind else { panic!() };
        s.kernel.inodes[i].st_mode()
    };
    attr::fchmod(&mut s, t, f, 0o6755).unwrap();
    w(&mut s, t, f, b"x").unwrap();
    assert_eq!(mode(&s), 0o106755, "root has CAP_FSETID");
    attr::fchown(&mut s, t, f, (u32::MAX, u32::MAX)).unwrap();
    assert_eq!(mode(&s), 0o100755);
    attr::fchmod(&mut s, t, f, 0o6744).unwrap();
    attr::fchown(&mut s, t, f, (0, 0)).unwrap();
    assert_eq!(mode(&s), 0o102744);
    attr::fchmod(&mut s, t, f, 0o6777).unwrap();
    attr::fchown(&mut s, t, f, (1000, 1000)).unwrap();
    attr::fchmod(&mut s, t, f, 0o6777).unwrap();
    become_user(&mut s, t);
    w(&mut s, t, f, b"x").unwrap();
    assert_eq!(mode(&s), 0o100777);
}

#[test]
fn chroot_is_a_floor_only_for_those_inside() {
    let (mut s, t) = sys();
    ksys_chroot(&mut s, t, "/home/user").unwrap();
    assert_eq!(getcwd(&s, t).unwrap(), "(unreachable)/");
    assert!(o(&mut s, t, "etc/passwd", RDONLY).is_ok(), "pwd is still outside");
    ksys_chdir(&mut s, t, "/").unwrap();
    assert_eq!(getcwd(&s, t).unwrap(), "/");
    assert_eq!(errno(o(&mut s, t, "../../etc/passwd", RDONLY)), ENOENT);
    do_mkdirat(&mut s, t, AT_FDCWD, "/jail", 0o755).unwrap();
    ksys_chroot(&mut s, t, "/jail").unwrap();
    // The classical way out: stay outside of the inner root and go up.
    ksys_chdir(&mut s, t, "../../../..").unwrap();
    ksys_chroot(&mut s, t, ".").unwrap();
    assert!(o(&mut s, t, "/etc/passwd", RDONLY).is_ok());
}

#[test]
fn devices_answer_as_linux_does() {
    let (mut s, t) = sys();
    let null = o(&mut s, t, "/dev/null", RDWR).unwrap();
    let zero = o(&mut s, t, "/dev/zero", RDWR).unwrap();
    assert_eq!(r(&mut s, t, null, 9).unwrap(), b"");
    assert_eq!(r(&mut s, t, zero, 9).unwrap(), [0; 9]);
    assert_eq!(w(&mut s, t, zero, b"abc").unwrap(), 3);
    assert_eq!(ksys_lseek(&mut s, t, zero, -1, 0).unwrap(), 0);
    let console = o(&mut s, t, "/dev/console", RDWR).unwrap();
    assert_eq!(errno(ksys_lseek(&mut s, t, console, 0, 0)), ESPIPE);
    w(&mut s, t, console, b"hello").unwrap();
    assert!(s.kernel.console.ends_with(b"hello"));
    let dir = o(&mut s, t, "/tmp", RDONLY).unwrap();
    assert_eq!(stop_errno(r(&mut s, t, dir, 1).map(|_| 0)), EISDIR);
    assert_eq!(ksys_lseek(&mut s, t, dir, 5, 0).unwrap(), 5);
}

/// Byte for byte the run of a C program on Linux 6.18.
#[test]
fn a_pipe_is_bounded_by_slots_not_bytes() {
    let (mut s, t) = sys();
    let nonblock = OpenFlags::O_NONBLOCK.bits();
    let (rd, wr) = do_pipe2(&mut s, t, nonblock).unwrap();
    assert_eq!(dup::do_fcntl(&mut s, t, wr, 3, 0).unwrap(), 0o4001);
    assert_eq!(stop_errno(r(&mut s, t, rd, 1).map(|_| 0)), EAGAIN);
    assert_eq!(r(&mut s, t, rd, 0).unwrap(), b"");
    assert_eq!(w(&mut s, t, wr, &[1; 70000]).unwrap(), 65536);
    assert_eq!(stop_errno(w(&mut s, t, wr, b"x")), EAGAIN);
    assert_eq!(r(&mut s, t, rd, 1).unwrap().len(), 1);
    assert_eq!(stop_errno(w(&mut s, t, wr, b"x")), EAGAIN, "the slot is still taken");
    assert_eq!(r(&mut s, t, rd, 4094).unwrap().len(), 4094);
    assert_eq!(stop_errno(w(&mut s, t, wr, b"x")), EAGAIN);
    assert_eq!(r(&mut s, t, rd, 1).unwrap().len(), 1);
    assert_eq!(w(&mut s, t, wr, b"x").unwrap(), 1);
    assert_eq!(w(&mut s, t, wr, &[2; 4095]).unwrap(), 4095, "it joins the last slot");
    assert_eq!(stop_errno(w(&mut s, t, wr, b"x")), EAGAIN);

    let (_, wr) = do_pipe2(&mut s, t, nonblock).unwrap();
    for _ in 0..16 {
        assert_eq!(w(&mut s, t, wr, &[3; 4095]).unwrap(), 4095);
    }
    assert_eq!(stop_errno(w(&mut s, t, wr, &[3; 4095])), EAGAIN);
    assert_eq!(stop_errno(w(&mut s, t, wr, &[3; 10])), EAGAIN);
    assert_eq!(w(&mut s, t, wr, b"x").unwrap(), 1);

    let (_, wr) = do_pipe2(&mut s, t, nonblock).unwrap();
    w(&mut s, t, wr, &[4; 10]).unwrap();
    assert_eq!(w(&mut s, t, wr, &[4; 65536]).unwrap(), 61440);
}

#[test]
fn a_big_write_sleeps_with_its_progress_noted() {
    let (mut s, t) = sys();
    let (rd, wr) = do_pipe2(&mut s, t, 0).unwrap();
    let data: Vec<u8> = (0..150_000u32).map(|i| i as u8).collect();
    let mut note = 0;
    let mut got = Vec::new();
    loop {
        match ksys_write(&mut s, t, wr, Source::Bytes(&data), At::Pos, &mut note) {
            Ok(n) => {
                assert_eq!(n, 150_000);
                break;
            }
            Err(Stop::Block(_)) => {
                // A spurious wake-up changes nothing.
                let before = (s.clone(), note);
                let again = ksys_write(&mut s, t, wr, Source::Bytes(&data), At::Pos, &mut note);
                assert!(matches!(again, Err(Stop::Block(_))));
                assert_eq!((s.clone(), note), before);
                got.extend(r(&mut s, t, rd, 10_000).unwrap());
            }
            other => panic!("{other:?}"),
        }
    }
    close_fd(&mut s, t, wr).unwrap();
    loop {
        let part = r(&mut s, t, rd, 1 << 16).unwrap();
        if part.is_empty() {
            break;
        }
        got.extend(part);
    }
    assert_eq!(got, data);
}

#[test]
fn a_pipe_without_readers_breaks() {
    let (mut s, t) = sys();
    let pipes = s.kernel.pipes.len();
    let (rd, wr) = do_pipe2(&mut s, t, 0).unwrap();
    assert!(matches!(r(&mut s, t, rd, 1), Err(Stop::Block(_))));
    close_fd(&mut s, t, rd).unwrap();
    assert_eq!(w(&mut s, t, wr, b"").unwrap(), 0);
    assert_eq!(stop_errno(w(&mut s, t, wr, b"x")), EPIPE);
    close_fd(&mut s, t, wr).unwrap();
    assert_eq!(s.kernel.pipes.len(), pipes);
    assert_eq!(errno(do_pipe2(&mut s, t, 0o200)), ENOPKG);
    assert_eq!(errno(do_pipe2(&mut s, t, 0o100)), EINVAL);
    let _ = Signal::SIGPIPE;
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

#[test]
fn shared_memory_is_a_file_without_a_name() {
    let (mut s, _) = sys();
    let inodes = s.kernel.inodes.len();
    let f = shmem_file_setup(&mut s, 8192).unwrap();
    assert_eq!(&*s.kernel.filps[f].path, "/dev/zero (deleted)");
    assert_eq!(s.kernel.inodes.len(), inodes + 1);
    file::fput(&mut s, f);
    assert_eq!(s.kernel.inodes.len(), inodes);
}
