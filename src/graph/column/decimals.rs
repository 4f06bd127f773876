//! Inline doubles as decimals of one scale: doubles sort by value, but decimals fill their bits.
#![deny(clippy::indexing_slicing)]

use super::encode::encode;
use super::{DECIMAL, DEPTH_DECIMAL, PAYLOAD_MASK, TAG_SHIFT};
use crate::graph::cursor::{Cursor, Malformed};
use crate::model::TermKind;
use crate::model::inline_double::{self, DECIMAL_SCALE_MAX};

/// What is added to the mantissas of decimals, so that none is negative.
const MANTISSA_BIAS: i64 = 1 << 53;

/// Inline doubles in one form, as mantissas of one scale: doubles sort by value, but decimals fill their bits.
pub(super) struct Decimals {
    form: Form,
    scale: u8,
    /// With [`MANTISSA_BIAS`].
    mantissas: Vec<u64>,
}

/// What the ids of doubles have besides their codes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Form {
    /// That of inline doubles; 0 in a column of payloads.
    tag: u8,
    /// The lowest bit: whether they are written plainly.
    plain: u8,
}

impl Form {
    fn of(value: u64) -> Form {
        Form { tag: (value >> TAG_SHIFT) as u8, plain: (value & 1) as u8 }
    }

    fn put(self, code: u64) -> u64 {
        u64::from(self.tag) << TAG_SHIFT | code << 1 | u64::from(self.plain)
    }
}

impl Decimals {
    /// `None` if not all are doubles, or some need more digits than a mantissa has.
    pub(super) fn of(values: &[u64]) -> Option<Decimals> {
        let form = Form::of(*values.first()?);
        if (form.tag != 0 && form.tag != TermKind::Double as u8)
            || values.iter().any(|value| Form::of(*value) != form)
        {
            return None;
        }
        let double = |value: u64| inline_double::decode((value & PAYLOAD_MASK) >> 1);
        let mut scale = 0;
        for value in values {
            (_, scale) = inline_double::to_decimal(double(*value), scale)?;
        }
        let mantissas = values.iter().map(|value| {
            let (mantissa, of_scale) = inline_double::to_decimal(double(*value), scale)?;
            let is_same =
                of_scale == scale && form.put(inline_double::class_of_decimal(mantissa, scale)) == *value;
            is_same.then_some((mantissa + MANTISSA_BIAS) as u64)
        });
        Some(Decimals { form, scale, mantissas: mantissas.collect::<Option<Vec<u64>>>()? })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend([DECIMAL, self.form.tag, self.form.plain, self.scale]);
        encode(out, &self.mantissas, DEPTH_DECIMAL);
    }
}

/// What all decimals of a column have in common.
#[derive(Clone, Copy)]
pub struct Scale {
    form: Form,
    scale: u8,
}

impl Scale {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Scale, Malformed> {
        let form = Form { tag: cursor.u8()?, plain: cursor.u8()? };
        let scale = cursor.u8()?;
        if form.tag > 15 || form.plain > 1 || scale > DECIMAL_SCALE_MAX {
            return Err(Malformed("the decimals of a column are of an unknown form"));
        }
        Ok(Scale { form, scale })
    }

    /// Turns mantissas into ids.
    pub(super) fn apply(self, mantissas: &mut [u64]) {
        for mantissa in mantissas {
            let value = (*mantissa as i64).wrapping_sub(MANTISSA_BIAS);
            *mantissa = self.form.put(inline_double::class_of_decimal(value, self.scale));
        }
    }
}
