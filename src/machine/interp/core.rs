//! The processor while it runs user instructions: registers in the order of
//! their encoding, memory, and what stopped it.
//!
//! ```text
//! Machine::run     registers in -> Core -> registers out
//!   Core::read     a page in use: one comparison, one host load
//!     read_slow    MMU, page by page; remembers the page
//! ```
//!
//! A memory access that cannot be made leaves its reason in `trap`, and its
//! instruction has changed nothing: handlers read and write memory before they
//! change registers.
//!
//! Linux: none. Source: Intel SDM vol. 1, section 3.4; vol. 3, chapter 5.
//! Left out: ring 0.
//!
//! While alignment is checked (RFLAGS.AC), no page is remembered, so that every
//! access goes through the MMU and is looked at there.

use super::code::CodeFrames;
use super::fastmem::FastMem;
use super::flags::Flags;
use super::insn::{ADDR32, FS, GS, HIGH, Insn, ODD_ADDRESS, STACK, Trap, ZERO};
use super::soft::Soft;
use super::width::Width;
use crate::base::{PAGE_SIZE, Pfn, PhysAddr, VirtAddr};
use crate::machine::exception::Exception;
use crate::machine::fpu::FpuState;
use crate::machine::frame::Frame;
use crate::machine::mmu::{Access, translate};
use crate::machine::page::PageFlags;
use crate::machine::regs::{Cr0, Regs, Rflags, Ring};
use crate::machine::{Cpu, PhysMem};

/// Why an instruction was not executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The processor raises this.
    Exception(Exception),
    /// It accesses an address that no processor has: #GP, or #SS by way of the
    /// stack segment.
    NonCanonical,
    /// It was executed and raises this; the next one is so many bytes on.
    Trapped(Exception, u8),
    /// It was executed, and the one after it traps; that is so many bytes on.
    Steps(u8),
    /// It is SYSCALL: `ip` is at it.
    Syscall,
    /// It writes to memory that instructions were decoded from: forget those,
    /// then execute it again.
    WritesCode {
        /// The frame's number.
        pfn: u32,
    },
    /// There is no handler for it.
    Unsupported,
}

/// The processor at work.
#[derive(Debug)]
pub struct Core<'m> {
    /// General registers by their encoding, then [`ZERO`] and its kin.
    pub r: [u64; 32],
    /// RFLAGS.
    pub flags: Flags,
    /// Where to go on after a jump, and between blocks.
    pub ip: u64,
    /// x87 and SSE.
    pub fpu: &'m mut FpuState,
    /// Why the last instruction was not executed.
    pub trap: Stopped,
    /// Time-stamp counter at the beginning of the block.
    pub tsc: u64,
    /// Unaligned accesses raise #AC: RFLAGS.AC with CR0.AM.
    checked: bool,
    /// One instruction at a time: a string instruction makes one step.
    pub single: bool,
    /// The rest of the processor.
    pub cpu: &'m mut Cpu,
    mem: &'m mut PhysMem,
    fast: &'m mut FastMem,
    soft: &'m mut Soft,
    /// Frames that instructions were decoded from.
    pub code: CodeFrames,
}

/// Order of the general registers in instructions.
fn by_encoding(r: &mut Regs) -> [&mut u64; 16] {
    let Regs { ax, bx, cx, dx, si, di, bp, sp, r8, r9, r10, r11, r12, r13, r14, r15, .. } = r;
    [ax, cx, dx, bx, sp, bp, si, di, r8, r9, r10, r11, r12, r13, r14, r15]
}

impl<'m> Core<'m> {
    /// Takes the registers of a processor.
    pub fn new(
        cpu: &'m mut Cpu,
        mem: &'m mut PhysMem,
        fpu: &'m mut FpuState,
        fast: &'m mut FastMem,
        soft: &'m mut Soft,
        code: CodeFrames,
    ) -> Core<'m> {
        let mut r = [0; 32];
        for (to, from) in r.iter_mut().zip(by_encoding(&mut cpu.regs)) {
            *to = *from;
        }
        (r[usize::from(FS)], r[usize::from(GS)]) = (cpu.msrs.fs_base, cpu.msrs.gs_base);
        let mut core = Core {
            r,
            flags: Flags::from_word(cpu.regs.flags),
            ip: cpu.regs.ip,
            fpu,
            trap: Stopped::Unsupported,
            tsc: 0,
            checked: false,
            single: false,
            cpu,
            mem,
            fast,
            soft,
            code,
        };
        core.note_alignment();
        core
    }

    /// RFLAGS.AC may have changed.
    pub fn note_alignment(&mut self) {
        let flag = self.flags.system & Rflags::AC.bits() != 0;
        self.checked = flag && self.cpu.cr0.contains(Cr0::AM);
        if self.checked {
            self.fast.begin();
        }
    }

    /// Gives the registers back.
    pub fn store_regs(&mut self) {
        for (to, from) in by_encoding(&mut self.cpu.regs).into_iter().zip(self.r) {
            *to = from;
        }
        self.cpu.regs.flags = self.flags.word();
        self.cpu.regs.ip = self.ip;
    }

    /// A general register, or the part of it that `W` is.
    #[inline(always)]
    pub fn get<W: Width>(&self, n: u8) -> u64 {
        if W::BYTES == 1 && n & HIGH != 0 {
            return self.r[usize::from(n & 3)] >> 8 & 0xff;
        }
        self.r[usize::from(n & 31)] & W::MASK
    }

    /// Writes a general register, or a part of it.
    #[inline(always)]
    pub fn set<W: Width>(&mut self, n: u8, value: u64) {
        if W::BYTES == 1 && n & HIGH != 0 {
            let r = &mut self.r[usize::from(n & 3)];
            *r = *r & !0xff00 | (value & 0xff) << 8;
            return;
        }
        let r = &mut self.r[usize::from(n & 31)];
        *r = W::merge(*r, value);
    }

    /// The address of the memory operand.
    #[inline(always)]
    pub fn address(&self, i: &Insn) -> u64 {
        self.address_plus(i, 0)
    }

    /// The address so many bytes after the memory operand's.
    #[inline(always)]
    pub fn address_plus(&self, i: &Insn, bytes: u64) -> u64 {
        let base = self.r[usize::from(i.base & 31)].wrapping_add(bytes);
        let index = self.r[usize::from(i.index & 31)];
        let at = base.wrapping_add(index << (i.scale & 3)).wrapping_add(i.disp as u64);
        if i.scale & ODD_ADDRESS != 0 { self.odd_address(i, at) } else { at }
    }

    #[cold]
    fn odd_address(&self, i: &Insn, at: u64) -> u64 {
        let at = if i.seg & ADDR32 != 0 { at & 0xffff_ffff } else { at };
        at.wrapping_add(self.r[usize::from(i.seg & 31)])
    }

    /// Stops with an exception.
    #[cold]
    pub fn raise<T>(&mut self, e: Exception) -> Result<T, Trap> {
        self.trap = Stopped::Exception(e);
        Err(Trap)
    }

    /// Reads an operand from memory.
    #[inline(always)]
    pub fn load<W: Width>(&mut self, va: u64) -> Result<u64, Trap> {
        Ok(match W::BYTES {
            1 => u64::from(u8::from_le_bytes(self.read(va)?)),
            2 => u64::from(u16::from_le_bytes(self.read(va)?)),
            4 => u64::from(u32::from_le_bytes(self.read(va)?)),
            _ => u64::from_le_bytes(self.read(va)?),
        })
    }

    /// Writes an operand to memory.
    #[inline(always)]
    pub fn store<W: Width>(&mut self, va: u64, value: u64) -> Result<(), Trap> {
        match W::BYTES {
            1 => self.write(va, [value as u8]),
            2 => self.write(va, (value as u16).to_le_bytes()),
            4 => self.write(va, (value as u32).to_le_bytes()),
            _ => self.write(va, value.to_le_bytes()),
        }
    }

    /// Reads from the stack.
    #[inline(always)]
    pub fn load_stack<W: Width>(&mut self, va: u64) -> Result<u64, Trap> {
        self.load::<W>(va).map_err(|t| self.on_stack(t))
    }

    /// Writes to the stack.
    #[inline(always)]
    pub fn store_stack<W: Width>(&mut self, va: u64, value: u64) -> Result<(), Trap> {
        self.store::<W>(va, value).map_err(|t| self.on_stack(t))
    }

    /// The access that failed was by way of the stack segment.
    #[cold]
    pub fn on_stack(&mut self, t: Trap) -> Trap {
        if self.trap == Stopped::NonCanonical {
            self.trap = Stopped::Exception(Exception::StackFault { code: 0 });
        }
        t
    }

    /// An instruction was not executed: which exception a non-canonical address
    /// of its memory operand raises.
    #[cold]
    pub fn stopped(&mut self, i: &Insn) {
        if i.scale & STACK != 0 {
            self.on_stack(Trap);
        }
    }

    /// Changes an operand in memory; gives what was there. Counts as a write
    /// even if it cannot be read.
    #[inline(always)]
    pub fn update<W: Width>(
        &mut self,
        va: u64,
        change: impl FnOnce(&mut Flags, u64) -> u64,
    ) -> Result<u64, Trap> {
        macro_rules! sized {
            ($ty:ty) => {{
                let flags = &mut self.flags;
                let mut change = Some(change);
                let mut apply = |b: [u8; size_of::<$ty>()]| {
                    let old = u64::from(<$ty>::from_le_bytes(b));
                    let new = change.take().map_or(old, |c| c(flags, old));
                    (new as $ty).to_le_bytes()
                };
                if let Some(old) = self.fast.update(va, &mut apply) {
                    return Ok(u64::from(<$ty>::from_le_bytes(old)));
                }
                // Not known to be writable: ask first, then change.
                let mut old = [0; size_of::<$ty>()];
                self.probe_write(va, old.len())?;
                self.read_slow(va, &mut old)?;
                let mut flags = self.flags;
                let value = u64::from(<$ty>::from_le_bytes(old));
                let Some(change) = change.take() else { return Ok(value) };
                let new = change(&mut flags, value) as $ty;
                self.write_slow(va, &new.to_le_bytes())?;
                self.flags = flags;
                Ok(value)
            }};
        }
        match W::BYTES {
            1 => sized!(u8),
            2 => sized!(u16),
            4 => sized!(u32),
            _ => sized!(u64),
        }
    }

    /// Bytes of a page in use. `None` says nothing: [`Core::read`] does.
    #[inline(always)]
    pub fn peek<const N: usize>(&self, va: u64) -> Option<[u8; N]> {
        self.fast.read(va)
    }

    /// Writes bytes to a page in use. `false`: nothing is done, [`Core::write`] does it.
    #[inline(always)]
    pub fn poke<const N: usize>(&mut self, va: u64, bytes: [u8; N]) -> bool {
        self.fast.write(va, bytes)
    }

    /// Reads bytes.
    #[inline(always)]
    pub fn read<const N: usize>(&mut self, va: u64) -> Result<[u8; N], Trap> {
        if let Some(bytes) = self.fast.read(va) {
            return Ok(bytes);
        }
        let mut bytes = [0; N];
        self.read_slow(va, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes bytes: all or none.
    #[inline(always)]
    pub fn write<const N: usize>(&mut self, va: u64, bytes: [u8; N]) -> Result<(), Trap> {
        if self.fast.write(va, bytes) {
            return Ok(());
        }
        self.write_slow(va, &bytes)
    }

    /// Copies bytes within pages in use, as element by element would. `false`:
    /// it must be done so.
    #[inline]
    pub fn copy_run(&mut self, to: u64, from: u64, len: usize) -> bool {
        self.fast.copy(to, from, len)
    }

    /// Writes one element `n` times to a page in use. `false`: nothing is done.
    #[inline]
    pub fn fill_run<const N: usize>(&mut self, to: u64, element: [u8; N], n: usize) -> bool {
        self.fast.fill(to, element, n)
    }

    /// Reads at most a page of bytes through the MMU.
    #[cold]
    #[inline(never)]
    pub fn read_slow(&mut self, va: u64, bytes: &mut [u8]) -> Result<(), Trap> {
        let pieces = self.pieces(va, bytes.len(), Access::Read)?;
        let (head, tail) = bytes.split_at_mut(pieces[0].1);
        self.mem.read(pieces[0].0, head);
        self.mem.read(pieces[1].0, tail);
        if tail.is_empty() {
            self.remember(va, pieces[0].0, Access::Read);
        }
        Ok(())
    }

    /// Writes at most a page of bytes through the MMU.
    #[cold]
    #[inline(never)]
    pub fn write_slow(&mut self, va: u64, bytes: &[u8]) -> Result<(), Trap> {
        let pieces = self.pieces(va, bytes.len(), Access::Write)?;
        self.hold_code(&pieces)?;
        let (head, tail) = bytes.split_at(pieces[0].1);
        if !pieces.iter().all(|(at, _)| self.mem.has_own_storage(at.pfn())) {
            // The frame gets storage of its own here.
            self.fast.begin();
        }
        self.mem.write(pieces[0].0, head);
        self.mem.write(pieces[1].0, tail);
        if tail.is_empty() {
            self.remember(va, pieces[0].0, Access::Write);
        }
        Ok(())
    }

    /// Whether bytes can be written: raises what writing them would.
    pub fn probe_write(&mut self, va: u64, len: usize) -> Result<(), Trap> {
        let pieces = self.pieces(va, len, Access::Write)?;
        self.hold_code(&pieces)
    }

    /// As [`Core::probe_write`], for bytes that are written one by one.
    pub fn probe_bytes(&mut self, va: u64, len: usize) -> Result<(), Trap> {
        let checked = std::mem::replace(&mut self.checked, false);
        let probed = self.probe_write(va, len);
        self.checked = checked;
        probed
    }

    /// Whether bytes can be read: raises what reading them would.
    pub fn probe_read(&mut self, va: u64, len: usize) -> Result<(), Trap> {
        self.pieces(va, len, Access::Read).map(|_| ())
    }

    /// Stops before a write to a frame that instructions were decoded from.
    fn hold_code(&mut self, pieces: &[(PhysAddr, usize); 2]) -> Result<(), Trap> {
        for &(at, len) in pieces {
            let pfn = (at.0 >> 12) as u32;
            if len > 0 && self.code.contains(pfn) {
                self.trap = Stopped::WritesCode { pfn };
                return Err(Trap);
            }
        }
        Ok(())
    }

    /// Where the bytes are: in one page, or the second part in the next.
    fn pieces(
        &mut self,
        va: u64,
        len: usize,
        access: Access,
    ) -> Result<[(PhysAddr, usize); 2], Trap> {
        let room = (PAGE_SIZE - va % PAGE_SIZE) as usize;
        let first = len.min(room);
        // Every byte's address is looked at before any table is.
        if !self.cpu.is_canonical(va) || !self.cpu.is_canonical(va.wrapping_add(len as u64 - 1)) {
            self.trap = Stopped::NonCanonical;
            return Err(Trap);
        }
        self.check_alignment(va, len)?;
        let at = self.translate(va, access)?;
        if first == len {
            return Ok([(at, len), (at, 0)]);
        }
        let next = self.translate(va.wrapping_add(room as u64), access)?;
        Ok([(at, first), (next, len - first)])
    }

    /// #AC for an operand of so many bytes at a place where it should not be
    /// (vol. 3, table 7-7), before any table is looked at. Only operands of
    /// up to 8 bytes are checked, and the 80-bit kind (vol. 2, section 2.4).
    fn check_alignment(&mut self, va: u64, len: usize) -> Result<(), Trap> {
        let natural = match len {
            2 | 4 | 8 => len as u64,
            10 => 8,
            _ => 1,
        };
        if self.checked && !va.is_multiple_of(natural) {
            return self.raise(Exception::AlignmentCheck);
        }
        Ok(())
    }

    fn translate(&mut self, va: u64, access: Access) -> Result<PhysAddr, Trap> {
        if let Some(pfn) = self.soft.get(va, access) {
            return Ok(PhysAddr(pfn.addr().0 | (va % PAGE_SIZE)));
        }
        let marked = self.cpu.tlb.stats.marked;
        let at = translate(self.cpu, self.mem, VirtAddr(va), access, Ring::User);
        if self.cpu.tlb.stats.marked != marked {
            // The walk has written to page tables.
            self.fast.begin();
        }
        match at {
            Ok(at) => {
                self.soft.insert(va, access, at.pfn());
                Ok(at)
            }
            Err(e) => self.raise(e),
        }
    }

    /// Makes the next access to the page fast, if nothing speaks against it.
    fn remember(&mut self, va: u64, at: PhysAddr, access: Access) {
        if self.checked {
            return;
        }
        let pfn = at.pfn();
        let odd = PageFlags::PGTABLE | PageFlags::KSTACK;
        if self.mem.page(pfn).flags.intersects(odd) {
            return;
        }
        match access {
            Access::Write => {
                if let Ok(frame) = self.mem.frame_mut(pfn) {
                    self.fast.insert_write(va, frame.dense_mut());
                }
            }
            _ => {
                // Making it dense moves it.
                if !self.mem.frame(pfn).is_ok_and(|f| f.as_dense().is_some()) {
                    self.fast.begin();
                    if let Ok(frame) = self.mem.frame_mut(pfn) {
                        frame.make_dense();
                    }
                }
                if let Some(words) = self.mem.frame(pfn).ok().and_then(|f| f.as_dense()) {
                    self.fast.insert_read(va, words);
                }
            }
        }
    }

    /// Bytes of instructions from `va` to the end of its page, and where they
    /// are. Used by the decoder; counts as a fetch.
    pub fn fetch(&mut self, va: u64) -> Result<PhysAddr, Trap> {
        if !self.cpu.is_canonical(va) {
            return self.raise(Exception::GP);
        }
        self.translate(va, Access::Exec)
    }

    /// A frame became one with code: writes to it are to be seen.
    pub fn protect(&mut self, pfn: Pfn) {
        if let Some(words) = self.mem.frame(pfn).ok().and_then(|f| f.as_dense()) {
            self.fast.protect(words);
        }
    }

    /// What a frame holds now.
    pub fn frame(&self, pfn: Pfn) -> Frame {
        self.mem.frame(pfn).cloned().unwrap_or_default()
    }

    /// Memory by physical address.
    pub fn phys(&self) -> &PhysMem {
        self.mem
    }

    /// A base register of no segment reads as 0.
    pub fn assert_zero(&self) {
        debug_assert_eq!(self.r[usize::from(ZERO)], 0, "somebody wrote to the zero register");
    }
}
