//! The process that stays outside: makes the sandbox's first process, reads
//! what comes out, and ends it all when it takes too long.
//!
//! It sends signals to that one process only. If it is killed itself, the
//! kernel kills process 1, and with it everyone in the sandbox.
//!
//! Left out: several runs at once.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::Instant;

use serde_json::Value as Json;

use super::init::{self, Setup};
use super::sys;
use crate::oracle::{End, FIRST_PID, Plan, Refused, Run};
use crate::script::bind::program::Language;

/// Where the ids of the sandbox begin on the host, if we may choose.
const FIRST_ID: u32 = 100_000;
/// How many there are.
const IDS: u32 = 65_536;
/// How often we look at the clock and at the wish to stop, in ms.
const TICK: i32 = 20;
/// Most bytes of output and of reports that are kept.
const MOST: usize = 16 << 20;

fn sandbox(what: &str) -> impl Fn(io::Error) -> Refused {
    move |e| Refused::Sandbox(format!("{what}: {e}"))
}

fn pipe() -> Result<(io::PipeReader, io::PipeWriter), Refused> {
    io::pipe().map_err(sandbox("a pipe"))
}

/// Runs `main` in a sandbox; see [`crate::oracle::run`].
pub(in crate::oracle) fn run(language: &Language, plan: &Plan) -> Result<Run, Refused> {
    let (out, out_end) = pipe()?;
    let (reports, reports_end) = pipe()?;
    let (life_end, mut life) = pipe()?;
    let pid = sys::fork_with_namespaces()
        .map_err(|e| Refused::Sandbox(format!("user, mount and pid namespaces ({})", e.name())))?;
    if pid == 0 {
        init::main(&Setup {
            output: out_end.as_raw_fd(),
            reports: reports_end.as_raw_fd(),
            life: life_end.as_raw_fd(),
            tasks: plan.tasks,
            language,
            show: plan.show,
        });
    }
    drop((out_end, reports_end, life_end));
    let mut child = Child { pid, reaped: false };
    map_ids(pid).map_err(sandbox("ids in a user namespace"))?;
    life.write_all(b"x").map_err(sandbox("process 1"))?;
    let mut streams = Streams { fds: [out.into(), reports.into()], texts: Default::default() };
    let ended = streams.read(plan, &mut child);
    child.end();
    let [bytes, told] = streams.texts;
    verdict(bytes, &String::from_utf8_lossy(&told), ended)
}

/// The first process of the sandbox: killed and reaped whatever happens here.
struct Child {
    pid: i32,
    reaped: bool,
}

impl Child {
    fn end(&mut self) {
        if !self.reaped {
            self.reaped = true;
            sys::kill_and_reap(self.pid);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

/// Gives the user namespace of a process its ids: a range that is nobody's on
/// the host if we may, else our own id as root alone.
fn map_ids(pid: i32) -> io::Result<()> {
    let proc = |file: &str| format!("/proc/{pid}/{file}");
    let (uid, gid) = sys::effective_ids();
    let range = format!("0 {FIRST_ID} {IDS}");
    if fs::write(proc("uid_map"), &range).is_ok() {
        return fs::write(proc("gid_map"), &range);
    }
    fs::write(proc("setgroups"), "deny")?;
    fs::write(proc("uid_map"), format!("0 {uid} 1"))?;
    fs::write(proc("gid_map"), format!("0 {gid} 1"))
}

struct Streams {
    fds: [OwnedFd; 2],
    texts: [Vec<u8>; 2],
}

impl Streams {
    /// Reads until both are at their end, which is when nobody is left. Gives
    /// why it was ended early, if it was.
    fn read(&mut self, plan: &Plan, child: &mut Child) -> Option<End> {
        let deadline = Instant::now() + plan.time;
        let mut ended = None;
        let mut open = [true, true];
        while open != [false, false] {
            let why = if plan.interrupt.load(Ordering::Relaxed) {
                Some(End::Interrupted)
            } else if Instant::now() >= deadline || self.texts.iter().any(|t| t.len() > MOST) {
                Some(End::Time)
            } else {
                None
            };
            if ended.is_none() && why.is_some() {
                ended = why;
                child.end();
            }
            let ready = sys::poll([self.fds[0].as_raw_fd(), self.fds[1].as_raw_fd()], open, TICK);
            for i in (0..2).filter(|i| ready[*i]) {
                let mut buf = [0; 4096];
                let mut file = fs::File::from(match self.fds[i].try_clone() {
                    Ok(fd) => fd,
                    Err(_) => return ended,
                });
                match file.read(&mut buf) {
                    Ok(n) if n > 0 => self.texts[i].extend_from_slice(&buf[..n]),
                    _ => open[i] = false,
                }
            }
        }
        ended
    }
}

/// What the reports say.
fn verdict(output: Vec<u8>, told: &str, ended: Option<End>) -> Result<Run, Refused> {
    let mut run = Run {
        output,
        end: ended.clone().unwrap_or(End::Time),
        status: None,
        crashes: Vec::new(),
        pids: vec![FIRST_PID],
    };
    let mut said = false;
    for line in told.lines().filter_map(|l| serde_json::from_str::<Json>(l).ok()) {
        let text = |key: &str| line.get(key).and_then(Json::as_str).map(str::to_string);
        if let Some(what) = text("unsupported") {
            return Err(Refused::Unsupported(what));
        }
        if let Some(what) = text("sandbox") {
            return Err(Refused::Sandbox(what));
        }
        run.crashes.extend(text("crash"));
        run.pids.extend(line.get("pid").and_then(Json::as_i64).map(|n| n as i32));
        let Some(end) = text("end") else { continue };
        said = true;
        run.status = line.get("status").and_then(Json::as_i64).map(|n| n as i32);
        if ended.is_none() {
            run.end = match (&*end, line.get("stuck").and_then(Json::as_array)) {
                ("stuck", Some(words)) => {
                    End::Stuck(words.iter().filter_map(Json::as_str).map(str::to_string).collect())
                }
                _ => End::Finished,
            };
        }
    }
    match said || ended.is_some() {
        true => Ok(run),
        false => Err(Refused::Sandbox("process 1, which has died".into())),
    }
}
