//! Every preset, played by a simulator, through a whole gateway: what clients do and what services suffer. The outcome
//! is a part of docs/providers.md.

mod case;
mod document;
mod operations;

use std::{fs, path::Path};

use futures::future::join_all;
use pinfold::presets::{Preset, Presets};

use case::Case;
use operations::{OPERATIONS, Operation};

/// What became of one operation at one preset.
pub(crate) type Outcome = Result<(), String>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_works_at_every_preset_and_the_document_says_so() {
    let presets: Vec<_> = Presets::built_in().iter().cloned().collect();
    let mut rows = Vec::new();
    // A few at a time: each has a gateway, a store and a simulator of its own for each operation.
    for few in presets.chunks(4) {
        let outcomes = join_all(few.iter().map(|preset| row(preset))).await;
        rows.extend(few.iter().cloned().zip(outcomes));
    }
    let failures: Vec<String> = rows.iter().flat_map(|(preset, row)| failures(preset, row)).collect();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    keep(&document::written(&rows));
}

async fn row(preset: &Preset) -> Vec<Outcome> {
    let mut row = Vec::new();
    for operation in OPERATIONS {
        row.push(outcome(preset, operation).await);
    }
    row
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
