//! Writes what a probe learned as a file of presets, into one that may be there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use crate::{
    app::probe::Report,
    cli::{Exit, Failure},
    config::ProviderSettings,
    model::Timestamp,
    presets::{GENERIC, Preset, Presets},
};

const HEAD: &str =
    "# Presets of this house, laid over the built-in ones; name this file under `presets_file`.\n";

type Written = Map<String, Value>;

/// A file of presets, as it is before anything is written.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    written: Written,
}

impl File {
    /// # Errors
    /// Where something is there that is no file of presets.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let refuse = |what: String| Failure::new(Exit::Usage, format!("error: {}: {what}", path.display()));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(refuse(format!("cannot be read ({})", error.kind()))),
        };
        if text.trim().is_empty() {
            return Ok(Self { path: path.to_owned(), written: Map::new() });
        }
        if let Err(wrongs) = Presets::built_in().with(&text) {
            let first =
                wrongs.first().map_or_else(String::new, |wrong| format!("{} {}", wrong.path, wrong.what));
            return Err(refuse(format!("is no file of presets, and is left alone:{first}")));
        }
        let written = serde_saphyr::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        Ok(Self { path: path.to_owned(), written })
    }

    /// Lays what was learned over what is there; says what was written, and what to do with it.
    ///
    /// # Errors
    /// Where the file cannot be written; it is as it was before then.
    pub(super) fn write(
        mut self,
        entry: &ProviderSettings,
        report: &Report,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let name = name(entry);
        let below = self.written.remove(&name).and_then(|value| value.as_object().cloned());
        let mut preset = below.unwrap_or_else(|| start(entry, &name));
        lay(&mut preset, report.learned.clone());
        let day = now.to_string()[..10].to_owned();
        preset.insert("source".to_owned(), json!(sources(&entry.preset, &day)));
        preset.insert("as_of".to_owned(), json!(day));
        self.written.insert(name.clone(), Value::Object(preset));
        self.save()?;
        let path = self.path.display();
        Ok(format!(
            "wrote {path}: say `presets_file: {path}` in the configuration, and `preset: {name}` in the entry"
        ))
    }

    fn save(&self) -> Result<(), Failure> {
        let fail = |why: String| {
            Failure::new(Exit::Failed, format!("error: cannot write {}: {why}", self.path.display()))
        };
        let yaml = serde_saphyr::to_string(&self.written).map_err(|error| fail(error.to_string()))?;
        let text = format!("{HEAD}{yaml}");
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Whole or not at all: a gateway may read it at any time.
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .map_err(|error| fail(error.to_string()))?;
        io::Write::write_all(&mut file, text.as_bytes()).map_err(|error| fail(error.to_string()))?;
        file.persist(&self.path).map_err(|error| fail(error.error.to_string()))?;
        Ok(())
    }
}

/// What is learned of one server is not true of every server: a preset of its own is made for it.
fn name(entry: &ProviderSettings) -> String {
    let preset = &entry.preset.name;
    if preset != GENERIC {
        return preset.clone();
    }
    let taken = Presets::built_in().find(&entry.name).is_some();
    if taken { format!("my-{}", entry.name) } else { entry.name.clone() }
}

/// What a preset that is not there yet starts from.
fn start(entry: &ProviderSettings, name: &str) -> Written {
    let mut preset = Map::new();
    if name != entry.preset.name {
        preset.insert("title".to_owned(), json!(format!("{} at {}", entry.name, entry.endpoint)));
        preset.insert("auth".to_owned(), json!(entry.preset.auth));
    }
    preset
}

fn sources(preset: &Preset, day: &str) -> Vec<String> {
    let before = preset.source.iter().filter(|source| !source.starts_with("probed ")).cloned();
    [format!("probed by pinfold provider probe on {day}")].into_iter().chain(before).collect()
}

fn lay(below: &mut Written, over: Written) {
    for (key, value) in over {
        match (below.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(over)) => lay(below, over),
            (_, value) => drop(below.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests;
