//! The symbols of a task's program: names of functions and variables, from the
//! symbol table of the ELF file that is mapped.
//!
//! ```text
//! file:  .symtab  f -> 0x1139       area of the program's code: file offset 0x1000
//!                      |            mapped at 0x7f..1000, linked for 0x1000
//! task:  f -> 0x7f..1139  <--- bias
//! ```
//!
//! Source: elf(5). Left out: symbols of shared libraries and of the dynamic
//! linker; debug information.

use crate::base::PAGE_SIZE;
use crate::kernel::fs::inode::InodeKind;
use crate::kernel::fs::{FileKind, InodeId};
use crate::kernel::mm::{MmId, VmFlags};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use object::LittleEndian as LE;
use object::elf::{FileHeader64, PT_LOAD, SHN_UNDEF, SHT_SYMTAB, STB_LOCAL, STT_FUNC};
use object::elf::{STT_GNU_IFUNC, STT_NOTYPE, STT_OBJECT};
use object::pod::bytes_of_slice_mut;
use object::read::elf::{FileHeader, ProgramHeader, Sym};

/// Longest file that is looked into, in bytes.
const MOST: u64 = 256 << 20;

/// A name and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Its address in the task.
    pub addr: u64,
    /// Its size in bytes; 0 when the file does not say.
    pub size: u64,
    /// Its name.
    pub name: String,
    /// Of several at one address the one with the lowest rank is shown.
    rank: u8,
}

/// The program of an address space: its file, and how far from where it was linked
/// for it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    mm: MmId,
    inode: InodeId,
    size: u64,
    bias: u64,
}

/// The symbols of one program, by address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Symbols {
    table: Vec<Symbol>,
    /// End of what the program maps.
    end: u64,
}

impl Symbols {
    /// The address of a name.
    pub fn find(&self, name: &str) -> Option<u64> {
        self.table.iter().find(|s| s.name == name).map(|s| s.addr)
    }

    /// The symbol that an address belongs to, and how far into it the address is.
    pub fn at(&self, addr: u64) -> Option<(&str, u64)> {
        if addr >= self.end {
            return None;
        }
        let n = self.table.partition_point(|s| s.addr <= addr);
        let last = self.table[..n].last()?.addr;
        // Several names may have one address: those of the first rank, then the
        // first in the file.
        let first = self.table.partition_point(|s| s.addr < last);
        let s = self.table[first..n].first()?;
        let offset = addr - s.addr;
        (s.size == 0 || offset < s.size).then_some((&s.name, offset))
    }

    /// An address as it is written: `f`, `f+0x5`; `None` where there is no symbol.
    pub fn show(&self, addr: u64) -> Option<String> {
        self.at(addr).map(|(name, offset)| match offset {
            0 => name.to_string(),
            _ => format!("{name}+{offset:#x}"),
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Symbol> {
        self.table.iter()
    }
}

/// The file of a task's program and its bytes up to `len`.
fn content(sys: &System, inode: InodeId, len: u64) -> Option<Vec<u64>> {
    let InodeKind::Reg { size, pages } = &sys.kernel.inodes.get(inode)?.kind else { return None };
    let len = len.min(*size);
    if len > MOST {
        return None;
    }
    // Words, so that the structures in it are aligned.
    let mut words = vec![0u64; len.div_ceil(8) as usize];
    let bytes = bytes_of_slice_mut(&mut words);
    for (n, pfn) in pages {
        let Some(at) = n.checked_mul(PAGE_SIZE).filter(|at| *at < len) else { continue };
        let part = (len - at).min(PAGE_SIZE) as usize;
        let room = bytes.get_mut(at as usize..at as usize + part)?;
        sys.machine.mem.read(pfn.addr(), room);
    }
    Some(words)
}

/// The program of a task, where its code is mapped from an ELF file.
pub fn program(sys: &System, task: TaskId) -> Option<Program> {
    let mm = sys.kernel.tasks.get(task)?.mm?;
    let m = sys.kernel.mms.get(mm)?;
    let areas = m.mmap.values().filter(|v| v.vm_flags.contains(VmFlags::EXEC));
    for area in areas {
        let Some(file) = area.vm_file.and_then(|f| sys.kernel.filps.get(f)) else { continue };
        let FileKind::Inode(inode) = file.kind else { continue };
        let inside = area.vm_start <= m.start_code && m.start_code < area.vm_end
            || m.start_code <= area.vm_start && area.vm_start < m.end_code;
        if !inside {
            continue;
        }
        let size = sys.kernel.inodes.get(inode)?.size();
        let words = content(sys, inode, size.min(PAGE_SIZE))?;
        let bytes = object::pod::bytes_of_slice(&words);
        let header = FileHeader64::<LE>::parse(bytes).ok()?;
        let offset = area.vm_pgoff * PAGE_SIZE;
        let of_area = header.program_headers(LE, bytes).ok()?.iter().find(|p| {
            let start = p.p_offset(LE) & !(PAGE_SIZE - 1);
            p.p_type(LE) == PT_LOAD
                && start <= offset
                && offset < p.p_offset(LE).saturating_add(p.p_filesz(LE))
        })?;
        let linked = of_area.p_vaddr(LE).wrapping_add(offset).wrapping_sub(of_area.p_offset(LE));
        let bias = area.vm_start.wrapping_sub(linked) & !(PAGE_SIZE - 1);
        return Some(Program { mm, inode, size, bias });
    }
    None
}

/// The symbols of a program; none in a file that was stripped.
pub fn symbols(sys: &System, program: &Program) -> Symbols {
    read(sys, program).unwrap_or_default()
}

fn read(sys: &System, program: &Program) -> Option<Symbols> {
    let words = content(sys, program.inode, program.size)?;
    let bytes = object::pod::bytes_of_slice(&words).get(..program.size as usize)?;
    let header = FileHeader64::<LE>::parse(bytes).ok()?;
    let ends = header.program_headers(LE, bytes).ok()?.iter();
    let ends = ends.filter(|p| p.p_type(LE) == PT_LOAD);
    let end = ends.map(|p| p.p_vaddr(LE).wrapping_add(p.p_memsz(LE))).max()?;
    let sections = header.sections(LE, bytes).ok()?;
    let symtab = sections.symbols(LE, bytes, SHT_SYMTAB).ok()?;
    let mut table = Vec::new();
    for sym in symtab.iter() {
        let kind = sym.st_type();
        let named = [STT_FUNC, STT_OBJECT, STT_NOTYPE, STT_GNU_IFUNC].contains(&kind);
        if !named || sym.st_shndx(LE) == SHN_UNDEF || sym.st_shndx(LE) == object::elf::SHN_ABS {
            continue;
        }
        let Ok(name) = symtab.symbol_name(LE, sym) else { continue };
        let name = String::from_utf8_lossy(name).into_owned();
        if name.is_empty() {
            continue;
        }
        let local = u8::from(sym.st_bind() == STB_LOCAL);
        let rank = local + if kind == STT_NOTYPE { 2 } else { 0 };
        let addr = sym.st_value(LE).wrapping_add(program.bias);
        table.push(Symbol { addr, size: sym.st_size(LE), name, rank });
    }
    table.sort_by_key(|s| (s.addr, s.rank));
    Some(Symbols { table, end: end.wrapping_add(program.bias) })
}
