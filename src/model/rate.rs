//! How many of something in how long.

use std::{fmt, str::FromStr, time::Duration};

use super::span::{parse_span, print_span, serde_as_text};

/// So many calls in any window of so long, such as `30/min` or `100/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    pub calls: u32,
    pub per: Duration,
}

impl Rate {
    /// What is planned of it: one call or a twentieth less, as calls do not take equally long to arrive. Never less than
    /// one call.
    pub fn guarded(self) -> Self {
        Self { calls: (self.calls - (self.calls / 20).max(1).min(self.calls)).max(1), ..self }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no rate: write calls and a time such as 30/min or 100/s");
        let (calls, per) = text.split_once('/').ok_or_else(wrong)?;
        let per = match per {
            "s" => Duration::from_secs(1),
            "min" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "day" => Duration::from_secs(24 * 3600),
            other => parse_span(other).map_err(|_| wrong())?,
        };
        let calls = calls.parse().ok().filter(|calls| *calls > 0).ok_or_else(wrong)?;
        if per.is_zero() { Err(wrong()) } else { Ok(Self { calls, per }) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.per.as_secs() {
            1 if self.per.subsec_nanos() == 0 => write!(f, "{}/s", self.calls),
            60 => write!(f, "{}/min", self.calls),
            3600 => write!(f, "{}/h", self.calls),
            _ => write!(f, "{}/{}", self.calls, print_span(self.per)),
        }
    }
}

serde_as_text!(Rate);
