//! The speed table: each figure is a ratio to a baseline measured in turn with it, in many short rounds.
//!
//! `cargo bench --bench speed -- [--pins N] [ROW...]`, rows `get post durable walk list disk start calls fanout death`; docs/performance.md
//! tells what each means. Seeded databases are kept under `target/bench`.

#[path = "speed/calls.rs"]
mod calls;
#[path = "speed/death.rs"]
mod death;
#[path = "speed/durable.rs"]
mod durable;
#[path = "speed/house.rs"]
mod house;
#[path = "speed/load.rs"]
mod load;
#[path = "speed/rows.rs"]
mod rows;

use std::io::Write;

/// One line of the table.
pub struct Figure {
    pub what: String,
    /// The ratio of each round.
    pub ratios: Vec<f64>,
    pub note: String,
}

impl Figure {
    fn print(&self) {
        let mut sorted = self.ratios.clone();
        sorted.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return };
        let median = sorted[sorted.len() / 2];
        say(&format!("{:<58} {median:>8.3}  [{least:.3}..{most:.3}]  {}", self.what, self.note));
    }
}

pub fn say(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").expect("stdout takes the figures");
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut pins, mut wanted) = (100_000, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--pins" => {
                let number = arguments.next().and_then(|text| text.parse().ok());
                pins = number.expect("--pins takes a number");
            }
            "--bench" => {}
            row => wanted.push(row.to_owned()),
        }
    }
    if wanted == [durable::CHILD] {
        return runtime().block_on(durable::child()).iter().for_each(Figure::print);
    }
    say(&format!("{pins} pins"));
    for row in ["get", "post", "durable", "walk", "list", "disk", "start", "calls", "fanout", "death"] {
        if wanted.is_empty() || wanted.iter().any(|name| name == row) {
            match row {
                "durable" => durable::run(),
                "calls" => runtime().block_on(calls::run()),
                "death" => runtime().block_on(death::run()),
                // A runtime a row: what it served, and the store's lock, go with it.
                row => runtime().block_on(rows::run(row, pins)).iter().for_each(Figure::print),
            }
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime starts")
}
