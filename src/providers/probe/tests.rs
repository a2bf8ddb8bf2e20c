//! The probe against simulated providers: it sees every quirk, leaves nothing behind, and keeps to its calls.

use tokio::sync::Notify;

use super::*;
use crate::{
    http,
    model::{ManualClock, Timestamp},
    presets::{GENERIC, Presets},
    providers::{Credential, Endpoint},
    sim::{Builder, Fault, Route as SimRoute, Routes, Sim},
    telemetry::Metrics,
};

mod faulty;
mod knobs;
mod presets;

const TOKEN: &str = "t0k3n-of-the-probe";
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_123);

/// Lets the time of a test pass at once.
struct Turns(Arc<ManualClock>);

#[async_trait]
impl Waits for Turns {
    async fn wait(&self, span: Duration) {
        self.0.advance(span);
        tokio::task::yield_now().await;
    }
}

struct Trial {
    sim: Sim,
    clock: Arc<ManualClock>,
    settings: Settings,
}

impl Trial {
    async fn of(preset: &str, change: impl FnOnce(Builder) -> Builder) -> Self {
        let preset = Presets::known(preset);
        let clock = Arc::new(ManualClock::at(NOW));
        let builder = Sim::playing(&preset, TOKEN).clock(clock.clone());
        let sim = change(builder).start().await;
        let endpoint = Endpoint::parse(&sim.endpoint()).unwrap();
        let token = Credential::token(&TOKEN.into()).unwrap();
        let mut settings = Settings::of(preset, "alpha", endpoint, token);
        settings.breaker.base = Duration::from_millis(100);
        Self { sim, clock, settings }
    }

    async fn correct() -> Self {
        Self::of(GENERIC, |builder| builder).await
    }

    async fn run(&self) -> Report {
        self.run_until(std::future::pending()).await
    }

    async fn run_until(&self, stop: impl Future<Output = ()>) -> Report {
        let client = http::Client::new(&http::Settings::default());
        let metrics = Metrics::new().provider("alpha");
        let waits = Arc::new(Turns(self.clock.clone()));
        let report = probe(self.settings.clone(), client, self.clock.clone(), metrics, waits, stop).await;
        assert!(report.calls <= MOST_CALLS, "{}", report.calls);
        report
    }

    async fn look(&self) -> Report {
        let client = http::Client::new(&http::Settings::default());
        let metrics = Metrics::new().provider("alpha");
        look(self.settings.clone(), client, self.clock.clone(), metrics, Arc::new(Turns(self.clock.clone())))
            .await
    }

    /// Nothing is left at the provider, no call was against its limits, and none more was made than was said.
    fn is_clean(&self, report: &Report) {
        assert!(report.left.is_empty(), "{:?}", report.left);
        assert!(self.sim.pins().is_empty(), "{:?}", self.sim.pins());
        assert_eq!(self.sim.counts().violations(), 0);
        assert_eq!(self.sim.counts().total(), report.calls as u64);
    }
}

fn line<'a>(report: &'a Report, check: &str) -> &'a Line {
    let found = report.lines.iter().find(|line| line.check == check);
    found.unwrap_or_else(|| panic!("no {check} in {:#?}", report.lines))
}

fn learned(report: &Report, at: &str) -> Value {
    Value::Object(report.learned.clone()).pointer(at).cloned().unwrap_or(Value::Null)
}
