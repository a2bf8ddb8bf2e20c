//! Accounts and their tokens.

use std::collections::HashMap;
use std::path::Path;

use secrecy::ExposeSecret;

use super::problem::Problem;
use super::reader::{Field, Keys, Reader, Section, Wrong};
use super::secret::{self, Given, Sources};
use super::settings::TokenDecl;
use super::value::{name, number};
use crate::auth::TokenHash;
use crate::model::{AccountDecl, Weight};
use crate::providers::SecretKind;

const ACCOUNT: Keys = Keys { known: &["name", "policy", "weight", "tokens"], later: &["limits", "quota"] };
const TOKEN: Keys = Keys {
    known: &["name", "secret", "secret_file", "secret_env", "sha256"],
    later: &["limits", "quota", "scopes", "expires"],
};
const SOURCES: Sources = Sources {
    value: "secret",
    file: "secret_file",
    env: "secret_env",
    hash: Some("sha256"),
    kind: SecretKind::Token,
};

const ACCOUNTS_HELP: &str =
    "write accounts: [ { name: default, tokens: [ { name: laptop, secret_env: PINFOLD_TOKEN } ] } ]";
const TOKENS_HELP: &str = "write tokens: [ { name: laptop, secret_env: PINFOLD_TOKEN } ]";

/// An account that names no policy gets this one.
pub(super) const DEFAULT_POLICY: &str = "default";

/// The accounts and tokens of the file; `policies` are the names that an account may name.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    policies: &[String],
) -> (Vec<AccountDecl>, Vec<TokenDecl>) {
    let mut accounts = Vec::new();
    let mut tokens = Tokens::default();
    let mut names = Names::default();
    for field in reader.list(root, "accounts", ACCOUNTS_HELP) {
        let section = reader.open(field, ACCOUNT);
        let name = names.take(reader, &section);
        let policy = policy(reader, &section, policies);
        let weight = weight(reader, &section);
        read_tokens(reader, &section, name.as_deref(), &mut tokens);
        accounts.extend(name.map(|name| AccountDecl { name, policy, weight }));
    }
    if root.get("accounts").is_none() || (accounts.is_empty() && reader.problems.is_empty()) {
        reader.wrong("accounts", None, "no account is given", ACCOUNTS_HELP);
    }
    (accounts, tokens.list)
}

fn policy(reader: &mut Reader<'_>, section: &Section<'_>, policies: &[String]) -> String {
    let Some(text) = reader.optional(section, "policy") else {
        if !policies.iter().any(|policy| policy == DEFAULT_POLICY) {
            let help = format!("write policy: one of {}", policies.join(", "));
            let what = "names no policy, and there is none called `default`";
            reader.wrong(&section.path, section.spot.clone(), what, help);
        }
        return DEFAULT_POLICY.to_owned();
    };
    let known: Vec<_> = policies.iter().map(String::as_str).collect();
    let parsed = reader.parse(&text, |text| super::policies::one_named(text, &known, "policy"));
    parsed.unwrap_or_default()
}

fn weight(reader: &mut Reader<'_>, section: &Section<'_>) -> Weight {
    let text = reader.optional(section, "weight");
    let number = reader.parse_or(text, Weight::MIN, number(Weight::MIN, Weight::MAX));
    Weight::new(number).unwrap_or_default()
}

/// Tokens so far, and where each hash stands.
#[derive(Default)]
struct Tokens {
    list: Vec<TokenDecl>,
    paths: Vec<String>,
}

fn read_tokens(reader: &mut Reader<'_>, account: &Section<'_>, owner: Option<&str>, tokens: &mut Tokens) {
    let mut names = Names::default();
    let fields = reader.list(account, "tokens", TOKENS_HELP);
    if fields.is_empty() {
        let what = "the account has no token: nobody can use it";
        let warning = Problem::new(&account.path, account.spot.clone(), what).help(TOKENS_HELP);
        reader.warnings.push(warning);
    }
    for field in fields {
        read_token(reader, field, owner, &mut names, tokens);
    }
}

fn read_token(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    owner: Option<&str>,
    names: &mut Names,
    tokens: &mut Tokens,
) {
    let section = reader.open(field, TOKEN);
    let name = names.take(reader, &section);
    let hash = match secret::read(reader, &section, SOURCES) {
        Some(Given::Secret(source)) => {
            reader.files.extend(source.file().map(Path::to_owned));
            Some(TokenHash::of(source.current().expose_secret()))
        }
        Some(Given::Hash(text)) => reader.parse(&text, sha256),
        None => None,
    };
    let Some(sha256) = hash else { return };
    if let Some(at) = tokens.list.iter().position(|token| token.sha256 == sha256) {
        let what = format!("has the same secret as {}", tokens.paths[at]);
        reader.wrong(&section.path, section.spot.clone(), what, "give each token a secret of its own");
        return;
    }
    // A token whose account or name is wrong is kept for the comparison above; such a configuration is refused.
    let (account, name) = (owner.unwrap_or_default().to_owned(), name.unwrap_or_default());
    tokens.list.push(TokenDecl { account, name, sha256 });
    tokens.paths.push(section.path);
}

fn sha256(text: &str) -> Result<TokenHash, Wrong> {
    text.parse().map_err(|_| {
        Wrong::new(
            "not a SHA-256 in 64 hexadecimal digits",
            "write what `pinfold token hash` prints for the secret",
        )
    })
}

/// Names that must not be given twice, and where each stands.
#[derive(Default)]
pub(super) struct Names(HashMap<String, String>);

impl Names {
    /// The section's `name`, unless it is missing, wrong or taken, which is reported.
    pub fn take(&mut self, reader: &mut Reader<'_>, section: &Section<'_>) -> Option<String> {
        let text =
            reader.required(section, "name", "write name: followed by 1 to 64 of a-z, 0-9, `.`, `_`, `-`")?;
        let name = reader.parse(&text, name)?;
        if let Some(first) = self.0.get(&name) {
            let what = format!("{first} is called `{name}` too");
            reader.wrong(text.path, text.spot, what, "give it another name");
            return None;
        }
        self.0.insert(name.clone(), section.path.clone());
        Some(name)
    }
}
