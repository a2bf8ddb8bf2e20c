//! What is declared of a provider for placement to weigh.

use std::{collections::BTreeMap, time::Duration};

use super::audits;
use super::reader::{Reader, Section, Wrong};
use super::value::{lasting, name, number};
use crate::model::{Codec, Cost, Facts, Weight};
use crate::presets::Preset;

const TAGS_HELP: &str = "write tags: { region: eu, operator: example }";
const CODECS_HELP: &str = "write a list of codecs, such as [ raw, dag-pb ]";
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>, preset: &Preset) -> Facts {
    let weight = reader.optional(section, "weight");
    let weight = reader.parse_or(weight, Weight::MIN, number(Weight::MIN, Weight::MAX));
    let cost = reader.optional(section, "cost");
    let max_pins = reader.optional(section, "max_pins");
    let retention = reader.optional(section, "retention");
    let dead = reader.optional(section, "declare_dead_after");
    Facts {
        weight: Weight::new(weight).unwrap_or_default(),
        tags: tags(reader, section),
        cost: cost.and_then(|text| reader.parse(&text, price)),
        max_pins: max_pins.and_then(|text| reader.parse(&text, places)),
        codecs: codecs(reader, section).or_else(|| known_codecs(preset)),
        retention: retention.and_then(|text| reader.parse(&text, lasting(DAY * 36_500))),
        declare_dead_after: dead.and_then(|text| reader.parse(&text, lasting(DAY * 36_500))),
        audit: audits::read(reader, section, preset),
        proof: None,
    }
}

fn tags(reader: &mut Reader<'_>, section: &Section<'_>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    let below = reader.open_any(section, "tags", TAGS_HELP);
    for tag in below.keys() {
        if let Err(Wrong { what, help }) = name(tag) {
            reader.wrong(below.path_of(tag), below.spot.clone(), what, help);
        }
        let value = reader.optional(&below, tag).and_then(|text| reader.parse(&text, name));
        tags.extend(value.map(|value| (tag.to_owned(), value)));
    }
    tags
}

fn price(text: &str) -> Result<Cost, Wrong> {
    text.parse().ok().and_then(Cost::new).ok_or_else(|| {
        Wrong::new("not a price", "write a number from 0 on, in any unit that is the same for all providers")
    })
}

fn places(text: &str) -> Result<u64, Wrong> {
    number(1, u64::MAX >> 1)(text).map_err(|wrong| match text {
        "0" => Wrong::new(
            "would take no pin at all",
            "write a larger number; to send nothing new there, take it off the policies or run `pinfold provider readonly`",
        ),
        _ => wrong,
    })
}

fn codecs(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Vec<Codec>> {
    if let Some(field) = section.get("codecs").filter(|field| field.value.is_empty()) {
        let help = "write a list of codecs, such as [ raw, dag-pb ], or remove the key";
        reader.wrong(field.path, field.spot, "names no codec, so that no pin would fit", help);
        return None;
    }
    let words = reader.words(section, "codecs", CODECS_HELP)?;
    Some(words.iter().filter_map(|text| reader.parse(text, codec)).collect())
}

/// A codec by its name or number.
pub(super) fn codec(text: &str) -> Result<Codec, Wrong> {
    text.parse().map_err(|_| super::value::one_of("no codec that is known here", text, Codec::names()))
}

fn known_codecs(preset: &Preset) -> Option<Vec<Codec>> {
    // Holds: a test reads every preset's codecs.
    preset.codecs.as_ref().map(|codecs| codecs.iter().filter_map(|codec| codec.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use crate::presets::Presets;

    #[test]
    fn the_codecs_of_all_presets_are_known() {
        for name in Presets::built_in().names() {
            let preset = Presets::known(name);
            let known = super::known_codecs(&preset);
            assert_eq!(known.map(|known| known.len()), preset.codecs.as_ref().map(Vec::len), "{name}");
        }
    }
}
