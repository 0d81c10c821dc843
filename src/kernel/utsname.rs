//! Who the machine says it is: uname(2), sethostname(2), setdomainname(2).
//!
//! ```text
//! struct new_utsname, 6 fields of 65 bytes
//!   sysname  nodename  release  version  machine  domainname
//!            ^^^^^^^^                             ^^^^^^^^^^ of the uts namespace
//! ```
//! The two names belong to the uts namespace of the caller: CLONE_NEWUTS copies
//! them, and who changes the copy needs CAP_SYS_ADMIN in the user namespace that
//! owns it.
//!
//! Linux: kernel/sys.c (newuname, sethostname, setdomainname), kernel/utsname.c,
//! init/version.c.
//! Left out: the older forms uname and olduname; personalities that tell another
//! release or machine; /proc/sys/kernel/hostname.

use crate::abi::{Cap, Errno};
use crate::kernel::capability::ns_capable;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::nsproxy::NsId;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Longest name, without its NUL (`__NEW_UTS_LEN`).
pub const NEW_UTS_LEN: usize = 64;
/// Bytes of `struct new_utsname`.
pub const NEW_UTSNAME_SIZE: usize = 6 * (NEW_UTS_LEN + 1);

/// The kernel's name.
pub const SYSNAME: &str = "Linux";
/// Which Linux this is a model of.
pub const RELEASE: &str = "6.18.0";
/// How it was built.
pub const VERSION: &str = "#1 SMP PREEMPT_DYNAMIC";
/// The processor.
pub const MACHINE: &str = "x86_64";

/// The names that a uts namespace holds (`struct uts_namespace.name`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UtsName {
    /// The host's; bytes, as the caller gave them.
    pub nodename: Vec<u8>,
    /// The domain's, of NIS.
    pub domainname: Vec<u8>,
}

impl Default for UtsName {
    /// Nobody has named the machine (UTS_NODENAME, UTS_DOMAINNAME).
    fn default() -> UtsName {
        UtsName { nodename: b"(none)".to_vec(), domainname: b"(none)".to_vec() }
    }
}

/// Which of the two names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// sethostname(2).
    Host,
    /// setdomainname(2).
    Domain,
}

/// The task's uts namespace.
fn uts_ns(sys: &System, task: TaskId) -> Option<NsId> {
    let nsproxy = sys.task(task).nsproxy?;
    Some(sys.kernel.nsproxies[nsproxy].uts_ns)
}

/// The names of the task's uts namespace (`utsname()`).
pub fn utsname(sys: &System, task: TaskId) -> UtsName {
    let uts = uts_ns(sys, task).and_then(|ns| sys.kernel.namespaces[ns].uts.as_deref());
    uts.cloned().unwrap_or_default()
}

/// `struct new_utsname` as user mode reads it (`newuname`).
pub fn newuname(sys: &System, task: TaskId) -> [u8; NEW_UTSNAME_SIZE] {
    let UtsName { nodename, domainname } = utsname(sys, task);
    let fields: [&[u8]; 6] = [
        SYSNAME.as_bytes(),
        &nodename,
        RELEASE.as_bytes(),
        VERSION.as_bytes(),
        MACHINE.as_bytes(),
        &domainname,
    ];
    let mut bytes = [0; NEW_UTSNAME_SIZE];
    for (at, field) in bytes.chunks_exact_mut(NEW_UTS_LEN + 1).zip(fields) {
        let n = field.len().min(NEW_UTS_LEN);
        at[..n].copy_from_slice(&field[..n]);
    }
    bytes
}

/// Whether the caller may give a name of this length.
///
/// # Errors
/// EPERM, EINVAL.
pub fn may_set(sys: &mut System, task: TaskId, len: i32, which: Which) -> Result<usize, SysError> {
    let function = match which {
        Which::Host => "sethostname",
        Which::Domain => "setdomainname",
    };
    let owner = uts_ns(sys, task).map(|ns| sys.kernel.namespaces[ns].user_ns);
    if !owner.is_some_and(|ns| ns_capable(sys, task, ns, Cap::CAP_SYS_ADMIN)) {
        let why = "the names of a uts namespace are changed with CAP_SYS_ADMIN in the user \
                   namespace that owns it";
        return refuse(Errno::EPERM, function, why);
    }
    match usize::try_from(len) {
        Ok(n) if n <= NEW_UTS_LEN => Ok(n),
        _ => refuse(Errno::EINVAL, function, "a name has 0 to 64 bytes"),
    }
}

/// Gives the namespace another name. It ends at a NUL as C reads it.
/// Preconditions: [`may_set`].
pub fn set(sys: &mut System, task: TaskId, name: &[u8], which: Which) {
    let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
    let Some(ns) = uts_ns(sys, task) else { return };
    let Some(uts) = &mut sys.kernel.namespaces[ns].uts else { return };
    match which {
        Which::Host => uts.nodename = name[..end].to_vec(),
        Which::Domain => uts.domainname = name[..end].to_vec(),
    }
}
