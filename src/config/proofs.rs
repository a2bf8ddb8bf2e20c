//! Whether a provider serves what it says is pinned: `gateway: https://...` and `proof: { every: 1h, sample: 20 }`.

use std::time::Duration;

use super::problem::Problem;
use super::reader::{Keys, Reader, Section, Wrong};
use super::settings::{GatewayDecl, Way};
use super::upstream::Upstream;
use super::value::{endpoint, number, span};
use crate::model::{Facts, Sampling};
use crate::policy::{Policy, Proof};

const PROOF: Keys = Keys { known: &["every", "sample"], later: &[] };
const GATEWAY_HELP: &str =
    "write gateway: and the address of its trustless gateway, such as https://ipfs.example.com";
const EVERY: Duration = Duration::from_secs(3600);
const LEAST_EVERY: Duration = Duration::from_secs(60);
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);
const SAMPLE: u32 = 20;
/// Fewer would show nothing; more would be no sample.
const SAMPLES: (u32, u32) = (3, 100);

/// Where its copies are asked for, and how often. Without a gateway nothing is.
pub(super) fn read(
    reader: &mut Reader<'_>,
    provider: &Section<'_>,
    upstream: &Upstream,
    way: &Way,
) -> (Option<GatewayDecl>, Option<Sampling>) {
    let text = reader.optional(provider, "gateway");
    let is_given = text.is_some();
    let url = text.and_then(|text| reader.parse(&text, address));
    let section = reader.section(provider, "proof", PROOF);
    let every = reader.optional(&section, "every");
    let every = reader.parse_or(every, EVERY, at_least_1m);
    let sample = reader.optional(&section, "sample");
    let sample = reader.parse_or(sample, SAMPLE, number(SAMPLES.0, SAMPLES.1));
    if let Some(proof) = provider.get("proof").filter(|_| !is_given) {
        reader.wrong(proof.path, proof.spot, "there is no gateway to ask for copies", GATEWAY_HELP);
    }
    let Some(url) = url else { return (None, None) };
    let http = upstream.elsewhere(reader, provider, way, &url);
    (Some(GatewayDecl { url, http }), Some(Sampling { every, sample }))
}

/// The base address of a gateway, to which `/ipfs/` and a CID are appended.
fn address(text: &str) -> Result<String, Wrong> {
    let url = endpoint(text).map_err(|wrong| match wrong.help.starts_with("write") {
        true => Wrong { help: GATEWAY_HELP.to_owned(), ..wrong },
        false => wrong,
    })?;
    if url.ends_with("/ipfs") {
        return Err(Wrong::new("ends in /ipfs, which is added to it", "remove the /ipfs"));
    }
    Ok(url)
}

fn at_least_1m(text: &str) -> Result<Duration, Wrong> {
    let value = span(YEAR)(text)?;
    if value < LEAST_EVERY { Err(Wrong::new("too often", "write at least 1m")) } else { Ok(value) }
}

/// A policy that asks for proofs which none of its providers can give asks for nothing.
pub(super) fn warn_of_none(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    policy: &Policy,
    listed: &[&Facts],
) {
    if policy.proof == Proof::Required && listed.iter().all(|facts| facts.proof.is_none()) {
        let what = "none of its providers has a gateway to show it by, so that all are trusted";
        let field = section.get("proof");
        let spot = field.and_then(|field| field.spot);
        let problem = Problem::new(section.path_of("proof"), spot, what);
        reader.warnings.push(problem.help("write gateway: at its providers, or remove the key"));
    }
}
