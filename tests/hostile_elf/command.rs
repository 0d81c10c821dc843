//! The same through `forkyard exec`: exit codes as a shell gives them, a message,
//! never a panic; and the host's memory has a bound.

use crate::kit::elf::{Asm, DATA, R};
use crate::programs::{exec_loop, fork_bomb, fork_until_refused, sigreturn_loop};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Most address space that the command may use, in KiB: several times what it
/// needs, and much less than what these programs ask for.
const KIB: u64 = 4 << 20;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn put(&self, image: &[u8]) -> PathBuf {
        let path = self.0.path().join("program");
        std::fs::write(&path, image).expect("room");
        path
    }

    fn command(&self, args: &[&str], image: &[u8]) -> Command {
        let mut command = Command::new("sh");
        let limited = format!("ulimit -v {KIB}; exec \"$@\"");
        command.args(["-c", &limited, "sh", env!("CARGO_BIN_EXE_forkyard"), "exec"]);
        command.args(args).arg(self.put(image)).stdin(Stdio::null());
        command
    }
}

/// Exit code and standard error.
fn exec(args: &[&str], image: &[u8]) -> (Option<i32>, String) {
    let output = Folder::new().command(args, image).output().expect("it starts");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!err.contains("panicked"), "{err}");
    (output.status.code(), err)
}

#[test]
fn the_limit_is_said() {
    let mut a = Asm::new();
    let here = a.mark();
    a.jmp(here);
    for image in [a.elf(), sigreturn_loop().elf(), fork_bomb().elf()] {
        let (code, err) = exec(&["--ram", "16M", "--limit", "5000"], &image);
        assert_eq!(code, Some(124), "{err}");
        assert!(err.contains("stopped after 5000 instructions"), "{err}");
    }
    let (code, err) = exec(&["--ram", "16M", "--limit", "400"], &exec_loop());
    assert_eq!(code, Some(124), "{err}");
}

#[test]
fn the_end_is_passed_on_as_a_shell_does() {
    let mut jump = Asm::new();
    jump.mov(R::Ax, 1 << 63).raw(&[0xff, 0xe0]);
    let (code, err) = exec(&[], &jump.elf());
    assert_eq!(code, Some(128 + 11), "{err}");
    assert!(err.contains("SIGSEGV"), "{err}");
    // An entry that execve finds out beyond the point of no return.
    let mut image = jump.elf();
    image[24..32].copy_from_slice(&u64::MAX.to_le_bytes());
    let (code, err) = exec(&[], &image);
    assert_eq!(code, Some(128 + 11), "{err}");
    let (code, err) = exec(&[], &image[..100]);
    assert_eq!(code, Some(126), "{err}");
    assert!(err.contains("ENOEXEC"), "{err}");
    let (code, err) = exec(&["--ram", "16M"], &fork_until_refused().elf());
    assert_eq!(code, Some(11), "{err}");
}

#[test]
fn memory_without_end_is_killed() {
    let mut a = Asm::new();
    let (mapped, touch) = (a.mark(), a.label());
    a.sys(9, &[0, 1 << 20, 3, 0x22, u64::MAX, 0]).mov(R::Cx, 256);
    a.place(touch).raw(&[0x48, 0x89, 0x08]).add(R::Ax, 4096).raw(&[0x48, 0xff, 0xc9]);
    a.jne(touch).jmp(mapped);
    let (code, err) = exec(&["--ram", "64M"], &a.elf());
    assert_eq!(code, Some(128 + 9), "{err}");
}

/// write(1, DATA, 4096), for ever: the reader has gone, and SIGPIPE ends it.
#[test]
fn output_that_nobody_reads() {
    let mut a = Asm::new();
    let again = a.mark();
    a.sys(1, &[1, DATA, 4096]).jmp(again);
    let folder = Folder::new();
    let mut command = folder.command(&["--limit", "50000000"], &a.elf());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut some = [0; 100];
    child.stdout.take().expect("piped").read_exact(&mut some).expect("output");
    let mut err = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(128 + 13), "{err}");
    assert!(!err.contains("panicked"), "{err}");
}

/// With SIGPIPE ignored, it is EPIPE that ends it.
#[test]
fn output_that_nobody_reads_gives_epipe() {
    const EPIPE: i32 = 32;
    let mut a = Asm::new();
    let refused = a.label();
    a.mov(R::Cx, 1).store(DATA, R::Cx).sys(13, &[13, DATA, 0, 8]);
    let again = a.mark();
    a.sys(1, &[1, DATA, 4096]).test().js(refused).jmp(again);
    a.place(refused).exit_errno();
    let folder = Folder::new();
    let mut command = folder.command(&["--limit", "50000000"], &a.elf());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(EPIPE));
}
