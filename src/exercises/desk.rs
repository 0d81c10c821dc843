//! The learner's folder: `./exercises`, with a file for each exercise begun.
//! Nothing of the learner's is ever lost: a file that is there is not
//! overwritten, and `reset` keeps it under another name.
//!
//! Left out: what is in the files.

use std::io;
use std::path::{Path, PathBuf};

use super::catalog::Exercise;
use crate::cli::files::write_atomically;

/// The folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desk {
    folder: PathBuf,
}

/// Something with a file went wrong.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {error}", file.display())]
pub struct DeskError {
    /// The file.
    pub file: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

/// The file that keeps the progress.
const PROGRESS: &str = ".progress.json";

impl Desk {
    /// The folder for a learner who works in `current`: its `exercises`, or
    /// `current` itself when they have gone into it.
    pub fn in_folder(current: &Path) -> Desk {
        let inside = current.join(PROGRESS).exists();
        let folder = if inside { current.to_path_buf() } else { current.join("exercises") };
        // `./x` is shown as `x`.
        let folder = folder.strip_prefix(".").map(Path::to_path_buf).unwrap_or(folder);
        Desk { folder }
    }

    /// The learner's file for an exercise.
    pub fn file(&self, exercise: &Exercise) -> PathBuf {
        self.folder.join(format!("{}.rhai", exercise.name))
    }

    /// The file that keeps the progress.
    pub fn progress(&self) -> PathBuf {
        self.folder.join(PROGRESS)
    }

    /// Whether an exercise was begun.
    pub fn has(&self, exercise: &Exercise) -> bool {
        self.file(exercise).exists()
    }

    /// Makes the folder, if it is not there.
    pub fn make(&self) -> Result<(), DeskError> {
        std::fs::create_dir_all(self.path())
            .map_err(|error| DeskError { file: self.path().into(), error })
    }

    fn path(&self) -> &Path {
        match self.folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => &self.folder,
        }
    }

    /// Puts an exercise there unless it is there already; whether it was put.
    pub fn put(&self, exercise: &Exercise) -> Result<bool, DeskError> {
        self.make()?;
        if self.has(exercise) {
            return Ok(false);
        }
        self.write(&self.file(exercise), &exercise.start)?;
        Ok(true)
    }

    /// Puts the start of an exercise there in any case. What the learner wrote
    /// is kept beside it; where, if it differs.
    pub fn reset(&self, exercise: &Exercise) -> Result<Option<PathBuf>, DeskError> {
        self.make()?;
        let file = self.file(exercise);
        let mut kept = None;
        match std::fs::read(&file) {
            Ok(text) if text != exercise.start.as_bytes() => {
                let old = self.free_name(&file);
                std::fs::rename(&file, &old)
                    .map_err(|error| DeskError { file: file.clone(), error })?;
                kept = Some(old);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(DeskError { file, error });
            }
            _ => {}
        }
        self.write(&file, &exercise.start)?;
        Ok(kept)
    }

    /// `x.rhai.old`, or `x.rhai.old2` and so on if that is taken.
    fn free_name(&self, file: &Path) -> PathBuf {
        let name = |end: &str| PathBuf::from(format!("{}.old{end}", file.display()));
        let numbered = (2..).map(|n| name(&n.to_string()));
        let mut names = std::iter::once(name("")).chain(numbered);
        names.find(|path| !path.exists()).unwrap_or_else(|| name(""))
    }

    fn write(&self, file: &Path, text: &str) -> Result<(), DeskError> {
        write_atomically(file, text).map_err(|error| DeskError { file: file.into(), error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exercises::catalog::sample;

    #[test]
    fn a_learners_work_is_never_lost() {
        let dir = tempfile::tempdir().unwrap();
        let desk = Desk::in_folder(dir.path());
        let exercise = sample();
        let file = desk.file(&exercise);
        assert!(desk.put(&exercise).unwrap());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), exercise.start);
        assert_eq!(desk.reset(&exercise).unwrap(), None);
        for (i, work) in ["one", "two", "three"].into_iter().enumerate() {
            std::fs::write(&file, work).unwrap();
            assert!(!desk.put(&exercise).unwrap());
            assert_eq!(std::fs::read_to_string(&file).unwrap(), work);
            let kept = desk.reset(&exercise).unwrap().unwrap();
            let end = if i == 0 { ".old".into() } else { format!(".old{}", i + 1) };
            assert!(kept.to_string_lossy().ends_with(&end), "{}", kept.display());
            assert_eq!(std::fs::read_to_string(kept).unwrap(), work);
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), exercise.start);
    }

    #[test]
    fn the_folder_is_found_from_inside_too() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Desk::in_folder(dir.path()).folder, dir.path().join("exercises"));
        std::fs::write(dir.path().join(PROGRESS), "").unwrap();
        assert_eq!(Desk::in_folder(dir.path()).folder, dir.path());
        assert_eq!(Desk::in_folder(Path::new(".")).folder, Path::new("exercises"));
    }
}
