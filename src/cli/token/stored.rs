//! Tokens as the admin API lists them, and which of them a user means.

use http::Method;
use serde_json::Value;

use crate::cli::{Exit, Failure, admin::Admin};

/// All tokens, those of the config first.
pub(super) async fn all(admin: &Admin) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    let mut path = "/tokens".to_owned();
    loop {
        let mut page = admin.call(Method::GET, &path, None).await?;
        if let Value::Array(tokens) = page["tokens"].take() {
            all.extend(tokens);
        }
        match page["next"].as_str() {
            Some(next) => path = format!("/tokens?after={next}"),
            None => return Ok(all),
        }
    }
}

/// Whether it lets anybody in.
pub(super) fn is_live(token: &Value) -> bool {
    matches!(token["state"].as_str(), Some("active" | "replaced"))
}

/// The ids of the live tokens that a user means by a name or an id: by a name that of a device in one account, with
/// what was rotated and still lives.
pub(super) fn meant(tokens: &[Value], word: &str, account: Option<&str>) -> Result<Vec<String>, Failure> {
    let fits = |token: &&Value| is_live(token) && account.is_none_or(|name| token["account"] == name);
    let named: Vec<_> = tokens.iter().filter(fits).filter(|token| token["name"] == word).collect();
    if named.is_empty() {
        let found = tokens.iter().filter(fits).find(|token| token["id"] == word);
        let id = found.and_then(|token| token["id"].as_str());
        let none = || failed(format!("error: there is no live token `{word}`; see `pinfold token ls --all`"));
        return id.map(|id| vec![id.to_owned()]).ok_or_else(none);
    }
    if named.iter().any(|token| token["account"] != named[0]["account"]) {
        let owners: Vec<_> = named.iter().map(|token| owner(token)).collect();
        let owners = owners.join(", ");
        return Err(failed(format!(
            "error: several have a token `{word}`: {owners}; say --account, or an id"
        )));
    }
    if named.iter().any(|token| token["source"] == "config") {
        return Err(failed(format!("error: `{word}` is a token of the config: change it there")));
    }
    Ok(named.iter().filter_map(|token| token["id"].as_str()).map(str::to_owned).collect())
}

fn owner(token: &Value) -> &str {
    token["account"].as_str().unwrap_or("the gateway itself")
}

fn failed(text: String) -> Failure {
    Failure::new(Exit::Failed, text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(id: &str, account: Option<&str>, name: &str, state: &str) -> Value {
        let source = if id.is_empty() { "config" } else { "store" };
        json!({ "id": id, "account": account, "name": name, "state": state, "source": source })
    }

    fn tokens() -> Vec<Value> {
        vec![
            token("", Some("ada"), "desk", "active"),
            token("aaaaaaaa", Some("ada"), "laptop", "replaced"),
            token("bbbbbbbb", Some("ada"), "laptop", "active"),
            token("cccccccc", Some("ada"), "laptop", "revoked"),
            token("dddddddd", Some("ada"), "ci", "active"),
            token("eeeeeeee", Some("ben"), "ci", "active"),
        ]
    }

    #[test]
    fn a_name_means_what_lives_of_it_in_one_account() {
        let meant = |word, account| meant(&tokens(), word, account);
        assert_eq!(meant("laptop", None), Ok(vec!["aaaaaaaa".into(), "bbbbbbbb".into()]));
        assert_eq!(meant("aaaaaaaa", None), Ok(vec!["aaaaaaaa".into()]));
        assert_eq!(meant("ci", Some("ben")), Ok(vec!["eeeeeeee".into()]));
        assert!(meant("ci", None).unwrap_err().text.contains("ada, ben"));
        assert!(meant("desk", None).unwrap_err().text.contains("token of the config"));
        for none in ["cccccccc", "phone"] {
            assert!(meant(none, None).unwrap_err().text.contains("no live token"), "{none}");
        }
    }
}
