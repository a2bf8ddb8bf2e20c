//! Every preset, played by a simulator, through a whole gateway: what clients do and what services suffer. The outcome
//! is a part of docs/providers.md.

mod case;
mod document;
mod operations;

use std::{fs, path::Path, sync::Arc};

use futures::{StreamExt as _, stream};
use pinfold::presets::{Preset, Presets};

use case::Case;
use operations::{OPERATIONS, Operation};

/// What became of one operation at one preset.
pub(crate) type Outcome = Result<(), String>;

/// Cases that run at once: each mostly waits, and has a gateway, a store and a simulator of its own.
const AT_ONCE: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_works_at_every_preset_and_the_document_says_so() {
    let presets: Vec<Arc<Preset>> = Presets::built_in().iter().cloned().collect();
    let cases = presets.iter().flat_map(|preset| OPERATIONS.iter().map(move |one| outcome(preset, one)));
    let outcomes: Vec<Outcome> = stream::iter(cases).buffered(AT_ONCE).collect().await;
    let row = outcomes.chunks(OPERATIONS.len()).map(<[_]>::to_vec);
    let rows: Vec<(Arc<Preset>, Vec<Outcome>)> = presets.into_iter().zip(row).collect();
    let failures: Vec<String> = rows.iter().flat_map(|(preset, row)| failures(preset, row)).collect();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    keep(&document::written(&rows));
}

/// Each operation begins with nothing, so that none hides what another left behind.
async fn outcome(preset: &Preset, operation: &Operation) -> Outcome {
    let mut case = Case::start(preset).await;
    let done = (operation.run)(&mut case).await;
    let clean = case.end().await;
    done.and(clean)
}

fn failures(preset: &Preset, row: &[Outcome]) -> Vec<String> {
    let named = OPERATIONS.iter().zip(row);
    let failed = named.filter_map(|(operation, outcome)| Some((operation, outcome.as_ref().err()?)));
    failed.map(|(operation, why)| format!("{}: {}: {why}", preset.name, operation.name)).collect()
}

/// Writes the document anew where it is not what was seen.
fn keep(written: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/providers.md");
    if fs::read_to_string(&path).is_ok_and(|known| known == written) {
        return;
    }
    fs::write(&path, written).expect("the document can be written");
    panic!("docs/providers.md was out of date and has been written anew: look at it, and keep it");
}
