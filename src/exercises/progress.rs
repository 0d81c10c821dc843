//! What a learner has done so far: one small JSON file in their folder.
//!
//! Left out: the files themselves; see `desk`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::files::write_atomically;

/// The format of the file.
const VERSION: u32 = 1;

/// What was done with one exercise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Done {
    /// It was solved once.
    pub solved: bool,
    /// Hints shown.
    pub hints: usize,
}

/// What was done with all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    version: u32,
    exercises: BTreeMap<String, Done>,
}

impl Default for Progress {
    fn default() -> Self {
        Progress { version: VERSION, exercises: BTreeMap::new() }
    }
}

/// Why the progress is not known or not kept.
#[derive(Debug, thiserror::Error)]
pub enum ProgressError {
    /// Reading or writing failed.
    #[error("`{}`: {error}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is not one of ours.
    #[error("`{}` is not a progress file: {error}; remove it to begin anew", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// A later version of this program wrote it.
    #[error("`{}` comes from a later version of forkyard", file.display())]
    Version {
        /// The file.
        file: PathBuf,
    },
}

impl Progress {
    /// Reads it; without a file, nothing was done.
    pub fn load(file: &Path) -> Result<Progress, ProgressError> {
        let text = match std::fs::read(file) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Progress::default()),
            Err(error) => return Err(ProgressError::Io { file: file.into(), error }),
        };
        let progress: Progress = serde_json::from_slice(&text)
            .map_err(|error| ProgressError::Format { file: file.into(), error })?;
        match progress.version {
            VERSION => Ok(progress),
            _ => Err(ProgressError::Version { file: file.into() }),
        }
    }

    /// Writes it, whole or not at all.
    pub fn save(&self, file: &Path) -> Result<(), ProgressError> {
        let wrap = |error| ProgressError::Io { file: file.into(), error };
        let mut text = serde_json::to_string_pretty(self).map_err(|e| wrap(e.into()))?;
        text.push('\n');
        write_atomically(file, &text).map_err(wrap)
    }

    /// What was done with an exercise.
    pub fn of(&self, name: &str) -> Done {
        self.exercises.get(name).cloned().unwrap_or_default()
    }

    /// The same, to change it.
    pub fn of_mut(&mut self, name: &str) -> &mut Done {
        self.exercises.entry(name.to_string()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_and_strangers_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("p.json");
        let mut progress = Progress::load(&file).unwrap();
        assert_eq!(progress, Progress::default());
        progress.of_mut("a").solved = true;
        progress.of_mut("b").hints = 2;
        progress.save(&file).unwrap();
        assert_eq!(Progress::load(&file).unwrap(), progress);
        assert_eq!(progress.of("c"), Done::default());
        for (text, message) in [
            ("", "is not a progress file"),
            ("[]", "is not a progress file"),
            ("{\"version\": 2, \"exercises\": {}}", "a later version"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = Progress::load(&file).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
