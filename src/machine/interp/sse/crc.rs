//! CRC32: the polynomial 11EDC6F41h (Castagnoli's), bits reflected.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::{W8, W16, W32, W64, Width};
use iced_x86::Mnemonic;

/// What a byte does to the remainder.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut v = n as u32;
        let mut bit = 0;
        while bit < 8 {
            v = if v & 1 != 0 { v >> 1 ^ 0x82f6_3b78 } else { v >> 1 };
            bit += 1;
        }
        table[n] = v;
        n += 1;
    }
    table
};

fn crc<W: Width, const MEM: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = if MEM { c.load::<W>(c.address(i))? } else { c.get::<W>(i.b) };
    let mut crc = c.get::<W32>(i.a) as u32;
    for byte in &v.to_le_bytes()[..W::BYTES] {
        crc = crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)];
    }
    c.set::<W32>(i.a, crc.into());
    Ok(Flow::Next)
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    if form.insn.mnemonic() != Mnemonic::Crc32 {
        return None;
    }
    Some(match (form.width(1), form.kinds[1] == Kind::Mem) {
        (1, false) => crc::<W8, false>,
        (1, true) => crc::<W8, true>,
        (2, false) => crc::<W16, false>,
        (2, true) => crc::<W16, true>,
        (4, false) => crc::<W32, false>,
        (4, true) => crc::<W32, true>,
        (8, false) => crc::<W64, false>,
        (8, true) => crc::<W64, true>,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn the_usual_check_value() {
        let step = |crc: u32, b: &u8| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ b)];
        assert_eq!(!b"123456789".iter().fold(!0, step), 0xe306_9283);
    }
}
