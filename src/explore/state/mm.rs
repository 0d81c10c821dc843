//! Address spaces: the areas and what lies in them.
//!
//! Left out: how memory is mapped (page tables, sharing before a write); a
//! program sees only words. So a page that was never touched and one full of
//! zeros are the same.

use super::{Canon, Object, lives_in};
use crate::base::PAGE_SHIFT;
use crate::kernel::mm::pgtable::{pte_present, pte_range, pte_tables};
use crate::kernel::mm::{MmStruct, VmAreaStruct};
use crate::machine::pte::Pte;

impl Object for MmStruct {
    lives_in!(mms);

    fn describe(&self, c: &mut Canon<'_>) {
        let MmStruct {
            pgd,
            mmap,
            locked_vm,
            def_flags,
            mmap_base,
            free_area_cache,
            cached_hole_size,
            start_code,
            end_code,
            start_data,
            end_data,
            start_brk,
            brk,
            start_stack,
            arg_start,
            arg_end,
            env_start,
            env_end,
            dumpable,
            exe_file,
            symbols,
            next_symbol,
            // Counts of holders and of the areas' pages.
            mm_users: _,
            mm_count: _,
            total_vm: _,
            data_vm: _,
            exec_vm: _,
            stack_vm: _,
            nr_pgtables: _,
            rss_stat: _,
            hiwater_rss: _,
            cpu_bitmap: _,
            membarrier_state,
        } = self;
        c.put((locked_vm, def_flags.bits(), mmap_base, free_area_cache, cached_hole_size));
        c.put((start_code, end_code, start_data, end_data, start_brk, brk, start_stack));
        c.put((arg_start, arg_end, env_start, env_end));
        c.put((dumpable, exe_file, next_symbol, membarrier_state));
        for (name, symbol) in symbols.iter() {
            c.put((name, symbol.addr, symbol.size));
        }
        let sys = c.sys;
        let levels = sys.machine.config.paging_levels;
        for vma in mmap.values() {
            let VmAreaStruct {
                vm_start: start,
                vm_end: end,
                vm_flags,
                vm_pgoff,
                vm_file,
                vm_ops,
                anon_vma: _,
                anon_vma_chain: _,
            } = vma;
            c.put((start, end, vm_flags.bits(), vm_pgoff, *vm_ops as u8));
            c.opt(*vm_file);
            for (table, base) in pte_tables(&sys.machine.mem, levels, *pgd, *start, *end) {
                let range = pte_range(base, *start, *end);
                let Ok(entries) = sys.machine.mem.frame(table) else { continue };
                entries.for_each_nonzero(|i, word| {
                    let pte = Pte(word);
                    if range.contains(&i) && pte_present(pte) {
                        let page = base + ((i as u64) << PAGE_SHIFT);
                        let frame = sys.machine.mem.frame(pte.pfn());
                        frame.into_iter().for_each(|frame| {
                            frame.for_each_nonzero(|i, word| c.word(page + 8 * i as u64, word));
                        });
                    }
                });
            }
        }
    }
}
