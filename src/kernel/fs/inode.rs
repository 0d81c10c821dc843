//! The in-memory tree: directories, regular files whose pages are frames of
//! emulated memory, devices, program images.
//!
//! Linux: include/linux/fs.h (`struct inode`), mm/shmem.c, fs/ramfs.
//! Left out: links, times, extended attributes.

use crate::base::Pfn;
use crate::kernel::fs::InodeId;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A character device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CharDev {
    /// /dev/null.
    Null,
    /// /dev/zero.
    Zero,
    /// The console: what is written is the machine's output.
    Console,
}

/// What an inode is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InodeKind {
    /// A directory: names in order of creation.
    Dir(IndexMap<Arc<str>, InodeId>),
    /// A regular file, or an anonymous shared mapping: the page cache is the file.
    Reg {
        /// Length in bytes.
        size: u64,
        /// Pages that hold something, by page offset. The inode holds one
        /// reference to each frame.
        pages: BTreeMap<u64, Pfn>,
    },
    /// A character device.
    Chr(CharDev),
    /// A program: what execve makes of it.
    Image(Arc<Image>),
}

/// A program given as data instead of an ELF file: its segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Bytes of code pages (mapped read-only and executable).
    pub text_bytes: u64,
    /// Bytes of initialised data (mapped private and writable).
    pub data_bytes: u64,
    /// Bytes of zeroed data behind it.
    pub bss_bytes: u64,
    /// Interpreter line (`#!`), when it is a script.
    pub interpreter: Option<Arc<str>>,
}

/// `struct inode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    /// References: open files, mappings' files, and the directory entry.
    pub i_count: u32,
    /// Permission bits with set-user-ID (04000) and set-group-ID (02000).
    pub i_mode: u32,
    /// Owner.
    pub i_uid: u32,
    /// Group.
    pub i_gid: u32,
    /// Directory entries that name it.
    pub i_nlink: u32,
    /// What it is.
    pub kind: InodeKind,
}
