//! How a pin would be placed: the config in force, what tokens may, and how the providers stand.

use async_trait::async_trait;

use super::live::Live;
use crate::{
    admin::{ExplainError, Explained, Policies, ProviderConsidered, Question, RouteTried},
    auth::Principal,
    config::Settings,
    model::{AccountDecl, Content, PinSpec, ProviderId, ProviderRecord, Timestamp},
    policy::{Choice, Chooser, Considered, Footing, Placement, Policy, Sender, controls},
};

#[async_trait]
impl Policies for Live {
    async fn explain(&self, question: Question) -> Result<Explained, ExplainError> {
        let settings = self.settings.lock().await.clone();
        let Question { account, token, pin } = question;
        let (account, meta_controls) = account_of(&settings, account)?;
        let who = match token {
            None => None,
            Some(token) => Some(
                self.gate
                    .sender(&account.name, &token)
                    .ok_or_else(|| ExplainError::Token { account: account.name.clone(), token })?,
            ),
        };
        let sender = sender(account, meta_controls, who.as_deref());
        let now = self.clock.now();
        let choice = settings.routes.choose(&sender, &pin)?;
        let policy = policy_of(&settings, choice.policy)?;
        let until = until(&sender, &pin, policy, now)?;
        let tried = settings.routes.tried(&sender, &pin).into_iter().map(|tried| RouteTried {
            name: tried.route.name.clone(),
            policy: tried.route.policy.clone(),
            because: tried.because,
        });
        Ok(Explained {
            account: account.name.clone(),
            routes: tried.collect(),
            chosen: words(&choice, &settings),
            policy: policy.clone(),
            until,
            providers: self.considered(policy, &pin, until, now).await?,
        })
    }
}

fn account_of(settings: &Settings, name: Option<String>) -> Result<(&AccountDecl, bool), ExplainError> {
    let known = || settings.accounts.iter().map(|account| account.name.clone()).collect();
    let mut accounts = settings.accounts.iter().zip(&settings.terms);
    let found = match name {
        Some(name) => accounts
            .find(|(account, _)| account.name == name)
            .ok_or_else(|| ExplainError::Account { account: name, known: known() })?,
        None => match (accounts.next(), accounts.next()) {
            (Some(only), None) => only,
            _ => return Err(ExplainError::WhichAccount(known())),
        },
    };
    Ok((found.0, found.1.meta_controls))
}

fn sender<'a>(account: &'a AccountDecl, meta_controls: bool, who: Option<&'a Principal>) -> Sender<'a> {
    Sender {
        account: &account.name,
        policy: &account.policy,
        meta_controls,
        token: who.map(|who| &*who.token_name),
        policies: who.map_or(&[], |who| &who.policies),
    }
}

fn policy_of<'a>(settings: &'a Settings, name: &str) -> Result<&'a Policy, ExplainError> {
    let found = settings.policies.iter().find(|policy| policy.name == name);
    found.ok_or_else(|| ExplainError::Gone(name.to_owned()))
}

fn words(choice: &Choice<'_>, settings: &Settings) -> String {
    match choice.by {
        Chooser::Client => "asked for by meta.policy".to_owned(),
        Chooser::Route(at) => format!("by the route {}", settings.routes.as_slice()[at].name),
        Chooser::Token => "the first on the token's list".to_owned(),
        Chooser::Account => "the account's own".to_owned(),
    }
}

/// When the pin would go away: the sooner of what its client and its policy say.
fn until(
    sender: &Sender<'_>,
    pin: &PinSpec,
    policy: &Policy,
    now: Timestamp,
) -> Result<Option<Timestamp>, ExplainError> {
    let meta = pin.meta.as_ref().filter(|_| sender.meta_controls);
    Ok(policy.ends(now, controls::asked_end(meta, now)?))
}

impl Live {
    /// The policy's providers, and what would become of each.
    async fn considered(
        &self,
        policy: &Policy,
        pin: &PinSpec,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<ProviderConsidered>, ExplainError> {
        let records = self.store.providers().await?;
        let mut views = policy.views(&records, now);
        if views.iter().any(|view| view.needs_load(policy)) {
            let copies = self.store.stats(now).await?.replicas;
            for view in &mut views {
                let name = record_of(&records, view.id).map(|record| record.name.as_str());
                let own = copies.iter().filter(|(provider, _, _)| name == Some(provider));
                view.copies = own.map(|(_, _, copies)| copies).sum();
            }
        }
        let lives = until.map(|until| until.since(now));
        let content = pin.cid.content();
        let considered =
            Placement { policy, content, lives, views: &views }.consider(policy.copies.max.into(), &[]);
        let mut taken = 0;
        let shown = considered.into_iter().filter_map(|considered| {
            let record = record_of(&records, considered.provider)?;
            Some(told(record, &considered, content, &mut taken))
        });
        Ok(shown.collect())
    }
}

fn record_of(records: &[ProviderRecord], id: ProviderId) -> Option<&ProviderRecord> {
    records.iter().find(|record| record.id == id)
}

/// `taken`: how many come before it that are to get a copy.
fn told(
    record: &ProviderRecord,
    considered: &Considered,
    content: &Content,
    taken: &mut usize,
) -> ProviderConsidered {
    let name = record.name.clone();
    if content.is_identity() {
        let why = "the CID holds the data itself: there is nothing to keep".to_owned();
        return ProviderConsidered { name, taken: false, why };
    }
    if let Some(reason) = &considered.passed_over {
        return ProviderConsidered { name, taken: false, why: reason.to_string() };
    }
    *taken += 1;
    let waits = if considered.footing == Footing::Waiting { ", once it answers" } else { "" };
    ProviderConsidered { name, taken: true, why: format!("copy {taken}{waits}") }
}
