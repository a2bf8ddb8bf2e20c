//! Clients' certificates: those of accounts, and those of operators.

use super::accounts::Names;
use super::problem::Problem;
use super::reader::{Field, Keys, Reader, Section, Wrong};
use super::settings::CertificateDecl;
use super::tokens::{Kind, policies, scopes};
use crate::auth::{Mark, TokenHash};
use crate::model::Scope;

const OF_ACCOUNT: Keys = Keys { known: &["name", "san", "sha256", "scopes", "policies"], later: &[] };
const OF_OPERATOR: Keys = Keys { known: &["name", "san", "sha256", "scopes"], later: &[] };
const HELP: &str = "write certificates: [ { name: ci, san: ci.example.org } ]";

/// Certificates so far, and where each stands.
#[derive(Default)]
pub(super) struct Certificates {
    pub list: Vec<CertificateDecl>,
    paths: Vec<String>,
}

impl Certificates {
    /// Those of an account, which may use these policies.
    pub fn read_account(
        &mut self,
        reader: &mut Reader<'_>,
        account: &Section<'_>,
        owner: Option<&str>,
        policies: &[String],
    ) -> bool {
        let kind = Kind { keys: OF_ACCOUNT, owner: Some(owner), default: Scope::PinsWrite, policies };
        self.read(reader, account, &kind)
    }

    /// Those of operators, who have no pins of their own. Returns whether there are any.
    pub fn read_admin(&mut self, reader: &mut Reader<'_>, admin: &Section<'_>) -> bool {
        let kind = Kind { keys: OF_OPERATOR, owner: None, default: Scope::AdminRead, policies: &[] };
        self.read(reader, admin, &kind)
    }

    fn read(&mut self, reader: &mut Reader<'_>, section: &Section<'_>, kind: &Kind<'_>) -> bool {
        let mut names = Names::default();
        let fields = reader.list(section, "certificates", HELP);
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
        let policies = policies(reader, &section, kind.policies);
        let Some(mark) = mark(reader, &section) else { return };
        if let Some(at) = self.list.iter().position(|known| known.mark == mark) {
            let what = format!("has the same mark as {}", self.paths[at]);
            reader.wrong(&section.path, section.spot.clone(), what, "keep one of them");
            return;
        }
        // As with tokens: one whose account or name is wrong is kept for the comparison.
        let account = kind.owner.map(|owner| owner.unwrap_or_default().to_owned());
        self.list.push(CertificateDecl { account, name: name.unwrap_or_default(), mark, scopes, policies });
        self.paths.push(section.path);
    }

    /// Warns where a listener never asks for what it would be shown.
    pub fn warn_of_idle(&self, reader: &mut Reader<'_>, of_operators: bool, asked_for: bool) {
        let mut all = self.list.iter().zip(&self.paths);
        let first = all.find(|(certificate, _)| certificate.account.is_none() == of_operators);
        if let Some((_, path)) = first.filter(|_| !asked_for) {
            let door = if of_operators { "admin" } else { "server" };
            let what = "nobody is asked for a certificate";
            let help =
                format!("write {door}.tls.client_ca: and the file with the authorities that sign them");
            reader.warnings.push(Problem::new(path, None, what).help(help));
        }
    }
}

fn mark(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Mark> {
    let help = "write san: and one of its names, or sha256: and its fingerprint";
    match (reader.optional(section, "san"), reader.optional(section, "sha256")) {
        (Some(text), None) => reader.parse(&text, san),
        (None, Some(text)) => reader.parse(&text, sha256),
        (None, None) => {
            reader.wrong(&section.path, section.spot.clone(), "says not which certificate", help);
            None
        }
        (Some(_), Some(_)) => {
            reader.wrong(&section.path, section.spot.clone(), "has san and sha256", "keep one of them");
            None
        }
    }
}

fn san(text: &str) -> Result<Mark, Wrong> {
    if text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control) {
        let help =
            "write a DNS name, an e-mail address, a URI, or the common name of one that has none of them";
        return Err(Wrong::new("not a certificate's name", help));
    }
    Ok(Mark::san(text))
}

/// With or without the colons that `openssl x509 -fingerprint -sha256` prints.
fn sha256(text: &str) -> Result<Mark, Wrong> {
    let hash: Result<TokenHash, _> = text.replace(':', "").to_ascii_lowercase().parse();
    hash.map(|hash| Mark::Sha256(*hash.as_bytes())).map_err(|_| {
        let help = "write what openssl x509 -noout -fingerprint -sha256 -in CERT prints";
        Wrong::new("not a SHA-256 in 64 hexadecimal digits", help)
    })
}
