//! The 59 bits that stand for a double in an inline id, and which doubles have one.
//!
//! The bits of a double without its sign, read as a number, sort as the magnitudes do; without their last five
//! they name 32 neighbours, a *class*. One of each class is inline: the decimal of few digits among them, if there
//! is one, so that `0.1` and `59.9139` are; else the one that ends in five zero bits, so that `0.375` and most
//! numbers that were single floats are. So codes sort by value, and the value follows from the code.
//!
//! "Few digits": 10 to 12 significant ones, by the table below. A decimal there is at least 64 classes from the
//! next, so it is found by rounding, and takes the place of few others.

/// The sign of a code: set for doubles that are not negative.
const POSITIVE: u64 = 1 << 58;
const CLASS_MASK: u64 = POSITIVE - 1;
const SUFFIX_BITS: u32 = 5;
const EXPONENT_BIAS: i64 = 1023;

/// The powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// No decimal here has more digits after its point.
pub const DECIMAL_SCALE_MAX: u8 = 22;
/// A double holds all whole numbers up to this.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Returns the code of the class that a double is in. Codes sort as doubles; of what is not finite past all others.
pub fn class_of(value: f64) -> u64 {
    let class = value.to_bits() << 1 >> (SUFFIX_BITS + 1);
    if value.is_sign_negative() { !class & CLASS_MASK } else { class | POSITIVE }
}

/// Returns the code of a double, if it is the one of its class.
pub fn encode(value: f64) -> Option<u64> {
    let code = class_of(value);
    (value.is_finite() && decode(code).to_bits() == value.to_bits()).then_some(code)
}

/// Returns the double that a code stands for; of codes that no double has, one that is not finite.
pub fn decode(code: u64) -> f64 {
    match code & POSITIVE != 0 {
        true => of_class(code & CLASS_MASK),
        false => -of_class(!code & CLASS_MASK),
    }
}

fn of_class(class: u64) -> f64 {
    let first = class << SUFFIX_BITS;
    let exponent = (first >> 52) as i64 - EXPONENT_BIAS;
    // A class is 2^(exponent - 47) wide, so that digits of this scale are at least 64 classes apart:
    // 10^-scale >= 2^(exponent - 41). 1233 / 4096 is just below the logarithm of two.
    let scale = ((41 - exponent) * 1233) >> 12;
    if scale >= 0 {
        let power = POWERS[scale.min(i64::from(DECIMAL_SCALE_MAX)) as usize];
        let middle = f64::from_bits(first | 1 << (SUFFIX_BITS - 1));
        // Below 2^42, and both are exact, so that the quotient is what parsing its digits gives. Signed numbers are
        // converted by one instruction.
        let mantissa = (middle * power + 0.5) as i64;
        let decimal = mantissa as f64 / power;
        if decimal.to_bits() >> SUFFIX_BITS == class {
            return decimal;
        }
    }
    f64::from_bits(first)
}

/// Returns the code of the class of mantissa / 10^scale.
///
/// # Panics
/// If `scale` is above [`DECIMAL_SCALE_MAX`].
pub fn class_of_decimal(mantissa: i64, scale: u8) -> u64 {
    class_of(mantissa as f64 / POWERS[usize::from(scale)])
}

/// Returns (mantissa, scale) of a double that is the nearest to mantissa / 10^scale, for the least scale from
/// `scale_min` on at which there are any, the mantissa below 2^53.
pub fn to_decimal(value: f64, scale_min: u8) -> Option<(i64, u8)> {
    for scale in scale_min..=DECIMAL_SCALE_MAX {
        let power = POWERS[usize::from(scale)];
        let mantissa = (value * power).round();
        if mantissa.is_nan() || mantissa.abs() >= EXACT_MAX {
            return None;
        }
        if mantissa / power == value {
            return Some((mantissa as i64, scale));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_write_is_inline() {
        let mut values = vec![0.0, -0.0, 0.1, -0.7, 0.244, 59.9139, 10.7522, 1e6, 1e-7, 123_456_789.25, 1e15];
        values.extend([0.375, f64::from(0.1f32), f64::from(f32::MAX), f64::MIN_POSITIVE, 2f64.powi(-20)]);
        values.extend((0..1000u32).map(|n| f64::from(n) / 1000.0));
        for value in values {
            assert_eq!(encode(value).map(|code| decode(code).to_bits()), Some(value.to_bits()), "{value}");
        }
        assert!(
            [1.0 / 3.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
                .into_iter()
                .all(|no| encode(no).is_none())
        );
    }

    /// Ids stand in blocks: these codes must not change.
    #[test]
    fn codes_do_not_drift() {
        let codes = [0.1, -0.1, 0.375, 59.9139, f64::from(0.1f32)].map(|value| encode(value).unwrap());
        let golden = [
            0x5fd_cccc_cccc_cccc,
            0x202_3333_3333_3333,
            0x5fe_c000_0000_0000,
            0x602_6fa7_d566_cf41,
            0x5fd_cccc_cd00_0000,
        ];
        assert_eq!(codes, golden, "{codes:#x?}");
    }

    proptest! {
        #[test]
        fn decimals_of_ten_digits_are_inline(mantissa in -9_999_999_999i64..10_000_000_000, scale in 0u8..17) {
            prop_assume!(mantissa != 0);
            let value = mantissa as f64 / POWERS[usize::from(scale)];
            prop_assert_eq!(encode(value).map(decode), Some(value));
            prop_assert_eq!(Some(class_of_decimal(mantissa, scale)), encode(value));
            let (least, least_scale) = to_decimal(value, 0).unwrap();
            prop_assert!(least_scale <= scale && least as f64 / POWERS[usize::from(least_scale)] == value);
        }

        #[test]
        fn classes_sort_as_doubles(a: u64, b: u64) {
            let (a, b) = (f64::from_bits(a), f64::from_bits(b));
            prop_assume!(a.is_finite() && b.is_finite());
            if class_of(a) < class_of(b) {
                prop_assert!(a < b || (a == 0.0 && b == 0.0));
                prop_assert!(decode(class_of(a)) <= decode(class_of(b)));
            }
        }

        #[test]
        fn a_class_has_one_double(bits: u64) {
            let code = class_of(f64::from_bits(bits));
            let value = decode(code);
            if value.is_finite() {
                prop_assert_eq!(class_of(value), code);
                prop_assert_eq!(encode(value), Some(code));
            }
        }
    }
}
