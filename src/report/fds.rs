//! `fds`: the descriptor table, and what lies behind each descriptor.
//!
//! ```text
//! fd -> file (one offset, flags, a count) -> inode, pipe or pid
//! ```
//!
//! Linux: /proc/PID/fd and fdinfo; fs/file.c.
//! Left out: mounts and dentries.

use super::{NoView, live, text};
use crate::abi::OpenFlags;
use crate::kernel::fs::anon_inodes::AnonKind;
use crate::kernel::fs::inode::{CharDev, InodeKind};
use crate::kernel::fs::{File, FileKind};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::tty::TtyId;
use serde::Serialize;
use std::fmt;

/// One open descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FdRow {
    /// Its number.
    pub fd: usize,
    /// FD_CLOEXEC.
    pub cloexec: bool,
    /// Number of the open file description.
    pub file: u32,
    /// `f_count`: descriptors and mappings that refer to it.
    pub f_count: u32,
    /// `r`, `w` or `rw`, then other flags.
    pub mode: String,
    /// The offset in bytes.
    pub f_pos: u64,
    /// What it leads to.
    pub target: String,
    /// The name it was opened by.
    pub path: String,
}

/// A descriptor table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fds {
    /// Whose.
    pub pid: i32,
    /// Its name.
    pub comm: String,
    /// Number of the files_struct.
    pub files: u32,
    /// Tasks that share the table.
    pub count: u32,
    /// Open descriptors, ascending.
    pub rows: Vec<FdRow>,
}

/// The descriptor table of a task.
///
/// # Errors
/// The task is gone or has closed its table.
pub fn fds(sys: &System, task: TaskId) -> Result<Fds, NoView> {
    let t = live(sys, task)?;
    let table = t.files.and_then(|id| Some((id, sys.kernel.files.get(id)?)));
    let Some((id, table)) = table else {
        let why = "it has exited, and exit_files gave it up";
        return Err(NoView::Nothing { pid: t.pid, what: "descriptor table", why });
    };
    let rows = table.fdt.iter().enumerate().filter_map(|(fd, slot)| {
        let slot = (*slot)?;
        let file = sys.kernel.filps.get(slot.file)?;
        Some(FdRow {
            fd,
            cloexec: slot.cloexec,
            file: slot.file.index(),
            f_count: file.f_count,
            mode: mode(file),
            f_pos: file.f_pos,
            target: target(sys, file),
            path: text::escape(&file.path),
        })
    });
    Ok(Fds {
        pid: t.pid,
        comm: text::escape(&t.comm()),
        files: id.index(),
        count: table.count,
        rows: rows.collect(),
    })
}

fn mode(file: &File) -> String {
    let access = match (file.may_read(), file.may_write()) {
        (true, true) => "rw",
        (true, false) => "r",
        (false, true) => "w",
        (false, false) => "-",
    };
    let shown = OpenFlags::O_APPEND | OpenFlags::O_NONBLOCK | OpenFlags::O_PATH;
    let names: Vec<_> = (file.f_flags & shown).iter_names().map(|(n, _)| n).collect();
    std::iter::once(access).chain(names).collect::<Vec<_>>().join(" ")
}

fn target(sys: &System, file: &File) -> String {
    let pipe = |id, end: &str| match sys.kernel.pipes.get(id) {
        Some(p) => format!(
            "pipe #{} {end} end: {} queued, {}, {}",
            id.index(),
            text::plural(p.buf.len() as u64, "byte"),
            text::plural(u64::from(p.readers), "reader"),
            text::plural(u64::from(p.writers), "writer"),
        ),
        None => "a pipe that is freed".to_string(),
    };
    match file.kind {
        FileKind::Inode(id) => match sys.kernel.inodes.get(id) {
            Some(i) => format!("inode #{} {}", id.index(), inode_words(&i.kind)),
            None => "an inode that is freed".to_string(),
        },
        FileKind::PipeRead(id) => pipe(id, "read"),
        FileKind::PipeWrite(id) => pipe(id, "write"),
        FileKind::Pidfd(id) => match sys.kernel.pids.get(id).and_then(|p| p.numbers.first()) {
            Some(upid) => format!("pidfd of {}", upid.nr),
            None => "pidfd".to_string(),
        },
        FileKind::Tty(id) => tty(sys, id, ""),
        FileKind::HungUpTty(id) => tty(sys, id, ", hung up"),
        FileKind::Ns(_) => "a namespace".to_string(),
        FileKind::Anon(id) => match sys.kernel.anon_inodes.get(id).map(|a| &a.kind) {
            Some(AnonKind::Event(ctx)) => format!("eventfd, count {}", ctx.count),
            Some(AnonKind::Timer(t)) => {
                format!("timerfd, {} unread", text::plural(t.ticks, "tick"))
            }
            Some(AnonKind::Signal(mask)) => format!("signalfd of {mask}"),
            Some(AnonKind::Epoll(ep)) => {
                format!("epoll instance of {}", text::plural(ep.items.len() as u64, "descriptor"))
            }
            None => "what is freed".to_string(),
        },
        FileKind::Proc(..) | FileKind::Cgroup(..) => "made when it is read".to_string(),
    }
}

/// A terminal, and who has it.
fn tty(sys: &System, id: TtyId, hung: &str) -> String {
    match sys.kernel.ttys.get(id) {
        Some(t) if t.is_master() => format!("master of pts/{}", t.index),
        Some(t) => format!("terminal {}{hung}", t.name()),
        None => "a terminal that is freed".to_string(),
    }
}

fn inode_words(kind: &InodeKind) -> String {
    match kind {
        InodeKind::Dir(entries) => format!("directory, {} entries", entries.len()),
        InodeKind::Reg { size, pages } => {
            format!(
                "file, {} in {}",
                text::plural(*size, "byte"),
                text::plural(pages.len() as u64, "page")
            )
        }
        InodeKind::Lnk(text) => format!("symbolic link to {text}"),
        InodeKind::Fifo(_) => "FIFO".to_string(),
        InodeKind::Chr(CharDev::Full) => "full device".to_string(),
        InodeKind::Chr(CharDev::Random(_)) => "random device".to_string(),
        InodeKind::Chr(CharDev::Other(major, minor)) => format!("device {major}:{minor}"),
        InodeKind::Chr(CharDev::Null) => "null device".to_string(),
        InodeKind::Chr(CharDev::Zero) => "zero device".to_string(),
        InodeKind::Chr(CharDev::Console) => "console".to_string(),
        InodeKind::Chr(CharDev::Tty | CharDev::Ptmx | CharDev::Pts(_)) => "terminal".to_string(),
        InodeKind::Image(_) => "program".to_string(),
    }
}

impl fmt::Display for Fds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fds { pid, comm, files, count, .. } = self;
        let users = text::plural(u64::from(*count), "task");
        write!(f, "files_struct #{files} of {comm}({pid}), used by {users}")?;
        if self.rows.is_empty() {
            return f.write_str("\nno descriptor is open");
        }
        let header = ["FD", "FILE", "F_COUNT", "F_POS", "MODE", "LEADS TO", "PATH"];
        let mut t = text::table(&header, &[0, 2, 3]);
        for r in &self.rows {
            let cloexec = if r.cloexec { " cloexec" } else { "" };
            t.add_row([
                r.fd.to_string(),
                format!("#{}", r.file),
                r.f_count.to_string(),
                r.f_pos.to_string(),
                format!("{}{cloexec}", r.mode),
                r.target.clone(),
                r.path.clone(),
            ]);
        }
        f.write_str("\n")?;
        text::write_table(f, &t)
    }
}
