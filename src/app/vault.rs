//! Keeps the tokens of logins in files beside the store: one a provider, owner-only, replaced as a whole.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    model::{Stamp, Timestamp},
    providers::{Credential, Endpoint, NoVault, Pair, SecretKind, Vault},
};

/// A pair takes a few kilobytes at most.
const MAX_BYTES: u64 = 64 * 1024;

/// One provider's file.
#[derive(Debug)]
pub(super) struct FileVault {
    folder: PathBuf,
    file: PathBuf,
    /// Whose pair it is: another user's, or one of another endpoint, is never used.
    identity: String,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    identity: String,
    access: String,
    #[serde(default)]
    refresh: Option<String>,
    /// Milliseconds since 1970.
    #[serde(default)]
    obtained: Option<i64>,
}

/// Where those of a store are.
pub(super) fn folder(store: &Path) -> PathBuf {
    let mut folder = store.as_os_str().to_owned();
    folder.push(".credentials");
    folder.into()
}

impl FileVault {
    /// Of a provider of the store at `store`; touches nothing yet. Only logins have something to keep.
    pub(super) fn beside(
        store: &Path,
        provider: &str,
        endpoint: &Endpoint,
        credential: &Credential,
    ) -> Arc<dyn Vault> {
        if !matches!(credential, Credential::Login(_)) {
            return Arc::new(NoVault);
        }
        let folder = folder(store);
        let identity: String =
            credential.identity(endpoint).iter().map(|byte| format!("{byte:02x}")).collect();
        Arc::new(Self { file: folder.join(format!("{provider}.json")), folder, identity })
    }

    fn write(&self, pair: &Pair) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let kept = Kept {
            identity: self.identity.clone(),
            access: pair.access.expose_secret().to_owned(),
            refresh: pair.refresh.as_ref().map(|refresh| refresh.expose_secret().to_owned()),
            obtained: pair.obtained.map(Timestamp::as_millis),
        };
        // Made owner-only; renamed when it is whole and on disk, so that a crash leaves the old one or the new one.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        file.as_file().sync_all()?;
        file.persist(&self.file).map_err(|error| error.error)?;
        fs::File::open(&self.folder)?.sync_all()
    }
}

impl Vault for FileVault {
    fn load(&self) -> io::Result<Option<Pair>> {
        let metadata = match fs::metadata(&self.file) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let wrong = |what: String| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        let file = self.file.display();
        if metadata.permissions().mode() & 0o077 != 0 {
            return wrong(format!("others may read {file}: log in again, and run: chmod 600 {file}"));
        }
        if metadata.len() > MAX_BYTES {
            return wrong(format!("{file} is too large to be what was kept"));
        }
        let kept = serde_json::from_slice::<Kept>(&fs::read(&self.file)?).ok();
        let Some(kept) = kept.filter(|kept| SecretKind::Token.check(&kept.access).is_ok()) else {
            // Its own words might quote what is in it.
            return wrong(format!("{file} holds no tokens: log in again"));
        };
        if kept.identity != self.identity {
            tracing::info!(%file, "the tokens kept there are another user's or another endpoint's: they are not used");
            return Ok(None);
        }
        Ok(Some(Pair {
            access: SecretString::from(kept.access),
            refresh: kept.refresh.map(SecretString::from),
            obtained: kept.obtained.map(Timestamp::from_millis),
        }))
    }

    fn save(&self, pair: &Pair) -> io::Result<()> {
        self.write(pair)
    }

    fn stamp(&self) -> Option<Stamp> {
        Stamp::at(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{presets::Presets, providers::Login};

    fn vault(store: &Path, user: &str, endpoint: &str) -> Arc<dyn Vault> {
        let how = Presets::known("w3ipfs").login.clone().unwrap();
        let credential = Credential::Login(Login { user: user.into(), password: None, how });
        FileVault::beside(store, "alpha", &Endpoint::parse(endpoint).unwrap(), &credential)
    }

    fn pair(n: u32) -> Pair {
        let refresh = Some(format!("refresh-{n}").into());
        Pair { access: format!("access-{n}").into(), refresh, obtained: Some(Timestamp::from_millis(7)) }
    }

    #[test]
    fn a_pair_is_kept_for_its_user_and_endpoint_only_and_readable_by_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("pins.db");
        let ada = vault(&store, "ada", "https://a.example/psa");
        assert!(ada.load().unwrap().is_none() && ada.stamp().is_none());
        ada.save(&pair(1)).unwrap();
        let first = ada.stamp().unwrap();
        ada.save(&pair(2)).unwrap();
        assert_ne!(ada.stamp().unwrap(), first);
        let kept = ada.load().unwrap().unwrap();
        assert_eq!(kept.access.expose_secret(), "access-2");
        assert_eq!(kept.refresh.unwrap().expose_secret(), "refresh-2");
        assert_eq!(kept.obtained, Some(Timestamp::from_millis(7)));
        assert!(vault(&store, "ben", "https://a.example/psa").load().unwrap().is_none());
        assert!(vault(&store, "ada", "https://b.example/psa").load().unwrap().is_none());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = dir.path().join("pins.db.credentials");
        assert_eq!((mode(&folder), mode(&folder.join("alpha.json"))), (0o700, 0o600));
        // Nothing half-written is left behind.
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_save_that_fails_leaves_the_pair_before() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("pins.db");
        let vault = vault(&store, "ada", "https://a.example");
        vault.save(&pair(1)).unwrap();
        let folder = dir.path().join("pins.db.credentials");
        let away = dir.path().join("away");
        fs::rename(&folder, &away).unwrap();
        fs::write(&folder, "a file in its place").unwrap();
        assert!(vault.save(&pair(2)).is_err());
        fs::remove_file(&folder).unwrap();
        fs::rename(&away, &folder).unwrap();
        assert_eq!(vault.load().unwrap().unwrap().access.expose_secret(), "access-1");
    }

    #[test]
    fn what_others_may_read_or_nobody_understands_is_refused_without_its_words() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(&dir.path().join("pins.db"), "ada", "https://a.example");
        vault.save(&pair(1)).unwrap();
        let file = dir.path().join("pins.db.credentials/alpha.json");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(vault.load().unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, r#"{"access":"hunter2"}"#).unwrap();
        assert!(!vault.load().unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn a_kept_token_that_fits_no_header_is_told_and_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let ada = vault(&dir.path().join("pins.db"), "ada", "https://a.example/psa");
        ada.save(&Pair { access: "two\nlines".into(), ..pair(1) }).unwrap();
        let why = ada.load().unwrap_err().to_string();
        assert!(why.contains("holds no tokens") && !why.contains("lines"), "{why}");
    }
}
