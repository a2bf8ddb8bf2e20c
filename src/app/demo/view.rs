//! What the demo shows: a live table in a terminal, plain lines of what changed anywhere else.

use std::{
    collections::HashMap,
    io::{self, Write, stdout},
    time::Duration,
};

use comfy_table::{ContentArrangement, Table, presets::UTF8_BORDERS_ONLY};

use super::providers::Provider;
use crate::{
    app::Gateway,
    lifecycle::Shutdown,
    model::{AccountId, Health, ListQuery, ProviderRecord, ReplicaState, RequestId, Status, StatusSet},
    sim::Route,
    store::{PinRecord, SharedStore, StoreError},
};

/// How often the screen follows the store.
const EVERY: Duration = Duration::from_millis(500);
const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";

/// Writes to stdout; a reader that went away is no failure of the demo.
pub(super) fn say(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

pub(super) struct View {
    store: SharedStore,
    account: Option<AccountId>,
    providers: Vec<Provider>,
    live: bool,
}

/// What is shown at one moment.
struct Shown {
    count: u64,
    pins: Vec<PinRecord>,
    providers: Vec<ProviderRecord>,
}

impl View {
    pub(super) fn new(gateway: &Gateway, providers: Vec<Provider>, live: bool) -> Self {
        Self { store: gateway.store().clone(), account: gateway.account("demo"), providers, live }
    }

    /// Shows what is and what changes, until stopping begins.
    pub(super) async fn run(self, shutdown: Shutdown) {
        let mut screen = Screen::new(self.live);
        let mut turns = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = shutdown.begun() => return,
                _ = turns.tick() => {}
            }
            match self.look().await {
                Ok(shown) if self.live => screen.draw(&self.tables(&shown)),
                Ok(shown) => screen.tell(&shown),
                Err(error) => tracing::error!(%error, "the store cannot be read"),
            }
        }
    }

    async fn look(&self) -> Result<Shown, StoreError> {
        let (mut count, mut pins) = (0, Vec::new());
        if let Some(account) = self.account {
            let page = self.store.list_pins(account, ListQuery::with_statuses(StatusSet::ALL)).await?;
            (count, pins) = (page.count, page.pins);
            for pin in pins.iter_mut().filter(|pin| pin.have < pin.want) {
                // Lists tell of the copies of unsettled pins only; here all that are missing are of interest.
                if let Some(whole) = self.store.get_pin(account, pin.requestid).await? {
                    *pin = whole;
                }
            }
        }
        Ok(Shown { count, pins, providers: self.store.providers().await? })
    }

    fn tables(&self, shown: &Shown) -> String {
        let mut providers = table(["provider", "health", "pins there", "submits", "looks", "removes"]);
        for provider in &self.providers {
            let record = shown.providers.iter().find(|record| record.name == provider.name);
            let health = record.map_or(Health::Healthy, |record| record.health);
            let counts = provider.sim.counts();
            let looks = counts.calls(Route::List) + counts.calls(Route::Get);
            providers.add_row([
                provider.name.to_owned(),
                health.to_string(),
                provider.sim.pins().len().to_string(),
                counts.calls(Route::Add).to_string(),
                looks.to_string(),
                counts.calls(Route::Remove).to_string(),
            ]);
        }
        let mut pins = table(["pin", "status", "copies", "created"]);
        for pin in &shown.pins {
            pins.add_row([title(pin), pin.status.as_str().to_owned(), copies(pin), pin.created.to_string()]);
        }
        let total = shown.count;
        let end = match total {
            0 => "No pins yet: send one with the lines above.".to_owned(),
            1 => "1 pin".to_owned(),
            _ => format!("{total} pins; the newest are shown"),
        };
        format!("{providers}\n\n{pins}\n{end}\n")
    }
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    table
}

/// The name, else the CID, shortened to what a row holds.
fn title(pin: &PinRecord) -> String {
    const LONGEST: usize = 28;
    let whole = pin.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&pin.cid);
    // A name may hold anything: control characters would move the cursor.
    let mut short: String = whole.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if whole.chars().count() > LONGEST {
        short.push('…');
    }
    short
}

/// How many copies there are, and how far the others are.
fn copies(pin: &PinRecord) -> String {
    let waiting: Vec<String> = pin
        .copies
        .iter()
        .filter(|copy| copy.state != ReplicaState::Pinned)
        .map(|copy| match &copy.error {
            Some((class, _)) => format!("{} {class}", copy.provider),
            None if copy.state == ReplicaState::None => format!("{} waits", copy.provider),
            None => format!("{} {}", copy.provider, copy.state),
        })
        .collect();
    let head = format!("{}/{}", pin.have, pin.want);
    if waiting.is_empty() { head } else { format!("{head}  {}", waiting.join(", ")) }
}

/// What is on the screen, or was told, so far.
struct Screen {
    live: bool,
    lines: usize,
    pins: HashMap<RequestId, (Status, u16)>,
    health: HashMap<String, Health>,
}

impl Screen {
    fn new(live: bool) -> Self {
        let screen = Self { live, lines: 0, pins: HashMap::new(), health: HashMap::new() };
        if live {
            screen.write(HIDE_CURSOR);
        }
        screen
    }

    /// Draws over what was drawn before.
    fn draw(&mut self, text: &str) {
        let up = match self.lines {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\x1b[J"),
        };
        self.lines = text.lines().count();
        self.write(&format!("{up}{text}"));
    }

    /// One line for everything that is not as it was.
    fn tell(&mut self, shown: &Shown) {
        let mut text = String::new();
        for provider in &shown.providers {
            let before = self.health.insert(provider.name.clone(), provider.health);
            if before.unwrap_or(Health::Healthy) != provider.health {
                text.push_str(&format!("provider {} is {}\n", provider.name, provider.health));
            }
        }
        for pin in shown.pins.iter().rev() {
            let now = (pin.status, pin.have);
            if self.pins.insert(pin.requestid, now) != Some(now) {
                text.push_str(&format!(
                    "pin {} is {}, copies {}\n",
                    title(pin),
                    pin.status.as_str(),
                    copies(pin)
                ));
            }
        }
        // Only the newest pins are watched, so only those need remembering.
        self.pins.retain(|id, _| shown.pins.iter().any(|pin| pin.requestid == *id));
        self.write(&text);
    }

    fn write(&self, text: &str) {
        if let Err(error) = say(text) {
            tracing::error!(%error, "cannot write to stdout");
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.live {
            self.write(SHOW_CURSOR);
        }
    }
}
