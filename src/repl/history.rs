//! Where the inputs of earlier sessions are kept.
//!
//! Left out: the format; it is rustyline's.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// Most inputs kept.
pub const MOST: usize = 10_000;

/// The file: as asked for, or in the user's state folder. `None` if there is
/// none (no home).
pub fn file(asked: Option<&PathBuf>) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    asked.cloned().or_else(|| in_state_folder(set("XDG_STATE_HOME"), set("HOME")))
}

fn in_state_folder(state: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    // The specification says that relative paths are to be ignored.
    let state = state.map(PathBuf::from).filter(|p| p.is_absolute());
    let folder = state.or_else(|| Some(PathBuf::from(home?).join(".local/state")))?;
    Some(folder.join("forkyard/history"))
}

/// Makes the folder of the history, if it is not there.
pub fn prepare(file: &std::path::Path) -> io::Result<()> {
    match file.parent().filter(|p| !p.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_folder_is_found() {
        let of = |state: Option<&str>, home: Option<&str>| {
            in_state_folder(state.map(Into::into), home.map(Into::into))
        };
        assert_eq!(of(Some("/s"), Some("/h")), Some("/s/forkyard/history".into()));
        assert_eq!(of(None, Some("/h")), Some("/h/.local/state/forkyard/history".into()));
        assert_eq!(of(Some("s"), Some("/h")), Some("/h/.local/state/forkyard/history".into()));
        assert_eq!(of(None, None), None);
        assert_eq!(file(Some(&"x".into())), Some("x".into()));
    }
}
