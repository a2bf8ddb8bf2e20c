//! `pinfold sim`: one simulated provider until it is interrupted.

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
};

use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::signal;

use super::{complain, exit::Exit};
use crate::{
    model::Span,
    presets::{self, Codes, DefaultStatus, Delegates, Duplicates, GENERIC, MetaRule, Presets},
    sim::{Behaviour, Errors, FailRule, FaultRule, Nulls, PinAfter, RateLimit, Settings, Sim},
};

/// Run a simulated pinning service, with what goes wrong at real ones.
///
/// With --preset it speaks as that service does: codes, ids, times, counts, limits, errors, log-ins, under the path of
/// the service's own endpoint and at the root. Other flags change what the preset says.
///
/// It keeps its pins in memory and is gone when it is stopped. Whoever reaches its address can steer it without a
/// token at /_sim/ (GET stats, pins, deletes, log, faults, behaviour, mail; POST faults, behaviour, blocks,
/// token, reset_stats): keep it on the loopback.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct SimArgs {
    /// Address to listen on; port 0 takes a free one and prints it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3101")]
    listen: SocketAddr,

    /// Bearer token that callers must send
    #[arg(long, value_name = "TOKEN")]
    token: SecretString,

    /// User that may log in, where the service has log-ins or Basic authentication
    #[arg(long, value_name = "NAME:PASSWORD", value_parser = user)]
    user: Option<(String, SecretString)>,

    /// Service to play, one that has closed too
    #[arg(long, value_name = "NAME", value_parser = preset(), default_value = GENERIC)]
    preset: Arc<presets::Preset>,

    /// Answer as after the end of the service: pages of 404 to a GET, an empty 405 to all else
    #[arg(long)]
    retired: bool,

    /// Anything of /_sim/behaviour, as JSON: {"account": "no-funds"}; stronger than all other flags
    #[arg(long, value_name = "JSON", value_parser = object)]
    behaviour: Option<Map<String, Value>>,

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
    /// ROUTES: any, reads, writes, list, add, get, replace, remove, login, refresh or mail. FAULT: a code (503), 429=5s (Retry-After),
    /// 429=date+5s (as a date), 429=reset+5s (x-ratelimit-reset), reset, hang, garbage (200 with nonsense), each with
    /// `stored-` before it where the call takes effect all the same (stored-500); slow=3s.
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<FaultRule>,

    /// Calls that are let through in any window, [ROUTES:]CALLS/WINDOW, such as list:30/1m; repeat for more; in place of the
    /// preset's
    #[arg(long = "rate-limit", value_name = "LIMIT")]
    rate_limits: Vec<RateLimit>,

    /// Answer a second POST of a CID with the pin that is there
    #[arg(long)]
    collapse_duplicates: bool,

    /// What lists call `count`
    #[arg(long, value_enum)]
    count: Option<Count>,

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
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(200..=299))]
    success_code: Option<u16>,

    /// What a list shows that asks for no status
    #[arg(long, value_enum)]
    default_status: Option<Unasked>,

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
  pinfold sim --token secret --preset pinata
  pinfold sim --token secret --preset w3ipfs --user me@example.com:hush
  pinfold sim --token secret --preset fula --behaviour '{\"account\": \"no-funds\"}'
  curl -s localhost:3101/_sim/stats
  curl -s localhost:3101/_sim/faults -d '{\"add\": [\"add:503*3\"]}'";

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
    /// Nothing: it has to ask, else 400
    Required,
}

fn preset() -> impl TypedValueParser<Value = Arc<presets::Preset>> {
    PossibleValuesParser::new(Presets::built_in().names()).map(|name| Presets::known(&name))
}

fn user(text: &str) -> Result<(String, SecretString), String> {
    let (name, password) = text.split_once(':').ok_or("write a name, a colon and a password")?;
    Ok((name.to_owned(), SecretString::from(password)))
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("this is no JSON object: {error}"))
}

impl SimArgs {
    /// What the preset says, and over it what the flags do.
    fn settings(self) -> Result<Settings, String> {
        let played = Settings::playing(&self.preset, "");
        let mut behaviour = played.behaviour;
        self.change(&mut behaviour);
        if let Some(patch) = self.behaviour {
            behaviour = behaviour.patched(patch)?;
        }
        let own_limits = !self.rate_limits.is_empty();
        Ok(Settings {
            listen: self.listen,
            protocol: played.protocol,
            token: self.token,
            user: self.user,
            behaviour,
            faults: self.faults,
            rate_limits: if own_limits { self.rate_limits } else { played.rate_limits },
            seed: self.seed,
        })
    }

    fn change(&self, is: &mut Behaviour) {
        is.pin_after = self.pin_after;
        is.latency = self.latency;
        is.fail.clone_from(&self.fail);
        is.retired = self.retired;
        is.count = self.count.map_or(is.count, Into::into);
        is.codes = self.success_code.map_or(is.codes, Codes::all);
        is.default_status = self.default_status.map_or(is.default_status, Into::into);
        is.max_queued = self.max_queued.or(is.max_queued);
        if !self.delegates.is_empty() {
            is.delegates.clone_from(&self.delegates);
        }
        if self.collapse_duplicates {
            is.duplicates = Duplicates::Same;
        }
        if self.drop_meta {
            is.meta = MetaRule::Dropped;
        }
        if self.ignore_cid_filter {
            is.filters.cid = Some(false);
        }
        self.change_dialect(is);
    }

    fn change_dialect(&self, is: &mut Behaviour) {
        if self.html_errors {
            is.dialect.errors = Errors::Html;
        }
        if self.null_arrays {
            is.dialect.nulls = Nulls::All;
            is.delegates_rule = Delegates::PostOnly;
        }
        is.dialect.camel_case_ids |= self.camel_case_ids;
    }
}

impl From<Count> for presets::Count {
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
            Unasked::Required => Self::Required,
        }
    }
}

/// Serves until SIGINT or SIGTERM. The first line on stdout is `listening on URL`.
pub async fn run(args: SimArgs) -> ExitCode {
    let settings = match args.settings() {
        Ok(settings) => settings,
        Err(wrong) => {
            complain(&format!("pinfold sim: --behaviour: {wrong}"));
            return Exit::Usage.into();
        }
    };
    match serve(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("pinfold sim: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> io::Result<()> {
    let listen = settings.listen;
    let started = Sim::start(settings).await;
    let sim = started.map_err(|error| match error.kind() {
        io::ErrorKind::Unsupported => error,
        kind => io::Error::new(kind, format!("cannot listen on {listen}: {error}")),
    })?;
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
        let cli = Cli::try_parse_from(flags.split(' '))?;
        Ok(cli.args.settings().expect("the behaviour is one"))
    }

    #[test]
    fn the_flags_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_become_settings_and_secrets_stay_hidden() {
        let settings = parse(
            "sim --token hush --listen 127.0.0.1:0 --pin-after 2s --fault add:503*3 --rate-limit list:30/1m \
             --fail name:bad- --count page-length --user me:hush",
        )
        .unwrap();
        assert_eq!(settings.behaviour.pin_after, "2s".parse().unwrap());
        assert_eq!(settings.behaviour.count, presets::Count::PageLength);
        assert_eq!(settings.faults[0].to_string(), "add:503*3");
        assert_eq!(settings.rate_limits[0].calls, 30);
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn every_preset_of_the_pinning_api_is_played_and_flags_change_what_they_name() {
        for name in Presets::built_in().names() {
            assert!(parse(&format!("sim --token hush --preset {name}")).is_ok(), "{name}");
        }
        let pinata = parse("sim --token hush --preset pinata --count exact").unwrap();
        assert_eq!((pinata.behaviour.codes.add, pinata.rate_limits.len()), (200, 2));
        assert_eq!(pinata.behaviour.count, presets::Count::Exact);
        let slower = parse("sim --token hush --preset pinata --rate-limit list:5/1m").unwrap();
        assert_eq!(slower.rate_limits.len(), 1);
        let poor = parse(r#"sim --token hush --preset fula --behaviour {"account":"no-funds"}"#).unwrap();
        assert_eq!(poor.behaviour.account, crate::sim::Account::NoFunds);
    }

    #[test]
    fn an_unknown_preset_is_a_usage_error_that_names_what_exists() {
        let error = parse("sim --token hush --preset pinatta").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains("web3.storage") && text.contains("a similar value exists: 'pinata'"), "{text}");
    }
}
