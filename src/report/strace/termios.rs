//! `struct termios` as strace writes it.
//!
//! Linux: termios(3), include/uapi/asm-generic/termbits.h. Left out: the line
//! discipline and the characters, which strace shows with `-v` only.

use super::ctx::Ctx;
use super::kind::one;
use super::text::{Names, flags};

const INPUT: &Names = &[
    ("IGNBRK", 0o1),
    ("BRKINT", 0o2),
    ("IGNPAR", 0o4),
    ("PARMRK", 0o10),
    ("INPCK", 0o20),
    ("ISTRIP", 0o40),
    ("INLCR", 0o100),
    ("IGNCR", 0o200),
    ("ICRNL", 0o400),
    ("IUCLC", 0o1000),
    ("IXON", 0o2000),
    ("IXANY", 0o4000),
    ("IXOFF", 0o10000),
    ("IMAXBEL", 0o20000),
    ("IUTF8", 0o40000),
];
const OUTPUT: &Names = &[
    ("OPOST", 0o1),
    ("OLCUC", 0o2),
    ("ONLCR", 0o4),
    ("OCRNL", 0o10),
    ("ONOCR", 0o20),
    ("ONLRET", 0o40),
    ("OFILL", 0o100),
    ("OFDEL", 0o200),
];
/// Delays: a name, its mask, and by how much it is shifted.
const DELAYS: [(&str, u32, u32); 6] = [
    ("NL", 0o400, 8),
    ("CR", 0o3000, 9),
    ("TAB", 0o14000, 11),
    ("BS", 0o20000, 13),
    ("VT", 0o40000, 14),
    ("FF", 0o100000, 15),
];
const SPEEDS: &Names = &[
    ("B0", 0),
    ("B50", 1),
    ("B75", 2),
    ("B110", 3),
    ("B134", 4),
    ("B150", 5),
    ("B200", 6),
    ("B300", 7),
    ("B600", 8),
    ("B1200", 9),
    ("B1800", 10),
    ("B2400", 11),
    ("B4800", 12),
    ("B9600", 13),
    ("B19200", 14),
    ("B38400", 15),
    ("BOTHER", 0o10000),
    ("B57600", 0o10001),
    ("B115200", 0o10002),
];
const CONTROL: &Names = &[
    ("CSTOPB", 0o100),
    ("CREAD", 0o200),
    ("PARENB", 0o400),
    ("PARODD", 0o1000),
    ("HUPCL", 0o2000),
    ("CLOCAL", 0o4000),
    ("CRTSCTS", 0o20000000000),
];
const LOCAL: &Names = &[
    ("ISIG", 0o1),
    ("ICANON", 0o2),
    ("XCASE", 0o4),
    ("ECHO", 0o10),
    ("ECHOE", 0o20),
    ("ECHOK", 0o40),
    ("ECHONL", 0o100),
    ("NOFLSH", 0o200),
    ("TOSTOP", 0o400),
    ("ECHOCTL", 0o1000),
    ("ECHOPRT", 0o2000),
    ("ECHOKE", 0o4000),
    ("FLUSHO", 0o10000),
    ("PENDIN", 0o40000),
    ("IEXTEN", 0o100000),
    ("EXTPROC", 0o200000),
];

/// The flags behind words that are always there.
fn behind(mut words: Vec<String>, names: &Names, v: u32) -> String {
    if v != 0 {
        words.push(flags(names, v.into(), "").trim_end_matches(" /*  */").to_string());
    }
    words.join("|")
}

fn output(v: u32) -> String {
    let delays: u32 = DELAYS.iter().map(|(_, mask, _)| mask).sum();
    let words = DELAYS.iter().map(|(name, mask, shift)| format!("{name}{}", (v & mask) >> shift));
    behind(words.collect(), OUTPUT, v & !delays)
}

fn control(v: u32) -> String {
    const CBAUD: u32 = 0o10017;
    const CSIZE: u32 = 0o60;
    let words = vec![one(SPEEDS, v & CBAUD, "B???"), format!("CS{}", 5 + ((v & CSIZE) >> 4))];
    behind(words, CONTROL, v & !(CBAUD | CSIZE))
}

/// The four words of modes.
pub fn termios(c: &Ctx, at: u64) -> Option<String> {
    let [i, o, control_modes, local] = [0, 4, 8, 12].map(|o| c.u32(at.wrapping_add(o)));
    Some(format!(
        "{{c_iflag={}, c_oflag={}, c_cflag={}, c_lflag={}, ...}}",
        flags(INPUT, i?.into(), "I???"),
        output(o?),
        control(control_modes?),
        flags(LOCAL, local?.into(), "L???")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_of_a_fresh_terminal() {
        assert_eq!(flags(INPUT, 0o2400, ""), "ICRNL|IXON");
        assert_eq!(output(5), "NL0|CR0|TAB0|BS0|VT0|FF0|OPOST|ONLCR");
        assert_eq!(control(0o277), "B38400|CS8|CREAD");
        assert_eq!(
            flags(LOCAL, 0o105073, ""),
            "ISIG|ICANON|ECHO|ECHOE|ECHOK|ECHOCTL|ECHOKE|IEXTEN"
        );
    }
}
