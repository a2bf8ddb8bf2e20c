//! Accounts, each with its tokens.

use std::collections::HashMap;

use super::certificates::Certificates;
use super::limits::{self, AccountTerms};
use super::reader::{Keys, Reader, Section};
use super::tokens::Tokens;
use super::value::{boolean, name, number};
use crate::limits::Caps;
use crate::model::{AccountDecl, Weight};

const ACCOUNT: Keys = Keys {
    known: &["name", "policy", "meta_controls", "weight", "tokens", "certificates", "limits", "quota"],
    later: &[],
};
const ACCOUNTS_HELP: &str =
    "write accounts: [ { name: default, tokens: [ { name: laptop, secret_env: PINFOLD_TOKEN } ] } ]";

/// An account that names no policy gets this one.
pub(super) const DEFAULT_POLICY: &str = "default";

/// All that lets in, of accounts and operators.
pub(super) struct Ways<'a> {
    pub tokens: &'a mut Tokens,
    pub certificates: &'a mut Certificates,
}

/// The accounts of the file; `policies` are the names that an account may name.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    policies: &[String],
    ways: &mut Ways<'_>,
) -> (Vec<AccountDecl>, Vec<AccountTerms>) {
    let (mut accounts, mut all_terms) = (Vec::new(), Vec::new());
    let mut names = Names::default();
    for field in reader.list(root, "accounts", ACCOUNTS_HELP) {
        let section = reader.open(field, ACCOUNT);
        let name = names.take(reader, &section);
        let policy = policy(reader, &section, policies);
        let weight = weight(reader, &section);
        let limits = limits::own(reader, &section, Caps::default());
        let quota = limits::quota(reader, &section);
        let meta_controls = reader.optional(&section, "meta_controls");
        let meta_controls = reader.parse_or(meta_controls, false, boolean);
        let owner = name.as_deref();
        let certified = ways.certificates.read_account(reader, &section, owner, policies);
        ways.tokens.read_account(reader, &section, owner, policies, certified);
        all_terms.extend(name.clone().map(|account| AccountTerms { account, limits, quota, meta_controls }));
        accounts.extend(name.map(|name| AccountDecl { name, policy, weight }));
    }
    if root.get("accounts").is_none() || (accounts.is_empty() && reader.problems.is_empty()) {
        reader.wrong("accounts", None, "no account is given", ACCOUNTS_HELP);
    }
    (accounts, all_terms)
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
