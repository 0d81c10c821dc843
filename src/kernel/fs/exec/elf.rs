//! What an ELF file says of itself: its header and program headers, read and
//! checked while execve can still say no.
//!
//! ```text
//! 0        e_ident e_type e_machine … e_phoff e_phnum    64 bytes
//! e_phoff  p_type p_flags p_offset p_vaddr … p_align      56 bytes each
//! ```
//!
//! What is wrong with a segment shows only when it is mapped: beyond the point
//! of no return, so that the process dies; see `elf_map`.
//!
//! Linux: fs/binfmt_elf.c (load_elf_binary up to begin_new_exec,
//! load_elf_phdrs).
//! Left out: section headers, which execve never reads; properties
//! (PT_GNU_PROPERTY); programs for 32 bits.

use object::LittleEndian as LE;
use object::elf::{
    EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD,
    ProgramHeader64,
};
use object::pod::slice_from_bytes;

use super::super::InodeId;
use super::super::file_io::read_inode_pages;
use super::super::namei::PATH_MAX;
use super::bprm::do_open_execat;
use crate::abi::Errno;
use crate::kernel::error::{SysError, refuse};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use std::sync::Arc;

/// `ELFMAG`.
pub const ELFMAG: &[u8] = b"\x7fELF";
/// Bytes of a file header.
pub const EHDR_SIZE: usize = size_of::<FileHeader64<LE>>();
/// Bytes of a program header.
pub const PHDR_SIZE: usize = size_of::<ProgramHeader64<LE>>();

/// All program headers together have no more bytes (`load_elf_phdrs`).
const MAX_PHDRS_BYTES: usize = 65_536;

/// A program header (`struct elf64_phdr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "elf(5) describes each")]
pub struct Phdr {
    pub p_type: u32,
    pub p_flags: u32,
    pub p_offset: u64,
    pub p_vaddr: u64,
    pub p_filesz: u64,
    pub p_memsz: u64,
    pub p_align: u64,
}

/// Whether the stack can be executed, as PT_GNU_STACK says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecStack {
    /// The file does not say; on x86_64 it cannot.
    Default,
    /// It can.
    Enable,
    /// It cannot.
    Disable,
}

/// An ELF file that execve can load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    /// Whether it is at home at any address (ET_DYN).
    pub relocatable: bool,
    /// `e_entry`.
    pub entry: u64,
    /// `e_phoff`.
    pub phoff: u64,
    /// The program headers.
    pub phdrs: Vec<Phdr>,
    /// What loads it, if it does not load itself.
    pub interp: Option<Box<Interp>>,
    /// What it says of the stack.
    pub stack: ExecStack,
}

/// The program that PT_INTERP names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interp {
    /// Its file.
    pub inode: InodeId,
    /// Its name.
    pub path: Arc<str>,
    /// What its file says.
    pub elf: Elf,
}

impl Elf {
    /// The segments to be mapped.
    pub fn loads(&self) -> impl Iterator<Item = &Phdr> + '_ {
        self.phdrs.iter().filter(|p| p.p_type == PT_LOAD.0)
    }
}

fn not_executable<T>(why: impl Into<String>) -> Result<T, SysError> {
    Err(SysError::with(Errno::ENOEXEC, "load_elf_binary", why.into()))
}

/// Reads `len` bytes at `at`; fewer only at the end of the file.
fn bytes(sys: &mut System, inode: InodeId, at: u64, len: usize) -> Result<Vec<u8>, SysError> {
    let mut buf = vec![0; len];
    let n = read_inode_pages(sys, inode, at, &mut buf)?;
    buf.truncate(n);
    Ok(buf)
}

/// Reads the headers of a file that begins with [`ELFMAG`], and those of its
/// interpreter.
///
/// # Errors
/// ENOEXEC: not a program for this machine, or its headers make no sense; what
/// opening the interpreter says; EIO, EINVAL: the interpreter's name lies behind the
/// end of the file or before its beginning; ELIBBAD: the interpreter is no ELF file for this machine.
pub fn load_elf(sys: &mut System, task: TaskId, inode: InodeId) -> Result<Elf, SysError> {
    if !sys.machine.config.mmu {
        let why = "a machine without MMU runs flat and FDPIC programs, which are not modelled";
        return not_executable(why);
    }
    let mut elf = read_headers(sys, inode)?;
    let Some(name) = elf.phdrs.iter().find(|p| p.p_type == PT_INTERP.0).copied() else {
        return Ok(elf);
    };
    if name.p_filesz > PATH_MAX as u64 || name.p_filesz < 2 {
        return not_executable("PT_INTERP: the name of the interpreter is too long or too short");
    }
    if i64::try_from(name.p_offset).is_err() {
        let why = "PT_INTERP: the place of the interpreter's name is negative";
        return refuse(Errno::EINVAL, "rw_verify_area", why);
    }
    let text = bytes(sys, inode, name.p_offset, name.p_filesz as usize)?;
    if text.len() < name.p_filesz as usize {
        let why = "PT_INTERP: the name of the interpreter lies behind the end of the file";
        return refuse(Errno::EIO, "elf_read", why);
    }
    let Some((0, text)) = text.split_last() else {
        return not_executable("PT_INTERP: the name of the interpreter does not end");
    };
    let text = text.split(|b| *b == 0).next().unwrap_or_default();
    if text.is_empty() {
        // The kernel's own open takes no name for the working directory.
        let why = "PT_INTERP: the interpreter has no name, which means a directory";
        return refuse(Errno::EACCES, "do_open_execat", why);
    }
    let path = String::from_utf8_lossy(text).into_owned();
    let (inode, path) = do_open_execat(sys, task, &path)?;
    let bad = |e: SysError| SysError {
        errno: Errno::ELIBBAD,
        why: format!("the interpreter {path}: {}", e.why).into(),
        ..e
    };
    let interp = read_headers(sys, inode).map_err(bad)?;
    elf.interp = Some(Box::new(Interp { inode, path, elf: interp }));
    Ok(elf)
}

/// The headers of one file.
fn read_headers(sys: &mut System, inode: InodeId) -> Result<Elf, SysError> {
    // What is behind the end of a short file reads as zeros, as in bprm->buf.
    let mut header = bytes(sys, inode, 0, EHDR_SIZE)?;
    header.resize(EHDR_SIZE, 0);
    let Ok((ehdr, _)) = object::pod::from_bytes::<FileHeader64<LE>>(&header) else {
        return not_executable("the header is too short");
    };
    if !header.starts_with(ELFMAG) {
        return not_executable("the file does not begin with \\x7fELF");
    }
    let ty = ehdr.e_type.get(LE).0;
    if ty != ET_EXEC.0 && ty != ET_DYN.0 {
        return not_executable(format!("e_type is {ty}: neither a program nor a shared object"));
    }
    let machine = ehdr.e_machine.get(LE).0;
    if machine != EM_X86_64.0 {
        return not_executable(format!("e_machine is {machine}; this machine is an x86_64 (62)"));
    }
    let (size, count) = (ehdr.e_phentsize.get(LE), ehdr.e_phnum.get(LE));
    if usize::from(size) != PHDR_SIZE {
        return not_executable(format!("e_phentsize is {size}, not {PHDR_SIZE}"));
    }
    let len = usize::from(count) * PHDR_SIZE;
    if count == 0 || len > MAX_PHDRS_BYTES {
        return not_executable(format!("{count} program headers: there must be some, in 64 KiB"));
    }
    let phoff = ehdr.e_phoff.get(LE);
    let table = match phoff.checked_add(len as u64) {
        Some(_) => bytes(sys, inode, phoff, len)?,
        None => Vec::new(),
    };
    if table.len() < len {
        return not_executable("the program headers lie behind the end of the file");
    }
    let Ok((table, _)) = slice_from_bytes::<ProgramHeader64<LE>>(&table, usize::from(count)) else {
        return not_executable("the program headers cannot be read");
    };
    let phdr = |p: &ProgramHeader64<LE>| Phdr {
        p_type: p.p_type.get(LE).0,
        p_flags: p.p_flags.get(LE).0,
        p_offset: p.p_offset.get(LE),
        p_vaddr: p.p_vaddr.get(LE),
        p_filesz: p.p_filesz.get(LE),
        p_memsz: p.p_memsz.get(LE),
        p_align: p.p_align.get(LE),
    };
    let phdrs: Vec<Phdr> = table.iter().map(phdr).collect();
    let stack = match phdrs.iter().rfind(|p| p.p_type == PT_GNU_STACK.0) {
        None => ExecStack::Default,
        Some(p) if p.p_flags & PF_X.0 != 0 => ExecStack::Enable,
        Some(_) => ExecStack::Disable,
    };
    let (relocatable, entry) = (ty == ET_DYN.0, ehdr.e_entry.get(LE));
    Ok(Elf { relocatable, entry, phoff, phdrs, interp: None, stack })
}
