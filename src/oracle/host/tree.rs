//! The files that a program on the host finds: those of the model's root, on
//! file systems in memory.
//!
//! ```text
//! /  /tmp /home /etc …     can be written to, and nothing there be executed
//! /bin /sbin /usr/bin      can be executed, and not be written to
//! ```
//!
//! Left out: /proc and /sys. /dev/pts has a name more than the model's: ptmx.

use std::collections::BTreeSet;

use super::sandbox::Arg::{self, B, N, Z};
use super::sandbox::{Sandbox, WARDEN};
use super::stub;
use crate::kernel::fs::rootfs;
use crate::oracle::Refused;
use libc::c_long;

/// Programs that are always there.
const PROGRAMS: [&str; 6] = ["true", "false", "sleep", "cat", "sh", "su"];

impl Sandbox {
    fn mount(
        &self,
        from: &str,
        to: &str,
        kind: &str,
        flags: u64,
        data: &str,
    ) -> Result<(), Refused> {
        let what = format!("mount {to}");
        let args = [Z(from), Z(to), Z(kind), N(flags), Z(data)];
        self.must(&what, WARDEN, libc::SYS_mount, &args).map(|_| ())
    }

    /// The files that there are: those of the model's root that a program can
    /// use, on fresh file systems. Nothing that a program can write to can be
    /// executed.
    pub(super) fn tree(&mut self) -> Result<(), Refused> {
        const NEW: &str = "/tmp";
        let at = |path: &str| format!("{NEW}{path}");
        let must = |what: &str, nr: c_long, args: &[Arg]| self.must(what, WARDEN, nr, args);
        self.mount("none", "/", "", libc::MS_REC | libc::MS_PRIVATE, "")?;
        let plain = libc::MS_NODEV | libc::MS_NOEXEC;
        self.mount("forkyard", NEW, "tmpfs", plain, "size=16m,mode=755")?;
        let dir = |path: &str, mode: u64| {
            let path = at(path);
            must("mkdir", libc::SYS_mkdir, &[Z(&path), N(mode)])?;
            must("chmod", libc::SYS_chmod, &[Z(&path), N(mode)])
        };
        for (path, mode) in [
            ("/sbin", 0o755),
            ("/bin", 0o755),
            ("/usr", 0o755),
            ("/usr/bin", 0o755),
            ("/dev", 0o755),
            ("/etc", 0o755),
            ("/tmp", 0o1777),
            ("/root", 0o700),
            ("/home", 0o755),
            ("/home/user", 0o755),
            ("/old", 0o700),
        ] {
            dir(path, mode)?;
        }
        let user = u64::from(rootfs::USER_UID);
        // Not permitted where one id only is mapped.
        let _ = self.call(WARDEN, libc::SYS_chown, &[Z(&at("/home/user")), N(user), N(user)])?;
        for (device, from) in
            [("/dev/null", "/dev/null"), ("/dev/zero", "/dev/zero"), ("/dev/console", "/dev/null")]
        {
            self.file(&at(device), b"", 0o644)?;
            self.mount(from, &at(device), "", libc::MS_BIND, "")?;
        }
        self.terminals(NEW)?;
        self.file(&at("/etc/passwd"), rootfs::PASSWD.as_bytes(), 0o644)?;
        // Programs have a file system of their own, which can only be read.
        self.mount("programs", &at("/old"), "tmpfs", libc::MS_NODEV, "size=16m,mode=755")?;
        for place in ["/bin", "/sbin", "/usr/bin"] {
            let own = place.trim_start_matches('/').replace('/', "-");
            let own = format!("/old/{own}");
            dir(&own, 0o755)?;
            self.mount(&at(&own), &at(place), "", libc::MS_BIND, "")?;
        }
        for name in PROGRAMS {
            let mode = if name == "su" { 0o4755 } else { 0o755 };
            self.program(NEW, &format!("/bin/{name}"), mode)?;
        }
        self.program(NEW, "/usr/bin/passwd", 0o4755)?;
        self.program(NEW, "/sbin/init", 0o755)?;
        for place in ["/sbin", "/usr/bin"] {
            self.read_only(&at(place), true)?;
        }
        must("umount", libc::SYS_umount2, &[Z(&at("/old")), N(libc::MNT_DETACH as u64)])?;
        must("pivot_root", libc::SYS_pivot_root, &[Z(NEW), Z(&at("/old"))])?;
        must("chdir", libc::SYS_chdir, &[Z("/")])?;
        must("umount", libc::SYS_umount2, &[Z("/old"), N(libc::MNT_DETACH as u64)])?;
        must("rmdir", libc::SYS_rmdir, &[Z("/old")])?;
        self.installed.clear();
        Ok(())
    }

    /// Pseudo terminals of the sandbox's own: the host's are not to be seen.
    fn terminals(&self, root: &str) -> Result<(), Refused> {
        let at = |path: &str| format!("{root}{path}");
        self.file(&at("/dev/tty"), b"", 0o644)?;
        self.mount("/dev/tty", &at("/dev/tty"), "", libc::MS_BIND, "")?;
        self.must("mkdir", WARDEN, libc::SYS_mkdir, &[Z(&at("/dev/pts")), N(0o755)])?;
        let flags = libc::MS_NOSUID | libc::MS_NOEXEC;
        let mode = "newinstance,ptmxmode=0666,mode=0620";
        self.mount("terminals", &at("/dev/pts"), "devpts", flags, mode)?;
        self.file(&at("/dev/ptmx"), b"", 0o644)?;
        self.mount(&at("/dev/pts/ptmx"), &at("/dev/ptmx"), "", libc::MS_BIND, "")
    }

    fn read_only(&self, place: &str, yes: bool) -> Result<(), Refused> {
        let flags = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_NODEV;
        let flags = if yes { flags | libc::MS_RDONLY } else { flags };
        self.mount("none", place, "", flags, "")
    }

    fn file(&self, path: &str, bytes: &[u8], mode: u64) -> Result<(), Refused> {
        let flags = (libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY | libc::O_CLOEXEC) as u64;
        let args = [Z(path), N(flags), N(mode)];
        let fd = self.must(path, WARDEN, libc::SYS_open, &args)? as u64;
        if !bytes.is_empty() {
            self.must(path, WARDEN, libc::SYS_write, &[N(fd), B(bytes), N(bytes.len() as u64)])?;
        }
        self.must(path, WARDEN, libc::SYS_fchmod, &[N(fd), N(mode)])?;
        self.must(path, WARDEN, libc::SYS_close, &[N(fd)]).map(|_| ())
    }

    fn program(&self, root: &str, path: &str, mode: u64) -> Result<(), Refused> {
        self.file(&format!("{root}{path}"), &stub::image(path, self.vdso), mode)
    }

    /// Makes functions executable files: /bin/NAME, and those of before no
    /// more. A name that is there already stays the file that it is.
    pub(super) fn install(&mut self, functions: &BTreeSet<String>) -> Result<(), Refused> {
        let names = functions.iter().filter(|name| !PROGRAMS.contains(&name.as_str()));
        let names: BTreeSet<String> = names.cloned().collect();
        if names == self.installed {
            return Ok(());
        }
        self.read_only("/bin", false)?;
        for old in self.installed.difference(&names) {
            self.must(old, WARDEN, libc::SYS_unlink, &[Z(&format!("/bin/{old}"))])?;
        }
        for new in names.difference(&self.installed) {
            self.program("", &format!("/bin/{new}"), 0o755)?;
        }
        self.read_only("/bin", true)?;
        self.installed = names;
        Ok(())
    }
}
