//! Counts, errors and times of system calls: the table of `strace -c`.
//!
//! Linux: strace's count.c. Left out: `-S`, `-O`, `-U`; the time is that of the
//! task in the kernel, as `-c` takes it, and virtual.

use std::collections::BTreeMap;
use std::fmt;

/// One call's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// How often it returned.
    pub calls: u64,
    /// How often with an error, or to be made again.
    pub errors: u64,
    /// Time in the kernel, in ns.
    pub time_ns: u64,
}

/// The table, by number and name of the call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// The rows.
    pub rows: BTreeMap<(u32, String), Count>,
}

impl Summary {
    /// A call has returned.
    pub fn count(&mut self, nr: u32, name: &str, failed: bool, time_ns: u64) {
        let row = self.rows.entry((nr, name.to_string())).or_default();
        row.calls += 1;
        row.errors += u64::from(failed);
        row.time_ns += time_ns;
    }

    /// All rows together.
    pub fn total(&self) -> Count {
        let add = |a: Count, b: &Count| Count {
            calls: a.calls + b.calls,
            errors: a.errors + b.errors,
            time_ns: a.time_ns + b.time_ns,
        };
        self.rows.values().fold(Count::default(), add)
    }
}

const RULE: &str = "------ ----------- ----------- --------- --------- ----------------";

fn row(f: &mut fmt::Formatter<'_>, c: &Count, all_ns: u64, name: &str) -> fmt::Result {
    let share = if all_ns == 0 { 0.0 } else { c.time_ns as f64 * 100.0 / all_ns as f64 };
    let usecs = (c.time_ns / 1000).checked_div(c.calls).unwrap_or(0);
    let seconds = c.time_ns as f64 / 1e9;
    let errors = if c.errors == 0 { String::new() } else { c.errors.to_string() };
    writeln!(f, "{share:6.2} {seconds:11.6} {usecs:11} {:9} {errors:>9} {name}", c.calls)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "% time     seconds  usecs/call     calls    errors syscall")?;
        writeln!(f, "{RULE}")?;
        let total = self.total();
        let mut rows: Vec<_> = self.rows.iter().collect();
        // The longest first; the sort is stable, so ties stand by number.
        rows.sort_by_key(|(_, c)| std::cmp::Reverse(c.time_ns));
        for ((_, name), count) in rows {
            row(f, count, total.time_ns, name)?;
        }
        writeln!(f, "{RULE}")?;
        row(f, &total, total.time_ns, "total")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_strace() {
        let mut s = Summary::default();
        s.count(0, "read", false, 1000);
        s.count(0, "read", true, 2000);
        s.count(3, "close", false, 0);
        let text = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
100.00    0.000003           1         2         1 read
  0.00    0.000000           0         1           close
------ ----------- ----------- --------- --------- ----------------
100.00    0.000003           1         3         1 total
";
        assert_eq!(s.to_string(), text);
    }
}
