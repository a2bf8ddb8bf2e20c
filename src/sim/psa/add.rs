//! `POST /pins`: a new pin, or the one that is there.

use crate::{
    model::{Status, Timestamp},
    presets::{Duplicates, RefreshOrigins},
};

use crate::sim::{
    asked::Asked, behaviour::Account, errors::Problem, reply::Answer, shown::Place, world::Inside,
};

impl Inside {
    pub(super) fn add(&mut self, body: &[u8], now: Timestamp) -> Result<Answer, Problem> {
        let asked = Asked::parse(body, &self.behaviour)?;
        self.can_pay()?;
        self.take(asked, self.behaviour.codes.add, now)
    }

    pub(super) fn can_pay(&self) -> Result<(), Problem> {
        match self.behaviour.account {
            Account::NoFunds => Err(Problem::NoFunds),
            Account::NoPlan | Account::Locked => Err(Problem::NoPlan),
            Account::Good => Ok(()),
        }
    }

    pub(super) fn has_room(&self, now: Timestamp) -> Result<(), Problem> {
        let queued = || self.pins.queued(self.behaviour.pin_after, now);
        let full = self.behaviour.max_queued.is_some_and(|max| queued() >= max);
        if full { Err(Problem::QueueFull) } else { Ok(()) }
    }

    /// Makes a pin and answers with this code, or does what is done with duplicates.
    pub(super) fn take(&mut self, asked: Asked, code: u16, now: Timestamp) -> Result<Answer, Problem> {
        if let Some(id) = self.twin(&asked) {
            if self.behaviour.duplicates != Duplicates::Reissued {
                return self.existing(&id, asked, code, now);
            }
            self.pins.remove(&id);
        }
        self.has_room(now)?;
        let id = self.insert(asked, now);
        self.show(code, &id, now, Place::Posted)
    }

    /// The pin that a POST of this is a duplicate of.
    fn twin(&self, asked: &Asked) -> Option<String> {
        let mut of_content = self.pins.of(asked.cid.content());
        let twin = match self.behaviour.duplicates {
            Duplicates::New => None,
            Duplicates::Same | Duplicates::Reissued => of_content.next(),
            Duplicates::SameText => of_content.find(|held| held.asked.cid.as_str() == asked.cid.as_str()),
        };
        twin.map(|held| held.id.clone())
    }

    fn existing(&mut self, id: &str, asked: Asked, code: u16, now: Timestamp) -> Result<Answer, Problem> {
        if self.behaviour.refresh_origins == Some(RefreshOrigins::Post)
            && let Some(held) = self.pins.get_mut(id)
        {
            held.asked = Asked { cid: held.asked.cid.clone(), ..asked };
        }
        self.show(self.behaviour.existing_code.unwrap_or(code), id, now, Place::Existing)
    }

    /// Whether a new pin of this stays queued, because the node has the content pinned.
    pub(in crate::sim) fn sticks(&self, asked: &Asked, now: Timestamp) -> bool {
        let mut of_content = self.pins.of(asked.cid.content());
        let pinned = |held| self.status(held, now) == Status::Pinned || held.is_stuck();
        self.behaviour.dialect.repins_stick && of_content.any(pinned)
    }
}
