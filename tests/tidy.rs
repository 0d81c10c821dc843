//! Rules of this repository that the compiler does not know: layers import
//! downward only, files stay short and say what they are, goldens belong to
//! scripts, links lead somewhere.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use forkyard::cli::corpus;
use forkyard::cli::directives::Directives;

/// Layers, lowest first; those of one entry may import each other.
const LAYERS: &[&[&str]] = &[
    &["base", "abi"],
    &["trace"],
    &["machine"],
    &["kernel"],
    &["session"],
    &["script", "explore", "report"],
    &["oracle"],
    &["cli", "repl", "exercises"],
];

/// Lines from which a file is long, and lines it may not have.
const LONG: usize = 400;
const TOO_LONG: usize = 700;

/// Files that are long for a reason.
const LONG_FOR_A_REASON: &[(&str, &str)] = &[
    ("src/abi/nr.rs", "one line a system call"),
    ("src/kernel/fork.rs", "copy_process reads in one piece, like Linux's"),
    ("src/kernel/task.rs", "task_struct is one struct"),
    ("src/kernel/wait.rs", "do_wait and all that it asks of a child"),
];

/// Files that may use `unsafe`; each has a SAFETY comment at every use.
const UNSAFE: &[&str] = &[
    "src/machine/interp/fastmem.rs",
    "src/oracle/host/control.rs",
    "src/oracle/host/stub/code.rs",
    "src/oracle/host/sys.rs",
];

/// Rows of SCOPE.md.
const SCOPE_ROWS: u8 = 36;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files under a folder with this ending, as paths from the root.
fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == end) {
                found.push(path.strip_prefix(root()).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The text without comments, strings and characters, so that words in those
/// are not taken for code. Line ends stay.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let len = not_code(&text[at..]).unwrap_or(0);
        if len == 0 {
            out.push(c);
            at += c.len_utf8();
        } else {
            out.extend(text[at..at + len].chars().map(|c| if c == '\n' { c } else { ' ' }));
            at += len;
        }
    }
    out
}

/// The length of the comment, string or character that a text starts with.
fn not_code(text: &str) -> Option<usize> {
    let end_of = |needle: &str, from: usize| {
        text[from..].find(needle).map_or(text.len(), |i| from + i + needle.len())
    };
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(end_of("*/", 2));
    }
    if text.starts_with("r\"") || text.starts_with("r#") {
        let hashes = text[1..].chars().take_while(|c| *c == '#').count();
        let open = text[1 + hashes..].starts_with('"');
        return open.then(|| end_of(&format!("\"{}", "#".repeat(hashes)), hashes + 2));
    }
    if let Some(rest) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = rest.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        return Some(end.map_or(text.len(), |i| i + 2));
    }
    // A character; a lifetime has no second tick.
    let rest = text.strip_prefix('\'')?;
    let inner = match rest.strip_prefix('\\') {
        Some(escape) => 1 + 1 + escape.get(1..)?.find('\'')?,
        None => rest.chars().next()?.len_utf8(),
    };
    rest.get(inner..)?.starts_with('\'').then_some(inner + 2)
}

/// Fails with all complaints at once.
fn none(complaints: &[String]) {
    let mut text = String::new();
    complaints.iter().for_each(|c| writeln!(text, "  {c}").unwrap());
    assert!(complaints.is_empty(), "\n{text}");
}

fn level(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Whether a file is compiled for tests only.
fn is_test(path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    matches!(&*name, "tests" | "testing") || path.components().any(|c| c.as_os_str() == "tests")
}

/// The modules of this crate that a file imports: `crate::x`, `crate::{x, y}`.
fn imports(code: &str) -> Vec<String> {
    let ident = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut found = Vec::new();
    for (at, matched) in code.match_indices("crate::") {
        if code[..at].ends_with('$') {
            continue;
        }
        let rest = &code[at + matched.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push(ident(rest));
            continue;
        };
        let (mut depth, mut start) = (0, true);
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && c.is_alphabetic() => {
                    found.push(ident(&group[i..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn layers_import_downward_only() {
    let mut wrong = Vec::new();
    for path in files("src", "rs") {
        let Some(own) = path.components().nth(1).map(|c| c.as_os_str().to_string_lossy()) else {
            continue;
        };
        if own == "lib.rs" || own == "main.rs" {
            continue;
        }
        let own = own.trim_end_matches(".rs");
        let Some(own_level) = level(own) else {
            wrong.push(format!("{}: `{own}` is in no layer", path.display()));
            continue;
        };
        // Tests stand at the end of a file, and may use whatever shows best
        // what is tested.
        let code = code(&read(&path));
        let code = code.split("#[cfg(test)]\nmod tests").next().unwrap_or("");
        for module in imports(if is_test(&path) { "" } else { code }) {
            if level(&module).is_some_and(|l| l > own_level) {
                wrong.push(format!("{}: `{own}` imports `{module}` above it", path.display()));
            }
        }
    }
    wrong.dedup();
    none(&wrong);
}

#[test]
fn imports_are_found() {
    assert_eq!(
        imports("use crate::abi::X; crate::{base::{A, B}, trace, }; $crate::cli"),
        ["abi", "base", "trace"]
    );
    for (text, left) in [
        ("a // crate::x\n\"crate::y\" b", "a\nb"),
        ("\"\\\"x\\\\\" b '\"' c '\\'' d 'a e '\\u{1}' f", "bcd'aef"),
        ("r#\"x\"y\"# b r\"\\\" c /* x\n */ d \"x\ny\" e", "bc\nd\ne"),
    ] {
        assert_eq!(code(text).replace(' ', ""), left, "{text}");
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "a warning, shown when tests run with --nocapture")]
fn files_are_short() {
    let mut wrong = Vec::new();
    for path in ["src", "tests", "examples", "benches"].iter().flat_map(|f| files(f, "rs")) {
        let lines = read(&path).lines().count();
        let name = path.display().to_string();
        let reason = LONG_FOR_A_REASON.iter().any(|(file, _)| *file == name);
        if lines > TOO_LONG && !reason {
            wrong.push(format!("{name}: {lines} lines; {TOO_LONG} is the limit"));
        } else if lines > LONG && !reason {
            eprintln!("warning: {name}: {lines} lines, more than {LONG}");
        }
    }
    none(&wrong);
}

#[test]
fn every_module_says_what_it_is() {
    let mut wrong = Vec::new();
    for path in files("src", "rs") {
        let text = read(&path);
        let header: Vec<&str> = text.lines().take_while(|l| l.starts_with("//!")).collect();
        let name = path.display();
        if header.is_empty() || header[0].contains("To be written") {
            wrong.push(format!("{name}: no `//!` header"));
        } else if path.starts_with("src/kernel") && !is_test(&path) {
            for part in ["Linux:", "Left out:"] {
                if !header.iter().any(|line| line.contains(part)) {
                    wrong.push(format!("{name}: the header has no `{part}`"));
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn nothing_is_left_behind() {
    let words = ["todo!", "unimplemented!", "dbg!", "println!", "eprintln!", " print!", "eprint!"];
    let mut wrong = Vec::new();
    for path in files("src", "rs") {
        for (number, line) in code(&read(&path)).lines().enumerate() {
            for word in words.iter().filter(|w| line.contains(**w)) {
                wrong.push(format!("{}:{}: `{}`", path.display(), number + 1, word.trim()));
            }
        }
    }
    none(&wrong);
}

#[test]
fn unsafe_is_where_it_may_be() {
    let mut wrong = Vec::new();
    for path in files("src", "rs") {
        let allowed = UNSAFE.iter().any(|file| Path::new(file) == path);
        let words = |line: &str| {
            line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == "unsafe")
        };
        for (number, line) in code(&read(&path)).lines().enumerate() {
            if words(line) && !allowed {
                wrong.push(format!("{}:{}: `unsafe`", path.display(), number + 1));
            }
        }
    }
    none(&wrong);
}

#[test]
fn goldens_belong_to_scripts() {
    if !root().join("scripts").exists() {
        return;
    }
    let corpus = corpus::find(&root().join("scripts")).unwrap();
    none(&corpus.orphans.iter().map(|o| format!("scripts/{}", o.display())).collect::<Vec<_>>());
}

#[test]
fn scripts_cover_rows_that_exist() {
    let mut wrong = Vec::new();
    for path in files("scripts", "rhai") {
        match Directives::parse(&path.display().to_string(), &read(&path)) {
            Err(report) => wrong.push(format!("{}: {}", path.display(), report.message)),
            Ok(directives) => {
                for id in directives.covers {
                    let number: u8 = id[1..].parse().unwrap();
                    if !(1..=SCOPE_ROWS).contains(&number) {
                        wrong.push(format!("{}: there is no row {id}", path.display()));
                    }
                }
            }
        }
    }
    none(&wrong);
}

/// The targets of links in Markdown, without those to other sites.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // What stands between back ticks is code.
        let plain: String = line.split('`').step_by(2).collect();
        for (at, _) in plain.match_indices("](") {
            let target: String = plain[at + 2..].chars().take_while(|c| *c != ')').collect();
            let target = target.split('#').next().unwrap_or("").trim().to_string();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push(target);
            }
        }
    }
    found
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    let pages = files("book", "md").into_iter().chain(
        ["README.md", "CHANGELOG.md"]
            .map(PathBuf::from)
            .into_iter()
            .filter(|p| root().join(p).exists()),
    );
    for page in pages {
        for link in links(&read(&page)) {
            let target = root().join(&page).parent().unwrap().join(&link);
            if !target.exists() {
                wrong.push(format!("{}: `{link}` does not exist", page.display()));
            }
        }
    }
    none(&wrong);
}
