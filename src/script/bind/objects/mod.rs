//! Handles to what tasks point to: `t.mm`, `t.cred`, `t.files`… Two handles
//! are equal when they name the same object, so `a.mm == b.mm` asks whether
//! the mm is shared; the counts say with how many.
//!
//! Left out: changing objects. Only system calls do.

mod cred;
mod files;
mod mm;
mod sched;
mod signal;
mod tty;

use std::fmt;

use rhai::Dynamic;

use super::registry::{Book, Raised};
use super::task::Task;
use super::world::Machine;
use crate::base::Id;
use crate::kernel::cred::UserStruct;
use crate::kernel::fs::{FilesStruct, FsStruct};
use crate::kernel::mm::MmStruct;
use crate::kernel::nsproxy::Nsproxy;
use crate::kernel::pid::Pid;
use crate::kernel::signal::{SighandStruct, SignalStruct};
use crate::kernel::system::{Kernel, System};
use crate::script::errors::ScriptError;

pub(super) use cred::SetIds;
pub(super) use sched::{SchedEntity, Stack};
pub(super) use signal::{Action, Limit, register_limit};

/// A kind of kernel object that lives in an arena.
pub(super) trait Kind: Clone + 'static {
    /// Its name in messages: "mm_struct".
    const NAME: &'static str;
    /// The object with that name, if it exists.
    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self>;
    /// One line about it.
    fn line(&self, sys: &System) -> String;
}

/// A kernel object: its machine and its name there.
pub(super) struct Handle<T> {
    machine: Machine,
    id: Id<T>,
}

/// An address space.
pub(super) type Mm = Handle<MmStruct>;
/// Credentials.
pub(super) type Cred = Handle<crate::kernel::cred::Cred>;
/// What is counted for one uid.
pub(super) type User = Handle<UserStruct>;
/// A descriptor table.
pub(super) type Files = Handle<FilesStruct>;
/// An open file description.
pub(super) type File = Handle<crate::kernel::fs::File>;
/// Root, working directory, umask.
pub(super) type Fs = Handle<FsStruct>;
/// What a thread group shares.
pub(super) type SignalHandle = Handle<SignalStruct>;
/// Dispositions.
pub(super) type Sighand = Handle<SighandStruct>;
/// Namespaces.
pub(super) type Ns = Handle<Nsproxy>;
/// A terminal.
pub(super) type Tty = Handle<crate::kernel::tty::TtyStruct>;
/// A process id as an object.
pub(super) type PidHandle = Handle<Pid>;

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Handle { machine: self.machine.clone(), id: self.id }
    }
}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.machine.is(&other.machine) && self.id == other.id
    }
}

impl<T: Kind> Handle<T> {
    /// A handle to what a task points to.
    pub(super) fn new(task: &Task, id: Id<T>) -> Handle<T> {
        Handle { machine: task.machine().clone(), id }
    }

    /// The same as a script value; `()` for NULL.
    pub(super) fn optional(task: &Task, id: Option<Id<T>>) -> Dynamic {
        id.map_or(Dynamic::UNIT, |id| Dynamic::from(Handle::new(task, id)))
    }

    /// A handle to an object of the same machine.
    fn beside<U>(&self, id: Id<U>) -> Handle<U> {
        Handle { machine: self.machine.clone(), id }
    }

    /// Looks at the object.
    pub(super) fn field<R>(&self, look: impl FnOnce(&System, &T) -> R) -> Raised<R> {
        self.machine.read(|sys| match T::get(&sys.kernel, self.id) {
            Some(object) => Ok(look(sys, object)),
            None => Err(ScriptError::Usage {
                message: format!("this {} no longer exists: it was freed", T::NAME),
                help: Some("its last user is gone; look at it before that".into()),
            }
            .into()),
        })
    }

    /// A number of the object.
    fn int(&self, look: impl FnOnce(&T) -> i64) -> Raised<i64> {
        self.field(|_, object| look(object))
    }
}

impl<T: Kind> fmt::Display for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.machine.read(|sys| match T::get(&sys.kernel, self.id) {
            Some(object) => write!(f, "{} {}: {}", T::NAME, self.id.index(), object.line(sys)),
            None => write!(f, "{} {} (freed)", T::NAME, self.id.index()),
        })
    }
}

/// Registers what all handles have.
macro_rules! object {
    ($book:expr, $ty:ident) => {
        $book.prints::<$ty>(stringify!($ty));
        functions! { $book;
            /// Whether two handles name the same object.
            "==(a: handle, b: handle) -> bool" => |a: $ty, b: $ty| a == b;
            /// Whether two handles name different objects.
            "!=(a: handle, b: handle) -> bool" => |a: $ty, b: $ty| a != b;
        }
        getters! { $book, $ty;
            /// The object's slot: what its address would be.
            "id: int" => |h: &mut $ty| i64::from(h.id.index());
            /// Whether the object still exists.
            "exists: bool" => |h: &mut $ty| h.field(|_, _| ()).is_ok();
        }
    };
}
use object;

/// Registers all kinds.
pub(super) fn register(book: &mut Book) {
    mm::register(book);
    cred::register(book);
    files::register(book);
    signal::register(book);
    sched::register(book);
    tty::register(book);
}
