//! Instants as providers write and compare them: finer or coarser than Pinfold's own, at any offset.

use jiff::{fmt::temporal::DateTimePrinter, tz};

use crate::{
    model::Timestamp,
    presets::{Created, Precision},
};

/// Nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(i64);

const MILLI: i64 = 1_000_000;

impl Instant {
    pub(super) const FIRST: Self = Self(i64::MIN);
    pub(super) const LAST: Self = Self(i64::MAX);

    /// `below` is what a millisecond clock does not tell, in nanoseconds.
    pub(super) fn new(at: Timestamp, below: i64) -> Self {
        Self(at.as_millis().saturating_mul(MILLI).saturating_add(below))
    }

    pub(super) fn plus(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    pub(super) fn timestamp(self) -> Timestamp {
        Timestamp::from_millis(self.0.div_euclid(MILLI))
    }

    /// What is left of it at this precision, rounded down.
    pub(super) fn cut(self, precision: Precision) -> Self {
        let step = match precision {
            Precision::Seconds => 1000 * MILLI,
            Precision::Millis => MILLI,
            Precision::Micros => 1000,
            Precision::Nanos => 1,
        };
        Self(self.0.saturating_sub(self.0.rem_euclid(step)))
    }

    /// Reads RFC 3339, all nine digits of it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parsed: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(parsed.as_nanosecond()).ok().map(Self)
    }

    pub(super) fn print(self, Created { precision, offset }: Created, zone: Zone) -> String {
        let digits = match precision {
            Precision::Seconds => 0,
            Precision::Millis => 3,
            Precision::Micros => 6,
            Precision::Nanos => 9,
        };
        let printer = DateTimePrinter::new().precision(Some(digits));
        // Holds: every number of nanoseconds in an i64 is within the calendar, which ends in the year 9999.
        let at = jiff::Timestamp::from_nanosecond(self.0.into()).expect("an i64 of nanoseconds is a time");
        match (offset.0, zone) {
            (0, Zone::Letter) => printer.timestamp_to_string(&at),
            // An offset is read within a day, so this falls back for none that was read.
            (minutes, _) => {
                let offset = tz::Offset::from_seconds(minutes * 60).unwrap_or(tz::Offset::UTC);
                printer.timestamp_with_offset_to_string(&at, offset)
            }
        }
    }
}

/// How UTC is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Zone {
    /// `Z`
    #[default]
    Letter,
    /// `+00:00`
    Number,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_print_at_every_precision_and_parse_back() {
        let at = Instant::new(Timestamp::from_millis(1_700_000_000_276), 123_456);
        for (precision, offset, zone, text) in [
            (Precision::Seconds, "-04:00", Zone::Letter, "2023-11-14T18:13:20-04:00"),
            (Precision::Millis, "Z", Zone::Number, "2023-11-14T22:13:20.276+00:00"),
            (Precision::Micros, "Z", Zone::Letter, "2023-11-14T22:13:20.276123Z"),
            (Precision::Nanos, "+05:30", Zone::Letter, "2023-11-15T03:43:20.276123456+05:30"),
        ] {
            let created = Created { precision, offset: offset.parse().unwrap() };
            let cut = at.cut(precision);
            assert_eq!(cut.print(created, zone), text);
            assert_eq!(Instant::parse(text), Some(cut));
        }
        assert_eq!(at.timestamp(), Timestamp::from_millis(1_700_000_000_276));
    }
}
