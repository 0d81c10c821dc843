//! Capabilities and sets of them.
//!
//! Linux: include/uapi/linux/capability.h; capabilities(7).
//! Left out: the file-capability format.

use std::fmt;

macro_rules! caps {
    ($($name:ident = $num:literal;)*) => {
        /// One capability.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(non_camel_case_types, missing_docs, reason = "Linux's names; capabilities(7) describes each")]
        #[repr(u8)]
        pub enum Cap { $($name = $num,)* }

        impl Cap {
            /// All capabilities, ascending.
            pub const ALL: &'static [Cap] = &[$(Cap::$name),*];
            /// The name, as in `CAP_KILL`.
            pub const fn name(self) -> &'static str {
                match self { $(Cap::$name => stringify!($name),)* }
            }
        }
    };
}

caps! {
    CAP_CHOWN = 0;
    CAP_DAC_OVERRIDE = 1;
    CAP_DAC_READ_SEARCH = 2;
    CAP_FOWNER = 3;
    CAP_FSETID = 4;
    CAP_KILL = 5;
    CAP_SETGID = 6;
    CAP_SETUID = 7;
    CAP_SETPCAP = 8;
    CAP_LINUX_IMMUTABLE = 9;
    CAP_NET_BIND_SERVICE = 10;
    CAP_NET_BROADCAST = 11;
    CAP_NET_ADMIN = 12;
    CAP_NET_RAW = 13;
    CAP_IPC_LOCK = 14;
    CAP_IPC_OWNER = 15;
    CAP_SYS_MODULE = 16;
    CAP_SYS_RAWIO = 17;
    CAP_SYS_CHROOT = 18;
    CAP_SYS_PTRACE = 19;
    CAP_SYS_PACCT = 20;
    CAP_SYS_ADMIN = 21;
    CAP_SYS_BOOT = 22;
    CAP_SYS_NICE = 23;
    CAP_SYS_RESOURCE = 24;
    CAP_SYS_TIME = 25;
    CAP_SYS_TTY_CONFIG = 26;
    CAP_MKNOD = 27;
    CAP_LEASE = 28;
    CAP_AUDIT_WRITE = 29;
    CAP_AUDIT_CONTROL = 30;
    CAP_SETFCAP = 31;
    CAP_MAC_OVERRIDE = 32;
    CAP_MAC_ADMIN = 33;
    CAP_SYSLOG = 34;
    CAP_WAKE_ALARM = 35;
    CAP_BLOCK_SUSPEND = 36;
    CAP_AUDIT_READ = 37;
    CAP_PERFMON = 38;
    CAP_BPF = 39;
    CAP_CHECKPOINT_RESTORE = 40;
}

/// The highest capability number.
pub const CAP_LAST_CAP: u32 = Cap::CAP_CHECKPOINT_RESTORE as u32;

impl Cap {
    /// The capability with number `n` (`cap_valid`).
    pub fn new(n: u64) -> Option<Cap> {
        Cap::ALL.get(usize::try_from(n).ok()?).copied()
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of capabilities (`kernel_cap_t`); bit n is capability n.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CapSet(pub u64);

impl CapSet {
    /// No capability.
    pub const EMPTY: CapSet = CapSet(0);
    /// Every capability (`CAP_FULL_SET`).
    pub const FULL: CapSet = CapSet((1 << (CAP_LAST_CAP + 1)) - 1);
    /// The capabilities that follow the file-system uid (`CAP_FS_SET`):
    /// CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID,
    /// LINUX_IMMUTABLE, MKNOD, MAC_OVERRIDE.
    pub const FS: CapSet = CapSet(0b1_1111 | 1 << 9 | 1 << 27 | 1 << 32);

    /// Whether `cap` is a member.
    pub fn contains(self, cap: Cap) -> bool {
        self.0 >> (cap as u8) & 1 != 0
    }
    /// Adds `cap`.
    pub fn add(&mut self, cap: Cap) {
        self.0 |= 1 << (cap as u8);
    }
    /// Removes `cap`.
    pub fn del(&mut self, cap: Cap) {
        self.0 &= !(1 << (cap as u8));
    }
    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Whether every member is in `other` (`cap_issubset`).
    pub fn is_subset(self, other: CapSet) -> bool {
        self.0 & !other.0 == 0
    }
    /// Members of both.
    pub fn and(self, other: CapSet) -> CapSet {
        CapSet(self.0 & other.0)
    }
    /// Members of either.
    pub fn or(self, other: CapSet) -> CapSet {
        CapSet(self.0 | other.0)
    }
    /// Members of `self` that are not in `other`.
    pub fn minus(self, other: CapSet) -> CapSet {
        CapSet(self.0 & !other.0)
    }
    /// Members, ascending.
    pub fn iter(self) -> impl Iterator<Item = Cap> {
        Cap::ALL.iter().copied().filter(move |c| self.contains(*c))
    }
}

impl fmt::Debug for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            CapSet::FULL => f.write_str("{all}"),
            s => {
                let names: Vec<_> = s.iter().map(Cap::name).collect();
                write!(f, "{{{}}}", names.join(", "))
            }
        }
    }
}
