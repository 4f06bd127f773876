//! What aggregates compute with numbers: sums, averages, deviations and percentiles, by the rules
//! of each language.

use super::arithmetic;
use super::column::{Depth, decode};
use super::datum::Datum;
use super::number::Number;
use super::temporal::{self, Temporal};
use super::{argument_error, arithmetic_error, kind_name, type_error};
use crate::execute::{Context, ExecuteError};
use crate::model::{Duration, TermId, TermKind};

/// Returns the numbers of ids, `None` for the undefined ones, if no id is anything else than one of these: they need no
/// dictionary, nor to be laid out.
pub fn inline_numbers(ids: &[TermId]) -> Option<impl Iterator<Item = Option<Number>>> {
    let is_one = |id: &TermId| {
        matches!(id.kind(), TermKind::Undefined | TermKind::Integer | TermKind::Decimal | TermKind::Double)
    };
    ids.iter().all(is_one).then(|| ids.iter().map(|id| Number::of_inline(*id)))
}

/// SPARQL's SUM and AVG of one group: exact over integers and decimals, undefined once a value is
/// no number.
#[derive(Clone, Debug)]
pub struct SparqlSum {
    sum: Option<Number>,
    count: i64,
}

impl Default for SparqlSum {
    fn default() -> SparqlSum {
        SparqlSum { sum: Some(Number::Integer(0)), count: 0 }
    }
}

impl SparqlSum {
    /// Adds the number of one row; `None` is a value that is no number.
    pub fn add(&mut self, number: Option<Number>) {
        self.count += 1;
        self.sum = self.sum.zip(number).and_then(|(sum, number)| arithmetic::add(sum, number));
    }

    pub fn sum(&self, context: &Context) -> Result<TermId, ExecuteError> {
        Ok(Datum::from(self.sum.map(Datum::Number)).to_id(context)?)
    }

    /// Returns the average; of nothing it is 0.
    pub fn average(&self, context: &Context) -> Result<TermId, ExecuteError> {
        let average = match self.count {
            0 => Some(Number::Integer(0)),
            count => self.sum.and_then(|sum| arithmetic::divide(sum, Number::Integer(count))),
        };
        Ok(Datum::from(average.map(Datum::Number)).to_id(context)?)
    }
}

/// Cypher's sum and avg of one group, over numbers or durations; nulls are not added.
#[derive(Clone, Debug, Default)]
pub struct CypherSum {
    integers: i64,
    floats: f64,
    has_floats: bool,
    durations: Option<Duration>,
    /// The mean so far, once the sum of floats has overflowed: an average does not.
    mean: Option<f64>,
    count: i64,
}

impl CypherSum {
    /// Adds one defined value.
    ///
    /// # Errors
    /// If it is neither number nor duration, or integers overflow.
    pub fn add(&mut self, value: &AggregateValue) -> Result<(), ExecuteError> {
        let datum = &value.0;
        if let Some(number) = datum.as_number() {
            return self.add_number(number);
        }
        match datum.to_temporal() {
            Some(Temporal::Duration(duration)) => {
                self.count += 1;
                let sum = self.durations.unwrap_or_default();
                self.durations = Some(temporal::add_durations(sum, duration)?);
                Ok(())
            }
            _ => Err(type_error("InvalidArgumentType", format!("cannot sum {}", kind_name(datum)))),
        }
    }

    /// # Errors
    /// If integers overflow.
    pub fn add_number(&mut self, number: Number) -> Result<(), ExecuteError> {
        match number {
            Number::Integer(value) => {
                self.advance_mean(value as f64);
                self.integers = self
                    .integers
                    .checked_add(value)
                    .ok_or_else(|| arithmetic_error("IntegerOverflow", "integer overflow"))?;
            }
            other => self.add_float(other.to_f64()),
        }
        Ok(())
    }

    /// Adds floats, in their order.
    pub fn add_floats(&mut self, values: impl Iterator<Item = f64> + Clone) {
        // In registers: through memory, each addition would wait for the one before to be written.
        let (mut sum, mut count) = (self.floats, 0);
        values.clone().for_each(|value| (sum, count) = (sum + value, count + 1));
        if sum.is_finite() && self.mean.is_none() && count > 0 {
            // Then it was so all the time.
            (self.floats, self.has_floats) = (sum, true);
            self.count += count;
        } else {
            values.for_each(|value| self.add_float(value));
        }
    }

    fn add_float(&mut self, value: f64) {
        let sum = self.floats + value;
        if sum.is_infinite() && self.floats.is_finite() && value.is_finite() && self.count > 0 {
            self.mean.get_or_insert((self.integers as f64 + self.floats) / self.count as f64);
        }
        self.advance_mean(value);
        self.has_floats = true;
        self.floats = sum;
    }

    /// Counts a value, which may change the mean.
    fn advance_mean(&mut self, value: f64) {
        self.count += 1;
        if let Some(mean) = &mut self.mean {
            *mean += (value - *mean) / self.count as f64;
        }
    }

    pub fn sum(&self, context: &Context) -> Result<TermId, ExecuteError> {
        let datum = match self.durations {
            Some(duration) => Temporal::Duration(duration).to_datum(),
            None if self.has_floats => Datum::double(self.integers as f64 + self.floats),
            None => Datum::integer(self.integers),
        };
        Ok(datum.to_id(context)?)
    }

    /// Returns the average; null of nothing.
    pub fn average(&self, context: &Context) -> Result<TermId, ExecuteError> {
        let datum = match self.durations {
            _ if self.count == 0 => Datum::Undefined,
            Some(duration) => {
                temporal::scale(&Temporal::Duration(duration).to_datum(), 1.0 / self.count as f64)?.into()
            }
            None if !self.has_floats => Datum::double(self.integers as f64 / self.count as f64),
            None => {
                let sum = self.integers as f64 + self.floats;
                Datum::double(self.mean.unwrap_or(sum / self.count as f64))
            }
        };
        Ok(datum.to_id(context)?)
    }
}

/// A value that is ready to be aggregated.
#[derive(Clone, Debug)]
pub struct AggregateValue(Datum);

impl AggregateValue {
    pub fn is_defined(&self) -> bool {
        !self.0.is_undefined()
    }

    /// Returns the number, if it is one.
    pub fn as_number(&self) -> Option<Number> {
        self.0.as_number()
    }

    /// Returns the number as a double.
    ///
    /// # Errors
    /// If it is no number (Cypher's rule).
    pub fn to_f64(&self) -> Result<f64, ExecuteError> {
        match self.0.as_number() {
            Some(number) => Ok(number.to_f64()),
            None => Err(type_error("InvalidArgumentType", format!("{} is no number", kind_name(&self.0)))),
        }
    }

    /// Returns the text of a literal, for GROUP_CONCAT; `None` for what is no string.
    pub fn as_string(&self) -> Option<&str> {
        self.0.as_text()
    }

    /// Returns the language of a language-tagged string.
    pub fn language(&self) -> Option<&str> {
        self.0.as_lang_string()?.language()
    }
}

/// Makes a column of ids ready to be aggregated; dictionary terms are fetched in one call.
pub fn aggregate_values(ids: &[TermId], context: &Context) -> Result<Vec<AggregateValue>, ExecuteError> {
    let mut data: Vec<Datum> = ids.iter().map(|id| Datum::of_id(*id)).collect();
    decode(&mut data, Depth::Shallow, context)?;
    Ok(data.into_iter().map(AggregateValue).collect())
}

/// Returns the standard deviation: of a sample, or of the whole population; 0 of too few values.
pub fn standard_deviation(values: &[f64], is_population: bool) -> f64 {
    let divisor = if is_population { values.len() } else { values.len().saturating_sub(1) };
    if divisor == 0 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / divisor as f64).sqrt()
}

/// Returns the index of the nearest-rank percentile among `count` sorted values, `None` of nothing.
///
/// # Errors
/// If the percentile is not in 0..=1.
pub fn percentile_disc(count: usize, percentile: f64) -> Result<Option<usize>, ExecuteError> {
    check_percentile(percentile)?;
    let rank = (percentile * count as f64).ceil() as usize;
    Ok(count.checked_sub(1).map(|last| rank.saturating_sub(1).min(last)))
}

/// Returns the interpolated percentile of sorted values, `None` of nothing.
///
/// # Errors
/// If the percentile is not in 0..=1.
pub fn percentile_cont(sorted: &[f64], percentile: f64) -> Result<Option<f64>, ExecuteError> {
    check_percentile(percentile)?;
    let Some(last) = sorted.len().checked_sub(1) else { return Ok(None) };
    let position = percentile * last as f64;
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    Ok(Some(sorted[low] + (sorted[high.min(last)] - sorted[low]) * (position - low as f64)))
}

fn check_percentile(percentile: f64) -> Result<(), ExecuteError> {
    if (0.0..=1.0).contains(&percentile) {
        return Ok(());
    }
    Err(argument_error("NumberOutOfRange", format!("{percentile} is no percentile between 0 and 1")))
}
