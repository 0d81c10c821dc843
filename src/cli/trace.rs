//! `--trace` and `:trace`: the kernel functions passed, printed between the
//! script's own prints, as far as possible where they happened.
//!
//! Left out: choosing and recording events (`trace`), laying them out
//! (`report::trace`).

use std::cell::OnceCell;
use std::io;
use std::rc::Rc;

use crate::report;
use crate::script::bind::World;
use crate::script::control::Output;
use crate::trace::Filter;

/// What a list of words asks for: no word, everything.
pub fn filter(words: &[String]) -> Filter {
    let words: Vec<String> =
        words.iter().map(|w| w.trim().to_string()).filter(|w| !w.is_empty()).collect();
    if words.is_empty() { Filter::All } else { Filter::Matching(words) }
}

/// What was recorded since the last time, as text. `main` is the name of the
/// script.
pub fn take(world: &World, main: &str) -> Option<String> {
    let events = world.drain_trace();
    let name = |number| match world.source_name(number) {
        Some(name) if !name.is_empty() => name,
        _ => main.to_string(),
    };
    (!events.is_empty()).then(|| report::trace::trace(&events, name).to_string())
}

/// An output that shows what was traced before each print.
pub struct Traced<O, T> {
    /// The script's output.
    pub out: O,
    /// Where traces go.
    pub trace: Rc<OnceCell<Tracer<T>>>,
}

/// Shows what is traced in a world.
pub struct Tracer<T> {
    /// The world, once it exists.
    pub world: World,
    /// The script's name.
    pub main: String,
    /// Takes the text.
    pub show: T,
}

impl<T: Fn(&str)> Tracer<T> {
    /// Shows what was traced since the last time.
    pub fn flush(&self) {
        if let Some(text) = take(&self.world, &self.main) {
            (self.show)(&text);
        }
    }
}

impl<O: Output, T: Fn(&str)> Output for Traced<O, T> {
    fn write(&mut self, text: &str) -> io::Result<()> {
        if let Some(tracer) = self.trace.get() {
            tracer.flush();
        }
        self.out.write(text)
    }
}
