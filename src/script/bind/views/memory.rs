//! `t.maps()`, `t.walk(addr)`, `t.pte(addr)`, `t.page(addr)`,
//! `machine.frames()`.
//!
//! Left out: changing tables and frames.

use rhai::{Array, Dynamic, INT, NativeCallContext};

use super::{array, frame, of_task};
use crate::kernel::mm::view::MapsLine;
use crate::machine::Pte;
use crate::report::frames::Frames;
use crate::report::maps::Maps;
use crate::report::page::{Mapper, PageView, PteView};
use crate::report::walk::{WalkLine, WalkView};
use crate::report::{frames, maps, page, pte, walk};
use crate::script::bind::registry::{Book, Raised, functions, getters};
use crate::script::bind::task::Task;
use crate::script::bind::world::Machine;
use crate::script::bind::{args, kinds};
use crate::script::errors::ScriptError;
use crate::script::value::{Addr, Flags};

type Ctx<'a> = NativeCallContext<'a>;

fn address(ctx: &Ctx, value: &Dynamic) -> Result<u64, ScriptError> {
    args::word(&format!("{}: addr", ctx.fn_name()), value)
}

/// Registers the views.
pub(super) fn register(book: &mut Book) {
    areas(book);
    entries(book);
    pages(book);
    walks(book);
}

fn areas(book: &mut Book) {
    functions! { book;
        /// The areas of its address space, as /proc/PID/maps.
        "maps(t: Task) -> Maps" => |t: &mut Task| -> Raised<Maps> { Ok(of_task(t, maps)?) };
        /// The number of areas.
        "len(m: Maps) -> int" => |m: &mut Maps| m.lines.len() as INT;
        /// The area that covers an address, or ().
        "at(m: Maps, addr: Addr) -> Area" => |m: &mut Maps, addr: Dynamic| -> Raised<Dynamic> {
            let at = args::word("at: addr", &addr)?;
            let found = m.lines.iter().find(|l| l.start <= at && at < l.end);
            Ok(found.map_or(Dynamic::UNIT, |l| Dynamic::from(l.clone())))
        };
        /// What the machine's frames are used for.
        "frames(m: Machine) -> Frames" => |m: &mut Machine| m.read(frames);
    }
    book.prints::<Maps>("Maps");
    book.iterates::<Maps>(|m| array(m.lines.clone()));
    getters! { book, Maps;
        /// The areas, ascending by address.
        "lines: array" => |m: &mut Maps| array(m.lines.clone());
    }
    book.prints::<MapsLine>("Area");
    getters! { book, Area;
        /// First byte.
        "start: Addr" => |l: &mut MapsLine| Addr(l.start);
        /// Byte after the last.
        "end: Addr" => |l: &mut MapsLine| Addr(l.end);
        /// Size in bytes.
        "size: int" => |l: &mut MapsLine| (l.end - l.start) as INT;
        /// "rw-p": read, write, execute, private or shared.
        "perms: string" => |l: &mut MapsLine| l.perms();
        /// VM_* flags.
        "flags: Flags" => |l: &mut MapsLine| Flags { bits: l.flags.bits(), kind: &kinds::VM };
        /// Offset in the file.
        "offset: int" => |l: &mut MapsLine| l.offset as INT;
        /// Path, "[heap]", "[stack]"; empty for plain anonymous memory.
        "name: string" => |l: &mut MapsLine| l.name.to_string();
    }
    book.prints::<Frames>("Frames");
    getters! { book, Frames;
        /// All frames.
        "total: int" => |f: &mut Frames| INT::from(f.total);
        /// Free ones.
        "free: int" => |f: &mut Frames| INT::from(f.free);
        /// Reserved ones.
        "reserved: int" => |f: &mut Frames| INT::from(f.reserved);
        /// Page tables.
        "page_tables: int" => |f: &mut Frames| INT::from(f.page_tables);
        /// Kernel stacks.
        "kernel_stacks: int" => |f: &mut Frames| INT::from(f.kernel_stacks);
        /// Anonymous memory.
        "anonymous: int" => |f: &mut Frames| INT::from(f.anonymous);
        /// The page cache.
        "page_cache: int" => |f: &mut Frames| INT::from(f.page_cache);
        /// Anonymous frames that more than one entry maps.
        "shared_anonymous: int" => |f: &mut Frames| INT::from(f.shared_anonymous);
        /// Everything else.
        "other: int" => |f: &mut Frames| INT::from(f.other);
    }
}

fn entries(book: &mut Book) {
    functions! { book;
        /// The page-table entry that maps an address, present or not.
        "pte(t: Task, addr: Addr) -> Pte" => |ctx: Ctx, t: &mut Task, a: Dynamic| -> Raised<PteView> {
            let addr = address(&ctx, &a)?;
            Ok(of_task(t, |sys, id| pte(sys, id, addr))?)
        };
        /// Whether two entries are equal.
        "==(a: Pte, b: Pte) -> bool" => |a: PteView, b: PteView| a == b;
        /// Whether two entries differ.
        "!=(a: Pte, b: Pte) -> bool" => |a: PteView, b: PteView| a != b;
    }
    book.prints::<PteView>("Pte");
    getters! { book, Pte;
        /// The entry's 64 bits.
        "raw: Addr" => |e: &mut PteView| Addr(e.value);
        /// The frame it maps; () when it maps none.
        "pfn: Addr" => |e: &mut PteView| frame(e.pfn);
        /// The address asked for.
        "addr: Addr" => |e: &mut PteView| Addr(e.addr);
        /// P: it maps a frame.
        "present: bool" => |e: &mut PteView| e.present;
        /// R/W: writes are allowed.
        "writable: bool" => |e: &mut PteView| e.writable;
        /// U/S: user mode may use it.
        "user: bool" => |e: &mut PteView| e.user;
        /// A: it was used.
        "accessed: bool" => |e: &mut PteView| e.accessed;
        /// D: it was written to.
        "dirty: bool" => |e: &mut PteView| e.dirty;
        /// NX: no instruction may be fetched from it.
        "nx: bool" => |e: &mut PteView| e.nx;
        /// Its frame is not counted, as that of the page of zeroes.
        "special: bool" => |e: &mut PteView| e.special;
        /// _PAGE_* bits.
        "flags: Flags" => |e: &mut PteView| {
            Flags { bits: Pte(e.value).flags().bits(), kind: &kinds::PTE }
        };
    }
}

fn pages(book: &mut Book) {
    functions! { book;
        /// The frame that an address is mapped to; () when it is not mapped.
        "page(t: Task, addr: Addr) -> Page" => |ctx: Ctx, t: &mut Task, a: Dynamic| -> Raised<Dynamic> {
            let addr = address(&ctx, &a)?;
            let found = of_task(t, |sys, id| page(sys, id, addr))?;
            Ok(found.map_or(Dynamic::UNIT, Dynamic::from))
        };
        /// A frame by its number.
        "page(m: Machine, pfn: int) -> Page" => |m: &mut Machine, pfn: Dynamic| -> Raised<PageView> {
            let n = args::word("page: pfn", &pfn)?;
            let known = u32::try_from(n).ok().map(crate::base::Pfn);
            let found = m.read(|sys| {
                let pfn = known.filter(|p| sys.machine.mem.has_frame(*p))?;
                Some(crate::report::page::frame(sys, pfn))
            });
            found.ok_or_else(|| ScriptError::usage(format!("there is no frame {n:#x}")).into())
        };
        /// Whether two pages are the same frame.
        "==(a: Page, b: Page) -> bool" => |a: PageView, b: PageView| a.pfn == b.pfn;
        /// Whether two pages are different frames.
        "!=(a: Page, b: Page) -> bool" => |a: PageView, b: PageView| a.pfn != b.pfn;
    }
    book.prints::<PageView>("Page");
    getters! { book, Page;
        /// The frame's number.
        "pfn: Addr" => |p: &mut PageView| Addr(p.pfn.into());
        /// Holders of the frame.
        "refcount: int" => |p: &mut PageView| INT::from(p.refcount);
        /// Page-table entries that map it.
        "mapcount: int" => |p: &mut PageView| INT::from(p.mapcount);
        /// PG_* flags, without the prefix.
        "flags: string" => |p: &mut PageView| p.flags.clone();
        /// Who maps it.
        "mappers: array" => |p: &mut PageView| array(p.mappers.clone());
    }
    book.shows::<Mapper>("Mapper", |m| {
        let pids: Vec<String> = m.pids.iter().map(i32::to_string).collect();
        format!("{}@{:#x}", pids.join(","), m.addr)
    });
    getters! { book, Mapper;
        /// The address it is mapped at.
        "addr: Addr" => |m: &mut Mapper| Addr(m.addr);
        /// The tasks whose address space it is.
        "pids: array" => |m: &mut Mapper| -> Array {
            m.pids.iter().map(|p| INT::from(*p).into()).collect()
        };
    }
}

fn walks(book: &mut Book) {
    functions! { book;
        /// The walk through the page tables for an address, level by level, and
        /// what an access there would do.
        "walk(t: Task, addr: Addr) -> Walk" =>
            |ctx: Ctx, t: &mut Task, a: Dynamic| -> Raised<WalkView> {
                let addr = address(&ctx, &a)?;
                Ok(of_task(t, |sys, id| walk(sys, id, addr))?)
            };
        /// The number of levels passed.
        "len(w: Walk) -> int" => |w: &mut WalkView| w.lines.len() as INT;
    }
    book.prints::<WalkView>("Walk");
    book.iterates::<WalkView>(|w| array(w.lines.clone()));
    getters! { book, Walk;
        /// The address.
        "addr: Addr" => |w: &mut WalkView| Addr(w.addr);
        /// The frame that CR3 holds while the task runs.
        "cr3: Addr" => |w: &mut WalkView| Addr(w.cr3.into());
        /// The levels passed, from the top.
        "steps: array" => |w: &mut WalkView| array(w.lines.clone());
        /// Whether the walk ended at a page.
        "present: bool" => |w: &mut WalkView| w.page.is_some();
        /// The page's frame; () when there is none.
        "pfn: Addr" => |w: &mut WalkView| frame(w.page.as_ref().map(|p| p.pfn));
        /// What is worth knowing, in sentences.
        "notes: array" => |w: &mut WalkView| -> Array {
            w.notes.iter().map(|n| n.clone().into()).collect()
        };
    }
    book.shows::<WalkLine>("WalkStep", |l| format!("{}[{}] {}", l.level, l.index, Pte(l.entry)));
    getters! { book, WalkStep;
        /// PGD, P4D, PUD, PMD or PTE.
        "level: string" => |l: &mut WalkLine| l.level;
        /// Which of the 512 entries.
        "index: int" => |l: &mut WalkLine| l.index as INT;
        /// The frame of the table.
        "table: Addr" => |l: &mut WalkLine| Addr(l.table.into());
        /// Physical address of the entry.
        "entry_addr: Addr" => |l: &mut WalkLine| Addr(l.entry_addr);
        /// The entry.
        "entry: Addr" => |l: &mut WalkLine| Addr(l.entry);
        /// Whether it leads on.
        "present: bool" => |l: &mut WalkLine| l.present;
    }
}
