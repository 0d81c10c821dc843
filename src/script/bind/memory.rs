//! To be written.
/// Registers the calls.
pub(super) fn register(_: &mut rhai::Engine) {}
