//! Reads scripts from files and standard input: whole, as UTF-8, and never more
//! than a script may be long.
//!
//! Left out: imported modules; see `folder`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::script::diagnostic::Report;
use crate::script::limits::Limits;
use crate::script::names::{did_you_mean, suggestion};
use crate::script::source::Source;

/// A script that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The name shown in messages: the path as it was written.
    pub name: String,
    /// The text, without a byte order mark.
    pub text: String,
    /// Where its modules are.
    pub folder: PathBuf,
}

/// Why a script cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// There is no such file.
    #[error("there is no file `{}`", name.display())]
    NotFound {
        /// The path as it was written.
        name: PathBuf,
    },
    /// It is a directory.
    #[error("`{}` is a directory, not a script", name.display())]
    Directory {
        /// The path as it was written.
        name: PathBuf,
    },
    /// It is not text.
    #[error("`{name}` is not UTF-8 text")]
    NotUtf8 {
        /// The name shown in messages.
        name: String,
        /// What was read.
        bytes: Vec<u8>,
        /// The first byte that is wrong.
        at: usize,
    },
    /// It is too long.
    #[error("`{name}` is longer than {limit} bytes")]
    TooLong {
        /// The name shown in messages.
        name: String,
        /// The most a script may have.
        limit: usize,
    },
    /// Reading failed otherwise.
    #[error("cannot read `{name}`: {error}")]
    Io {
        /// The name shown in messages.
        name: String,
        /// What the system said.
        error: io::Error,
    },
}

/// Reads a script from a file, or for `-`, from standard input.
pub fn read(path: &Path) -> Result<Input, InputError> {
    read_within(path, limit())
}

/// The longest result of a shard, in bytes.
const RESULT_BYTES: usize = 1 << 30;

/// Reads what a shard has written, as [`read`].
pub fn read_result(path: &Path) -> Result<Input, InputError> {
    read_within(path, RESULT_BYTES)
}

fn read_within(path: &Path, limit: usize) -> Result<Input, InputError> {
    if path == Path::new("-") {
        let text = text_of("<stdin>", io::stdin().lock(), limit)?;
        return Ok(Input { name: "<stdin>".into(), text, folder: ".".into() });
    }
    let name = path.display().to_string();
    let io_error = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            InputError::NotFound { name: path.into() }
        }
        io::ErrorKind::IsADirectory => InputError::Directory { name: path.into() },
        _ => InputError::Io { name: name.clone(), error },
    };
    let file = File::open(path).map_err(io_error)?;
    if file.metadata().map_err(io_error)?.is_dir() {
        return Err(InputError::Directory { name: path.into() });
    }
    let text = text_of(&name, file, limit)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    Ok(Input { folder: folder.unwrap_or(Path::new(".")).into(), name, text })
}

/// The longest script, in bytes.
fn limit() -> usize {
    Limits::default().source_bytes
}

/// Reads text to its end, but not much more than it may have.
fn text_of(name: &str, from: impl Read, limit: usize) -> Result<String, InputError> {
    let mut bytes = Vec::new();
    let result = from.take(limit as u64 + 1).read_to_end(&mut bytes);
    result.map_err(|error| InputError::Io { name: name.into(), error })?;
    if bytes.len() > limit {
        return Err(InputError::TooLong { name: name.into(), limit });
    }
    let mut text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        InputError::NotUtf8 { name: name.into(), bytes: e.into_bytes(), at }
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

impl InputError {
    /// As a diagnostic with help.
    pub fn report(&self) -> Report {
        let report = Report::error("forkyard::input", self.to_string());
        match self {
            InputError::NotFound { name } => match near(name) {
                Some(help) => report.help(help),
                None => report,
            },
            InputError::Directory { name } => match scripts_in(name).first() {
                Some(first) => {
                    let example = name.join(first);
                    report.help(format!("name a file in it, such as `{}`", example.display()))
                }
                None => report.help("name a file that ends in `.rhai`"),
            },
            InputError::NotUtf8 { name, bytes, at } => {
                // The line before the wrong byte is text; show how far it goes.
                let good = String::from_utf8_lossy(&bytes[..*at]);
                let source = Arc::new(Source::new(name.as_str(), &format!("{good}\u{fffd}")));
                let byte = bytes.get(*at).copied().unwrap_or_default();
                let span = good.len()..good.len() + '\u{fffd}'.len_utf8();
                report
                    .with_source(&source)
                    .label(span, format!("byte {byte:#04x} at offset {at} is not UTF-8"))
                    .help("scripts are UTF-8: save the file in this encoding")
            }
            InputError::TooLong { .. } => {
                report.help("move parts of it into modules and `import` them")
            }
            InputError::Io { .. } => report,
        }
    }
}

/// "did you mean …?" for a path that does not exist.
fn near(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return Some(format!("there is no folder `{}` either", parent.display()));
    }
    let with_end = format!("{name}.rhai");
    let files = files_in(parent);
    let near = match files.contains(&with_end) {
        true => vec![with_end.as_str()],
        false => did_you_mean(name, files.iter().map(String::as_str)),
    };
    let paths: Vec<String> =
        near.iter().map(|file| path.with_file_name(file).display().to_string()).collect();
    suggestion(&paths.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Most entries of a folder that are looked at for a suggestion.
const MOST_ENTRIES: usize = 4096;

fn files_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_ENTRIES);
    let mut names: Vec<String> = entries
        .filter(|e| !e.path().is_dir())
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn scripts_in(folder: &Path) -> Vec<String> {
    let mut names = files_in(folder);
    names.retain(|name| name.ends_with(".rhai"));
    names
}

/// Writes a file so that it is either the old or the new one, whole, whatever
/// happens: beside the target, then renamed. Permissions of an existing file
/// stay.
pub fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    // A symbolic link stays one: its target is replaced.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    let permissions = match std::fs::metadata(path) {
        Ok(old) => old.permissions(),
        Err(_) => default_permissions(),
    };
    builder.prefix(".forkyard-").permissions(permissions);
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Readable by all as far as the umask allows; temporary files are not.
fn default_permissions() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o666)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(path: &Path) -> String {
        let report = read(path).unwrap_err().report();
        format!("{} [{}]", report.message, report.help.join(" "))
    }

    #[test]
    fn what_cannot_be_read_is_explained() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("fork.rhai"), "1").unwrap();
        std::fs::write(at("bad.rhai"), b"let a = 1;\nlet b = \"\xff\";").unwrap();
        std::fs::write(at("long.rhai"), " ".repeat(limit() + 1)).unwrap();
        assert!(message(&at("frok.rhai")).contains("did you mean"));
        assert!(message(&at("fork")).contains("fork.rhai`?"));
        assert!(message(&at("no/such/x.rhai")).contains("there is no folder"));
        assert!(message(dir.path()).contains("is a directory"));
        assert!(message(&at("long.rhai")).contains("is longer than 1048576 bytes"));
        let report = read(&at("bad.rhai")).unwrap_err().report();
        assert_eq!(report.place().map(|(_, line, column)| (line, column)), Some((2, 10)));
        assert!(message(Path::new("")).contains("there is no file"));
    }

    #[test]
    fn a_file_knows_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.rhai");
        std::fs::write(&path, "\u{feff}let 漢 = 1;").unwrap();
        let input = read(&path).unwrap();
        assert_eq!((input.text.as_str(), input.folder.as_path()), ("let 漢 = 1;", dir.path()));
        assert!(read(Path::new("/dev/zero")).is_err());
    }

    #[test]
    fn atomic_writes_replace_and_leave_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        write_atomically(&path, "1").unwrap();
        write_atomically(&path, "2").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "2");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(write_atomically(&dir.path().join("no/x"), "1").is_err());
    }
}
