//! Secrets by value, file or environment: exactly one of them, and never quoted.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::environment::Environment;
use super::reader::{Reader, Section, Text, Wrong};

/// The keys that a secret may stand under.
#[derive(Clone, Copy)]
pub(super) struct Sources {
    pub value: &'static str,
    pub file: &'static str,
    pub env: &'static str,
    /// For what needs no secret but its hash.
    pub hash: Option<&'static str>,
}

/// What a configuration gives for a secret.
pub(super) enum Given {
    Secret(SecretString),
    Hash(Text),
}

/// No secret is longer: a longer file is some other file.
const MAX_BYTES: usize = 8 * 1024;

impl Sources {
    fn all(self) -> impl Iterator<Item = &'static str> {
        [self.value, self.file, self.env].into_iter().chain(self.hash)
    }
}

/// Reads the one secret of a section, or reports why there is none.
pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>, sources: Sources) -> Option<Given> {
    let given: Vec<_> = sources.all().filter_map(|key| Some((key, section.get(key)?))).collect();
    let keys = || sources.all().collect::<Vec<_>>().join(", ");
    let (key, field) = match given.len() {
        0 => {
            let help = format!("write one of {}", keys());
            reader.wrong(&section.path, section.spot.clone(), "has no secret", help);
            return None;
        }
        1 => given.into_iter().next()?,
        _ => {
            let found: Vec<_> = given.iter().map(|(key, _)| *key).collect();
            let what = format!("has {}", found.join(" and "));
            let spot = given.into_iter().next_back().and_then(|(_, field)| field.spot);
            reader.wrong(&section.path, spot, what, format!("keep exactly one of {}", keys()));
            return None;
        }
    };
    let text = reader.text(field)?;
    if Some(key) == sources.hash {
        return Some(Given::Hash(text));
    }
    let secret = if key == sources.value {
        reader.parse(&text, usable)
    } else if key == sources.env {
        reader.named.insert(text.text.clone());
        let environment = reader.environment;
        reader.parse(&text, |name| from_environment(environment, name))
    } else {
        let (environment, folder) = (reader.environment, reader.folder);
        reader.parse(&text, |path| from_file(&locate(environment, folder, path)))
    };
    secret.map(Given::Secret)
}

/// The variable's name is not quoted: who mixes the keys up writes the secret there.
fn from_environment(environment: &Environment, name: &str) -> Result<SecretString, Wrong> {
    let value = environment.get(name).ok_or_else(|| {
        Wrong::new("the environment variable that it names is not set", "set it, or correct its name")
    })?;
    usable(value)
}

/// Relative paths name a credential of the service manager if there is such a file, else one beside the config.
fn locate(environment: &Environment, folder: &Path, path: &str) -> PathBuf {
    let credential = environment.credentials_directory().map(|directory| directory.join(path));
    credential.filter(|file| file.is_file()).unwrap_or_else(|| folder.join(path))
}

/// Like a variable's name, the path is quoted only where there is such a file.
fn from_file(path: &Path) -> Result<SecretString, Wrong> {
    let mut file = fs::File::open(path).map_err(|error| unreadable(&error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(Wrong::new("it names no ordinary file", "name the file that holds the secret"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        let help = format!("run: chmod 600 {}", path.display());
        return Err(Wrong::new("others may read the secret's file", help));
    }
    let mut content = String::new();
    let limit = MAX_BYTES as u64 + 1;
    file.by_ref().take(limit).read_to_string(&mut content).map_err(|error| unreadable(&error))?;
    usable(content.trim_end_matches(['\r', '\n']))
}

fn unreadable(error: &io::Error) -> Wrong {
    let what = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::InvalidData => "the file holds something else than text".to_owned(),
        kind => format!("the file cannot be read ({kind})"),
    };
    Wrong::new(what, "name a file with the secret in it, relative to this file's folder or from the root")
}

/// A secret must fit into an HTTP header.
fn usable(secret: &str) -> Result<SecretString, Wrong> {
    let wrong = |what, help| Err(Wrong::new(what, help));
    if secret.is_empty() {
        return wrong("the secret is empty", "give it a value: nobody is let in by nothing");
    }
    if secret.len() > MAX_BYTES {
        return wrong("the secret is longer than 8 KiB", "check that this is the right file or variable");
    }
    if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong(
            "the secret has spaces, line breaks or characters beyond ASCII in it, which a bearer token cannot have",
            "write the bare token",
        );
    }
    Ok(SecretString::from(secret))
}
