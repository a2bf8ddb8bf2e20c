//! `GET` and `DELETE /pins/{requestid}`.

use crate::model::Timestamp;

use crate::sim::{
    errors::Problem,
    ids,
    observe::Deleted,
    reply::{self, Answer},
    shown::Place,
    world::Inside,
};

impl Inside {
    /// Who keeps the states that were seen keeps this one.
    pub(super) fn get(&mut self, id: &str, now: Timestamp) -> Result<Answer, Problem> {
        self.fits(id)?;
        let pace = self.behaviour.pin_after;
        if let Some(held) = self.pins.get_mut(id) {
            held.recorded = held.status(pace, now);
        }
        self.show(200, id, now, Place::Read)
    }

    pub(super) fn remove(&mut self, id: &str, now: Timestamp) -> Result<Answer, Problem> {
        self.fits(id)?;
        let there = self.take_away(id, now);
        if !there && !self.behaviour.dialect.removes_unknown {
            return Err(Problem::NoSuchPin);
        }
        Ok(reply::removed(self.behaviour.codes.remove, self.behaviour.dialect.removed))
    }

    pub(super) fn fits(&self, id: &str) -> Result<(), Problem> {
        if ids::fits(self.behaviour.requestid, id) { Ok(()) } else { Err(Problem::BadId(id.to_owned())) }
    }

    /// Removes a pin at a caller's wish; whether it was there.
    pub(super) fn take_away(&mut self, id: &str, now: Timestamp) -> bool {
        let Some(held) = self.pins.remove(id) else { return false };
        let content = held.asked.cid.content().clone();
        self.seen.deleted(Deleted { at: now, id: held.id, content });
        true
    }
}
