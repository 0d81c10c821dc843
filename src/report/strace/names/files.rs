//! Names of what files, descriptors and waiting for them take: see the module above.
//!
//! Linux: include/uapi/{asm-generic/fcntl,linux/stat,linux/eventpoll}.h and so
//! on. Left out: sockets, io_uring.

use crate::report::strace::text::Names;

pub const OPEN: &Names = &[
    ("O_RDONLY", 0),
    ("O_ACCMODE", 3),
    ("O_RDWR", 2),
    ("O_WRONLY", 1),
    ("O_CREAT", 0o100),
    ("O_EXCL", 0o200),
    ("O_NOCTTY", 0o400),
    ("O_TRUNC", 0o1000),
    ("O_APPEND", 0o2000),
    ("O_NONBLOCK", 0o4000),
    ("O_SYNC", 0o4010000),
    ("O_DSYNC", 0o10000),
    ("O_DIRECT", 0o40000),
    ("O_LARGEFILE", 0o100000),
    ("O_NOFOLLOW", 0o400000),
    ("O_NOATIME", 0o1000000),
    ("O_CLOEXEC", 0o2000000),
    ("O_PATH", 0o10000000),
    ("O_TMPFILE", 0o20200000),
    ("O_DIRECTORY", 0o200000),
    ("FASYNC", 0o20000),
];
pub const MFD: &Names = &[
    ("MFD_CLOEXEC", 1),
    ("MFD_ALLOW_SEALING", 2),
    ("MFD_HUGETLB", 4),
    ("MFD_NOEXEC_SEAL", 8),
    ("MFD_EXEC", 0x10),
];
pub const AT: &Names = &[
    ("AT_SYMLINK_NOFOLLOW", 0x100),
    ("AT_REMOVEDIR", 0x200),
    ("AT_SYMLINK_FOLLOW", 0x400),
    ("AT_NO_AUTOMOUNT", 0x800),
    ("AT_EMPTY_PATH", 0x1000),
    ("AT_RECURSIVE", 0x8000),
];
pub const FACCESSAT: &Names =
    &[("AT_SYMLINK_NOFOLLOW", 0x100), ("AT_EACCESS", 0x200), ("AT_EMPTY_PATH", 0x1000)];
pub const AT_STATX: &Names = &[
    ("AT_STATX_SYNC_AS_STAT", 0),
    ("AT_STATX_FORCE_SYNC", 0x2000),
    ("AT_STATX_DONT_SYNC", 0x4000),
];
pub const STATX: &Names = &[
    ("STATX_ALL", 0xfff),
    ("STATX_BASIC_STATS", 0x7ff),
    ("STATX_TYPE", 1),
    ("STATX_MODE", 2),
    ("STATX_NLINK", 4),
    ("STATX_UID", 8),
    ("STATX_GID", 0x10),
    ("STATX_ATIME", 0x20),
    ("STATX_MTIME", 0x40),
    ("STATX_CTIME", 0x80),
    ("STATX_INO", 0x100),
    ("STATX_SIZE", 0x200),
    ("STATX_BLOCKS", 0x400),
    ("STATX_BTIME", 0x800),
    ("STATX_MNT_ID", 0x1000),
    ("STATX_DIOALIGN", 0x2000),
];
pub const RENAME: &Names =
    &[("RENAME_NOREPLACE", 1), ("RENAME_EXCHANGE", 2), ("RENAME_WHITEOUT", 4)];
pub const RESOLVE: &Names = &[
    ("RESOLVE_NO_XDEV", 1),
    ("RESOLVE_NO_MAGICLINKS", 2),
    ("RESOLVE_NO_SYMLINKS", 4),
    ("RESOLVE_BENEATH", 8),
    ("RESOLVE_IN_ROOT", 0x10),
    ("RESOLVE_CACHED", 0x20),
];
pub const ACCESS: &Names = &[("F_OK", 0), ("R_OK", 4), ("W_OK", 2), ("X_OK", 1)];
pub const WHENCE: &Names =
    &[("SEEK_SET", 0), ("SEEK_CUR", 1), ("SEEK_END", 2), ("SEEK_DATA", 3), ("SEEK_HOLE", 4)];
pub const CLOSE_RANGE: &Names = &[("CLOSE_RANGE_UNSHARE", 2), ("CLOSE_RANGE_CLOEXEC", 4)];
pub const FD_FLAGS: &Names = &[("FD_CLOEXEC", 1)];
pub const LOCK_TYPE: &Names = &[("F_RDLCK", 0), ("F_WRLCK", 1), ("F_UNLCK", 2)];
pub const FLOCK: &Names = &[("LOCK_SH", 1), ("LOCK_EX", 2), ("LOCK_NB", 4), ("LOCK_UN", 8)];
pub const SEAL: &Names = &[
    ("F_SEAL_SEAL", 1),
    ("F_SEAL_SHRINK", 2),
    ("F_SEAL_GROW", 4),
    ("F_SEAL_WRITE", 8),
    ("F_SEAL_FUTURE_WRITE", 0x10),
];
pub const FCNTL: &Names = &[
    ("F_DUPFD", 0),
    ("F_GETFD", 1),
    ("F_SETFD", 2),
    ("F_GETFL", 3),
    ("F_SETFL", 4),
    ("F_GETLK", 5),
    ("F_SETLK", 6),
    ("F_SETLKW", 7),
    ("F_SETOWN", 8),
    ("F_GETOWN", 9),
    ("F_SETSIG", 10),
    ("F_GETSIG", 11),
    ("F_SETOWN_EX", 15),
    ("F_GETOWN_EX", 16),
    ("F_OFD_GETLK", 36),
    ("F_OFD_SETLK", 37),
    ("F_OFD_SETLKW", 38),
    ("F_SETLEASE", 1024),
    ("F_GETLEASE", 1025),
    ("F_NOTIFY", 1026),
    ("F_DUPFD_CLOEXEC", 1030),
    ("F_SETPIPE_SZ", 1031),
    ("F_GETPIPE_SZ", 1032),
    ("F_ADD_SEALS", 1033),
    ("F_GET_SEALS", 1034),
];
pub const FALLOC: &Names = &[
    ("FALLOC_FL_KEEP_SIZE", 1),
    ("FALLOC_FL_PUNCH_HOLE", 2),
    ("FALLOC_FL_NO_HIDE_STALE", 4),
    ("FALLOC_FL_COLLAPSE_RANGE", 8),
    ("FALLOC_FL_ZERO_RANGE", 0x10),
    ("FALLOC_FL_INSERT_RANGE", 0x20),
    ("FALLOC_FL_UNSHARE_RANGE", 0x40),
];
pub const FADVISE: &Names = &[
    ("POSIX_FADV_NORMAL", 0),
    ("POSIX_FADV_RANDOM", 1),
    ("POSIX_FADV_SEQUENTIAL", 2),
    ("POSIX_FADV_WILLNEED", 3),
    ("POSIX_FADV_DONTNEED", 4),
    ("POSIX_FADV_NOREUSE", 5),
];
pub const SYNC_RANGE: &Names = &[
    ("SYNC_FILE_RANGE_WAIT_BEFORE", 1),
    ("SYNC_FILE_RANGE_WRITE", 2),
    ("SYNC_FILE_RANGE_WAIT_AFTER", 4),
];
pub const SPLICE: &Names =
    &[("SPLICE_F_MOVE", 1), ("SPLICE_F_NONBLOCK", 2), ("SPLICE_F_MORE", 4), ("SPLICE_F_GIFT", 8)];
pub const RWF: &Names =
    &[("RWF_HIPRI", 1), ("RWF_DSYNC", 2), ("RWF_SYNC", 4), ("RWF_NOWAIT", 8), ("RWF_APPEND", 0x10)];
pub const STATFS: &Names = &[
    ("ST_VALID", 0x20),
    ("ST_RDONLY", 1),
    ("ST_NOSUID", 2),
    ("ST_NODEV", 4),
    ("ST_NOEXEC", 8),
    ("ST_SYNCHRONOUS", 0x10),
    ("ST_MANDLOCK", 0x40),
    ("ST_NOATIME", 0x400),
    ("ST_NODIRATIME", 0x800),
    ("ST_RELATIME", 0x1000),
    ("ST_NOSYMFOLLOW", 0x2000),
];
pub const FS_MAGIC: &Names = &[
    ("EXT2_SUPER_MAGIC", 0xef53),
    ("TMPFS_MAGIC", 0x0102_1994),
    ("RAMFS_MAGIC", 0x8584_58f6),
    ("PROC_SUPER_MAGIC", 0x9fa0),
    ("SYSFS_MAGIC", 0x6265_6572),
    ("DEVPTS_SUPER_MAGIC", 0x1cd1),
    ("PIPEFS_MAGIC", 0x5049_5045),
    ("ANON_INODE_FS_MAGIC", 0x0904_1934),
    ("CGROUP2_SUPER_MAGIC", 0x6367_7270),
];
pub const POLL: &Names = &[
    ("POLLIN", 1),
    ("POLLPRI", 2),
    ("POLLOUT", 4),
    ("POLLERR", 8),
    ("POLLHUP", 0x10),
    ("POLLNVAL", 0x20),
    ("POLLRDNORM", 0x40),
    ("POLLRDBAND", 0x80),
    ("POLLWRNORM", 0x100),
    ("POLLWRBAND", 0x200),
    ("POLLMSG", 0x400),
    ("POLLREMOVE", 0x1000),
    ("POLLRDHUP", 0x2000),
    ("POLL_BUSY_LOOP", 0x8000),
];
pub const EPOLL: &Names = &[
    ("EPOLLIN", 1),
    ("EPOLLPRI", 2),
    ("EPOLLOUT", 4),
    ("EPOLLERR", 8),
    ("EPOLLHUP", 0x10),
    ("EPOLLNVAL", 0x20),
    ("EPOLLRDNORM", 0x40),
    ("EPOLLRDBAND", 0x80),
    ("EPOLLWRNORM", 0x100),
    ("EPOLLWRBAND", 0x200),
    ("EPOLLMSG", 0x400),
    ("EPOLLRDHUP", 0x2000),
    ("EPOLLEXCLUSIVE", 0x1000_0000),
    ("EPOLLWAKEUP", 0x2000_0000),
    ("EPOLLONESHOT", 0x4000_0000),
    ("EPOLLET", 0x8000_0000),
];
pub const EPOLL_CTL: &Names = &[("EPOLL_CTL_ADD", 1), ("EPOLL_CTL_DEL", 2), ("EPOLL_CTL_MOD", 3)];
pub const EPOLL_CREATE: &Names = &[("EPOLL_CLOEXEC", 0o2000000)];
pub const EFD: &Names =
    &[("EFD_SEMAPHORE", 1), ("EFD_CLOEXEC", 0o2000000), ("EFD_NONBLOCK", 0o4000)];
pub const TFD: &Names = &[
    ("TFD_TIMER_ABSTIME", 1),
    ("TFD_TIMER_CANCEL_ON_SET", 2),
    ("TFD_CLOEXEC", 0o2000000),
    ("TFD_NONBLOCK", 0o4000),
];
pub const SFD: &Names = &[("SFD_CLOEXEC", 0o2000000), ("SFD_NONBLOCK", 0o4000)];
/// Requests of ioctl(2) besides those of terminals that abi::tty names.
pub const IOCTL: &Names = &[
    ("TIOCGWINSZ", 0x5413),
    ("TIOCSWINSZ", 0x5414),
    ("TIOCOUTQ", 0x5411),
    ("TIOCEXCL", 0x540c),
    ("TIOCNXCL", 0x540d),
    ("TIOCSTI", 0x5412),
    ("TCSBRK", 0x5409),
    ("TCXONC", 0x540a),
    ("TCFLSH", 0x540b),
    ("FIOASYNC", 0x5452),
];
