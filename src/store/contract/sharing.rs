//! Accounts share a provider by weight (I9), however little a claim takes.

use std::collections::VecDeque;

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{Backend, house::*};
use crate::{model::*, store::*};

const WEIGHTS: [u32; 5] = [1, 2, 3, 7, 1];

async fn weighted<B: Backend>(weights: &[u32]) -> House<B> {
    let mut house = House::<B>::open().await;
    let mut declared = config();
    for (n, weight) in weights.iter().enumerate() {
        let weight = Weight::new(*weight).unwrap();
        declared.accounts.push(AccountDecl { weight, ..AccountDecl::new(format!("w{n}"), "one") });
    }
    declared.accounts.drain(..ACCOUNTS.len());
    house.register(declared, t(0)).await.unwrap();
    house
}

/// What one claim of so many singles takes, in its order, answered at once: each an account, and the op.
async fn take<B: Backend>(house: &House<B>, singles: u32, now: i64) -> Vec<(usize, Op)> {
    let request = ClaimRequest { singles, looks: 0, ..house.due(0, t(now)) };
    let claims = house.store().claim_due(request).await.unwrap().claims;
    let owner = |claim: &Claim| usize::try_from(owner(&claim.content)).unwrap();
    let taken = claims.iter().map(|claim| (owner(claim), claim.op)).collect();
    let outcomes = claims.iter().map(|claim| Outcome { key: claim.key, word: well(claim) }).collect();
    house.store().record_outcomes(outcomes, t(now)).await.unwrap();
    taken
}

/// Contents are numbered so that their owner can be told.
fn number(account: usize, n: u64) -> u64 {
    n * 16 + account as u64
}

fn owner(content: &Content) -> u64 {
    let bytes = content.as_bytes();
    u64::from(bytes[bytes.len() - 1]) % 16
}

/// The accounts' queues as a model: who waits, and what each pair got while both did.
struct Shares {
    waiting: Vec<u64>,
    /// By pair: what the first and the second were served since both have waited without a break.
    since: Vec<Vec<(u32, u32)>>,
    /// What others were served since it came, of one that has not been served since.
    new: Vec<Option<u32>>,
}

impl Shares {
    fn new(accounts: usize) -> Self {
        let since = vec![vec![(0, 0); accounts]; accounts];
        Self { waiting: vec![0; accounts], since, new: vec![None; accounts] }
    }

    fn arrives(&mut self, account: usize, pins: u64) {
        if self.waiting[account] == 0 && pins > 0 {
            self.forget(account);
            self.new[account] = Some(0);
        }
        self.waiting[account] += pins;
    }

    fn forget(&mut self, account: usize) {
        for other in 0..self.since.len() {
            self.since[account][other] = (0, 0);
            self.since[other][account] = (0, 0);
        }
    }

    fn served(&mut self, account: usize) {
        self.new[account] = None;
        let waits = |other: &usize| *other != account && self.waiting[*other] > 0;
        for other in (0..self.since.len()).filter(waits).collect::<Vec<_>>() {
            self.since[account][other].0 += 1;
            self.since[other][account].1 += 1;
            self.new[other] = self.new[other].map(|waited| waited + 1);
        }
        self.waiting[account] -= 1;
        if self.waiting[account] == 0 {
            self.forget(account);
        }
        self.check();
    }

    fn check(&self) {
        let all: u32 = WEIGHTS.iter().sum();
        for (one, weight) in WEIGHTS.iter().enumerate() {
            assert!(
                self.new[one].is_none_or(|waited| waited <= all - weight),
                "{one} waits for {:?}",
                self.new
            );
            for (two, other) in WEIGHTS.iter().enumerate().filter(|(two, _)| *two != one) {
                let (mine, theirs) = self.since[one][two];
                let (mine, theirs) =
                    (f64::from(mine) / f64::from(*weight), f64::from(theirs) / f64::from(*other));
                assert!((mine - theirs).abs() <= 1.0 + 1e-9, "turns of {one} and {two}: {mine} and {theirs}");
            }
        }
    }
}

/// I9: whatever comes when, and however much a claim takes: two accounts that wait are never further apart than one
/// turn, and one that comes is served before anybody had two.
pub(in crate::store) async fn accounts_are_served_by_weight<B: Backend>() {
    for seed in 0..3 {
        let house = weighted::<B>(&WEIGHTS).await;
        let (mut chance, mut shares) = (StdRng::seed_from_u64(seed), Shares::new(WEIGHTS.len()));
        let mut next = 0;
        for step in 1..150 {
            let account = chance.random_range(0..WEIGHTS.len());
            let pins = if chance.random_bool(0.2) { 30 } else { chance.random_range(0..4) };
            for _ in 0..pins {
                next += 1;
                house.add(account, "one", number(account, next), t(step)).await;
            }
            shares.arrives(account, pins);
            let singles = if chance.random_bool(0.5) { 1 } else { chance.random_range(1..12) };
            for (account, _) in take(&house, singles, step).await {
                shares.served(account);
            }
        }
    }
}

/// I9: a mass delete does not keep new pins of the same account waiting for ever, nor those of others for more than
/// a turn.
pub(in crate::store) async fn three_removes_go_before_each_submit<B: Backend>() {
    let house = weighted::<B>(&[1, 1]).await;
    let mut gone = VecDeque::new();
    for n in 0..20 {
        gone.push_back(house.add(0, "one", number(0, n), t(1)).await);
    }
    house.serve(0, t(2), well).await;
    for pin in gone {
        house.delete(0, pin, t(3)).await;
    }
    for n in 20..24 {
        house.add(0, "one", number(0, n), t(3)).await;
    }
    let mut ops = Vec::new();
    for step in 4..12 {
        ops.extend(take(&house, 1, step).await.into_iter().map(|(_, op)| op));
    }
    let four = [Op::Remove, Op::Remove, Op::Remove, Op::Submit];
    assert_eq!(ops, [four, four].concat());
    house.add(1, "one", number(1, 99), t(12)).await;
    let owners: Vec<_> = take(&house, 2, 13).await.into_iter().map(|(account, _)| account).collect();
    assert!(owners.contains(&1), "{owners:?}");
}

/// Polls of pins on their way go before re-checks of what is there, whoever owns them.
pub(in crate::store) async fn new_pins_are_looked_at_before_old_ones<B: Backend>() {
    let house = weighted::<B>(&[1, 1]).await;
    for n in 0..10 {
        house.add(0, "one", number(0, n), t(1)).await;
    }
    house.serve(0, t(2), well).await;
    house.add(1, "one", number(1, 99), t(3)).await;
    let sent = house.claim(0, t(4)).await;
    house.say(&sent[0], landed(&sent[0], Status::Queued), t(4)).await;
    let one = ClaimRequest { singles: 0, looks: 1, ..house.due(0, t(30 * DAY)) };
    let claims = house.store().claim_due(one).await.unwrap().claims;
    assert_eq!(claims.iter().map(|claim| claim.op).collect::<Vec<_>>(), [Op::Poll]);
}
