//! Copy at the write for host memory that snapshots share.
//!
//! The one place that chooses the shared pointer: everything that snapshots
//! share uses [`Arc`] from here. The test in [`make_mut`] is on the hottest
//! paths of the system.
//!
//! Linux: none; this is how a snapshot of the whole system stays cheap.
//! Left out: weak references; nothing here ever makes one.

pub use triomphe::Arc;

/// A mutable reference to the value behind `arc`, cloning the value first when
/// a snapshot shares it.
#[inline]
pub fn make_mut<T: Clone>(arc: &mut Arc<T>) -> &mut T {
    if !arc.is_unique() {
        unshare(arc);
    }
    Arc::get_mut(arc).expect("the pointer was just made the only one")
}

/// The rare part, out of line: a caller that finds the value unshared must not
/// pay for the stack space that copying a whole chunk takes.
#[cold]
#[inline(never)]
fn unshare<T: Clone>(arc: &mut Arc<T>) {
    *arc = Arc::new(T::clone(arc));
}
