//! `pinfold import`: pins from lines of JSON, each accepted by a running gateway as if its client had asked for it.

mod lines;

use std::{
    collections::HashSet,
    fmt, fs,
    io::{self, BufRead, BufReader},
    path::PathBuf,
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use http::{Method, StatusCode};
use serde_json::Value;

use super::{
    Exit, Failure,
    admin::{Admin, AdminArgs},
    complain, on_runtime,
    pin::query::Address,
    say,
};
use lines::{Line, Lines, Wish};

/// Pins of one content that are looked at together to find one like it.
const PAGE: &str = "1000";
/// Before what the gateway could not do at the moment is asked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// So often.
const TRIES: u32 = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The lines; `-` for stdin
    file: PathBuf,
    /// Whose pins they become [default: the only account's]
    #[arg(long)]
    account: Option<String>,
    /// Take up also what the account has already: the same content under the same name
    #[arg(long)]
    duplicates: bool,
    /// Adds at once; with more than one, pins may change places with those that are so near
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    at_once: u16,
    #[command(flatten)]
    admin: AdminArgs,
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Imported,
    Skipped,
    Refused(String),
}

#[derive(Debug, Default)]
struct Report {
    imported: u64,
    skipped: u64,
    refused: u64,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let input: Box<dyn BufRead> = if args.file.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let cannot = |error| {
            Failure::new(Exit::Failed, format!("error: cannot read {}: {error}", args.file.display()))
        };
        Box::new(BufReader::new(fs::File::open(&args.file).map_err(cannot)?))
    };
    let import = Import { admin: &admin, args };
    let report = on_runtime(import.all(Lines::new(input)))??;
    say(&format!("{report}\n"))?;
    Ok(if report.refused > 0 { Exit::Failed } else { Exit::Ok })
}

struct Import<'a> {
    admin: &'a Admin,
    args: &'a Args,
}

impl Import<'_> {
    /// Chunk by chunk, so that memory is bounded, and what is found to be there is still so when it counts.
    async fn all(&self, mut lines: Lines) -> Result<Report, Failure> {
        self.knock().await?;
        let mut report = Report::default();
        loop {
            let chunk = lines.chunk().map_err(|error| {
                Failure::new(Exit::Failed, format!("error: cannot read the lines: {error}"))
            })?;
            if chunk.is_empty() {
                return Ok(report);
            }
            for chunk in self.apart(chunk) {
                self.some(&chunk, &mut report).await?;
            }
        }
    }

    /// In parts in none of which two lines ask for one pin: whether the later one is there already is known once it is
    /// known what became of the earlier.
    fn apart(&self, chunk: Vec<Line>) -> Vec<Vec<Line>> {
        let (mut parts, mut keys) = (vec![Vec::new()], HashSet::new());
        for line in chunk {
            let is_again = line.wish.as_ref().is_ok_and(|wish| !keys.insert(wish.key()));
            if is_again && !self.args.duplicates {
                keys = line.wish.iter().map(Wish::key).collect();
                parts.push(Vec::new());
            }
            if let Some(part) = parts.last_mut() {
                part.push(line);
            }
        }
        parts
    }

    /// Whether there is such an account, and which is meant where none is named, is no matter of one line.
    async fn knock(&self) -> Result<(), Failure> {
        let address = Address::of("/pins", self.args.account.as_deref()).and("limit", Some("1"));
        self.admin.call(Method::GET, address.as_str(), None).await.map(drop)
    }

    /// Tells at which line it stopped, if it did; those before it are done.
    async fn some(&self, chunk: &[Line], report: &mut Report) -> Result<(), Failure> {
        let before = report.lines();
        let done = self.each(chunk, report).await;
        done.map_err(|failure| {
            let at = chunk.get((report.lines() - before) as usize).map_or(0, |line| line.number);
            stopped(at, &failure, report)
        })
    }

    async fn each(&self, chunk: &[Line], report: &mut Report) -> Result<(), Failure> {
        let known = self.known(chunk).await?;
        let fates = stream::iter(chunk.iter().zip(known).map(|(line, known)| async move {
            let fate = match &line.wish {
                Err(why) => Fate::Refused(why.clone()),
                Ok(_) if known => Fate::Skipped,
                Ok(wish) => self.add(wish).await?,
            };
            Ok::<_, Failure>((line.number, fate))
        }));
        let mut fates = fates.buffered(usize::from(self.args.at_once));
        while let Some((number, fate)) = fates.try_next().await? {
            report.note(number, fate);
        }
        Ok(())
    }

    /// Which lines are pins that the account has already.
    async fn known(&self, chunk: &[Line]) -> Result<Vec<bool>, Failure> {
        let looks = chunk.iter().map(|line| async move {
            match &line.wish {
                Ok(wish) if !self.args.duplicates => self.is_there(wish).await,
                _ => Ok(false),
            }
        });
        stream::iter(looks).buffered(8).try_collect().await
    }

    /// Pins without a name cannot be asked for: all of the content are looked through, page by page.
    async fn is_there(&self, wish: &Wish) -> Result<bool, Failure> {
        let name = Some(wish.name()).filter(|name| !name.is_empty());
        let address = Address::of("/pins", self.args.account.as_deref())
            .and("cid", Some(wish.cid()))
            .and("name", name)
            .and("status", Some("queued,pinning,pinned,failed"))
            .and("limit", Some(PAGE));
        let mut before = None;
        loop {
            let page = address.clone().and("before", before.as_deref());
            // What it will not look for it will not take, and says so then.
            let Ok(page) = self.offer(Method::GET, page.as_str(), None).await? else {
                return Ok(false);
            };
            let pins = page["results"].as_array().map(Vec::as_slice).unwrap_or_default();
            if pins.iter().any(|pin| pin["pin"]["name"].as_str().unwrap_or_default() == wish.name()) {
                return Ok(true);
            }
            let Some(next) = page["next"].as_str() else { return Ok(false) };
            before = Some(next.to_owned());
        }
    }

    async fn add(&self, wish: &Wish) -> Result<Fate, Failure> {
        let address = Address::of("/pins", self.args.account.as_deref());
        let added = self.offer(Method::POST, address.as_str(), Some(wish.body())).await?;
        Ok(match added {
            Ok(_) => Fate::Imported,
            Err(why) => Fate::Refused(why),
        })
    }

    /// Asks, and again where the gateway is busy; `Err` inside where this line is refused, for a reason of its own.
    async fn offer(
        &self,
        method: Method,
        address: &str,
        body: Option<&Value>,
    ) -> Result<Result<Value, String>, Failure> {
        for _ in 0..TRIES {
            match self.admin.offer(method.clone(), address, body).await? {
                Ok(answer) => return Ok(Ok(answer)),
                Err((StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _)) => {
                    tokio::time::sleep(AGAIN).await;
                }
                // The account left meanwhile, or the gateway is in trouble.
                Err((code, why)) if code == StatusCode::NOT_FOUND || code.is_server_error() => {
                    return Err(Failure::new(Exit::Failed, format!("error: {why}")));
                }
                Err((_, why)) => return Ok(Err(why)),
            }
        }
        Err(Failure::new(Exit::Failed, "error: the gateway has too much to do"))
    }
}

/// Nothing is lost: what was imported is skipped next time.
fn stopped(number: u64, failure: &Failure, report: &Report) -> Failure {
    let why = failure.text.strip_prefix("error: ").unwrap_or(&failure.text);
    let text = format!(
        "error: stopped at line {number}: {why}; {report} before that; run it again to go on from there"
    );
    Failure::new(failure.exit, text)
}

/// `9 imported, 1 skipped, 0 refused`
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { imported, skipped, refused } = self;
        write!(f, "{imported} imported, {skipped} skipped, {refused} refused")
    }
}

impl Report {
    fn lines(&self) -> u64 {
        self.imported + self.skipped + self.refused
    }

    fn note(&mut self, number: u64, fate: Fate) {
        match fate {
            Fate::Imported => self.imported += 1,
            Fate::Skipped => self.skipped += 1,
            Fate::Refused(why) => {
                self.refused += 1;
                complain(&format!("line {number}: {why}"));
            }
        }
    }
}
