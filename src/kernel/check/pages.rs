//! Page frames: references and mappings counted from all page tables, the
//! page cache and the kernel stacks; no frame in use without a holder.
//!
//! Linux: mm/page_alloc.c (`check_new_page`), mm/memory.c, kmemleak.
//! Left out: frames that a script allocated behind the kernel's back.

use super::{Findings, tables};
use crate::base::{PAGE_SIZE, Pfn};
use crate::kernel::fs::inode::InodeKind;
use crate::kernel::system::System;
use crate::machine::{LOW_RESERVED, PageFlags};

/// What holds a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Use {
    #[default]
    None,
    Table,
    Stack,
    /// Mapped, or in the page cache.
    Data,
}

#[derive(Debug, Clone, Copy, Default)]
struct Frame {
    refs: u32,
    maps: u32,
    used_as: Use,
}

/// The recount by frame.
#[derive(Default)]
pub(super) struct Frames {
    frames: Vec<Frame>,
    /// Frames held as two different things.
    mixed: Vec<Pfn>,
}

impl Frames {
    fn frame(&mut self, pfn: Pfn, used_as: Use) -> &mut Frame {
        let i = pfn.0 as usize;
        if i >= self.frames.len() {
            self.frames.resize(i + 1, Frame::default());
        }
        let frame = &mut self.frames[i];
        if frame.used_as != used_as && frame.used_as != Use::None {
            self.mixed.push(pfn);
        }
        frame.used_as = used_as;
        frame
    }

    /// A page table.
    pub fn hold_table(&mut self, pfn: Pfn) {
        self.frame(pfn, Use::Table).refs += 1;
    }

    /// An entry that maps it.
    pub fn map(&mut self, pfn: Pfn) {
        let frame = self.frame(pfn, Use::Data);
        frame.refs += 1;
        frame.maps += 1;
    }

    /// The page cache, or an area of a machine without MMU.
    fn hold(&mut self, pfn: Pfn) {
        self.frame(pfn, Use::Data).refs += 1;
    }
}

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let mem = &sys.machine.mem;
    let mut frames = Frames::default();
    for (id, m) in k.mms.iter() {
        if sys.machine.config.mmu {
            tables::check(sys, id, &mut frames, f);
        } else {
            for vma in m.mmap.values() {
                let pages = (vma.vm_start / PAGE_SIZE)..(vma.vm_end / PAGE_SIZE);
                pages.for_each(|p| frames.hold(Pfn(p as u32)));
            }
        }
    }
    for (id, inode) in k.inodes.iter() {
        let pages = match &inode.kind {
            InodeKind::Reg { pages, .. } => pages,
            _ => &inode.i_pages,
        };
        for (pgoff, pfn) in pages {
            frames.hold(*pfn);
            let flags = mem.page(*pfn).flags;
            let me = format_args!("inode {id:?}");
            let file = flags.contains(PageFlags::FILE);
            f.rule(file, me, "page", format_args!("{pfn} at {pgoff}: {flags}"), "a page of a file");
        }
    }
    for stack in k.tasks.iter().filter_map(|(_, t)| t.stack.as_ref()).chain(&k.cached_stacks) {
        stack.pages.iter().for_each(|p| frames.frame(*p, Use::Stack).refs += 1);
    }
    compare(sys, &frames, f);
    for pfn in &frames.mixed {
        let me = format_args!("page {pfn}");
        f.rule(false, me, "use", format_args!("two"), "one of table, kernel stack, data");
    }
    if let Err(bug) = mem.check() {
        f.leaked(format_args!("the page allocator"), format_args!("{bug}"));
    }
}

fn compare(sys: &System, frames: &Frames, f: &mut Findings) {
    let mem = &sys.machine.mem;
    let mut held = frames.frames.iter().filter(|x| x.refs > 0).count();
    for (pfn, page) in mem.used_pages() {
        let frame = frames.frames.get(pfn.0 as usize).copied().unwrap_or_default();
        held -= usize::from(frame.refs > 0);
        let me = format_args!("page {pfn} ({})", page.flags);
        // The first MiB and the zero page belong to nobody.
        let fixed = pfn.0 < LOW_RESERVED || pfn == sys.kernel.zero_page;
        if frame.refs == 0 && !fixed {
            f.leaked(me, format_args!("its refcount is {}, nobody holds it", page.refcount));
            continue;
        }
        let refs = i64::from(frame.refs) + i64::from(fixed);
        let holders = "entries that map it, the page cache, stacks, tables";
        f.count(me, "refcount", page.refcount, refs, holders);
        f.count(me, "mapcount", page.mapcount, frame.maps, "entries that map it");
        let kind = page.flags & (PageFlags::PGTABLE | PageFlags::KSTACK | PageFlags::RESERVED);
        let expected = match frame.used_as {
            Use::Table => PageFlags::PGTABLE,
            Use::Stack => PageFlags::KSTACK,
            Use::None => PageFlags::RESERVED,
            Use::Data => PageFlags::empty(),
        };
        f.same(me, "what it is used as", kind, expected, "what holds it");
    }
    f.count(format_args!("the page allocator"), "free pages that are held", 0, held as i64, "");
}
