//! The demo's three providers: steady, slow, flaky.

use std::time::Duration;

use anyhow::Context;

use crate::model::Span;
use crate::sim::{Fault, PinAfter, RetryAfter, Route, Routes, Settings, Sim};

/// A simulated provider; it stops when it is dropped.
pub(super) struct Provider {
    pub(super) name: &'static str,
    pub(super) sim: Sim,
}

/// Starts all three, on ports that are free.
pub(super) async fn start() -> anyhow::Result<Vec<Provider>> {
    let steady = sim("steady", Duration::from_secs(1), Duration::from_millis(20)).await?;
    let slow = sim("slow", Duration::from_secs(8), Duration::from_millis(400)).await?;
    let flaky = sim("flaky", Duration::from_secs(2), Duration::from_millis(50)).await?;
    let faults = || flaky.sim.faults();
    faults().sometimes(0.15, Routes::Any, Fault::status(503));
    faults().sometimes(0.10, Route::Add, Fault::STORED_BUT_500);
    faults().sometimes(0.10, Routes::Any, Fault::RESET_BEFORE);
    faults().sometimes(0.05, Routes::Any, Fault::too_many(RetryAfter::Seconds(2)));
    Ok(vec![steady, slow, flaky])
}

async fn sim(name: &'static str, pin_after: Duration, latency: Duration) -> anyhow::Result<Provider> {
    let sim = Sim::start(Settings::new(name)).await;
    let sim = sim.with_context(|| format!("the simulated provider {name} cannot start"))?;
    sim.set(|behaviour| {
        behaviour.pin_after = PinAfter::Time(pin_after);
        behaviour.latency = Span(latency);
    });
    Ok(Provider { name, sim })
}
