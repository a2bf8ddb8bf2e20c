//! Time as Pinfold keeps it: whole milliseconds UTC, read through an injected [`Clock`].

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{
    SignedDuration, civil,
    fmt::temporal::{DateTimeParser, DateTimePrinter},
};

/// An instant in whole milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const EPOCH: civil::DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);
/// The last year that RFC 3339 can write.
const LAST_YEAR: i16 = 9999;

static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
static PARSER: DateTimeParser = DateTimeParser::new();

impl Timestamp {
    pub const ZERO: Self = Self(0);

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down, for gauges.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant and `span` more; saturates at the end of time.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This instant less `span`; saturates at the start of time.
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` to this instant; zero where the clock went back between them.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads RFC 3339 with any offset and up to nine digits of fraction, rounded *up* to a millisecond: what
    /// `created < before` means for a `before` finer than our own times.
    pub fn parse_rounding_up(text: &str) -> Option<Self> {
        let nanos = parse_nanos(text)?;
        i64::try_from(-(-nanos).div_euclid(1_000_000)).ok().map(Self)
    }

    /// As [`parse_rounding_up`](Self::parse_rounding_up), rounded *down*: what `created > after` means.
    pub fn parse_rounding_down(text: &str) -> Option<Self> {
        i64::try_from(parse_nanos(text)?.div_euclid(1_000_000)).ok().map(Self)
    }
}

fn parse_nanos(text: &str) -> Option<i128> {
    let instant = PARSER.parse_timestamp(text).ok();
    instant.map(jiff::Timestamp::as_nanosecond).or_else(|| parse_last_days(text))
}

/// jiff's instants end 26 hours before the last year does, so that every offset can be added to them.
fn parse_last_days(text: &str) -> Option<i128> {
    let pieces = PARSER.parse_pieces(text).ok()?;
    let local = pieces.date().to_datetime(pieces.time()?);
    let offset = SignedDuration::from_secs(pieces.to_numeric_offset()?.seconds().into());
    let nanos = local.duration_since(EPOCH).as_nanos() - offset.as_nanos();
    (local.year() == LAST_YEAR).then_some(nanos)
}

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC with `Z`, exactly three digits of fraction (I3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = [civil::DateTime::MIN, civil::DateTime::MAX];
        let [first, last] = ends.map(|end| end.duration_since(EPOCH));
        let local = EPOCH.checked_add(SignedDuration::from_millis(self.0).clamp(first, last));
        let local = local.map_err(|_| fmt::Error)?;
        write!(f, "{}Z", PRINTER.datetime_to_string(&local))
    }
}

/// Where the time comes from. Production has one [`SystemClock`]; tests turn a [`ManualClock`].
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;

    /// The time since some moment in the past, whatever is done to the clock meanwhile.
    fn steady(&self) -> Duration;
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now();
        match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => Timestamp::ZERO.plus(since),
            Err(before) => Timestamp::ZERO.minus(before.duration()),
        }
    }

    fn steady(&self) -> Duration {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        BEGAN.get_or_init(Instant::now).elapsed()
    }
}

/// A clock that stands still until it is turned, forwards or back.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    /// In ms.
    steady: AtomicU64,
}

impl ManualClock {
    pub fn at(now: Timestamp) -> Self {
        Self { now: AtomicI64::new(now.as_millis()), steady: AtomicU64::new(0) }
    }

    /// Lets time pass until then; a clock that is set back was turned.
    pub fn set(&self, now: Timestamp) {
        let passed = u64::try_from(now.since(self.now()).as_millis()).unwrap_or(u64::MAX);
        self.steady.fetch_add(passed, Ordering::SeqCst);
        self.turn(now);
    }

    /// Turns the clock; no time passes.
    pub fn turn(&self, now: Timestamp) {
        self.now.store(now.as_millis(), Ordering::SeqCst);
    }

    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        Duration::from_millis(self.steady.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prints_exactly_milliseconds_in_utc() {
        assert_eq!(Timestamp::from_millis(1_595_871_148_000).to_string(), "2020-07-27T17:32:28.000Z");
        assert_eq!(Timestamp::from_millis(1_595_871_148_276).to_string(), "2020-07-27T17:32:28.276Z");
    }

    #[test]
    fn prints_also_what_is_beyond_the_calendar() {
        let saturated = Timestamp::from_millis(1).plus(Duration::MAX);
        assert_eq!(saturated.to_string(), "9999-12-31T23:59:59.999Z");
        assert!(!Timestamp::from_millis(i64::MIN).to_string().is_empty());
    }

    #[test]
    fn the_last_days_of_the_calendar_are_days_too() {
        for (text, millis) in [
            ("9999-12-30T22:00:01Z", 253_402_207_201_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
            ("9999-12-31T23:59:59.999+02:00", 253_402_293_599_999),
        ] {
            assert_eq!(Timestamp::parse_rounding_down(text), Some(Timestamp(millis)), "{text}");
            assert_eq!(Timestamp::parse_rounding_up(text), Some(Timestamp(millis)), "{text}");
        }
        assert_eq!(Timestamp(253_402_300_799_000).to_string(), "9999-12-31T23:59:59.000Z");
        for wrong in ["9999-12-31", "9999-12-31T23:59:59", "9999-12-32T00:00:00Z", "10000-01-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse_rounding_down(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn reads_offsets_and_nine_digits() {
        let up = Timestamp::parse_rounding_up("2020-07-27T13:32:28.276000001-04:00").unwrap();
        let down = Timestamp::parse_rounding_down("2020-07-27T13:32:28.276999999-04:00").unwrap();
        assert_eq!(up.as_millis(), 1_595_871_148_277);
        assert_eq!(down.as_millis(), 1_595_871_148_276);
        assert_eq!(Timestamp::parse_rounding_up("yesterday"), None);
        assert_eq!(Timestamp::parse_rounding_up("2020-07-27"), None);
    }

    proptest! {
        #[test]
        fn print_then_parse_is_the_identity(millis in 0i64..253_402_300_800_000) {
            let at = Timestamp::from_millis(millis);
            prop_assert_eq!(Timestamp::parse_rounding_up(&at.to_string()), Some(at));
            prop_assert_eq!(Timestamp::parse_rounding_down(&at.to_string()), Some(at));
        }
    }
}
