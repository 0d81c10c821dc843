//! Terminals: requests of ioctl(2), flags and characters of `struct termios`.
//!
//! Linux: include/uapi/asm-generic/{ioctls,termbits,termbits-common}.h,
//! include/linux/tty.h (INIT_C_CC).
//! Left out: speeds, window sizes, line disciplines other than N_TTY.

macro_rules! requests {
    ($($name:ident = $value:expr;)*) => {
        $(#[allow(missing_docs, reason = "the manual page of the request describes it")]
          pub const $name: u32 = $value;)*
        /// Requests of ioctl(2) that are known by name.
        pub const REQUESTS: &[(&str, u64)] = &[$((stringify!($name), $value as u64)),*];
    };
}

requests! {
    TCGETS = 0x5401; TCSETS = 0x5402; TCSETSW = 0x5403; TCSETSF = 0x5404;
    TIOCSCTTY = 0x540e; TIOCGPGRP = 0x540f; TIOCSPGRP = 0x5410; FIONREAD = 0x541b;
    TIOCNOTTY = 0x5422; TIOCGSID = 0x5429; FIONBIO = 0x5421; FIONCLEX = 0x5450; FIOCLEX = 0x5451;
    TIOCGPTN = 0x8004_5430; TIOCSPTLCK = 0x4004_5431; TIOCGPTLCK = 0x8004_5439;
}

/// Signals for descriptors that become ready: not modelled.
pub const FIOASYNC: u32 = 0x5452;

/// Requests that Linux's terminals know and the model refuses by name.
pub const NOT_MODELLED: &[(u32, &str)] = &[
    (0x5405, "TCGETA"),
    (0x5406, "TCSETA"),
    (0x5407, "TCSETAW"),
    (0x5408, "TCSETAF"),
    (0x5409, "TCSBRK"),
    (0x540a, "TCXONC"),
    (0x540b, "TCFLSH"),
    (0x540c, "TIOCEXCL"),
    (0x540d, "TIOCNXCL"),
    (0x5411, "TIOCOUTQ"),
    (0x5412, "TIOCSTI"),
    (0x5413, "TIOCGWINSZ"),
    (0x5414, "TIOCSWINSZ"),
    (0x541d, "TIOCCONS"),
    (0x5420, "TIOCPKT"),
    (0x5423, "TIOCSETD"),
    (0x5424, "TIOCGETD"),
    (0x5425, "TCSBRKP"),
    (0x802c_542a, "TCGETS2"),
    (0x402c_542b, "TCSETS2"),
    (0x402c_542c, "TCSETSW2"),
    (0x402c_542d, "TCSETSF2"),
    (0x4004_5436, "TIOCSIG"),
    (0x5441, "TIOCGPTPEER"),
];

macro_rules! modes {
    ($(#[$doc:meta])* $ty:ident { $($name:ident = $value:expr;)* }) => {
        bitflags::bitflags! {
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub struct $ty: u32 {
                $(
                    #[allow(missing_docs, reason = "termios(3) describes it")]
                    const $name = $value;
                )*
            }
        }
    };
}

modes! {
    /// `c_iflag`: what happens to input.
    InputModes {
        IGNBRK = 0o1; BRKINT = 0o2; IGNPAR = 0o4; PARMRK = 0o10; INPCK = 0o20; ISTRIP = 0o40;
        INLCR = 0o100; IGNCR = 0o200; ICRNL = 0o400; IUCLC = 0o1000; IXON = 0o2000;
        IXANY = 0o4000; IXOFF = 0o10000; IMAXBEL = 0o20000; IUTF8 = 0o40000;
    }
}
modes! {
    /// `c_oflag`: what happens to output.
    OutputModes { OPOST = 0o1; OLCUC = 0o2; ONLCR = 0o4; OCRNL = 0o10; ONOCR = 0o20; ONLRET = 0o40; }
}
modes! {
    /// `c_lflag`: editing, echo, signals.
    LocalModes {
        ISIG = 0o1; ICANON = 0o2; ECHO = 0o10; ECHOE = 0o20; ECHOK = 0o40; ECHONL = 0o100;
        NOFLSH = 0o200; TOSTOP = 0o400; ECHOCTL = 0o1000; ECHOPRT = 0o2000; ECHOKE = 0o4000;
        FLUSHO = 0o10000; PENDIN = 0o40000; IEXTEN = 0o100000; EXTPROC = 0o200000;
    }
}

macro_rules! characters {
    ($($name:ident = $value:expr;)*) => {
        $(#[allow(missing_docs, reason = "termios(3) describes it")]
          pub const $name: usize = $value;)*
        /// Places in `c_cc`.
        pub const CC_NAMES: &[(&str, u64)] = &[$((stringify!($name), $value as u64)),*];
    };
}

characters! {
    VINTR = 0; VQUIT = 1; VERASE = 2; VKILL = 3; VEOF = 4; VTIME = 5; VMIN = 6; VSWTC = 7;
    VSTART = 8; VSTOP = 9; VSUSP = 10; VEOL = 11; VREPRINT = 12; VDISCARD = 13; VWERASE = 14;
    VLNEXT = 15; VEOL2 = 16;
}

/// `NCCS` of the kernel's `struct termios`.
pub const NCCS: usize = 19;
/// Bytes of `struct termios`: four words, the line discipline, `c_cc`.
pub const TERMIOS_SIZE: usize = 36;
/// A character that is none: its function is off (`__DISABLED_CHAR`).
pub const DISABLED_CHAR: u8 = 0;
/// The characters a terminal begins with (`INIT_C_CC`).
pub const INIT_C_CC: [u8; NCCS] =
    [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0];
/// `B38400 | CS8 | CREAD`.
pub const INIT_CFLAG: u32 = 0o17 | 0o60 | 0o200;

/// `UNIX98_PTY_SLAVE_MAJOR`.
pub const PTY_SLAVE_MAJOR: u32 = 136;
/// `UNIX98_PTY_MASTER_MAJOR`.
pub const PTY_MASTER_MAJOR: u32 = 128;

/// `struct termios` as TCGETS gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Termios {
    /// Input modes.
    pub c_iflag: InputModes,
    /// Output modes.
    pub c_oflag: OutputModes,
    /// Control modes: speed, character size.
    pub c_cflag: u32,
    /// Local modes.
    pub c_lflag: LocalModes,
    /// Line discipline, 0: N_TTY.
    pub c_line: u8,
    /// Special characters.
    pub c_cc: [u8; NCCS],
}

impl Termios {
    /// As it lies in memory.
    pub fn to_bytes(&self) -> [u8; TERMIOS_SIZE] {
        let mut bytes = [0; TERMIOS_SIZE];
        let words = [self.c_iflag.bits(), self.c_oflag.bits(), self.c_cflag, self.c_lflag.bits()];
        for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes[16] = self.c_line;
        bytes[17..].copy_from_slice(&self.c_cc);
        bytes
    }

    /// From memory. Bits without a name are kept.
    pub fn from_bytes(bytes: &[u8; TERMIOS_SIZE]) -> Termios {
        let word = |i: usize| {
            let at = 4 * i;
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let mut c_cc = [0; NCCS];
        c_cc.copy_from_slice(&bytes[17..]);
        Termios {
            c_iflag: InputModes::from_bits_retain(word(0)),
            c_oflag: OutputModes::from_bits_retain(word(1)),
            c_cflag: word(2),
            c_lflag: LocalModes::from_bits_retain(word(3)),
            c_line: bytes[16],
            c_cc,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn termios_comes_back_from_its_bytes() {
        let t = Termios {
            c_iflag: InputModes::ICRNL | InputModes::IXON,
            c_oflag: OutputModes::OPOST,
            c_cflag: INIT_CFLAG,
            c_lflag: LocalModes::from_bits_retain(0x8000_0001),
            c_line: 7,
            c_cc: INIT_C_CC,
        };
        assert_eq!(Termios::from_bytes(&t.to_bytes()), t);
        assert_eq!(t.to_bytes()[17 + VSUSP], 26);
    }
}
