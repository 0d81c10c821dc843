//! Strings, addresses and words as strace writes them.
//!
//! Linux: none; strace's util.c (`string_quote`, `printaddr`, `printflags`,
//! `printxval`). Left out: `-x`, `-s`, `-v` and other ways to write the same.

/// Most bytes of a string that are shown (`-s 32`).
pub const SHOWN: usize = 32;

/// Names with their values, in the order in which they are tried.
pub type Names = [(&'static str, i64)];

/// The bytes of a C string literal without its quotes. A byte that is not
/// printable is octal, with as few digits as the next character allows.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (i, b) in bytes.iter().enumerate() {
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\r' => out.push_str("\\r"),
            0x0b => out.push_str("\\v"),
            0x0c => out.push_str("\\f"),
            0x20..=0x7e => out.push(*b as char),
            b if bytes.get(i + 1).is_some_and(|n| (b'0'..=b'7').contains(n)) => {
                out.push_str(&format!("\\{b:03o}"));
            }
            b => out.push_str(&format!("\\{b:o}")),
        }
    }
    out
}

/// A string in quotes, with dots behind it when it is not all.
pub fn quote(bytes: &[u8], more: bool) -> String {
    format!("\"{}\"{}", escape(bytes), if more { "..." } else { "" })
}

/// A string in quotes, cut to what is shown.
pub fn quote_short(bytes: &[u8]) -> String {
    quote(&bytes[..bytes.len().min(SHOWN)], bytes.len() > SHOWN)
}

/// An address.
pub fn addr(v: u64) -> String {
    if v == 0 { "NULL".to_string() } else { format!("{v:#x}") }
}

/// A number in hex; 0 has no prefix.
pub fn hex(v: u64) -> String {
    if v == 0 { "0".to_string() } else { format!("{v:#x}") }
}

/// An octal mode, three digits at least.
pub fn octal(v: u64) -> String {
    format!("{:0>3}", format!("0{v:o}"))
}

/// The name for a value, or the value and what it should have been.
pub fn name_of(names: &Names, v: u64, unknown: &str) -> String {
    match names.iter().find(|(_, n)| *n as u64 == v) {
        Some((name, _)) => (*name).to_string(),
        None => format!("{} /* {unknown} */", hex(v)),
    }
}

/// The names of the bits of a word, what is left over in hex. A name whose value
/// is 0 stands for no bit.
pub fn flags(names: &Names, v: u64, unknown: &str) -> String {
    if v == 0 {
        return names.iter().find(|(_, n)| *n == 0).map_or("0", |(name, _)| name).to_string();
    }
    let mut rest = v;
    let mut words = Vec::new();
    for (name, bits) in names {
        let bits = *bits as u64;
        if bits != 0 && rest & bits == bits {
            words.push((*name).to_string());
            rest &= !bits;
        }
    }
    if words.is_empty() {
        return format!("{v:#x} /* {unknown} */");
    }
    if rest != 0 {
        words.push(format!("{rest:#x}"));
    }
    words.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_in_c() {
        assert_eq!(escape(b"\0\x01abc\n\t\r\x0b\x0c\x1b7"), r"\0\1abc\n\t\r\v\f\0337");
        assert_eq!(
            escape("/tmp\n\u{1}\u{1}2\u{80}\"\\é".as_bytes()),
            r#"/tmp\n\1\0012\302\200\"\\\303\251"#
        );
        assert_eq!(quote_short(&[b'x'; 32]), format!("\"{}\"", "x".repeat(32)));
        assert_eq!(quote_short(&[b'x'; 33]), format!("\"{}\"...", "x".repeat(32)));
    }

    #[test]
    fn numbers_are_written_as_strace_does() {
        assert_eq!([addr(0), addr(16), hex(0), hex(16)], ["NULL", "0x10", "0", "0x10"]);
        let modes = [0, 0o22, 0o644, 0o1777, 0o170644].map(octal);
        assert_eq!(modes, ["000", "022", "0644", "01777", "0170644"]);
    }

    #[test]
    fn unknown_bits_are_shown() {
        let names: &Names = &[("F_NONE", 0), ("F_BOTH", 3), ("F_A", 1), ("F_C", 4)];
        let show = |v| flags(names, v, "F_???");
        assert_eq!([show(0), show(1), show(3), show(5)], ["F_NONE", "F_A", "F_BOTH", "F_A|F_C"]);
        assert_eq!([show(12), show(8)], ["F_C|0x8", "0x8 /* F_??? */"]);
        assert_eq!(name_of(names, 9, "F_???"), "0x9 /* F_??? */");
    }
}
