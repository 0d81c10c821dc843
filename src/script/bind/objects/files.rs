//! files_struct, struct file, fs_struct: open files, and where a task is.
//!
//! Left out: inodes and pipes.

use rhai::{Array, Dynamic};

use super::{File, Files, Fs, Kind, object};
use crate::base::Id;
use crate::kernel::fs::{FileKind, FilesStruct, FsStruct};
use crate::kernel::system::{Kernel, System};
use crate::script::bind::kinds;
use crate::script::bind::registry::{Book, Raised, functions, getters};
use crate::script::errors::ScriptError;
use crate::script::value::Flags;

type FileStruct = crate::kernel::fs::File;

/// A slot of a descriptor table.
#[derive(Clone)]
struct Fd {
    fd: i64,
    cloexec: bool,
    file: File,
}

impl std::fmt::Display for Fd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.file.field(|_, file| file.path.to_string()).unwrap_or_default();
        let cloexec = if self.cloexec { " (close-on-exec)" } else { "" };
        write!(f, "{} -> {path}{cloexec}", self.fd)
    }
}

impl Kind for FilesStruct {
    const NAME: &'static str = "files_struct";

    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self> {
        kernel.files.get(id)
    }

    fn line(&self, _: &System) -> String {
        let open = self.fdt.iter().flatten().count();
        format!("count {}, {open} open", self.count)
    }
}

impl Kind for FileStruct {
    const NAME: &'static str = "file";

    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self> {
        kernel.filps.get(id)
    }

    fn line(&self, _: &System) -> String {
        format!("{}, f_count {}, f_pos {}", self.path, self.f_count, self.f_pos)
    }
}

impl Kind for FsStruct {
    const NAME: &'static str = "fs_struct";

    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self> {
        kernel.fs.get(id)
    }

    fn line(&self, _: &System) -> String {
        format!(
            "users {}, root {}, pwd {}, umask {:04o}",
            self.users, self.root, self.pwd, self.umask
        )
    }
}

fn open_fds(files: &Files) -> Raised<Vec<Fd>> {
    files.field(|_, table| {
        let slots = table.fdt.iter().enumerate();
        let open = slots.filter_map(|(fd, slot)| slot.map(|slot| (fd as i64, slot)));
        let fd = |(fd, slot): (i64, crate::kernel::fs::Fd)| Fd {
            fd,
            cloexec: slot.cloexec,
            file: files.beside(slot.file),
        };
        open.map(fd).collect()
    })
}

/// Registers the types.
pub(super) fn register(book: &mut Book) {
    object!(book, Files);
    getters! { book, Files;
        /// Tasks that share it.
        "count: int" => |f: &mut Files| f.int(|f| f.count.into());
        /// The open descriptors, ascending.
        "fds: array" => |f: &mut Files| -> Raised<Array> {
            Ok(open_fds(f)?.into_iter().map(Dynamic::from).collect())
        };
    }
    functions! { book;
        /// The number of open descriptors.
        "len(f: Files) -> int" => |f: &mut Files| -> Raised<i64> { Ok(open_fds(f)?.len() as i64) };
        /// A descriptor of the table.
        "fd(f: Files, n: int) -> Fd" => |f: &mut Files, n: i64| -> Raised<Dynamic> {
            let found = open_fds(f)?.into_iter().find(|fd| fd.fd == n);
            match found {
                Some(fd) => Ok(Dynamic::from(fd)),
                None => Err(ScriptError::usage(format!("descriptor {n} is not open")).into()),
            }
        };
    }
    book.prints::<Fd>("Fd");
    getters! { book, Fd;
        /// The descriptor's number.
        "fd: int" => |f: &mut Fd| f.fd;
        /// FD_CLOEXEC: closed by execve.
        "cloexec: bool" => |f: &mut Fd| f.cloexec;
        /// The open file description.
        "file: File" => |f: &mut Fd| f.file.clone();
        /// How the file was named when opened.
        "path: string" => |f: &mut Fd| f.file.field(|_, f| f.path.to_string());
    }
    object!(book, File);
    getters! { book, File;
        /// References: descriptors in any table, and mappings.
        "f_count: int" => |f: &mut File| f.int(|f| f.f_count.into());
        /// Offset, shared by all who share the description.
        "f_pos: int" => |f: &mut File| f.int(|f| f.f_pos as i64);
        /// O_* flags.
        "f_flags: Flags" => |f: &mut File| f.field(|_, f| {
            Flags { bits: f.f_flags.bits().into(), kind: &kinds::OPEN }
        });
        /// How it was named when opened.
        "path: string" => |f: &mut File| f.field(|_, f| f.path.to_string());
        /// What it is: "file", "pipe read end", "pipe write end", "pidfd", "terminal".
        "kind: string" => |f: &mut File| f.field(|_, f| match f.kind {
            FileKind::Inode(_) => "file",
            FileKind::PipeRead(_) => "pipe read end",
            FileKind::PipeWrite(_) => "pipe write end",
            FileKind::Pidfd(_) => "pidfd",
            FileKind::Ns(_) => "namespace",
            FileKind::Anon(_) => "event, timer, signals or epoll instance",
            FileKind::Proc(..) => "file of /proc",
            FileKind::Cgroup(..) => "file of a cgroup",
            FileKind::Tty(_) => "terminal",
            FileKind::HungUpTty(_) => "terminal that has hung up",
        });
    }
    object!(book, Fs);
    getters! { book, Fs;
        /// Tasks that share it.
        "users: int" => |f: &mut Fs| f.int(|f| f.users.into());
        /// Bits cleared in the mode of new files.
        "umask: int" => |f: &mut Fs| f.int(|f| f.umask.into());
        /// Root directory.
        "root: string" => |f: &mut Fs| f.field(|_, f| f.root.to_string());
        /// Working directory.
        "pwd: string" => |f: &mut Fs| f.field(|_, f| f.pwd.to_string());
    }
}
