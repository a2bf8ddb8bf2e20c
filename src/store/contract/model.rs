//! Random lives of many pins against the rules: after every step all counts and statuses are worked out anew from
//! what is listed.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{Backend, house::*};
use crate::{
    model::*,
    policy::{Tally, merge, replica::Work},
    store::*,
};

const STEPS: usize = 250;
const CONTENTS: u64 = 6;
const POLICIES: [&str; 4] = ["one", "two", "both", "some"];

/// What the test knows of a pin that is there.
#[derive(Clone, Copy)]
struct Known {
    account: usize,
    policy: &'static str,
    content: u64,
    was_pinned: bool,
    created: Timestamp,
    meta: Option<&'static str>,
    expires: Option<Timestamp>,
}

/// Meta as pins have it here, and as it is kept.
const METAS: [Option<&str>; 3] = [None, Some(r#"{"a":"b"}"#), Some(r#"{"color":"grün","of":"it"}"#)];

struct World<B> {
    house: House<B>,
    chance: StdRng,
    now: i64,
    pins: BTreeMap<RequestId, Known>,
    gone: BTreeSet<RequestId>,
    /// Per account: the last day of an acceptance, and how many there were.
    days: [(i64, u64); 2],
    /// Adds and replaces that were over a quota.
    refused: u64,
    /// Claims whose outcomes are still to come.
    out: Vec<Claim>,
    ids: u64,
}

impl<B: Backend> World<B> {
    async fn new(seed: u64) -> Self {
        let house = House::<B>::open().await;
        let chance = StdRng::seed_from_u64(seed);
        Self {
            house,
            chance,
            now: 0,
            pins: BTreeMap::new(),
            gone: BTreeSet::new(),
            days: [(0, 0); 2],
            refused: 0,
            out: vec![],
            ids: 0,
        }
    }

    async fn step(&mut self) {
        self.now += match self.chance.random_range(0..20) {
            0 => 9 * DAY,
            1..4 => 70_000,
            _ => 10,
        };
        match self.chance.random_range(0..20) {
            0..4 => self.accept().await,
            4..6 => self.replace().await,
            6..8 => self.delete().await,
            8..12 => self.claim().await,
            12..17 => self.answer().await,
            17 => self.expire().await,
            18 => self.observe().await,
            _ => drop(self.house.crash(t(self.now)).await),
        }
        self.house.drain(t(self.now)).await;
    }

    fn known(&mut self) -> Option<(RequestId, Known)> {
        let all: Vec<_> = self.pins.iter().map(|(id, known)| (*id, *known)).collect();
        all.choose(&mut self.chance).copied()
    }

    fn wish(&mut self, account: usize) -> (AcceptPin, Known) {
        let policy = *POLICIES.choose(&mut self.chance).unwrap();
        let content = self.chance.random_range(0..CONTENTS);
        let mut request = self.house.request(account, policy, content, t(self.now));
        let meta = *METAS.choose(&mut self.chance).unwrap();
        request.spec.meta = meta.map(|meta| Meta::from_json(meta).unwrap());
        request.quota = self.quota(account);
        let soon = self.now + self.chance.random_range(1..200_000);
        request.expires = self.chance.random_bool(0.2).then_some(t(soon));
        let expires = request.expires;
        (request, Known { account, policy, content, was_pinned: false, created: t(0), meta, expires })
    }

    /// What has come to its end is gone, and nothing else.
    async fn expire(&mut self) {
        let (store, now) = (self.house.store(), t(self.now));
        store.expire_held(now).await.unwrap();
        let step = store.expire_pins(now, 1000).await.unwrap();
        let ended: Vec<_> =
            self.pins.extract_if(.., |_, known| known.expires.is_some_and(|end| end <= now)).collect();
        assert_eq!(step.pins, ended.len() as u64);
        assert_eq!(step.next, self.pins.values().filter_map(|known| known.expires).min());
        self.gone.extend(ended.into_iter().map(|(pin, _)| pin));
    }

    /// Near to what the account has, or none.
    fn quota(&mut self, account: usize) -> Quota {
        let [pins, today, bytes] = self.used(account);
        let mut near = |used: u64, by: u64| {
            self.chance.random_bool(0.3).then(|| (used + self.chance.random_range(0..by)).saturating_sub(1))
        };
        Quota { pins: near(pins, 4), pins_per_day: near(today, 4), meta_bytes: near(bytes, 40) }
    }

    /// Pins, those accepted today, and bytes of meta, counted up.
    fn used(&self, account: usize) -> [u64; 3] {
        let mine = || self.pins.values().filter(|known| known.account == account);
        let bytes = mine().map(|known| known.meta.map_or(0, str::len) as u64).sum();
        let (day, accepted) = self.days[account];
        [mine().count() as u64, if day == self.day() { accepted } else { 0 }, bytes]
    }

    fn day(&self) -> i64 {
        t(self.now).as_millis().div_euclid(DAY)
    }

    /// Whether a quota allows a pin in place of what is `freed`, as the rules are written in the docs.
    fn allows(&self, quota: Quota, known: &Known, freed: Option<&Known>) -> bool {
        let [pins, today, bytes] = self.used(known.account);
        let length = |known: &Known| known.meta.map_or(0, str::len) as u64;
        let (more, less) = (length(known), freed.map_or(0, length));
        let within = |most: Option<u64>, used: u64| most.is_none_or(|most| used <= most);
        (freed.is_some() || within(quota.pins, pins + 1))
            && within(quota.pins_per_day, today + 1)
            && (more <= less || within(quota.meta_bytes, bytes + more - less))
    }

    fn note(&mut self, accepted: PinRecord, known: Known) {
        let today = self.day();
        let (day, n) = &mut self.days[known.account];
        *n = if *day == today { *n + 1 } else { 1 };
        *day = today;
        self.pins.insert(accepted.requestid, Known { created: accepted.created, ..known });
    }

    async fn accept(&mut self) {
        let account = self.chance.random_range(0..2);
        let (request, known) = self.wish(account);
        let allowed = self.allows(request.quota, &known, None);
        match self.house.store().accept_pin(request).await {
            Ok(pin) if allowed => self.note(pin, known),
            Err(StoreError::OverQuota(_)) if !allowed => self.refused += 1,
            other => panic!("{other:?}, allowed: {allowed}"),
        }
    }

    async fn replace(&mut self) {
        let Some((old, was)) = self.known() else { return };
        let (request, known) = self.wish(was.account);
        let allowed = self.allows(request.quota, &known, Some(&was));
        let kept = was.content == known.content && was.was_pinned;
        match self.house.store().replace_pin(old, request).await {
            Ok(Some(pin)) if allowed => {
                self.note(pin, Known { was_pinned: kept, ..known });
                self.forget(old);
            }
            Err(StoreError::OverQuota(_)) if !allowed => self.refused += 1,
            other => panic!("{other:?}, allowed: {allowed}"),
        }
    }

    async fn delete(&mut self) {
        let Some((pin, known)) = self.known() else { return };
        assert!(self.house.delete(known.account, pin, t(self.now)).await);
        self.forget(pin);
    }

    fn forget(&mut self, pin: RequestId) {
        self.pins.remove(&pin);
        self.gone.insert(pin);
    }

    async fn claim(&mut self) {
        let provider = self.chance.random_range(0..3);
        let most = self.chance.random_range(0..4);
        let exclusive = self.chance.random();
        let request = ClaimRequest {
            singles: most,
            looks: most,
            exclusive,
            allowance: None,
            max_queued: None,
            introduces: true,
            ..self.house.due(provider, t(self.now))
        };
        self.out.extend(self.house.store().claim_due(request).await.unwrap().claims);
    }

    async fn observe(&mut self) {
        let provider = self.chance.random_range(0..3);
        let health = *Health::ALL.choose(&mut self.chance).unwrap();
        // The dead stay so until they can be used: without this nearly all would be.
        for health in [Health::Healthy, health] {
            self.house.note(provider, health, t(self.now)).await;
        }
        let id = self.house.providers[provider];
        self.house.store().respill(id, Respill::All, ContentId(0), 1000).await.unwrap();
    }

    async fn answer(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let which = self.chance.random_range(0..self.out.len());
        let claim = self.out.swap_remove(which);
        let now = t(self.now);
        if claim.work == Work::Look && claim.goal == Goal::Keep && self.chance.random() {
            let until = t(self.now + 1000);
            let began = self.house.store().begin_submits(vec![claim.key], until, now, now).await.unwrap();
            if began.is_empty() {
                return;
            }
        }
        let word = self.word(&claim);
        self.house.say(&claim, word.clone(), now).await;
        assert_eq!(self.house.say(&claim, word, now).await.stale, 1, "an outcome counts once");
    }

    fn word(&mut self, claim: &Claim) -> Word {
        if self.chance.random_ratio(1, 8) {
            return Word::Deferred { until: t(self.now + 50) };
        }
        if self.chance.random_ratio(1, 3) {
            return self.failure();
        }
        let status = *Status::ALL.choose(&mut self.chance).unwrap();
        self.ids += 1;
        let upstream = UpstreamId::new(format!("up-{}", self.ids)).unwrap();
        let delegates = vec![format!("/dnsaddr/{}.example", self.ids % 3)];
        match &claim.work {
            Work::Submit => Word::Landed { upstream, status, delegates, existed: false },
            Work::Look if self.chance.random() => Word::NotFound { asked_at: t(self.now) },
            Work::Look => {
                Word::Found { upstream, status, delegates, ours: self.chance.random(), doubles: vec![] }
            }
            Work::See(_) if self.chance.random_ratio(1, 6) => Word::Gone,
            Work::See(_) => Word::Seen { status, delegates, why: None },
            Work::Delete(_) | Work::Forget => Word::Removed,
        }
    }

    fn failure(&mut self) -> Word {
        let class = *ErrorClass::ALL.choose(&mut self.chance).unwrap();
        error(class, self.chance.random())
    }

    /// All that must hold whenever nothing is left to the background.
    async fn check(&mut self) {
        let mut counted = BTreeMap::new();
        let (mut short, mut at_risk) = (0, 0);
        let providers = self.house.store().providers().await.unwrap();
        let dead = providers.into_iter().filter(|provider| provider.health == Health::Dead);
        let dead: Vec<String> = dead.map(|provider| provider.name).collect();
        for (account, name) in ACCOUNTS.iter().enumerate() {
            let all = self.house.list(account, StatusSet::ALL).await;
            assert_eq!(all.count, all.pins.len() as u64);
            assert!(all.pins.is_sorted_by(|one, two| one.created > two.created), "newest first (I4)");
            for pin in &all.pins {
                *counted.entry(((*name).to_owned(), pin.status.code())).or_insert(0) += 1;
                let is_short = self.check_pin(account, pin, &dead).await;
                short += u64::from(is_short);
                at_risk += u64::from(is_short && self.pins[&pin.requestid].was_pinned);
            }
            assert_eq!(all.count, self.pins.values().filter(|known| known.account == account).count() as u64);
        }
        for pin in &self.gone {
            assert!(self.house.find(0, *pin).await.is_none() && self.house.find(1, *pin).await.is_none());
        }
        self.check_counts(&counted, short).await;
        let stats = self.house.store().stats(t(self.now)).await.unwrap();
        assert_eq!(stats.short_since.is_some(), at_risk > 0, "of those that were pinned");
        self.house.backend.check().await;
    }

    /// Holds one pin to its own copies; whether it is short of any.
    async fn check_pin(&mut self, account: usize, listed: &PinRecord, dead: &[String]) -> bool {
        let pin = self.house.find(account, listed.requestid).await.expect("what is listed is there");
        assert_eq!((pin.status, pin.have, pin.created), (listed.status, listed.have, listed.created));
        let known = self.pins.get_mut(&pin.requestid).expect("what was deleted is not listed");
        assert_eq!((pin.created, pin.expires), (known.created, known.expires), "immutable (I3)");
        let policy = config().policies.into_iter().find(|policy| policy.name == known.policy).unwrap();
        let hoped = |copy: &&CopyRecord| {
            let nothing =
                matches!(copy.state, ReplicaState::None | ReplicaState::Lost | ReplicaState::Failed);
            nothing && !copy.refused
        };
        let dead = |name: &String| dead.contains(name);
        let alive: Vec<_> = pin.copies.iter().filter(|copy| !dead(&copy.provider)).collect();
        let count = |state: ReplicaState| alive.iter().filter(|copy| copy.state == state).count() as u16;
        let pinned = count(ReplicaState::Pinned);
        let tally = Tally {
            pinned,
            alive: pinned,
            pinning: count(ReplicaState::Pinning),
            queued: count(ReplicaState::Queued) + alive.iter().copied().filter(hoped).count() as u16,
        };
        let unasked = |name: &&&str| !pin.copies.iter().any(|copy| copy.provider == **name);
        let open = PROVIDERS.iter().filter(unasked).filter(|name| !dead(&(**name).to_owned())).count() as u16;
        assert_eq!(pin.have, tally.pinned);
        assert_eq!(pin.status, merge(tally, open, policy.need, known.was_pinned), "{pin:?}");
        known.was_pinned |= pin.status == Status::Pinned;
        pin.have < policy.copies.min
    }

    async fn check_counts(&self, counted: &BTreeMap<(String, i64), u64>, short: u64) {
        let stats = self.house.store().stats(t(self.now)).await.unwrap();
        for (account, status, pins) in &stats.pins {
            let listed = counted.get(&(account.clone(), status.code())).copied().unwrap_or(0);
            assert_eq!(*pins, listed, "{account} {status:?}");
        }
        for (account, name) in ACCOUNTS.iter().enumerate() {
            for status in Status::ALL {
                let page = self.house.list(account, StatusSet::EMPTY.with(status)).await;
                let listed = counted.get(&((*name).to_owned(), status.code())).copied().unwrap_or(0);
                assert_eq!((page.count, page.pins.len() as u64), (listed, listed), "{name} {status:?}");
            }
        }
        assert_eq!((stats.under_replicated, stats.remerge), (short, 0));
        for (account, name) in ACCOUNTS.iter().enumerate() {
            let used = stats.used.iter().filter(|(other, _, _)| other == name).map(|(_, _, used)| *used);
            assert_eq!(used.collect::<Vec<_>>(), self.used(account), "{name} in the order of the quotas");
        }
    }
}

/// I10: list, count, GET and the gauges agree, and each status follows from the copies.
pub(in crate::store) async fn counters_and_statuses_agree_after_every_random_step<B: Backend>() {
    for seed in 0..2 {
        let mut world = World::<B>::new(seed).await;
        for _ in 0..STEPS {
            world.step().await;
            world.check().await;
        }
        assert!(world.refused > 0, "quotas were met");
    }
}

/// I6: once no pin is left and every provider does as it is told, nothing is kept of any copy.
pub(in crate::store) async fn nothing_is_left_once_all_is_deleted<B: Backend>() {
    for seed in 100..102 {
        let mut world = World::<B>::new(seed).await;
        for _ in 0..STEPS {
            world.step().await;
        }
        for (pin, known) in std::mem::take(&mut world.pins) {
            assert!(world.house.delete(known.account, pin, t(world.now)).await);
        }
        for round in 1..6 {
            for provider in 0..3 {
                world.house.serve(provider, t(world.now + round * 30 * DAY), well).await;
            }
        }
        world.check().await;
        let stats = world.house.store().stats(t(world.now)).await.unwrap();
        assert_eq!(stats.replicas.iter().map(|(_, _, n)| n).sum::<u64>(), 0);
    }
}
