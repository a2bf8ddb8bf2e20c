//! Secrets by value, file or environment: exactly one of them, and never quoted.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::environment::Environment;
use super::reader::{Reader, Section, Seen, Text, Wrong};
use crate::providers::{SecretFile, SecretKind, Source, UnfitSecret};

/// The keys that a secret may stand under.
#[derive(Clone, Copy)]
pub(super) struct Sources {
    pub value: &'static str,
    pub file: &'static str,
    pub env: &'static str,
    /// For what needs no secret but its hash.
    pub hash: Option<&'static str>,
    pub kind: SecretKind,
}

/// What a configuration gives for a secret.
pub(super) enum Given {
    Secret(Source),
    Hash(Text),
}

impl Sources {
    fn all(self) -> impl Iterator<Item = &'static str> {
        [self.value, self.file, self.env].into_iter().chain(self.hash)
    }

    /// Whether a section has any of them.
    pub fn are_in(self, section: &Section<'_>) -> bool {
        self.all().any(|key| section.get(key).is_some())
    }

    /// The keys as words.
    pub fn keys(self) -> String {
        self.all().collect::<Vec<_>>().join(", ")
    }
}

/// Reads the one secret of a section, or reports why there is none.
pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>, sources: Sources) -> Option<Given> {
    let given: Vec<_> = sources.all().filter_map(|key| Some((key, section.get(key)?))).collect();
    let (key, field) = match given.len() {
        0 => {
            let help = format!("write one of {}", sources.keys());
            reader.wrong(&section.path, section.spot.clone(), "has no secret", help);
            return None;
        }
        1 => given.into_iter().next()?,
        _ => {
            let found: Vec<_> = given.iter().map(|(key, _)| *key).collect();
            let what = format!("has {}", found.join(" and "));
            let spot = given.into_iter().next_back().and_then(|(_, field)| field.spot);
            reader.wrong(&section.path, spot, what, format!("keep exactly one of {}", sources.keys()));
            return None;
        }
    };
    let text = reader.text(field)?;
    if Some(key) == sources.hash {
        return Some(Given::Hash(text));
    }
    let secret = if key == sources.value {
        reader.places.inside = true;
        reader.parse(&text, |secret| fixed(secret, sources.kind))
    } else if key == sources.env {
        reader.named.insert(text.text.clone());
        let environment = reader.environment;
        reader.parse(&text, |name| from_environment(environment, name, sources.kind))
    } else {
        let path = locate(reader.environment, reader.folder, &text.text);
        reader.files.push(Seen::now(&path));
        reader.places.files.push(path.clone());
        let is_credential = is_credential(reader.environment, &path);
        reader.parse(&text, |_| from_file(path, sources.kind, is_credential))
    };
    secret.map(Given::Secret)
}

/// [`read`] for what has no hash. A file that can be used is followed where it is used.
pub(super) fn source(reader: &mut Reader<'_>, section: &Section<'_>, sources: Sources) -> Option<Source> {
    let before = reader.files.len();
    match read(reader, section, sources)? {
        Given::Secret(source) => {
            reader.files.truncate(before);
            Some(source)
        }
        Given::Hash(_) => None,
    }
}

/// The variable's name is not quoted: who mixes the keys up writes the secret there.
fn from_environment(environment: &Environment, name: &str, kind: SecretKind) -> Result<Source, Wrong> {
    let value = environment.get(name).ok_or_else(|| {
        Wrong::new("the environment variable that it names is not set", "set it, or correct its name")
    })?;
    fixed(value, kind)
}

fn fixed(secret: &str, kind: SecretKind) -> Result<Source, Wrong> {
    match kind.check(secret) {
        Ok(()) => Ok(Source::Fixed(SecretString::from(secret))),
        Err(why) => Err(wrong(&why, None)),
    }
}

/// Relative paths name a credential of the service manager if there is such a file, else one beside the config. In
/// credentials' names systemd puts `_` where the path had `/` (`LoadCredential=secrets:/etc/pinfold/secrets`).
pub(super) fn locate(environment: &Environment, folder: &Path, path: &str) -> PathBuf {
    let directory = environment.credentials_directory().filter(|_| Path::new(path).is_relative());
    let credential = directory.map(|directory| directory.join(path.replace('/', "_")));
    credential.filter(|file| file.is_file()).unwrap_or_else(|| folder.join(path))
}

/// Whether it lies in the service manager's folder.
fn is_credential(environment: &Environment, path: &Path) -> bool {
    environment.credentials_directory().is_some_and(|directory| path.starts_with(directory))
}

/// Like a variable's name, the path is quoted only where there is such a file.
fn from_file(path: PathBuf, kind: SecretKind, is_credential: bool) -> Result<Source, Wrong> {
    let open = if is_credential { SecretFile::credential } else { SecretFile::open };
    open(path.clone(), kind).map(Source::File).map_err(|why| wrong(&why, Some(&path)))
}

/// What to write instead.
fn wrong(why: &UnfitSecret, path: Option<&Path>) -> Wrong {
    use UnfitSecret::*;
    let help = match (why, path) {
        (Open, Some(path)) => format!("run: chmod 600 {}", path.display()),
        (Unreadable(ErrorKind::PermissionDenied), _) => {
            "let the user that Pinfold runs as read it".to_owned()
        }
        (Missing | Open | NoText | Unreadable(_), _) => {
            "name a file with the secret in it, relative to this file's folder or from the root".to_owned()
        }
        (NoFile, _) => "name the file that holds the secret".to_owned(),
        (Empty, _) => "give it a value: nobody is let in by nothing".to_owned(),
        (TooLong, _) => "check that this is the right file or variable".to_owned(),
        (Characters, _) => "write the bare token".to_owned(),
        (Lines, _) => "write it on one line".to_owned(),
    };
    Wrong::new(why.to_string(), help)
}
