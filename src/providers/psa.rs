//! Any server of the Pinning Services API, spoken to carefully and listened to leniently.

mod answer;
mod paging;
mod quirks;
mod request;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Accepted, Gateway, Held, Known, Provider, ProviderError, Readiness, Settings, Standing, Submit, Traits,
    UpstreamPage, UpstreamPin, classify::Expect, connection::Connection, stack::Answer,
};
use crate::{
    http,
    model::{Allowance, Clock, Content, ErrorClass, Operation, Reserved, Timestamp, UpstreamId},
    presets::RefreshOrigins,
    telemetry::ProviderMetrics,
};
use answer::{Listing, Reader};
use request::Requests;

pub(super) struct Psa {
    traits: Traits,
    requests: Requests,
    reader: Reader,
    connection: Connection,
    gateway: Option<Gateway>,
}

impl Psa {
    pub(super) fn new(
        settings: Settings,
        client: http::Client,
        clock: Arc<dyn Clock>,
        metrics: ProviderMetrics,
    ) -> Self {
        let preset = &settings.preset;
        let lists_tell = preset.true_rows.is_none();
        let traits = Traits {
            exclusive: settings.exclusive && !preset.shares_pins(),
            batch: preset.batch(),
            deadline: settings.deadline,
            settle: settings.settle,
            concurrency: settings.concurrency.max(1),
            max_queued: settings.max_queued,
            lists_tell,
            walks: preset.ordered != Some(false),
            sweeps: preset.can_be_swept(),
            resumes: false,
            introduces: preset.refresh_origins == Some(RefreshOrigins::Post),
        };
        let requests = Requests::new(&settings.endpoint);
        let reader = Reader { allow_private: settings.allow_private_delegates };
        let gateway = Gateway::of(&settings, &client, &clock);
        let connection = Connection::new(settings, client, clock, metrics);
        Self { traits, requests, reader, connection, gateway }
    }

    async fn ask(&self, id: &UpstreamId, deadline: Instant) -> Result<Option<UpstreamPin>, ProviderError> {
        let request = self.requests.see(id);
        match self.connection.call(Operation::Look, Expect::Pin, request, deadline).await? {
            Answer::Missing => Ok(None),
            Answer::Body { body, .. } => {
                let pin = self.reader.known_pin(&body, id);
                pin.map(|pin| Some(self.believed(pin)))
                    .map_err(|why| self.connection.senseless(Operation::Look, why))
            }
        }
    }

    /// A pin as the engine may believe it.
    fn believed(&self, mut pin: UpstreamPin) -> UpstreamPin {
        pin.why = pin.why.map(|why| self.connection.plain(&why));
        quirks::unstuck(self.connection.preset(), pin, self.connection.now())
    }

    async fn add(
        &self,
        submit: &Submit,
        origins: &[String],
        deadline: Instant,
    ) -> Result<Accepted, ProviderError> {
        let request = self.requests.add(submit, origins);
        let answer = self.connection.call(Operation::Submit, Expect::NewPin, request, deadline).await?;
        let Answer::Body { code, body } = answer else {
            return Err(self
                .connection
                .senseless(Operation::Submit, "the answer to a new pin says there is none"));
        };
        let pin = self.reader.new_pin(&body, &submit.content);
        let pin = self.believed(pin.map_err(|why| self.connection.senseless(Operation::Submit, why))?);
        let existed = self.connection.preset().existing_code == Some(code);
        Ok(Accepted { pin, existed })
    }

    async fn page(
        &self,
        operation: Operation,
        request: ::http::Request<Bytes>,
        deadline: Instant,
    ) -> Result<Listing, ProviderError> {
        let expect = Expect::Page { empty_404: self.connection.preset().empty_404 == Some(true) };
        match self.connection.call(operation, expect, request, deadline).await? {
            Answer::Missing => Ok(Listing::default()),
            Answer::Body { body, .. } => {
                self.reader.listing(&body).map_err(|why| self.connection.senseless(operation, why))
            }
        }
    }

    /// All pins that one `cid=` filter finds. Some ignore the filter and list everything: then their whole list is
    /// walked, since taking "not on the first page" for "not there" would have pins sent twice. Tells whether it was
    /// ignored.
    async fn find(
        &self,
        cids: &[String],
        asked: &[Content],
        deadline: Instant,
    ) -> Result<(Vec<UpstreamPin>, bool), ProviderError> {
        let (mut found, mut ignored, mut before) = (Vec::<UpstreamPin>::new(), false, None);
        loop {
            let listing = self.page(Operation::Look, self.requests.list(cids, before), deadline).await?;
            let next = paging::next(&listing, before);
            for pin in listing.pins {
                if !asked.contains(&pin.content) {
                    ignored = true;
                } else if !found.iter().any(|known| known.id == pin.id) {
                    found.push(self.believed(pin));
                }
            }
            match next {
                Some(_) => before = next,
                None => return Ok((found, ignored)),
            }
        }
    }

    /// Finds contents in their canonical spelling, then those that are missing in the old one: some compare CIDs as
    /// texts, and pins that others made there may be spelled so. Asking in two steps costs a second request only
    /// where something is missing.
    async fn find_in_any_spelling(
        &self,
        asked: &[Content],
        deadline: Instant,
    ) -> Result<Vec<UpstreamPin>, ProviderError> {
        let canonical: Vec<String> = asked.iter().map(Content::canonical).collect();
        let (mut found, ignored) = self.find(&canonical, asked, deadline).await?;
        let is_missing = |content: &&Content| !found.iter().any(|pin| pin.content == **content);
        let old: Vec<String> = asked.iter().filter(is_missing).filter_map(Content::v0).collect();
        if !ignored && !old.is_empty() {
            found.extend(self.find(&old, asked, deadline).await?.0);
        }
        Ok(found)
    }
}

#[async_trait]
impl Provider for Psa {
    fn name(&self) -> &str {
        &self.connection.settings().name
    }

    fn traits(&self) -> &Traits {
        &self.traits
    }

    fn gateway(&self) -> Option<&Gateway> {
        self.gateway.as_ref()
    }

    fn readiness(&self, now: Timestamp) -> Readiness {
        self.connection.readiness(now)
    }

    fn standing(&self, now: Timestamp) -> Standing {
        self.connection.standing(now)
    }

    fn allowance(&self) -> Option<Allowance> {
        self.connection.allowance(&self.traits)
    }

    fn credit(&self, calls: Vec<Reserved>) {
        self.connection.parts.budget.credit(calls);
    }

    async fn credential(&self) -> Held {
        self.connection.parts.keeper.held().await
    }

    fn take_up_credential(&self) {
        self.connection.parts.keeper.take_up();
    }

    async fn submit(&self, submit: Submit) -> Result<Accepted, ProviderError> {
        if let Some(why) = quirks::refuses(self.connection.preset(), &submit.content) {
            return Err(self.connection.failure(Operation::Submit, ErrorClass::Rejected, &why));
        }
        let submit = quirks::with_name(self.connection.preset(), submit);
        let deadline = self.connection.deadline();
        let first = self.add(&submit, &submit.origins, deadline).await;
        match first {
            // A refusal is certain to have done nothing, so asking once more cannot make a second pin.
            Err(error) if !submit.origins.is_empty() && is_about_origins(&error) => {
                self.add(&submit, &[], deadline).await
            }
            other => other,
        }
    }

    async fn look_up(&self, contents: &[Content]) -> Result<Vec<UpstreamPin>, ProviderError> {
        let deadline = self.connection.deadline();
        let mut found = Vec::new();
        for asked in contents.chunks(self.traits.batch) {
            found.extend(self.find_in_any_spelling(asked, deadline).await?);
        }
        if self.traits.lists_tell {
            return Ok(found);
        }
        let mut told = Vec::new();
        for pin in found {
            told.extend(self.ask(&pin.id, deadline).await?);
        }
        Ok(told)
    }

    async fn see(&self, pin: Known<'_>) -> Result<Option<UpstreamPin>, ProviderError> {
        self.ask(pin.id, self.connection.deadline()).await
    }

    async fn introduce(&self, pin: Known<'_>, submit: Submit) -> Result<(), ProviderError> {
        if self.connection.preset().refresh_origins != Some(RefreshOrigins::Post) {
            return Ok(());
        }
        let Accepted { pin: posted, .. } =
            self.add(&submit, &submit.origins, self.connection.deadline()).await?;
        if posted.id == *pin.id {
            return Ok(());
        }
        Err(self.connection.senseless(
            Operation::Submit,
            "a second submit made a second pin: correct the preset's refresh_origins",
        ))
    }

    async fn list(&self, before: Option<Timestamp>) -> Result<UpstreamPage, ProviderError> {
        let request = self.requests.list(&[], before);
        let listing = self.page(Operation::List, request, self.connection.deadline()).await?;
        let (edge, next) = (paging::edge(&listing), paging::next(&listing, before));
        let pins = listing.pins.into_iter().map(|pin| self.believed(pin)).collect();
        Ok(UpstreamPage { pins, next, edge })
    }

    async fn remove(&self, id: &UpstreamId) -> Result<(), ProviderError> {
        let request = self.requests.remove(id);
        self.connection
            .call(Operation::Remove, Expect::Gone, request, self.connection.deadline())
            .await
            .map(drop)
    }
}

fn is_about_origins(error: &ProviderError) -> bool {
    let refused = error.class == ErrorClass::Rejected && !error.maybe_done;
    refused && quirks::is_about_origins(&error.text)
}

#[cfg(test)]
mod tests;
