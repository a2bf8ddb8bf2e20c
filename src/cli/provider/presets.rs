//! `pinfold provider presets`: what is known of kinds of pinning services.

mod facts;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{
    cli::{
        Exit, Failure, load, say,
        table::{Look, lines, table},
    },
    config,
    presets::{Preset, Presets},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Show all that is known of this one
    name: Option<String>,
    /// Lay the `presets_file` of this configuration over those that are built in
    // Not from PINFOLD_CONFIG: this is what one looks at while a configuration is being mended.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON; what is unknown is null
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let loaded = args.config.as_ref().map(|file| load(file)).transpose()?;
    let presets = loaded.as_ref().map_or(Presets::built_in(), |loaded| &loaded.settings.presets);
    let text = match &args.name {
        None if args.json => pretty(&presets.iter().map(|preset| whole(preset)).collect()),
        None => overview(presets, Look::of_stdout()),
        Some(name) if args.json => pretty(&whole(find(presets, name)?)),
        Some(name) => facts::page(find(presets, name)?),
    };
    say(&text)
}

fn find<'a>(presets: &'a Presets, name: &str) -> Result<&'a Preset, Failure> {
    presets.find(name).map(|found| &**found).ok_or_else(|| {
        let names: Vec<&str> = presets.names().collect();
        let help = match config::nearest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.join(", ")),
        };
        Failure::new(Exit::Usage, format!("error: there is no preset `{name}`; {help}"))
    })
}

fn whole(preset: &Preset) -> Value {
    let mut value = json!(preset);
    value["name"] = json!(preset.name);
    value
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn overview(presets: &Presets, look: Look) -> String {
    let mut table = table(look, ["name", "title", "endpoint", "credentials", "as of", "open"]);
    for preset in presets.iter() {
        table.add_row([
            preset.name.clone(),
            preset.title.clone(),
            preset.endpoint.clone().unwrap_or_else(|| "-".to_owned()),
            facts::words(&preset.auth),
            preset.as_of.clone(),
            preset.retired_on.as_ref().map_or("yes".to_owned(), |day| format!("closed {day}")),
        ]);
    }
    lines(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overview_has_a_line_for_each_preset() {
        let text = overview(Presets::built_in(), Look::PLAIN);
        assert_eq!(text.lines().count(), 1 + Presets::built_in().iter().count());
        let closed = text.lines().find(|line| line.trim_start().starts_with("nft.storage")).unwrap();
        assert!(closed.ends_with("closed 2024-06-30") && closed.contains("bearer"), "{closed}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_slip_in_a_name_is_told_with_the_nearest() {
        let failure = find(Presets::built_in(), "pinta").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.text, "error: there is no preset `pinta`; did you mean `pinata`?");
        let failure = find(Presets::built_in(), "s3").unwrap_err();
        assert!(failure.text.contains("there are 4everland, crust,"), "{}", failure.text);
    }

    #[test]
    fn json_lays_itself_over_nothing_to_the_same_preset() {
        let fula = find(Presets::built_in(), "fula").unwrap();
        let Value::Object(mut keys) = whole(fula) else { panic!("an object") };
        assert_eq!(keys.remove("name"), Some(json!("fula")));
        let again = Presets::built_in().with(&json!({ "again": keys }).to_string()).unwrap();
        assert_eq!(
            *again.find("again").unwrap().as_ref(),
            Preset { name: "again".to_owned(), ..fula.clone() }
        );
    }
}
