//! Bytes as text, without a loss: names and arguments are bytes to Linux, and
//! mostly UTF-8. What is not becomes characters that stand for one byte each.
//!
//! ```text
//! 'a' 0xff 'b'  --decode-->  'a' U+10FFFF 'b'  --encode-->  'a' 0xff 'b'
//! ```
//! The 256 characters from U+10FF00 on are at the end of a plane for private use.
//! Where they stand in the bytes themselves they are taken apart like all that is
//! not UTF-8, so that every text is that of one sequence of bytes.

use std::borrow::Cow;

/// The character for the byte 0.
const FIRST: u32 = 0x0010_ff00;

/// The text of some bytes.
pub fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(is_byte) => return text.to_string(),
        _ => {}
    }
    let mut text = String::new();
    let escaped = |text: &mut String, bytes: &[u8]| text.extend(bytes.iter().map(|b| of_byte(*b)));
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match is_byte(c) {
                true => escaped(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes()),
                false => text.push(c),
            }
        }
        escaped(&mut text, chunk.invalid());
    }
    text
}

/// The bytes of a text.
pub fn encode(text: &str) -> Cow<'_, [u8]> {
    // Their first byte; hardly any other character has it.
    if !text.as_bytes().contains(&0xf4) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::new();
    for c in text.chars() {
        match is_byte(c) {
            true => bytes.push((u32::from(c) - FIRST) as u8),
            false => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// How many bytes a text has.
pub fn len(text: &str) -> usize {
    encode(text).len()
}

fn is_byte(c: char) -> bool {
    (FIRST..FIRST + 256).contains(&u32::from(c))
}

fn of_byte(b: u8) -> char {
    char::from_u32(FIRST + u32::from(b)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        let pieces: [&[u8]; 6] =
            [b"", b"plain", "für 🦀".as_bytes(), b"\xff", b"a\xc3", "\u{10ffff}x".as_bytes()];
        for a in pieces.iter().chain([&all.as_slice()]) {
            for b in pieces {
                let bytes = [a, b].concat();
                let text = decode(&bytes);
                assert_eq!(*encode(&text), bytes);
                assert_eq!(len(&text), bytes.len());
            }
        }
        assert_eq!(decode("für".as_bytes()), "für");
        assert_ne!(decode(b"\xff"), decode("\u{10ffff}".as_bytes()));
    }
}
