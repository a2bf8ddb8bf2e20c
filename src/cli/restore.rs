//! `pinfold restore`.

use std::path::PathBuf;

use super::{Exit, Failure, load_past_secrets, on_runtime, say};
use crate::{app, model::Expiry};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The backup
    file: PathBuf,
    /// Put aside the store that is there; its tokens' ends and its count of calls are heeded
    #[arg(long)]
    replace: bool,
    /// Remove nothing at providers for so long, or until a date: until then it can be found out what is needed
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    hold_removals: Expiry,
    /// No gateway has run since the backup was made: calls to providers need not be held back for it
    #[arg(long)]
    nothing_was_sent: bool,
    /// Revoke all stored tokens; those of the configuration stay
    #[arg(long)]
    revoke_tokens: bool,
    /// The configuration of the gateway
    #[arg(long, value_name = "FILE", env = "PINFOLD_CONFIG")]
    config: PathBuf,
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let settings = load_past_secrets(&args.config)?.settings;
    let restore = app::Restore {
        backup: args.file,
        replace: args.replace,
        hold: args.hold_removals,
        nothing_was_sent: args.nothing_was_sent,
        revoke_tokens: args.revoke_tokens,
    };
    let store = settings.store.clone();
    let done = on_runtime(app::restore(settings, restore))??;
    say(&told(&store.to_string(), &done, args.nothing_was_sent))
}

fn told(store: &str, done: &app::Restored, nothing_was_sent: bool) -> String {
    let (held, back) = (&done.holdings, &done.came_back);
    let mut text = format!(
        "{store}: {} pins, {} copies, as of {} or a minute later\n",
        held.pins, held.copies, held.latest
    );
    if let Some(aside) = &done.aside {
        text += &format!("the store that was here is {} now\n", aside.display());
    }
    text += &format!(
        "{} copies are looked at again; nothing is removed at providers before {}\n",
        back.believed, done.removals_from
    );
    let counted = [
        (back.left, "copies or doubles that were to be removed then stay where they are, as orphans"),
        (back.jobs_stopped, "jobs were paused, audits cancelled: see `pinfold job ls`"),
        (back.tokens_ended, "stored tokens let nobody in any more"),
    ];
    for (n, what) in counted.into_iter().filter(|(n, _)| *n > 0) {
        text += &format!("{n} {what}\n");
    }
    text += &match back.clock {
        Some(now) => format!("it is {now} by this machine's clock: what has ended by it goes at the start\n"),
        None => "the clock of this machine is doubted, as before: set it right, or see docs/operations.md\n"
            .to_owned(),
    };
    if !back.knew_later && back.tokens_live > 0 {
        text += &format!(
            "{} stored tokens let in, also such as were revoked since: see `pinfold token ls`\n",
            back.tokens_live
        );
    }
    if !back.knew_later && !nothing_was_sent {
        text +=
            "calls to providers wait for one window of each limit, for what was sent since is not known\n";
    }
    text + "now start the gateway; docs/backup.md tells what to look at then\n"
}
