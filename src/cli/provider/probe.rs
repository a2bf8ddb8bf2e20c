//! `pinfold provider probe`: tries out a live provider and compares it with its preset.

mod file;
mod table;

use std::path::PathBuf;

use super::entry;
use crate::{
    app::probe::{self, Report},
    cli::{Exit, Failure, complain, load, on_runtime, say, table::Look},
    config::ProviderSettings,
    model::{Clock, SystemClock},
    presets::Protocol,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The provider's name in the configuration
    name: String,
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "PINFOLD_CONFIG")]
    config: PathBuf,
    /// Write what differs from the preset, or was unknown, to a file for `presets_file`; one that is there is added to
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Probe a provider with limits though a gateway is at work, which does not count these calls
    #[arg(long)]
    beside_gateway: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let settings = load(&args.config)?.settings;
    let entry = entry(&settings, &args.name, &args.config)?;
    // What cannot be written is better known before the calls are made.
    let file = args.write.as_ref().map(|path| file::File::open(path)).transpose()?;
    complain(&plan(entry));
    let report = on_runtime(probe::run(&settings, entry, args.beside_gateway))??;
    say(&table::page(&report, Look::of_stdout()))?;
    if let Some(file) = file
        && !report.learned.is_empty()
    {
        complain(&file.write(entry, &report, SystemClock.now())?);
    }
    Ok(exit(&report))
}

fn exit(report: &Report) -> Exit {
    if report.is_good() { Exit::Ok } else { Exit::Differs }
}

fn plan(entry: &ProviderSettings) -> String {
    let preset = &entry.preset;
    let what = format!("probing {} (preset {}) at {}", entry.name, preset.name, entry.endpoint);
    let closed = match &preset.retired_on {
        Some(day) => {
            format!("\n{} closed ({day}); this is a server of your own, and is probed as one", preset.title)
        }
        None => String::new(),
    };
    let how = match preset.protocol {
        Protocol::Psa => format!(
            "at most {} calls, for {} s or longer; test pins are named {}..., hold nothing, and are removed at the end",
            probe::MOST_CALLS,
            probe::takes(&entry.budget.rates).as_secs().max(1),
            probe::NAME,
        ),
        Protocol::Kubo => "three calls that change nothing".to_owned(),
    };
    format!("{what}{closed}\n{how}")
}
