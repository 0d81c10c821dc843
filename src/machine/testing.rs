//! A small address space for this layer's tests.
//!
//! Linux: none. Left out: everything a kernel would check.

use super::mmu::{Access, translate};
use super::paging::{self, Level, entry_addr};
use super::{Exception, Machine, MachineConfig, PageFlags, PagingLevels, Pte, PteFlags, Ring};
use crate::base::{Pfn, PhysAddr, VirtAddr};

pub(super) const P: PteFlags = PteFlags::P;
pub(super) const RW: PteFlags = PteFlags::RW;
pub(super) const US: PteFlags = PteFlags::US;

pub(super) struct Space {
    pub(super) m: Machine,
    pub(super) cr3: Pfn,
    levels: PagingLevels,
}

impl Space {
    pub(super) fn new(levels: PagingLevels) -> Space {
        let config =
            MachineConfig { ram_bytes: 4 << 20, paging_levels: levels, ..MachineConfig::default() };
        let mut m = Machine::new(config);
        let cr3 = m.mem.alloc_page(PageFlags::PGTABLE).unwrap();
        m.cpus[0].load_cr3(cr3);
        Space { m, cr3, levels }
    }

    /// Maps a fresh page.
    pub(super) fn map(&mut self, va: VirtAddr, flags: PteFlags) -> Pfn {
        let mut table = self.cr3;
        for &level in self.levels.levels() {
            let at = entry_addr(table, self.levels.table_index(level, va));
            if level == Level::Pte {
                let pfn = self.m.mem.alloc_page(PageFlags::ANON).unwrap();
                self.m.mem.write_u64(at, Pte::new(pfn, flags).0);
                return pfn;
            }
            let mut entry = Pte(self.m.mem.read_u64(at));
            if !entry.is_present() {
                let pfn = self.m.mem.alloc_page(PageFlags::PGTABLE).unwrap();
                entry = Pte::new(pfn, P | RW | US);
                self.m.mem.write_u64(at, entry.0);
            }
            table = entry.pfn();
        }
        unreachable!("the last level returns")
    }

    pub(super) fn pte(&self, va: VirtAddr) -> Pte {
        paging::lookup(&self.m.mem, self.cr3, self.levels, va).unwrap().unwrap().1
    }

    pub(super) fn set_entry(&mut self, va: VirtAddr, pte: Pte) {
        let at = paging::pte_addr(&self.m.mem, self.cr3, self.levels, va).unwrap().unwrap();
        self.m.mem.write_u64(at, pte.0);
    }

    pub(super) fn set(&mut self, va: VirtAddr, flags: PteFlags) {
        self.set_entry(va, self.pte(va).with_flags(flags));
    }

    pub(super) fn user(&mut self, va: VirtAddr, access: Access) -> Result<PhysAddr, Exception> {
        translate(&mut self.m.cpus[0], &mut self.m.mem, va, access, Ring::User)
    }

    pub(super) fn kernel(&mut self, va: VirtAddr, access: Access) -> Result<PhysAddr, Exception> {
        translate(&mut self.m.cpus[0], &mut self.m.mem, va, access, Ring::Kernel)
    }
}

/// Memory against a plain model, with snapshots taken on the way.
mod against_a_model {
    use super::super::{PageFlags, PhysMem};
    use crate::base::{Pfn, PhysAddr};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Debug, Clone)]
    enum Op {
        Alloc,
        Get(usize),
        Put(usize),
        Write(usize, u64, u64),
        Copy(usize, usize),
        Snapshot,
        Undo,
    }

    fn op() -> impl Strategy<Value = Op> {
        let page = 0usize..12;
        prop_oneof![
            4 => Just(Op::Alloc),
            1 => page.clone().prop_map(Op::Get),
            3 => page.clone().prop_map(Op::Put),
            4 => (page.clone(), 0u64..512, any::<u64>()).prop_map(|(p, i, v)| Op::Write(p, i, v)),
            2 => (page.clone(), page).prop_map(|(a, b)| Op::Copy(a, b)),
            1 => Just(Op::Snapshot),
            1 => Just(Op::Undo),
        ]
    }

    type Model = BTreeMap<Pfn, (i32, BTreeMap<u64, u64>)>;

    fn agree(m: &PhysMem, model: &Model) -> Result<(), TestCaseError> {
        prop_assert_eq!(m.check(), Ok(()));
        prop_assert_eq!(m.used_pages().count(), 256 + model.len());
        for (&pfn, (refcount, words)) in model {
            prop_assert_eq!(m.page(pfn).refcount, *refcount);
            let mut found = BTreeMap::new();
            m.for_each_nonzero_word(pfn, |i, w| {
                found.insert(i as u64, w);
            });
            prop_assert_eq!(&found, words);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn pages_counts_and_snapshots(ops in proptest::collection::vec(op(), 0..120)) {
            // Eight frames, so that memory runs out.
            let mut m = PhysMem::new((256 + 8) << 12);
            let mut model = Model::new();
            let mut saved = (m.clone(), model.clone());
            let nth = |model: &Model, n: usize| model.keys().nth(n).copied();
            for op in ops {
                match op {
                    Op::Alloc => match m.alloc_page(PageFlags::ANON) {
                        Some(p) => prop_assert!(model.insert(p, (1, BTreeMap::new())).is_none()),
                        None => prop_assert_eq!(model.len(), 8),
                    },
                    Op::Get(n) => if let Some(p) = nth(&model, n) {
                        m.get_page(p).unwrap();
                        model.get_mut(&p).unwrap().0 += 1;
                    },
                    Op::Put(n) => if let Some(p) = nth(&model, n) {
                        let refs = &mut model.get_mut(&p).unwrap().0;
                        *refs -= 1;
                        prop_assert_eq!(m.put_page(p), Ok(*refs == 0));
                        if *refs == 0 {
                            model.remove(&p);
                            prop_assert!(m.is_zero(p) && m.put_page(p).is_err());
                        }
                    },
                    Op::Write(n, i, v) => if let Some(p) = nth(&model, n) {
                        m.write_u64(PhysAddr(p.addr().0 + i * 8), v);
                        let words = &mut model.get_mut(&p).unwrap().1;
                        if v == 0 { words.remove(&i); } else { words.insert(i, v); }
                    },
                    Op::Copy(a, b) => if let (Some(a), Some(b)) = (nth(&model, a), nth(&model, b)) {
                        m.copy_page(a, b).unwrap();
                        let words = model[&b].1.clone();
                        model.get_mut(&a).unwrap().1 = words;
                    },
                    Op::Snapshot => saved = (m.clone(), model.clone()),
                    Op::Undo => {
                        prop_assert!(m != saved.0 || model == saved.1);
                        (m, model) = saved.clone();
                    }
                }
                agree(&m, &model)?;
            }
            agree(&saved.0, &saved.1)?;
        }
    }
}
