//! SSE instructions as programs execute them. What every one of them computes
//! is compared with the host's processor by `tests/native`; here is what must
//! hold on any host.
//!
//! Linux: none. Left out: nothing.

use crate::base::VirtAddr;
use crate::base::cow::Arc;
use crate::machine::exception::Exception;
use crate::machine::fpu::FpuState;
use crate::machine::interp::Exit;
use crate::machine::interp::testing::{Bench, DATA};
use crate::machine::{Ring, Size};

/// MXCSR with all masked; the flags.
const MASKED: u32 = 0x1f80;
const IE: u32 = 1;
const DE: u32 = 2;
const ZE: u32 = 4;
const OE: u32 = 8;
const UE: u32 = 16;
const PE: u32 = 32;
const DAZ: u32 = 64;
const FTZ: u32 = 1 << 15;

/// What came of one instruction on XMM0 and XMM1, with RAX at some data.
struct Ran {
    b: Bench,
    exit: Exit,
    fpu: FpuState,
}

fn run(code: &[u8], xmm0: u128, xmm1: u128, mxcsr: u32) -> Ran {
    let mut b = Bench::new(code);
    let mut fpu = FpuState { mxcsr, ..FpuState::default() };
    (fpu.xmm[0], fpu.xmm[1]) = (xmm0, xmm1);
    b.space.m.cpus[0].fpu = Some(Arc::new(fpu));
    b.regs().ax = DATA;
    for (n, word) in [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908].into_iter().enumerate() {
        let at = VirtAddr(DATA + 8 * n as u64);
        b.space.m.store(0, at, Size::Qword, word, Ring::User).unwrap();
    }
    let exit = b.run(1).exit;
    let fpu = *b.space.m.cpus[0].fpu.as_deref().unwrap();
    Ran { b, exit, fpu }
}

/// Two operands of a packed or scalar instruction without memory.
fn pair(code: &[u8], a: u128, b: u128) -> u128 {
    let ran = run(code, a, b, MASKED);
    assert_eq!(ran.exit, Exit::Budget);
    ran.fpu.xmm[0]
}

/// A scalar operation on doubles: what is in XMM0, and the flags.
fn scalar(opcode: u8, a: f64, b: f64, mxcsr: u32) -> (f64, u32) {
    let high = 0x1122_3344_5566_7788 << 64;
    let ran =
        run(&[0xf2, 0x0f, opcode, 0xc1], high | u128::from(a.to_bits()), b.to_bits().into(), mxcsr);
    assert_eq!((ran.exit, ran.fpu.xmm[0] >> 64 << 64), (Exit::Budget, high));
    (f64::from_bits(ran.fpu.xmm[0] as u64), ran.fpu.mxcsr & 0x3f)
}

const ADD: u8 = 0x58;
const MUL: u8 = 0x59;
const SUB: u8 = 0x5c;
const MIN: u8 = 0x5d;
const DIV: u8 = 0x5e;
const MAX: u8 = 0x5f;
const SQRT: u8 = 0x51;

#[test]
fn sixteen_bytes_are_aligned_or_not() {
    let data = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100u128;
    let movaps = |disp| run(&[0x0f, 0x28, 0x40, disp], 7, 0, MASKED);
    assert_eq!(movaps(0).fpu.xmm[0], data);
    let ran = movaps(1);
    assert_eq!((ran.exit, ran.fpu.xmm[0]), (Exit::Exception(Exception::GP), 7));
    let movups = run(&[0x0f, 0x10, 0x40, 1], 7, 0, MASKED);
    assert_eq!(movups.fpu.xmm[0], data >> 8);
    let pxor = run(&[0x66, 0x0f, 0xef, 0x40, 8], 7, 0, MASKED);
    assert_eq!((pxor.exit, pxor.fpu.xmm[0]), (Exit::Exception(Exception::GP), 7));
    // PCMPISTRI need not be.
    assert_eq!(run(&[0x66, 0x0f, 0x3a, 0x63, 0x40, 1, 0], 7, 0, MASKED).exit, Exit::Budget);
}

#[test]
fn a_store_across_a_missing_page_writes_nothing() {
    // movups [rax+1ff8h], xmm0
    let mut ran = run(&[0x0f, 0x11, 0x80, 0xf8, 0x1f, 0, 0], !0, 0, MASKED);
    assert!(
        matches!(ran.exit, Exit::Exception(Exception::PageFault { addr, .. }) if addr.0 == DATA + 0x2000)
    );
    assert_eq!(ran.b.peek(DATA + 0x1ff8), 0);
}

#[test]
fn scalars_from_memory_clear_the_rest_and_from_registers_leave_it() {
    let (a, b) = (!0u128, 5u128);
    assert_eq!(pair(&[0xf2, 0x0f, 0x10, 0xc1], a, b), !0 << 64 | 5, "movsd xmm0,xmm1");
    assert_eq!(pair(&[0xf3, 0x0f, 0x10, 0xc1], a, b), !0 << 32 | 5, "movss xmm0,xmm1");
    assert_eq!(pair(&[0xf3, 0x0f, 0x7e, 0xc1], a, b), 5, "movq xmm0,xmm1");
    assert_eq!(pair(&[0xf2, 0x0f, 0x10, 0x00], a, b), 0x0706_0504_0302_0100, "movsd xmm0,[rax]");
    assert_eq!(pair(&[0xf3, 0x0f, 0x10, 0x00], a, b), 0x0302_0100, "movss xmm0,[rax]");
    assert_eq!(pair(&[0x0f, 0x16, 0xc1], a, b), 5 << 64 | !0 >> 64, "movlhps xmm0,xmm1");
}

#[test]
fn doubles_round_as_the_host_does_by_default() {
    let numbers = [0.0, -0.0, 1.0, -3.0, 0.1, 1e300, -1e-300, 5e-324, f64::MAX, f64::INFINITY];
    for a in numbers {
        for b in numbers {
            for (mxcsr, quick) in [(MASKED, "PE clear"), (MASKED | PE, "PE set")] {
                let what = format!("{a:e} {b:e} {quick}");
                let same = |opcode, want: f64| {
                    let (got, _) = scalar(opcode, a, b, mxcsr);
                    assert!(
                        got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(),
                        "{what} {opcode:x}"
                    );
                };
                same(ADD, a + b);
                same(SUB, a - b);
                same(MUL, a * b);
                same(DIV, a / b);
                same(SQRT, b.sqrt());
                same(MIN, if a < b { a } else { b });
                same(MAX, if a > b { a } else { b });
            }
        }
    }
}

#[test]
fn flags_stay_and_say_what_happened() {
    assert_eq!(scalar(ADD, 1.0, 2.0, MASKED), (3.0, 0));
    assert_eq!(scalar(ADD, 0.1, 0.2, MASKED).1, PE);
    assert_eq!(scalar(ADD, 1.0, 2.0, MASKED | UE).1, UE, "sticky");
    assert_eq!(scalar(MUL, 3.0, 1e16, MASKED).1, 0);
    assert_eq!(scalar(MUL, 1e200, 1e200, MASKED), (f64::INFINITY, OE | PE));
    assert_eq!(scalar(MUL, 1e-200, 1e-200, MASKED), (0.0, UE | PE));
    assert_eq!(scalar(DIV, 1.0, 0.0, MASKED), (f64::INFINITY, ZE));
    assert_eq!(scalar(DIV, 1.0, 3.0, MASKED).1, PE);
    assert_eq!(scalar(DIV, 9.0, 3.0, MASKED).1, 0);
    assert_eq!(scalar(SQRT, 0.0, 2.0, MASKED).1, PE);
    assert_eq!(scalar(SQRT, 0.0, 9.0, MASKED), (3.0, 0));
    assert_eq!(scalar(ADD, 5e-324, 0.0, MASKED), (5e-324, DE));
    let (nan, flags) = scalar(SQRT, 0.0, -1.0, MASKED);
    assert_eq!((nan.to_bits(), flags), (0xfff8 << 48, IE));
}

#[test]
fn rounding_daz_and_ftz_are_obeyed() {
    let (down, up, zero) = (1 << 13, 2 << 13, 3 << 13);
    let third = |mode| scalar(DIV, 1.0, 3.0, MASKED | mode).0;
    assert!(third(down) == third(zero) && third(up) == third(down).next_up());
    assert_eq!(scalar(DIV, -1.0, 3.0, MASKED | up).0, -third(zero));
    assert_eq!(scalar(SUB, 1.0, 1.0, MASKED | down).0.to_bits(), 1 << 63, "-0");
    assert_eq!(scalar(MUL, 1e200, 1e200, MASKED | zero), (f64::MAX, OE | PE));
    assert_eq!(scalar(ADD, 5e-324, 1.0, MASKED | DAZ), (1.0, 0));
    assert_eq!(scalar(MUL, 1e-300, -1e-10, MASKED | FTZ).0.to_bits(), 1 << 63);
    assert_eq!(scalar(MUL, 1e-300, -1e-10, MASKED | FTZ).1, UE | PE);
}

#[test]
fn the_first_nan_is_passed_on_and_made_quiet() {
    let signaling = f64::from_bits(0x7ff0_0000_0000_0001);
    let quiet = f64::from_bits(0xfff8_0000_0000_0002);
    let bits = |(v, flags): (f64, u32)| (v.to_bits(), flags);
    assert_eq!(bits(scalar(ADD, quiet, 1.0, MASKED)), (quiet.to_bits(), 0));
    assert_eq!(bits(scalar(ADD, 1.0, quiet, MASKED)), (quiet.to_bits(), 0));
    assert_eq!(bits(scalar(MUL, signaling, quiet, MASKED)), (0x7ff8_0000_0000_0001, IE));
    assert_eq!(bits(scalar(MUL, quiet, signaling, MASKED)), (quiet.to_bits(), IE));
    assert_eq!(bits(scalar(MIN, quiet, 1.0, MASKED)), (1.0f64.to_bits(), IE));
    assert_eq!(bits(scalar(MAX, 1.0, signaling, MASKED)), (signaling.to_bits(), IE));
}

#[test]
fn unmasked_exceptions_are_raised_and_write_nothing() {
    let xm = Exit::Exception(Exception::SimdFloatingPoint);
    let one = u128::from(1f64.to_bits());
    let divide = run(&[0xf2, 0x0f, 0x5e, 0xc1], one, 0, MASKED & !(ZE << 7));
    assert_eq!((divide.exit, divide.fpu.xmm[0], divide.fpu.mxcsr & 0x3f), (xm, one, ZE));
    // A second lane that would be inexact is not computed any more.
    let third = u128::from(3f64.to_bits()) << 64;
    let packed = run(&[0x66, 0x0f, 0x5e, 0xc1], one | one << 64, third, MASKED & !(ZE << 7));
    assert_eq!((packed.exit, packed.fpu.mxcsr & 0x3f), (xm, ZE));
    let masked = run(&[0x66, 0x0f, 0x5e, 0xc1], one | one << 64, third, MASKED);
    assert_eq!((masked.exit, masked.fpu.mxcsr & 0x3f), (Exit::Budget, ZE | PE));
}

#[test]
fn comparisons() {
    let nan = f64::NAN;
    let flags = |a: f64, b: f64| {
        let mut ran =
            run(&[0x66, 0x0f, 0x2e, 0xc1], a.to_bits().into(), b.to_bits().into(), MASKED);
        ran.b.regs().flags & 0x8d5
    };
    assert_eq!(
        [flags(1.0, 2.0), flags(2.0, 1.0), flags(0.0, -0.0), flags(nan, 1.0)],
        [1, 0, 0x40, 0x45]
    );
    let mask = |predicate, a: f64, b: f64| {
        pair(&[0xf2, 0x0f, 0xc2, 0xc1, predicate], a.to_bits().into(), b.to_bits().into())
    };
    let all = u128::from(u64::MAX);
    // EQ LT LE UNORD NEQ NLT NLE ORD
    let holds = |a, b| (0..8).filter(|p| mask(*p, a, b) == all).collect::<Vec<u8>>();
    assert_eq!(holds(1.0, 2.0), [1, 2, 4, 7]);
    assert_eq!(holds(2.0, 1.0), [4, 5, 6, 7]);
    assert_eq!(holds(1.0, 1.0), [0, 2, 5, 7]);
    assert_eq!(holds(nan, 1.0), [3, 4, 5, 6]);
}

#[test]
fn conversions() {
    let to = |code: &[u8], v: f64, mode: u32| {
        let mut ran = run(code, v.to_bits().into(), 0, MASKED | mode << 13);
        (ran.b.regs().ax, ran.fpu.mxcsr & 0x3f)
    };
    let (cvttsd2si, cvtsd2si) = ([0xf2, 0x0f, 0x2c, 0xc0], [0xf2, 0x48, 0x0f, 0x2d, 0xc0]);
    assert_eq!(to(&cvttsd2si, -1.9, 0), (0xffff_ffff, PE));
    assert_eq!(to(&cvttsd2si, 7.0, 0), (7, 0));
    assert_eq!(to(&cvttsd2si, 3e9, 0), (0x8000_0000, IE));
    assert_eq!(to(&cvttsd2si, f64::NAN, 0), (0x8000_0000, IE));
    assert_eq!([0, 1, 2, 3].map(|mode| to(&cvtsd2si, 2.5, mode).0), [2, 2, 3, 2]);
    assert_eq!(to(&cvtsd2si, -9.3e18, 0), (1 << 63, IE));
    // cvtsd2ss xmm0,xmm0 and back
    let single = run(&[0xf2, 0x0f, 0x5a, 0xc0], 0.1f64.to_bits().into(), 0, MASKED);
    assert_eq!((single.fpu.xmm[0] as u32, single.fpu.mxcsr & PE), (0.1f32.to_bits(), PE));
    assert_eq!(
        pair(&[0xf3, 0x0f, 0x5a, 0xc0], 0.1f32.to_bits().into(), 0) as u64,
        f64::from(0.1f32).to_bits()
    );
    // roundsd xmm0,xmm1: nearest, down, up, toward zero
    let rounded = [8, 9, 10, 11].map(|imm| {
        f64::from_bits(
            pair(&[0x66, 0x0f, 0x3a, 0x0b, 0xc1, imm], 0, (-2.5f64).to_bits().into()) as u64
        )
    });
    assert_eq!(rounded, [-2.0, -3.0, -2.0, -2.0]);
}

#[test]
fn integers_lane_by_lane() {
    let a = 0xff80_7f01_0000_ffff_1234_5678_9abc_def0u128;
    let b = 0x0101_0101_0101_0101_fedc_ba98_7654_3210u128;
    let bytes = |f: fn(u8, u8) -> u8| {
        let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
        u128::from_le_bytes(std::array::from_fn(|n| f(a[n], b[n])))
    };
    assert_eq!(pair(&[0x66, 0x0f, 0xfc, 0xc1], a, b), bytes(u8::wrapping_add), "paddb");
    assert_eq!(pair(&[0x66, 0x0f, 0xdc, 0xc1], a, b), bytes(u8::saturating_add), "paddusb");
    assert_eq!(pair(&[0x66, 0x0f, 0xda, 0xc1], a, b), bytes(|a, b| a.min(b)), "pminub");
    assert_eq!(pair(&[0x66, 0x0f, 0x74, 0xc1], a, a ^ 0xff00), !0xff00, "pcmpeqb");
    assert_eq!(pair(&[0x66, 0x0f, 0xef, 0xc1], a, b), a ^ b, "pxor");
    let mut mask = run(&[0x66, 0x0f, 0xd7, 0xc0], a, 0, MASKED);
    assert_eq!(mask.b.regs().ax, 0b1100_0011_0000_1111, "pmovmskb");
    // pmaddwd of 1 and -1, 2 and 3 with 10, 100, 1000, 10
    let products = pair(&[0x66, 0x0f, 0xf5, 0xc1], 0x0003_0002_ffff_0001, 0x000a_03e8_0064_000a);
    assert_eq!(products, 2030 << 32 | u128::from(-90i32 as u32));
}

#[test]
fn lanes_change_places() {
    let v = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100u128;
    let dwords = 0x0302_0100_0706_0504_0b0a_0908_0f0e_0d0cu128;
    assert_eq!(pair(&[0x66, 0x0f, 0x70, 0xc1, 0x1b], 0, v), dwords, "pshufd");
    assert_eq!(pair(&[0x66, 0x0f, 0x38, 0x00, 0xc1], v.swap_bytes(), v), v.swap_bytes(), "pshufb");
    assert_eq!(pair(&[0x66, 0x0f, 0x3a, 0x0f, 0xc1, 4], 0x77, v), 0x77 << 96 | v >> 32, "palignr");
    assert_eq!(pair(&[0x66, 0x0f, 0x73, 0xd8, 3], v, 0), v >> 24, "psrldq");
    assert_eq!(pair(&[0x66, 0x0f, 0x6c, 0xc1], 1, v), v << 64 | 1, "punpcklqdq");
    assert_eq!(pair(&[0x66, 0x0f, 0x67, 0xc1], 0x8000_7fff_0080_00ff, 0), 0x00ff_80ff, "packuswb");
}

#[test]
fn strings_are_searched() {
    let text = u128::from_le_bytes(*b"a line of text\0z");
    // pcmpistri xmm0,xmm1: where is the first that xmm0 names?
    let index = |set: u128, imm: u8| {
        let mut ran = run(&[0x66, 0x0f, 0x3a, 0x63, 0xc1, imm], set, text, MASKED);
        (ran.b.regs().cx, ran.b.regs().flags & 0x8d5)
    };
    let some =
        |s: &str| u128::from_le_bytes(std::array::from_fn(|n| *s.as_bytes().get(n).unwrap_or(&0)));
    assert_eq!(index(some("fl"), 0), (2, 0xc1));
    assert_eq!(index(some("z"), 0), (16, 0xc0), "beyond the end");
    assert_eq!(index(some("mz"), 4), (4, 0xc1), "a range");
    assert_eq!(index(some("of "), 12), (7, 0xc1), "a substring");
    assert_eq!(index(some("a line if"), 8 | 16), (7, 0xc1), "the first difference");
    assert_eq!(index(some("a line of text"), 8 | 16), (16, 0xc0), "none");
}

#[test]
fn state_is_saved_and_restored() {
    // fxsave64 [rax+100h]; stmxcsr [rax]; ldmxcsr [rax]; fxrstor64 [rax+100h]
    let code = [
        0x48, 0x0f, 0xae, 0x80, 0, 1, 0, 0, 0x0f, 0xae, 0x18, 0x0f, 0xae, 0x10, 0x48, 0x0f, 0xae,
        0x88, 0, 1, 0, 0,
    ];
    let mut ran = run(&code, 3, 4, MASKED | PE);
    let cpu = |b: &mut Bench| *b.space.m.cpus[0].fpu.as_deref().unwrap();
    assert_eq!(ran.b.peek(DATA + 0x100 + 176), 4);
    assert_eq!(ran.b.run(2).exit, Exit::Budget);
    assert_eq!(ran.b.peek(DATA) as u32, MASKED | PE);
    ran.b.space.m.cpus[0].fpu = None;
    assert_eq!(ran.b.run(1).exit, Exit::Budget);
    assert_eq!(cpu(&mut ran.b), ran.fpu);
    // A bit that MXCSR does not have.
    let bad = run(&[0x0f, 0xae, 0x10], 0, 0, MASKED);
    assert_eq!((bad.exit, bad.fpu.mxcsr), (Exit::Exception(Exception::GP), MASKED));
}
