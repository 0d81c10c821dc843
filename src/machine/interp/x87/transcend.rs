//! FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1: special operands
//! and rounding; the functions are in `series`.
//!
//! Results are rounded once from 120 bits. A processor's own differ by less
//! than one unit in the last place.
//!
//! Linux: none. Source: Intel SDM vol. 1, section 8.3.7, 8.3.8; vol. 2 (tables
//! of results). Left out: nothing.

use super::number::{
    Class, ONE, Outcome, class, infinity, is_negative, propagate, propagate_one, unpack, zero,
};
use super::round::{EXTENDED, to_register};
use super::series::{self, PI};
use super::status::{PE, UE, ZE};
use super::wide::Wide;
use crate::machine::fpu::F80;

/// Rounds a result that no 64 bits hold exactly.
fn inexact(control: u16, v: Wide) -> Outcome {
    to_register(control, EXTENDED, v.neg, v.exp, v.sig | 1)
}

/// Rounds a result that may be exact; it counts as inexact all the same.
fn rounded(control: u16, v: Wide) -> Outcome {
    let o = to_register(control, EXTENDED, v.neg, v.exp, v.sig);
    let tiny = if class(o.value) == Class::Denormal { UE } else { 0 };
    Outcome { flags: o.flags | PE | tiny, ..o }
}

/// Functions of an angle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Angle {
    /// The sine.
    pub sin: Outcome,
    /// The cosine.
    pub cos: Outcome,
    /// The tangent.
    pub tan: Outcome,
}

/// Sine, cosine, tangent. `None`: beyond 2^63.
pub fn angle(control: u16, a: F80) -> Option<Angle> {
    let all = |o| Some(Angle { sin: o, cos: o, tan: o });
    if let Some(o) = propagate_one(a) {
        return all(o);
    }
    let c = class(a);
    match c {
        Class::Infinity => return all(Outcome::invalid()),
        Class::Zero => {
            let o = Outcome::exact(a);
            return Some(Angle { sin: o, cos: Outcome::exact(ONE), tan: o });
        }
        _ => {}
    }
    let v = unpack(a);
    if v.exp >= 63 {
        return None;
    }
    let (sin, cos) = series::sin_cos(series::reduce(v));
    let denormal = c == Class::Denormal;
    Some(Angle {
        sin: inexact(control, sin).with_denormal(denormal),
        cos: inexact(control, cos).with_denormal(denormal),
        tan: inexact(control, sin.over(cos)).with_denormal(denormal),
    })
}

/// FPATAN: the angle of the point `(x, y)`.
pub fn atan2(control: u16, y: F80, x: F80) -> Outcome {
    if let Some(o) = propagate(y, x) {
        return o;
    }
    let (cy, cx) = (class(y), class(x));
    let (ny, nx) = (is_negative(y), is_negative(x));
    // So many quarters of pi.
    let quarters = |n: i32| {
        let v = PI.times(Wide::from_int(n)).scaled(-2);
        inexact(control, Wide { neg: ny, ..v })
    };
    let o = match (cy, cx) {
        (Class::Infinity, Class::Infinity) => quarters(if nx { 3 } else { 1 }),
        (Class::Infinity, _) => quarters(2),
        (Class::Zero, _) | (_, Class::Infinity) if nx => quarters(4),
        (Class::Zero, _) | (_, Class::Infinity) => Outcome::exact(zero(ny)),
        (_, Class::Zero) => quarters(2),
        _ => {
            let v = series::atan(Wide::from_num(unpack(y)).abs(), Wide::from_num(unpack(x)).abs());
            let v = if nx { PI.minus(v) } else { v };
            inexact(control, Wide { neg: ny, ..v })
        }
    };
    o.with_denormal(cy == Class::Denormal || cx == Class::Denormal)
}

/// F2XM1: `2^a - 1`.
pub fn exp2_less_1(control: u16, a: F80) -> Outcome {
    if let Some(o) = propagate_one(a) {
        return o;
    }
    let c = class(a);
    match c {
        Class::Zero => return Outcome::exact(a),
        Class::Infinity if is_negative(a) => return Outcome::exact(negative_one()),
        Class::Infinity => return Outcome::exact(a),
        _ => {}
    }
    let v = Wide::from_num(unpack(a));
    let one = v.abs() == Wide::ONE;
    if v.exp >= 0 && !one {
        // Outside its domain the manual leaves the result open.
        return Outcome { value: a, flags: PE };
    }
    let o = if one {
        rounded(control, if v.neg { Wide::ONE.scaled(-1).negated() } else { Wide::ONE })
    } else {
        inexact(control, series::exp2_less_1(v))
    };
    o.with_denormal(c == Class::Denormal)
}

fn negative_one() -> F80 {
    F80 { sign_exp: ONE.sign_exp | super::number::SIGN, ..ONE }
}

/// FYL2X: `y * log2(x)`.
pub fn y_log2_x(control: u16, y: F80, x: F80) -> Outcome {
    if let Some(o) = propagate(y, x) {
        return o;
    }
    let (cy, cx) = (class(y), class(x));
    let (ny, nx) = (is_negative(y), is_negative(x));
    let denormal = cy == Class::Denormal || cx == Class::Denormal;
    let o = match (cy, cx) {
        (Class::Zero, Class::Zero) => Outcome::invalid(),
        (Class::Infinity, Class::Zero) => Outcome::exact(infinity(!ny)),
        (_, Class::Zero) => Outcome { value: infinity(!ny), flags: ZE },
        _ if nx => Outcome::invalid(),
        (Class::Zero, Class::Infinity) => Outcome::invalid(),
        (_, Class::Infinity) => Outcome::exact(infinity(ny)),
        _ => {
            let log = series::log2(Wide::from_num(unpack(x)));
            product(control, cy, y, log, unpack(x).sig == super::number::INTEGER)
        }
    };
    o.with_denormal(denormal)
}

/// `y` times a logarithm, which is exact or not.
fn product(control: u16, cy: Class, y: F80, log: Wide, exact: bool) -> Outcome {
    let neg = is_negative(y) != log.neg;
    match cy {
        Class::Infinity if log.sig == 0 => Outcome::invalid(),
        Class::Infinity => Outcome::exact(infinity(neg)),
        Class::Zero => Outcome::exact(zero(neg)),
        _ if log.sig == 0 => Outcome::exact(zero(neg)),
        _ => {
            let v = Wide::from_num(unpack(y)).times(log);
            if exact { rounded(control, v) } else { inexact(control, v) }
        }
    }
}

/// FYL2XP1: `y * log2(x + 1)`.
pub fn y_log2_x_and_1(control: u16, y: F80, x: F80) -> Outcome {
    if let Some(o) = propagate(y, x) {
        return o;
    }
    let (cy, cx) = (class(y), class(x));
    let (ny, nx) = (is_negative(y), is_negative(x));
    let o = match (cy, cx) {
        (Class::Infinity, Class::Zero) => Outcome::invalid(),
        (_, Class::Zero) => Outcome::exact(zero(ny != nx)),
        (_, Class::Infinity) if nx => Outcome::invalid(),
        (Class::Zero, Class::Infinity) => Outcome::invalid(),
        (_, Class::Infinity) => Outcome::exact(infinity(ny)),
        _ => {
            let v = Wide::from_num(unpack(x));
            let finite = matches!(cy, Class::Normal | Class::Denormal);
            if v.neg && v.exp >= 0 && finite {
                // No number has such a logarithm; the manual leaves it open.
                Outcome { value: x, flags: PE }
            } else {
                // Of 0 and infinity only the logarithm's sign counts.
                let log = if finite { series::log2_of_1_and(v) } else { v };
                product(control, cy, y, log, false)
            }
        }
    };
    o.with_denormal(cy == Class::Denormal || cx == Class::Denormal)
}

#[cfg(test)]
mod tests {
    use super::super::convert::from_int;
    use super::super::number::{INDEFINITE, INTEGER, pack};
    use super::super::status::IE;
    use super::*;

    const NEAREST: u16 = 0x37f;

    #[test]
    fn angles() {
        let a = angle(NEAREST, zero(true)).unwrap();
        assert_eq!((a.sin, a.cos), (Outcome::exact(zero(true)), Outcome::exact(ONE)));
        assert_eq!(angle(NEAREST, pack(false, 63, INTEGER)), None);
        // The 64-bit pi less the 66-bit one.
        let pi = F80 { sign_exp: 0x4000, mantissa: 0xc90f_daa2_2168_c235 };
        let a = angle(NEAREST, pi).unwrap();
        assert_eq!(a.sin.value, pack(true, -64, INTEGER));
        assert_eq!(a.cos.value, negative_one());
        // The sine of a tiny angle is a little less than it.
        let tiny = pack(false, -100, INTEGER);
        assert_eq!(angle(NEAREST, tiny).unwrap().sin.value, tiny);
        assert_eq!(angle(0xf7f, tiny).unwrap().sin.value, pack(false, -101, u64::MAX));
    }

    #[test]
    fn logarithms_of_powers_of_two_are_exact() {
        let o = y_log2_x(NEAREST, from_int(-3), from_int(1 << 20));
        assert_eq!(o, Outcome { value: from_int(-60), flags: PE });
        assert_eq!(y_log2_x(NEAREST, ONE, from_int(3)).flags & PE, PE);
        assert_eq!(y_log2_x(NEAREST, ONE, from_int(-3)).flags, IE);
        assert_eq!(
            y_log2_x(NEAREST, ONE, zero(false)),
            Outcome { value: infinity(true), flags: ZE }
        );
        assert_eq!(y_log2_x_and_1(NEAREST, infinity(true), zero(false)).value, INDEFINITE);
    }

    #[test]
    fn the_arc_tangent_knows_its_quadrant() {
        let quarter = atan2(NEAREST, ONE, ONE).value;
        assert_eq!(quarter, F80 { sign_exp: 0x3ffe, mantissa: 0xc90f_daa2_2168_c235 });
        assert_eq!(atan2(NEAREST, zero(true), from_int(-2)).value.sign_exp, 0xc000);
        assert_eq!(exp2_less_1(NEAREST, ONE).value, ONE);
    }
}
