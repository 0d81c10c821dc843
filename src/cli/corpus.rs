//! Finds the scripts under a folder that are tests, and the goldens that belong
//! to none.
//!
//! Left out: running them; see `test_runner`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// A script that is a test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// Its path below the folder, without `.rhai`: `memory/cow`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// The folder that was searched.
    pub root: PathBuf,
}

/// What a folder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Corpus {
    /// The tests, by name.
    pub cases: Vec<Case>,
    /// Goldens without a script, below the folder.
    pub orphans: Vec<PathBuf>,
}

/// Why a folder cannot be searched.
#[derive(Debug, thiserror::Error)]
#[error("cannot look into `{}`: {error}", path.display())]
pub struct CorpusError {
    /// The folder.
    pub path: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

impl Case {
    /// The golden of this kind: `out` or `err`.
    pub fn golden(&self, kind: &str) -> PathBuf {
        self.path.with_extension(kind)
    }
}

/// Searches a folder and those in it. Names that begin with a dot are passed
/// over.
pub fn find(root: &Path) -> Result<Corpus, CorpusError> {
    let mut files = BTreeSet::new();
    search(root, root, &mut files)?;
    let mut corpus = Corpus::default();
    for file in &files {
        let end = file.extension().and_then(|e| e.to_str()).unwrap_or("");
        match end {
            "rhai" if !is_module(file) => {
                let name = file.with_extension("").to_string_lossy().replace('\\', "/");
                corpus.cases.push(Case { name, path: root.join(file), root: root.into() });
            }
            "out" | "err" => {
                let script = file.with_extension("rhai");
                if !files.contains(&script) || is_module(&script) {
                    corpus.orphans.push(file.clone());
                }
            }
            _ => {}
        }
    }
    Ok(corpus)
}

/// Whether a script is there to be imported: its name begins with `_`, or it
/// lies in a folder `lib`.
fn is_module(file: &Path) -> bool {
    let hidden = file.file_name().is_some_and(|n| n.to_string_lossy().starts_with('_'));
    hidden || file.components().any(|c| c.as_os_str() == "lib")
}

fn search(root: &Path, folder: &Path, found: &mut BTreeSet<PathBuf>) -> Result<(), CorpusError> {
    let wrap = |error| CorpusError { path: folder.into(), error };
    for entry in std::fs::read_dir(folder).map_err(wrap)? {
        let entry = entry.map_err(wrap)?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type().map_err(wrap)?.is_dir() {
            search(root, &path, found)?;
        } else if let Ok(below) = path.strip_prefix(root) {
            found.insert(below.to_path_buf());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_modules_and_orphans_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "a.rhai",
            "a.out",
            "b.err",
            "_m.rhai",
            "_m.out",
            "x/lib/l.rhai",
            "x/c.rhai",
            "x/n.md",
            ".git/d.rhai",
        ] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let corpus = find(dir.path()).unwrap();
        let names: Vec<&str> = corpus.cases.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["a", "x/c"]);
        assert_eq!(corpus.orphans, [Path::new("_m.out"), Path::new("b.err")]);
        assert!(find(&dir.path().join("none")).is_err());
    }
}
