//! A provider that closes is left in two commands: adopt what it holds, then drain it.

use std::{process::Command, process::Stdio, sync::Arc, time::Duration};

use pinfold::{
    app::{self, Gateway, Tuning},
    config::{self, Environment},
    engine,
    model::{
        Clock, Content, Job, JobId, JobKind, JobState, ListQuery, ManualClock, PinCid, Status, StatusSet,
        Timestamp,
    },
    sim::{Asked, Route, Sim},
    telemetry::Metrics,
};
use tempfile::TempDir;

const PINS: u64 = 5_000;
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// Real time in which anything here comes to its end.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between looks, in real time.
const LOOK: Duration = Duration::from_millis(50);
/// By then every new copy is looked at, and a drain passes over what is left.
const CONFIRMED: Duration = Duration::from_secs(40);
const PASSED: Duration = Duration::from_secs(20);

fn cid(n: u64) -> PinCid {
    let digest = [n.to_be_bytes(); 4].concat();
    let content = Content::from_bytes(&[&[1, 0x55, 0x12, 32][..], &digest].concat()).expect("a content");
    PinCid::canonical(content)
}

struct House {
    sims: Vec<Sim>,
    dir: TempDir,
    clock: Arc<ManualClock>,
    gateway: Gateway,
}

impl House {
    async fn start() -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let mut sims = Vec::new();
        for name in ["closing", "beta", "gamma"] {
            sims.push(Sim::builder(name).clock(clock.clone()).start().await);
        }
        let dir = crate::scratch();
        let store = dir.path().join("pins.db");
        let entry = |n: usize, name: &str| {
            format!(
                "  - {{ name: {name}, exclusive: true, budget: {{ concurrency: 64 }}, endpoint: \"{}\", token: {name} }}\n",
                sims[n].endpoint()
            )
        };
        let yaml = format!(
            "server: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n\
             store: {{ url: \"sqlite:{}\" }}\nproviders:\n{}{}{}\
             policies: [ {{ name: default, copies: 1, choose: least_loaded, providers: [closing, beta, gamma] }} ]\n\
             accounts: [ {{ name: ada, tokens: [ {{ name: desk, secret: token-of-ada }} ] }} ]\n",
            store.display(),
            entry(0, "closing"),
            entry(1, "beta"),
            entry(2, "gamma"),
        );
        let loaded = config::parse("config.yaml", &yaml, dir.path(), &Environment::default());
        let settings = loaded.unwrap_or_else(|problems| panic!("{problems}")).settings;
        let engine =
            engine::Settings { longest_sleep: Duration::from_millis(20), ..engine::Settings::default() };
        let tuning = Tuning { engine, clock: Some(clock.clone() as Arc<dyn Clock>), ..Tuning::default() };
        let gateway = Gateway::start(settings, &tuning, Metrics::new()).await;
        let gateway = gateway.unwrap_or_else(|error| panic!("{error:#}"));
        Self { sims, dir, clock, gateway }
    }

    /// What the command line says, with its exit code.
    async fn run(&self, words: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
        command.args(words).args(["--admin", &format!("http://{}", self.gateway.admin())]);
        command.arg("--admin-token-file").arg(app::admin_token_file(&self.dir.path().join("pins.db")));
        command.env_clear().stdin(Stdio::null());
        let run = tokio::task::spawn_blocking(move || command.output().expect("the binary runs"));
        let output = run.await.expect("it ends");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().expect("an exit code"), String::from_utf8(text).expect("UTF-8"))
    }

    async fn drain(&self) -> JobId {
        let (code, told) = self.run(&["provider", "drain", "closing"]).await;
        assert_eq!(code, 0, "{told}");
        let open = self.gateway.store().jobs(None, false, 2).await.expect("read");
        assert!(matches!(&open[..], [drain] if drain.kind == JobKind::Drain), "{open:?}");
        open[0].id
    }

    /// Looks, in real time, until it is so; the clock goes on by a little.
    async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let waited = async {
            while !holds().await {
                tokio::time::sleep(LOOK).await;
                self.clock.advance(LOOK);
            }
        };
        tokio::time::timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("{what}: {:?}", self.held()));
    }

    async fn job(&self, job: JobId) -> Job {
        self.gateway.store().job(job).await.expect("read").expect("there")
    }

    async fn count(&self, statuses: StatusSet) -> u64 {
        let account = self.gateway.account("ada").expect("of the config");
        let query = ListQuery { limit: 1, ..ListQuery::with_statuses(statuses) };
        self.gateway.store().list_pins(account, query).await.expect("listed").count
    }

    fn calls(&self, sim: usize, route: Route) -> u64 {
        self.sims[sim].counts().calls(route)
    }

    fn held(&self) -> Vec<usize> {
        self.sims.iter().map(|sim| sim.pins().len()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_closes_is_left_in_two_commands() {
    let house = House::start().await;
    for n in 0..PINS {
        let name = Some(format!("photo {n}"));
        house.sims[0].plant(Asked { cid: cid(n), name, meta: None, origins: Vec::new() });
    }
    let words = ["provider", "adopt", "closing", "--account", "ada", "--wait"];
    let (code, told) = house.run(&words).await;
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        code == 0 && words.contains("5000 pins were made") && words.contains("theirs only 5000"),
        "{told}"
    );
    assert_eq!((house.count(StatusSet::ALL).await, house.held()), (PINS, vec![5000, 0, 0]));
    let job = house.drain().await;
    house
        .until("copies are made elsewhere", async || {
            house.calls(1, Route::Add) + house.calls(2, Route::Add) == PINS
        })
        .await;
    assert_eq!(house.sims[0].pins().len(), 5000, "what nobody has confirmed takes nothing away");
    house.clock.advance(CONFIRMED);
    house.until("it is empty", async || house.calls(0, Route::Remove) == PINS).await;
    house.clock.advance(PASSED);
    house.until("the drain ends", async || house.job(job).await.state.has_ended()).await;
    assert_eq!(house.job(job).await.state, JobState::Done);
    let held = house.held();
    assert_eq!((held[0], held[1] + held[2]), (0, 5000), "nothing is left there, all is elsewhere");
    assert_eq!(house.count(StatusSet::from_iter([Status::Pinned])).await, PINS, "every pin is whole");
    let gone: usize = house.sims.iter().map(|sim| sim.pins().made_twice().len()).sum();
    assert_eq!(gone, 0, "nothing was made twice");
    house.gateway.stop(Duration::from_secs(20)).await.expect("nothing died");
}

#[tokio::test]
async fn what_cannot_be_adopted_is_said_with_what_can() {
    let house = House::start().await;
    for (words, expected) in [
        (&["provider", "adopt", "delta", "--account", "ada"][..], "there are closing, beta, gamma"),
        (&["provider", "adopt", "beta", "--account", "eve"], "there is ada"),
        (&["provider", "adopt", "beta", "--account", "ada", "--policy", "x"], "there is default"),
    ] {
        let (code, told) = house.run(words).await;
        assert!(code == 1 && told.contains(expected), "{words:?}: {told}");
    }
    house.gateway.stop(Duration::from_secs(20)).await.expect("nothing died");
}
