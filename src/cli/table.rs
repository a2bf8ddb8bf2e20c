//! Lists on stdout. Tables for people: drawn and fitted at a terminal, plain columns anywhere else; lines of JSON for
//! programs.

use std::io::{IsTerminal, stdout};

use comfy_table::{
    ContentArrangement, Table,
    presets::{NOTHING, UTF8_BORDERS_ONLY},
};
use serde_json::Value;

/// How what is printed looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// A terminal is looking: lines are drawn, and long texts folded to its width.
    pub(super) drawn: bool,
    pub(super) colours: bool,
}

impl Look {
    #[cfg(test)]
    pub(super) const PLAIN: Self = Self { drawn: false, colours: false };

    pub(super) fn of_stdout() -> Self {
        let drawn = stdout().is_terminal();
        Self { drawn, colours: drawn && !super::no_color() }
    }
}

pub(super) fn table<const N: usize>(look: Look, header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.set_header(header);
    if !look.colours {
        table.force_no_tty();
    }
    if look.drawn {
        let (width, _) = crossterm::terminal::size().ok().filter(|(width, _)| *width > 0).unwrap_or((80, 24));
        let fitted = table.load_style(UTF8_BORDERS_ONLY);
        fitted.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    } else {
        // One row a line, so that other programs can read it.
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.column_iter_mut().for_each(|column| {
            column.set_padding((0, 2));
        });
    }
    table
}

/// The table as lines without spaces at their ends.
pub(super) fn lines(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Each as a line of JSON.
pub(super) fn json_lines(items: &[Value]) -> String {
    items.iter().map(|item| format!("{item}\n")).collect()
}
