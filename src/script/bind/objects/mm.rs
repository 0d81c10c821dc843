//! mm_struct: an address space and its counts.
//!
//! Left out: areas and page tables; the views (`t.maps()`, `t.walk(addr)`)
//! show them.

use super::{Kind, Mm, object};
use crate::base::Id;
use crate::kernel::mm::{MmCounter, MmStruct};
use crate::kernel::system::{Kernel, System};
use crate::script::bind::registry::{Book, functions, getters};
use crate::script::value::Addr;

impl Kind for MmStruct {
    const NAME: &'static str = "mm_struct";

    fn get(kernel: &Kernel, id: Id<Self>) -> Option<&Self> {
        kernel.mms.get(id)
    }

    fn line(&self, _: &System) -> String {
        format!(
            "mm_users {}, mm_count {}, {} areas, {} pages mapped, {} resident",
            self.mm_users,
            self.mm_count,
            self.mmap.len(),
            self.total_vm,
            self.rss_stat.iter().sum::<i64>()
        )
    }
}

fn addr(mm: &Mm, f: impl FnOnce(&MmStruct) -> u64) -> super::Raised<Addr> {
    mm.field(|_, m| Addr(f(m)))
}

/// Registers the type.
pub(super) fn register(book: &mut Book) {
    object!(book, Mm);
    getters! { book, Mm;
        /// Tasks that use it as their address space.
        "mm_users: int" => |m: &mut Mm| m.int(|m| m.mm_users.into());
        /// References to the structure: one for all users together, one for
        /// each processor or kernel thread that borrows it.
        "mm_count: int" => |m: &mut Mm| m.int(|m| m.mm_count.into());
        /// Frame of the top page table: what CR3 holds while it is in use.
        "pgd: Addr" => |m: &mut Mm| addr(m, |m| m.pgd.0.into());
        /// Number of areas.
        "map_count: int" => |m: &mut Mm| m.int(|m| m.mmap.len() as i64);
        /// Pages mapped by all areas.
        "total_vm: int" => |m: &mut Mm| m.int(|m| m.total_vm as i64);
        /// Pages of private writable areas that are no stack.
        "data_vm: int" => |m: &mut Mm| m.int(|m| m.data_vm as i64);
        /// Pages of executable areas that are not writable.
        "exec_vm: int" => |m: &mut Mm| m.int(|m| m.exec_vm as i64);
        /// Pages of growing areas.
        "stack_vm: int" => |m: &mut Mm| m.int(|m| m.stack_vm as i64);
        /// Locked pages.
        "locked_vm: int" => |m: &mut Mm| m.int(|m| m.locked_vm as i64);
        /// Pages of page tables, the top one not counted.
        "nr_pgtables: int" => |m: &mut Mm| m.int(|m| m.nr_pgtables as i64);
        /// Resident pages.
        "rss: int" => |m: &mut Mm| m.int(|m| m.rss_stat.iter().sum());
        /// Resident anonymous pages.
        "rss_anon: int" => |m: &mut Mm| m.int(|m| m.rss_stat[MmCounter::Anon as usize]);
        /// Resident file pages.
        "rss_file: int" => |m: &mut Mm| m.int(|m| m.rss_stat[MmCounter::File as usize]);
        /// Resident pages of shared memory.
        "rss_shmem: int" => |m: &mut Mm| m.int(|m| m.rss_stat[MmCounter::Shmem as usize]);
        /// Largest number of resident pages so far.
        "hiwater_rss: int" => |m: &mut Mm| m.int(|m| {
            (m.hiwater_rss as i64).max(m.rss_stat.iter().sum())
        });
        /// Start of the code.
        "start_code: Addr" => |m: &mut Mm| addr(m, |m| m.start_code);
        /// End of the code.
        "end_code: Addr" => |m: &mut Mm| addr(m, |m| m.end_code);
        /// Start of the initialised data.
        "start_data: Addr" => |m: &mut Mm| addr(m, |m| m.start_data);
        /// End of the initialised data.
        "end_data: Addr" => |m: &mut Mm| addr(m, |m| m.end_data);
        /// Where the heap begins.
        "start_brk: Addr" => |m: &mut Mm| addr(m, |m| m.start_brk);
        /// Where the heap ends.
        "brk: Addr" => |m: &mut Mm| addr(m, |m| m.brk);
        /// First stack pointer.
        "start_stack: Addr" => |m: &mut Mm| addr(m, |m| m.start_stack);
        /// Where the search for free space begins.
        "mmap_base: Addr" => |m: &mut Mm| addr(m, |m| m.mmap_base);
        /// Whether it may dump core: 0, 1 or 2.
        "dumpable: int" => |m: &mut Mm| m.int(|m| m.dumpable.into());
        /// Path of the program.
        "exe_file: string" => |m: &mut Mm| m.field(|_, m| m.exe_file.to_string());
        /// Processors that may hold translations of it, a bit each.
        "cpu_bitmap: Addr" => |m: &mut Mm| addr(m, |m| m.cpu_bitmap);
    }
}
