//! Descriptors, open files, pipes and inodes.
//!
//! Left out: reference counts; see `state`.

use super::{Canon, Object, lives_in};
use crate::base::Pfn;
use crate::kernel::fs::anon_inodes::{AnonInode, AnonKind};
use crate::kernel::fs::eventpoll::{EpItem, EventPoll};
use crate::kernel::fs::inode::{Inode, InodeKind};
use crate::kernel::fs::locks::{FileLock, LockOwner};
use crate::kernel::fs::nsfs::NsRef;
use crate::kernel::fs::pipe::Pipe;
use crate::kernel::fs::timerfd::TimerFd;
use crate::kernel::fs::{Fd, File, FileKind, FilesStruct, FsStruct};

impl Object for FilesStruct {
    lives_in!(files);

    fn describe(&self, c: &mut Canon<'_>) {
        let FilesStruct { count: _, fdt } = self;
        for (number, fd) in fdt.iter().enumerate() {
            if let Some(Fd { file, cloexec }) = fd {
                c.put((number, cloexec));
                c.id(*file);
            }
        }
    }
}

impl Object for FsStruct {
    lives_in!(fs);

    fn describe(&self, c: &mut Canon<'_>) {
        let FsStruct { users: _, umask, root, pwd, in_exec } = self;
        c.put((umask, root, pwd, in_exec));
    }
}

impl Object for File {
    lives_in!(filps);

    fn describe(&self, c: &mut Canon<'_>) {
        let File { f_count: _, f_pos, f_flags, kind, path } = self;
        c.put((f_pos, f_flags.bits(), path, std::mem::discriminant(kind)));
        match *kind {
            FileKind::Inode(inode) => c.id(inode),
            FileKind::PipeRead(pipe) | FileKind::PipeWrite(pipe) => c.id(pipe),
            FileKind::Pidfd(pid) => c.id(pid),
            FileKind::Anon(id) => c.id(id),
            FileKind::Tty(tty) | FileKind::HungUpTty(tty) => c.id(tty),
            FileKind::Cgroup(file, group) => {
                c.put(file);
                c.id(group);
            }
            FileKind::Ns(NsRef::Plain(ns)) => c.id(ns),
            FileKind::Ns(NsRef::Pid(ns)) => c.id(ns),
            FileKind::Ns(NsRef::User(ns)) => c.id(ns),
            FileKind::Proc(file, pid) => {
                c.put(file);
                c.opt(pid);
            }
        }
    }
}

impl Object for Pipe {
    lives_in!(pipes);

    fn describe(&self, c: &mut Canon<'_>) {
        let Pipe {
            buf,
            bufs,
            max_usage,
            readers,
            writers,
            fifo,
            r_counter,
            w_counter,
            rd_wait,
            wr_wait,
        } = self;
        c.put((buf, max_usage, readers, writers, r_counter, w_counter));
        c.opt(*fifo);
        for buffer in bufs {
            c.put((buffer.offset, buffer.len));
        }
        c.queue(rd_wait);
        c.queue(wr_wait);
    }
}

impl Object for AnonInode {
    lives_in!(anon_inodes);

    fn describe(&self, c: &mut Canon<'_>) {
        let AnonInode { wqh, kind } = self;
        c.queue(wqh);
        c.put(kind.name());
        match kind {
            AnonKind::Event(ctx) => c.put(ctx),
            AnonKind::Timer(TimerFd { base, expires, armed, interval, ticks, expired }) => {
                c.put((base, armed, interval, ticks, expired));
                if *armed {
                    c.time(*expires);
                } else if *expired {
                    // How far its next ticks are, whoever asks.
                    c.put(c.sys.machine.clock.now().saturating_sub(*expires));
                }
            }
            AnonKind::Signal(mask) => c.put(mask),
            AnonKind::Epoll(EventPoll { items, ready }) => {
                for EpItem { key: (file, fd), events, data, queues: _ } in items {
                    c.id(*file);
                    c.put((fd, events, data));
                }
                for (file, fd) in ready {
                    c.id(*file);
                    c.put(fd);
                }
            }
        }
    }
}

impl Canon<'_> {
    /// The words of a frame that are not zero.
    pub(super) fn frame(&mut self, pfn: Pfn) {
        let sys = self.sys;
        if let Ok(frame) = sys.machine.mem.frame(pfn) {
            frame.for_each_nonzero(|i, word| self.put((i, word)));
        }
    }
}

impl Object for Inode {
    lives_in!(inodes);

    fn describe(&self, c: &mut Canon<'_>) {
        // Times are left out, as all time is.
        let Inode { i_count: _, i_mode, i_uid, i_gid, i_nlink, linkable, times: _, .. } = self;
        let Inode { kind, locks, lock_wait, cgroup, i_pages, .. } = self;
        c.opt(*cgroup);
        c.put((i_mode, i_uid, i_gid, i_nlink, linkable));
        c.put(locks.len());
        for FileLock { owner, ty, start, end, pid } in locks {
            c.put((std::mem::discriminant(owner), ty, start, end, pid));
            match *owner {
                LockOwner::Posix(files) => c.id(files),
                LockOwner::Ofd(file) | LockOwner::Flock(file) => c.id(file),
            }
        }
        c.queue(lock_wait);
        match kind {
            InodeKind::Dir(entries) => {
                c.put(entries.len());
                for (name, inode) in entries {
                    c.put(name);
                    c.id(*inode);
                }
            }
            InodeKind::Reg { size, pages } => {
                c.put(size);
                for (index, pfn) in pages {
                    c.put(index);
                    c.frame(*pfn);
                }
            }
            InodeKind::Chr(device) => c.put(device),
            InodeKind::Lnk(text) => c.put(text),
            InodeKind::Fifo(pipe) => c.opt(*pipe),
            InodeKind::Image(image) => c.put(image),
        }
        for (index, pfn) in i_pages {
            c.put(index);
            c.frame(*pfn);
        }
    }
}
