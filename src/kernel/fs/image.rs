//! What a program file holds. A program is given as sizes, not as an ELF file;
//! this is the file those sizes stand for.
//!
//! ```text
//! offset 0            text_bytes     rounded up to a page      file_size
//!        | \x7fELF int3 ...  | zeros | data: one word a page  |
//! ```
//!
//! Linux: fs/binfmt_elf.c, as far as the layout of segments goes.
//! Left out: headers; the bytes are fixed so that two machines agree on them.

use super::inode::Image;
use crate::base::{PAGE_SIZE, addr::page_align_up};

/// What stands at the start of the file.
const MAGIC: [u8; 4] = *b"\x7fELF";
/// Text is made of breakpoints: jumping into it shows at once.
const INT3: u8 = 0xcc;
/// First half of the word at the start of each page of initialised data; the
/// second half is the page's number. Lets a lesson tell the pages apart.
const DATA_TAG: u32 = 0xda7a_da7a;

impl Image {
    /// Where the data segment begins in the file; a whole number of pages.
    pub fn data_offset(&self) -> u64 {
        page_align_up(self.text_bytes).unwrap_or(0)
    }

    /// Length of the file in bytes.
    pub fn file_size(&self) -> u64 {
        match &self.interpreter {
            Some(line) => line.len() as u64 + 3,
            None => self.data_offset().saturating_add(self.data_bytes),
        }
    }

    /// Fills `buf` with the bytes of the file from `offset` on; what lies
    /// behind the end is zero.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) {
        if let Some(line) = &self.interpreter {
            let text = format!("#!{line}\n");
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
            let n = (text.len() - from).min(buf.len());
            buf[..n].copy_from_slice(&text.as_bytes()[from..from + n]);
            buf[n..].fill(0);
            return;
        }
        for (b, at) in buf.iter_mut().zip(offset..) {
            *b = self.byte(at);
        }
    }

    fn byte(&self, at: u64) -> u8 {
        if at < self.text_bytes {
            return MAGIC.get(at as usize).copied().unwrap_or(INT3);
        }
        if at < self.data_offset() || at >= self.file_size() {
            return 0;
        }
        let in_data = at - self.data_offset();
        let word = (u64::from(DATA_TAG) << 32) | (in_data / PAGE_SIZE);
        word.to_be_bytes().get((in_data % PAGE_SIZE) as usize).copied().unwrap_or(0)
    }
}
