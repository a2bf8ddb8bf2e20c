//! Adoptions as operators ask for them: by the names of the config.

use std::sync::Arc;

use async_trait::async_trait;

use super::live::Live;
use crate::{
    admin::{AdoptError, Adoptions, Wish},
    engine::AdoptTerms,
    model::{AccountId, Job, JobKind, NewJob, ProviderId},
    store::StoreError,
    telemetry::traces,
};

#[async_trait]
impl Adoptions for Live {
    async fn adopt(&self, wish: Wish, by: Option<Arc<str>>) -> Result<Job, AdoptError> {
        let provider = self.provider_to_adopt(wish.provider).await?;
        let (account, policy) = self.adopter(wish.account)?;
        let policy = self.policy_to_adopt_by(wish.policy.unwrap_or(policy)).await?;
        let job = NewJob {
            kind: JobKind::Adopt,
            provider: Some(provider),
            account: Some(account),
            terms: AdoptTerms { policy, dry_run: wish.dry_run }.to_json(),
            by: by.map(|by| by.to_string()),
        };
        let created = self.store.create_job(job, self.clock.now()).await;
        let job = created.map_err(|error| match error {
            StoreError::Taken { .. } => AdoptError::UnderWay,
            error => error.into(),
        })?;
        traces::started(job.id);
        self.fleet.poke();
        Ok(job)
    }
}

impl Live {
    async fn provider_to_adopt(&self, name: String) -> Result<ProviderId, AdoptError> {
        let records = self.store.providers().await?;
        let known: Vec<_> = records.into_iter().filter(|record| record.absent_since.is_none()).collect();
        match known.iter().find(|record| record.name == name) {
            Some(record) => Ok(record.id),
            None => {
                let known = known.into_iter().map(|record| record.name).collect();
                Err(AdoptError::Provider { name, known })
            }
        }
    }

    fn adopter(&self, name: String) -> Result<(AccountId, String), AdoptError> {
        self.served.account(&name).ok_or_else(|| AdoptError::Account { name, known: self.served.accounts() })
    }

    async fn policy_to_adopt_by(&self, name: String) -> Result<String, AdoptError> {
        let settings = self.settings.lock().await;
        let known: Vec<_> = settings.policies.iter().map(|policy| policy.name.clone()).collect();
        if known.contains(&name) { Ok(name) } else { Err(AdoptError::Policy { name, known }) }
    }
}
