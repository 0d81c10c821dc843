//! Static ELF programs made here, byte by byte, so that tests need no compiler.
//!
//! ```text
//! file   0     64         232            0x1000            0x2000
//!        EHDR  3 x PHDR   code           data              end
//! memory TEXT ..................         DATA ...  BSS zeros
//! ```
//!
//! Linux: none; elf(5). Left out: sections, symbols, relocations.

/// Where the file's first byte is in memory.
pub const TEXT: u64 = 0x40_0000;
/// Bytes of the headers; the code is behind them.
pub const HEADERS: usize = 64 + 3 * 56;
/// Where the first instruction is.
pub const ENTRY: u64 = TEXT + HEADERS as u64;
/// Where the writable segment is.
pub const DATA: u64 = 0x60_0000;
/// Bytes of the writable segment; the first [`FILE_DATA`] are the file's.
pub const DATA_SIZE: u64 = 0x4_0000;
/// Bytes of the writable segment that are in the file.
pub const FILE_DATA: usize = 0x1000;

/// Numbers of registers as instructions hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names")]
pub enum R {
    Ax = 0,
    Cx = 1,
    Dx = 2,
    Bx = 3,
    Sp = 4,
    Bp = 5,
    Si = 6,
    Di = 7,
    R8 = 8,
    R9 = 9,
    R10 = 10,
    R12 = 12,
    R13 = 13,
    R14 = 14,
    R15 = 15,
}

/// Registers of a call's arguments.
const ARGS: [R; 6] = [R::Di, R::Si, R::Dx, R::R10, R::R8, R::R9];

/// A place in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label(usize);

/// Instructions, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Asm {
    bytes: Vec<u8>,
    /// Where a label is, once it is known.
    labels: Vec<Option<usize>>,
    /// Ends of 32-bit distances to labels.
    fixups: Vec<(usize, usize)>,
}

impl Asm {
    pub fn new() -> Asm {
        Asm::default()
    }

    /// Instructions as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Asm {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Address of the next instruction.
    pub fn here(&self) -> u64 {
        ENTRY + self.bytes.len() as u64
    }

    /// A label to be placed later.
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label is here.
    pub fn place(&mut self, label: Label) -> &mut Asm {
        self.labels[label.0] = Some(self.bytes.len());
        self
    }

    /// A new label that is here.
    pub fn mark(&mut self) -> Label {
        let label = self.label();
        self.place(label);
        label
    }

    /// MOV r64, imm64.
    pub fn mov(&mut self, r: R, value: u64) -> &mut Asm {
        self.raw(&[0x48 | (r as u8 >> 3), 0xb8 | r as u8 & 7]).raw(&value.to_le_bytes())
    }

    /// MOV r64, r64.
    pub fn copy(&mut self, to: R, from: R) -> &mut Asm {
        let rex = 0x48 | (from as u8 >> 3) << 2 | to as u8 >> 3;
        self.raw(&[rex, 0x89, 0xc0 | (from as u8 & 7) << 3 | to as u8 & 7])
    }

    /// ADD r64, imm32.
    pub fn add(&mut self, r: R, value: i32) -> &mut Asm {
        self.raw(&[0x48 | r as u8 >> 3, 0x81, 0xc0 | r as u8 & 7]).raw(&value.to_le_bytes())
    }

    /// CMP r64, imm32.
    pub fn cmp(&mut self, r: R, value: i32) -> &mut Asm {
        self.raw(&[0x48 | r as u8 >> 3, 0x81, 0xf8 | r as u8 & 7]).raw(&value.to_le_bytes())
    }

    /// MOV [address], r64.
    pub fn store(&mut self, at: u64, r: R) -> &mut Asm {
        self.raw(&[0x48 | (r as u8 >> 3) << 2, 0x89, 0x04 | (r as u8 & 7) << 3, 0x25])
            .raw(&(at as u32).to_le_bytes())
    }

    fn distance(&mut self, opcode: &[u8], to: Label) -> &mut Asm {
        self.raw(opcode).raw(&[0; 4]);
        self.fixups.push((self.bytes.len(), to.0));
        self
    }

    pub fn jmp(&mut self, to: Label) -> &mut Asm {
        self.distance(&[0xe9], to)
    }

    pub fn call(&mut self, to: Label) -> &mut Asm {
        self.distance(&[0xe8], to)
    }

    /// Jumps if equal, or zero.
    pub fn je(&mut self, to: Label) -> &mut Asm {
        self.distance(&[0x0f, 0x84], to)
    }

    /// Jumps if not equal, or not zero.
    pub fn jne(&mut self, to: Label) -> &mut Asm {
        self.distance(&[0x0f, 0x85], to)
    }

    /// Jumps if negative.
    pub fn js(&mut self, to: Label) -> &mut Asm {
        self.distance(&[0x0f, 0x88], to)
    }

    /// TEST RAX, RAX.
    pub fn test(&mut self) -> &mut Asm {
        self.raw(&[0x48, 0x85, 0xc0])
    }

    /// A system call.
    pub fn sys(&mut self, nr: u64, args: &[u64]) -> &mut Asm {
        for (r, value) in ARGS.into_iter().zip(args) {
            self.mov(r, *value);
        }
        self.mov(R::Ax, nr).syscall()
    }

    pub fn syscall(&mut self) -> &mut Asm {
        self.raw(&[0x0f, 0x05])
    }

    /// exit_group(value).
    pub fn exit(&mut self, code: u64) -> &mut Asm {
        self.sys(231, &[code])
    }

    /// exit_group(-RAX): the errno of the last call.
    pub fn exit_errno(&mut self) -> &mut Asm {
        // neg rax ; mov rdi, rax
        self.raw(&[0x48, 0xf7, 0xd8]).copy(R::Di, R::Ax).mov(R::Ax, 231).syscall()
    }

    /// The instructions' bytes.
    pub fn code(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for (end, label) in &self.fixups {
            let to = self.labels[*label].expect("every label is placed");
            let distance = to as i32 - *end as i32;
            bytes[end - 4..*end].copy_from_slice(&distance.to_le_bytes());
        }
        bytes
    }

    /// A program of them.
    pub fn elf(&self) -> Vec<u8> {
        program(&self.code(), &[], 5)
    }

    /// A program of them that begins its data so.
    pub fn elf_with(&self, data: &[u8]) -> Vec<u8> {
        program(&self.code(), data, 5)
    }
}

/// A program with this code and data; `flags` are those of the text segment.
pub fn program(code: &[u8], data: &[u8], flags: u32) -> Vec<u8> {
    assert!(HEADERS + code.len() <= 0x1000 && data.len() <= FILE_DATA, "they fit");
    let mut f = vec![0; 0x1000 + FILE_DATA];
    let mut put = |at: usize, bytes: &[u8]| f[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    // ET_EXEC, EM_X86_64, EV_CURRENT
    put(16, &[2, 0, 62, 0, 1, 0, 0, 0]);
    put(24, &ENTRY.to_le_bytes());
    put(32, &64u64.to_le_bytes());
    // e_ehsize, e_phentsize, e_phnum
    put(52, &[64, 0, 56, 0, 3, 0]);
    let size = FILE_DATA as u64;
    let segments = [
        (1, flags, 0, TEXT, 0x1000, 0x1000, 0x1000),
        (1, 6, 0x1000, DATA, size, DATA_SIZE, 0x1000),
        (0x6474_e551, 6, 0, 0, 0, 0, 16),
    ];
    for (n, (ty, flags, offset, vaddr, filesz, memsz, align)) in segments.into_iter().enumerate() {
        let at = 64 + 56 * n;
        put(at, &u32::to_le_bytes(ty));
        put(at + 4, &u32::to_le_bytes(flags));
        for (i, word) in [offset, vaddr, vaddr, filesz, memsz, align].into_iter().enumerate() {
            put(at + 8 + 8 * i, &u64::to_le_bytes(word));
        }
    }
    put(HEADERS, code);
    put(0x1000, data);
    f
}
