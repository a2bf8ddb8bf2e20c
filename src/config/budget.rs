//! The calls that a provider allows: its preset's limits, unless the entry has others.

use std::collections::HashMap;

use super::problem::Problem;
use super::reader::{Keys, Reader, Section, Wrong};
use super::settings::BudgetDecl;
use super::value::{name, number};
use crate::model::{BudgetClass, Rate, Rates};
use crate::presets::Preset;

const BUDGET: Keys =
    Keys { known: &["list", "read", "write", "any", "concurrency", "max_queued", "group"], later: &[] };

/// A look by both spellings of a CID and the call after it must fit into one window, less the one call that is left
/// unused.
const LEAST: u32 = 4;

/// Budgets that several entries share, by the path of the first and its limits.
#[derive(Default)]
pub(super) struct Groups(HashMap<String, (String, Rates)>);

pub(super) fn read(
    reader: &mut Reader<'_>,
    provider: &Section<'_>,
    preset: &Preset,
    groups: &mut Groups,
) -> BudgetDecl {
    let section = reader.section(provider, "budget", BUDGET);
    let mut rates = preset.limits.rates();
    for class in BudgetClass::ALL.iter().copied() {
        let text = reader.optional(&section, class.as_str());
        rates[class] = reader.parse_or(text, rates[class], limit);
    }
    let concurrency = reader.optional(&section, "concurrency");
    let concurrency = reader.parse_or(concurrency, preset.concurrency(), number(1, 1000));
    let max_queued = reader.optional(&section, "max_queued");
    let max_queued = reader.parse_or(max_queued, preset.max_queued, places);
    let group = group(reader, &section, rates, groups);
    BudgetDecl { rates, concurrency, max_queued, group }
}

fn group(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    rates: Rates,
    groups: &mut Groups,
) -> Option<String> {
    let text = reader.optional(section, "group")?;
    let name = reader.parse(&text, name)?;
    let (first, others) = groups.0.entry(name.clone()).or_insert_with(|| (section.path.clone(), rates));
    if *others != rates {
        let what = format!("{first} has other limits, and is in the group `{name}`, too");
        let help = "write the same list, read, write and any in both: a group has one budget";
        reader.problems.push(Problem::new(text.path, text.spot, what).help(help));
        return None;
    }
    Some(name)
}

fn limit(text: &str) -> Result<Option<Rate>, Wrong> {
    if is_none(text) {
        return Ok(None);
    }
    let rate: Rate = text.parse().map_err(|_| {
        Wrong::new("no limit of calls", "write calls and a time such as 30/min or 100/s, or none")
    })?;
    if rate.calls < LEAST {
        let help = format!("write {LEAST} or more, in a longer time where need be, such as {LEAST}/h");
        return Err(Wrong::new("too few calls for a look and what follows from it", help));
    }
    Ok(Some(rate))
}

fn places(text: &str) -> Result<Option<u32>, Wrong> {
    if is_none(text) { Ok(None) } else { number(1, u32::MAX)(text).map(Some) }
}

fn is_none(text: &str) -> bool {
    matches!(text, "none" | "unlimited")
}
