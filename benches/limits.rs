//! The limits with 100,000 tokens: how exactly they admit, what they take, what a check costs.
//!
//! `cargo bench --bench limits`; docs/performance.md tells what the figures mean. Accuracy goes by a clock that is turned
//! by hand, so that it is the same on every machine.

use std::{
    collections::HashMap,
    hint::black_box,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use pinfold::{
    limits::{Caps, Class, Limit, Limits, ManualTicks, Settings, Ticks},
    model::AccountId,
};

const TOKENS: usize = 100_000;
/// Tokens of one account.
const SHARE: usize = 100;
const ROUNDS: usize = 9;

fn say(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").expect("stdout takes the figures");
}

/// Every token of the bench, by account and name.
fn tokens() -> Vec<(AccountId, Arc<str>)> {
    let account = |n: usize| AccountId(i64::try_from(n / SHARE).expect("few accounts"));
    (0..TOKENS).map(|n| (account(n), format!("device-{n}").into())).collect()
}

fn caps(rate: &str, burst: u32) -> Caps {
    let limit = Some(Limit::new(rate.parse().expect("a rate"), burst).expect("a limit"));
    Caps { read: limit, write: limit }
}

fn settings(each_token: Caps, account: Caps) -> Settings {
    let accounts = (0..TOKENS / SHARE).map(|n| (AccountId(i64::try_from(n).expect("few accounts")), account));
    Settings { each_token, accounts: accounts.collect(), ..Settings::default() }
}

/// Asks for all tokens, each at twice its rate, for ten seconds of the clock; says how far what was let in is from what
/// was configured: the burst and then the rate.
fn accuracy(tokens: &[(AccountId, Arc<str>)]) {
    const RATE: u32 = 20;
    let clock = ManualTicks::default();
    let limits = Limits::with_ticks(&settings(caps("20/s", RATE), Caps::default()), Ticks::manual(&clock));
    let mut let_in = vec![0_u32; tokens.len()];
    let step = Duration::from_secs(1) / (2 * RATE);
    const SECONDS: u32 = 10;
    // The last time is at the very end.
    for _ in 0..=SECONDS * 2 * RATE {
        for (at, (account, token)) in tokens.iter().enumerate() {
            let_in[at] += u32::from(limits.admit(*account, token, Class::Read).refusal().is_none());
        }
        clock.advance(step);
    }
    let configured = f64::from(RATE + SECONDS * RATE);
    let off = |let_in: u32| (f64::from(let_in) / configured - 1.0) * 100.0;
    let (least, most) = (let_in.iter().min().copied(), let_in.iter().max().copied());
    let sum: f64 = let_in.iter().copied().map(f64::from).sum();
    let mean = (sum / (configured * tokens.len() as f64) - 1.0) * 100.0;
    say(&format!(
        "admitted against configured, {TOKENS} tokens at twice 20/s for {SECONDS} s: {mean:+.3} % in all, {:+.3} .. {:+.3} % a token",
        off(least.unwrap_or(0)),
        off(most.unwrap_or(0))
    ));
    assert!(mean.abs() < 1.0, "within 1 %");
}

/// Resident bytes of this process.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize =
        text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * 4096
}

fn memory(tokens: &[(AccountId, Arc<str>)]) -> Limits {
    // Never met, and never full again while the bench runs: what is full would be shed.
    let never_met = caps("1/s", 1_000_000);
    let limits = Limits::new(&settings(never_met, caps("1000000/s", 1_000_000)));
    let before = resident();
    for (account, token) in tokens {
        black_box(limits.admit(*account, token, Class::Read));
    }
    let bytes = (resident() - before) as f64 / tokens.len() as f64;
    say(&format!("resident bytes a token, {} known: {bytes:.0}", limits.known().0));
    limits
}

/// Nanoseconds of one `check`, the same tokens in the same scattered order for all.
fn cost(tokens: &[(AccountId, Arc<str>)], mut check: impl FnMut(&(AccountId, Arc<str>))) -> f64 {
    const CHECKS: usize = 300_000;
    let began = Instant::now();
    for n in 0..CHECKS {
        check(&tokens[n * 7919 % tokens.len()]);
    }
    began.elapsed().as_nanos() as f64 / CHECKS as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    let tokens = tokens();
    let one = vec![tokens[0].clone()];
    accuracy(&tokens);
    let limits = memory(&tokens);
    let map: HashMap<(AccountId, Arc<str>), u64> = tokens.iter().map(|token| (token.clone(), 1)).collect();
    for (what, tokens) in [("100,000 tokens in turn", &tokens), ("one token", &one)] {
        let (mut checks, mut look_ups) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            checks.push(cost(tokens, |(account, token)| {
                black_box(limits.admit(*account, token, Class::Read));
            }));
            look_ups.push(cost(tokens, |token| {
                black_box(map.get(token));
            }));
        }
        let (check, look_up) = (median(checks), median(look_ups));
        say(&format!(
            "{what}: {check:.0} ns a check (token and account), {look_up:.0} ns a bare HashMap look-up: {:.1} times",
            check / look_up
        ));
    }
}
