//! What a test begins with and what it ends with: registers, flags, the FXSAVE
//! image, memory. Values are drawn from those that go wrong.
//!
//! ```text
//! CODE   tests, one after the other, between INT3s        executable, not writable
//! DATA   two pages writable, one page read-only           around them nothing
//! ```

/// Where the tests' instructions are.
pub const CODE: u64 = 0x1000_0000;
/// Size of the code.
pub const CODE_SIZE: usize = 0x1_0000;
/// Bytes from a test to the next: they cross pages now and then.
pub const SLOT: usize = 61;
/// Tests that are run together.
pub const BATCH: usize = CODE_SIZE / SLOT - 1;
/// Where the data is.
pub const DATA: u64 = 0x2000_0000;
/// Size of the part that can be written.
pub const WRITABLE: usize = 0x2000;
/// Size of all.
pub const DATA_SIZE: usize = 0x3000;
/// What GS points to.
pub const GS_BASE: u64 = DATA + 0x108;
/// How much of an FXSAVE image has a meaning.
pub const FX: usize = 416;

/// Numbers of registers by their encoding.
pub const RAX: usize = 0;
pub const RCX: usize = 1;
pub const RDX: usize = 2;
pub const RBX: usize = 3;
pub const RSP: usize = 4;
pub const RBP: usize = 5;
pub const RSI: usize = 6;
pub const RDI: usize = 7;

/// The six status flags.
pub const STATUS: u64 = 0x8d5;
/// The direction flag.
pub const DF: u64 = 1 << 10;
/// Alignment check.
pub const AC: u64 = 1 << 18;

/// Random numbers (SplitMix64).
#[derive(Debug, Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Less than `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// True so often in a hundred.
    pub fn percent(&mut self, n: u64) -> bool {
        self.below(100) < n
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// An integer: often at an edge of some width.
    pub fn integer(&mut self) -> u64 {
        match self.below(8) {
            0 => self.pick(&[0, 1, !0, 2, 0x7f, 0x80, 0xff, 0x100, 15, 16, 17, 31, 32, 33, 63, 64]),
            1 => {
                let edge = 1u64 << self.pick(&[7, 8, 15, 16, 31, 32, 63]);
                edge.wrapping_add(self.below(3)).wrapping_sub(1)
            }
            2 => (self.pick(&[i64::MIN, -1, -128, -32768, -2_147_483_648]) as u64)
                .wrapping_add(self.below(2)),
            3 => self.below(256),
            4 => 1 << self.below(64),
            5 => u64::from(self.next() as u32),
            _ => self.next(),
        }
    }

    /// A double: often special.
    pub fn double(&mut self) -> u64 {
        const SPECIAL: [u64; 22] = [
            0,
            1 << 63,
            0x3ff0_0000_0000_0000,
            0xbff0_0000_0000_0000,
            0x7ff0_0000_0000_0000,
            0xfff0_0000_0000_0000,
            0x7ff8_0000_0000_0000,
            0x7ff0_0000_0000_0001,
            0xfff8_0000_0000_1234,
            1,
            0x000f_ffff_ffff_ffff,
            0x0010_0000_0000_0000,
            0x7fef_ffff_ffff_ffff,
            0x3fe0_0000_0000_0000,
            0x4000_0000_0000_0000,
            0x41df_ffff_ffc0_0000,
            0x41e0_0000_0000_0000,
            0xc1e0_0000_0000_0000,
            0x43e0_0000_0000_0000,
            0xc3e0_0000_0000_0000,
            0x3ff8_0000_0000_0000,
            0x4004_0000_0000_0000,
        ];
        match self.below(6) {
            0 | 1 => self.pick(&SPECIAL),
            2 => (self.below(2000) as f64 / 8.0 - 125.0).to_bits(),
            // Exponents near each other, so that sums do not lose one of the two.
            3 => self.next() & !(0x7ff << 52) | (1015 + self.below(16)) << 52,
            4 => self.next() & (1 << 63 | 0xf_ffff_ffff_ffff) | self.below(3) << 52,
            _ => self.next(),
        }
    }

    /// A float: often special.
    pub fn single(&mut self) -> u32 {
        const SPECIAL: [u32; 20] = [
            0,
            1 << 31,
            0x3f80_0000,
            0xbf80_0000,
            0x7f80_0000,
            0xff80_0000,
            0x7fc0_0000,
            0x7f80_0001,
            0xffc0_1234,
            1,
            0x007f_ffff,
            0x0080_0000,
            0x7f7f_ffff,
            0x3f00_0000,
            0x4000_0000,
            0x4eff_ffff,
            0x4f00_0000,
            0xcf00_0000,
            0x5f00_0000,
            0x4020_0000,
        ];
        match self.below(6) {
            0 | 1 => self.pick(&SPECIAL),
            2 => (self.below(2000) as f32 / 8.0 - 125.0).to_bits(),
            3 => self.next() as u32 & !(0xff << 23) | (119 + self.below(16) as u32) << 23,
            4 => self.next() as u32 & (1 << 31 | 0x7f_ffff) | (self.below(3) as u32) << 23,
            _ => self.next() as u32,
        }
    }

    /// What a vector register may hold: doubles, floats or integers.
    pub fn vector(&mut self) -> u128 {
        let two = |a: u64, b: u64| u128::from(a) | u128::from(b) << 64;
        match self.below(4) {
            0 => two(self.double(), self.double()),
            1 => (0..4).fold(0, |v, _| v << 32 | u128::from(self.single())),
            2 => two(self.integer(), self.integer()),
            _ => {
                // Small elements, so that saturation and equality happen.
                let edges = [0u8, 1, 0x7f, 0x80, 0xff, 0x41, 0x42, 0];
                u128::from_le_bytes(std::array::from_fn(|_| {
                    if self.percent(60) { self.pick(&edges) } else { self.next() as u8 }
                }))
            }
        }
    }

    /// An 80-bit number: sign and exponent, significand.
    pub fn extended(&mut self) -> (u16, u64) {
        let one = 1u64 << 63;
        match self.below(8) {
            0 => self.pick(&[
                (0, 0),
                (0x8000, 0),
                (0x3fff, one),
                (0xbfff, one),
                (0x7fff, one),
                (0xffff, one),
                (0x7fff, 3 << 62),
                (0xffff, 3 << 62),
                (0x7fff, one | 1),
                (0, 1),
                (0, one),
                (0x8000, one - 1),
                (1, one),
                (0x7ffe, !0),
                (0x4000, 0xc90f_daa2_2168_c235),
                // Encodings that modern processors refuse: unnormal, pseudo-NaN,
                // pseudo-infinity.
                (0x4000, 1),
                (0x7fff, 1),
                (0x7fff, 0),
            ]),
            1 => {
                let v = self.below(4000) as f64 / 8.0 - 250.0;
                let bits = v.to_bits();
                if v == 0.0 {
                    (0, 0)
                } else {
                    let sign = (bits >> 48 & 0x8000) as u16;
                    let exponent = (bits >> 52 & 0x7ff) as u16 + 16383 - 1023;
                    (sign | exponent, bits << 11 | one)
                }
            }
            2 | 3 => {
                let near = 0x3fff - 8 + self.below(72) as u16;
                (near | (self.next() as u16 & 0x8000), self.next() | one)
            }
            4 => (self.next() as u16 & 0x8001, self.next()),
            5 => {
                // A double's or float's precision, and halves of their last place.
                let keep = self.pick(&[!0x7ff, !0x3ff, !0xff_ffff_ffffu64, !0x7f_ffff_ffff]);
                let near = 0x3fff - 4 + self.below(12) as u16;
                (near | (self.next() as u16 & 0x8000), self.next() & keep | one)
            }
            6 => {
                // Near the ends of the ranges of floats and doubles.
                let edge = self.pick(&[0x3c01u16, 0x43fe, 0x3f81, 0x407e, 0x7ffe, 1]);
                let e = edge.wrapping_add(self.below(5) as u16).wrapping_sub(2) & 0x7fff;
                (e | (self.next() as u16 & 0x8000), self.next() | one)
            }
            _ => (self.next() as u16, self.next() | if self.percent(90) { one } else { 0 }),
        }
    }
}

/// What a test begins with.
#[derive(Clone)]
pub struct State {
    /// General registers by their encoding.
    pub gpr: [u64; 16],
    /// Status and direction flags.
    pub flags: u64,
    /// Beginning of the FXSAVE image.
    pub fx: [u8; FX],
}

impl State {
    pub fn random(rng: &mut Rng) -> State {
        let mut gpr = std::array::from_fn(|_| rng.integer());
        gpr[RSP] = DATA + 0x800 + rng.below(0x200) * 8;
        for r in [RSI, RDI, RBP] {
            if rng.percent(50) {
                gpr[r] = DATA + 0x100 + rng.below(0x1e00);
            }
        }
        let mut flags = rng.next() & STATUS;
        if rng.percent(15) {
            flags |= DF;
        }
        if rng.percent(6) {
            flags |= AC;
        }
        State { gpr, flags, fx: State::random_fx(rng) }
    }

    fn random_fx(rng: &mut Rng) -> [u8; FX] {
        let mut fx = [0; FX];
        let mut put = |at: usize, bytes: &[u8]| fx[at..at + bytes.len()].copy_from_slice(bytes);
        let masks = |rng: &mut Rng| if rng.percent(88) { 0x3f } else { rng.next() as u32 & 0x3f };
        let control = masks(rng)
            | 0x40
            | rng.pick(&[0x300, 0x300, 0x300, 0x200, 0])
            | if rng.percent(40) { (rng.next() as u32 & 3) << 10 } else { 0 };
        put(0, &(control as u16).to_le_bytes());
        let mut status = rng.next() as u16 & 0x7f00 & !0x80;
        if rng.percent(20) {
            status |= rng.next() as u16 & 0x7f;
        }
        if status & !(control as u16) & 0x3f != 0 {
            status |= 0x8080;
        }
        put(2, &status.to_le_bytes());
        let in_use = if rng.percent(60) { 0xff } else { rng.next() as u8 };
        put(4, &[in_use]);
        let round = if rng.percent(40) { (rng.next() as u32 & 3) << 13 } else { 0 };
        let tiny = if rng.percent(15) { rng.next() as u32 & 0x8040 } else { 0 };
        let sticky = if rng.percent(20) { rng.next() as u32 & 0x3f } else { 0 };
        put(24, &(masks(rng) << 7 | round | tiny | sticky).to_le_bytes());
        for i in 0..8 {
            let (top, low) = rng.extended();
            // An MMX register, sometimes: the exponent is all ones.
            let (top, low) =
                if rng.percent(15) { (0xffff, rng.vector() as u64) } else { (top, low) };
            put(32 + i * 16, &low.to_le_bytes());
            put(40 + i * 16, &top.to_le_bytes());
        }
        for i in 0..16 {
            put(160 + i * 16, &rng.vector().to_le_bytes());
        }
        fx
    }
}

/// What a test ends with.
#[derive(Clone)]
#[repr(C)]
pub struct Outcome {
    /// General registers by their encoding.
    pub gpr: [u64; 16],
    /// RIP.
    pub ip: u64,
    /// RFLAGS.
    pub flags: u64,
    /// Vector of the exception that ended it; INT3 at least.
    pub vector: u64,
    /// Its error code.
    pub error: u64,
    /// CR2, if it was a page fault.
    pub cr2: u64,
    /// Beginning of the FXSAVE image.
    pub fx: [u8; FX],
    /// Not 0: `memory` is what the writable pages hold; else they are as before.
    pub dirty: u64,
    /// See `dirty`.
    pub memory: [u8; WRITABLE],
}

/// What memory holds before each test of a batch.
pub fn random_data(rng: &mut Rng) -> Vec<u8> {
    let mut data = Vec::with_capacity(DATA_SIZE);
    while data.len() < DATA_SIZE {
        match rng.below(6) {
            0 => data.extend_from_slice(&rng.integer().to_le_bytes()),
            1 => {
                let (top, low) = rng.extended();
                data.extend_from_slice(&low.to_le_bytes());
                data.extend_from_slice(&u64::from(top).to_le_bytes());
            }
            _ => data.extend_from_slice(&rng.vector().to_le_bytes()),
        }
    }
    data.truncate(DATA_SIZE);
    data
}
