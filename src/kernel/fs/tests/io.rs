//! Reading and writing: holes, devices, pipes.

use super::*;

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
fn shared_memory_is_a_file_without_a_name() {
    let (mut s, _) = sys();
    let inodes = s.kernel.inodes.len();
    let f = shmem_file_setup(&mut s, 8192).unwrap();
    assert_eq!(&*s.kernel.filps[f].path, "/dev/zero (deleted)");
    assert_eq!(s.kernel.inodes.len(), inodes + 1);
    file::fput(&mut s, f);
    assert_eq!(s.kernel.inodes.len(), inodes);
}
