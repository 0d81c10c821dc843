//! What execve has found out before it changes anything: which program, with
//! which strings. Any error up to here leaves the caller as it was.
//!
//! Linux: fs/exec.c (alloc_bprm, do_open_execat, bprm_stack_limits,
//! exec_binprm), fs/binfmt_script.c (load_script), include/linux/binfmts.h.
//! Left out: formats other than ELF, programs given as data and scripts;
//! binfmt_misc.

use super::super::file_io::read_inode_pages;
use super::super::inode::{Image, InodeKind};
use super::super::namei::{AT_FDCWD, filename_lookup, getname};
use super::super::perm::{MAY_EXEC, inode_permission};
use super::super::{File, FileKind, InodeId};
use super::elf::{ELFMAG, Elf, load_elf};
use crate::abi::Errno;
use crate::abi::numbers::RLIMIT_STACK;
use crate::base::text;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::traced;
use std::sync::Arc;

/// How much of a file says what kind it is (`BINPRM_BUF_SIZE`).
const BINPRM_BUF_SIZE: usize = 256;
/// Longest single argument in bytes, its NUL included.
pub const MAX_ARG_STRLEN: usize = 32 * 4096;
/// Arguments and environment always have this much room.
const ARG_MAX: u64 = 131_072;
/// The default stack limit, three quarters of which bound the arguments.
const _STK_LIM: u64 = 8 << 20;
/// No stack limit gives arguments more room than this.
pub const MAX_ARG_BYTES: u64 = _STK_LIM / 4 * 3;
/// A script may name a script may name a script: so many times.
const MAX_DEPTH: u32 = 5;

/// What execve makes a process of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// Segments given as sizes.
    Image(Arc<Image>),
    /// An ELF file.
    Elf(Box<Elf>),
}

/// `struct linux_binprm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinuxBinprm {
    /// The path as the caller gave it; names the task and AT_EXECFN.
    pub filename: String,
    /// The file that the caller named, program or script, and its absolute name.
    pub opened: (InodeId, Arc<str>),
    /// The program, or the interpreter of the script.
    pub inode: InodeId,
    /// Its absolute name (`mm->exe_file`).
    pub path: Arc<str>,
    /// What is in it.
    pub program: Program,
    /// Arguments, those of interpreters included.
    pub argv: Vec<String>,
    /// Environment.
    pub envp: Vec<String>,
}

/// Opens what is to be executed (`do_open_execat`).
///
/// # Errors
/// Those of the walk; EACCES: no regular file, or not executable; ETXTBSY:
/// somebody could write it.
pub fn do_open_execat(
    sys: &mut System,
    task: TaskId,
    name: &str,
) -> Result<(InodeId, Arc<str>), SysError> {
    let name = getname(name)?;
    let path = filename_lookup(sys, task, AT_FDCWD, name)?;
    let (inode, name) = (path.inode(), path.name());
    if !sys.kernel.inodes[inode].is_reg() {
        let why = format!("{name} is no regular file, so it cannot be executed");
        return Err(SysError::with(Errno::EACCES, "may_open", why));
    }
    inode_permission(sys, task, inode, MAY_EXEC, &name)?;
    // exe_file_deny_write_access
    let writes = |f: &File| f.kind == FileKind::Inode(inode) && f.may_write();
    if sys.kernel.filps.iter().any(|(_, f)| writes(f)) {
        let why = format!("{name} is open for writing");
        return Err(SysError::with(Errno::ETXTBSY, "do_open_execat", why));
    }
    Ok((inode, name))
}

/// What a call that goes on after a sleep had opened.
fn opened_before(sys: &System, task: TaskId) -> Option<(InodeId, Arc<str>)> {
    let file = sys.kernel.filps.get(sys.task(task).resume.as_ref()?.file?)?;
    match file.kind {
        FileKind::Inode(inode) => Some((inode, Arc::clone(&file.path))),
        _ => None,
    }
}

/// What the bytes after `#!` say: interpreter and its one optional argument.
/// `None` when they name none that can be told.
fn parse_script(buf: &[u8; BINPRM_BUF_SIZE]) -> Option<(String, Option<String>)> {
    let space = |b: &u8| *b == b' ' || *b == b'\t';
    let line = &buf[2..];
    let end = match line.iter().position(|b| *b == b'\n') {
        Some(end) => end,
        None => {
            // No newline: the name must still end inside the buffer, else it
            // might be cut and mean another file.
            let first = line.iter().position(|b| !space(b))?;
            line[first..].iter().position(|b| space(b) || *b == 0)?;
            line.len()
        }
    };
    let line = &line[..end];
    let line = &line[..line.iter().rposition(|b| !space(b)).map_or(0, |i| i + 1)];
    let line = &line[line.iter().position(|b| !space(b))?..];
    let name_end = line.iter().position(|b| space(b) || *b == 0).unwrap_or(line.len());
    let text = text::decode;
    let (name, rest) = line.split_at(name_end);
    let arg = match rest.first() {
        Some(0) | None => None,
        Some(_) => {
            let rest = &rest[rest.iter().position(|b| !space(b)).unwrap_or(rest.len())..];
            let rest = &rest[..rest.iter().position(|b| *b == 0).unwrap_or(rest.len())];
            (!rest.is_empty()).then(|| text(rest))
        }
    };
    Some((text(name), arg))
}

/// Checks the strings against the limits (`bprm_stack_limits`, `copy_strings`).
///
/// # Errors
/// E2BIG.
fn check_strings(
    sys: &System,
    task: TaskId,
    filename: &str,
    argv: &[String],
    envp: &[String],
) -> Result<(), SysError> {
    let stack = match sys.task(task).signal {
        Some(s) => sys.kernel.signals[s].rlim[RLIMIT_STACK as usize].cur,
        None => _STK_LIM,
    };
    let limit = MAX_ARG_BYTES.min(stack / 4).max(ARG_MAX);
    let all = || argv.iter().chain(envp);
    if let Some(s) = all().find(|s| text::len(s) >= MAX_ARG_STRLEN) {
        let why = format!("a string of {} bytes; one has at most 131071", text::len(s));
        return Err(SysError::with(Errno::E2BIG, "copy_strings", why));
    }
    let pointers = 8 * (argv.len().max(1) + envp.len()) as u64;
    // The path lies on the new stack too.
    let strings: u64 =
        all().map(|s| text::len(s) as u64 + 1).sum::<u64>() + text::len(filename) as u64 + 1;
    let total = pointers.saturating_add(strings);
    if total > limit || strings > stack {
        let why = format!(
            "arguments, environment and path need {total} bytes; a quarter of RLIMIT_STACK, and no less than 128 KiB, is {limit}"
        );
        return Err(SysError::with(Errno::E2BIG, "bprm_stack_limits", why));
    }
    Ok(())
}

/// Finds the program behind `filename` and its final arguments, following
/// `#!` lines.
///
/// # Errors
/// ENOENT, ENOTDIR, EACCES, ENAMETOOLONG of the path; E2BIG; ENOEXEC: neither
/// a program nor a script; ELOOP: more than five scripts in a row.
pub fn prepare(
    sys: &mut System,
    task: TaskId,
    filename: &str,
    argv: &[String],
    envp: &[String],
) -> Result<LinuxBinprm, SysError> {
    let opened = match opened_before(sys, task) {
        Some(opened) => opened,
        None => do_open_execat(sys, task, filename)?,
    };
    let (mut inode, mut path) = opened.clone();
    check_strings(sys, task, filename, argv, envp)?;
    let mut argv = argv.to_vec();
    if argv.is_empty() {
        // Since 5.18 a program always finds argv[0], if only an empty one.
        argv.push(String::new());
    }
    let mut interp = filename.to_string();
    for depth in 0.. {
        if depth > MAX_DEPTH {
            let why = "more than five scripts that are each other's interpreter";
            return refuse(Errno::ELOOP, "exec_binprm", why);
        }
        let (name, arg) = match search_binary_handler(sys, task, inode, &path)? {
            Binary::Program(program) => {
                let (filename, envp) = (filename.to_string(), envp.to_vec());
                return Ok(LinuxBinprm { filename, opened, inode, path, program, argv, envp });
            }
            Binary::Script(name, arg) => (name, arg),
        };
        argv.splice(..1, [Some(name.clone()), arg, Some(interp)].into_iter().flatten());
        check_strings(sys, task, filename, &argv, envp)?;
        if name.is_empty() {
            let why = "the interpreter's name is empty, which names the working directory";
            return refuse(Errno::EACCES, "may_open", why);
        }
        (inode, path) = do_open_execat(sys, task, &name)?;
        interp = name;
    }
    refuse(Errno::ELOOP, "exec_binprm", "too many interpreters")
}

/// What a file turns out to be.
enum Binary {
    Program(Program),
    /// Interpreter, and its argument.
    Script(String, Option<String>),
}

/// Finds the format of a file by its first bytes.
fn search_binary_handler(
    sys: &mut System,
    task: TaskId,
    inode: InodeId,
    path: &str,
) -> Result<Binary, SysError> {
    if let InodeKind::Image(image) = &sys.kernel.inodes[inode].kind
        && image.interpreter.is_none()
    {
        return Ok(Binary::Program(Program::Image(Arc::clone(image))));
    }
    let mut buf = [0; BINPRM_BUF_SIZE];
    read_inode_pages(sys, inode, 0, &mut buf)?;
    if buf.starts_with(ELFMAG) {
        let elf = traced!(sys, load_elf(task, inode))?;
        return Ok(Binary::Program(Program::Elf(Box::new(elf))));
    }
    let found = if buf.starts_with(b"#!") { parse_script(&buf) } else { None };
    let (name, arg) = found.ok_or_else(|| {
        let why = format!(
            "{path} is neither a program image, nor an ELF file, nor a script that begins with #! and an interpreter"
        );
        SysError::with(Errno::ENOEXEC, "search_binary_handler", why)
    })?;
    Ok(Binary::Script(name, arg))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::OpenFlags;
    use crate::kernel::boot::{BootConfig, boot};
    use crate::kernel::fs::attr::fchmod;
    use crate::kernel::fs::fdtable::close_fd;
    use crate::kernel::fs::open::do_sys_open;
    use crate::kernel::fs::rw::{At, ksys_write};
    use crate::kernel::fs::uio::Source;

    fn parse(text: &str) -> Option<(String, Option<String>)> {
        let mut buf = [0; BINPRM_BUF_SIZE];
        let n = text.len().min(BINPRM_BUF_SIZE);
        buf[..n].copy_from_slice(&text.as_bytes()[..n]);
        parse_script(&buf)
    }

    fn script(s: &mut System, t: TaskId, path: &str, text: &str, mode: u32) {
        let flags = OpenFlags::O_CREAT | OpenFlags::O_RDWR;
        let fd = do_sys_open(s, t, AT_FDCWD, path, flags.bits(), 0o666).unwrap();
        let from = Source::Bytes(text.as_bytes());
        ksys_write(s, t, fd, from, At::Pos, &mut 0).unwrap();
        fchmod(s, t, fd, mode).unwrap();
        close_fd(s, t, fd).unwrap();
    }

    fn exec(s: &mut System, t: TaskId, path: &str) -> Result<Vec<String>, Errno> {
        let argv = ["zero".to_string(), "A1".to_string()];
        let before = s.clone();
        let result = prepare(s, t, path, &argv, &[]).map(|b| b.argv).map_err(|e| e.errno);
        assert_eq!(*s, before);
        result
    }

    /// The answers of a C program on a 6.18 kernel.
    #[test]
    fn what_can_be_executed_and_with_which_arguments() {
        let mut s = boot(&BootConfig::default()).unwrap();
        let t = s.kernel.init_process;
        script(&mut s, t, "/tmp/empty", "", 0o755);
        script(&mut s, t, "/tmp/noexec", "#!/bin/sh\n", 0o644);
        script(&mut s, t, "/tmp/junk", "hello\n", 0o755);
        script(&mut s, t, "/tmp/noint", "#!/nope\n", 0o755);
        script(&mut s, t, "/tmp/noxint", "#!/tmp/noexec\n", 0o755);
        script(&mut s, t, "/tmp/none", "#!", 0o755);
        script(&mut s, t, "/tmp/s1", "#!/bin/sh x1\n", 0o755);
        for i in 2..8 {
            let text = format!("#!/tmp/s{} x{i}\n", i - 1);
            script(&mut s, t, &format!("/tmp/s{i}"), &text, 0o755);
        }
        for (path, errno) in [
            ("/tmp/empty", Errno::ENOEXEC),
            ("/tmp/noexec", Errno::EACCES),
            ("/tmp/junk", Errno::ENOEXEC),
            ("/tmp/noint", Errno::ENOENT),
            ("/tmp/noxint", Errno::EACCES),
            ("/tmp/none", Errno::EACCES),
            ("/tmp/s6", Errno::ELOOP),
            ("/tmp/s7", Errno::ELOOP),
            ("", Errno::ENOENT),
            ("/tmp", Errno::EACCES),
            ("/dev/null", Errno::EACCES),
            ("/bin/true/", Errno::ENOTDIR),
            ("/bin/true/x", Errno::ENOTDIR),
            ("/tmp/nope", Errno::ENOENT),
        ] {
            assert_eq!(exec(&mut s, t, path), Err(errno), "{path}");
        }
        let args = |list: &[&str]| Ok(list.iter().map(ToString::to_string).collect());
        assert_eq!(exec(&mut s, t, "/bin/true"), args(&["zero", "A1"]));
        assert_eq!(exec(&mut s, t, "/tmp/s1"), args(&["/bin/sh", "x1", "/tmp/s1", "A1"]));
        assert_eq!(
            exec(&mut s, t, "/tmp/s2"),
            args(&["/bin/sh", "x1", "/tmp/s1", "x2", "/tmp/s2", "A1"])
        );
        assert!(exec(&mut s, t, "/tmp/s5").is_ok());
        assert_eq!(prepare(&mut s, t, "/bin/true", &[], &[]).unwrap().argv, [""]);
    }

    #[test]
    fn strings_are_bounded() {
        let mut s = boot(&BootConfig::default()).unwrap();
        let t = s.kernel.init_process;
        let run = |s: &mut System, argv: &[String]| {
            prepare(s, t, "/bin/true", argv, &[]).map(|_| ()).map_err(|e| e.errno)
        };
        assert_eq!(run(&mut s, &["a".repeat(131_071)]), Ok(()));
        assert_eq!(run(&mut s, &["a".repeat(131_072)]), Err(Errno::E2BIG));
        // A quarter of 8 MiB, with pointers, NULs and "/bin/true": to the byte.
        let mut many = vec!["a".repeat(1015); 2047];
        many.push("a".repeat(1005));
        assert_eq!(run(&mut s, &many), Ok(()));
        many[0].push('a');
        assert_eq!(run(&mut s, &many), Err(Errno::E2BIG));
    }

    /// Each line was tried on a 6.18 kernel.
    #[test]
    fn interpreter_lines_are_read_as_linux_reads_them() {
        let name = |s: &str| Some((s.to_string(), None));
        assert_eq!(parse("#!/bin/sh\n"), name("/bin/sh"));
        assert_eq!(parse("#! \t/bin/sh"), name("/bin/sh"));
        assert_eq!(parse("#!/x  a b  \n"), Some(("/x".into(), Some("a b".into()))));
        assert_eq!(parse("#!\n"), None);
        assert_eq!(parse("#!   \n"), None);
        // Nothing at all, and no newline either: an empty name.
        assert_eq!(parse("#!"), name(""));
        assert_eq!(parse("#!  "), name(""));
        let long = format!("#!/{}", "a".repeat(400));
        assert_eq!(parse(&long), None);
        let cut_by_space = format!("#!/aaa{}", " ".repeat(400));
        assert_eq!(parse(&cut_by_space), name("/aaa"));
    }
}
