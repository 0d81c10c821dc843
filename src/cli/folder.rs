//! Modules and programs from the script's own folder: the only files that a script
//! can make this program read. A symbolic link that leads out of the folder is refused.
//!
//! Left out: checking the path's text; `script::modules` has done that.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::script::limits::Limits;
use crate::script::modules::{LoadError, SourceLoader};

/// Loads modules from a folder.
#[derive(Debug, Clone)]
pub struct Folder {
    /// As it was given: it may not exist, or exist only later.
    path: PathBuf,
}

/// How deep folders are searched for suggestions.
const DEPTH: usize = 3;
/// Longest file that is no module, in bytes.
const MOST_BYTES: u64 = 64 << 20;
/// Most names suggested from.
const MOST_NAMES: usize = 1024;

impl Folder {
    /// Modules of the scripts in this folder.
    pub fn new(path: impl Into<PathBuf>) -> Folder {
        Folder { path: path.into() }
    }
}

impl Folder {
    /// The bytes of a file, at most `limit` of them.
    fn bytes(&self, path: &str, limit: u64) -> Result<Vec<u8>, LoadError> {
        let error = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => LoadError::NotFound,
            _ => LoadError::Other(e.to_string()),
        };
        let root = self.path.canonicalize().map_err(error)?;
        let file = root.join(path).canonicalize().map_err(error)?;
        if !file.starts_with(&root) {
            return Err(LoadError::Outside);
        }
        // Opening a named pipe would wait for a writer.
        if !file.metadata().map_err(error)?.is_file() {
            return Err(LoadError::Other("it is not a regular file".into()));
        }
        let mut bytes = Vec::new();
        let mut reader = File::open(&file).map_err(error)?.take(limit + 1);
        reader.read_to_end(&mut bytes).map_err(error)?;
        if bytes.len() as u64 > limit {
            return Err(LoadError::Other(format!("it is longer than {limit} bytes")));
        }
        Ok(bytes)
    }
}

impl SourceLoader for Folder {
    fn load(&self, path: &str) -> Result<String, LoadError> {
        let text = String::from_utf8(self.bytes(path, Limits::default().source_bytes as u64)?);
        text.map_err(|e| LoadError::NotUtf8(e.utf8_error().valid_up_to()))
    }

    fn load_file(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        self.bytes(path, MOST_BYTES)
    }

    fn list(&self) -> Vec<String> {
        let mut names = Vec::new();
        list(&self.path, "", DEPTH, &mut names);
        names.sort();
        names
    }
}

fn list(folder: &Path, prefix: &str, depth: usize, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if names.len() == MOST_NAMES || name.starts_with('.') {
            continue;
        }
        // `file_type` does not follow links, so there are no cycles.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => {
                list(&entry.path(), &format!("{prefix}{name}/"), depth - 1, names);
            }
            Ok(kind) if kind.is_file() && name.ends_with(".rhai") => {
                names.push(format!("{prefix}{name}"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("scripts");
        std::fs::create_dir_all(root.join("lib")).unwrap();
        std::fs::write(root.join("lib/tree.rhai"), "fn f() {}").unwrap();
        std::fs::write(root.join("bad.rhai"), b"ab\xff").unwrap();
        std::fs::write(dir.path().join("secret.rhai"), "1").unwrap();
        std::os::unix::fs::symlink("../secret.rhai", root.join("link.rhai")).unwrap();
        std::os::unix::fs::symlink("lib/tree.rhai", root.join("alias.rhai")).unwrap();
        let folder = Folder::new(&root);
        assert_eq!(folder.load("lib/tree.rhai").as_deref(), Ok("fn f() {}"));
        assert_eq!(folder.load("alias.rhai").as_deref(), Ok("fn f() {}"));
        assert_eq!(folder.load("link.rhai"), Err(LoadError::Outside));
        assert_eq!(folder.load("none.rhai"), Err(LoadError::NotFound));
        assert_eq!(folder.load("bad.rhai"), Err(LoadError::NotUtf8(2)));
        assert!(matches!(folder.load("lib"), Err(LoadError::Other(_))));
        assert_eq!(folder.list(), ["bad.rhai", "lib/tree.rhai"]);
    }
}
