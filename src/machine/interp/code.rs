//! Decoded code, kept by the frame it was read from.
//!
//! ```text
//! JumpCache  virtual address -> block     while a run lasts
//! CodePage   offset in frame -> block     while the frame's content is the same
//! Block      instructions up to a jump, or the end of the page
//! ```
//!
//! A page keeps a copy of its frame, which shares the bytes (see
//! `machine::frame`). Whoever writes to the frame, the kernel, a script or an
//! instruction, unshares them, and that the frame is another one is seen when
//! the page is used next. Within a run, a write to a frame in [`CodeFrames`]
//! stops the instruction first (`Stopped::WritesCode`).
//!
//! All this is a cache: it is not part of a machine's value (see `Accel`).
//!
//! Linux: none. Source: Intel SDM vol. 3, section 13.6 (self-modifying code).
//! Left out: blocks across pages: an instruction that crosses is a block by
//! itself.

use super::insn::Insn;
use crate::base::Pfn;
use crate::machine::frame::Frame;

/// Most instructions in a block.
pub const BLOCK_MAX: usize = 64;
/// When more instructions than this are kept, all are forgotten.
const INSNS_MAX: usize = 2 << 20;
/// Entries of the jump cache, direct-mapped.
const JUMPS: usize = 4096;

/// Instructions that follow each other in one page.
#[derive(Debug)]
pub struct Block {
    /// They.
    pub insns: Box<[Insn]>,
}

/// Frames that instructions were decoded from.
#[derive(Debug, Default)]
pub struct CodeFrames {
    bits: Vec<u64>,
}

impl CodeFrames {
    /// Whether instructions were decoded from this frame.
    #[inline]
    pub fn contains(&self, pfn: u32) -> bool {
        self.bits.get(pfn as usize / 64).is_some_and(|w| w >> (pfn % 64) & 1 != 0)
    }

    fn insert(&mut self, pfn: u32) {
        let word = pfn as usize / 64;
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (pfn % 64);
    }

    fn remove(&mut self, pfn: u32) {
        if let Some(w) = self.bits.get_mut(pfn as usize / 64) {
            *w &= !(1 << (pfn % 64));
        }
    }
}

/// An instruction whose bytes lie in two frames.
#[derive(Debug, Clone)]
pub struct Crossing {
    /// Offset of its first byte.
    pub at: u16,
    /// The frame with its last bytes.
    pub next: Frame,
    /// It.
    pub block: u32,
}

/// What was decoded from one frame.
#[derive(Debug)]
pub struct CodePage {
    /// The frame as it was then.
    frame: Frame,
    /// Number of the block that begins at each offset, plus 1.
    starts: Box<[u32; 4096]>,
    /// The last instruction, if it crosses into the next page.
    pub crossing: Option<Crossing>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Jump {
    ip: u64,
    run: u32,
    block: u32,
    pfn: u32,
}

/// All decoded code.
#[derive(Debug)]
pub struct Code {
    pages: Vec<Option<Box<CodePage>>>,
    blocks: Vec<Block>,
    insns: usize,
    jumps: Box<[Jump; JUMPS]>,
    run: u32,
}

impl Default for Code {
    fn default() -> Self {
        Code {
            pages: Vec::new(),
            blocks: Vec::new(),
            insns: 0,
            jumps: Box::new([Jump::default(); JUMPS]),
            run: 1,
        }
    }
}

#[inline(always)]
fn jump_slot(ip: u64) -> usize {
    (ip ^ ip >> 12) as usize % JUMPS
}

impl Code {
    /// Addresses may mean other frames from here on.
    pub fn begin(&mut self, frames: &mut CodeFrames) {
        if self.is_full() {
            *self = Code { run: self.run, ..Code::default() };
            *frames = CodeFrames::default();
        }
        self.run = self.run.wrapping_add(1);
        if self.run == 0 {
            self.run = 1;
            *self.jumps = [Jump::default(); JUMPS];
        }
    }

    /// The block at an address that was jumped to in this run.
    #[inline(always)]
    pub fn known(&self, ip: u64) -> Option<u32> {
        let jump = &self.jumps[jump_slot(ip)];
        (jump.ip == ip && jump.run == self.run).then_some(jump.block)
    }

    /// Remembers which block is at an address, while the run lasts.
    pub fn remember(&mut self, ip: u64, pfn: Pfn, block: u32) {
        self.jumps[jump_slot(ip)] = Jump { ip, run: self.run, block, pfn: pfn.0 };
    }

    /// A block by number.
    #[inline(always)]
    pub fn block(&self, n: u32) -> &Block {
        &self.blocks[n as usize]
    }

    /// What is known of a frame. `true`: it is new, or has changed since.
    pub fn page(&mut self, pfn: Pfn, now: Frame, frames: &mut CodeFrames) -> (&CodePage, bool) {
        let n = pfn.0 as usize;
        if n >= self.pages.len() {
            self.pages.resize_with(n + 1, || None);
        }
        let good = self.pages[n].as_ref().is_some_and(|p| p.frame.is_shared_with(&now));
        if !good {
            frames.insert(pfn.0);
        }
        let slot = &mut self.pages[n];
        if !good {
            *slot = None;
        }
        let page = slot.get_or_insert_with(|| {
            Box::new(CodePage { frame: now, starts: Box::new([0; 4096]), crossing: None })
        });
        (page, !good)
    }

    /// Whether it is time to forget all.
    pub fn is_full(&self) -> bool {
        self.insns > INSNS_MAX
    }

    /// Keeps a block.
    pub fn add(&mut self, insns: Vec<Insn>) -> u32 {
        self.insns += insns.len();
        self.blocks.push(Block { insns: insns.into_boxed_slice() });
        self.blocks.len() as u32 - 1
    }

    /// Notes where a block of a frame begins.
    pub fn set_start(&mut self, pfn: Pfn, at: u16, block: u32) {
        if let Some(Some(page)) = self.pages.get_mut(pfn.0 as usize) {
            page.starts[usize::from(at) % 4096] = block + 1;
        }
    }

    /// Notes an instruction that crosses into another frame.
    pub fn set_crossing(&mut self, pfn: Pfn, crossing: Crossing) {
        if let Some(Some(page)) = self.pages.get_mut(pfn.0 as usize) {
            page.crossing = Some(crossing);
        }
    }

    /// Forgets what was decoded from a frame: it is about to be written.
    pub fn forget(&mut self, pfn: u32, frames: &mut CodeFrames) {
        frames.remove(pfn);
        if let Some(page) = self.pages.get_mut(pfn as usize) {
            *page = None;
        }
        for jump in self.jumps.iter_mut().filter(|j| j.pfn == pfn) {
            *jump = Jump::default();
        }
    }
}

impl CodePage {
    /// The block that begins at an offset.
    pub fn start(&self, at: u16) -> Option<u32> {
        self.starts[usize::from(at) % 4096].checked_sub(1)
    }
}
