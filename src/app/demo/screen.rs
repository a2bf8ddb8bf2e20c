//! The terminal: a block of text drawn over itself, or lines of what changed.

use std::{
    collections::HashMap,
    io::{self, Write, stdout},
};

use super::view::{Shown, copies, title};
use crate::model::{Health, RequestId, Status};

const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Writes to stdout; a reader that went away is no failure of the demo.
pub(in crate::app) fn say(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// The terminal's size, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) width: u16,
    pub(super) height: u16,
}

impl Room {
    fn now() -> Self {
        // Where the terminal does not tell, or says 0, the classic size is the best guess.
        let (width, height) =
            crossterm::terminal::size().ok().filter(|(w, h)| *w > 0 && *h > 0).unwrap_or((80, 24));
        Self { width, height }
    }
}

/// What is on the screen, or was told, so far.
pub(super) struct Screen {
    live: bool,
    drawn: String,
    room: Room,
    pins: HashMap<RequestId, (Status, u16)>,
    health: HashMap<String, Health>,
}

impl Screen {
    pub(super) fn new(live: bool) -> Self {
        let (drawn, room) = (String::new(), Room::now());
        let screen = Self { live, drawn, room, pins: HashMap::new(), health: HashMap::new() };
        if live {
            screen.write(HIDE_CURSOR);
        }
        screen
    }

    /// Draws over what was drawn before, if it is not the same.
    pub(super) fn draw(&mut self, text: impl FnOnce(Room) -> String) {
        let room = Room::now();
        let text = cropped(&text(room), room);
        if text == self.drawn && room == self.room {
            return;
        }
        let back = match self.drawn.lines().count() {
            0 => String::new(),
            // A resize has moved the lines: where they are now is not known.
            _ if room != self.room => CLEAR.to_owned(),
            lines => format!("\x1b[{lines}A"),
        };
        // Line over line: a screen that is cleared whole flickers, and some terminals keep it in their history.
        let lines = text.replace('\n', "\x1b[K\n");
        self.write(&format!("{back}{lines}\x1b[J"));
        (self.drawn, self.room) = (text, room);
    }

    /// One line for everything that is not as it was.
    pub(super) fn tell(&mut self, shown: &Shown) {
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

/// As much as fits: the cursor cannot go back to lines that have left the screen, nor count those that wrapped.
fn cropped(text: &str, room: Room) -> String {
    let (width, height) = (usize::from(room.width), usize::from(room.height.saturating_sub(1)));
    text.lines().take(height).map(|line| line.chars().take(width).collect::<String>() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_leaves_room_for_the_cursor_and_never_wraps() {
        let room = Room { width: 3, height: 3 };
        assert_eq!(cropped("│abc\nd\ne\n", room), "│ab\nd\n");
        assert_eq!(cropped("a\n", Room { width: 3, height: 1 }), "");
    }
}
