//! docs/providers.md, from the presets and what was seen.

use std::{fmt::Write as _, sync::Arc};

use pinfold::presets::{Auth, Preset};

use super::{OPERATIONS, Outcome};

const HEAD: &str = "\
# Providers

What Pinfold knows of pinning services, and what was tried with each. Written by a test (`cargo test matrix`) from the
presets in [src/presets/presets.yaml](../src/presets/presets.yaml) and from what it saw; change those, not this.

A preset is named in a provider's entry: `{ name: mine, preset: pinata, token_file: pinata.token }`. What you know better
goes into a file of your own, `presets_file: presets.yaml`, which is laid over the built-in ones key by key;
`pinfold provider presets NAME` shows the outcome.

";

const MATRIX: &str = "
## What was tried

Each operation with each preset: a whole gateway over a simulator that plays the service as it was seen or documented.
That is not the service itself: `pinfold provider probe NAME` asks that.

";

pub(super) fn written(rows: &[(Arc<Preset>, Vec<Outcome>)]) -> String {
    let mut text = HEAD.to_owned();
    table(&mut text, &["preset", "service", "endpoint", "credential", "known of", "limits", "price"]);
    for (preset, _) in rows {
        row(&mut text, &known(preset));
    }
    text.push_str(MATRIX);
    let presets: Vec<&str> = rows.iter().map(|(preset, _)| preset.name.as_str()).collect();
    table(&mut text, &[&["operation"], &presets[..]].concat());
    for (n, operation) in OPERATIONS.iter().enumerate() {
        let marks = rows.iter().map(|(_, row)| if row[n].is_ok() { "ok" } else { "FAILS" });
        row(&mut text, &std::iter::once(operation.name).chain(marks).map(str::to_owned).collect::<Vec<_>>());
    }
    text.push('\n');
    for operation in OPERATIONS {
        line(&mut text, &format!("- **{}**: {}.", operation.name, operation.shows));
    }
    line(&mut text, "\n## What to know of each");
    rows.iter().for_each(|(preset, _)| notes(&mut text, preset));
    text
}

fn known(preset: &Preset) -> Vec<String> {
    let closed = preset.retired_on.as_ref().map(|day| format!("closed {day}"));
    let auth: Vec<&str> = preset.auth.iter().map(auth).collect();
    let limits = [
        ("list", preset.limits.list),
        ("read", preset.limits.read),
        ("write", preset.limits.write),
        ("all", preset.limits.any),
    ];
    let limits: Vec<String> =
        limits.iter().filter_map(|(what, rate)| Some(format!("{what} {}", (*rate)?))).collect();
    vec![
        format!("`{}`", preset.name),
        preset.title.clone(),
        closed.or_else(|| preset.endpoint.clone()).unwrap_or_else(|| "your own".to_owned()),
        auth.join(", "),
        preset.as_of.clone(),
        or_unknown(limits.join(", ")),
        or_unknown(preset.price.clone().unwrap_or_default()),
    ]
}

fn auth(auth: &Auth) -> &'static str {
    match auth {
        Auth::Bearer => "token",
        Auth::Basic => "login (Basic)",
        Auth::Login => "login",
        Auth::None => "none",
    }
}

fn or_unknown(text: String) -> String {
    if text.is_empty() { "unknown".to_owned() } else { text }
}

fn notes(text: &mut String, preset: &Preset) {
    line(text, &format!("\n### {}\n", preset.title));
    if let (Some(day), Some(instead)) = (&preset.retired_on, &preset.instead) {
        line(text, &format!("Closed ({day}). It is refused: {instead}.\n"));
    }
    preset.notes.iter().for_each(|note| line(text, &format!("- {note}")));
    line(text, &format!("- Known from: {}.", preset.source.join("; ")));
}

fn table(text: &mut String, head: &[&str]) {
    row(text, &head.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>());
    line(text, &"|---".repeat(head.len()).chars().chain(['|']).collect::<String>());
}

fn row(text: &mut String, cells: &[String]) {
    line(text, &format!("| {} |", cells.join(" | ")));
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes it");
}
