//! `pinfold sim`: one simulated provider until it is interrupted.

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use secrecy::SecretString;
use tokio::signal;

use crate::model::Span;
use crate::sim::{
    Behaviour, CountMode, DefaultStatus, FailRule, FaultRule, PinAfter, RateLimit, Settings, Sim,
    SuccessCodes,
};

/// Run a simulated pinning service, with what goes wrong at real ones.
///
/// It keeps its pins in memory and is gone when it is stopped. Whoever reaches its address can steer it without a
/// token at /_sim/ (GET stats, pins, deletes, log, faults, behaviour; POST faults, behaviour, reset_stats): keep it on
/// the loopback.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct SimArgs {
    /// Address to listen on; port 0 takes a free one and prints it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3101")]
    listen: SocketAddr,

    /// Bearer token that callers must send
    #[arg(long, value_name = "TOKEN")]
    token: SecretString,

    /// Kind of provider to play
    #[arg(long, value_enum, default_value_t = Preset::Generic)]
    preset: Preset,

    /// Time until a pin is pinned: queued for half of it, then pinning; `never` leaves it queued
    #[arg(long, value_name = "TIME", default_value = "200ms")]
    pin_after: PinAfter,

    /// Time added to every answer, such as 50ms
    #[arg(long, value_name = "TIME", default_value = "0s")]
    latency: Span,

    /// Delegate of every pin, a multiaddr; repeat for more
    #[arg(long = "delegate", value_name = "MULTIADDR")]
    delegates: Vec<String>,

    /// Pins that go to `failed`: cid:CID, name:PREFIX or rate:0.1; repeat for more
    #[arg(long = "fail", value_name = "RULE")]
    fail: Vec<FailRule>,

    /// Trouble to make: [ROUTES:]FAULT[@CHANCE][*TIMES]; repeat for more
    ///
    /// ROUTES: any, reads, writes, list, add, get, replace or remove. FAULT: a code (503), 429=5s (Retry-After),
    /// 429=date+5s (as a date), 429=reset+5s (x-ratelimit-reset), reset, hang, garbage (200 with nonsense), each with
    /// `stored-` before it where the call takes effect all the same (stored-500); slow=3s.
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<FaultRule>,

    /// Calls that are let through in any window, [ROUTES:]CALLS/WINDOW, such as list:30/1m; repeat for more
    #[arg(long = "rate-limit", value_name = "LIMIT")]
    rate_limits: Vec<RateLimit>,

    /// Answer a second POST of a CID with the pin that is there
    #[arg(long)]
    collapse_duplicates: bool,

    /// What lists call `count`
    #[arg(long, value_enum, default_value_t = Count::Exact)]
    count: Count,

    /// Send errors as HTML pages
    #[arg(long)]
    html_errors: bool,

    /// Take `meta` and forget it
    #[arg(long)]
    drop_meta: bool,

    /// Ignore the `cid` filter of lists
    #[arg(long)]
    ignore_cid_filter: bool,

    /// Send null for what is empty, and delegates only in the answer to a POST
    #[arg(long)]
    null_arrays: bool,

    /// Send requestId instead of requestid
    #[arg(long)]
    camel_case_ids: bool,

    /// Code of successful POST, replace and DELETE
    #[arg(long, value_name = "CODE", default_value_t = 202, value_parser = clap::value_parser!(u16).range(200..=299))]
    success_code: u16,

    /// What a list shows that asks for no status
    #[arg(long, value_enum, default_value_t = Unasked::Pinned)]
    default_status: Unasked,

    /// Refuse another POST while this many pins are queued
    #[arg(long, value_name = "PINS")]
    max_queued: Option<usize>,

    /// Seed of the dice behind every chance
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
}

const EXAMPLES: &str = "\
Examples:
  pinfold sim --listen 127.0.0.1:3101 --token secret
  pinfold sim --token secret --pin-after 5s --fault 'any:reset@0.05' --fault 'add:stored-500@0.1'
  pinfold sim --token secret --rate-limit list:30/1m
  curl -s localhost:3101/_sim/stats
  curl -s localhost:3101/_sim/faults -d '{\"add\": [\"add:503*3\"]}'";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// Does all as the specification has it
    Generic,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Count {
    /// All that match
    Exact,
    /// The results in the answer
    PageLength,
    /// The results in the answer, and one if there are more
    ResultsPlusOne,
    /// All that match whatever `before` says
    IgnoringBefore,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Unasked {
    Pinned,
    All,
}

impl From<SimArgs> for Settings {
    fn from(args: SimArgs) -> Self {
        let Preset::Generic = args.preset;
        let behaviour = args.behaviour();
        Self {
            listen: args.listen,
            token: args.token,
            behaviour,
            faults: args.faults,
            rate_limits: args.rate_limits,
            seed: args.seed,
        }
    }
}

impl SimArgs {
    fn behaviour(&self) -> Behaviour {
        let mut behaviour = Behaviour {
            pin_after: self.pin_after,
            latency: self.latency,
            fail: self.fail.clone(),
            collapse_duplicates: self.collapse_duplicates,
            count: self.count.into(),
            html_errors: self.html_errors,
            drop_meta: self.drop_meta,
            ignore_cid_filter: self.ignore_cid_filter,
            null_arrays: self.null_arrays,
            camel_case_ids: self.camel_case_ids,
            codes: SuccessCodes::all(self.success_code),
            default_status: self.default_status.into(),
            max_queued: self.max_queued,
            ..Behaviour::default()
        };
        if !self.delegates.is_empty() {
            behaviour.delegates.clone_from(&self.delegates);
        }
        behaviour
    }
}

impl From<Count> for CountMode {
    fn from(count: Count) -> Self {
        match count {
            Count::Exact => Self::Exact,
            Count::PageLength => Self::PageLength,
            Count::ResultsPlusOne => Self::ResultsPlusOne,
            Count::IgnoringBefore => Self::IgnoringBefore,
        }
    }
}

impl From<Unasked> for DefaultStatus {
    fn from(default: Unasked) -> Self {
        match default {
            Unasked::Pinned => Self::Pinned,
            Unasked::All => Self::All,
        }
    }
}

/// Serves until SIGINT or SIGTERM. The first line on stdout is `listening on URL`.
pub async fn run(args: SimArgs) -> ExitCode {
    match serve(args.into()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell it to where stderr is gone too.
            drop(writeln!(io::stderr(), "pinfold sim: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> io::Result<()> {
    let listen = settings.listen;
    let started = Sim::start(settings).await;
    let sim = started
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}")))?;
    writeln!(io::stdout(), "listening on {}", sim.url())?;
    interrupted().await?;
    sim.stop().await;
    Ok(())
}

async fn interrupted() -> io::Result<()> {
    let mut term = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupt = signal::ctrl_c() => interrupt,
        _ = term.recv() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: SimArgs,
    }

    fn parse(flags: &str) -> Result<Settings, clap::Error> {
        Cli::try_parse_from(flags.split(' ')).map(|cli| cli.args.into())
    }

    #[test]
    fn the_flags_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_become_settings_and_the_token_stays_hidden() {
        let settings = parse(
            "sim --token hush --listen 127.0.0.1:0 --pin-after 2s --fault add:503*3 --rate-limit list:30/1m \
             --fail name:bad- --count page-length",
        )
        .unwrap();
        assert_eq!(settings.behaviour.pin_after, "2s".parse().unwrap());
        assert_eq!(settings.behaviour.count, CountMode::PageLength);
        assert_eq!(settings.faults[0].to_string(), "add:503*3");
        assert_eq!(settings.rate_limits[0].calls, 30);
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn an_unknown_preset_is_a_usage_error_that_names_what_exists() {
        let error = parse("sim --token hush --preset pinata").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("generic"), "{error}");
    }
}
