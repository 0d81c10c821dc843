//! Names of the values and bits of arguments, in the order in which strace
//! tries them: a word of several bits goes before its parts.
//!
//! Linux: include/uapi; strace's xlat tables for the order. Left out: what
//! belongs to calls that are not modelled.

pub mod files;
pub mod tasks;
