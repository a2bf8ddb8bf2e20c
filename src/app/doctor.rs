//! `pinfold doctor`: looks at all that a gateway stands on, beside it or without it, and says what to do.

mod clock;
mod provider;
mod secrets;
mod store;

use std::{fmt, io, path::Path, path::PathBuf, sync::Arc};

use serde::Serialize;

use crate::{
    config::{Loaded, Problem, Problems, ProviderSettings, Settings},
    model::{Clock, SystemClock},
};

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Ok,
    /// It works; an operator may want to look.
    Warn,
    Bad,
}

impl Health {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Such as `store: lock` or `alpha: dns`.
    pub what: String,
    pub health: Health,
    pub seen: String,
    /// What to type or do; every bad one has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>, seen: impl AsRef<str>) -> Self {
        Self { what: what.into(), health: Health::Ok, seen: one_line(seen.as_ref()), advice: None }
    }

    fn warn(what: impl Into<String>, seen: impl AsRef<str>, advice: impl Into<String>) -> Self {
        Self { health: Health::Warn, advice: Some(advice.into()), ..Self::ok(what, seen) }
    }

    fn bad(what: impl Into<String>, seen: impl AsRef<str>, advice: impl Into<String>) -> Self {
        Self { health: Health::Bad, ..Self::warn(what, seen, advice) }
    }
}

/// Others' words may go over several lines.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
}

/// One line: `bad  store: lock  seen; advice`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<4} {}: {}", self.health.as_str(), self.what, self.seen)?;
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

/// Bytes of the file system that holds a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub free: u64,
    pub all: u64,
}

/// What a doctor sees the world by.
#[derive(Clone)]
pub struct Senses {
    pub clock: Arc<dyn Clock>,
    pub space: fn(&Path) -> io::Result<Space>,
}

impl Default for Senses {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), space: store::space }
    }
}

/// A house call: what is to be looked at.
pub struct Doctor {
    /// The configuration's file.
    pub file: PathBuf,
    /// By the configuration, whatever else is wrong with it; `None` where it cannot be read.
    pub store: Option<PathBuf>,
    pub config: Result<Loaded, Problems>,
    /// Only this provider, and nothing else.
    pub only: Option<String>,
    pub senses: Senses,
}

impl Doctor {
    /// Looks at one thing after the other; each is told to `tell` once it is known, which says whether to go on.
    pub async fn visit(&self, mut tell: impl FnMut(Finding) -> bool) -> Health {
        let mut worst = Health::Ok;
        let mut note = |finding: Finding| {
            if finding.health == Health::Bad || worst == Health::Ok {
                worst = finding.health;
            }
            tell(finding)
        };
        if self.only.is_none() && !self.house().into_iter().all(&mut note) {
            return worst;
        }
        if let Ok(loaded) = &self.config {
            for entry in self.providers(&loaded.settings) {
                let found = match loaded.lacks_credential_of(&entry.name) {
                    true => vec![locked_out(entry)],
                    false => provider::look(&loaded.settings, entry, &self.senses.clock).await,
                };
                if !found.into_iter().all(&mut note) {
                    return worst;
                }
            }
        } else if self.only.is_some() {
            self.configuration().into_iter().all(&mut note);
        }
        worst
    }

    /// What does not need the network.
    fn house(&self) -> Vec<Finding> {
        let mut found = self.configuration();
        let named = match &self.config {
            Ok(loaded) => &loaded.secret_files,
            Err(problems) => &problems.secret_files,
        };
        let Some(store) = &self.store else { return found };
        found.extend(secrets::look(named, store));
        let (lines, told) = store::look(store, self.senses.space);
        found.extend(lines);
        found.push(clock::against_the_store(told, &self.senses.clock));
        found
    }

    fn providers<'a>(&'a self, settings: &'a Settings) -> impl Iterator<Item = &'a ProviderSettings> {
        settings.providers.iter().filter(|entry| self.only.as_ref().is_none_or(|only| *only == entry.name))
    }

    /// What a configuration that cannot be used leaves unseen.
    fn passed_over(&self) -> Finding {
        let what = if self.store.is_some() { "providers" } else { "store and providers" };
        let seen = "not looked at: the configuration does not say which they are";
        Finding::warn(what, seen, "correct it first")
    }

    fn configuration(&self) -> Vec<Finding> {
        let file = self.file.display().to_string();
        let line = |health, problem: &Problem| {
            let advice = format!("correct it, then run: pinfold check-config --config {file}");
            Finding { health, ..Finding::bad("config", problem.line(&file), advice) }
        };
        let loaded = match &self.config {
            Err(problems) => {
                let wrong = problems.list.iter().map(|problem| line(Health::Bad, problem));
                return wrong.chain([self.passed_over()]).collect();
            }
            Ok(loaded) => loaded,
        };
        let unread = loaded.unread.iter().map(|unread| match unread.is_hidden {
            true => Finding::bad("config", unread.problem.line(&file), ELSEWHERE),
            false => line(Health::Bad, &unread.problem),
        });
        let warnings = loaded.warnings.iter().map(|problem| line(Health::Warn, problem));
        let mut found: Vec<_> = unread.chain(warnings).collect();
        if found.is_empty() {
            found.push(Finding::ok("config", format!("{file} can be used")));
        }
        found
    }
}

/// What to do about a secret that this user may not have: the file may be right.
const ELSEWHERE: &str =
    "or run this as root, or as the user that runs the gateway, with the same environment, who may have it";

/// What is not known cannot be sent.
fn locked_out(entry: &ProviderSettings) -> Finding {
    let what = format!("{}: credential", entry.name);
    let advice = format!(
        "run as root, or as the user that runs the gateway, with the same environment: pinfold doctor {}",
        entry.name
    );
    Finding::bad(what, "it could not be had here, so that the service was not asked", advice)
}

#[cfg(test)]
mod tests;
