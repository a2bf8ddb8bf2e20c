//! The presets that provider entries may name: the built-in ones with the user's own file over them.

use std::fs;
use std::path::PathBuf;

use super::reader::{Reader, Section, Seen, Text};
use crate::presets::Presets;

/// The presets, and the file that some of them are from.
pub(super) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> (Presets, Option<PathBuf>) {
    let built_in = Presets::built_in().clone();
    let Some(text) = reader.optional(root, "presets_file") else { return (built_in, None) };
    let path = reader.folder.join(&text.text);
    reader.files.push(Seen::now(&path));
    match fs::read_to_string(&path) {
        Ok(yaml) => (over(reader, &text, &built_in, &yaml), Some(path)),
        Err(error) => {
            let what = format!("the file cannot be read ({})", error.kind());
            let help = "name a file of presets, relative to this file's folder";
            reader.wrong(&text.path, text.spot, what, help);
            (built_in, None)
        }
    }
}

fn over(reader: &mut Reader<'_>, text: &Text, built_in: &Presets, yaml: &str) -> Presets {
    const HELP: &str = "correct it there; `pinfold provider presets NAME` shows what a preset says";
    built_in.with(yaml).unwrap_or_else(|wrongs| {
        for wrong in wrongs {
            let colon = if wrong.path.is_empty() { "" } else { ": " };
            let what = format!("{}{colon}{}: {}", text.text, wrong.path, wrong.what);
            reader.wrong(&text.path, text.spot.clone(), what, HELP);
        }
        built_in.clone()
    })
}
