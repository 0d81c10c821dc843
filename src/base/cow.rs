//! Copy at the write for host memory that snapshots share.
//!
//! Linux: none; this is how a snapshot of the whole system stays cheap.
//! Left out: weak references; nothing here ever makes one.

use std::sync::Arc;

/// A mutable reference to the value behind `arc`, cloning the value first when
/// a snapshot shares it.
pub fn make_mut<T: Clone>(arc: &mut Arc<T>) -> &mut T {
    Arc::make_mut(arc)
}
