//! Runs the scripts and transcripts of the pages.
//!
//! A `rhai` block is a whole script. The next block, if it is `text`, is what
//! it prints: what it writes, then what is said about it. `rhai,fails` must
//! fail, every other script must not. A `console` block is a transcript: after
//! each `$ forkyard …` or `$ cargo run --release -- …` stands what that prints.

use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};

use forkyard::cli::execute::Plan;
use forkyard::cli::files::{Input, write_atomically};
use forkyard::cli::golden;
use forkyard::script::control::Buffer;

use crate::markdown::{Block, blocks, replace};
use crate::{blessing, none, pages, read, root};

/// Commands that a reader types and that no test repeats: they build.
const SET_UP: &[&str] = &["cargo test", "cargo install --path .", "cargo build --release"];

/// Languages of blocks that nothing checks: they are no claims about output.
const PROSE: &[&str] = &["text", "c", "toml"];

/// What a block should say instead of what it says.
type Change = (Range<usize>, String);

fn run_script(page: &Path, block: &Block) -> Result<String, String> {
    let name = page.file_stem().and_then(|s| s.to_str()).unwrap_or("page");
    let input = Input {
        name: format!("{name}.rhai"),
        text: block.text.clone(),
        folder: root().join("scripts"),
    };
    let (plan, directives) = Plan::new(input).map_err(|r| r.message.clone())?;
    let buffer = Buffer::new();
    let finished = plan.run(buffer.clone(), |_: &str| ());
    let mut out = buffer.take();
    out.push_str(&finished.text());
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    let expected = if block.has("fails") { 1 } else { directives.exit };
    if finished.code != expected {
        return Err(format!("exit code {} instead of {expected}:\n{out}", finished.code));
    }
    Ok(out)
}

/// Runs one command of a transcript, without a shell.
fn run_command(command: &str) -> Result<Option<String>, String> {
    if SET_UP.contains(&command) {
        return Ok(None);
    }
    let args = command
        .strip_prefix("cargo run --release -- ")
        .or_else(|| command.strip_prefix("forkyard "))
        .ok_or_else(|| format!("`{command}` is neither forkyard nor known set-up"))?;
    let output = Command::new(env!("CARGO_BIN_EXE_forkyard"))
        .args(args.split_whitespace().map(|a| a.trim_matches('\'')))
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok(Some(text))
}

/// A transcript as it is when its commands run now.
fn run_transcript(block: &Block) -> Result<String, String> {
    let mut out = String::new();
    let mut skipping = false;
    for line in block.text.lines() {
        let Some(command) = line.strip_prefix("$ ") else {
            if !skipping {
                out.push_str(line);
                out.push('\n');
            }
            continue;
        };
        out.push_str(line);
        out.push('\n');
        let ran = run_command(command)?;
        skipping = ran.is_some();
        out.push_str(&ran.unwrap_or_default());
    }
    Ok(out)
}

/// Compares with what stands in the page; the change that makes it right, if
/// changes are wanted.
fn judge(
    page: &Path,
    block: &Block,
    found: &str,
    changes: &mut Vec<Change>,
    wrong: &mut Vec<String>,
) {
    let name = format!("{}:{}", page.display(), block.line);
    if let Some(diff) = golden::diff(&name, &block.text, found) {
        if blessing() {
            changes.push((block.span.clone(), found.to_string()));
        } else {
            wrong.push(diff);
        }
    }
}

fn check(page: &Path, wrong: &mut Vec<String>) {
    let text = read(page);
    let all = blocks(&text);
    let mut changes = Vec::new();
    for (i, block) in all.iter().enumerate() {
        let place = format!("{}:{}", page.display(), block.line);
        match block.language() {
            "rhai" => match (run_script(page, block), all.get(i + 1)) {
                (Err(e), _) => wrong.push(format!("{place}: {e}")),
                (Ok(out), Some(next)) if next.language() == "text" => {
                    judge(page, next, &out, &mut changes, wrong);
                }
                (Ok(out), _) if !out.is_empty() => {
                    wrong.push(format!("{place}: prints what no text block shows:\n{out}"));
                }
                (Ok(_), _) => {}
            },
            "console" => match run_transcript(block) {
                Err(e) => wrong.push(format!("{place}: {e}")),
                Ok(out) => judge(page, block, &out, &mut changes, wrong),
            },
            "rust" => {
                if !is_from_an_example(&block.text) {
                    wrong.push(format!("{place}: this is from no file under examples/"));
                }
            }
            language if PROSE.contains(&language) => {}
            other => wrong.push(format!("{place}: nothing checks blocks of `{other}`")),
        }
    }
    if !changes.is_empty() {
        write_atomically(&root().join(page), &replace(&text, &changes)).unwrap();
    }
}

fn is_from_an_example(text: &str) -> bool {
    ["fork_cow", "clone_flags", "undo"]
        .iter()
        .any(|name| read(Path::new(&format!("examples/{name}.rs"))).contains(text.trim_end()))
}

#[test]
fn scripts_and_transcripts_print_what_stands_under_them() {
    let mut wrong = Vec::new();
    for page in pages() {
        check(&page, &mut wrong);
    }
    none(&wrong);
}
