//! Filling the machine's tree of files before anybody runs: what an initramfs
//! or an installer would have put there.
//!
//! Linux: init/initramfs.c (do_name, do_symlink). Left out: owners other than
//! root, times, extended attributes.

use super::director::{Done, Trouble};
use crate::abi::Errno;
use crate::kernel::fs::rootfs;
use crate::kernel::syscalls::{Call, Payload};
use crate::kernel::system::System;

const NR_MKDIR: u32 = 83;
const NR_UNLINK: u32 = 87;
const NR_SYMLINK: u32 = 88;
const NR_CHMOD: u32 = 90;

impl System {
    fn on_name(&mut self, nr: u32, args: &[u64], path: &str) -> Result<(), Trouble> {
        let init = self.kernel.init_process;
        let call = Call::with(nr, args, Payload::Text(path.into()));
        self.call(init, call).map(|_: Done| ())
    }

    /// Whatever has this name goes, unless it is a directory.
    fn make_room(&mut self, path: &str) -> Result<(), Trouble> {
        match self.on_name(NR_UNLINK, &[0], path) {
            Err(Trouble::Refused(e)) if matches!(e.errno, Errno::ENOENT | Errno::EISDIR) => Ok(()),
            other => other,
        }
    }

    /// Makes a directory unless it is there; gives it the mode either way.
    ///
    /// # Errors
    /// Those of mkdir(2), but for EEXIST.
    pub fn install_dir(&mut self, path: &str, mode: u32) -> Result<(), Trouble> {
        match self.on_name(NR_MKDIR, &[0, u64::from(mode)], path) {
            Err(Trouble::Refused(e)) if e.errno == Errno::EEXIST => {}
            other => other?,
        }
        self.on_name(NR_CHMOD, &[0, u64::from(mode)], path)
    }

    /// Makes a regular file of root's, in place of what had the name; missing
    /// directories are made.
    ///
    /// # Errors
    /// Those of [`rootfs::add_file`].
    pub fn install_file(&mut self, path: &str, bytes: &[u8], mode: u32) -> Result<(), Trouble> {
        self.make_room(path)?;
        Ok(rootfs::add_file(self, path, bytes, mode)?)
    }

    /// Makes a symbolic link, in place of what had the name.
    ///
    /// # Errors
    /// Those of symlink(2).
    pub fn install_symlink(&mut self, path: &str, target: &str) -> Result<(), Trouble> {
        self.make_room(path)?;
        let init = self.kernel.init_process;
        let names = Payload::Texts(Box::new((target.into(), path.into())));
        self.call(init, Call::with(NR_SYMLINK, &[0, 0], names)).map(|_: Done| ())
    }
}
