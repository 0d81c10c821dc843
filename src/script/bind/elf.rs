//! `elf(#{…})`: the bytes of an ELF file, and `machine.add_file`: a file in the
//! machine's tree. Together they give execve something to load, well-formed or
//! not.
//!
//! ```text
//! elf(#{ entry: 0x401000, segments: [
//!     #{ vaddr: 0x401000, flags: "r-x", data: code },
//!     #{ vaddr: 0x402000, flags: "rw-", data: "hello", memsz: 0x2000 },
//! ] })
//! ```
//!
//! Linux: elf(5). Left out: relocations, debug information; a compiler makes those.

use object::elf::{
    ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_X86_64, ET_DYN, ET_EXEC, EV_CURRENT, FileHeader64,
    FileType, Ident, Machine as ElfMachine, PF_R, PF_W, PF_X, PT_LOAD, ProgramFlags,
    ProgramHeader64, ProgramType, SHT_NULL, SHT_STRTAB, SHT_SYMTAB, STB_GLOBAL, STT_FUNC,
    SectionFlags, SectionHeader64, SectionType, Sym64, SymbolInfo, SymbolOther, SymbolSection,
};
use object::pod::bytes_of;
use object::{LittleEndian as LE, U16, U32, U64};
use rhai::{Array, Blob, Dynamic, ImmutableString, Map};

use super::args::{self, Named};
use super::registry::{Book, Raised, functions};
use super::world::Machine;
use crate::base::PAGE_SIZE;
use crate::kernel::fs::rootfs;
use crate::script::errors::ScriptError;

/// Largest file that a script can make, in bytes.
const MOST: u64 = 64 << 20;

/// A segment, and where its bytes go in the file.
struct Segment {
    header: ProgramHeader64<LE>,
    data: Vec<u8>,
    offset: u64,
}

/// A number as a field of the header that is narrower than it.
fn fits<T: TryFrom<u64>>(what: &str, number: u64) -> Result<T, ScriptError> {
    T::try_from(number).map_err(|_| {
        let bits = 8 * size_of::<T>();
        ScriptError::usage(format!("{what}: {number:#x} does not fit in {bits} bits"))
    })
}

/// Access rights: `"r-x"`, or the bits of `p_flags`.
fn rights(value: &Dynamic) -> Result<u32, ScriptError> {
    let Ok(text) = value.clone().into_immutable_string() else {
        return fits("elf flags", args::word("elf flags", value)?);
    };
    let bit = |letter| match letter {
        'r' => Some(PF_R.0),
        'w' => Some(PF_W.0),
        'x' => Some(PF_X.0),
        '-' => Some(0),
        _ => None,
    };
    text.chars().try_fold(0, |bits, letter| Some(bits | bit(letter)?)).ok_or_else(|| {
        ScriptError::usage(format!("elf flags: {text:?} is not made of r, w, x and -"))
    })
}

fn segment(map: &Map, end: &mut u64) -> Result<Segment, ScriptError> {
    let mut named = Named::new("elf segment", map);
    let vaddr = named.word("vaddr", 0)?;
    let data = match named.get("data") {
        Some(data) => args::bytes("elf data", data)?,
        None => Vec::new(),
    };
    let flags = match named.get("flags") {
        Some(flags) => rights(flags)?,
        None => PF_R.0,
    };
    // The next place in the file that lies in its page as the address does.
    let next = *end + (vaddr.wrapping_sub(*end)) % PAGE_SIZE;
    let offset = named.word("offset", if data.is_empty() { 0 } else { next })?;
    let filesz = named.word("filesz", data.len() as u64)?;
    let header = ProgramHeader64 {
        p_type: U32::new(
            LE,
            ProgramType(fits("segment type", named.word("type", PT_LOAD.0.into())?)?),
        ),
        p_flags: U32::new(LE, ProgramFlags(flags)),
        p_offset: U64::new(LE, offset),
        p_vaddr: U64::new(LE, vaddr),
        p_paddr: U64::new(LE, vaddr),
        p_filesz: U64::new(LE, filesz),
        p_memsz: U64::new(LE, named.word("memsz", filesz)?),
        p_align: U64::new(LE, named.word("align", PAGE_SIZE)?),
    };
    named.finish()?;
    if !data.is_empty() {
        *end = (*end).max(offset.saturating_add(data.len() as u64));
    }
    if *end > MOST {
        return Err(ScriptError::usage(format!("elf: the file would be longer than {MOST} bytes")));
    }
    Ok(Segment { header, data, offset })
}

/// The bytes of a file.
fn build(map: &Map) -> Result<Blob, ScriptError> {
    let mut named = Named::new("elf", map);
    let ty = match named.get("type").map(|v| (v.clone().into_immutable_string(), v)) {
        None => ET_EXEC.0,
        Some((Ok(name), _)) => match name.as_str() {
            "exec" => ET_EXEC.0,
            "dyn" => ET_DYN.0,
            other => {
                let message = format!("elf type: \"exec\", \"dyn\" or a number, not {other:?}");
                return Err(ScriptError::usage(message));
            }
        },
        Some((Err(_), v)) => fits("elf type", args::word("elf type", v)?)?,
    };
    let segments = match named.get("segments") {
        Some(v) => v
            .read_lock::<Array>()
            .map(|a| a.clone())
            .ok_or_else(|| ScriptError::usage("elf segments: an array of maps".to_string()))?,
        None => Array::new(),
    };
    let symbols = match named.get("symbols") {
        Some(v) => {
            let Some(map) = v.read_lock::<Map>() else {
                let message = "elf symbols: a map of names and addresses".to_string();
                return Err(ScriptError::usage(message));
            };
            let one = |(name, addr): (_, &Dynamic)| -> Result<_, ScriptError> {
                Ok((format!("{name}"), args::word("elf symbols", addr)?))
            };
            map.iter().map(one).collect::<Result<Vec<(String, u64)>, _>>()?
        }
        None => Vec::new(),
    };
    let (ehsize, phentsize) = (size_of::<FileHeader64<LE>>(), size_of::<ProgramHeader64<LE>>());
    let phoff = named.word("phoff", ehsize as u64)?;
    let table = (ehsize + segments.len() * phentsize) as u64;
    let mut end = table.max(phoff.min(MOST).saturating_add(table));
    let mut made = Vec::new();
    for value in &segments {
        let Some(map) = value.read_lock::<Map>() else {
            return Err(ScriptError::usage("elf segments: an array of maps".to_string()));
        };
        made.push(segment(&map, &mut end)?);
    }
    let mut header = FileHeader64 {
        e_ident: Ident {
            magic: ELFMAG,
            class: ELFCLASS64,
            data: ELFDATA2LSB,
            version: EV_CURRENT,
            os_abi: object::elf::ELFOSABI_SYSV,
            abi_version: 0,
            padding: [0; 7],
        },
        e_type: U16::new(LE, FileType(ty)),
        e_machine: U16::new(
            LE,
            ElfMachine(fits("elf machine", named.word("machine", EM_X86_64.0.into())?)?),
        ),
        e_version: U32::new(LE, EV_CURRENT.0.into()),
        e_entry: U64::new(LE, named.word("entry", 0)?),
        e_phoff: U64::new(LE, phoff),
        e_shoff: U64::new(LE, 0),
        e_flags: U32::new(LE, object::elf::FileFlags(0)),
        e_ehsize: U16::new(LE, ehsize as u16),
        e_phentsize: U16::new(
            LE,
            fits("elf phentsize", named.word("phentsize", phentsize as u64)?)?,
        ),
        e_phnum: U16::new(LE, fits("elf phnum", named.word("phnum", made.len() as u64)?)?),
        e_shentsize: U16::new(LE, 0),
        e_shnum: U16::new(LE, 0),
        e_shstrndx: U16::new(LE, object::elf::SymbolSection(0)),
    };
    named.finish()?;
    let sections = if symbols.is_empty() {
        Vec::new()
    } else {
        end = end.next_multiple_of(16);
        let (tables, shoff) = symbol_sections(&symbols, end);
        header.e_shoff = U64::new(LE, shoff);
        header.e_shnum = U16::new(LE, SECTIONS);
        // The names of the sections are in the other strings; there are none.
        header.e_shstrndx = U16::new(LE, object::elf::SymbolSection(SECTIONS - 1));
        header.e_shentsize = U16::new(LE, size_of::<SectionHeader64<LE>>() as u16);
        tables
    };
    let tables = end;
    end = end.saturating_add(sections.len() as u64);
    let mut file = vec![0; end.min(MOST) as usize];
    let mut put = |at: u64, bytes: &[u8]| {
        let Ok(at) = usize::try_from(at) else { return };
        if let Some(room) = at.checked_add(bytes.len()).and_then(|end| file.get_mut(at..end)) {
            room.copy_from_slice(bytes);
        }
    };
    for segment in &made {
        put(segment.offset, &segment.data);
    }
    for (i, segment) in made.iter().enumerate() {
        put(phoff.saturating_add((i * phentsize) as u64), bytes_of(&segment.header));
    }
    put(tables, &sections);
    put(0, bytes_of(&header));
    Ok(file)
}

/// The null section, .symtab and .strtab.
const SECTIONS: u16 = 3;

/// Symbols as a linker would leave them: two tables and the section headers, to be
/// put at `at`. Gives also where the headers are.
fn symbol_sections(symbols: &[(String, u64)], at: u64) -> (Vec<u8>, u64) {
    let (mut names, mut table) = (vec![0u8], Vec::new());
    let mut add = |name: u32, info: SymbolInfo, section: SymbolSection, addr: u64| {
        let sym = Sym64 {
            st_name: U32::new(LE, name),
            st_info: info,
            st_other: SymbolOther(0),
            st_shndx: U16::new(LE, section),
            st_value: U64::new(LE, addr),
            st_size: U64::new(LE, 0),
        };
        table.extend_from_slice(bytes_of(&sym));
    };
    add(0, SymbolInfo(0), SymbolSection(0), 0);
    for (name, addr) in symbols {
        // Not of any section that there is: all that counts is that it is defined.
        add(names.len() as u32, SymbolInfo::new(STB_GLOBAL, STT_FUNC), SymbolSection(1), *addr);
        names.extend_from_slice(name.as_bytes());
        names.push(0);
    }
    let section =
        |ty: SectionType, offset: u64, size: u64, link: u32, entsize: u64| SectionHeader64::<LE> {
            sh_name: U32::new(LE, 0),
            sh_type: U32::new(LE, ty),
            sh_flags: U64::new(LE, SectionFlags(0)),
            sh_addr: U64::new(LE, 0),
            sh_offset: U64::new(LE, offset),
            sh_size: U64::new(LE, size),
            sh_link: U32::new(LE, link),
            sh_info: U32::new(LE, link.min(1)),
            sh_addralign: U64::new(LE, 1),
            sh_entsize: U64::new(LE, entsize),
        };
    let mut bytes = table;
    let strings = at + bytes.len() as u64;
    let symtab = section(SHT_SYMTAB, at, bytes.len() as u64, 2, size_of::<Sym64<LE>>() as u64);
    bytes.extend_from_slice(&names);
    let strtab = section(SHT_STRTAB, strings, names.len() as u64, 0, 0);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let shoff = at + bytes.len() as u64;
    for header in [section(SHT_NULL, 0, 0, 0, 0), symtab, strtab] {
        bytes.extend_from_slice(bytes_of(&header));
    }
    (bytes, shoff)
}

fn add_file(m: &Machine, path: &str, content: &Dynamic, mode: u64) -> Raised<()> {
    let bytes = args::bytes("add_file: content", content)?;
    if mode & !0o7777 != 0 {
        return Err(ScriptError::usage(format!("add_file: {mode:o} is no mode of a file")).into());
    }
    let made = m.write(|sys| rootfs::add_file(sys, path, &bytes, mode as u32));
    Ok(made.map_err(|e| ScriptError::usage(format!("add_file: {}", e.why)))?)
}

/// Registers both.
pub(super) fn register(book: &mut Book) {
    functions! { book;
        /// The bytes of an ELF file: #{type: "exec" or "dyn", entry, segments:
        /// [#{vaddr, flags: "r-x", data, memsz, offset, filesz, align, type}],
        /// symbols: #{main: 0x401000}}.
        /// What is left out is as a linker would make it; `machine`, `phoff`,
        /// `phnum` and `phentsize` are for files that are wrong on purpose.
        "elf(what: map) -> blob" => |map: Map| -> Raised<Blob> { Ok(build(&map)?) };
        /// Adds a file to the machine's tree, with directories on the way, as
        /// if it had been there since boot; owned by root, mode 0644.
        "add_file(machine: Machine, path: string, content: blob|string)" =>
            |m: &mut Machine, path: ImmutableString, content: Dynamic| -> Raised<()> {
                add_file(m, &path, &content, 0o644)
            };
        /// The same with permission bits: 0o755 for a program.
        "add_file(machine: Machine, path: string, content: blob|string, mode: int)" =>
            |m: &mut Machine, path: ImmutableString, content: Dynamic, mode: i64| -> Raised<()> {
                add_file(m, &path, &content, mode as u64)
            };
    }
}
