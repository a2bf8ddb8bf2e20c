//! Tokens: those of accounts, and those of operators.

use secrecy::ExposeSecret;

use super::accounts::Names;
use super::limits::{self, OwnLimits};
use super::policies::one_named;
use super::problem::Problem;
use super::reader::{Field, Keys, Reader, Section, Wrong};
use super::secret::{self, Given, Sources};
use super::settings::TokenDecl;
use crate::auth::TokenHash;
use crate::limits::Caps;
use crate::model::{Scope, Scopes, Timestamp, expiry::parse_moment};
use crate::providers::SecretKind;

const OF_ACCOUNT: Keys = Keys {
    known: &[
        "name",
        "secret",
        "secret_file",
        "secret_env",
        "sha256",
        "scopes",
        "expires",
        "policies",
        "limits",
    ],
    later: &[],
};
const OF_OPERATOR: Keys = Keys {
    known: &["name", "secret", "secret_file", "secret_env", "sha256", "scopes", "expires"],
    later: &[],
};
const SOURCES: Sources = Sources {
    value: "secret",
    file: "secret_file",
    env: "secret_env",
    hash: Some("sha256"),
    kind: SecretKind::Token,
};
const TOKENS_HELP: &str = "write tokens: [ { name: laptop, secret_env: PINFOLD_TOKEN } ]";
const SCOPES_HELP: &str = "write a list of pins:read, pins:write, admin:read, admin:write";

/// Tokens so far, and where each hash stands.
pub(super) struct Tokens {
    pub list: Vec<TokenDecl>,
    paths: Vec<String>,
    /// The limits of tokens that say nothing of their own.
    each_token: Caps,
}

/// What tokens of one list have in common.
pub(super) struct Kind<'a> {
    pub keys: Keys,
    /// `Some(None)`: an account whose name is wrong.
    pub owner: Option<Option<&'a str>>,
    pub default: Scope,
    pub policies: &'a [String],
}

impl Tokens {
    pub fn new(each_token: Caps) -> Self {
        Self { list: Vec::new(), paths: Vec::new(), each_token }
    }

    /// Those of an account, which may use these policies; `certified`: there is another way in.
    pub fn read_account(
        &mut self,
        reader: &mut Reader<'_>,
        account: &Section<'_>,
        owner: Option<&str>,
        policies: &[String],
        certified: bool,
    ) {
        let kind = Kind { keys: OF_ACCOUNT, owner: Some(owner), default: Scope::PinsWrite, policies };
        if !self.read(reader, account, &kind) && !certified {
            let what =
                "the account has no token here: nobody can use it until `pinfold token create` made one";
            let warning = Problem::new(&account.path, account.spot.clone(), what).help(TOKENS_HELP);
            reader.warnings.push(warning);
        }
    }

    /// Those of operators, who have no pins of their own. Returns whether there are any.
    pub fn read_admin(&mut self, reader: &mut Reader<'_>, admin: &Section<'_>) -> bool {
        let kind = Kind { keys: OF_OPERATOR, owner: None, default: Scope::AdminRead, policies: &[] };
        self.read(reader, admin, &kind)
    }

    fn read(&mut self, reader: &mut Reader<'_>, section: &Section<'_>, kind: &Kind<'_>) -> bool {
        let mut names = Names::default();
        let fields = reader.list(section, "tokens", TOKENS_HELP);
        let any = !fields.is_empty();
        for field in fields {
            self.read_one(reader, field, kind, &mut names);
        }
        any
    }

    fn read_one(&mut self, reader: &mut Reader<'_>, field: Field<'_>, kind: &Kind<'_>, names: &mut Names) {
        let section = reader.open(field, kind.keys);
        let name = names.take(reader, &section);
        let scopes = scopes(reader, &section, kind);
        let expires = expires(reader, &section);
        let policies = policies(reader, &section, kind.policies);
        let limits = match kind.owner {
            Some(_) => limits::own(reader, &section, self.each_token),
            None => OwnLimits::default(),
        };
        let hash = match secret::read(reader, &section, SOURCES) {
            Some(Given::Secret(source)) => Some(TokenHash::of(source.current().expose_secret())),
            Some(Given::Hash(text)) => reader.parse(&text, sha256),
            None => None,
        };
        let Some(sha256) = hash else { return };
        if let Some(at) = self.list.iter().position(|token| token.sha256 == sha256) {
            let what = format!("has the same secret as {}", self.paths[at]);
            reader.wrong(&section.path, section.spot.clone(), what, "give each token a secret of its own");
            return;
        }
        // A token whose account or name is wrong is kept for the comparison above; such a configuration is refused.
        let account = kind.owner.map(|owner| owner.unwrap_or_default().to_owned());
        let name = name.unwrap_or_default();
        self.list.push(TokenDecl { account, name, sha256, scopes, expires, policies, limits });
        self.paths.push(section.path);
    }
}

pub(super) fn scopes(reader: &mut Reader<'_>, section: &Section<'_>, kind: &Kind<'_>) -> Scopes {
    let Some(words) = reader.words(section, "scopes", SCOPES_HELP) else {
        return Scopes::NONE.with(kind.default);
    };
    if words.is_empty() {
        reader.wrong(section.path_of("scopes"), section.spot.clone(), "names no scope", SCOPES_HELP);
    }
    let parse = |text: &str| {
        let scope: Scope = text.parse().map_err(|_| Wrong::new("not a scope", SCOPES_HELP))?;
        if kind.owner.is_none() && scope.is_of_pins() {
            let help = "move the token to the account whose pins it is for";
            return Err(Wrong::new("a token of admin.tokens has no pins", help));
        }
        Ok(scope)
    };
    words.iter().filter_map(|word| reader.parse(word, parse)).collect()
}

fn expires(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Timestamp> {
    let text = reader.optional(section, "expires")?;
    reader.parse(&text, |text| {
        let help = "write a date such as 2027-01-31, or a moment such as 2027-01-31T12:00:00Z";
        parse_moment(text).ok_or_else(|| Wrong::new("not a date", help))
    })
}

pub(super) fn policies(reader: &mut Reader<'_>, section: &Section<'_>, known: &[String]) -> Vec<String> {
    if let Some(field) = section.get("policies").filter(|field| field.value.is_empty()) {
        let help = "name at least one policy, or remove the key: then it may use any";
        reader.wrong(field.path, field.spot, "names no policy", help);
        return Vec::new();
    }
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    let words = reader.words(section, "policies", "write a list of policies' names").unwrap_or_default();
    words.iter().filter_map(|word| reader.parse(word, |text| one_named(text, &known, "policy"))).collect()
}

fn sha256(text: &str) -> Result<TokenHash, Wrong> {
    text.parse().map_err(|_| {
        Wrong::new(
            "not a SHA-256 in 64 hexadecimal digits",
            "write what `pinfold token hash` prints for the secret",
        )
    })
}
