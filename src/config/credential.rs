//! What a provider's entry gives to log in with, and whether that suits its preset.

use super::problem::Problem;
use super::reader::{Keys, Reader, Section, Wrong};
use super::secret::{self, Sources};
use super::value::one_of;
use crate::presets::{Auth, Preset};
use crate::providers::{Credential, Endpoint, Login, SecretKind};

const TOKEN: Sources =
    Sources { value: "token", file: "token_file", env: "token_env", hash: None, kind: SecretKind::Token };
const PASSWORD: Sources = Sources {
    value: "password",
    file: "password_file",
    env: "password_env",
    hash: None,
    kind: SecretKind::Password,
};
const LOGIN: Keys = Keys { known: &["user", "password", "password_file", "password_env"], later: &[] };

const ALL: [(Auth, &str); 4] =
    [(Auth::Bearer, "bearer"), (Auth::Basic, "basic"), (Auth::Login, "login"), (Auth::None, "none")];

/// The word of a kind in the config.
pub(super) fn word(auth: Auth) -> &'static str {
    ALL.iter().find(|(known, _)| *known == auth).map_or("none", |(_, word)| word)
}

/// What an entry has, before it is known how that is used.
struct Written<'s, 't> {
    section: &'s Section<'t>,
    has_token: bool,
    login: Option<Section<'t>>,
}

/// The entry's credential; every mistake is reported.
pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>, preset: &Preset) -> Option<Credential> {
    let login = section.get("login").map(|field| reader.open(field, LOGIN));
    let written = Written { section, has_token: TOKEN.are_in(section), login };
    let asked = match reader.optional(section, "auth") {
        Some(text) => Some(reader.parse(&text, |text| asked(text, preset))?),
        None => None,
    };
    let Some(auth) = asked.or_else(|| written.fitting(preset)) else {
        written.tell_nothing_fits(reader, preset);
        return None;
    };
    written.tell_superfluous(reader, auth)?;
    written.credential(reader, auth, preset)
}

fn asked(text: &str, preset: &Preset) -> Result<Auth, Wrong> {
    let known = ALL.into_iter().find(|(_, word)| *word == text);
    let (auth, _) =
        known.ok_or_else(|| one_of("no such way to log in", text, ALL.iter().map(|(_, word)| *word)))?;
    if preset.auth.contains(&auth) {
        return Ok(auth);
    }
    Err(Wrong::new(format!("{} has no such way to log in", preset.title), format!("write {}", words(preset))))
}

/// The ways of a preset as words.
fn words(preset: &Preset) -> String {
    preset.auth.iter().map(|auth| word(*auth)).collect::<Vec<_>>().join(" or ")
}

impl Written<'_, '_> {
    /// The first of the preset's ways for which there is what it needs. That there is none is believed without a word only
    /// where that is the usual way.
    fn fitting(&self, preset: &Preset) -> Option<Auth> {
        let has_password = self.login.as_ref().is_some_and(|login| PASSWORD.are_in(login));
        let fits = |auth: &&Auth| match auth {
            Auth::Bearer => self.has_token,
            Auth::Basic => has_password,
            Auth::Login => self.login.is_some(),
            Auth::None => !self.has_token && self.login.is_none() && preset.auth.first() == Some(&Auth::None),
        };
        preset.auth.iter().find(fits).copied()
    }

    fn tell_nothing_fits(&self, reader: &mut Reader<'_>, preset: &Preset) {
        let spot = self.section.spot.clone();
        let login = "login: { user: ..., password_env: ... }";
        let ways: Vec<&str> = [
            (Auth::Bearer, "one of token, token_file, token_env"),
            (Auth::Basic, login),
            (Auth::Login, login),
        ]
        .into_iter()
        .filter(|(auth, _)| preset.auth.contains(auth))
        .map(|(_, words)| words)
        .collect();
        let mut ways = if ways.len() == 3 { ways[..2].to_vec() } else { ways };
        if preset.is_open() {
            ways.push("auth: none");
        }
        let what = match (self.has_token, &self.login) {
            (false, None) => "has no secret".to_owned(),
            (true, _) => format!("{} takes no token", preset.title),
            (false, Some(_)) => format!("{} takes no such login", preset.title),
        };
        reader.wrong(&self.section.path, spot, what, format!("write {}", ways.join(", or ")));
    }

    /// What is written and would not be used is a mistake.
    fn tell_superfluous(&self, reader: &mut Reader<'_>, auth: Auth) -> Option<()> {
        let uses_token = auth == Auth::Bearer;
        let uses_login = matches!(auth, Auth::Basic | Auth::Login);
        let what = match (self.has_token && !uses_token, self.login.is_some() && !uses_login) {
            (false, false) => return Some(()),
            (true, _) if uses_login => "has a token and a login".to_owned(),
            (_, true) if uses_token => "has a token and a login".to_owned(),
            _ => "has a credential, and auth: none".to_owned(),
        };
        let help = "keep one of them, and say which by auth: if both would do";
        reader.wrong(&self.section.path, self.section.spot.clone(), what, help);
        None
    }

    fn credential(&self, reader: &mut Reader<'_>, auth: Auth, preset: &Preset) -> Option<Credential> {
        match auth {
            Auth::None => Some(Credential::None),
            Auth::Bearer => secret::source(reader, self.section, TOKEN).map(Credential::Token),
            Auth::Basic => {
                let login = self.login(reader)?;
                let (user, password) = (user(reader, &login), secret::source(reader, &login, PASSWORD));
                Some(Credential::Basic { user: user?, password: password? })
            }
            Auth::Login => {
                let login = self.login(reader)?;
                let user = user(reader, &login);
                let given = PASSWORD.are_in(&login);
                let password = if given { Some(secret::source(reader, &login, PASSWORD)?) } else { None };
                let Some(how) = preset.login.clone() else {
                    let what = format!("it is not known how one logs in at {}", preset.title);
                    let help = "say so with login: in a presets_file";
                    reader.wrong(&login.path, login.spot, what, help);
                    return None;
                };
                Some(Credential::Login(Login { user: user?, password, how }))
            }
        }
    }

    fn login(&self, reader: &mut Reader<'_>) -> Option<Section<'_>> {
        if self.login.is_none() {
            let help = "write login: { user: ..., password_env: ... }";
            reader.wrong(&self.section.path, self.section.spot.clone(), "`login` is missing", help);
        }
        self.login.clone()
    }
}

fn user(reader: &mut Reader<'_>, login: &Section<'_>) -> Option<String> {
    let text = reader.required(login, "user", "write user: and the name or e-mail address to log in with")?;
    reader.parse(&text, |text| {
        let fits = (1..=254).contains(&text.len()) && !text.contains(|c: char| c.is_control() || c == ':');
        let help = "write a name or an e-mail address, without a colon";
        if fits { Ok(text.to_owned()) } else { Err(Wrong::new("not a user's name", help)) }
    })
}

/// Endpoints with their credentials and accounts, and the paths of the entries that they stand in.
#[derive(Default)]
pub(super) struct Credentials(Vec<Seen>);

struct Seen {
    endpoint: String,
    identity: [u8; 32],
    account: Option<String>,
    path: String,
}

impl Credentials {
    /// One upstream account under two names would break the count of copies: a pin there is one, and deleted for both.
    pub fn check(
        &mut self,
        reader: &mut Reader<'_>,
        section: &Section<'_>,
        (endpoint, credential): (&str, &Credential),
        account: Option<String>,
    ) {
        let Ok(address) = Endpoint::parse(endpoint) else { return };
        let identity = credential.identity(&address);
        let find = |is_same: &dyn Fn(&Seen) -> bool| {
            self.0.iter().find(|seen| seen.endpoint == endpoint && is_same(seen)).map(|seen| &seen.path)
        };
        let by_credential = find(&|seen| seen.identity == identity);
        let by_account = find(&|seen| account.is_some() && seen.account == account);
        if let Some(first) = by_credential {
            let what = format!("has the endpoint and credential of {first}");
            let help = "remove one of the two: copies at one service with one credential count once";
            reader.wrong(&section.path, section.spot.clone(), what, help);
            return;
        }
        if let (Some(first), Some(name)) = (by_account, &account) {
            let what = format!(
                "is of the account {name:?} at the endpoint of {first}, so that copies at both may be one"
            );
            let problem = Problem::new(section.path.clone(), section.spot.clone(), what);
            let help = "remove one of the two, or give one a name of its own with account: where these are two places for pins";
            reader.warnings.push(problem.help(help));
        }
        let (endpoint, path) = (endpoint.to_owned(), section.path.clone());
        self.0.push(Seen { endpoint, identity, account, path });
    }
}
