//! Terminals: what is in them, how they are set, whose they are.
//!
//! Left out: reference counts; see `state`.

use super::{Canon, Object, lives_in};
use crate::kernel::tty::TtyStruct;
use crate::kernel::tty::n_tty::NTtyData;

impl Object for TtyStruct {
    lives_in!(ttys);

    fn describe(&self, c: &mut Canon<'_>) {
        let TtyStruct {
            kref: _,
            subtype,
            index,
            // It decides when a slave counts as closed.
            count,
            link,
            flags,
            session,
            pgrp,
            termios,
            disc_data,
            read_wait,
            write_wait,
        } = self;
        let NTtyData { flip, read_buf, canon } = disc_data;
        c.put((subtype, index, count, flags.bits(), termios));
        c.put((flip, read_buf, canon));
        c.id(*link);
        c.opt(*session);
        c.opt(*pgrp);
        c.queue(read_wait);
        c.queue(write_wait);
    }
}
