//! `POST /pins/{requestid}`: another pin in place of one, in each of the ways that services have.

use crate::{model::Timestamp, presets::Replace};

use crate::sim::{asked::Asked, errors::Problem, reply::Answer, shown::Place, world::Inside};

impl Inside {
    pub(super) fn replace(&mut self, id: &str, body: &[u8], now: Timestamp) -> Result<Answer, Problem> {
        self.fits(id)?;
        let asked = Asked::parse(body, &self.behaviour)?;
        let old = self.pins.get(id).ok_or(Problem::NoSuchPin)?;
        let same = old.asked.cid.content() == asked.cid.content();
        let code = self.behaviour.codes.replace;
        match self.behaviour.replace {
            Replace::DeletesFirst => self.replace_in_pieces(id, asked, now),
            Replace::Refuses if same => Err(Problem::SameCid),
            Replace::InPlace if same => {
                if let Some(held) = self.pins.get_mut(id) {
                    held.asked = asked;
                }
                self.show(code, id, now, Place::Posted)
            }
            Replace::Unpins if same => {
                let shown = self.show(code, id, now, Place::Posted);
                self.take_away(id, now);
                shown
            }
            _ => {
                self.can_pay()?;
                self.has_room(now)?;
                self.take_away(id, now);
                self.take(asked, code, now)
            }
        }
    }

    /// Not atomic: what fails after the old pin is gone leaves none.
    fn replace_in_pieces(&mut self, id: &str, asked: Asked, now: Timestamp) -> Result<Answer, Problem> {
        self.take_away(id, now);
        self.can_pay()?;
        self.take(asked, self.behaviour.codes.replace, now)
    }
}
