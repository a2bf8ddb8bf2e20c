use super::*;
use crate::{
    http::scripted::{Act, Server},
    model::ManualClock,
    presets::Presets,
    providers::{Credential, Endpoint},
    sim::{Asked, Fault, Outcome, Route, Sim},
    telemetry::Metrics,
};

const CID: &str = "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const OLD: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
const OTHER: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
const PEER: &str = "/ip4/8.8.8.8/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

const PACE: Pace = Pace {
    silence: Duration::from_secs(10),
    turn: Duration::from_secs(10),
    again: Duration::from_millis(5),
    again_max: Duration::from_millis(5),
    grace: Duration::from_millis(100),
};

fn node(url: &str, token: &str, clock: Arc<ManualClock>, pace: Pace, slots: usize, line: usize) -> Kubo {
    let (endpoint, token) = (Endpoint::parse(url).unwrap(), Credential::token(&token.into()).unwrap());
    let mut settings = Settings::of(Presets::known("kubo"), "home", endpoint, token);
    settings.retry_base = Duration::ZERO;
    let client = http::Client::new(&http::Settings::default());
    let kubo = Kubo::new(settings, client, clock, Metrics::new().provider("home"));
    let fetches = Fetches::new(kubo.rpc.clone(), pace).bounded(slots, line);
    Kubo { fetches, ..kubo }
}

struct Lab {
    sim: Sim,
    clock: Arc<ManualClock>,
    kubo: Kubo,
}

impl Lab {
    async fn new(tune: impl FnOnce(crate::sim::Builder) -> crate::sim::Builder) -> Self {
        Self::with(tune, PACE, 16, 100).await
    }

    async fn with(
        tune: impl FnOnce(crate::sim::Builder) -> crate::sim::Builder,
        pace: Pace,
        slots: usize,
        line: usize,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let sim = Sim::playing(&Presets::known("kubo"), "t0k3n").clock(clock.clone());
        let sim = tune(sim).start().await;
        let kubo = node(&sim.url(), "t0k3n", clock.clone(), pace, slots, line);
        Self { sim, clock, kubo }
    }

    /// What a restart does: all that is in memory is gone.
    fn restart(&mut self) {
        self.kubo = node(&self.sim.url(), "t0k3n", self.clock.clone(), PACE, 16, 100);
    }

    async fn submit(&self, cid: &str) -> Result<Status, ProviderError> {
        let submit = submit(cid, &[]);
        self.kubo.submit(submit).await.map(|accepted| accepted.pin.status)
    }

    async fn see(&self, unfinished: bool) -> Result<Option<Status>, ProviderError> {
        self.see_as(CID, unfinished).await
    }

    async fn see_as(&self, id: &str, unfinished: bool) -> Result<Option<Status>, ProviderError> {
        let (id, content) = (UpstreamId::new(id).unwrap(), content(id));
        let known = Known { id: &id, content: &content, unfinished, name: Some("a name"), origins: &[] };
        Ok(self.kubo.see(known).await?.map(|pin| pin.status))
    }

    async fn remove(&self, id: &str) -> Result<(), ProviderError> {
        self.kubo.remove(&UpstreamId::new(id).unwrap()).await
    }

    /// Looks until it is so.
    async fn until(&self, reached: impl Fn(Result<Option<Status>, ProviderError>) -> bool) {
        let looks = async {
            while !reached(self.see(true).await) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), looks).await.expect("the state is reached");
    }

    async fn until_sim(&self, reached: impl Fn(&Sim) -> bool) {
        let turns = async {
            while !reached(&self.sim) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), turns).await.expect("the state is reached");
    }

    fn plant(&self, cid: &str, hold: Option<&str>) {
        let meta = hold.map(|hold| [("hold".to_owned(), hold.to_owned())].into());
        let meta = meta.map(|meta| crate::model::Meta::try_new(meta).unwrap());
        let cid = PinCid::parse(cid).unwrap();
        self.sim.plant(Asked { cid, name: None, meta, origins: Vec::new() });
    }
}

fn content(cid: &str) -> Content {
    PinCid::parse(cid).unwrap().content().clone()
}

fn submit(cid: &str, origins: &[&str]) -> Submit {
    let origins = origins.iter().map(|&origin| origin.to_owned()).collect();
    Submit { content: content(cid), name: Some("a name".into()), origins, tag: "inst/1".into() }
}

fn is_pinned(seen: Result<Option<Status>, ProviderError>) -> bool {
    matches!(seen, Ok(Some(Status::Pinned)))
}

#[tokio::test]
async fn a_submit_is_answered_at_once_and_its_fetch_takes_its_time() {
    let lab = Lab::new(|sim| sim.pin_after(HOUR)).await;
    assert_eq!(lab.submit(CID).await.unwrap(), Status::Pinning);
    lab.until_sim(|sim| sim.counts().calls(Route::Add) == 1).await;
    let calls = lab.sim.counts().total();
    for _ in 0..10 {
        assert_eq!(lab.see(true).await.unwrap(), Some(Status::Pinning));
    }
    assert_eq!(lab.sim.counts().total(), calls);
    lab.clock.advance(HOUR);
    lab.until(is_pinned).await;
    let held = &lab.sim.pins().0;
    assert_eq!((held.len(), held[0].asked.name.as_deref()), (1, Some("a name")));
    assert!(is_pinned(lab.see(false).await));
}

#[tokio::test]
async fn a_fetch_that_a_restart_cut_off_is_begun_anew_and_one_that_was_done_is_lost() {
    let mut lab = Lab::new(|sim| sim.pin_after(HOUR)).await;
    lab.submit(CID).await.unwrap();
    lab.until_sim(|sim| sim.counts().calls(Route::Add) == 1).await;
    lab.restart();
    assert_eq!(lab.see(false).await.unwrap(), None);
    assert_eq!(lab.see(true).await.unwrap(), Some(Status::Pinning));
    lab.until_sim(|sim| sim.counts().calls(Route::Add) == 2).await;
    lab.clock.advance(HOUR * 2);
    lab.until(is_pinned).await;
    assert_eq!(lab.sim.pins().0[0].asked.name.as_deref(), Some("a name"));
}

#[tokio::test]
async fn a_fetch_that_the_node_refuses_fails_once_and_is_then_forgotten() {
    let lab = Lab::new(|sim| sim.fail_rate(1.0)).await;
    lab.submit(CID).await.unwrap();
    lab.until(|seen| matches!(seen, Ok(Some(Status::Failed)))).await;
    assert_eq!(lab.see(false).await.unwrap(), None);
    lab.sim.set(|is| is.fail.clear());
    lab.submit(CID).await.unwrap();
    lab.until(is_pinned).await;
}

#[tokio::test]
async fn a_node_that_goes_away_in_mid_fetch_is_told_of_and_goes_on_when_it_is_back() {
    let lab = Lab::new(crate::sim::Builder::never_pins).await;
    lab.submit(CID).await.unwrap();
    lab.until_sim(|sim| sim.counts().ended(Route::Add, Outcome::Answered(200)) == 1).await;
    lab.sim.faults().down();
    lab.until(|seen| seen.is_err_and(|error| error.class == ErrorClass::Transient)).await;
    lab.sim.faults().up();
    lab.sim.set(|is| is.pin_after = "0s".parse().unwrap());
    // The breaker may have opened meanwhile; it goes by the clock.
    lab.clock.advance(HOUR);
    lab.until(is_pinned).await;
}

#[tokio::test]
async fn a_node_that_falls_silent_counts_as_gone() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{}\n\r\n";
    let none = r#"{"Message":"path 'x' is not pinned","Code":0,"Type":"error"}"#;
    let begun = [Act::json(500, none), Act::Answer(head.into()), Act::Hang];
    let server = Server::start(begun).await;
    let pace = Pace { silence: Duration::from_millis(20), again: HOUR, ..PACE };
    let kubo = node(&server.url(), "t0k3n", Arc::new(ManualClock::at(NOW)), pace, 1, 1);
    let (id, content) = (id_of(&content(CID)), content(CID));
    let begun = kubo.resume(Known { id: &id, content: &content, unfinished: true, name: None, origins: &[] });
    assert_eq!(begun.await.unwrap().status, Status::Pinning);
    let silent = async {
        loop {
            if let Some(State::Broken(error)) = kubo.fetches.state(&content) {
                return error;
            }
            tokio::task::yield_now().await;
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(30), silent).await.unwrap();
    assert!(error.text.contains("silent"), "{error}");
}

#[tokio::test]
async fn a_direct_pin_made_by_hand_is_neither_replaced_nor_taken_away() {
    let lab = Lab::new(|sim| sim).await;
    lab.plant(CID, Some("direct"));
    assert!(lab.kubo.look_up(&[content(CID)]).await.unwrap().is_empty());
    let error = lab.submit(CID).await.unwrap_err();
    assert_eq!((error.class, error.maybe_done), (ErrorClass::Rejected, false));
    assert!(error.text.contains(&format!("ipfs pin add {CID}")), "{error}");
    assert_eq!(lab.see(true).await.unwrap(), Some(Status::Failed));
    lab.remove(CID).await.unwrap();
    assert_eq!((lab.sim.pins().len(), lab.sim.counts().calls(Route::Add)), (1, 0));
}

#[tokio::test]
async fn a_pin_made_by_hand_is_found_in_whatever_spelling() {
    for cid in [CID, OLD] {
        let lab = Lab::new(|sim| sim).await;
        lab.plant(cid, None);
        let found = lab.kubo.look_up(&[content(CID), content(OTHER)]).await.unwrap();
        assert_eq!((found.len(), found[0].id.as_str(), found[0].status), (1, cid, Status::Pinned));
        assert!(is_pinned(lab.see_as(cid, false).await));
    }
}

#[tokio::test]
async fn a_remove_ends_the_fetch_and_a_pin_that_is_not_there_is_removed() {
    let lab = Lab::new(|sim| sim.pin_after(HOUR)).await;
    lab.submit(CID).await.unwrap();
    lab.until_sim(|sim| sim.counts().ended(Route::Add, Outcome::Answered(200)) == 1).await;
    lab.remove(CID).await.unwrap();
    lab.clock.advance(HOUR * 2);
    assert_eq!(lab.see(false).await.unwrap(), None);
    lab.remove(CID).await.unwrap();
    assert!(lab.sim.pins().is_empty());
    lab.submit(CID).await.unwrap();
    lab.until_sim(|sim| sim.counts().calls(Route::Add) == 2).await;
    lab.clock.advance(HOUR * 2);
    lab.until(is_pinned).await;
    lab.remove(CID).await.unwrap();
    assert_eq!(lab.sim.deletes().len(), 1);
}

#[tokio::test]
async fn fetches_beyond_the_slots_wait_and_beyond_the_line_are_put_off() {
    let lab = Lab::with(crate::sim::Builder::never_pins, PACE, 1, 2).await;
    assert_eq!(lab.submit(CID).await.unwrap(), Status::Pinning);
    lab.until_sim(|sim| sim.counts().calls(Route::Add) == 1).await;
    assert_eq!(lab.submit(OTHER).await.unwrap(), Status::Queued);
    assert_eq!(lab.see_as(OTHER, true).await.unwrap(), Some(Status::Queued));
    let third = "bafkreie7q3iidccmpvszul7kudcvvuavuo7u6gzlbobczuk5nqk3b4akba";
    let error = lab.submit(third).await.unwrap_err();
    assert_eq!((error.class, error.retry_at), (ErrorClass::Throttled, Some(NOW.plus(FULL_WAIT))));
    assert_eq!(lab.see_as(third, true).await.unwrap(), Some(Status::Queued));
    // Even with one slot the budget is free: what is fetched holds no permit.
    assert_eq!(lab.kubo.readiness(NOW), ready(lab.kubo.traits.concurrency));
}

#[tokio::test]
async fn a_direct_pin_that_was_made_while_a_fetch_waited_in_line_is_left_alone() {
    let lab = Lab::with(crate::sim::Builder::never_pins, PACE, 1, 10).await;
    lab.submit(OTHER).await.unwrap();
    lab.until_sim(|sim| sim.counts().calls(Route::Add) == 1).await;
    lab.submit(CID).await.unwrap();
    lab.plant(CID, Some("direct"));
    lab.remove(OTHER).await.unwrap();
    lab.until(|seen| matches!(seen, Ok(Some(Status::Failed)))).await;
    assert_eq!(lab.sim.counts().calls(Route::Add), 1);
}

#[tokio::test]
async fn a_fetch_in_which_nothing_moves_makes_room_for_those_that_wait() {
    let pace = Pace { turn: Duration::ZERO, ..PACE };
    let lab = Lab::with(crate::sim::Builder::never_pins, pace, 1, 10).await;
    lab.submit(CID).await.unwrap();
    lab.submit(OTHER).await.unwrap();
    let asked = |sim: &Sim, cid: &str| {
        let of = |entry: &&crate::sim::LogEntry| {
            entry.route == Route::Add && entry.content.as_ref() == Some(&content(cid))
        };
        sim.log().iter().filter(of).count()
    };
    lab.until_sim(|sim| asked(sim, CID) >= 2 && asked(sim, OTHER) >= 2).await;
}

#[tokio::test]
async fn origins_are_connected_to_while_it_fetches_also_later_ones() {
    let lab = Lab::new(crate::sim::Builder::never_pins).await;
    lab.kubo.submit(submit(CID, &[PEER])).await.unwrap();
    lab.until_sim(|sim| sim.connected() == [PEER]).await;
    let later = PEER.replace("8.8.8.8", "8.8.4.4");
    let (id, content) = (id_of(&content(CID)), content(CID));
    let known = Known { id: &id, content: &content, unfinished: true, name: None, origins: &[] };
    lab.kubo.introduce(known, submit(CID, &["/nonsense", &later])).await.unwrap();
    lab.until_sim(|sim| sim.connected().contains(&later)).await;
}

#[tokio::test]
async fn delegates_are_the_nodes_public_addresses_asked_for_once() {
    let private = PEER.replace("8.8.8.8", "127.0.0.1");
    let lab = Lab::new(|sim| sim.delegates([private.as_str(), PEER])).await;
    for cid in [CID, OTHER] {
        let accepted = lab.kubo.submit(submit(cid, &[])).await.unwrap();
        assert_eq!(accepted.pin.delegates, [PEER]);
    }
    assert_eq!(lab.sim.counts().calls(Route::List), 1);
}

#[tokio::test]
async fn a_refused_credential_and_a_wrong_address_are_told_apart() {
    let lab = Lab::new(|sim| sim).await;
    let stranger = node(&lab.sim.url(), "wr0ng-t0k3n", lab.clock.clone(), PACE, 1, 1);
    let error = stranger.look_up(&[content(CID)]).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Auth);
    assert!(error.text.contains("API.Authorizations") && !error.text.contains("t0k3n"), "{error}");
    let gateway = Server::start([Act::json(404, "404 page not found")]).await;
    let lost = node(&gateway.url(), "t0k3n", lab.clock.clone(), PACE, 1, 1);
    let error = lost.look_up(&[content(CID)]).await.unwrap_err();
    assert_eq!((error.class, error.maybe_done), (ErrorClass::Unknown, false));
    assert!(error.text.contains("http://127.0.0.1:5001"), "{error}");
}

#[tokio::test]
async fn a_node_that_does_not_answer_a_submit_was_asked_for_nothing() {
    let lab = Lab::new(|sim| sim).await;
    lab.sim.faults().always(Route::Get, Fault::status(500));
    let error = lab.submit(CID).await.unwrap_err();
    assert_eq!(
        (error.operation, error.class, error.maybe_done),
        (Operation::Submit, ErrorClass::Transient, false)
    );
    assert_eq!(lab.sim.counts().calls(Route::Add), 0);
}

fn ready(permits: usize) -> Readiness {
    Readiness::Ready { permits, trial: false, shut: Default::default() }
}
