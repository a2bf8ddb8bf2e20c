//! Which pins a user means, and how the admin API is asked for them.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::cli::{Failure, admin::Admin};

/// The most pins that are listed at once.
const PAGE: &str = "1000";

/// Filters as `ipfs pin remote` has them.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Filters {
    /// Those with exactly this name
    #[arg(long)]
    name: Option<String>,
    /// Those of these CIDs
    #[arg(long, value_name = "CID", value_delimiter = ',')]
    cid: Vec<String>,
    /// Those in these states: queued, pinning, pinned, failed
    #[arg(long, value_delimiter = ',', default_value = "pinned")]
    status: Vec<String>,
}

/// An address below `/api/v1`, whose query grows.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Address(String);

impl Address {
    pub(in crate::cli) fn of(path: &str, account: Option<&str>) -> Self {
        Self(format!("{path}?")).and("account", account)
    }

    pub(in crate::cli) fn and(mut self, key: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            let encoded = utf8_percent_encode(value, NON_ALPHANUMERIC);
            // Names of accounts are compared as they are.
            let value = if key == "account" { value.to_owned() } else { encoded.to_string() };
            self.0.push_str(&format!("{key}={value}&"));
        }
        self
    }

    pub(in crate::cli) fn as_str(&self) -> &str {
        self.0.trim_end_matches(['&', '?'])
    }
}

impl Filters {
    fn address(&self, account: Option<&str>) -> Address {
        let joined = |words: &[String]| (!words.is_empty()).then(|| words.join(","));
        Address::of("/pins", account)
            .and("name", self.name.as_deref())
            .and("cid", joined(&self.cid).as_deref())
            .and("status", joined(&self.status).as_deref())
    }

    /// How many match.
    pub(super) async fn count(&self, admin: &Admin, account: Option<&str>) -> Result<u64, Failure> {
        let address = self.address(account).and("limit", Some("1"));
        let page = admin.call(Method::GET, address.as_str(), None).await?;
        Ok(page["count"].as_u64().unwrap_or(0))
    }

    /// A page of those that match, and where the next one begins.
    pub(super) async fn page(
        &self,
        admin: &Admin,
        account: Option<&str>,
        before: Option<&str>,
    ) -> Result<(Vec<Value>, Option<String>), Failure> {
        let address = self.address(account).and("limit", Some(PAGE)).and("before", before);
        let mut page = admin.call(Method::GET, address.as_str(), None).await?;
        let next = page["next"].as_str().map(str::to_owned);
        match page["results"].take() {
            Value::Array(pins) => Ok((pins, next)),
            _ => Ok((Vec::new(), None)),
        }
    }

    /// The ids of all that match.
    pub(super) async fn ids(&self, admin: &Admin, account: Option<&str>) -> Result<Vec<String>, Failure> {
        let (mut ids, mut before) = (Vec::new(), None);
        loop {
            let (pins, next) = self.page(admin, account, before.as_deref()).await?;
            ids.extend(pins.iter().filter_map(|pin| pin["requestid"].as_str()).map(str::to_owned));
            match next {
                Some(next) => before = Some(next),
                None => return Ok(ids),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_encoded_and_left_out_where_there_are_none() {
        let filters = Filters {
            name: Some("a b&c".into()),
            cid: vec!["bafy".into(), "Qm".into()],
            status: vec!["queued".into()],
        };
        assert_eq!(
            filters.address(Some("my.account")).as_str(),
            "/pins?account=my.account&name=a%20b%26c&cid=bafy%2CQm&status=queued"
        );
        assert_eq!(Filters::default().address(None).as_str(), "/pins");
    }
}
