//! Process 1 of the sandbox: makes it, starts the program, reaps, and says how
//! it ended.
//!
//! It has a user namespace in which it is root over nothing of the host's, a
//! mount namespace whose only files are a small tree in memory, and a pid
//! namespace: when it dies, the kernel kills everyone else in it. It dies with
//! the supervisor (PR_SET_PDEATHSIG).
//!
//! Left out: a network namespace (no call that is made could use one).

#![allow(unsafe_code, reason = "setting up namespaces")]

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use serde_json::json;

use super::memory::Memory;
use super::{Host, REPORTS, calls, signals, sys};
use crate::script::bind::program::Language;
use crate::script::diagnostic::Report;
use crate::session::program::Start;

/// Makes text of an error.
type Show<'s> = dyn Fn(&Report) -> String + 's;

/// What the supervisor has prepared.
pub(super) struct Setup<'s> {
    /// Where 1 and 2 of the program go.
    pub(super) output: RawFd,
    /// Where reports go.
    pub(super) reports: RawFd,
    /// A byte arrives when the user namespace has its ids; its end: the
    /// supervisor is gone.
    pub(super) life: RawFd,
    pub(super) tasks: u32,
    pub(super) language: &'s Language<'s>,
    pub(super) show: &'s Show<'s>,
}

/// How often the tasks are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// After how many looks without a change everyone sleeps for ever.
const LOOKS: u32 = 8;

fn check(what: &'static str, ret: i32) -> Result<(), String> {
    if ret >= 0 { Ok(()) } else { Err(format!("{what}: {}", io::Error::last_os_error())) }
}

fn io(what: &str) -> impl Fn(io::Error) -> String {
    move |e| format!("{what}: {e}")
}

/// The life of process 1.
pub(super) fn main(setup: &Setup) -> ! {
    let code = match prepare(setup) {
        Ok(()) => {
            start(setup);
            reap();
            0
        }
        Err(why) => {
            Host::tell(&json!({ "sandbox": why }));
            1
        }
    };
    calls::exit(code)
}

fn prepare(setup: &Setup) -> Result<(), String> {
    sys::begin();
    signals::reset_all();
    descriptors(setup)?;
    become_root(setup)?;
    let proc_is_there = tree()?;
    if !proc_is_there {
        Host::tell(&json!({ "no_proc": true }));
    }
    limits(setup)?;
    // SAFETY: none of these has an address.
    unsafe {
        check("setsid", libc::setsid())?;
        libc::umask(0o022);
    }
    // Task 2 of a Linux is kthreadd: the program's first process is 3 here too.
    let second = sys::fork();
    if second == 0 {
        calls::exit(0);
    }
    // SAFETY: no status is stored.
    check("wait", unsafe { libc::waitpid(second, std::ptr::null_mut(), 0) })
}

fn descriptors(setup: &Setup) -> Result<(), String> {
    // SAFETY: descriptors only; everything of the supervisor's is closed, and
    // nothing here uses it any more.
    unsafe {
        check("reports", libc::dup2(setup.reports, REPORTS))?;
        check("life", libc::dup2(setup.life, REPORTS + 1))?;
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        check("/dev/null", null)?;
        check("output", libc::dup2(setup.output, REPORTS + 2))?;
        libc::dup2(null, 0);
        libc::dup2(REPORTS + 2, 1);
        libc::dup2(REPORTS + 2, 2);
        libc::syscall(libc::SYS_close_range, 3, REPORTS - 1, 0);
        libc::syscall(libc::SYS_close_range, REPORTS + 2, u32::MAX, 0);
    }
    Ok(())
}

fn become_root(_: &Setup) -> Result<(), String> {
    let life = REPORTS + 1;
    let mut byte = 0u8;
    // SAFETY: one byte is read into a local; the rest are numbers.
    unsafe {
        if libc::read(life, (&raw mut byte).cast(), 1) != 1 {
            calls::exit(1);
        }
        // Not permitted where one id only is mapped: the groups stay.
        libc::setgroups(0, std::ptr::null());
        check("setresgid", libc::setresgid(0, 0, 0))?;
        check("setresuid", libc::setresuid(0, 0, 0))?;
        check("prctl", libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0))?;
        // Last: a change of ids clears it.
        check("prctl", libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0))?;
        // The supervisor may have died before that.
        let mut poll = libc::pollfd { fd: life, events: libc::POLLIN, revents: 0 };
        libc::poll(&raw mut poll, 1, 0);
        if poll.revents != 0 {
            calls::exit(1);
        }
        libc::close(life);
    }
    Ok(())
}

fn mount(from: &str, to: &str, kind: &str, flags: libc::c_ulong, data: &str) -> Result<(), String> {
    let text = |s: &str| CString::new(s).map_err(|e| e.to_string());
    let (from, at, kind, data) = (text(from)?, text(to)?, text(kind)?, text(data)?);
    // SAFETY: all are strings that end with a zero byte.
    let ret = unsafe {
        libc::mount(from.as_ptr(), at.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast())
    };
    if ret == 0 { Ok(()) } else { Err(format!("mount {to}: {}", io::Error::last_os_error())) }
}

/// The files that there are: those of the model's root that a program can use.
/// Whether /proc is among them.
fn tree() -> Result<bool, String> {
    mount("none", "/", "", libc::MS_REC | libc::MS_PRIVATE, "")?;
    mount("forkyard", "/tmp", "tmpfs", libc::MS_NOSUID | libc::MS_NODEV, "size=16m,mode=755")?;
    let at = |path: &str| format!("/tmp{path}");
    for (dir, mode) in [
        ("/tmp", 0o1777),
        ("/dev", 0o755),
        ("/etc", 0o755),
        ("/proc", 0o555),
        ("/root", 0o700),
        ("/home", 0o755),
        ("/home/user", 0o755),
        ("/old", 0o700),
    ] {
        fs::create_dir(at(dir)).map_err(io(dir))?;
        fs::set_permissions(at(dir), fs::Permissions::from_mode(mode)).map_err(io(dir))?;
    }
    for device in ["/dev/null", "/dev/zero"] {
        fs::write(at(device), "").map_err(io(device))?;
        mount(device, &at(device), "", libc::MS_BIND, "")?;
    }
    symlink("/dev/null", at("/dev/console")).map_err(io("/dev/console"))?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // Forbidden where parts of the host's own /proc are hidden.
    let proc_is_there = mount("proc", &at("/proc"), "proc", flags, "").is_ok();
    // SAFETY: the strings end with a zero byte.
    unsafe {
        let ret = libc::syscall(libc::SYS_pivot_root, c"/tmp".as_ptr(), c"/tmp/old".as_ptr());
        check("pivot_root", ret as i32)?;
        check("chdir", libc::chdir(c"/".as_ptr()))?;
        check("umount", libc::umount2(c"/old".as_ptr(), libc::MNT_DETACH))?;
    }
    fs::remove_dir("/old").map_err(io("/old"))?;
    Ok(proc_is_there)
}

fn limits(setup: &Setup) -> Result<(), String> {
    let set = |what, resource, n: u64| {
        let limit = libc::rlimit { rlim_cur: n, rlim_max: n };
        // SAFETY: the pointer is to a local.
        check(what, unsafe { libc::setrlimit(resource, &raw const limit) })
    };
    set("RLIMIT_NPROC", libc::RLIMIT_NPROC, u64::from(setup.tasks))?;
    // With 1 no core is written, to a file or to a program.
    set("RLIMIT_CORE", libc::RLIMIT_CORE, 1)?;
    set("RLIMIT_NOFILE", libc::RLIMIT_NOFILE, REPORTS as u64 + 8)
}

/// Starts the first process of the program.
fn start(setup: &Setup) {
    if sys::fork() != 0 {
        return;
    }
    // SAFETY: the process never returns from here, so what the supervisor's
    // thread had on its stack stays where it is in this copy of it.
    let language: &'static Language<'static> =
        unsafe { std::mem::transmute::<&Language<'_>, &'static Language<'static>>(setup.language) };
    // SAFETY: as above.
    let show: &'static Show =
        unsafe { std::mem::transmute::<&Show<'_>, &'static Show>(setup.show) };
    let memory = match Memory::new() {
        Ok(memory) => memory,
        Err(e) => Host::unsupported(&format!("a data segment ({})", e.name())),
    };
    let host = std::rc::Rc::new(Host { memory, language, show });
    let runner = host.clone();
    signals::set_runner(Box::new(move |function, sig| runner.handle(function, sig)));
    language.live(host.clone());
    host.run(&Start::new(crate::script::bind::program::MAIN))
}

/// Waits for everyone, and ends when all have ended or nobody can go on.
fn reap() {
    let mut first = None;
    let mut status_of_first = None;
    let (mut before, mut same) = (Vec::new(), 0);
    loop {
        loop {
            let mut status = 0;
            // SAFETY: the pointer is to a local.
            let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
            if pid < 0 {
                Host::tell(&json!({ "end": "finished", "status": status_of_first }));
                return;
            }
            if pid == 0 {
                break;
            }
            // The first after pid 2 is the program's first process.
            if pid == *first.get_or_insert(3) {
                status_of_first = Some(status);
            }
        }
        wait_for_child();
        let now = tasks();
        let asleep = !now.is_empty() && now.iter().all(|t| t.sleeps);
        same = if asleep && now == before { same + 1 } else { 0 };
        before = now;
        if same >= LOOKS {
            let words: Vec<String> = before.iter().map(|t| t.words.clone()).collect();
            Host::tell(&json!({ "end": "stuck", "status": status_of_first, "stuck": words }));
            return;
        }
    }
}

fn wait_for_child() {
    let set: u64 = 1 << (libc::SIGCHLD - 1);
    let time = libc::timespec { tv_sec: 0, tv_nsec: LOOK.as_nanos() as i64 };
    let args = [(&raw const set).addr() as u64, 0, (&raw const time).addr() as u64, 8, 0, 0];
    // SAFETY: the pointers are to locals of the kernel's layout. SIGCHLD is
    // blocked, so it waits for us here.
    unsafe { sys::raw(libc::SYS_rt_sigtimedwait as u32, args) };
}

/// A task, as far as it matters whether it can still move.
#[derive(PartialEq, Eq)]
struct Seen {
    words: String,
    sleeps: bool,
    switches: String,
}

/// All tasks but ourselves; none without /proc.
fn tasks() -> Vec<Seen> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let mut pids: Vec<i32> = pids.filter(|pid| *pid > 1).collect();
    pids.sort_unstable();
    pids.into_iter().filter_map(look).collect()
}

fn look(pid: i32) -> Option<Seen> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.to_string())
    };
    let state = field("State:")?;
    let switches = format!("{:?} {:?}", field("voluntary_ctxt"), field("nonvoluntary_ctxt"));
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let mut words = call.split_whitespace();
    let number: Option<u64> = words.next().and_then(|n| n.parse().ok());
    let name = number.and_then(crate::abi::nr::syscall_name);
    // Whoever writes much waits for the supervisor, which reads.
    let writes = name == Some("write") && matches!(words.next(), Some("0x1" | "0x2"));
    let place = name.map_or(String::new(), |name| format!(" in {name}"));
    Some(Seen {
        words: format!("process {pid} ({state}){place}"),
        sleeps: matches!(&*state, "S" | "T" | "Z") && !writes,
        switches,
    })
}
