//! Descriptor tables, open file descriptions, inodes, pipes, fs_structs.
//!
//! Linux: fs/file.c, fs/file_table.c, fs/inode.c, fs/pipe.c.
//! Left out: names (a file's path is told, not held).

use super::Findings;
use super::tally::Tally;
use crate::base::PAGE_SIZE;
use crate::kernel::fs::inode::InodeKind;
use crate::kernel::fs::locks::LockOwner;
use crate::kernel::fs::{FileKind, FilesStruct};
use crate::kernel::system::System;
use crate::kernel::wait_queue::WaitOn;

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let mut tables = Tally::new();
    let mut fs_structs = Tally::new();
    for (_, t) in k.tasks.iter() {
        if let Some(files) = t.files {
            tables.add(&k.files, files);
        }
        if let Some(fs) = t.fs {
            fs_structs.add(&k.fs, fs);
        }
    }
    for (id, fs) in k.fs.iter() {
        let me = format_args!("fs_struct {id:?}");
        f.count(me, "users", fs.users, fs_structs.of(id), "tasks whose fs it is");
        if fs.in_exec {
            let execs = k.tasks.iter().any(|(_, t)| {
                let waits = t.resume.as_ref().map(|r| r.wait.on);
                t.fs == Some(id) && matches!(waits, Some(WaitOn::Dethread(_)))
            });
            f.rule(execs, me, "in_exec", format_args!("true"), "false: no user is in execve");
        }
    }
    let mut files = Tally::new();
    for (id, table) in k.files.iter() {
        let me = format_args!("files_struct {id:?}");
        f.count(me, "count", table.count, tables.of(id), "tasks whose files it is");
        slots(sys, me, table, &mut files, f);
    }
    for (id, t) in k.tasks.iter() {
        let poll = t.resume.as_ref().and_then(|r| r.poll.as_deref());
        for (_, file) in poll.map_or(&[][..], |p| &p.table) {
            let known = files.add(&k.filps, *file);
            f.exists(known, format_args!("task {id:?}"), "resume.poll", format_args!("{file:?}"));
        }
        if let Some(file) = t.resume.as_ref().and_then(|r| r.file) {
            let known = files.add(&k.filps, file);
            f.exists(known, format_args!("task {id:?}"), "resume.file", format_args!("{file:?}"));
        }
    }
    for (id, mm) in k.mms.iter() {
        for file in mm.mmap.values().filter_map(|v| v.vm_file) {
            let known = files.add(&k.filps, file);
            f.exists(known, format_args!("mm_struct {id:?}"), "vm_file", format_args!("{file:?}"));
        }
    }
    let mut inodes = Tally::new();
    let mut readers = Tally::new();
    let mut writers = Tally::new();
    let mut anons = Tally::new();
    for (id, file) in k.filps.iter() {
        let me = format_args!("file {id:?} ({})", file.path);
        f.count(me, "f_count", file.f_count, files.of(id), "descriptors, areas, sleeping calls");
        let known = match file.kind {
            FileKind::Inode(i) => inodes.add(&k.inodes, i),
            FileKind::PipeRead(p) => readers.add(&k.pipes, p),
            FileKind::PipeWrite(p) => writers.add(&k.pipes, p),
            FileKind::Tty(t) | FileKind::HungUpTty(t) => k.ttys.contains(t),
            FileKind::Anon(id) => anons.add(&k.anon_inodes, id),
            FileKind::Pidfd(_) | FileKind::Proc(..) | FileKind::Cgroup(..) | FileKind::Ns(_) => {
                true
            }
        };
        f.exists(known, me, "kind", format_args!("{:?}", file.kind));
    }
    inode_counts(sys, inodes, f);
    for (id, a) in k.anon_inodes.iter() {
        let me = format_args!("{} {id:?}", a.kind.name());
        f.count(me, "descriptions", 1u32, anons.of(id), "open files that refer to it");
    }
    for (id, p) in k.pipes.iter() {
        let me = format_args!("pipe {id:?}");
        if let Some(inode) = p.fifo {
            let its = k.inodes.get(inode).map(|i| &i.kind) == Some(&InodeKind::Fifo(Some(id)));
            f.rule(its, me, "fifo", format_args!("{inode:?}"), "a FIFO whose pipe it is");
        }
        f.count(me, "readers", p.readers, readers.of(id), "open reading ends");
        f.count(me, "writers", p.writers, writers.of(id), "open writing ends");
        if p.readers == 0 && p.writers == 0 {
            f.leaked(me, format_args!("both ends are closed"));
        }
        let bytes: i64 = p.bufs.iter().map(|b| i64::from(b.len)).sum();
        f.count(me, "bytes", p.buf.len() as i64, bytes, "what its slots hold");
        let fits = p.bufs.len() <= p.max_usage;
        f.rule(fits, me, "slots", format_args!("{}", p.bufs.len()), "as many as it has");
        for b in &p.bufs {
            let end = u64::from(b.offset) + u64::from(b.len);
            let fits = b.len > 0 && end <= PAGE_SIZE;
            f.rule(fits, me, "slot", format_args!("{b:?}"), "a part of one page, not empty");
        }
    }
}

fn slots(
    sys: &System,
    me: std::fmt::Arguments<'_>,
    table: &FilesStruct,
    files: &mut Tally<crate::kernel::fs::File>,
    f: &mut Findings,
) {
    for (fd, slot) in table.fdt.iter().enumerate() {
        if let Some(slot) = slot {
            let known = files.add(&sys.kernel.filps, slot.file);
            f.exists(known, me, "fdt", format_args!("{:?} at {fd}", slot.file));
        }
    }
}

/// Every lock has an owner that could give it up, and no two exclude each other.
fn locks(
    sys: &System,
    id: crate::kernel::fs::InodeId,
    inode: &crate::kernel::fs::inode::Inode,
    f: &mut Findings,
) {
    let k = &sys.kernel;
    let me = format_args!("inode {id:?}");
    for (i, lock) in inode.locks.iter().enumerate() {
        let opens = |file| k.filps.get(file).is_some_and(|f| f.kind == FileKind::Inode(id));
        let owned = match lock.owner {
            LockOwner::Posix(files) => k.files.contains(files),
            LockOwner::Ofd(file) | LockOwner::Flock(file) => opens(file),
        };
        f.rule(owned, me, "lock", format_args!("{lock:?}"), "one whose owner has the file open");
        let clash = inode.locks[..i].iter().find(|other| other.conflicts(lock));
        f.rule(clash.is_none(), me, "locks", format_args!("{clash:?}"), "none excludes another");
    }
}

fn inode_counts(
    sys: &System,
    mut inodes: Tally<crate::kernel::fs::inode::Inode>,
    f: &mut Findings,
) {
    let k = &sys.kernel;
    let mut links = Tally::new();
    inodes.add(&k.inodes, k.root_inode);
    for inode in k.pipes.iter().filter_map(|(_, p)| p.fifo) {
        inodes.add(&k.inodes, inode);
    }
    for (id, inode) in k.inodes.iter() {
        let InodeKind::Dir(entries) = &inode.kind else { continue };
        for (name, entry) in entries {
            let me = format_args!("directory {id:?}");
            let known = inodes.add(&k.inodes, *entry);
            links.add(&k.inodes, *entry);
            if f.exists(known, me, "entry", format_args!("{entry:?} as {name}"))
                && k.inodes[*entry].is_dir()
            {
                // Its "..".
                links.add(&k.inodes, id);
            }
        }
    }
    for (id, inode) in k.inodes.iter() {
        let me = format_args!("inode {id:?}");
        let holders = "directory entries, open files, a FIFO's pipe, and 1 for the root";
        f.count(me, "i_count", inode.i_count, inodes.of(id), holders);
        // "." is a name too; the root is its own parent.
        let named = links.of(id) > 0 || id == k.root_inode;
        let dot = u32::from(inode.is_dir() && named) + u32::from(id == k.root_inode);
        f.count(me, "i_nlink", inode.i_nlink, links.of(id) + dot, "names, \".\" and \"..\"");
        locks(sys, id, inode, f);
    }
}
