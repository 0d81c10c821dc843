//! The named variables of an address space: at the addresses that the model
//! gives them too.
//!
//! Left out: variables beyond the data segment.

use std::collections::BTreeMap;

use super::stub::{DATA, VARIABLES};

/// The variables of one address space.
#[derive(Debug, Clone)]
pub(super) struct Names {
    names: BTreeMap<Box<str>, (u64, u64)>,
    next: u64,
}

impl Names {
    /// Of a program that has begun.
    pub(super) fn new() -> Names {
        Names { names: BTreeMap::new(), next: DATA }
    }

    /// Room for a variable; see `kernel::mm::symbols`. `None`: there is none.
    pub(super) fn define(&mut self, name: &str, size: u64) -> Option<u64> {
        if let Some((addr, old)) = self.names.get(name)
            && *old == size
        {
            return Some(*addr);
        }
        let addr = self.next.next_multiple_of(8);
        let end = addr.checked_add(size).filter(|end| *end <= DATA + VARIABLES)?;
        self.next = end;
        self.names.insert(name.into(), (addr, size));
        Some(addr)
    }

    /// The address of a variable.
    pub(super) fn find(&self, name: &str) -> Option<u64> {
        self.names.get(name).map(|(addr, _)| *addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_lie_where_the_model_has_them() {
        let mut names = Names::new();
        assert_eq!(names.define("a", 8), Some(0x40_5000));
        assert_eq!(names.define("b", 1), Some(0x40_5008));
        assert_eq!(names.define("c", 8), Some(0x40_5010));
        assert_eq!(names.define("a", 8), Some(0x40_5000), "it is there already");
        assert_eq!(names.find("b"), Some(0x40_5008));
        assert_eq!(names.find("d"), None);
        assert_eq!(names.define("large", VARIABLES), None);
    }
}
