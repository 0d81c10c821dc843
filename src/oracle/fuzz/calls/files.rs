//! Descriptors, pipes and files below /tmp.
//!
//! Left out: reads that wait.

use super::{Around, call, tried};
use crate::oracle::fuzz::features::Feature;
use crate::oracle::fuzz::program::{Call, Form};

const FDS: &[&str] = &["f0", "f0", "f1", "p0[0]", "p0[1]", "3", "4", "99", "-1"];
const PATHS: &[&str] = &[
    "\"/tmp/a\"",
    "\"/tmp/a\"",
    "\"/tmp/b\"",
    "\"/tmp\"",
    "\"/tmp/d/x\"",
    "\"a\"",
    "\"\"",
    "\"/nowhere\"",
    "\"/tmp/a/b\"",
    "\"/tmp/\"",
    "\"..\"",
    "\"/dev/null\"",
    "\"/dev/zero\"",
];
const OPEN: &[&str] = &[
    "O_RDONLY",
    "O_RDWR",
    "O_RDWR | O_CREAT",
    "O_RDWR | O_CREAT",
    "O_RDWR | O_CREAT | O_EXCL",
    "O_WRONLY | O_CREAT | O_TRUNC",
    "O_RDWR | O_CREAT | O_APPEND",
    "O_RDONLY | O_DIRECTORY",
    "O_RDWR | O_CLOEXEC",
];

/// Descriptors and files.
pub(super) fn file(a: &mut Around) -> Call {
    match a.below(29) {
        0..=3 => {
            let variable = if a.rarely(3) { "f1" } else { "f0" };
            // f1 is no device: those are the host's own.
            let paths = if variable == "f1" { &PATHS[..11] } else { PATHS };
            let (path, flags) = (a.pick(paths), a.pick(OPEN));
            if a.rarely(3) {
                return call(
                    Form::Let(variable),
                    "open",
                    [path, flags, a.pick(&["0o600", "0", "0o777", "0o4755"])],
                );
            }
            call(Form::Let(variable), "open", [path, flags])
        }
        4 | 5 => tried("close", [a.pick(FDS)]),
        6 | 7 => {
            // A pipe without anything in it must not be waited for.
            call(
                Form::Let("p0"),
                "pipe2",
                [a.pick(&["O_NONBLOCK", "O_NONBLOCK | O_CLOEXEC", "64"])],
            )
        }
        8..=10 => {
            let data = a.pick(&["\"hello\"", "\"x\"", "\"\"", "\"0123456789\""]);
            tried("write", [a.pick(FDS), data])
        }
        11..=13 => {
            let n = a.pick(&["1", "3", "100", "0"]);
            tried("read", [a.pick(&["f0", "f0", "f1", "p0[0]", "p0[1]", "99"]), n])
        }
        14 => tried("dup", [a.pick(FDS)]),
        15 => {
            let (fd, to) = (a.pick(FDS), a.pick(&["5", "6", "3", "f0", "-1", "70000"]));
            tried("dup2", [fd, to])
        }
        16 => {
            let (fd, to) = (a.pick(FDS), a.pick(&["5", "6", "f0", "-1"]));
            tried("dup3", [fd, to, a.pick(&["0", "O_CLOEXEC", "64"])])
        }
        17 => tried("fcntl", [a.pick(FDS), a.pick(&["F_GETFD", "F_GETFL"])]),
        18 => tried(
            "fcntl",
            [
                a.pick(FDS),
                a.pick(&["F_SETFD", "F_DUPFD", "F_DUPFD_CLOEXEC"]),
                a.pick(&["0", "1", "7"]),
            ],
        ),
        19 | 20 => {
            // Descriptor 0 is another file on the host; see the variations.
            let fd = Some(a.pick(FDS)).filter(|fd| *fd != "0").unwrap_or("1");
            let at = a.pick(&["0", "2", "-1", "100"]);
            tried("lseek", [fd, at, a.pick(&["SEEK_SET", "SEEK_CUR", "SEEK_END", "9"])])
        }
        21 => tried("unlink", [a.pick(&PATHS[..11])]),
        22 => tried("chdir", [a.pick(PATHS)]),
        23 if a.has(Feature::Directories) => match a.below(5) {
            0 => tried(
                "mkdir",
                [
                    a.pick(&["\"/tmp/d\"", "\"d\"", "\"/tmp/a/d\"", "\"/tmp\""]),
                    a.pick(&["0o755", "0o700", "0"]),
                ],
            ),
            1 => tried("chmod", [a.pick(&PATHS[..11]), a.pick(&["0o600", "0", "0o777"])]),
            2 => tried("getcwd", []),
            3 => tried("truncate", [a.pick(PATHS), a.pick(&["0", "3", "5000", "-1"])]),
            _ => tried("access", [a.pick(PATHS), a.pick(&["0", "2", "4", "6", "8"])]),
        },
        24 if a.has(Feature::FileIo) => match a.below(4) {
            0 => tried("pread", [a.pick(FDS), "4", a.pick(&["0", "2", "-1", "100"])]),
            1 => tried("pwrite", [a.pick(FDS), "\"abc\"", a.pick(&["0", "2", "-1", "9"])]),
            2 => tried("ftruncate", [a.pick(FDS), a.pick(&["0", "3", "-1"])]),
            _ => tried("fchmod", [a.pick(&["f1", "f1", "99"]), a.pick(&["0o600", "0"])]),
        },
        25 if a.has(Feature::CloseRange) => tried(
            "close_range",
            [
                a.pick(&["3", "4", "9"]),
                a.pick(&["3", "6", "2", "-1"]),
                a.pick(&["0", "4", "1", "CLOSE_RANGE_UNSHARE"]),
            ],
        ),
        26 if a.has(Feature::MapFiles) => {
            let flags = a.pick(&["MAP_PRIVATE", "MAP_SHARED"]);
            let map = format!(
                "#{{len: 4096, prot: {}, flags: {flags}, fd: {}}}",
                a.pick(&["PROT_READ", "PROT_READ | PROT_WRITE"]),
                a.pick(&["f0", "f0", "f1", "99"])
            );
            a.pages[2] = 0;
            call(Form::Let("m2"), "mmap_with", [&map])
        }
        27 => {
            let fds = format!(
                "[[{}, {}], {}]",
                a.pick(FDS),
                a.pick(&["POLLIN", "POLLOUT", "POLLIN | POLLOUT", "0", "POLLNVAL", "0xffff"]),
                a.pick(FDS)
            );
            if a.rarely(3) {
                let mask = a.pick(&["()", "[]", "[SIGUSR1]"]);
                return tried("ppoll", [&fds, a.pick(&["0", "1000000", "-1"]), mask]);
            }
            tried("poll", [&fds, a.pick(&["0", "0", "2"])])
        }
        _ => tried("fcntl", [a.pick(FDS), "F_GETFD"]),
    }
}
