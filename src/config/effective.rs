//! The settings in force as YAML, with `***` for every secret.

use std::fmt::{self, Display, Write};
use std::path::Path;

use super::limits::{self, AccountTerms, OwnLimits};
use super::routes;
use super::settings::{
    BudgetDecl, CertificateDecl, ProviderSettings, ServerSettings, Settings, Timeouts, TokenDecl,
    UpstreamSettings,
};
use super::traces;
use super::value::show_span;
use crate::auth::Mark;
use crate::model::{AccountDecl, Audit, AuditBy, Facts, Sampling, Status, StatusSet};
use crate::policy::Policy;
use crate::providers::Credential;
use crate::server::tls;

impl Settings {
    /// A configuration file that says the same, secrets aside.
    pub fn effective(&self) -> String {
        let mut text = String::new();
        match self.write(&mut text) {
            Ok(()) => text,
            Err(fmt::Error) => unreachable!("a String takes whatever is written"),
        }
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let Self { server, admin, store, api, engine, log, .. } = self;
        let grace = show_span(server.shutdown_grace);
        let (wait, statuses) = (show_span(api.accept_wait), statuses(api.default_status));
        let (retry, verify) = (show_span(engine.retry_max), show_span(engine.verify_every));
        let (poll_min, poll_max) = (show_span(engine.poll_min), show_span(engine.poll_max));
        let delegates = list(api.fallback_delegates.iter().map(quoted));
        writeln!(out, "server:\n  listen: {}", quoted(server.listen))?;
        writeln!(out, "  max_connections: {}\n  shutdown_grace: {grace}", server.max_connections)?;
        write_clients(out, server)?;
        write_tls(out, server.tls.as_ref())?;
        writeln!(out, "admin:\n  listen: {}", quoted(admin.listen))?;
        write_tls(out, admin.tls.as_ref())?;
        writeln!(out, "  tokens:")?;
        self.tokens
            .iter()
            .filter(|token| token.account.is_none())
            .try_for_each(|token| write_token(out, token))?;
        write_certificates(out, "  ", None, &self.certificates)?;
        writeln!(out, "store:\n  url: {}\n  lock_wait: {}", quoted(store), show_span(self.lock_wait))?;
        writeln!(out, "api:\n  accept_wait: {wait}\n  default_status: {statuses}")?;
        writeln!(out, "  fallback_delegates: {delegates}")?;
        writeln!(out, "engine:\n  retry_max: {retry}\n  poll_min: {poll_min}\n  poll_max: {poll_max}")?;
        writeln!(out, "  verify_every: {verify}")?;
        write_upstream(out, &self.upstream)?;
        writeln!(out, "log:\n  filter: {}\n  format: {}", quoted(&log.filter), log.format.as_str())?;
        traces::write(out, self.traces.as_ref())?;
        limits::write_general(out, &self.limits)?;
        self.write_lists(out)
    }

    fn write_lists(&self, out: &mut String) -> fmt::Result {
        out.write_str("accounts:\n")?;
        for (account, terms) in self.accounts.iter().zip(&self.terms) {
            write_account(out, account, terms, self)?;
        }
        if let Some(file) = &self.presets_file {
            writeln!(out, "presets_file: {}", quoted(file.display()))?;
        }
        out.write_str("providers:\n")?;
        self.providers.iter().try_for_each(|provider| write_provider(out, provider))?;
        out.write_str("policies:\n")?;
        self.policies.iter().try_for_each(|policy| write_policy(out, policy))?;
        routes::write(out, &self.routes)
    }
}

fn write_clients(out: &mut String, server: &ServerSettings) -> fmt::Result {
    let Timeouts { head, idle, body, write } = server.timeouts;
    let [head, idle, body, write] = [head, idle, body, write].map(show_span);
    let proxies = &server.proxies;
    let protocol = if proxies.protocol_v2 { "v2" } else { "none" };
    let trusted = list(proxies.trusted.iter().map(quoted));
    writeln!(out, "  max_connections_per_address: {}", server.max_connections_per_address)?;
    writeln!(out, "  max_unread: {}", server.max_unread)?;
    writeln!(out, "  timeouts: {{ head: {head}, idle: {idle}, body: {body}, write: {write} }}")?;
    write!(out, "  proxies: {{ trusted: {trusted}, protocol: {protocol}, ")?;
    writeln!(out, "forwarded_for: {} }}", proxies.forwarded_for)
}

fn write_account(
    out: &mut String,
    account: &AccountDecl,
    terms: &AccountTerms,
    settings: &Settings,
) -> fmt::Result {
    writeln!(
        out,
        "  - name: {}\n    policy: {}\n    weight: {}",
        quoted(&account.name),
        quoted(&account.policy),
        account.weight.get()
    )?;
    if terms.meta_controls {
        out.write_str("    meta_controls: true\n")?;
    }
    limits::write_terms(out, terms)?;
    out.write_str("    tokens:\n")?;
    let own = |token: &&TokenDecl| token.account.as_ref() == Some(&account.name);
    settings.tokens.iter().filter(own).try_for_each(|token| write_token(out, token))?;
    write_certificates(out, "    ", Some(&account.name), &settings.certificates)
}

fn write_certificates(
    out: &mut String,
    indent: &str,
    account: Option<&String>,
    all: &[CertificateDecl],
) -> fmt::Result {
    let own: Vec<_> = all.iter().filter(|certificate| certificate.account.as_ref() == account).collect();
    if own.is_empty() {
        return Ok(());
    }
    writeln!(out, "{indent}certificates:")?;
    own.into_iter().try_for_each(|CertificateDecl { name, mark, scopes, policies, .. }| {
        let mark = match mark {
            Mark::San(san) => format!("san: {}", quoted(san)),
            Mark::Sha256(hash) => format!("sha256: {}", quoted(hex(hash))),
        };
        let scopes = list(scopes.iter().map(quoted));
        write!(out, "{indent}  - {{ name: {}, {mark}, scopes: {scopes}", quoted(name))?;
        if !policies.is_empty() {
            write!(out, ", policies: {}", list(policies.iter().map(quoted)))?;
        }
        out.write_str(" }\n")
    })
}

fn write_tls(out: &mut String, tls: Option<&tls::Settings>) -> fmt::Result {
    let Some(tls) = tls else { return Ok(()) };
    let (cert, key) = (quoted(tls.cert.display()), quoted(tls.key.display()));
    writeln!(out, "  tls:\n    cert: {cert}\n    key: {key}")?;
    if let Some(clients) = &tls.clients {
        let ca = quoted(clients.ca.display());
        writeln!(out, "    client_ca: {ca}\n    require_client_cert: {}", clients.required)?;
    }
    writeln!(out, "    min_version: {}", quoted(tls.min_version.as_str()))
}

fn write_token(out: &mut String, token: &TokenDecl) -> fmt::Result {
    let scopes = list(token.scopes.iter().map(quoted));
    write!(out, "      - {{ name: {}, secret: \"***\", scopes: {scopes}", quoted(&token.name))?;
    if let Some(expires) = token.expires {
        write!(out, ", expires: {}", quoted(expires))?;
    }
    if !token.policies.is_empty() {
        write!(out, ", policies: {}", list(token.policies.iter().map(quoted)))?;
    }
    if token.limits != OwnLimits::default() {
        write!(out, ", limits: {}", token.limits)?;
    }
    out.write_str(" }\n")
}

fn write_provider(out: &mut String, provider: &ProviderSettings) -> fmt::Result {
    let ProviderSettings { name, preset, endpoint, account, exclusive, budget, .. } = provider;
    let (deadline, settle) = (show_span(provider.deadline), show_span(provider.settle));
    writeln!(out, "  - name: {}\n    preset: {}", quoted(name), preset.name)?;
    writeln!(out, "    endpoint: {}", quoted(endpoint))?;
    write_credential(out, &provider.credential)?;
    if let Some(account) = account {
        writeln!(out, "    account: {}", quoted(account))?;
    }
    writeln!(out, "    exclusive: {exclusive}")?;
    if let Some(gateway) = &provider.gateway {
        writeln!(out, "    gateway: {}", quoted(&gateway.url))?;
    }
    write_facts(out, &provider.facts)?;
    write_budget(out, budget)?;
    writeln!(out, "    timeouts: {{ deadline: {deadline}, settle: {settle} }}")?;
    write_way(out, "    ", provider.way.proxy.as_deref(), provider.way.ca_file.as_deref())
}

fn write_upstream(out: &mut String, upstream: &UpstreamSettings) -> fmt::Result {
    writeln!(out, "upstream:\n  connect_timeout: {}", show_span(upstream.connect_timeout))?;
    write_way(out, "  ", upstream.proxy.as_deref(), upstream.ca_file.as_deref())
}

fn write_way(out: &mut String, indent: &str, proxy: Option<&str>, ca_file: Option<&Path>) -> fmt::Result {
    if let Some(proxy) = proxy {
        writeln!(out, "{indent}proxy: {}", quoted(proxy))?;
    }
    if let Some(file) = ca_file {
        writeln!(out, "{indent}ca_file: {}", quoted(file.display()))?;
    }
    Ok(())
}

fn write_budget(out: &mut String, budget: &BudgetDecl) -> fmt::Result {
    let BudgetDecl { rates, concurrency, max_queued, group } = budget;
    out.write_str("    budget: { ")?;
    for (class, rate) in rates.iter() {
        write!(out, "{class}: {}, ", or_none(rate.as_ref()))?;
    }
    write!(out, "concurrency: {concurrency}, max_queued: {}", or_none(max_queued.as_ref()))?;
    if let Some(group) = group {
        write!(out, ", group: {}", quoted(group))?;
    }
    out.write_str(" }\n")
}

fn or_none(value: Option<&impl Display>) -> String {
    value.map_or_else(|| "none".to_owned(), ToString::to_string)
}

fn write_credential(out: &mut String, credential: &Credential) -> fmt::Result {
    let login = |out: &mut String, user: &str, password: &str| {
        writeln!(out, "    login: {{ user: {}{password} }}", quoted(user))
    };
    let password = ", password: \"***\"";
    match credential {
        Credential::None => writeln!(out, "    auth: none"),
        Credential::Token(_) => writeln!(out, "    token: \"***\""),
        Credential::Basic { user, .. } => {
            writeln!(out, "    auth: basic")?;
            login(out, user, password)
        }
        Credential::Login(entry) => {
            writeln!(out, "    auth: login")?;
            login(out, &entry.user, entry.password.as_ref().map_or("", |_| password))
        }
    }
}

fn write_policy(out: &mut String, policy: &Policy) -> fmt::Result {
    let Policy { name, copies, need, providers, choose, spread_by, deadlines, late, priority, .. } = policy;
    writeln!(out, "  - name: {}\n    copies: {{ min: {}, max: {} }}", quoted(name), copies.min, copies.max)?;
    writeln!(out, "    pinned_when: {need}\n    providers: {}", list(providers.iter().map(quoted)))?;
    writeln!(out, "    choose: {}\n    late: {}", choose.as_str(), late.as_str())?;
    writeln!(out, "    priority: {}\n    proof: {}", priority.get(), policy.proof.as_str())?;
    writeln!(out, "    upstream_name: {}", policy.upstream_name.as_str())?;
    if let Some(tag) = spread_by {
        writeln!(out, "    spread_by: {}", quoted(tag))?;
    }
    let spans = [("queued", deadlines.queued), ("pinning", deadlines.pinning)];
    let spans = spans.into_iter().filter_map(|(key, span)| Some(format!("{key}: {}", show_span(span?))));
    let spans: Vec<_> = spans.collect();
    if !spans.is_empty() {
        writeln!(out, "    deadlines: {{ {} }}", spans.join(", "))?;
    }
    policy.expire_after.map_or(Ok(()), |span| writeln!(out, "    expire_after: {}", show_span(span)))
}

fn write_facts(out: &mut String, facts: &Facts) -> fmt::Result {
    let Facts { weight, tags, cost, max_pins, codecs, retention, declare_dead_after, audit, proof } = facts;
    writeln!(out, "    weight: {}", weight.get())?;
    if !tags.is_empty() {
        let tags: Vec<_> = tags.iter().map(|(tag, value)| format!("{tag}: {}", quoted(value))).collect();
        writeln!(out, "    tags: {{ {} }}", tags.join(", "))?;
    }
    let codecs = codecs.as_ref().map(|codecs| list(codecs.iter().map(quoted)));
    let lines = [
        ("cost", cost.map(|cost| cost.to_string())),
        ("max_pins", max_pins.map(|most| most.to_string())),
        ("codecs", codecs),
        ("retention", retention.map(show_span)),
        ("declare_dead_after", declare_dead_after.map(show_span)),
        ("audit", Some(audit.map_or("off".to_owned(), show_audit))),
        ("proof", proof.map(show_sampling)),
    ];
    lines
        .into_iter()
        .try_for_each(|(key, value)| value.map_or(Ok(()), |value| writeln!(out, "    {key}: {value}")))
}

fn show_audit(Audit { every, by }: Audit) -> String {
    let by = match by {
        AuditBy::Auto => "auto",
        AuditBy::Sweep => "sweep",
        AuditBy::Look => "look",
    };
    format!("{{ every: {}, by: {by} }}", show_span(every))
}

fn show_sampling(Sampling { every, sample }: Sampling) -> String {
    format!("{{ every: {}, sample: {sample} }}", show_span(every))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A text in JSON's quotes, which are YAML's too.
pub(super) fn quoted(text: impl Display) -> String {
    serde_json::Value::String(text.to_string()).to_string()
}

pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn statuses(set: StatusSet) -> String {
    if set == StatusSet::ALL {
        return "all".to_owned();
    }
    list(set.iter().map(Status::as_str).map(str::to_owned))
}
