//! The running kernel, asked through `tests/host/clone_probe.c`.

use super::request::{Request, flag, questions};
use super::rules::Caller;
use super::{Answer, NOBODY};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A host whose kernel has been found fit to be asked.
pub struct Host {
    probe: PathBuf,
    /// Major and minor version.
    release: (u32, u32),
}

impl Host {
    /// Finds out whether this host can be asked, and compiles the probe.
    ///
    /// Everything that makes a kernel refuse for reasons outside the rule table
    /// is looked for here, and only here; the README lists the reasons.
    pub fn find() -> Result<Self, String> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err("not an x86_64 Linux".into());
        }
        let status = fs::read_to_string("/proc/self/status").map_err(|e| e.to_string())?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim).unwrap_or_default().to_string()
        };
        if field("Uid:").split_whitespace().any(|id| id != "0") {
            return Err("not root".into());
        }
        let effective = u64::from_str_radix(&field("CapEff:"), 16).unwrap_or(0);
        const SETGID_SETUID_ADMIN: u64 = 1 << 6 | 1 << 7 | 1 << 21;
        if effective & SETGID_SETUID_ADMIN != SETGID_SETUID_ADMIN {
            return Err("root without CAP_SETGID, CAP_SETUID and CAP_SYS_ADMIN".into());
        }
        if !matches!(field("Seccomp:").as_str(), "" | "0") {
            return Err("a seccomp filter may answer for the kernel".into());
        }
        let identity = |path: &str| {
            use std::os::unix::fs::MetadataExt as _;
            fs::metadata(path).map(|m| (m.dev(), m.ino()))
        };
        // Not readable where init has capabilities that we lack: then hope.
        if let (Ok(ours), Ok(inits)) = (identity("/"), identity("/proc/1/root/"))
            && ours != inits
        {
            return Err("in a chroot NEWUSER is EPERM".into());
        }
        for kind in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] {
            let path = format!("/proc/sys/user/max_{kind}_namespaces");
            let limit = fs::read_to_string(&path).unwrap_or_default();
            // Namespaces die in the background: many may be half dead.
            if limit.trim().parse::<u64>().unwrap_or(0) < 4096 {
                return Err(format!("{path} is too low, or no such namespaces"));
            }
        }
        for path in ["unprivileged_userns_clone", "apparmor_restrict_unprivileged_userns"] {
            let wanted = if path.starts_with("app") { "0" } else { "1" };
            match fs::read_to_string(format!("/proc/sys/kernel/{path}")) {
                Ok(value) if value.trim() != wanted => {
                    return Err(format!("kernel.{path} denies NEWUSER to users"));
                }
                _ => {}
            }
        }
        let release =
            fs::read_to_string("/proc/sys/kernel/osrelease").map_err(|e| e.to_string())?;
        let mut numbers = release.split(['.', '-']).map_while(|part| part.parse().ok());
        let release = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if release < (6, 0) {
            return Err(format!("Linux {}.{}: the rules are those of 6.x", release.0, release.1));
        }
        Ok(Self { probe: compile_probe()?, release })
    }

    /// The host, or the reason there is none, found once for all tests.
    ///
    /// # Panics
    ///
    /// Where there is none, on Linux, with `CI=true`: a test that never runs
    /// tests nothing.
    pub fn get() -> Option<&'static Self> {
        static HOST: OnceLock<Result<Host, String>> = OnceLock::new();
        match HOST.get_or_init(Self::find) {
            Ok(host) => Some(host),
            Err(why) => {
                let ci = std::env::var("CI").is_ok_and(|value| value == "true");
                assert!(!(ci && cfg!(target_os = "linux")), "the kernel cannot be asked: {why}");
                eprintln!("skipped: {why}");
                None
            }
        }
    }

    /// Later kernels may give meaning to bits that have none in 6.18.
    pub fn may_be_asked(&self, request: &Request) -> bool {
        self.release <= (6, 18) || request.flags & !flag::KNOWN == 0
    }

    /// What the kernel answers to each of `requests`.
    pub fn ask(&self, requests: &[Request], options: &[&str]) -> Vec<Answer> {
        let mut probe = Command::new(&self.probe)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("clone_probe starts");
        // The probe reads everything before it answers anything.
        let lines: String = requests.iter().map(Request::line).collect();
        let mut stdin = probe.stdin.take().expect("piped");
        stdin.write_all(lines.as_bytes()).expect("clone_probe reads");
        drop(stdin);
        let output = probe.wait_with_output().expect("clone_probe ends");
        assert!(output.status.success(), "clone_probe: {}", output.status);

        let answers: Vec<Answer> = String::from_utf8(output.stdout)
            .expect("errno names")
            .lines()
            .map(|line| if line == "ok" { Ok(()) } else { Err(line.to_string()) })
            .collect();
        assert_eq!(answers.len(), requests.len(), "one answer a request");
        answers
    }

    /// The expected table: every question with the kernel's answer.
    pub fn table(&self, who: Caller) -> Vec<(Request, Answer)> {
        let mut requests = questions();
        requests.retain(|request| self.may_be_asked(request));
        let options: &[&str] = match who {
            Caller::Root => &[],
            Caller::Nobody => &["--uid", NOBODY],
        };
        let answers = self.ask(&requests, options);
        requests.into_iter().zip(answers).collect()
    }
}

/// Compiles `clone_probe.c` with the system's compiler.
pub fn compile_probe() -> Result<PathBuf, String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/host/clone_probe.c");
    let probe = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("clone_probe");
    let output = Command::new("cc")
        .args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&probe)
        .arg(source)
        .output()
        .map_err(|e| format!("no C compiler: {e}"))?;
    // A compiler that is there must accept our program.
    assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
    Ok(probe)
}
