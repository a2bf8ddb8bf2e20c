//! Who is let in when, by a clock that is turned by hand.

use std::{net::Ipv6Addr, time::Duration};

use proptest::prelude::*;

use super::{table::PARTS, *};

const ADA: AccountId = AccountId(1);
const BEN: AccountId = AccountId(2);
const SECOND: Duration = Duration::from_secs(1);

fn limit(rate: &str, burst: u32) -> Option<Limit> {
    Some(Limit::new(rate.parse().unwrap(), burst).unwrap())
}

fn reads(rate: &str, burst: u32) -> Caps {
    Caps { read: limit(rate, burst), write: None }
}

/// No limit but what a test adds.
fn open() -> Settings {
    Settings { each_token: Caps::default(), failed_logins: None, ..Settings::default() }
}

struct House {
    limits: Limits,
    clock: ManualTicks,
}

impl House {
    fn new(settings: &Settings) -> Self {
        let clock = ManualTicks::default();
        Self { limits: Limits::with_ticks(settings, Ticks::manual(&clock)), clock }
    }

    /// With room for `most` tokens and as many networks.
    fn small(settings: &Settings, most: usize) -> Self {
        let clock = ManualTicks::default();
        Self { limits: Limits::bounded(settings, Ticks::manual(&clock), most, most), clock }
    }

    fn read(&self, account: AccountId, token: &str) -> Admission {
        self.limits.admit(account, &token.into(), Class::Read)
    }

    /// How many of `tries` reads are let in.
    fn let_in(&self, account: AccountId, token: &str, tries: usize) -> usize {
        (0..tries).filter(|_| self.read(account, token).refusal().is_none()).count()
    }

    fn login(&self, from: &str) -> Admission {
        self.limits.failed_login(from.parse().unwrap(), Class::Read)
    }
}

#[test]
fn a_burst_is_let_in_at_once_and_then_one_at_a_time() {
    let house = House::new(&Settings { each_token: reads("10/s", 5), ..open() });
    assert_eq!(house.let_in(ADA, "laptop", 20), 5);
    house.clock.advance(SECOND / 10);
    assert_eq!(house.let_in(ADA, "laptop", 20), 1);
    house.clock.advance(SECOND * 60);
    assert_eq!(house.let_in(ADA, "laptop", 20), 5, "no more than the burst is saved up");
}

#[test]
fn a_refusal_tells_when_the_next_is_let_in() {
    let house = House::new(&Settings { each_token: reads("1/min", 1), ..open() });
    let first = house.read(ADA, "laptop").standing.unwrap();
    assert_eq!(first, Standing { limit: 1, remaining: 0, full_in: SECOND * 60 });
    house.clock.advance(SECOND * 18);
    let over = house.read(ADA, "laptop").refusal().unwrap();
    assert_eq!((over.kind, over.class, over.retry_in), (Kind::Token, Class::Read, SECOND * 42));
    house.clock.advance(over.retry_in - Duration::from_nanos(1));
    assert!(house.read(ADA, "laptop").refusal().is_some());
    house.clock.advance(Duration::from_nanos(1));
    assert!(house.read(ADA, "laptop").refusal().is_none());
}

#[test]
fn what_is_left_is_counted_down_and_comes_back() {
    let house = House::new(&Settings { each_token: reads("10/s", 10), ..open() });
    let left = |admission: Admission| admission.standing.unwrap().remaining;
    assert_eq!((0..3).map(|_| left(house.read(ADA, "laptop"))).collect::<Vec<_>>(), [9, 8, 7]);
    house.clock.advance(SECOND / 10);
    let standing = house.read(ADA, "laptop").standing.unwrap();
    assert_eq!(standing, Standing { limit: 10, remaining: 7, full_in: SECOND * 3 / 10 });
}

#[test]
fn reads_and_writes_are_paid_from_two_purses() {
    let each_token = Caps { read: limit("1/s", 1), write: limit("1/s", 1) };
    let house = House::new(&Settings { each_token, ..open() });
    let write = || house.limits.admit(ADA, &"laptop".into(), Class::Write).refusal();
    assert_eq!(house.let_in(ADA, "laptop", 2), 1);
    assert!(write().is_none());
    assert_eq!(write().map(|over| over.class), Some(Class::Write));
}

#[test]
fn tokens_are_told_apart_by_name_and_account() {
    let house = House::new(&Settings { each_token: reads("1/s", 2), ..open() });
    for (account, token) in [(ADA, "laptop"), (ADA, "phone"), (BEN, "laptop")] {
        assert_eq!(house.let_in(account, token, 5), 2);
    }
}

#[test]
fn a_token_may_have_limits_of_its_own_or_none() {
    let tokens = [((ADA, "phone".into()), reads("1/s", 1)), ((ADA, "import".into()), Caps::default())];
    let house = House::new(&Settings { each_token: reads("1/s", 3), tokens: tokens.into(), ..open() });
    assert_eq!(house.let_in(ADA, "laptop", 5), 3);
    assert_eq!(house.let_in(ADA, "phone", 5), 1);
    assert_eq!(house.let_in(ADA, "import", 500), 500);
    assert_eq!(house.read(ADA, "import").standing, None);
}

#[test]
fn an_accounts_tokens_share_its_limit_and_are_told_of_the_tighter_one() {
    let accounts = [(ADA, reads("1/s", 5))].into();
    let house = House::new(&Settings { each_token: reads("1/s", 3), accounts, ..open() });
    assert_eq!(house.let_in(ADA, "laptop", 10), 3);
    let over = house.read(ADA, "laptop").refusal().unwrap();
    assert_eq!((over.kind, over.limit.burst()), (Kind::Token, 3), "the token's own is met first");
    let standing = house.read(ADA, "phone").standing.unwrap();
    assert_eq!(
        (standing.limit, standing.remaining),
        (5, 1),
        "what a token was refused costs the account nothing"
    );
    assert_eq!(house.let_in(ADA, "phone", 10), 1);
    assert_eq!(house.read(ADA, "tablet").refusal().map(|over| over.kind), Some(Kind::Account));
    assert_eq!(house.let_in(BEN, "laptop", 10), 3, "another account has no limit of its own");
}

#[test]
fn in_shadow_mode_all_is_let_in_and_told() {
    let house = House::new(&Settings { each_token: reads("1/s", 1), shadow: true, ..open() });
    assert!(house.read(ADA, "laptop").over.is_none());
    let second = house.read(ADA, "laptop");
    assert!(second.over.is_some() && second.refusal().is_none());
}

#[test]
fn failed_logins_are_counted_by_network() {
    let house = House::new(&Settings { failed_logins: limit("10/min", 2), ..open() });
    let spent = |from: &str| {
        let refusals = [(); 3].map(|()| house.login(from).refusal().map(|over| over.kind));
        assert_eq!(refusals, [None, None, Some(Kind::Login)], "{from}");
    };
    spent("192.0.2.1");
    assert!(house.login("192.0.2.2").refusal().is_none());
    assert!(house.login("::ffff:192.0.2.1").refusal().is_some(), "the same client");
    spent("2001:db8:0:1::1");
    assert!(house.login("2001:db8:0:1:ffff::2").refusal().is_some(), "its own network of 64 bits");
    assert!(house.login("2001:db8:0:2::1").refusal().is_none());
}

#[test]
fn failed_logins_without_a_limit_are_not_even_remembered() {
    let house = House::new(&open());
    assert_eq!(house.login("192.0.2.1"), Admission { standing: None, over: None, shadow: false });
    assert_eq!(house.limits.known(), (0, 0));
}

#[test]
fn a_change_of_one_limit_leaves_the_others_where_they_stand() {
    let each_token = Caps { read: limit("1/s", 3), write: limit("1/s", 3) };
    let accounts = [(ADA, Caps { read: limit("1/s", 9), write: None }), (BEN, reads("1/s", 9))].into();
    let old = Settings { each_token, accounts, failed_logins: limit("1/s", 2), ..Settings::default() };
    let house = House::new(&old);
    let write = || house.limits.admit(ADA, &"laptop".into(), Class::Write).standing.unwrap().remaining;
    assert_eq!((house.let_in(ADA, "laptop", 2), write(), house.let_in(BEN, "laptop", 2)), (2, 2, 2));
    assert!(house.login("192.0.2.1").refusal().is_none());

    let mut new = old.clone();
    new.each_token.write = limit("1/s", 50);
    new.accounts.insert(BEN, reads("1/s", 4));
    house.limits.replace(&new);
    assert_eq!(write(), 49, "what changed begins anew");
    assert_eq!(house.let_in(ADA, "laptop", 5), 1, "what did not goes on");
    assert_eq!(house.login("192.0.2.1").standing.unwrap().remaining, 0);
    assert_eq!(house.read(BEN, "phone").standing.unwrap().limit, 3);
    assert_eq!(house.let_in(ADA, "phone", 9), 3);
    assert_eq!(house.let_in(ADA, "tablet", 9), 3, "6 of the account's 9 were used, 2 of them before");

    house.limits.replace(&open());
    assert_eq!(house.let_in(ADA, "laptop", 100), 100);
    house.limits.replace(&new);
    assert_eq!(house.let_in(ADA, "laptop", 5), 3, "what was without a limit begins anew");
}

#[test]
fn tokens_beyond_the_bound_share_what_is_left_and_known_ones_keep_theirs() {
    const MOST: usize = 16 * PARTS;
    let house = House::small(&Settings { each_token: reads("1/h", 2), ..open() }, MOST);
    assert_eq!(house.let_in(ADA, "known", 1), 1);
    let crowd: Vec<String> = (0..4 * MOST).map(|n| n.to_string()).collect();
    let let_in: usize = crowd.iter().map(|token| house.let_in(BEN, token, 3)).sum();
    let (known, _) = house.limits.known();
    assert_eq!(known, MOST);
    assert_eq!(let_in, 2 * (known - 1) + 2 * PARTS, "each known one its own, and two for each part's rest");
    assert_eq!(house.let_in(ADA, "known", 3), 1);
    house.clock.advance(SECOND * 7200);
    assert_eq!(house.let_in(BEN, "late", 3), 2, "who is idle makes room");
}

#[test]
fn a_flood_of_networks_is_bounded_and_never_without_a_limit() {
    const MOST: usize = 16 * PARTS;
    let house = House::small(&Settings { failed_logins: limit("1/h", 1), ..open() }, MOST);
    let let_in = (0..MOST as u128 * 4)
        .filter(|n| {
            let from = Ipv6Addr::from_bits(n << 64).into();
            house.limits.failed_login(from, Class::Read).refusal().is_none()
        })
        .count();
    let (_, known) = house.limits.known();
    assert_eq!((known, let_in), (MOST, MOST + PARTS));
}

#[test]
fn a_limit_that_cannot_be_kept_is_refused() {
    let of = |rate: &str, burst| Limit::new(rate.parse().unwrap(), burst).map(drop);
    assert_eq!(of("1000000/s", 1_000_000), Ok(()));
    assert_eq!(of("1000001/s", 1), Err(LimitError::TooFast));
    assert_eq!(of("1/s", 0), Err(LimitError::NoBurst));
    assert_eq!(of("1/day", 366), Ok(()));
    assert_eq!(of("1/day", 367), Err(LimitError::TooSlow));
    assert_eq!(Limit::of("30/min".parse().unwrap()).unwrap().to_string(), "30/min, 30 at once");
}

#[test]
fn a_wait_is_told_in_whole_seconds_rounded_up() {
    let told = |nanos: u64| {
        let over = Over {
            kind: Kind::Token,
            class: Class::Read,
            limit: Limit::READ,
            retry_in: Duration::from_nanos(nanos),
        };
        over.retry_after()
    };
    assert_eq!([told(0), told(1), told(1_000_000_000), told(2_000_000_001)], [1, 1, 1, 3]);
}

proptest! {
    /// However clients come, no stretch of time holds more than the burst and what the rate gives in it; and one who
    /// never asks for more is never refused.
    #[test]
    fn no_stretch_holds_more_than_its_burst_and_rate(
        calls in 1u32..2000, burst in 1u32..200, pauses in prop::collection::vec(0u64..50_000_000, 1..120),
    ) {
        let limit = Limit::new(format!("{calls}/s").parse().unwrap(), burst).unwrap();
        let house = House::new(&Settings { each_token: Caps { read: Some(limit), write: None }, ..open() });
        let (mut now, mut taken) = (Duration::ZERO, Vec::new());
        for pause in pauses {
            house.clock.advance(Duration::from_nanos(pause));
            now += Duration::from_nanos(pause);
            if house.read(ADA, "laptop").refusal().is_none() {
                taken.push(now);
            }
        }
        for (first, from) in taken.iter().enumerate() {
            for (last, to) in taken.iter().enumerate().skip(first) {
                let most = f64::from(burst) + (*to - *from).as_secs_f64() * f64::from(calls) * 1.001;
                prop_assert!((last - first + 1) as f64 <= most + 1e-6);
            }
        }
    }

    #[test]
    fn who_keeps_to_the_rate_is_never_refused(calls in 1u32..5000, burst in 1u32..100, asked in 1usize..200) {
        let limit = Limit::new(format!("{calls}/s").parse().unwrap(), burst).unwrap();
        let house = House::new(&Settings { each_token: Caps { read: Some(limit), write: None }, ..open() });
        for _ in 0..asked {
            prop_assert!(house.read(ADA, "laptop").refusal().is_none());
            house.clock.advance(limit.interval());
        }
    }

    /// Retry-After's promise: who waits so long is let in.
    #[test]
    fn who_waits_as_long_as_told_is_let_in(calls in 1u32..100, burst in 1u32..50, pauses in prop::collection::vec(0u64..100_000_000, 1..100)) {
        let limit = Limit::new(format!("{calls}/s").parse().unwrap(), burst).unwrap();
        let house = House::new(&Settings { each_token: Caps { read: Some(limit), write: None }, ..open() });
        for pause in pauses {
            house.clock.advance(Duration::from_nanos(pause));
            if let Some(over) = house.read(ADA, "laptop").refusal() {
                house.clock.advance(over.retry_in);
                prop_assert!(house.read(ADA, "laptop").refusal().is_none());
            }
        }
    }
}
