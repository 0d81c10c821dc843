//! Names, permissions, owners, roots.

use super::*;

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
    assert_eq!(errno(attr::do_fchmodat(&mut s, t, AT_FDCWD, "/tmp/roots", 0o777, 0)), EPERM);
    assert_eq!(errno(attr::do_fchownat(&mut s, t, AT_FDCWD, "/tmp/roots", (1000, 1000), 0)), EPERM);
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
    assert_eq!(do_faccessat(&mut s, t, AT_FDCWD, "/root", 7, 0), Ok(()));
    assert_eq!(errno(do_faccessat(&mut s, t, AT_FDCWD, "/root", 8, 0)), EINVAL);
    assert_eq!(errno(do_faccessat(&mut s, t, AT_FDCWD, "/root/x", 0, 0)), ENOENT);
    let id = s.task(t).cred;
    s.kernel.creds[id].uid = 1000;
    assert_eq!(errno(do_faccessat(&mut s, t, AT_FDCWD, "/root", 1, 0)), EACCES);
    assert_eq!(do_faccessat(&mut s, t, AT_FDCWD, "/etc/passwd", 4, 0), Ok(()));
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
