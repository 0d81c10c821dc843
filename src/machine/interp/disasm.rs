//! The text of instructions, in the notation of Intel's manual.
//!
//! Linux: none. Left out: AT&T syntax.

use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};

/// The first instruction of `bytes`, which lie at `ip`: its text and length.
/// `None` where there is none.
pub fn disassemble(bytes: &[u8], ip: u64) -> Option<(String, usize)> {
    let mut decoder = Decoder::with_ip(64, bytes, ip, DecoderOptions::NONE);
    let insn = decoder.decode();
    if insn.is_invalid() {
        return None;
    }
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_rip_relative_addresses(false);
    options.set_space_after_operand_separator(true);
    options.set_branch_leading_zeros(false);
    options.set_small_hex_numbers_in_decimal(true);
    let mut text = String::new();
    formatter.format(&insn, &mut text);
    Some((text, insn.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_there() {
        assert_eq!(disassemble(&[0x0f, 0x05], 0), Some(("syscall".into(), 2)));
        let call = disassemble(&[0xe8, 0xfb, 0, 0, 0], 0x40_1000);
        assert_eq!(call, Some(("call 0x401100".into(), 5)));
        let mov = disassemble(&[0x48, 0x89, 0x44, 0x24, 0x08], 0);
        assert_eq!(mov, Some(("mov [rsp+8], rax".into(), 5)));
        assert_eq!(disassemble(&[0x06], 0), None);
        assert_eq!(disassemble(&[0x48], 0), None);
    }
}
