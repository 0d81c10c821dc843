//! Pages that were translated in this run.
//!
//! The MMU is asked once a run for each page and kind of access, however often
//! pointers to host memory must be made anew. So the TLB and the accessed bits
//! depend on the instructions alone: not on snapshots that share memory, nor on
//! what is already decoded.
//!
//! Linux: none. Left out: nothing.

use crate::base::Pfn;
use crate::machine::mmu::Access;

const DATA: usize = 8192;
const EXEC: usize = 128;

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Page address and run number, as in [`super::fastmem`].
    read: u64,
    write: u64,
    pfn: Pfn,
}

const EMPTY: Entry = Entry { read: 0, write: 0, pfn: Pfn(0) };

/// The tables, direct-mapped.
#[derive(Debug)]
pub struct Soft {
    data: Box<[Entry; DATA]>,
    exec: Box<[Entry; EXEC]>,
    run: u64,
}

impl Default for Soft {
    fn default() -> Self {
        Soft { data: Box::new([EMPTY; DATA]), exec: Box::new([EMPTY; EXEC]), run: 1 }
    }
}

impl Soft {
    /// Forgets everything: a new run begins.
    pub fn begin(&mut self) {
        self.run += 1;
        if self.run > 0xfff {
            *self = Soft::default();
        }
    }

    /// The frame of a page that was translated for such an access.
    pub fn get(&self, va: u64, access: Access) -> Option<Pfn> {
        let page = (va >> 12) as usize;
        let tag = va & !0xfff | self.run;
        let (entry, found) = match access {
            Access::Exec => (&self.exec[page % EXEC], self.exec[page % EXEC].read),
            Access::Read => (&self.data[page % DATA], self.data[page % DATA].read),
            Access::Write => (&self.data[page % DATA], self.data[page % DATA].write),
        };
        (found == tag).then_some(entry.pfn)
    }

    /// Remembers a translation.
    pub fn insert(&mut self, va: u64, access: Access, pfn: Pfn) {
        let page = (va >> 12) as usize;
        let tag = va & !0xfff | self.run;
        match access {
            Access::Exec => self.exec[page % EXEC] = Entry { read: tag, write: 0, pfn },
            Access::Read => self.data[page % DATA] = Entry { read: tag, write: 0, pfn },
            Access::Write => self.data[page % DATA] = Entry { read: tag, write: tag, pfn },
        }
    }
}
