//! One fetch: a `pin/add` whose answer goes on until the node has everything, begun anew for as long as only the
//! moment was wrong.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use super::{
    rpc::{Hold, Rpc},
    slots::Slots,
};
use crate::{
    http::Lines,
    model::{Content, ErrorClass, Operation, Status},
    providers::{
        ProviderError,
        dialect::{self, Meaning},
    },
};

/// The trailer in which Kubo says why an answer that began well ended badly.
const STREAM_ERROR: &str = "x-stream-error";

/// How patient fetches are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// A node that says nothing for so long is not there any more.
    pub(super) silence: Duration,
    /// A fetch in which nothing moved for so long makes room for those that wait.
    pub(super) turn: Duration,
    /// The wait before a fetch that broke is begun anew; doubles.
    pub(super) again: Duration,
    pub(super) again_max: Duration,
    /// How long a node may take to notice that nobody listens any more.
    pub(super) grace: Duration,
}

/// How a fetch stands.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Others come first.
    Waiting,
    Running,
    /// The node could not be asked; it will be again.
    Broken(ProviderError),
    Pinned,
    /// The node will not do, and says why.
    Failed(String),
}

impl State {
    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Pinned | Self::Failed(_))
    }

    pub(super) const fn status(&self) -> Status {
        match self {
            Self::Waiting => Status::Queued,
            Self::Running | Self::Broken(_) => Status::Pinning,
            Self::Pinned => Status::Pinned,
            Self::Failed(_) => Status::Failed,
        }
    }
}

/// How one attempt ended.
enum Ended {
    Pinned,
    /// The node says that it will not do.
    Refused(ProviderError),
    /// The node gave up for a reason of the moment.
    GaveUp(String),
    /// No answer, or one that broke off.
    Broken(ProviderError),
    /// Nothing moves, and others wait for the slot.
    Stalled,
}

pub(super) struct Fetch {
    pub(super) content: Content,
    pub(super) name: Option<String>,
    pub(super) origins: watch::Sender<Vec<String>>,
    state: Mutex<State>,
}

impl Fetch {
    pub(super) fn new(content: Content, name: Option<String>, origins: Vec<String>) -> Self {
        Self { content, name, origins: watch::Sender::new(origins), state: Mutex::new(State::Waiting) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> State {
        self.lock().clone()
    }

    fn enter(&self, state: State) {
        *self.lock() = state;
    }

    /// Runs until the node has it or will not have it. Dropping it closes the connection, by which the node learns to
    /// stop. `slots` bounds how many run at once, in the order in which they came.
    pub(super) async fn run(&self, rpc: &Rpc, slots: &Slots, pace: Pace) {
        let mut wait = pace.again;
        for first in std::iter::once(true).chain(std::iter::repeat(false)) {
            let at_once = first && slots.are_free();
            let slot = slots.take().await;
            let before = self.state();
            self.enter(State::Running);
            let ended = self.attempt(rpc, slots, pace, at_once).await;
            drop(slot);
            match ended {
                Ended::Pinned => return self.enter(State::Pinned),
                Ended::Refused(error) => {
                    let content = self.content.canonical();
                    tracing::warn!(
                        provider = error.provider,
                        content,
                        why = error.text,
                        "a node could not pin"
                    );
                    return self.enter(State::Failed(error.text));
                }
                Ended::Stalled => {
                    self.enter(State::Waiting);
                    continue;
                }
                Ended::GaveUp(why) => tracing::info!(why, "a node gave a pin up; it is asked again"),
                Ended::Broken(error) => self.enter(State::Broken(why_in_truth(before, error))),
            }
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2).min(pace.again_max);
        }
    }

    /// Has the node fetch it, and tells it meanwhile of peers who have it.
    async fn attempt(&self, rpc: &Rpc, slots: &Slots, pace: Pace, at_once: bool) -> Ended {
        let fetching = async {
            // What begins a fetch has just looked. Later, be it in the line, the user may have made a pin that ours
            // would replace.
            match if at_once { Ok(false) } else { rpc.holds(&self.content.canonical(), Hold::Direct).await } {
                Ok(false) => self.fetch(rpc, slots, pace).await,
                Ok(true) => Ended::Refused(super::held_directly(rpc, &self.content)),
                Err(error) => Ended::Broken(error),
            }
        };
        tokio::select! {
            ended = fetching => ended,
            never = self.introduce(rpc) => match never {},
        }
    }

    async fn fetch(&self, rpc: &Rpc, slots: &Slots, pace: Pace) -> Ended {
        match rpc.add(&self.content.canonical(), self.name.as_deref()).await {
            Ok(lines) => self.follow(rpc, lines, slots, pace).await,
            Err(error) if error.class == ErrorClass::Rejected => Ended::Refused(error),
            Err(error) => Ended::Broken(error),
        }
    }

    /// Reads the answer to its end. Kubo says something twice a second, so silence is a connection that broke.
    async fn follow(&self, rpc: &Rpc, mut lines: Lines, slots: &Slots, pace: Pace) -> Ended {
        let failure = |class, why: &str| rpc.connection.failure(Operation::Submit, class, why);
        let (mut last, mut moved_at) = (Bytes::new(), Instant::now());
        loop {
            let line = match timeout(pace.silence, lines.next()).await {
                Ok(Ok(Some(line))) => line,
                Ok(Ok(None)) => {
                    return match lines.trailer(STREAM_ERROR) {
                        Some(why) => told(&failure, why),
                        None => Ended::Broken(failure(ErrorClass::Transient, "the fetch broke off")),
                    };
                }
                Ok(Err(error)) => return Ended::Broken(failure(ErrorClass::Transient, &error.to_string())),
                Err(_) => {
                    return Ended::Broken(failure(ErrorClass::Transient, "the node fell silent in a fetch"));
                }
            };
            if is_done(&line) {
                return Ended::Pinned;
            }
            if let Some(why) = dialect::message(&line) {
                return told(&failure, &why);
            }
            if line != last {
                (last, moved_at) = (line, Instant::now());
            }
            if moved_at.elapsed() >= pace.turn && slots.are_waited_for() {
                return Ended::Stalled;
            }
        }
    }

    /// Connects the node to the peers who are said to have it, and to those who come later. A peer that cannot be
    /// reached is no harm.
    async fn introduce(&self, rpc: &Rpc) -> std::convert::Infallible {
        let mut origins = self.origins.subscribe();
        loop {
            let peers = origins.borrow_and_update().clone();
            for peer in &peers {
                if let Err(error) = rpc.connect(peer).await {
                    tracing::debug!(%error, "an origin could not be connected to");
                }
            }
            // Holds: the sender is a field of this fetch.
            origins.changed().await.expect("the sender is alive");
        }
    }
}

/// What the open breaker says would hide for what it opened.
fn why_in_truth(before: State, error: ProviderError) -> ProviderError {
    match before {
        State::Broken(first) if error.retry_at.is_some() => first,
        _ => error,
    }
}

/// What Kubo said in the midst of its answer.
fn told(failure: &impl Fn(ErrorClass, &str) -> ProviderError, why: &str) -> Ended {
    match Meaning::of(why) {
        Meaning::Passing => Ended::GaveUp(failure(ErrorClass::Transient, why).text),
        _ => Ended::Refused(failure(ErrorClass::Rejected, why)),
    }
}

/// Whether a line is the last one of a fetch that came to its good end.
fn is_done(line: &[u8]) -> bool {
    let value: Option<Value> = serde_json::from_slice(line).ok();
    value.and_then(|value| value.get("Pins").map(Value::is_array)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_of_pins_ends_a_fetch_well() {
        assert!(is_done(br#"{"Pins":["bafkqaaa"]}"#));
        for line in [&b"{}"[..], br#"{"Progress":7}"#, br#"{"Pins":null}"#, b"nonsense"] {
            assert!(!is_done(line));
        }
    }
}
