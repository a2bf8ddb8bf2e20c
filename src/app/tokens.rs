//! Stored tokens in a running gateway: kept current, their uses written down; and the first one that an operator has.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use secrecy::ExposeSecret;
use tokio::time::{MissedTickBehavior, interval};

use super::parts;
use crate::{
    auth::{Desk, DeskError, Gate, Listed, Scope, Scopes, Secret, TokenRequest},
    config::{Settings, StoreUrl},
    lifecycle::{Changes, Shutdown},
    model::{Clock, SureClock, SystemClock},
    store::{SharedStore, Store, StoreError, sqlite::SqliteStore},
    telemetry::{Metrics, Repeats},
};

/// Between looks at what other processes changed: the longest that a revoked token may still let in.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks between writings of uses: half a minute.
const FLUSH_EVERY: u64 = 60;
/// Looks between clearings: a day.
const FORGET_EVERY: u64 = 2 * 86_400;
/// Tokens are forgotten so long after their end.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

const FIRST_NAME: &str = "first-admin";

/// Lets stored tokens in from now on, beside the config's.
///
/// # Errors
/// Where the store cannot be read, or a token of the config is in it.
pub(super) async fn admit(
    gate: &Gate,
    settings: &Settings,
    store: &SharedStore,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Desk> {
    gate.refresh(&**store).await?;
    gate.check(settings.tokens.iter().map(|token| token.sha256))?;
    let desk = Desk::new(store.clone(), gate.clone(), clock.clone());
    let StoreUrl::Sqlite(path) = &settings.store;
    if !gate.knows_operator() {
        first(&desk, &admin_token_file(path)).await?;
    }
    Ok(desk)
}

/// Where the first admin token of a store is written.
pub fn admin_token_file(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".admin-token");
    name.into()
}

/// The file is there before the store knows of the token: a crash in between leaves a file that the next start takes
/// up, and never a token that nobody has.
async fn first(desk: &Desk, file: &Path) -> anyhow::Result<()> {
    let shown = file.display();
    let secret = match read(file) {
        Ok(Some(secret)) => secret,
        Ok(None) => write(file).with_context(|| format!("cannot write the first admin token to {shown}"))?,
        Err(why) => {
            tracing::warn!(file = %shown, %why, "there is no admin token; to have one made, move this file away and start again");
            return Ok(());
        }
    };
    let scopes = Scopes::NONE.with(Scope::AdminWrite);
    let request = TokenRequest { name: FIRST_NAME.into(), scopes, ..TokenRequest::default() };
    match desk.adopt(request, &secret).await {
        Ok(_) => tracing::info!(file = %shown, "the first admin token is in this file"),
        // Somebody made one of that name, which may do less: no reason not to serve.
        Err(error @ DeskError::Taken(_)) => {
            tracing::warn!(file = %shown, %error, "the token in this file is not taken up");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn read(file: &Path) -> io::Result<Option<Secret>> {
    let metadata = match fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let wrong = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()));
    if metadata.permissions().mode() & 0o077 != 0 {
        return wrong("others may read it");
    }
    if metadata.len() > 256 {
        return wrong("it is too large to be a token");
    }
    let text = fs::read_to_string(file)?;
    match Secret::parse(text.trim_end()) {
        Some(secret) => Ok(Some(secret)),
        None => wrong("it holds no token that was made here"),
    }
}

/// Made owner-only; there as a whole and on disk, or not at all.
fn write(file: &Path) -> io::Result<Secret> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let secret = Secret::mint();
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(new, "{}", secret.expose_secret())?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()?;
    Ok(secret)
}

/// Keeps the gate current until stopping begins, and writes down how tokens were used.
pub(super) async fn keep(gate: Gate, store: SharedStore, sure: SureClock, shutdown: Shutdown) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut trouble = Repeats::default();
    for look in 0_u64.. {
        tokio::select! {
            biased;
            () = shutdown.begun() => break,
            _ = looks.tick() => {}
        }
        let kept = keep_once(&gate, &store, &sure, look).await;
        note(kept, &mut trouble);
    }
    note(gate.flush_uses(&*store).await, &mut trouble);
}

async fn keep_once(gate: &Gate, store: &SharedStore, sure: &SureClock, look: u64) -> Result<(), StoreError> {
    gate.refresh(&**store).await?;
    if look % FLUSH_EVERY == FLUSH_EVERY - 1 {
        gate.flush_uses(&**store).await?;
    }
    if look.is_multiple_of(FORGET_EVERY) {
        gate.forget(&**store, sure.now().minus(KEPT)).await?;
    }
    Ok(())
}

/// Tells of trouble when it begins, and when it ends.
fn note(kept: Result<(), StoreError>, trouble: &mut Repeats) {
    match kept {
        Ok(()) if trouble.worked() => tracing::info!("the stored tokens can be read again"),
        Ok(()) => {}
        Err(error) if trouble.failed() => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the stored tokens cannot be kept current"
            );
        }
        Err(_) => {}
    }
}

/// Makes a token while no gateway runs.
///
/// # Errors
/// Where the store is in use or cannot be opened, or the request cannot be met.
pub async fn create_token(settings: Settings, request: TokenRequest) -> anyhow::Result<(Listed, Secret)> {
    let StoreUrl::Sqlite(path) = &settings.store;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = SqliteStore::open(path, &parts::sqlite(&settings), Changes::default(), &Metrics::new())?;
    // The accounts get their rows by it, should there never have been a start.
    let registered = store.register(parts::registration(&settings), clock.now()).await?;
    let gate = Gate::new(parts::tokens(&settings, &registered)?, clock.clone());
    let desk = Desk::new(Arc::new(store), gate, clock);
    let made = desk.create(request).await?;
    Ok((desk.show(made.token), made.secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::Tokens,
        model::{KeptTime, ManualClock, Timestamp},
        store::NewToken,
    };

    /// I3: when the clock is right again the token lets in.
    #[tokio::test]
    async fn i3_a_clock_that_is_doubted_forgets_no_token() {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let (dir, start) = (tempfile::tempdir().unwrap(), Timestamp::from_millis(1_700_000_000_000));
        let clock = Arc::new(ManualClock::at(start));
        let file = dir.path().join("pins.db");
        let store = SqliteStore::open(&file, &Default::default(), Changes::default(), &Metrics::new());
        let store: SharedStore = Arc::new(store.unwrap());
        let (secret, gate) = (Secret::mint(), Gate::new(Tokens::default(), clock.clone()));
        let token = NewToken {
            id: secret.id(),
            hash: secret.hash(),
            account: None,
            name: "laptop".into(),
            scopes: Scopes::NONE.with(Scope::PinsRead),
            policies: Vec::new(),
            expires: Some(start.plus(90 * DAY)),
            by: None,
        };
        store.create_token(token, start).await.unwrap();
        let wrong = start.plus(3 * 365 * DAY);
        clock.turn(wrong);
        let sure = SureClock::new(clock.clone(), KeptTime { sure: start, wall: start, left: None });
        for (passed, kept) in [(Duration::ZERO, true), (DAY, false)] {
            clock.advance(passed);
            keep_once(&gate, &store, &sure, 0).await.unwrap();
            assert_eq!(store.token(secret.id()).await.unwrap().is_some(), kept);
        }
    }

    #[test]
    fn the_first_token_is_its_owners_alone_and_read_back() {
        let dir = crate::store::contract::scratch();
        let file = admin_token_file(&dir.path().join("pins.db"));
        assert!(file.ends_with("pins.db.admin-token"));
        assert!(read(&file).unwrap().is_none());
        let secret = write(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&file).unwrap().unwrap().id(), secret.id());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing half-written is left behind");
    }

    #[test]
    fn a_file_that_others_may_read_or_that_holds_no_token_is_not_believed() {
        let dir = crate::store::contract::scratch();
        let file = dir.path().join("pins.db.admin-token");
        write(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("others"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "hunter2").unwrap();
        assert!(!read(&file).unwrap_err().to_string().contains("hunter2"));
    }
}
