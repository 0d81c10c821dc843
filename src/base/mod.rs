//! Small parts that know nothing of Linux: addresses, arenas, persistent
//! vectors, random numbers.
//!
//! Linux: include/linux/{types,mm_types}.h for the address types; the rest has
//! no counterpart, a real kernel has memory and pointers instead.
//! Left out: anything that could observe the host.

pub mod addr;
pub mod arena;
pub mod cow;
pub mod mixer;
pub mod pvec;
pub mod rng;
pub mod text;

pub use addr::{PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, Pfn, PhysAddr, VirtAddr};
pub use arena::{Arena, Id};
pub use mixer::Mixer;
pub use pvec::PVec;
pub use rng::Rng;
