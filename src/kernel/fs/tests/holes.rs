//! Data and holes, room in pipes, and directories that change while they are read.

use super::*;
use crate::kernel::fs::create::do_mkdirat;
use crate::kernel::fs::fallocate::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, vfs_fallocate};
use crate::kernel::fs::readdir::{Format, entries, getdents};
use crate::kernel::fs::remove::{do_rmdir, do_unlinkat};

const DATA: u32 = 3;
const HOLE: u32 = 4;

#[test]
fn seek_data_and_seek_hole_find_pages() {
    let (mut s, t) = sys();
    let f = o(&mut s, t, "/tmp/f", CREAT | RDWR).unwrap();
    assert_eq!(errno(ksys_lseek(&mut s, t, f, 0, HOLE)), ENXIO, "an empty file has no offset 0");
    for (page, byte) in [(2, b"a"), (3, b"b"), (6, b"c")] {
        let at = At::Offset(page * 4096 + 5);
        ksys_write(&mut s, t, f, Source::Bytes(byte), at, &mut 0).unwrap();
    }
    let end = 6 * 4096 + 6;
    for (from, data, hole) in [
        (0, Ok(8192), 0),
        (8192, Ok(8192), 16384),
        (8200, Ok(8200), 16384),
        (16384, Ok(24576), 16384),
        (24577, Ok(24577), end),
        (end - 1, Ok(end - 1), end),
    ] {
        let found = ksys_lseek(&mut s, t, f, from, DATA).map_err(|e| e.errno);
        assert_eq!(found, data, "data from {from}");
        assert_eq!(ksys_lseek(&mut s, t, f, from, HOLE).unwrap(), hole, "hole from {from}");
    }
    assert_eq!(errno(ksys_lseek(&mut s, t, f, end, DATA)), ENXIO);
    assert_eq!(errno(ksys_lseek(&mut s, t, f, -1, HOLE)), ENXIO);

    let punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    vfs_fallocate(&mut s, t, f, punch, (3 * 4096 - 10, 4096 + 20)).unwrap();
    assert_eq!(ksys_lseek(&mut s, t, f, 8192, HOLE).unwrap(), 12288);
    // Pages that are asked for are no data until they are written.
    vfs_fallocate(&mut s, t, f, FALLOC_FL_KEEP_SIZE, (0, 4096)).unwrap();
    assert_eq!(ksys_lseek(&mut s, t, f, 0, DATA).unwrap(), 8192);
    ksys_write(&mut s, t, f, Source::Bytes(b"x"), At::Offset(9), &mut 0).unwrap();
    assert_eq!(ksys_lseek(&mut s, t, f, 5, DATA).unwrap(), 5);
    assert_eq!(errno(vfs_fallocate(&mut s, t, f, FALLOC_FL_PUNCH_HOLE, (0, 1))), EOPNOTSUPP);
    assert_eq!(crate::kernel::check::invariants(&s), Ok(()));
}

#[test]
fn a_pipe_is_as_large_as_it_is_made() {
    let (mut s, t) = sys();
    let (rd, wr) = do_pipe2(&mut s, t, OpenFlags::O_NONBLOCK.bits()).unwrap();
    let set = |s: &mut System, to: u64| dup::do_fcntl(s, t, wr, 1031, to);
    assert_eq!(set(&mut s, 5000).unwrap(), 8192);
    assert_eq!(w(&mut s, t, wr, &[1; 20000]).unwrap(), 8192);
    assert_eq!(errno(set(&mut s, 1)), EBUSY);
    assert_eq!(errno(set(&mut s, 1 << 31 | 1)), EINVAL);
    r(&mut s, t, rd, 4096).unwrap();
    assert_eq!(set(&mut s, 0).unwrap(), 4096);
    assert_eq!(dup::do_fcntl(&mut s, t, rd, 1032, 0).unwrap(), 4096);
    become_user(&mut s, t);
    assert_eq!(set(&mut s, 1 << 20).unwrap(), 1 << 20);
    assert_eq!(errno(set(&mut s, 1 << 21)), EPERM);
}

#[test]
fn a_directory_is_emptied_while_it_is_read() {
    let (mut s, t) = sys();
    do_mkdirat(&mut s, t, AT_FDCWD, "/tmp/d", 0o755).unwrap();
    for i in 0..20 {
        o(&mut s, t, &format!("/tmp/d/{i}"), CREAT | RDWR).unwrap();
    }
    let d = o(&mut s, t, "/tmp/d", DIRECTORY).unwrap();
    let mut seen = Vec::new();
    loop {
        let bytes = getdents(&mut s, t, d, None, 100, Format::Dirent64).unwrap();
        if bytes.is_empty() {
            break;
        }
        for entry in entries(&bytes) {
            do_unlinkat(&mut s, t, AT_FDCWD, &format!("/tmp/d/{}", entry.name)).unwrap();
            seen.push(entry.name);
        }
    }
    assert_eq!(seen, (0..20).map(|i| i.to_string()).collect::<Vec<_>>());
    // Who works in a directory that is removed is nowhere.
    ksys_chdir(&mut s, t, "/tmp/d").unwrap();
    do_rmdir(&mut s, t, AT_FDCWD, "/tmp/d").unwrap();
    assert_eq!(errno(getcwd(&s, t)), ENOENT);
    do_mkdirat(&mut s, t, AT_FDCWD, "/tmp/d", 0o755).unwrap();
    assert_eq!(errno(getcwd(&s, t)), ENOENT, "another directory has the name");
}

#[test]
fn names_are_bytes() {
    let (mut s, t) = sys();
    let name = crate::base::text::decode(b"/tmp/\xff\xc3");
    o(&mut s, t, &name, CREAT | RDWR).unwrap();
    let d = o(&mut s, t, "/tmp", DIRECTORY).unwrap();
    let bytes = getdents(&mut s, t, d, None, 4096, Format::Dirent64).unwrap();
    assert!(bytes.windows(3).any(|w| w == b"\xff\xc3\0"));
    assert_eq!(entries(&bytes).last().unwrap().name, name["/tmp/".len()..]);
}
