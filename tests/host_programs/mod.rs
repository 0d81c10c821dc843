//! Programs of this computer as tests run them: with an end, and with a view to
//! comparing what two of them did.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::fmt::Write;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than this no program runs.
const MOST: Duration = Duration::from_secs(60);

/// What a program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// What it wrote to standard output.
    pub out: Vec<u8>,
    /// What it wrote to standard error.
    pub err: Vec<u8>,
    /// Its exit code, or 128 and the signal that killed it, as shells say.
    pub status: i32,
}

/// Runs a program in a process group of its own, without input, its output in
/// files that begin with `files`.
///
/// # Errors
/// It does not end; its group is killed then.
pub fn run(command: &mut Command, files: &Path) -> Result<Ran, String> {
    let (out, err) = (files.with_extension("out"), files.with_extension("err"));
    command.stdin(Stdio::null()).process_group(0);
    command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    // What a shell starts in the background ignores some signals, and so would
    // what it starts.
    let usual = || {
        for sig in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGPIPE] {
            // SAFETY: signal(2) may be called between fork and exec, and this
            // process has no handler that the child would share.
            unsafe { libc::signal(sig, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only.
    unsafe { command.pre_exec(usual) };
    let mut child = command.spawn().map_err(|e| format!("{command:?}: {e}"))?;
    let end = Instant::now() + MOST;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > end {
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let Some(status) = status else {
        let group = format!("-{}", child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = child.kill();
        let _ = child.wait();
        let so_far = String::from_utf8_lossy(&fs::read(&out).unwrap()).into_owned();
        return Err(format!("{command:?} has not ended after {MOST:?}; so far:\n{so_far}"));
    };
    let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(Ran { out: fs::read(out).unwrap(), err: fs::read(err).unwrap(), status })
}

/// What is different between a native run and an emulated one.
///
/// # Errors
/// Output or status are, with the lines and with what the emulated one complained.
pub fn difference(native: &Ran, emulated: &Ran) -> Result<(), String> {
    if native.out == emulated.out && native.status == emulated.status {
        return Ok(());
    }
    let lines = |ran: &Ran| -> Vec<String> {
        let text = String::from_utf8_lossy(&ran.out).into_owned();
        text.split('\n').map(str::to_string).collect()
    };
    let (natives, emulateds) = (lines(native), lines(emulated));
    let mut text = format!("status {} natively, {} emulated\n", native.status, emulated.status);
    let mut shown = 0;
    for i in 0..natives.len().max(emulateds.len()) {
        let (a, b) = (natives.get(i), emulateds.get(i));
        if a != b && shown < 8 {
            shown += 1;
            let of = |line: Option<&String>| line.map_or("(no line)".to_string(), Clone::clone);
            let _ =
                writeln!(text, "line {}: native:   {}\n         emulated: {}", i + 1, of(a), of(b));
        }
    }
    let err = String::from_utf8_lossy(&emulated.err);
    let _ = write!(text, "{}", err.lines().take(8).collect::<Vec<_>>().join("\n"));
    Err(text)
}

/// A busybox that needs no libraries.
pub fn busybox() -> Option<&'static Path> {
    ["/bin/busybox", "/usr/bin/busybox", "/bin/busybox-static"].iter().map(Path::new).find(|path| {
        // A program that needs some names who loads them.
        fs::read(path).is_ok_and(|bytes| !bytes.windows(9).any(|w| w == b"/ld-linux"))
    })
}
