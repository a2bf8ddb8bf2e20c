//! Secrets by value, file or environment: exactly one of them, and never quoted.

use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use uuid::Uuid;

use super::Unread;
use super::environment::Environment;
use super::problem::Problem;
use super::reader::{Reader, Section, Seen, Text, Wrong};
use crate::providers::{SecretFile, SecretKind, Source, UnfitSecret};

/// What a secret that cannot be had is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrets {
    /// A mistake.
    Needed,
    /// No matter: something else stands in its place, and what was wrong is told apart.
    Spared,
}

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
        reader.is_secret = true;
        fixed(&text.text, sources.kind)
    } else if key == sources.env {
        reader.named.insert(text.text.clone());
        let environment = reader.environment;
        from_environment(environment, &text.text, sources.kind)
    } else {
        let path = locate(reader.environment, reader.folder, &text.text);
        reader.files.push(Seen::now(&path));
        reader.secret_files.push(path.clone());
        let is_credential = is_credential(reader.environment, &path);
        from_file(path, sources.kind, is_credential)
    };
    match secret {
        Ok(secret) => Some(Given::Secret(secret)),
        Err(Unusable { wrong, is_hidden }) => {
            let spared =
                put_aside(reader, Problem::new(text.path, text.spot, wrong.what).help(wrong.help), is_hidden);
            spared.then(|| Given::Secret(nobodys()))
        }
    }
}

/// Reports what is wrong with a secret: as a mistake, unless they are spared. Returns whether they are.
pub(super) fn put_aside(reader: &mut Reader<'_>, problem: Problem, is_hidden: bool) -> bool {
    match reader.secrets {
        Secrets::Needed => reader.problems.push(problem),
        Secrets::Spared => reader.unread.push(Unread { problem, is_hidden }),
    }
    reader.secrets == Secrets::Spared
}

/// A secret that cannot be had or be used.
struct Unusable {
    wrong: Wrong,
    /// Another user, or one with another environment, may have it.
    is_hidden: bool,
}

/// Stands for one that is spared: differs from all others, and is told to nobody.
fn nobodys() -> Source {
    let secret = [Uuid::new_v4(), Uuid::new_v4()].map(|part| part.simple().to_string()).concat();
    Source::Fixed(SecretString::from(secret))
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
fn from_environment(environment: &Environment, name: &str, kind: SecretKind) -> Result<Source, Unusable> {
    let value = environment.get(name).ok_or_else(|| {
        let what = "the environment variable that it names is not set";
        Unusable { wrong: Wrong::new(what, "set it, or correct its name"), is_hidden: true }
    })?;
    fixed(value, kind)
}

fn fixed(secret: &str, kind: SecretKind) -> Result<Source, Unusable> {
    match kind.check(secret) {
        Ok(()) => Ok(Source::Fixed(SecretString::from(secret))),
        Err(why) => Err(unusable(&why, None)),
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
fn from_file(path: PathBuf, kind: SecretKind, is_credential: bool) -> Result<Source, Unusable> {
    let open = if is_credential { SecretFile::credential } else { SecretFile::open };
    open(path.clone(), kind).map(Source::File).map_err(|why| unusable(&why, Some(&path)))
}

fn unusable(why: &UnfitSecret, path: Option<&Path>) -> Unusable {
    let is_hidden = matches!(why, UnfitSecret::Unreadable(io::ErrorKind::PermissionDenied));
    Unusable { wrong: wrong(why, path), is_hidden }
}

/// What to write instead.
fn wrong(why: &UnfitSecret, path: Option<&Path>) -> Wrong {
    use UnfitSecret::*;
    let help = match (why, path) {
        (Open, Some(path)) => format!("run: chmod 600 {}", path.display()),
        (Unreadable(io::ErrorKind::PermissionDenied), _) => {
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
