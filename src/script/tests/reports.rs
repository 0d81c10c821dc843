//! What people read when something is wrong: every case of `reports.txt` is a
//! script and its rendered reports. `FORKYARD_BLESS=1` writes the file anew;
//! read the difference.

use super::{report, report_with};

const GOLDEN: &str = include_str!("reports.txt");

/// One case: the script, its modules, the reports.
struct Case<'t> {
    source: &'t str,
    expected: &'t str,
}

fn cases() -> Vec<Case<'static>> {
    let cases = GOLDEN.split("===\n").skip(1);
    let split = cases.filter_map(|case| case.split_once("\n---\n"));
    split.map(|(source, expected)| Case { source, expected: expected.trim_end() }).collect()
}

impl Case<'_> {
    /// Modules follow the script, each after a line `+++ path`.
    fn reports(&self) -> String {
        let mut parts = self.source.split("\n+++ ");
        let script = parts.next().unwrap_or("");
        let modules: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('\n')).collect();
        report_with(script, &modules).trim_end().to_string()
    }
}

#[test]
fn reports_read_as_recorded() {
    let cases = cases();
    assert!(cases.len() > 50);
    if std::env::var_os("FORKYARD_BLESS").is_some() {
        let render = |c: &Case| format!("===\n{}\n---\n{}\n\n", c.source, c.reports());
        let text: String = cases.iter().map(render).collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/script/tests/reports.txt");
        std::fs::write(path, text).unwrap();
        return;
    }
    for case in cases {
        let found = case.reports();
        assert!(
            found == case.expected,
            "{}\n---\n{found}\n--- expected\n{}",
            case.source,
            case.expected
        );
    }
}

#[test]
fn no_report_shows_rust_names() {
    for case in cases() {
        let report = case.reports();
        for word in ["::script", "rhai::", "alloc::", "ImmutableString", "anon$", "Dynamic"] {
            assert!(!report.contains(word), "{word} in\n{report}");
        }
    }
}

#[test]
fn tabs_and_carriage_returns_keep_columns() {
    let expected = "\
   ╭─[x.rhai:2:7]
 1 │ // tabs and CRLF
 2 │     init.setuid(0);
   ·          ────┬────
   ·              ╰── EPERM: Operation not permitted
   ╰────
";
    let found = report("// tabs and CRLF\r\n\tinit.setuid(0);\r\n");
    assert!(found.ends_with(expected), "{found}");
}
