//! `pinfold backup` and `pinfold restore`: a store as one file, written beside a running gateway, and put back while none
//! runs.

mod target;
mod workshop;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use tempfile::TempPath;
use tokio::signal::unix::{SignalKind, signal};

use self::workshop::Workshop;
use super::{Tuning, parts};
use crate::{
    config::{Settings, StoreUrl},
    lifecycle::Changes,
    model::{Clock, Expiry, SystemClock, Timestamp},
    store::sqlite::{
        self, CameBack, Comeback, Place, SqliteStore,
        files::{folder_of, heir},
        snapshot::{self, CopyError, Holdings, Stop},
    },
    telemetry::Metrics,
};

pub use crate::store::sqlite::Exported;

/// What the folders are called that backups and restores are made in.
const BACKUP: &str = ".pinfold-backup-";
const RESTORE: &str = ".pinfold-restore-";
/// What follows the name of a store that was put aside, before the time.
const ASIDE: &str = ".before-";

/// Writes what a store holds to a file, checked from its first to its last page. The first Ctrl-C or SIGTERM ends it.
///
/// # Errors
/// Where there is no store, or no room, or the file is there and `force` was not said, or it is the store itself or belongs
/// to it. Nothing of that name is made then.
pub async fn backup(store: PathBuf, file: PathBuf, force: bool) -> anyhow::Result<Holdings> {
    let stop = told_by_signals()?;
    let writing = tokio::task::spawn_blocking(move || write(&store, &file, force, &stop));
    writing.await.context("the backup ended unasked")?
}

/// Told by the first Ctrl-C or SIGTERM.
fn told_by_signals() -> anyhow::Result<Stop> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = Stop::default();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.tell();
    });
    Ok(stop)
}

fn write(store: &Path, file: &Path, force: bool, stop: &Stop) -> anyhow::Result<Holdings> {
    target::check(store, file, force)?;
    let (shown, folder) = (file.display(), folder_of(file));
    let cannot = || format!("cannot write {shown}");
    let work = Workshop::open(folder, BACKUP).with_context(cannot)?;
    let new = work.file("pinfold.db");
    let holdings = snapshot::copy(store, &new, stop)
        .map_err(|error| in_words(error, folder))
        .with_context(|| format!("{shown} was not written"))?;
    fs::File::open(&new).and_then(|new| new.sync_all()).with_context(cannot)?;
    let new = TempPath::try_from_path(new).with_context(cannot)?;
    match force {
        true => new.persist(file).map_err(|error| error.error).with_context(cannot)?,
        false => {
            new.persist_noclobber(file).map_err(|error| error.error).with_context(|| target::taken(file))?
        }
    }
    fs::File::open(folder).and_then(|folder| folder.sync_all()).with_context(cannot)?;
    Ok(holdings)
}

/// Tells which disk is full: `folder` is where the copy would be.
fn in_words(error: CopyError, folder: &Path) -> anyhow::Error {
    match error {
        CopyError::Full => anyhow!("the disk that holds {} is full", folder.display()),
        other => other.into(),
    }
}

/// How a store is put back.
#[derive(Clone, Debug)]
pub struct Restore {
    pub backup: PathBuf,
    /// Put the store that is there aside.
    pub replace: bool,
    /// Until then nothing is removed at providers.
    pub hold: Expiry,
    /// No calls were made since the backup.
    pub nothing_was_sent: bool,
    pub revoke_tokens: bool,
}

/// What was put back.
#[derive(Clone, Debug)]
pub struct Restored {
    pub holdings: Holdings,
    pub came_back: CameBack,
    /// Where the store is that was there before.
    pub aside: Option<PathBuf>,
    pub removals_from: Timestamp,
}

/// Puts a backup in the store's place. What was there stays there until the other is ready. The first Ctrl-C or SIGTERM
/// before that ends it.
///
/// # Errors
/// Where a gateway runs, a store is there and `replace` was not said, or the backup is not sound or of a newer version.
pub async fn restore(settings: Settings, restore: Restore) -> anyhow::Result<Restored> {
    let StoreUrl::Sqlite(path) = settings.store.clone();
    let stop = told_by_signals()?;
    let place = Place::take(&path)?;
    if place.is_taken() && !restore.replace {
        bail!(
            "{} is there already: to have it put aside and the backup in its place say --replace",
            path.display()
        );
    }
    let folder = folder_of(place.database());
    let work = Workshop::open(folder, RESTORE)
        .and_then(|work| work.hand_over(heir(place.database())).map(|()| work))
        .with_context(|| format!("cannot write beside {}", place.database().display()))?;
    let now = SystemClock.now();
    let new = work.file("pinfold.db");
    let (holdings, came_back, removals_from) =
        prepare(&settings, &restore, &place, &new, now, &stop)
            .await
            .with_context(|| format!("{} was not restored", restore.backup.display()))?;
    let aside = place.is_taken().then(|| aside(place.database(), now));
    place.put(&new, aside.as_deref().unwrap_or(&path))?;
    Ok(Restored { holdings, came_back, aside, removals_from })
}

/// Makes of a backup a store that can be served, in the file `new`.
async fn prepare(
    settings: &Settings,
    restore: &Restore,
    place: &Place,
    new: &Path,
    now: Timestamp,
    stop: &Stop,
) -> anyhow::Result<(Holdings, CameBack, Timestamp)> {
    let (source, to, told) = (restore.backup.clone(), new.to_owned(), stop.clone());
    let holdings = tokio::task::spawn_blocking(move || snapshot::copy(&source, &to, &told))
        .await
        .context("the restore ended unasked")?
        .map_err(|error| in_words(error, folder_of(place.database())))?;
    let later = place.is_taken().then(|| place.later()).flatten();
    let comeback = Comeback { later, ..comeback(settings, restore, now)? };
    let removals_from = comeback.removals_from;
    let store = SqliteStore::open(new, &parts::sqlite(settings), Changes::default(), &Metrics::new())?;
    let came_back = store.come_back(comeback).await?;
    stop.check()?;
    Ok((holdings, came_back, removals_from))
}

fn comeback(settings: &Settings, restore: &Restore, now: Timestamp) -> anyhow::Result<Comeback> {
    let mut comeback = Comeback {
        now,
        settled: now,
        removals_from: restore.hold.after(now),
        nothing_was_sent: restore.nothing_was_sent,
        revoke_tokens: restore.revoke_tokens,
        ..Comeback::default()
    };
    for entry in &settings.providers {
        let provider = parts::provider(entry, &settings.store, &Tuning::default())?;
        comeback.settled = comeback.settled.max(now.plus(provider.deadline + provider.settle));
        comeback.budgets.push((provider.budget.group, provider.budget.rates));
        if provider.exclusive && !provider.preset.shares_pins() {
            comeback.exclusive.push(provider.name);
        }
    }
    Ok(comeback)
}

fn aside(store: &Path, now: Timestamp) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    let time: String = now.to_string()[..19].chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    name.push(format!("{ASIDE}{time}"));
    name.into()
}

/// Hands each pin of a store to `each`, the oldest first, until that returns false; a gateway may serve it meanwhile.
///
/// # Errors
/// Where there is no store, or no such account.
pub fn export(store: &Path, account: Option<&str>, each: impl FnMut(Exported) -> bool) -> anyhow::Result<()> {
    Ok(sqlite::export(store, account, each)?)
}
