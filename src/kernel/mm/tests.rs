//! Tests of memory as processes see it.
//!
//! Linux: LINUX.md facts 14 to 18 and the manual pages. Left out: exec.
