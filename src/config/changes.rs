//! What differs between two configurations, by the paths of their keys, secrets aside.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::settings::{AdminSettings, ProviderSettings, ServerSettings, Settings};
use super::yaml::{self, Value};
use crate::server::tls;

/// The sections that are read at the start only.
const AT_START: [&str; 6] = ["server", "admin", "store", "engine", "log", "traces"];

/// What of them is not.
const ADMIN_TOKENS: &str = "admin.tokens";
const ADMIN_CERTIFICATES: &str = "admin.certificates";
const TLS: [&str; 2] = ["server.tls", "admin.tls"];

/// One setting that differs; never shows a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Items of lists go by their names: `providers[alpha].budget.concurrency`.
    pub path: String,
    /// `None`: it was not there.
    pub from: Option<String>,
    /// `None`: it is not there any more.
    pub to: Option<String>,
}

impl Change {
    /// Whether it takes a restart to make it so.
    pub fn needs_restart(&self) -> bool {
        let section = self.path.split(['.', '[']).next().unwrap_or_default();
        let lives = [ADMIN_TOKENS, ADMIN_CERTIFICATES].iter().any(|list| self.path.starts_with(list))
            || TLS.iter().any(|tls| key_below(&self.path, tls).is_some_and(|key| !self.switches_tls(key)));
        AT_START.contains(&section) && !lives
    }

    /// Whether TLS comes or goes altogether, by this key of it.
    fn switches_tls(&self, key: &str) -> bool {
        key == "cert" && (self.from.is_none() || self.to.is_none())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match (&self.from, &self.to) {
            (Some(from), Some(to)) if from == to => write!(f, "{path}: another secret"),
            (Some(from), Some(to)) => write!(f, "{path}: {to} (was {from})"),
            (None, Some(to)) => write!(f, "{path}: {to} (new)"),
            (Some(from), None) => write!(f, "{path}: removed (was {from})"),
            (None, None) => write!(f, "{path}: another definition"),
        }
    }
}

impl Settings {
    /// What `newer` says otherwise, by path.
    pub fn changes(&self, newer: &Self) -> Vec<Change> {
        let (old, new) = (self.flat(), newer.flat());
        let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let differs = |path: &&String| old.get(*path) != new.get(*path) && !self.goes_unsaid(newer, path);
        let shown = paths.into_iter().filter(differs).map(|path| Change {
            path: path.clone(),
            from: old.get(path).cloned(),
            to: new.get(path).cloned(),
        });
        shown
            .chain(self.other_secrets(newer))
            .chain(self.other_presets(newer))
            .chain(self.other_ways(newer))
            .chain(self.other_order(newer))
            .collect()
    }

    /// The providers of `newer` that are new, or to be called otherwise than before.
    pub fn changed_providers(&self, newer: &Self) -> BTreeSet<String> {
        let is_changed = |new: &&ProviderSettings| self.called_as(new).is_none();
        newer.providers.iter().filter(is_changed).map(|new| new.name.clone()).collect()
    }

    /// The providers of `newer` that are called as before, but of which something else is declared.
    pub fn redeclared_providers(&self, newer: &Self) -> BTreeSet<String> {
        let is_redeclared =
            |new: &&ProviderSettings| self.called_as(new).is_some_and(|old| old.facts != new.facts);
        newer.providers.iter().filter(is_redeclared).map(|new| new.name.clone()).collect()
    }

    fn called_as(&self, new: &ProviderSettings) -> Option<&ProviderSettings> {
        self.providers.iter().find(|old| old.name == new.name && is_called_as(old, new))
    }

    /// Whether a key comes or goes with TLS altogether, for which the certificate stands.
    fn goes_unsaid(&self, newer: &Self, path: &str) -> bool {
        let switched = [
            self.server.tls.is_some() != newer.server.tls.is_some(),
            self.admin.tls.is_some() != newer.admin.tls.is_some(),
        ];
        let below = |tls: &str| key_below(path, tls).is_some_and(|key| key != "cert");
        TLS.iter().zip(switched).any(|(tls, switched)| switched && below(tls))
    }

    /// As `newer`, but for what takes a restart.
    pub fn taken_up(&self, newer: Self) -> Self {
        let Self { server, admin, store, lock_wait, engine, log, traces, .. } = self.clone();
        // Whether it is spoken at all takes a restart, how does not.
        let tls = |old: Option<tls::Settings>, new: &Option<tls::Settings>| {
            old.map(|old| new.clone().unwrap_or(old))
        };
        let server = ServerSettings { tls: tls(server.tls, &newer.server.tls), ..server };
        let admin = AdminSettings { tls: tls(admin.tls, &newer.admin.tls), ..admin };
        Self { server, admin, store, lock_wait, engine, log, traces, ..newer }
    }

    /// Every value by its path, as the effective configuration shows it.
    fn flat(&self) -> BTreeMap<String, String> {
        let mut flat = BTreeMap::new();
        if let (Some(root), _) = yaml::parse(&self.effective()) {
            flatten(String::new(), &root.value, &mut flat);
        }
        flat
    }

    fn other_secrets(&self, newer: &Self) -> Vec<Change> {
        let secret = |path: String| Change { path, from: Some("***".into()), to: Some("***".into()) };
        let tokens = newer.tokens.iter().filter(|new| {
            let same = |old: &&super::TokenDecl| old.account == new.account && old.name == new.name;
            self.tokens.iter().find(same).is_some_and(|old| old.sha256 != new.sha256)
        });
        let tokens = tokens.map(|token| {
            let owner = token.account.as_ref().map(|account| format!("accounts[{account}].tokens"));
            let list = owner.unwrap_or_else(|| ADMIN_TOKENS.to_owned());
            secret(format!("{list}[{}].secret", token.name))
        });
        let providers = newer.providers.iter().filter(|new| {
            let old = self.providers.iter().find(|old| old.name == new.name);
            old.is_some_and(|old| !old.credential.is_same(&new.credential))
        });
        let traces = self.traces.iter().zip(&newer.traces).filter(|(old, new)| {
            let (old, new) = (&old.traces.headers, &new.traces.headers);
            old != new && old.keys().eq(new.keys())
        });
        let traces = traces.map(|_| secret("traces.headers".to_owned()));
        tokens
            .chain(providers.map(|new| secret(format!("providers[{}].token", new.name))))
            .chain(traces)
            .collect()
    }

    /// Another proxy or other roots, by whatever said so: the environment, or the content of a file.
    fn other_ways(&self, newer: &Self) -> Vec<Change> {
        let differs = newer.providers.iter().filter(|new| {
            let old = self.providers.iter().find(|old| old.name == new.name);
            old.is_some_and(|old| old.way.http != new.way.http || has_other_way_to_gateway(old, new))
        });
        let change = |new: &ProviderSettings| {
            let path = format!("providers[{}].proxy or ca_file", new.name);
            Change { path, from: None, to: None }
        };
        differs.map(change).collect()
    }

    /// Routes that stay, in another order among themselves: their names do not tell.
    fn other_order(&self, newer: &Self) -> Option<Change> {
        fn names(of: &Settings) -> Vec<&str> {
            of.routes.as_slice().iter().map(|route| route.name.as_str()).collect()
        }
        let (old, new) = (names(self), names(newer));
        let stays = |name: &&&str| old.contains(*name) && new.contains(*name);
        if old.iter().filter(stays).eq(new.iter().filter(stays)) {
            return None;
        }
        let shown = |names: &[&str]| Some(format!("[{}]", names.join(", ")));
        Some(Change { path: "routes".to_owned(), from: shown(&old), to: shown(&new) })
    }

    /// Presets of the same name that say something else, by a changed presets file.
    fn other_presets(&self, newer: &Self) -> Vec<Change> {
        let differs = newer.providers.iter().filter(|new| {
            let old = self.providers.iter().find(|old| old.name == new.name);
            old.is_some_and(|old| old.preset.name == new.preset.name && old.preset != new.preset)
        });
        differs
            .map(|new| Change { path: format!("providers[{}].preset", new.name), from: None, to: None })
            .collect()
    }
}

/// Whether calls go the same way, with the same care. What is only declared does not matter.
fn is_called_as(old: &ProviderSettings, new: &ProviderSettings) -> bool {
    let ProviderSettings {
        name: _,
        preset,
        endpoint,
        credential,
        account,
        exclusive,
        facts: _,
        budget,
        deadline,
        settle,
        way,
        gateway,
    } = new;
    old.credential.is_same(credential)
        && old.way.http == way.http
        && (&old.preset, &old.endpoint, &old.account) == (preset, endpoint, account)
        && (old.exclusive, old.deadline, old.settle) == (*exclusive, *deadline, *settle)
        && (&old.budget, &old.gateway) == (budget, gateway)
}

/// Another gateway is another change.
fn has_other_way_to_gateway(old: &ProviderSettings, new: &ProviderSettings) -> bool {
    let both = old.gateway.as_ref().zip(new.gateway.as_ref());
    both.is_some_and(|(old, new)| old.url == new.url && old.http != new.http)
}

/// What follows a section's path and a dot.
fn key_below<'p>(path: &'p str, section: &str) -> Option<&'p str> {
    path.strip_prefix(section)?.strip_prefix('.')
}

fn flatten(path: String, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Nothing => {}
        Value::Scalar(text) => {
            into.insert(path, text.clone());
        }
        Value::Map(entries) => {
            for (key, node) in entries {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(format!("{path}{dot}{}", key.name), &node.value, into);
            }
        }
        Value::List(items) => {
            let names: Vec<_> = items.iter().map(|item| name_of(&item.value)).collect();
            if names.iter().all(Option::is_some) && !names.is_empty() {
                for (item, name) in items.iter().zip(names.into_iter().flatten()) {
                    flatten(format!("{path}[{name}]"), &item.value, into);
                }
            } else {
                let words: Vec<_> = items.iter().filter_map(|item| scalar(&item.value)).collect();
                into.insert(path, format!("[{}]", words.join(", ")));
            }
        }
    }
}

fn name_of(value: &Value) -> Option<&str> {
    let Value::Map(entries) = value else { return None };
    let (_, name) = entries.iter().find(|(key, _)| key.name == "name")?;
    scalar(&name.value)
}

fn scalar(value: &Value) -> Option<&str> {
    match value {
        Value::Scalar(text) => Some(text),
        _ => None,
    }
}
