//! Terminals: who has them open, whose controlling terminals they are.
//!
//! Linux: drivers/tty/tty_io.c (check_tty_count). Left out: what is in them.

use super::Findings;
use super::tally::Tally;
use crate::kernel::fs::FileKind;
use crate::kernel::system::System;
use crate::kernel::tty::n_tty::{FLIP_LIMIT, Mark, N_TTY_BUF_SIZE};

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let (mut files, mut processes) = (Tally::new(), Tally::new());
    for (_, file) in k.filps.iter() {
        if let FileKind::Tty(tty) | FileKind::HungUpTty(tty) = file.kind {
            files.add(&k.ttys, tty);
        }
    }
    for (id, s) in k.signals.iter() {
        let Some(tty) = s.tty else { continue };
        let me = format_args!("signal_struct {id:?}");
        if f.exists(processes.add(&k.ttys, tty), me, "tty", format_args!("{tty:?}")) {
            let (theirs, ours) = (k.ttys[tty].session, s.pids[3]);
            f.same(me, "session of its terminal", theirs, ours, "its own");
        }
    }
    for (id, t) in k.ttys.iter() {
        let me = format_args!("tty {id:?} ({})", t.name());
        // Of a slave whose master is open, the pair counts as an open file.
        let pair = k.ttys.get(t.link).is_some_and(|m| m.is_master() && m.count > 0);
        let open = files.of(id) + u32::from(pair);
        f.count(me, "count", t.count, open, "open files, and 1 for an open master");
        let other = k.ttys.get(t.link).map_or(0, |link| link.count);
        let installed = u32::from(t.count > 0 || other > 0);
        f.count(me, "kref", t.kref, processes.of(id) + installed, "processes, and being open");
        let data = &t.disc_data;
        let last = data.read_buf.iter().rposition(|(_, mark)| *mark != Mark::None);
        f.same(me, "canon", data.canon, last.map_or(0, |at| at + 1), "the last end of a line");
        let fits = data.read_buf.len() <= N_TTY_BUF_SIZE && data.flip.len() <= FLIP_LIMIT;
        let held = data.read_buf.len() + data.flip.len();
        f.rule(fits, me, "bytes", format_args!("{held}"), "4096 received and 8192 waiting at most");
    }
}
