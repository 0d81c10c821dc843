//! Ctrl-C: the first asks the script to stop, a second that finds it still
//! running ends the program.
//!
//! Left out: SIGTERM and SIGHUP, which end the program as they end any other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::console::Out;

/// The flag that scripts look at. Ctrl-C sets it from the first call on; `out`
/// is flushed when the program ends by a second Ctrl-C.
pub fn flag(out: Out) -> Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let flag = FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let set = flag.clone();
        // Without a handler Ctrl-C ends the program, which is good enough.
        let _ = ctrlc::set_handler(move || {
            if set.swap(true, Ordering::Relaxed) {
                out.try_flush();
                std::process::exit(super::INTERRUPTED.into());
            }
        });
        flag
    });
    flag.clone()
}
