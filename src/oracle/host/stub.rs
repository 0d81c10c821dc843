//! The program that tasks on the host run: a loop that waits for a command,
//! does it, and says what came of it. The file is built here at run time.
//!
//! ```text
//! 0x400000  ELF header, the loop, one entry a handler, the program's name  r-x
//! 0x405000  the script's variables                                         rw-
//! CONTROL   a bell, then one slot a task; shared with the supervisor       rw-
//! PRIVATE   buffers for calls and stacks for signal frames, one a slot     rw-
//! ```
//!
//! It has no libc, no thread-local data and no stack of its own: registers and
//! the slot are all it uses, so a task that clone(2) makes, with whatever flags,
//! needs nothing but another slot. GS points to the slot, because a signal frame
//! keeps all other registers, and a task that was made in a handler goes on with
//! a copy of its creator's frames.
//!
//! ```text
//! wait for a command               all signals blocked
//!   copy what the call reads       from the slot to PRIVATE
//!   set the script's mask
//!     SYSCALL, or MOV              a handler may begin here, and only here
//!   block all signals
//!   copy what the call stored      from PRIVATE to the slot
//! ring the bell
//! ```
//!
//! A handler is real: it tells its signal and runs the same loop on the kernel's
//! frame until it is told to return.
//!
//! Left out: faults of the loop itself; its memory is kept from scripts.

mod code;

/// Tasks that there may be at once, with those that each is about to make.
pub(super) const SLOTS: usize = 576;
/// Bytes of a slot: a page of registers, then data.
pub(super) const SLOT_BYTES: u64 = 0x2_0000;
/// Where a slot's data begins.
pub(super) const SLOT_DATA: u64 = 0x1000;
/// Most bytes that a call can take or give.
pub(super) const DATA_BYTES: u64 = SLOT_BYTES - SLOT_DATA;
/// Where the bell and the slots are mapped in every task.
pub(super) const CONTROL: u64 = 0x6000_0000_0000;
/// Bytes before the first slot.
pub(super) const BELL_BYTES: u64 = 0x1000;
pub(super) const CONTROL_BYTES: u64 = BELL_BYTES + SLOTS as u64 * SLOT_BYTES;
/// Buffers and stacks.
const PRIVATE: u64 = 0x6100_0000_0000;
/// Of a slot: its buffer, then its stack.
const PRIVATE_EACH: u64 = SLOT_BYTES + STACK_BYTES;
const STACK_BYTES: u64 = 0x1_0000;
const PRIVATE_BYTES: u64 = SLOTS as u64 * PRIVATE_EACH;
/// The descriptor of the control memory, which all tasks inherit. Above the
/// limit for descriptors, so that a script's own never get there.
pub(super) const CONTROL_FD: i32 = 1100;

/// Where the program begins, and its variables, as on the model.
const TEXT: u64 = 0x40_0000;
const CODE: u64 = 0x200;
const HANDLERS: u64 = 0x1000;
/// Bytes of a handler's entry: MOV and JMP.
const HANDLER_BYTES: u64 = 10;
/// Functions that can be handlers.
pub(super) const MOST_FUNCTIONS: u32 = 1000;
const NAME: u64 = 0x3c00;
/// Bytes of the program's name that are kept.
pub(super) const NAME_BYTES: u64 = 0x400;
const TEXT_BYTES: u64 = 0x4000;
/// Where the script's variables begin.
pub(super) const DATA: u64 = 0x40_5000;
/// Bytes of them.
pub(super) const VARIABLES: u64 = 1 << 20;

/// Where the buffer of a slot is.
pub(super) fn buffer(slot: usize) -> u64 {
    PRIVATE + slot as u64 * PRIVATE_EACH
}

/// The stack of a slot, by its upper end.
pub(super) fn stack_top(slot: usize) -> u64 {
    buffer(slot) + PRIVATE_EACH
}

/// Where a slot is mapped.
pub(super) fn slot_address(slot: usize) -> u64 {
    CONTROL + BELL_BYTES + slot as u64 * SLOT_BYTES
}

/// Where stacks may be that the kernel makes (RLIMIT_STACK, and no
/// randomisation): mappings lie below.
const STACKS: u64 = 0x7fff_f7ff_f000;
const USER_END: u64 = 0x7fff_ffff_f000;

/// Whether a range has nothing of the stub's in it.
pub(super) fn is_free_for_scripts(addr: u64, len: u64) -> bool {
    // A range that wraps is for the kernel to refuse.
    let end = addr.saturating_add(len.max(1));
    let apart = |from: u64, to: u64| end <= from || to <= addr;
    apart(TEXT, TEXT + TEXT_BYTES)
        && apart(CONTROL, CONTROL + CONTROL_BYTES)
        && apart(PRIVATE, PRIVATE + PRIVATE_BYTES)
        && apart(STACKS, USER_END)
}

/// Offsets in a slot.
pub(super) mod at {
    /// What GS points to: the slot itself.
    pub const SELF: usize = 0x00;
    pub const STATE: usize = 0x08;
    pub const TID: usize = 0x0c;
    pub const REPORT: usize = 0x10;
    pub const OP: usize = 0x14;
    pub const RET: usize = 0x18;
    pub const NR: usize = 0x20;
    pub const ARGS: usize = 0x28;
    pub const IN_LEN: usize = 0x58;
    pub const IN_TO: usize = 0x60;
    pub const OUT_LEN: usize = 0x68;
    pub const OUT_FROM: usize = 0x70;
    pub const CHILD: usize = 0x78;
    pub const MASK: usize = 0x80;
    pub const SIG: usize = 0x88;
    pub const FUNCTION: usize = 0x8c;
    pub const SP: usize = 0x90;
}

/// Whose turn it is: what a slot's `STATE` holds.
pub(super) mod state {
    /// Nobody's: no task, or one that has not begun.
    pub const NONE: u32 = 0;
    /// The task's: there is a command.
    pub const COMMAND: u32 = 1;
    /// The supervisor's: there is a report.
    pub const REPORT: u32 = 2;
}

/// Bytes of a call of a list.
pub(super) const LISTED: u64 = 64;
/// Stands for a slot: the task that the call makes ends at once.
pub(super) const ENDS: u64 = 1;

/// A call of a list, as it lies in a slot's data. A task that it makes goes to
/// the slot `child`, or ends at once ([`ENDS`]).
pub(super) fn listed(nr: u64, args: [u64; 6], child: u64) -> [u8; LISTED as usize] {
    let [a, b, c, d, e, f] = args;
    let mut bytes = [0; LISTED as usize];
    for (place, word) in bytes.chunks_exact_mut(8).zip([nr, a, b, c, d, e, f, child]) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// What a report says.
pub(super) mod report {
    /// A call or an instruction is done.
    pub const DONE: u32 = 1;
    /// A handler has begun.
    pub const HANDLER: u32 = 2;
    /// A task that clone has made is there.
    pub const BORN: u32 = 3;
    /// A program has begun.
    pub const PROGRAM: u32 = 4;
}

/// What a command asks for.
pub(super) mod op {
    /// A system call.
    pub const SYSCALL: u32 = 1;
    /// Return from a handler.
    pub const RETURN: u32 = 2;
    /// Several system calls, one after the other, with all signals blocked:
    /// see [`super::listed`].
    pub const LIST: u32 = 3;
    /// The first instruction: four widths each of MOV from memory, MOV to
    /// memory, XCHG, LOCK XADD, LOCK CMPXCHG.
    pub const LOAD: u32 = 16;
    pub const STORE: u32 = 20;
    pub const EXCHANGE: u32 = 24;
    pub const ADD: u32 = 28;
    pub const COMPARE_EXCHANGE: u32 = 32;
}

/// The address of the handler that stands for a function.
pub(super) fn handler(function: u32) -> u64 {
    TEXT + HANDLERS + u64::from(function) * HANDLER_BYTES
}

/// The function that a handler's address stands for.
pub(super) fn function_of(handler: u64) -> Option<u32> {
    let index = handler.checked_sub(TEXT + HANDLERS)? / HANDLER_BYTES;
    u32::try_from(index).ok().filter(|i| *i < MOST_FUNCTIONS)
}

/// Makes a slot's name of its number: the first string of the environment.
pub(super) fn slot_name(slot: usize) -> [u8; 3] {
    [(slot & 0x7f) as u8 + 1, (slot >> 7) as u8 + 1, 0]
}

/// Where the kernel maps the vDSO, if that is known: begin and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Vdso(pub(super) u64, pub(super) u64);

/// The ELF file of a program.
pub(super) fn image(name: &str, vdso: Vdso) -> Vec<u8> {
    let mut file = vec![0u8; TEXT_BYTES as usize];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    let code = code::code();
    put(CODE as usize, code);
    let at = CODE as usize + code::vdso_at();
    put(at, &vdso.0.to_le_bytes());
    put(at + 8, &vdso.1.to_le_bytes());
    let common = CODE + code::handler_at() as u64;
    for i in 0..MOST_FUNCTIONS {
        let at = HANDLERS + u64::from(i) * HANDLER_BYTES;
        let jump = common.wrapping_sub(at + HANDLER_BYTES) as u32;
        // MOV EAX, imm32; JMP rel32.
        put(at as usize, &[0xb8]);
        put(at as usize + 1, &i.to_le_bytes());
        put(at as usize + 5, &[0xe9]);
        put(at as usize + 6, &jump.to_le_bytes());
    }
    let name = name.as_bytes();
    put(NAME as usize, &name[..name.len().min(NAME_BYTES as usize - 1)]);
    put(0, &header());
    file
}

/// ELF header and program headers: text, variables, a stack that is not
/// executable.
fn header() -> Vec<u8> {
    const PT_LOAD: u32 = 1;
    const PT_GNU_STACK: u32 = 0x6474_e551;
    const PAGE: u64 = 0x1000;
    let (r, w, x) = (4u32, 2u32, 1u32);
    let mut h = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // ET_EXEC, EM_X86_64, EV_CURRENT; entry, program headers, no sections.
    h.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    for word in [TEXT + CODE, 64, 0] {
        h.extend(word.to_le_bytes());
    }
    h.extend([0, 0, 0, 0, 64, 0, 56, 0, 3, 0, 64, 0, 0, 0, 0, 0]);
    let segments = [
        (PT_LOAD, r | x, TEXT, TEXT_BYTES, TEXT_BYTES),
        (PT_LOAD, r | w, DATA, 0, VARIABLES),
        (PT_GNU_STACK, r | w, 0, 0, 0),
    ];
    for (kind, flags, at, in_file, in_memory) in segments {
        h.extend(kind.to_le_bytes());
        h.extend(flags.to_le_bytes());
        for word in [at % PAGE, at, at, in_file, in_memory, PAGE] {
            h.extend(word.to_le_bytes());
        }
    }
    h
}
