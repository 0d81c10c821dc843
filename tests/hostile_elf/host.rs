//! What the running kernel makes of a file.
//!
//! Linux: fs/exec.c, fs/binfmt_elf.c. Left out: what a program does once it runs
//! longer than a moment; core files.

use crate::kit::machine_code::End;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Whether there is a kernel to ask.
pub fn is_there() -> bool {
    cfg!(all(target_os = "linux", target_arch = "x86_64"))
}

/// Executes the file in the folder.
pub fn run(folder: &Path, image: &[u8]) -> End {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::ExitStatusExt as _;
    let path = folder.join("program");
    let _ = fs::remove_file(&path);
    fs::write(&path, image).expect("room");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    let mut child = loop {
        let mut command = Command::new(&path);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match command.current_dir(folder).env_clear().spawn() {
            Ok(child) => break child,
            // Another thread has forked while the file was written.
            Err(e) if e.kind() == ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(e) => return End::Refused(e.raw_os_error().expect("execve's")),
        }
    };
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("our child") {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(2) {
            let _ = child.kill();
            let _ = child.wait();
            return End::Limit;
        }
        std::thread::sleep(Duration::from_micros(100));
    };
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exit(code as u8),
        (None, Some(signal)) => End::Signal(signal),
        (None, None) => End::Idle,
    }
}
