//! A function that runs through, because a kernel answers at once.
//!
//! Left out: that kernel; `oracle` has the real one.

use std::rc::Rc;

use super::Language;
use super::language::code;
use crate::script::diagnostic::Report;
use crate::script::tape::Kernel;
use crate::session::program::{Interpreter, Start};

impl Language<'_> {
    /// From now on a kernel answers what functions ask.
    pub fn live(&self, kernel: Rc<dyn Kernel>) {
        self.control.tape().live(kernel);
    }

    /// Runs a function to its end and gives its exit code. What `printf` keeps
    /// is written then, unless it is a handler.
    ///
    /// # Errors
    /// An error nobody caught.
    pub fn run_live(&self, start: &Start, handler: bool) -> Result<i32, Box<Report>> {
        match self.call(start, handler) {
            Ok(value) => {
                if !handler {
                    self.control.tape().flush();
                }
                Ok(code(&value))
            }
            Err(e) => Err(Box::new(self.uncaught(&e))),
        }
    }

    /// The function that a handler's address stands for.
    pub fn handler(&self, index: u32) -> Option<Start> {
        self.function_at(index)
    }
}
