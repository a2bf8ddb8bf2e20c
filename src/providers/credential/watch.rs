//! Watches the end of a token that nobody but the operator can replace: a metric, and a word in time.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{model::Timestamp, telemetry::ProviderMetrics};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How near the end is; each is told of once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Far,
    Week,
    Day,
    Over,
}

impl Stage {
    fn at(ends: Timestamp, now: Timestamp) -> Self {
        match ends.since(now) {
            Duration::ZERO => Self::Over,
            left if left <= DAY => Self::Day,
            left if left <= 7 * DAY => Self::Week,
            _ => Self::Far,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<(Option<Timestamp>, Stage)>);

impl Watch {
    /// Tells the operator once at each stage. `mend`: what to do, in words.
    pub(super) fn note(
        &self,
        provider: &str,
        ends: Option<Timestamp>,
        mend: &str,
        now: Timestamp,
        metrics: &ProviderMetrics,
    ) {
        metrics.token_ends(ends);
        let Some((stage, ends)) = self.news(ends, now) else { return };
        match stage {
            Stage::Far => {}
            Stage::Week => tracing::warn!(provider, %ends, "the token ends within 7 days: {mend}"),
            Stage::Day => tracing::warn!(provider, %ends, "the token ends within a day: {mend}"),
            Stage::Over => tracing::warn!(provider, %ends, "the token has expired, nothing is sent: {mend}"),
        }
    }

    fn news(&self, ends: Option<Timestamp>, now: Timestamp) -> Option<(Stage, Timestamp)> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0 != ends {
            *told = (ends, Stage::Far);
        }
        let stage = Stage::at(ends?, now);
        if stage <= told.1 {
            return None;
        }
        told.1 = stage;
        Some((stage, ends?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn each_stage_is_told_once_and_another_token_begins_anew() {
        let watch = Watch::default();
        let news = |end: Timestamp, before: Duration| {
            watch.news(Some(end), END.minus(before)).map(|(stage, _)| stage)
        };
        assert_eq!(news(END, 8 * DAY), None);
        assert_eq!(news(END, 7 * DAY), Some(Stage::Week));
        assert_eq!(news(END, 2 * DAY), None);
        assert_eq!(news(END, DAY), Some(Stage::Day));
        assert_eq!(news(END, Duration::ZERO), Some(Stage::Over));
        assert_eq!(news(END, Duration::ZERO), None);
        assert_eq!(news(END.plus(30 * DAY), Duration::ZERO), None);
        assert_eq!(news(END.plus(6 * DAY), Duration::ZERO), Some(Stage::Week));
        assert_eq!(watch.news(None, END), None);
    }
}
