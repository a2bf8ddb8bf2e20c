//! How often a provider is audited, and how: `audit: { every: 7d, by: auto }` or `audit: off`.

use std::time::Duration;

use super::reader::{Keys, Reader, Section, Text, Wrong};
use super::value::{one_of, span};
use super::yaml::Value;
use crate::model::{Audit, AuditBy};
use crate::presets::Preset;

const AUDIT: Keys = Keys { known: &["every", "by"], later: &[] };
const HELP: &str = "write audit: { every: 7d, by: auto }, or audit: off";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Between two audits of one provider, unless it is said otherwise.
const EVERY: Duration = Duration::from_secs(7 * 24 * 3600);

/// `None`: it is audited only when an operator says so.
pub(super) fn read(reader: &mut Reader<'_>, provider: &Section<'_>, preset: &Preset) -> Option<Audit> {
    if let Some(field) = provider.get("audit")
        && !matches!(field.value, Value::Map(_))
    {
        let text = reader.text(field)?;
        reader.parse(&text, off);
        return None;
    }
    let section = reader.section(provider, "audit", AUDIT);
    let every = reader.optional(&section, "every");
    let every = reader.parse_or(every, EVERY, at_least_1h);
    let by = reader.optional(&section, "by");
    let asked = reader.parse_or(by.clone(), AuditBy::Auto, by_word);
    if asked == AuditBy::Sweep && !preset.can_be_swept() {
        refuse_sweep(reader, &section, by.as_ref(), preset);
    }
    // What no list tells is looked at.
    let by = if preset.can_be_swept() { asked } else { AuditBy::Look };
    Some(Audit { every, by })
}

fn off(text: &str) -> Result<(), Wrong> {
    // YAML of old reads `off` as `false`.
    if matches!(text, "off" | "false") {
        Ok(())
    } else {
        Err(Wrong::new("not how a provider is audited", HELP))
    }
}

fn at_least_1h(text: &str) -> Result<Duration, Wrong> {
    let value = span(DAY * 3650)(text)?;
    if value < HOUR { Err(Wrong::new("too often", "write at least 1h")) } else { Ok(value) }
}

fn by_word(text: &str) -> Result<AuditBy, Wrong> {
    match text {
        "auto" => Ok(AuditBy::Auto),
        "sweep" => Ok(AuditBy::Sweep),
        "look" => Ok(AuditBy::Look),
        _ => Err(one_of("no way to audit", text, ["auto", "sweep", "look"].into_iter())),
    }
}

fn refuse_sweep(reader: &mut Reader<'_>, section: &Section<'_>, by: Option<&Text>, preset: &Preset) {
    let spot = by.and_then(|by| by.spot.clone());
    let what = format!("the lists of {} cannot be swept", preset.title);
    reader.wrong(section.path_of("by"), spot, what, "write by: auto, or by: look");
}
