//! Data, simulator and probe agree: each service as it is played is as its preset says.

use super::*;

async fn differences(preset: &str, change: impl FnOnce(Builder) -> Builder) -> Vec<String> {
    let trial = Trial::of(preset, change).await;
    let report = trial.run().await;
    trial.is_clean(&report);
    let bad = report.lines.iter().filter(|line| line.verdict.is_bad());
    bad.map(|line| {
        format!("{preset}: {}: {:?}, seen {} ({:?})", line.check, line.says, line.seen, line.verdict)
    })
    .collect()
}

fn names() -> impl Iterator<Item = &'static str> {
    Presets::built_in()
        .iter()
        .filter(|preset| preset.protocol == Protocol::Psa)
        .map(|preset| preset.name.as_str())
}

#[tokio::test]
async fn every_preset_is_as_its_simulator_plays_it() {
    let mut wrong = Vec::new();
    for preset in names() {
        wrong.extend(differences(preset, |builder| builder).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_preset_is_as_its_simulator_plays_it_while_pins_are_on_their_way() {
    let mut wrong = Vec::new();
    for preset in names() {
        wrong.extend(differences(preset, Builder::never_pins).await);
        wrong.extend(differences(preset, |builder| builder.pin_after(Duration::from_secs(10))).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
