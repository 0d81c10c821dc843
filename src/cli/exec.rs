//! `forkyard exec`: a program of machine code on the emulated processor, with
//! this process's standard streams.
//!
//! ```text
//! PROG (and DIR) -> the machine's tree     copied before anything runs
//! CodeRun::next  -> event                  -> strace's lines
//!   stdout, stderr  after every event
//!   stdin           read when somebody waits for it
//! the end: status of PROG, once its output has no writer any more
//! ```
//!
//! Nothing is written to the host but the two output streams.
//!
//! Left out: a terminal: the program sees pipes.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

use super::args::{ErrorFormat, Exec};
use super::console::Console;
use super::gdb::{self, GdbError};
use super::{FAILED, INTERRUPTED, USAGE, interrupt};
use crate::kernel::fs::rootfs;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::report::strace::{TraceOptions, Tracer};
use crate::script::diagnostic::Report;
use crate::session::code::{CodeEvent, CodeRun};
use crate::session::spawn::{Command, Spawned};
use crate::session::{Session, Trouble};

/// RAM without `--ram`.
const RAM: u64 = 1 << 30;
/// Most bytes that `--root` copies.
const MOST_COPIED: u64 = 512 << 20;
/// What a shell gives a command that cannot be executed, and one that is not
/// there.
const CANNOT_EXECUTE: u8 = 126;
const NOT_FOUND: u8 = 127;
/// What timeout(1) gives.
const OUT_OF_LIMIT: u8 = 124;
/// Bytes read from standard input at once.
const CHUNK: usize = 16 << 10;

/// Runs what the arguments say and gives the exit code.
pub fn run(args: &Exec, console: &Console) -> u8 {
    let code = match start(args) {
        Ok((mut session, spawned, command)) => {
            follow(args, console, &mut session, spawned, &command)
        }
        Err((code, report)) => {
            console.report(&report, ErrorFormat::Human);
            code
        }
    };
    console.close(code)
}

type Refused = (u8, Box<Report>);

fn refused(code: u8, message: String) -> Refused {
    (code, Box::new(Report::error("forkyard::exec", message)))
}

/// A machine with the files, and the program at its first instruction.
fn start(args: &Exec) -> Result<(Session, Spawned, Command), Refused> {
    let mut machine = args.boot.machine();
    machine.ram.get_or_insert(RAM);
    let mut session = Session::boot(machine.config()).map_err(|e| {
        let report = Report::error("forkyard::boot", e.to_string());
        (USAGE, Box::new(report.help("give it more memory: `--ram 64M`")))
    })?;
    let sys = &mut session.system;
    let in_tree = |e: Trouble| refused(USAGE, format!("the files do not fit: {e}"));
    rootfs::add_etc(sys).map_err(|e| in_tree(e.into()))?;
    let path = match &args.root {
        Some(root) => {
            let mut left = MOST_COPIED;
            copy_tree(sys, root, "", &mut left)?;
            args.program.to_string_lossy().into_owned()
        }
        None => copy_program(sys, &args.program)?,
    };
    let argv0 = args.program.to_string_lossy().into_owned();
    let mut envp = vec![
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_string(),
        "HOME=/root".to_string(),
    ];
    for setting in &args.env {
        let name = setting.split('=').next().unwrap_or_default();
        envp.retain(|old| old.split('=').next() != Some(name));
        envp.push(setting.clone());
    }
    let argv = std::iter::once(argv0).chain(args.args.iter().cloned()).collect();
    let command = Command { path: path.clone(), argv, envp };
    let spawned = sys.spawn(&command).map_err(|e| {
        let code = if sys_is_absent(&e) { NOT_FOUND } else { CANNOT_EXECUTE };
        refused(code, format!("{path} cannot be executed: {e}"))
    })?;
    Ok((session, spawned, command))
}

fn sys_is_absent(e: &Trouble) -> bool {
    matches!(e, Trouble::Refused(e) if e.errno == crate::abi::Errno::ENOENT)
}

/// Puts the program where it is on the host; gives that path.
fn copy_program(
    sys: &mut crate::kernel::system::System,
    program: &Path,
) -> Result<String, Refused> {
    let cannot = |e: io::Error| {
        let code = if e.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { CANNOT_EXECUTE };
        refused(code, format!("cannot read `{}`: {e}", program.display()))
    };
    let bytes = std::fs::read(program).map_err(cannot)?;
    let real = std::fs::canonicalize(program).map_err(cannot)?;
    let Some(path) = real.to_str() else {
        return Err(refused(USAGE, format!("`{}` is not UTF-8", real.display())));
    };
    // What the machine makes up itself cannot hold files.
    let inside = ["/proc", "/sys", "/dev"].iter().any(|d| path.starts_with(&format!("{d}/")));
    let path = if inside { format!("/tmp{path}") } else { path.to_string() };
    let mode = mode_of(&real) | 0o500;
    sys.install_file(&path, &bytes, mode)
        .map_err(|e| refused(USAGE, format!("{path} does not fit into the machine: {e}")))?;
    Ok(path)
}

#[cfg(unix)]
fn mode_of(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::symlink_metadata(path).map_or(0o755, |m| m.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode_of(_: &Path) -> u32 {
    0o755
}

/// Copies a folder of the host to `to` in the machine's tree. Symbolic links are
/// copied as such; devices, sockets and pipes are not.
fn copy_tree(
    sys: &mut crate::kernel::system::System,
    from: &Path,
    to: &str,
    left: &mut u64,
) -> Result<(), Refused> {
    let cannot = |path: &Path, e: io::Error| {
        refused(USAGE, format!("cannot read `{}`: {e}", path.display()))
    };
    let entries = std::fs::read_dir(from).map_err(|e| cannot(from, e))?;
    let mut paths: Vec<_> = entries
        .map(|e| e.map(|e| e.path()).map_err(|e| cannot(from, e)))
        .collect::<Result<_, _>>()?;
    // The host's order means nothing.
    paths.sort();
    for path in paths {
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
            return Err(refused(USAGE, format!("`{}` is not UTF-8", path.display())));
        };
        let place = format!("{to}/{name}");
        let kind = std::fs::symlink_metadata(&path).map_err(|e| cannot(&path, e))?;
        let done = if kind.is_symlink() {
            let target = std::fs::read_link(&path).map_err(|e| cannot(&path, e))?;
            sys.install_symlink(&place, &target.to_string_lossy())
        } else if kind.is_dir() {
            let made = sys.install_dir(&place, mode_of(&path));
            copy_tree(sys, &path, &place, left)?;
            made
        } else if kind.is_file() {
            *left = left.checked_sub(kind.len()).ok_or_else(|| {
                refused(USAGE, format!("--root holds more than {} MiB", MOST_COPIED >> 20))
            })?;
            let bytes = std::fs::read(&path).map_err(|e| cannot(&path, e))?;
            sys.install_file(&place, &bytes, mode_of(&path))
        } else {
            Ok(())
        };
        done.map_err(|e| refused(USAGE, format!("`{place}` does not fit: {e}")))?;
    }
    Ok(())
}

/// Where the bytes of the program go to and come from.
struct Host<'a> {
    console: &'a Console,
    spawned: Spawned,
    input: Vec<u8>,
    ended: bool,
}

impl Host<'_> {
    /// Passes on what was written.
    fn output(&mut self, sys: &mut System) -> Result<(), Trouble> {
        let out = self.spawned.streams.take_stdout(sys);
        let mut broken = false;
        if !out.is_empty() {
            let mut stdout = io::stdout().lock();
            broken = stdout.write_all(&out).and_then(|()| stdout.flush()).is_err();
        }
        let err = self.spawned.streams.take_stderr(sys);
        if !err.is_empty() {
            // There is nowhere to report that standard error is closed.
            let _ = io::stderr().lock().write_all(&err);
        }
        if broken {
            // As the program would find it out.
            self.spawned.streams.close_stdout(sys)?;
        }
        Ok(())
    }

    /// Reads standard input for those who wait for it. `false`: nobody does.
    fn input(&mut self, sys: &mut System) -> Result<bool, Trouble> {
        if !self.spawned.streams.wants_input(sys) {
            return Ok(false);
        }
        if self.input.is_empty() && !self.ended {
            let mut bytes = vec![0; CHUNK];
            let n = io::stdin().lock().read(&mut bytes).unwrap_or(0);
            bytes.truncate(n);
            self.ended = n == 0;
            self.input = bytes;
        }
        if self.input.is_empty() {
            self.spawned.streams.close_stdin(sys)?;
            return Ok(true);
        }
        let taken = self.spawned.streams.put_stdin(sys, &self.input);
        self.input.drain(..taken);
        Ok(true)
    }
}

fn follow(
    args: &Exec,
    console: &Console,
    session: &mut Session,
    spawned: Spawned,
    command: &Command,
) -> u8 {
    let task = spawned.task;
    let mut host = Host { console, spawned, input: Vec::new(), ended: false };
    match drive(args, &mut host, session, task, command) {
        Ok(code) => code,
        Err(trouble) => {
            let report = Report::error("forkyard::exec", trouble.to_string());
            console.report(&report, ErrorFormat::Human);
            FAILED
        }
    }
}

/// The exit code that a shell would give, once it is known.
fn status(session: &Session, task: TaskId) -> Option<u8> {
    let t = session.system.kernel.tasks.get(task)?;
    if !t.is_dead() {
        return None;
    }
    let code = t.exit_code;
    Some(if code & 0x7f == 0 { (code >> 8) as u8 } else { 128 + (code & 0x7f) as u8 })
}

/// What ends everything.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error(transparent)]
    Gdb(#[from] GdbError),
}

/// Lets gdb drive the program for as long as it likes.
fn debugged(
    args: &Exec,
    host: &mut Host<'_>,
    session: &mut Session,
    port: u16,
) -> Result<CodeRun, Failed> {
    let outside = match &args.root {
        Some(root) => root.join(args.program.strip_prefix("/").unwrap_or(&args.program)),
        None => args.program.clone(),
    };
    let path = std::fs::canonicalize(outside).ok().and_then(|p| p.to_str().map(str::to_string));
    let spawned = host.spawned.clone();
    let mut trouble = Ok(());
    let (_, run) = gdb::serve(&mut session.system, &spawned, port, path, |sys| {
        let passed = host.output(sys).and_then(|()| host.input(sys));
        if let (Err(e), Ok(())) = (passed, &trouble) {
            trouble = Err(e);
        }
    })?;
    trouble?;
    Ok(run)
}

fn drive(
    args: &Exec,
    host: &mut Host<'_>,
    session: &mut Session,
    task: TaskId,
    command: &Command,
) -> Result<u8, Failed> {
    let mut tracer = args.strace.then(|| Tracer::new(TraceOptions { explain: args.explain }));
    if let Some(tracer) = &mut tracer {
        tracer.begin(&mut session.system);
        host.console.note(&tracer.started(&session.system, task, command));
    }
    let mut run = match args.gdb {
        Some(port) => debugged(args, host, session, port)?,
        None => CodeRun::begin(&mut session.system),
    };
    // Not before: while gdb drives, Ctrl-C here is the end.
    let stop = interrupt::flag(host.console.out());
    let mut left = args.limit;
    let mut entered = 0;
    let mut code = None;
    let end = loop {
        if let Some(left) = left {
            run.slice = Some(left.max(1));
        }
        let event = run.next(&mut session.system)?;
        if let Some(tracer) = &mut tracer {
            for line in tracer.event(&mut session.system, &event) {
                host.console.note(&line);
            }
        }
        host.output(&mut session.system)?;
        match &event {
            CodeEvent::Fault(_, fault) if fault.killed && tracer.is_none() => {
                host.console.note(&format!("forkyard: {}: {}", fault.sig, fault.why));
            }
            CodeEvent::Idle if host.input(&mut session.system)? => {}
            CodeEvent::Idle => break code.or_else(|| status(session, task)),
            _ => {}
        }
        if code.is_none() {
            code = status(session, task);
        }
        // As somebody who reads its output to the end.
        if code.is_some() && !host.spawned.streams.is_written(&session.system) {
            break code;
        }
        if stop.load(Ordering::Relaxed) {
            break Some(INTERRUPTED);
        }
        if let Some(n) = &mut left {
            // SYSCALL and an instruction that faults count too: a program may consist
            // of nothing else.
            entered += u64::from(matches!(event, CodeEvent::Call(..) | CodeEvent::Fault(..)));
            let done = run.place().retired.saturating_add(entered);
            *n = args.limit.unwrap_or(0).saturating_sub(done);
            if *n == 0 {
                let limit = args.limit.unwrap_or(0);
                host.console.note(&format!("forkyard: stopped after {limit} instructions"));
                break Some(OUT_OF_LIMIT);
            }
        }
        if !matches!(event, CodeEvent::Ran(..)) {
            host.input(&mut session.system)?;
        }
    };
    host.output(&mut session.system)?;
    if let Some(tracer) = &mut tracer {
        for line in tracer.finish(&session.system) {
            host.console.note(&line);
        }
    }
    Ok(end.unwrap_or_else(|| {
        let message = "all processes sleep, and nothing will wake them";
        host.console.report(&Report::error("forkyard::exec", message), ErrorFormat::Human);
        FAILED
    }))
}
