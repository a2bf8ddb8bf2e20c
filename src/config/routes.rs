//! Routes: which pins are placed by which policy.

use std::fmt::{self, Write};

use super::accounts::Names;
use super::effective::{list, quoted};
use super::policies::one_named;
use super::problem::Problem;
use super::reader::{Keys, Reader, Section, Wrong, nearest};
use super::settings::{CertificateDecl, TokenDecl};
use super::value::{boolean, name};
use crate::model::{AccountDecl, Codec, Meta};
use crate::policy::{Glob, Route, Routes, When};

const ROUTE: Keys = Keys { known: &["name", "when", "policy"], later: &[] };
const WHEN: Keys = Keys { known: &["account", "token", "name", "meta", "codec", "origins"], later: &[] };
const ROUTES_HELP: &str =
    "write routes: [ { name: backups, when: { name: \"backup-*\" }, policy: archive } ]";
const META_HELP: &str =
    "write keys and patterns of their values, such as meta: { app: \"photos*\", keep: \"*\" }";

/// What routes may name.
pub(super) struct Known<'a> {
    pub accounts: &'a [AccountDecl],
    pub policies: &'a [String],
    pub tokens: &'a [TokenDecl],
    pub certificates: &'a [CertificateDecl],
}

pub(super) fn read(reader: &mut Reader<'_>, root: &Section<'_>, known: &Known<'_>) -> Routes {
    let mut names = Names::default();
    let mut routes: Vec<Route> = Vec::new();
    for field in reader.list(root, "routes", ROUTES_HELP) {
        let section = reader.open(field, ROUTE);
        let name = names.take(reader, &section);
        let when = when(reader, &section, known);
        let policy = policy(reader, &section, known);
        let route = Route { name: name.unwrap_or_default(), when, policy: policy.unwrap_or_default() };
        warn_if_unreachable(reader, &section, &routes, &route, known);
        routes.push(route);
    }
    let many = routes.len();
    Routes::new(routes).unwrap_or_else(|| {
        let what = format!("are {many}, of which every pin tries each");
        let spot = root.get("routes").and_then(|field| field.spot);
        reader.wrong("routes", spot, what, format!("write at most {}", Routes::MAX));
        Routes::default()
    })
}

fn policy(reader: &mut Reader<'_>, route: &Section<'_>, known: &Known<'_>) -> Option<String> {
    let policies: Vec<_> = known.policies.iter().map(String::as_str).collect();
    let text = reader.required(route, "policy", "write policy: and the name of one")?;
    reader.parse(&text, |text| one_named(text, &policies, "policy"))
}

fn when(reader: &mut Reader<'_>, route: &Section<'_>, known: &Known<'_>) -> When {
    let section = reader.section(route, "when", WHEN);
    let accounts: Vec<_> = known.accounts.iter().map(|account| account.name.as_str()).collect();
    let origins = reader.optional(&section, "origins");
    When {
        accounts: any_of(reader, &section, "account", |text| one_named(text, &accounts, "account")),
        tokens: tokens(reader, &section, known),
        names: any_of(reader, &section, "name", glob),
        meta: meta(reader, &section),
        codecs: any_of(reader, &section, "codec", codec),
        origins: origins.and_then(|text| reader.parse(&text, boolean)),
    }
}

/// The values of a condition, any of which will do: one, or a list of them.
fn any_of<T>(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    parse: impl Fn(&str) -> Result<T, Wrong>,
) -> Vec<T> {
    if let Some(field) = section.get(key)
        && field.value.is_empty()
    {
        let help = "write one value or a list of them, or remove the key: then any will do";
        reader.wrong(field.path, field.spot, "names nothing, so that no pin would fit", help);
        return Vec::new();
    }
    let words = reader.words(section, key, "write one value, or a list of them").unwrap_or_default();
    words.iter().filter_map(|word| reader.parse(word, &parse)).collect()
}

/// Those of the store are not known here: an unknown name is only told where it looks like a slip.
fn tokens(reader: &mut Reader<'_>, section: &Section<'_>, known: &Known<'_>) -> Vec<String> {
    let of_config = known.tokens.iter().filter(|token| token.account.is_some()).map(|token| &token.name);
    let certified = known.certificates.iter().filter(|one| one.account.is_some()).map(|one| &one.name);
    let of_config: Vec<_> = of_config.chain(certified).map(String::as_str).collect();
    let tokens = any_of(reader, section, "token", name);
    for token in tokens.iter().filter(|token| !of_config.contains(&token.as_str())) {
        if let Some(near) = nearest(token, &of_config) {
            let what = format!("the config has no token `{token}`");
            let help =
                format!("did you mean `{near}`? One that was made by `pinfold token create` will do, too");
            let path = section.path_of("token");
            reader.warnings.push(Problem::new(path, section.spot.clone(), what).help(help));
        }
    }
    tokens
}

fn meta(reader: &mut Reader<'_>, when: &Section<'_>) -> Vec<(String, Vec<Glob>)> {
    let section = reader.open_any(when, "meta", META_HELP);
    let mut keys = Vec::new();
    for key in section.keys() {
        if key.is_empty() || key.len() > Meta::MAX_KEY_BYTES {
            let help = format!("write 1 to {} bytes", Meta::MAX_KEY_BYTES);
            reader.wrong(section.path_of(key), section.spot.clone(), "not a key that meta can have", help);
        }
        keys.push((key.to_owned(), any_of(reader, &section, key, glob)));
    }
    keys
}

fn glob(text: &str) -> Result<Glob, Wrong> {
    let help = || format!("write at most {} characters; `*` stands for any number of them", Glob::MAX_CHARS);
    Glob::new(text).ok_or_else(|| Wrong::new("too long a pattern", help()))
}

fn codec(text: &str) -> Result<Codec, Wrong> {
    text.parse().map_err(|_| {
        let names: Vec<_> = Codec::names().collect();
        let help = match nearest(text, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of {}, or a number such as 0x55", names.join(", ")),
        };
        Wrong::new("no such codec", help)
    })
}

/// Warns of a route behind one that takes all that it would.
fn warn_if_unreachable(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    before: &[Route],
    route: &Route,
    known: &Known<'_>,
) {
    // A token whose list lacks a route's policy passes that route by.
    let lists = known.tokens.iter().map(|token| &token.policies);
    let lists: Vec<_> = lists.chain(known.certificates.iter().map(|one| &one.policies)).collect();
    let passes_none = |policy: &String| lists.iter().all(|list| list.is_empty() || list.contains(policy));
    let takes_it = |earlier: &&Route| {
        (earlier.when.is_always() || earlier.when == route.when) && passes_none(&earlier.policy)
    };
    if let Some(earlier) = before.iter().find(takes_it) {
        let what = format!("no pin comes to it: `{}` takes all that it would", earlier.name);
        let help = format!("move it before `{}`, or remove it", earlier.name);
        reader.warnings.push(Problem::new(&section.path, section.spot.clone(), what).help(help));
    }
}

/// The routes as they are written in a configuration; nothing where there are none.
pub(super) fn write(out: &mut String, routes: &Routes) -> fmt::Result {
    if !routes.as_slice().is_empty() {
        out.write_str("routes:\n")?;
    }
    for Route { name, when, policy } in routes.as_slice() {
        writeln!(out, "  - name: {}", quoted(name))?;
        if !when.is_always() {
            writeln!(out, "    when: {{ {} }}", conditions(when).join(", "))?;
        }
        writeln!(out, "    policy: {}", quoted(policy))?;
    }
    Ok(())
}

fn conditions(when: &When) -> Vec<String> {
    let When { accounts, tokens, names, meta, codecs, origins } = when;
    let globs = |globs: &[Glob]| list(globs.iter().map(quoted));
    let meta: Vec<_> =
        meta.iter().map(|(key, values)| format!("{}: {}", quoted(key), globs(values))).collect();
    let lists = [
        ("account", list(accounts.iter().map(quoted)), accounts.is_empty()),
        ("token", list(tokens.iter().map(quoted)), tokens.is_empty()),
        ("name", globs(names), names.is_empty()),
        ("meta", format!("{{ {} }}", meta.join(", ")), meta.is_empty()),
        ("codec", list(codecs.iter().map(quoted)), codecs.is_empty()),
        ("origins", origins.unwrap_or_default().to_string(), origins.is_none()),
    ];
    let written = lists.into_iter().filter(|(_, _, left_out)| !left_out);
    written.map(|(key, value, _)| format!("{key}: {value}")).collect()
}
