//! How often each call gave each answer, read off what programs print.
//!
//! Left out: calls of which nothing is printed.

use std::collections::BTreeMap;
use std::fmt;

use crate::abi::Errno;

/// Counts by call and by errno, or "ok".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<(String, String), u64>);

impl Coverage {
    /// Counts what a program has printed; `names` are its calls by number.
    pub fn add(&mut self, output: &str, names: &[&str]) {
        for line in output.lines() {
            let Some((number, value)) = line.strip_prefix('#').and_then(|l| l.split_once(": "))
            else {
                continue;
            };
            let number = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
            let Some(name) = number.and_then(|n| names.get(n)) else { continue };
            let errno = value.parse::<i32>().ok().filter(|n| (-133..0).contains(n));
            let answer = match errno.and_then(|n| Errno::from_number(-n)) {
                Some(errno) => errno.name().to_string(),
                None => "ok".to_string(),
            };
            self.count(name, &answer, 1);
        }
    }

    /// Counts one answer `n` times.
    pub fn count(&mut self, call: &str, answer: &str, n: u64) {
        *self.0.entry((call.to_string(), answer.to_string())).or_default() += n;
    }

    /// All counts: call, answer, how often.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.0.iter().map(|((call, answer), n)| (&**call, &**answer, *n))
    }

    /// Number of different pairs of call and answer.
    pub fn pairs(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = "";
        for (call, answer, n) in self.iter() {
            if call != last {
                let gap = if last.is_empty() { "" } else { "\n" };
                write!(f, "{gap}{call:<18}")?;
                last = call;
            }
            write!(f, " {answer} {n}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_call() {
        let mut seen = Coverage::default();
        seen.add(
            "#1: -22\nhandler SIGUSR1\n#2: 5\n#1: -22\n#3: {}\n#9: 1\n",
            &["kill", "fork", "sigpending"],
        );
        let all: Vec<_> = seen.iter().collect();
        assert_eq!(all, [("fork", "ok", 1), ("kill", "EINVAL", 2), ("sigpending", "ok", 1)]);
        assert_eq!(seen.to_string().lines().nth(1), Some("kill               EINVAL 2"));
    }
}
