//! Simulated providers: real HTTP servers that play a preset's quirks, and faults on demand.
//!
//! A [`Sim`] speaks the whole pinning API over memory, correctly unless it is told otherwise: its [`Behaviour`] is
//! what it does all the time (a preset's, where it plays one), its [`FaultRule`]s strike calls, and it tells what it saw. Programs in other languages
//! steer it over HTTP: [`control`].

use std::{
    fmt, io,
    net::Ipv4Addr,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::SecretString;

use crate::{
    model::{Clock, Content, Status, SystemClock},
    presets::{Preset, Protocol},
};

mod asked;
mod backends;
mod behaviour;
mod builder;
pub mod control;
mod credentials;
mod dialect;
mod errors;
mod fate;
mod faults;
mod gateway;
mod ids;
mod instant;
mod kubo;
mod login;
mod observe;
mod pins;
mod playing;
mod psa;
mod query;
mod reply;
mod route;
mod serve;
mod shown;
mod trouble;
mod world;

pub use asked::Asked;
pub use behaviour::{Account, Behaviour, Lists};
pub use builder::Builder;
pub use dialect::{Dialect, Info, Matching, MetaFilter, Nulls, Posted, Removed, Rows};
pub use errors::Errors;
pub use fate::{FailRule, PinAfter, Predicate};
pub use faults::{Fault, FaultKind, FaultRule, RateLimit, RetryAfter};
pub use gateway::Mood;
pub use instant::Zone;
pub use observe::{Counts, Deleted, LogEntry, Outcome, SimPin, SimPins};
pub use route::{Route, Routes};

use credentials::Credentials;
use serve::Running;
use trouble::Trouble;
use world::World;

/// All that a simulated provider is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    pub protocol: Protocol,
    /// The bearer token that it wants.
    pub token: SecretString,
    /// The user name, or e-mail address, and password that it takes where it has log-ins or Basic authentication.
    pub user: Option<(String, SecretString)>,
    pub behaviour: Behaviour,
    pub faults: Vec<FaultRule>,
    pub rate_limits: Vec<RateLimit>,
    /// What the dice of chances are seeded with.
    pub seed: u64,
}

impl Settings {
    /// A provider without quirks, on a free port of the loopback, that pins at once.
    pub fn new(token: &str) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            protocol: Protocol::Psa,
            token: SecretString::from(token),
            user: None,
            behaviour: Behaviour::default(),
            faults: Vec::new(),
            rate_limits: Vec::new(),
            seed: 0,
        }
    }
}

/// A simulated provider; dropping it stops it.
pub struct Sim {
    world: Arc<World>,
    address: SocketAddr,
    running: Mutex<Option<Running>>,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Sim {
    /// A correct provider on a free port of the loopback, to be told what to do wrong.
    pub fn builder(token: &str) -> Builder {
        Builder::new(Settings::new(token))
    }

    /// The service of a preset, on a free port of the loopback, to be told what to do wrong.
    pub fn playing(preset: &Preset, token: &str) -> Builder {
        Builder::new(Settings::playing(preset, token))
    }

    /// Listens and serves on the machine's clock. Fails where the address cannot be listened on.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        Self::start_with(settings, Arc::new(SystemClock)).await
    }

    pub async fn start_with(settings: Settings, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let Settings { listen, protocol, token, user, behaviour, faults, rate_limits, seed } = settings;
        let trouble = Trouble::new(faults, &rate_limits, seed);
        let credentials = Credentials::new(token, user);
        let world = Arc::new(World::new(clock, protocol, credentials, behaviour, trouble));
        let (address, running) = Running::start(world.clone(), listen).await?;
        Ok(Self { world, address, running: Mutex::new(Some(running)) })
    }

    /// Stays the same over [`stop`](Self::stop) and [`start_again`](Self::start_again).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The endpoint of the service that is played, with the path of its own.
    pub fn endpoint(&self) -> String {
        format!("{}{}", self.url(), self.world.inside().behaviour.base)
    }

    /// The old token is 401 from now on, as at services whose tokens are reset.
    pub fn reset_token(&self, token: &str) {
        self.world.inside().credentials.reset_token(SecretString::from(token));
    }

    /// The code for a log-in that was last sent by mail and not used.
    pub fn mailed_code(&self) -> Option<String> {
        self.world.inside().credentials.mailed().map(str::to_owned)
    }

    /// Gives the port back, resets every connection, keeps the pins. Connections are refused from now on.
    pub async fn stop(&self) {
        let running = self.running().take();
        if let Some(running) = running {
            running.stop().await;
        }
    }

    /// Listens on the same port again, with the pins that were there. Fails where the port was taken meanwhile; does
    /// nothing where it was not stopped.
    pub async fn start_again(&self) -> io::Result<()> {
        if self.running().is_some() {
            return Ok(());
        }
        let (_, running) = Running::start(self.world.clone(), self.address).await?;
        *self.running() = Some(running);
        Ok(())
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what it does, from the next call on.
    pub fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.world.inside().behaviour);
    }

    /// What goes wrong.
    pub fn faults(&self) -> Faults<'_> {
        Faults(&self.world)
    }

    /// All pins of this content vanish, as at a provider that lost them. How many there were.
    pub fn forget(&self, content: &Content) -> usize {
        self.world.inside().forget(content)
    }

    /// Holds all pins of this content in a state, or lets them go on at their pace.
    pub fn force(&self, content: &Content, status: Option<Status>) {
        self.world.inside().force(content, status);
    }

    /// Puts a pin there without a call, as if its owner had made it elsewhere. Its id.
    pub fn plant(&self, asked: Asked) -> String {
        let now = self.world.now();
        self.world.inside().put(asked, false, now)
    }

    /// Puts a block onto its gateway's shelf, to be handed out while it is pinned. Its CID; `None` where there is no room.
    pub fn stock(&self, block: impl Into<bytes::Bytes>) -> Option<crate::model::PinCid> {
        self.world.inside().shelf.stock(block.into())
    }

    /// How often its gateway was asked, and how often of these with a credential.
    pub fn gateway_asked(&self) -> (u64, u64) {
        let inside = self.world.inside();
        (inside.shelf.asked, inside.shelf.authorized)
    }

    pub fn counts(&self) -> Counts {
        self.world.inside().seen.counts.clone()
    }

    /// Peers that it was told to connect to; of a Kubo node.
    pub fn connected(&self) -> Vec<String> {
        self.world.inside().node.connected.clone()
    }

    /// The live pins, oldest first.
    pub fn pins(&self) -> SimPins {
        self.world.pins()
    }

    /// The calls that came in, oldest first, half a million of them at most.
    pub fn log(&self) -> Vec<LogEntry> {
        self.world.inside().seen.log.iter().cloned().collect()
    }

    /// The pins that callers removed, oldest first, half a million of them at most.
    pub fn deletes(&self) -> Vec<Deleted> {
        self.world.inside().seen.deleted.iter().cloned().collect()
    }

    /// Counts, log and deletes start anew.
    pub fn reset_stats(&self) {
        self.world.inside().seen.forget();
    }
}

/// The switchboard of what goes wrong. Of several faults that are about a call, the one that was added first and whose
/// dice fall so strikes.
#[derive(Clone, Copy)]
pub struct Faults<'a>(&'a World);

impl Faults<'_> {
    pub fn add(self, rule: FaultRule) {
        self.0.inside().trouble.add(rule);
    }

    /// Strikes the next `times` calls.
    pub fn next(self, times: u32, routes: impl Into<Routes>, fault: Fault) {
        self.add(FaultRule { routes: routes.into(), fault, chance: 1.0, times: Some(times) });
    }

    /// Strikes every call until it is cleared.
    pub fn always(self, routes: impl Into<Routes>, fault: Fault) {
        self.add(FaultRule { routes: routes.into(), fault, chance: 1.0, times: None });
    }

    /// Strikes this share of calls, 0 to 1, until it is cleared.
    pub fn sometimes(self, chance: f64, routes: impl Into<Routes>, fault: Fault) {
        let chance = chance.clamp(0.0, 1.0);
        self.add(FaultRule { routes: routes.into(), fault, chance, times: None });
    }

    /// Drops all faults; rate limits and being down stay.
    pub fn clear(self) {
        self.0.inside().trouble.clear();
    }

    /// Replaces all rate limits.
    pub fn limit(self, limits: &[RateLimit]) {
        self.0.inside().trouble.limit(limits);
    }

    /// Resets every call from now on, those in flight too, until [`up`](Self::up). [`control`] goes on answering; use
    /// [`Sim::stop`] where the connection itself must be refused.
    pub fn down(self) {
        self.0.set_down(true);
    }

    pub fn up(self) {
        self.0.set_down(false);
    }
}

#[cfg(test)]
mod tests;
