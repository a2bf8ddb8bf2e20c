//! The upstream pinning services.

use std::time::Duration;

use super::accounts::Names;
use super::budget::{self, Groups};
use super::credential::{self, Credentials};
use super::facts;
use super::problem::Problem;
use super::proofs;
use super::reader::{Keys, Reader, Section, Text, Wrong};
use super::settings::ProviderSettings;
use super::upstream::Upstream;
use super::value::{boolean, endpoint, name, preset, span};
use crate::presets::{GENERIC, Preset, Presets};

const PROVIDER: Keys = Keys {
    known: &[
        "name",
        "preset",
        "endpoint",
        "token",
        "token_file",
        "token_env",
        "login",
        "auth",
        "account",
        "exclusive",
        "budget",
        "timeouts",
        "proxy",
        "ca_file",
        "weight",
        "tags",
        "cost",
        "max_pins",
        "codecs",
        "retention",
        "declare_dead_after",
        "audit",
        "gateway",
        "proof",
    ],
    later: &["limits", "quota"],
};
const TIMEOUTS: Keys = Keys { known: &["deadline", "settle"], later: &[] };

const PROVIDERS_HELP: &str =
    "write providers: [ { name: alpha, endpoint: \"https://psa.example.com\", token_env: ALPHA_TOKEN } ]";

/// The entries of the file, the faulty ones too, so that what names them can be looked at all the same.
#[derive(Default)]
pub(super) struct Entries {
    /// Those without a fault.
    pub good: Vec<ProviderSettings>,
    /// The names of all, in their order.
    pub names: Vec<String>,
    /// Whether some entry has no name that can be used, so that a missing name proves nothing.
    pub nameless: bool,
}

pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    presets: &Presets,
    upstream: &Upstream,
) -> Entries {
    let mut entries = Entries::default();
    let mut names = Names::default();
    let mut credentials = Credentials::default();
    let mut groups = Groups::default();
    let fields = reader.list(root, "providers", PROVIDERS_HELP);
    if fields.is_empty() {
        reader.wrong("providers", None, "no provider is given", PROVIDERS_HELP);
        entries.nameless = true;
    }
    for field in fields {
        let section = reader.open(field, PROVIDER);
        let (before, name) = (reader.problems.len(), names.take(reader, &section));
        entries.nameless |= name.is_none();
        entries.names.extend(name.clone());
        let entry = provider(reader, &section, name, presets, upstream, &mut credentials, &mut groups);
        entries.good.extend(entry.filter(|_| reader.problems.len() == before));
    }
    entries
}

fn provider(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    taken: Option<String>,
    presets: &Presets,
    upstream: &Upstream,
    credentials: &mut Credentials,
    groups: &mut Groups,
) -> Option<ProviderSettings> {
    let kind = reader.optional(section, "preset");
    let preset = reader.parse_or(kind.clone(), Presets::known(GENERIC), preset(presets));
    let endpoint = address(reader, section, kind.as_ref(), &preset);
    let credential = credential::read(reader, section, &preset);
    let account = reader.optional(section, "account");
    let account = account.and_then(|text| reader.parse(&text, name));
    let exclusive = reader.optional(section, "exclusive");
    let exclusive = reader.parse_or(exclusive, false, boolean);
    if exclusive && preset.shares_pins() {
        warn_of_shared_pins(reader, section, &preset);
    }
    let mut facts = facts::read(reader, section, &preset);
    let budget = budget::read(reader, section, &preset, groups);
    let (deadline, settle) = timeouts(reader, section, &preset);
    let way = upstream.way(reader, section, endpoint.as_deref());
    let (gateway, sampling) = proofs::read(reader, section, upstream, &way);
    facts.proof = sampling;
    if let (Some(endpoint), Some(credential)) = (&endpoint, &credential) {
        let told = || credential.account(preset.token_form);
        let account = account.clone().or_else(told);
        credentials.check(reader, section, (endpoint, credential), account);
    }
    let (name, endpoint, credential) = (taken?, endpoint?, credential?);
    Some(ProviderSettings {
        name,
        preset,
        endpoint,
        credential,
        account,
        exclusive,
        facts,
        budget,
        deadline,
        settle,
        way,
        gateway,
    })
}

/// The entry's endpoint, or else its preset's. A service that closed is refused, unless somebody runs a server like it.
fn address(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    kind: Option<&Text>,
    preset: &Preset,
) -> Option<String> {
    let written = reader.optional(section, "endpoint");
    let given = match &written {
        Some(text) => Some(reader.parse(text, endpoint)?),
        None => None,
    };
    let own = preset.endpoint.as_deref().and_then(|own| endpoint(own).ok());
    if let (Some(closed), true) = (&preset.retired_on, given.is_none() || given == own) {
        let what = format!("{} closed ({closed})", preset.title);
        let spot = kind.and_then(|kind| kind.spot.clone());
        reader.wrong(section.path_of("preset"), spot, what, preset.instead.clone().unwrap_or_default());
        return None;
    }
    if given.is_none() && own.is_none() {
        let what = "`endpoint` is missing";
        reader.wrong(
            &section.path,
            section.spot.clone(),
            what,
            "write endpoint: and the service's base address",
        );
    }
    given.or(own)
}

fn warn_of_shared_pins(reader: &mut Reader<'_>, section: &Section<'_>, preset: &Preset) {
    let what = format!("`exclusive` is not heeded: at {} all who pin a content share one pin", preset.title);
    let problem = Problem::new(section.path_of("exclusive"), section.spot.clone(), what);
    reader.warnings.push(problem.help("remove it: a look-up goes before each new pin there"));
}

/// How long a call takes at most, and how long after that it may still take effect.
fn timeouts(reader: &mut Reader<'_>, provider: &Section<'_>, preset: &Preset) -> (Duration, Duration) {
    let section = reader.section(provider, "timeouts", TIMEOUTS);
    let deadline = reader.optional(&section, "deadline");
    let settle = reader.optional(&section, "settle");
    (
        reader.parse_or(deadline, preset.deadline(), at_least_1s(Duration::from_secs(600))),
        reader.parse_or(settle, preset.settle(), at_least_1s(Duration::from_secs(3600))),
    )
}

fn at_least_1s(max: Duration) -> impl Fn(&str) -> Result<Duration, Wrong> {
    move |text| {
        let value = span(max)(text)?;
        let short = value < Duration::from_secs(1);
        if short { Err(Wrong::new("too short a span", "write at least 1s")) } else { Ok(value) }
    }
}
