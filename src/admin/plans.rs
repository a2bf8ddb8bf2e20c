//! Plans as operators read them: what a drain, or a policy's newest revision, would do. Nothing is done.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Failure, jobs::Foreman, json_response};
use crate::{
    engine::{Bill, Costed},
    model::{BudgetClass, ProviderRecord},
    store::Change,
};

impl Foreman {
    /// What a drain would come to.
    pub(super) async fn plan_drain(
        &self,
        provider: &ProviderRecord,
        allow_fewer: bool,
    ) -> Result<axum::response::Response, Failure> {
        let costed = self.planner.plan(Change::Drain { provider: provider.id, allow_fewer }).await?;
        let leaving = costed.plan.leaving;
        let mut body = shown(&costed);
        body["plan"] = "drain".into();
        body["provider"] = provider.name.as_str().into();
        body["allow_fewer"] = allow_fewer.into();
        body["moving"] = leaving.moving.into();
        body["spare"] = leaving.spare.into();
        body["staying"] = leaving.staying.into();
        body["removing"] = leaving.removing.into();
        Ok(json_response(StatusCode::OK, &body))
    }

    /// What a policy's newest revision would come to.
    pub(super) async fn plan_apply(&self, policy: &str) -> Result<axum::response::Response, Failure> {
        let revisions = self.store.revisions(policy).await?;
        let costed = self.planner.plan(Change::Apply { policy: policy.to_owned() }).await?;
        let mut body = shown(&costed);
        let follow = |(revision, pins): &(u32, u64)| json!({ "revision": revision, "pins": pins });
        body["plan"] = "apply".into();
        body["policy"] = policy.into();
        body["revisions"] = revisions.iter().filter(|(_, pins)| *pins > 0).map(follow).collect();
        body["newest"] = revisions.last().map(|(revision, _)| *revision).into();
        Ok(json_response(StatusCode::OK, &body))
    }
}

fn shown(costed: &Costed) -> Value {
    let plan = &costed.plan;
    let first = plan.first.iter();
    let first: Vec<_> = first.map(|(pin, why)| json!({ "requestid": pin.to_string(), "why": why })).collect();
    let times: Option<Vec<_>> = costed.bills.iter().map(|bill| bill.time).collect();
    let slowest = times.map(|times| times.into_iter().max().unwrap_or_default());
    json!({
        "pins": plan.pins,
        "short": { "pins": plan.short, "first": first },
        "providers": costed.bills.iter().map(bill).collect::<Vec<_>>(),
        "seconds": slowest.map(|span| span.as_secs()),
    })
}

fn bill(bill: &Bill) -> Value {
    json!({
        "name": bill.provider,
        "coming": bill.coming,
        "going": bill.going,
        "calls": {
            "list": bill.calls[BudgetClass::List],
            "read": bill.calls[BudgetClass::Read],
            "write": bill.calls[BudgetClass::Write],
        },
        "seconds": bill.time.map(|span| span.as_secs()),
    })
}
