//! struct cred: who a task is, and user_struct: what is counted for one uid.
//!
//! Left out: keyrings, security modules.

use rhai::Array;

use super::{Cred, Kind, User, object};
use crate::base::Id;
use crate::kernel::cred::UserStruct;
use crate::kernel::system::{Kernel, System};
use crate::script::bind::kinds;
use crate::script::bind::registry::{Book, functions, getters};
use crate::script::value::Flags;

type CredStruct = crate::kernel::cred::Cred;

/// Three ids, as getresuid gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct SetIds {
    /// Real.
    pub real: i64,
    /// Effective.
    pub effective: i64,
    /// Saved.
    pub saved: i64,
}

impl std::fmt::Display for SetIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "real {}, effective {}, saved {}", self.real, self.effective, self.saved)
    }
}

impl Kind for CredStruct {
    const NAME: &'static str = "cred";

    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self> {
        kernel.creds.get(id)
    }

    fn line(&self, _: &System) -> String {
        let four = |a: [u32; 4]| match a {
            [r, e, s, f] if r == e && e == s && s == f => r.to_string(),
            [r, e, s, f] => format!("{r}/{e}/{s}/{f}"),
        };
        let uids = four([self.uid, self.euid, self.suid, self.fsuid]);
        let gids = four([self.gid, self.egid, self.sgid, self.fsgid]);
        let caps = self.cap_effective.0.count_ones();
        format!("usage {}, uid {uids}, gid {gids}, {caps} effective capabilities", self.usage)
    }
}

impl Kind for UserStruct {
    const NAME: &'static str = "user_struct";

    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self> {
        kernel.users.get(id)
    }

    fn line(&self, _: &System) -> String {
        format!("uid {}, {} processes, count {}", self.uid, self.processes, self.count)
    }
}

/// Registers the types.
pub(super) fn register(book: &mut Book) {
    object!(book, Cred);
    getters! { book, Cred;
        /// References: a task holds one as cred and one as real_cred.
        "usage: int" => |c: &mut Cred| c.int(|c| c.usage.into());
        /// Real uid.
        "uid: int" => |c: &mut Cred| c.int(|c| c.uid.into());
        /// Effective uid.
        "euid: int" => |c: &mut Cred| c.int(|c| c.euid.into());
        /// Saved uid.
        "suid: int" => |c: &mut Cred| c.int(|c| c.suid.into());
        /// Uid for file access.
        "fsuid: int" => |c: &mut Cred| c.int(|c| c.fsuid.into());
        /// Real gid.
        "gid: int" => |c: &mut Cred| c.int(|c| c.gid.into());
        /// Effective gid.
        "egid: int" => |c: &mut Cred| c.int(|c| c.egid.into());
        /// Saved gid.
        "sgid: int" => |c: &mut Cred| c.int(|c| c.sgid.into());
        /// Gid for file access.
        "fsgid: int" => |c: &mut Cred| c.int(|c| c.fsgid.into());
        /// Supplementary groups, ascending.
        "groups: array" => |c: &mut Cred| c.field(|_, c| -> Array {
            c.group_info.iter().map(|g| i64::from(*g).into()).collect()
        });
        /// Capabilities that checks look at.
        "cap_effective: CapSet" => |c: &mut Cred| c.field(|_, c| c.cap_effective);
        /// Capabilities it may make effective.
        "cap_permitted: CapSet" => |c: &mut Cred| c.field(|_, c| c.cap_permitted);
        /// Capabilities kept over execve of a file that asks for them.
        "cap_inheritable: CapSet" => |c: &mut Cred| c.field(|_, c| c.cap_inheritable);
        /// Ceiling for what execve can grant.
        "cap_bset: CapSet" => |c: &mut Cred| c.field(|_, c| c.cap_bset);
        /// Capabilities kept over any execve.
        "cap_ambient: CapSet" => |c: &mut Cred| c.field(|_, c| c.cap_ambient);
        /// SECBIT_* flags.
        "securebits: Flags" => |c: &mut Cred| c.field(|_, c| {
            Flags { bits: c.securebits.into(), kind: &kinds::SECBIT }
        });
        /// Whose tasks are counted with this one.
        "user: User" => |c: &mut Cred| c.field(|_, cred| c.beside(cred.user));
        /// Nesting depth of its user namespace; 0 is the initial one.
        "user_ns_level: int" => |c: &mut Cred| c.field(|sys, c| {
            sys.kernel.user_namespaces.get(c.user_ns).map_or(0, |ns| i64::from(ns.level))
        });
    }
    object!(book, User);
    getters! { book, User;
        /// The real uid it counts for.
        "uid: int" => |u: &mut User| u.int(|u| u.uid.into());
        /// Tasks with this real uid, zombies too: what RLIMIT_NPROC limits.
        "processes: int" => |u: &mut User| u.int(|u| u.processes.into());
        /// Queued signals: what RLIMIT_SIGPENDING limits.
        "sigpending: int" => |u: &mut User| u.int(|u| u.sigpending.into());
        /// References.
        "count: int" => |u: &mut User| u.int(|u| u.count.into());
    }
    book.prints::<SetIds>("Ids");
    getters! { book, SetIds;
        /// Real id.
        "real: int" => |i: &mut SetIds| i.real;
        /// Effective id.
        "effective: int" => |i: &mut SetIds| i.effective;
        /// Saved id.
        "saved: int" => |i: &mut SetIds| i.saved;
    }
}
