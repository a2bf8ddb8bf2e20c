//! A login: one token at a time, renewed ahead of its end and where it is refused, by one call however many wait.

mod calls;
mod live;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ::http::HeaderValue;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use live::Live;
use secrecy::ExposeSecret;

use super::{
    Login, Source, jwt,
    keeper::{Unusable, encoded},
    vault::{Pair, Vault},
    wire::Wire,
};
use crate::{
    model::{Clock, ErrorClass, Stamp, Timestamp},
    providers::{Settings, secrets::Secrets, stack::Lower},
};

/// The first wait after a login that failed; doubles.
const WAIT_BASE: Duration = Duration::from_secs(5);
const WAIT_MAX: Duration = Duration::from_secs(300);
pub(in crate::providers) struct Session {
    provider: String,
    login: Login,
    wire: Wire,
    lower: Lower,
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    secrets: Arc<Secrets>,
    deadline: Duration,
    state: Mutex<State>,
    /// Held while the vault is written and what was written becomes the pair in use.
    saving: tokio::sync::Mutex<()>,
}

type Renewing = Shared<BoxFuture<'static, Result<HeaderValue, Unusable>>>;

#[derive(Default)]
struct State {
    live: Option<Live>,
    /// Of what the vault held when it was last read.
    stamp: Option<Stamp>,
    is_saved: bool,
    renewing: Option<Renewing>,
    failed: Option<Failed>,
    failures: u32,
    revision: u64,
}

/// The last login failed: nobody tries again before this.
#[derive(Clone)]
struct Failed {
    at: Timestamp,
    until: Timestamp,
    why: Unusable,
}

impl Session {
    pub(in crate::providers) fn new(
        login: Login,
        settings: &Settings,
        lower: Lower,
        clock: Arc<dyn Clock>,
        secrets: Arc<Secrets>,
    ) -> Arc<Self> {
        let session = Self {
            provider: settings.name.clone(),
            wire: Wire::new(login.how.clone(), settings.endpoint.clone()),
            login,
            lower,
            vault: settings.vault.clone(),
            clock,
            secrets,
            deadline: settings.deadline,
            state: Mutex::default(),
            saving: tokio::sync::Mutex::default(),
        };
        session.reload(&mut session.state());
        session.remember_password();
        Arc::new(session)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The header of a call that leaves now. While a token is renewed ahead of its end, calls go on with it.
    pub(super) async fn header(self: &Arc<Self>) -> Result<HeaderValue, Unusable> {
        let renewing = {
            let (mut state, now) = (self.state(), self.clock.now());
            match state.live.clone().filter(|live| !live.has_ended(now)) {
                Some(live) => {
                    if live.renew_at.is_some_and(|at| at <= now) {
                        // A failure is told by the renewal itself, and matters once the token has ended.
                        drop(self.renew(&mut state, now));
                    }
                    return Ok(live.header);
                }
                None => self.renew(&mut state, now)?,
            }
        };
        renewing.await
    }

    /// Another header after `refused` was answered with 401; `None` where another would not do either.
    pub(super) async fn instead_of(
        self: &Arc<Self>,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Unusable> {
        let renewing = {
            let (mut state, now) = (self.state(), self.clock.now());
            self.reload(&mut state);
            match &state.live {
                // Renewed since that call left.
                Some(live) if Some(&live.header) != refused => return Ok(Some(live.header.clone())),
                Some(live) if live.is_fresh(now) => return Ok(None),
                _ => self.renew(&mut state, now)?,
            }
        };
        renewing.await.map(Some)
    }

    /// Looks for another password, or another pair in the vault; a number that changes with them.
    pub(super) async fn revision(&self) -> u64 {
        self.look_for_a_password();
        // While a pair is being saved there is nothing to look for.
        if let Ok(_saving) = self.saving.try_lock() {
            let unsaved = {
                let mut state = self.state();
                // First: what an operator brought is newer than a pair that could not be kept.
                self.reload(&mut state);
                state.live.as_ref().filter(|_| !state.is_saved).map(|live| live.pair.clone())
            };
            if let Some(pair) = unsaved {
                self.save(pair).await;
            }
        }
        self.state().revision
    }

    fn look_for_a_password(&self) {
        let Some(password) = &self.login.password else { return };
        if password.look(self.clock.now()) {
            password.take_up();
            self.remember_password();
            let mut state = self.state();
            (state.failed, state.failures) = (None, 0);
            state.revision += 1;
        }
    }

    /// When an operator has to log in again, where that is known: without a password nobody else can.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        let state = self.state();
        let refresh = state.live.as_ref().filter(|_| self.login.password.is_none())?.pair.refresh.clone()?;
        jwt::claims(refresh.expose_secret())?.expires
    }

    /// Takes what the vault holds, where that has changed.
    fn reload(&self, state: &mut State) {
        let stamp = self.vault.stamp();
        if stamp == state.stamp {
            state.is_saved |= state.live.is_none();
            return;
        }
        (state.stamp, state.is_saved) = (stamp, true);
        let provider = &self.provider;
        match self.vault.load() {
            Ok(Some(pair)) => {
                let known = state.live.as_ref().map(|live| live.pair.access.expose_secret());
                if known != Some(pair.access.expose_secret()) {
                    self.remember(&pair);
                    (state.live, state.failed, state.failures) = (Some(Live::of(pair)), None, 0);
                    state.revision += 1;
                }
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(provider, %error, "the kept tokens of a login cannot be read"),
        }
    }

    fn remember_password(&self) {
        if let Some(password) = self.login.password.as_ref().map(Source::current) {
            self.secrets.add(encoded(&self.login.user, &password));
            self.secrets.add(password);
        }
    }

    fn remember(&self, pair: &Pair) {
        self.secrets.add(pair.access.clone());
        pair.refresh.iter().for_each(|refresh| self.secrets.add(refresh.clone()));
        // Only the newest are kept in mind, and this one stays a secret.
        self.remember_password();
    }

    /// The one renewal that is under way, or a new one; the last failure while it is too soon for another.
    fn renew(self: &Arc<Self>, state: &mut State, now: Timestamp) -> Result<Renewing, Unusable> {
        // One that has ended and is still there has panicked.
        if let Some(renewing) = state.renewing.as_ref().filter(|renewing| renewing.peek().is_none()) {
            return Ok(renewing.clone());
        }
        if let Some(failed) = state.failed.as_ref().filter(|failed| failed.at <= now && now < failed.until) {
            return Err(failed.why.clone());
        }
        // A task of its own: a caller that gives up must not lose a pair that is on its way.
        let (session, before) = (self.clone(), state.live.as_ref().map(|live| live.pair.clone()));
        let task = tokio::spawn(async move { session.run(before).await });
        let cut_off = || Unusable { class: ErrorClass::Transient, text: "the login was cut off".into() };
        let renewing = async move { task.await.unwrap_or_else(|_| Err(cut_off())) }.boxed().shared();
        state.renewing = Some(renewing.clone());
        Ok(renewing)
    }

    async fn run(&self, before: Option<Pair>) -> Result<HeaderValue, Unusable> {
        let obtained = tokio::time::timeout(self.deadline, self.obtain(before)).await;
        let late = || Err(Unusable { class: ErrorClass::Transient, text: "the login got no answer".into() });
        match obtained.unwrap_or_else(|_| late()) {
            Ok(pair) => {
                let _saving = self.saving.lock().await;
                // On disk before it is used: a refresh token that was handed out once may be the only one.
                self.save(pair.clone()).await;
                let live = Live::of(pair);
                let mut state = self.state();
                (state.renewing, state.failed, state.failures) = (None, None, 0);
                Ok(state.live.insert(live).header.clone())
            }
            Err(why) => {
                // Whoever needed it tells of it, as of any other call.
                tracing::debug!(provider = self.provider, %why, "a login failed");
                let (mut state, at) = (self.state(), self.clock.now());
                let wait = WAIT_BASE.saturating_mul(1 << state.failures.min(16)).min(WAIT_MAX);
                state.failed = Some(Failed { at, until: at.plus(wait), why: why.clone() });
                (state.renewing, state.failures) = (None, state.failures + 1);
                Err(why)
            }
        }
    }

    async fn save(&self, pair: Pair) {
        let vault = self.vault.clone();
        let saved = tokio::task::spawn_blocking(move || vault.save(&pair).map(|()| vault.stamp())).await;
        let (stamp, error) = match saved {
            Ok(Ok(stamp)) => (Some(stamp), None),
            Ok(Err(error)) => (None, Some(error.to_string())),
            Err(_) => (None, Some("it was cut off".to_owned())),
        };
        let was_saved = {
            let mut state = self.state();
            // Our own writing is no news: a pair that came after it, and could not be kept, must not give way to it.
            state.stamp = stamp.unwrap_or(state.stamp);
            std::mem::replace(&mut state.is_saved, error.is_none())
        };
        if let Some(error) = error.filter(|_| was_saved) {
            let provider = &self.provider;
            tracing::error!(
                provider,
                error,
                "the tokens of a login cannot be kept: a restart may need another login"
            );
        }
    }
}

#[cfg(test)]
mod tests;
