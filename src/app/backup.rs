//! `pinfold backup` and `pinfold restore`: a store as one file, written beside a running gateway, and put back while none
//! runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::{Tuning, parts};
use crate::{
    config::{Settings, StoreUrl},
    lifecycle::Changes,
    model::{Clock, Expiry, SystemClock, Timestamp},
    store::sqlite::{
        self, CameBack, Comeback, Place, SqliteStore,
        snapshot::{self, Holdings, Stop},
    },
    telemetry::Metrics,
};

pub use crate::store::sqlite::Exported;

/// What a backup is called until it is whole. Its lock tells one that is written from one that was left behind.
const PARTIAL: (&str, &str) = (".pinfold-backup-", ".partial");

/// Writes what a store holds to a file, checked from its first to its last page. The first Ctrl-C or SIGTERM ends it.
///
/// # Errors
/// Where there is no store, or no room, or the file is there and `force` was not said. Nothing of that name is made then.
pub async fn backup(store: PathBuf, file: PathBuf, force: bool) -> anyhow::Result<Holdings> {
    let stop = Stop::default();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = stop.clone();
    let mut writing = tokio::task::spawn_blocking(move || write(&store, &file, force, &told));
    loop {
        tokio::select! {
            done = &mut writing => return done.context("the backup ended unasked")?,
            _ = terminate.recv() => stop.tell(),
            _ = interrupt.recv() => stop.tell(),
        }
    }
}

fn write(store: &Path, file: &Path, force: bool, stop: &Stop) -> anyhow::Result<Holdings> {
    let shown = file.display();
    let taken = || format!("{shown} is there already: name another file, or say --force");
    if file.exists() && !force {
        bail!(taken());
    }
    let folder = folder_of(file);
    clear_away(folder).with_context(|| format!("cannot look into {}", folder.display()))?;
    let cannot = || format!("cannot write {shown}");
    let partial = tempfile::Builder::new()
        .prefix(PARTIAL.0)
        .suffix(PARTIAL.1)
        .tempfile_in(folder)
        .with_context(cannot)?;
    partial.as_file().lock().with_context(cannot)?;
    let holdings = snapshot::copy(store, partial.path(), stop)?;
    partial.as_file().sync_all().with_context(cannot)?;
    match force {
        true => partial.persist(file).map(drop).map_err(|error| error.error).with_context(cannot)?,
        false => {
            partial.persist_noclobber(file).map(drop).map_err(|error| error.error).with_context(taken)?
        }
    }
    fs::File::open(folder).and_then(|folder| folder.sync_all()).with_context(cannot)?;
    Ok(holdings)
}

/// Removes what a backup left behind that was killed.
fn clear_away(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !(name.starts_with(PARTIAL.0) && name.ends_with(PARTIAL.1)) {
            continue;
        }
        // One that cannot be opened is another user's.
        let Ok(left) = fs::File::open(&path) else { continue };
        if left.try_lock().is_ok() {
            // SQLite's own, where it was killed in the midst of the copy.
            let mut journal = path.clone().into_os_string();
            journal.push("-journal");
            match fs::remove_file(journal) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => fs::remove_file(&path)?,
            }
        }
    }
    Ok(())
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
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

/// Puts a backup in the store's place. What was there stays there until the other is ready.
///
/// # Errors
/// Where a gateway runs, a store is there and `replace` was not said, or the backup is not sound or of a newer version.
pub async fn restore(settings: Settings, restore: Restore) -> anyhow::Result<Restored> {
    let StoreUrl::Sqlite(path) = settings.store.clone();
    let place = Place::take(&path)?;
    if place.is_taken() && !restore.replace {
        bail!(
            "{} is there already: to have it put aside and the backup in its place say --replace",
            path.display()
        );
    }
    let work = tempfile::Builder::new()
        .prefix(".pinfold-restore-")
        .tempdir_in(folder_of(&path))
        .with_context(|| format!("cannot write beside {}", path.display()))?;
    let new = work.path().join("pinfold.db");
    let source = restore.backup.clone();
    let to = new.clone();
    let holdings = tokio::task::spawn_blocking(move || {
        create(&to)?;
        Ok::<_, anyhow::Error>(snapshot::copy(&source, &to, &Stop::default())?)
    })
    .await
    .context("the restore ended unasked")?
    .with_context(|| format!("{} cannot be restored", restore.backup.display()))?;
    let now = SystemClock.now();
    let later = place.is_taken().then(|| place.later()).flatten();
    let comeback = Comeback { later, ..comeback(&settings, &restore, now)? };
    let removals_from = comeback.removals_from;
    let came_back = {
        let store = SqliteStore::open(&new, &parts::sqlite(&settings), Changes::default(), &Metrics::new())?;
        store.come_back(comeback).await?
    };
    let aside = place.is_taken().then(|| aside(&path, now));
    place.put(&new, aside.as_deref().unwrap_or(&path))?;
    Ok(Restored { holdings, came_back, aside, removals_from })
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

/// Its owner's alone, and empty.
fn create(file: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

fn aside(store: &Path, now: Timestamp) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    let time: String = now.to_string()[..19].chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    name.push(format!(".before-{time}"));
    name.into()
}

/// Hands each pin of a store to `each`, the oldest first, until that returns false; a gateway may serve it meanwhile.
///
/// # Errors
/// Where there is no store, or no such account.
pub fn export(store: &Path, account: Option<&str>, each: impl FnMut(Exported) -> bool) -> anyhow::Result<()> {
    Ok(sqlite::export(store, account, each)?)
}
