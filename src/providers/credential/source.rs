//! Where a secret comes from: a value, or a file that only its owner may read and that is read again when it changes.

use std::{
    fmt, fs, io,
    io::Read as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::model::{Stamp, Timestamp};

/// No secret is longer: a longer file is some other file.
const MAX_BYTES: usize = 8 * 1024;

/// Group and others.
const ALL_BUT_OWNER: u32 = 0o077;

/// In the service manager's folder a right of the group is the mask of a list of users, or the way by which this process
/// may read a file of root's.
const OTHERS: u32 = 0o007;

/// The time between looks at a file.
const LOOK_GAP: Duration = Duration::from_secs(1);

/// A secret, and where it comes from. Never prints it.
#[derive(Clone, Debug)]
pub enum Source {
    /// As the config or the environment has it.
    Fixed(SecretString),
    File(SecretFile),
}

impl Source {
    /// The secret to use now.
    pub fn current(&self) -> SecretString {
        match self {
            Self::Fixed(secret) => secret.clone(),
            Self::File(file) => file.held().used.clone(),
        }
    }

    /// The file that it comes from.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Fixed(_) => None,
            Self::File(file) => Some(&file.0.path),
        }
    }

    /// Whether it comes from the same place; of a file, whatever is in it now.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Fixed(one), Self::Fixed(two)) => {
                one.expose_secret().as_bytes().ct_eq(two.expose_secret().as_bytes()).into()
            }
            (Self::File(one), Self::File(two)) => one.0.path == two.0.path && one.0.kind == two.0.kind,
            _ => false,
        }
    }

    /// Looks whether the file holds another secret now, at most once a second; `take_up` makes it the current one.
    pub(super) fn look(&self, now: Timestamp) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::File(file) => file.look(now),
        }
    }

    /// The secret that the file holds, be it in use yet or not.
    pub(super) fn given(&self) -> SecretString {
        match self {
            Self::Fixed(secret) => secret.clone(),
            Self::File(file) => file.held().given.clone(),
        }
    }

    /// Makes what was given last the current secret.
    pub(super) fn take_up(&self) {
        if let Self::File(file) = self {
            let mut held = file.held();
            held.used = held.given.clone();
        }
    }

    /// Lets the next look happen at once.
    pub(super) fn doubt(&self) {
        if let Self::File(file) = self {
            file.held().looked_at = None;
        }
    }
}

/// What a secret is to be used for, and so what may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// Goes into a header as it is.
    Token,
    /// Goes into a body, or encoded into a header.
    Password,
}

impl SecretKind {
    /// # Errors
    /// What is wrong with it; the words hold nothing of it.
    pub fn check(self, secret: &str) -> Result<(), UnfitSecret> {
        let fits = match self {
            Self::Token => secret.bytes().all(|byte| byte.is_ascii_graphic()),
            Self::Password => !secret.chars().any(char::is_control),
        };
        match secret {
            "" => Err(UnfitSecret::Empty),
            _ if secret.len() > MAX_BYTES => Err(UnfitSecret::TooLong),
            _ if fits => Ok(()),
            _ if self == Self::Password => Err(UnfitSecret::Lines),
            _ => Err(UnfitSecret::Characters),
        }
    }
}

/// Why a secret cannot be used; no path and nothing of the secret is in the words.
#[derive(Debug, Error)]
pub enum UnfitSecret {
    #[error("there is no such file")]
    Missing,
    #[error("it names no ordinary file")]
    NoFile,
    #[error("others may read the secret's file")]
    Open,
    #[error("the file holds something else than text")]
    NoText,
    #[error("the file cannot be read ({0})")]
    Unreadable(io::ErrorKind),
    #[error("the secret is empty")]
    Empty,
    #[error("the secret is longer than 8 KiB")]
    TooLong,
    #[error(
        "the secret has spaces, line breaks or characters beyond ASCII in it, which a bearer token cannot have"
    )]
    Characters,
    #[error("the secret has line breaks or other control characters in it")]
    Lines,
}

impl From<io::Error> for UnfitSecret {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::InvalidData => Self::NoText,
            kind => Self::Unreadable(kind),
        }
    }
}

/// A file with one secret in it. Clones share what was read.
#[derive(Clone)]
pub struct SecretFile(Arc<Inner>);

struct Inner {
    path: PathBuf,
    kind: SecretKind,
    /// The permissions that it must not have.
    closed_to: u32,
    held: Mutex<Held>,
}

struct Held {
    used: SecretString,
    given: SecretString,
    stamp: Option<Stamp>,
    looked_at: Option<Timestamp>,
}

impl SecretFile {
    /// Reads a secret for the first time.
    ///
    /// # Errors
    /// Where there is no such file, others may read it, or what it holds is no secret of that kind.
    pub fn open(path: PathBuf, kind: SecretKind) -> Result<Self, UnfitSecret> {
        Self::open_closed_to(ALL_BUT_OWNER, path, kind)
    }

    /// As [`open`](Self::open), for one that the service manager put into its folder for this process.
    ///
    /// # Errors
    /// As there.
    pub fn credential(path: PathBuf, kind: SecretKind) -> Result<Self, UnfitSecret> {
        Self::open_closed_to(OTHERS, path, kind)
    }

    fn open_closed_to(closed_to: u32, path: PathBuf, kind: SecretKind) -> Result<Self, UnfitSecret> {
        let (secret, stamp) = read(&path, kind, closed_to)?;
        let held = Held { used: secret.clone(), given: secret, stamp: Some(stamp), looked_at: None };
        Ok(Self(Arc::new(Inner { path, kind, closed_to, held: held.into() })))
    }

    /// As it was last read and found good.
    pub fn secret(&self) -> SecretString {
        self.held().given.clone()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads it again where it has changed; whether what it gives is another secret than the one in use. A file that
    /// is wrong leaves everything as it is, and is told of once.
    fn look(&self, now: Timestamp) -> bool {
        let mut held = self.held();
        let is_soon = |at: Timestamp| now.since(at).max(at.since(now)) < LOOK_GAP;
        if !held.looked_at.is_some_and(is_soon) {
            held.looked_at = Some(now);
            self.look_again(&mut held);
        }
        held.used.expose_secret() != held.given.expose_secret()
    }

    fn look_again(&self, held: &mut Held) {
        let stamp = Stamp::at(&self.0.path);
        if stamp == held.stamp {
            return;
        }
        held.stamp = stamp;
        match read(&self.0.path, self.0.kind, self.0.closed_to) {
            Ok((secret, stamp)) => (held.given, held.stamp) = (secret, Some(stamp)),
            Err(why) => {
                let file = self.0.path.display();
                tracing::warn!(%file, %why, "a secret's file has changed and cannot be used; the old secret stays");
            }
        }
    }
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretFile([redacted])")
    }
}

fn read(path: &Path, kind: SecretKind, closed_to: u32) -> Result<(SecretString, Stamp), UnfitSecret> {
    let mut file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(UnfitSecret::NoFile);
    }
    if metadata.permissions().mode() & closed_to != 0 {
        return Err(UnfitSecret::Open);
    }
    let mut content = String::new();
    file.by_ref().take(MAX_BYTES as u64 + 3).read_to_string(&mut content)?;
    let secret = content.trim_end_matches(['\r', '\n']);
    kind.check(secret)?;
    Ok((SecretString::from(secret), Stamp::of(&metadata)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    struct Lab {
        dir: tempfile::TempDir,
        now: Timestamp,
    }

    impl Lab {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap(), now: NOW }
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("token")
        }

        /// As an editor does: a new file in the old one's place.
        fn put(&self, secret: &str, mode: u32) {
            let new = self.dir.path().join("new");
            fs::write(&new, secret).unwrap();
            fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
            fs::rename(&new, self.path()).unwrap();
        }

        fn open(&self) -> Source {
            Source::File(SecretFile::open(self.path(), SecretKind::Token).unwrap())
        }

        /// A look a minute later.
        fn look(&mut self, source: &Source) -> bool {
            self.now = self.now.plus(Duration::from_secs(60));
            source.look(self.now)
        }
    }

    #[test]
    fn a_new_secret_in_the_file_is_seen_and_used_once_it_is_taken_up() {
        let mut lab = Lab::new();
        lab.put("first\n", 0o600);
        let source = lab.open();
        assert!(!lab.look(&source));
        lab.put("second\r\n", 0o600);
        assert!(lab.look(&source));
        assert_eq!((source.current().expose_secret(), source.given().expose_secret()), ("first", "second"));
        source.take_up();
        assert_eq!(source.current().expose_secret(), "second");
        assert!(!lab.look(&source));
    }

    #[test]
    fn a_file_that_became_wrong_leaves_the_old_secret() {
        let mut lab = Lab::new();
        lab.put("first", 0o600);
        let source = lab.open();
        for (secret, mode) in [("second", 0o640), ("", 0o600), ("two words", 0o600)] {
            lab.put(secret, mode);
            assert!(!lab.look(&source), "{secret}");
        }
        fs::remove_file(lab.path()).unwrap();
        assert!(!lab.look(&source));
        lab.put("second", 0o400);
        assert!(lab.look(&source));
    }

    #[test]
    fn a_credential_of_the_service_manager_may_be_its_groups_and_nobody_elses() {
        let lab = Lab::new();
        lab.put("first", 0o440);
        assert!(matches!(SecretFile::open(lab.path(), SecretKind::Token), Err(UnfitSecret::Open)));
        assert!(SecretFile::credential(lab.path(), SecretKind::Token).is_ok());
        lab.put("first", 0o444);
        assert!(matches!(SecretFile::credential(lab.path(), SecretKind::Token), Err(UnfitSecret::Open)));
    }

    #[test]
    fn a_file_is_looked_at_once_a_second_unless_it_is_doubted() {
        let lab = Lab::new();
        lab.put("first", 0o600);
        let source = lab.open();
        assert!(!source.look(NOW));
        lab.put("second", 0o600);
        assert!(!source.look(NOW.plus(Duration::from_millis(900))));
        source.doubt();
        assert!(source.look(NOW.plus(Duration::from_millis(900))));
    }

    #[test]
    fn a_password_may_have_spaces_and_a_token_may_not() {
        assert!(SecretKind::Password.check("correct horse ü").is_ok());
        assert!(SecretKind::Password.check("two\nlines").is_err());
        assert!(matches!(SecretKind::Token.check("two words"), Err(UnfitSecret::Characters)));
    }
}
