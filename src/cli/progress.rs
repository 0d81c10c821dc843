//! A line that says how far an exploration is, on a terminal.
//!
//! Left out: how much is left; nobody knows before the end.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::explore::meter::{Meter, Reading};

/// Between two looks at the counters.
const EVERY: Duration = Duration::from_millis(100);
/// What is over before that needs no line.
const PATIENCE: Duration = Duration::from_millis(500);

/// The line; it goes away with this value.
#[derive(Debug)]
pub struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

impl Progress {
    /// A line about what is counted, if standard error is a terminal.
    pub fn begin(meter: &Arc<Meter>) -> Progress {
        if !io::stderr().is_terminal() {
            return Progress(None);
        }
        let (over, ended) = channel();
        let meter = meter.clone();
        let show = move || {
            let begun = Instant::now();
            let mut bar: Option<ProgressBar> = None;
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                if begun.elapsed() >= PATIENCE {
                    let bar = bar.get_or_insert_with(new_bar);
                    bar.set_message(words(meter.read(), begun.elapsed()));
                    bar.tick();
                }
            }
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
        };
        // Without a thread there is no line.
        let thread = std::thread::Builder::new().name("progress".into()).spawn(show);
        Progress(thread.ok().map(|thread| (over, thread)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((over, thread)) = self.0.take() {
            drop(over);
            let _ = thread.join();
        }
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("it is one"));
    bar
}

/// The counters in words.
fn words(now: Reading, since: Duration) -> String {
    let each_second = (now.states as f64 / since.as_secs_f64().max(0.001)) as u64;
    format!(
        "{} states, {} a second, {} outcomes, {} open",
        HumanCount(now.states),
        HumanCount(each_second),
        HumanCount(now.outcomes),
        HumanCount(now.open)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_all_counters() {
        let now = Reading { states: 1_234_567, open: 12, outcomes: 3 };
        assert_eq!(
            words(now, Duration::from_secs(2)),
            "1,234,567 states, 617,283 a second, 3 outcomes, 12 open"
        );
    }
}
