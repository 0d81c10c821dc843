//! stub
#![allow(missing_docs)]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine;
pub mod cpu {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Regs;
}
