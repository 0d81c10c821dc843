//! One call as a printer sees it: registers, memory, and the result once there
//! is one.
//!
//! Linux: none; strace's `struct tcb`. Left out: 32-bit programs.

use super::peek::{peek, peek_string, peek_up_to};
use super::text::{SHOWN, addr, quote, quote_short};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Longest path (PATH_MAX).
const PATH_MAX: usize = 4096;

/// Most elements of an array that are shown.
pub const ELEMENTS: usize = 32;

/// A call being printed.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    pub sys: &'a System,
    pub task: TaskId,
    pub args: [u64; 6],
    /// What is in RAX, once the call has ended.
    pub ret: Option<i64>,
}

impl Ctx<'_> {
    /// Whether the call has ended with an error, or will be made again.
    pub fn failed(&self) -> bool {
        self.ret.is_some_and(|r| (-4095..0).contains(&r))
    }

    /// Exactly `len` bytes. NULL is no address, even where something is mapped.
    pub fn bytes(&self, at: u64, len: usize) -> Option<Vec<u8>> {
        if at == 0 { None } else { peek(self.sys, self.task, at, len) }
    }

    /// The bytes before a NUL, and whether there is one.
    fn until_nul(&self, at: u64, most: usize) -> Option<(Vec<u8>, bool)> {
        if at == 0 { None } else { peek_string(self.sys, self.task, at, most) }
    }

    fn array<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        self.bytes(at, N)?.try_into().ok()
    }

    pub fn u16(&self, at: u64) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub fn u32(&self, at: u64) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub fn i32(&self, at: u64) -> Option<i32> {
        self.array(at).map(i32::from_le_bytes)
    }

    pub fn u64(&self, at: u64) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }

    pub fn i64(&self, at: u64) -> Option<i64> {
        self.array(at).map(i64::from_le_bytes)
    }

    /// A path in full, or its address.
    pub fn path(&self, at: u64) -> String {
        match self.until_nul(at, PATH_MAX) {
            Some((bytes, ended)) => quote(&bytes, !ended),
            None => addr(at),
        }
    }

    /// A string that ends with NUL, cut to what is shown.
    pub fn string(&self, at: u64) -> String {
        match self.until_nul(at, SHOWN + 1) {
            Some((bytes, _)) => quote_short(&bytes),
            None => addr(at),
        }
    }

    /// `len` bytes, cut to what is shown.
    pub fn buffer(&self, at: u64, len: u64) -> String {
        let most = len.min(SHOWN as u64 + 1) as usize;
        match self.bytes(at, most) {
            Some(bytes) => quote_short(&bytes),
            None => addr(at),
        }
    }

    /// `len` bytes in hex, cut to what is shown.
    pub fn buffer_hex(&self, at: u64, len: u64) -> String {
        let most = len.min(SHOWN as u64) as usize;
        let Some(bytes) = self.bytes(at, most) else { return addr(at) };
        let hex: String = bytes.iter().map(|b| format!("\\x{b:02x}")).collect();
        format!("\"{hex}\"{}", if len > SHOWN as u64 { "..." } else { "" })
    }

    /// A fixed field that holds a string.
    pub fn field(&self, at: u64, len: usize) -> String {
        let bytes = peek_up_to(self.sys, self.task, at, len);
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        quote(&bytes[..end], false)
    }

    /// An array of `n` elements of `size` bytes in brackets.
    pub fn list(
        &self,
        at: u64,
        n: u64,
        size: u64,
        element: impl Fn(u64) -> Option<String>,
    ) -> Option<String> {
        let mut words = Vec::new();
        for i in 0..n.min(ELEMENTS as u64) {
            words.push(element(at.checked_add(i * size)?)?);
        }
        if n > ELEMENTS as u64 {
            words.push("...".to_string());
        }
        Some(format!("[{}]", words.join(", ")))
    }
}
