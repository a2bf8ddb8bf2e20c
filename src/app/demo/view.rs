//! What the demo shows: a live table in a terminal, plain lines of what changed anywhere else.

use std::time::Duration;

use comfy_table::{ContentArrangement, Row, Table, presets::UTF8_BORDERS_ONLY};

use super::{
    providers::Provider,
    screen::{Room, Screen},
};
use crate::{
    app::Gateway,
    lifecycle::Shutdown,
    model::{AccountId, Health, ListQuery, ProviderRecord, ReplicaState, StatusSet},
    sim::Route,
    store::{PinRecord, SharedStore, StoreError},
};

/// How often the screen follows the store.
const EVERY: Duration = Duration::from_millis(500);
/// Lines of the screen that are no rows of pins.
const FRAME: u16 = 14;

pub(super) struct View {
    store: SharedStore,
    account: Option<AccountId>,
    providers: Vec<Provider>,
    live: bool,
}

/// What is shown at one moment.
pub(super) struct Shown {
    count: u64,
    pub(super) pins: Vec<PinRecord>,
    pub(super) providers: Vec<ProviderRecord>,
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
                Ok(shown) if self.live => screen.draw(|room| self.tables(&shown, room)),
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

    fn tables(&self, shown: &Shown, room: Room) -> String {
        let mut providers = table(room, ["provider", "health", "pins there", "submits", "looks", "removes"]);
        for provider in &self.providers {
            let record = shown.providers.iter().find(|record| record.name == provider.name);
            let health = record.map_or(Health::Healthy, |record| record.health);
            let counts = provider.sim.counts();
            let looks = counts.calls(Route::List) + counts.calls(Route::Get);
            providers.add_row(row([
                provider.name.to_owned(),
                health.to_string(),
                provider.sim.pins().len().to_string(),
                counts.calls(Route::Add).to_string(),
                looks.to_string(),
                counts.calls(Route::Remove).to_string(),
            ]));
        }
        let mut pins = table(room, ["pin", "cid", "status", "copies"]);
        for pin in shown.pins.iter().take(usize::from(room.height.saturating_sub(FRAME))) {
            pins.add_row(row([title(pin), short(&pin.cid), pin.status.as_str().to_owned(), copies(pin)]));
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

/// A row that takes one line, whatever it holds.
fn row<const N: usize>(cells: [String; N]) -> Row {
    let mut row = Row::from(cells);
    row.max_height(1);
    row
}

fn table<const N: usize>(room: Room, header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(room.width)
        .set_truncation_indicator("…")
        .set_header(header);
    table
}

/// The name, else the CID, shortened to what a row holds.
pub(super) fn title(pin: &PinRecord) -> String {
    const LONGEST: usize = 28;
    let whole = pin.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&pin.cid);
    // A name may hold anything: control characters would move the cursor.
    let mut short: String = whole.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if whole.chars().count() > LONGEST {
        short.push('…');
    }
    short
}

/// The end of a CID, which is where CIDs differ.
fn short(cid: &str) -> String {
    let ends: Vec<char> = cid.chars().rev().take(6).collect();
    format!("…{}", ends.iter().rev().collect::<String>())
}

/// How many copies there are, and how far the others are.
pub(super) fn copies(pin: &PinRecord) -> String {
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
