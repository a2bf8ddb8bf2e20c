//! Who may call a simulated provider: its token, its user, and the tokens that it issued to them.

use std::{collections::VecDeque, time::Duration};

use multibase::Base;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use crate::{model::Timestamp, presets::Auth};

use super::errors::Problem;

/// How long a token lives that renews others.
const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// A token that it gave out.
struct Issued {
    access: String,
    /// Renews the pair, once.
    refresh: Option<String>,
    ends: Option<Timestamp>,
}

/// What proves that a caller is its user.
pub(super) enum Proof<'a> {
    Password {
        name: &'a str,
        password: &'a str,
    },
    /// One that was sent by mail.
    Code {
        name: &'a str,
        code: &'a str,
    },
}

pub(super) struct Credentials {
    token: SecretString,
    user: Option<(String, SecretString)>,
    issued: VecDeque<Issued>,
    code: Option<String>,
}

impl Credentials {
    /// The oldest tokens end when more than these are out.
    const ISSUED: usize = 10_000;

    pub(super) fn new(token: SecretString, user: Option<(String, SecretString)>) -> Self {
        Self { token, user, issued: VecDeque::new(), code: None }
    }

    /// All tokens from before end, those that were issued too.
    pub(super) fn reset_token(&mut self, token: SecretString) {
        self.token = token;
        self.issued.clear();
    }

    /// Judges an `Authorization` header.
    pub(super) fn check(&self, header: Option<&str>, auth: &[Auth], now: Timestamp) -> Result<(), Problem> {
        let header = header.ok_or(Problem::NoToken)?;
        let good = if let Some(token) = header.strip_prefix("Bearer ") {
            (auth.contains(&Auth::Bearer) && self.token.expose_secret() == token)
                || self.is_issued(token, now)
        } else if let Some(pair) = basic(header) {
            auth.contains(&Auth::Basic) && self.is_user(&pair.0, &pair.1)
        } else {
            return Err(Problem::NoToken);
        };
        let token = || header.split_once(' ').map_or(header, |(_, token)| token).to_owned();
        if good { Ok(()) } else { Err(Problem::BadToken(token())) }
    }

    fn is_issued(&self, token: &str, now: Timestamp) -> bool {
        let issued = self.issued.iter().find(|issued| issued.access == token);
        issued.is_some_and(|issued| issued.ends.is_none_or(|ends| now < ends))
    }

    fn is_user(&self, name: &str, password: &str) -> bool {
        self.user.as_ref().is_some_and(|user| user.0 == name && user.1.expose_secret() == password)
    }

    /// Whether this is the user; a code proves it once.
    pub(super) fn proves(&mut self, proof: &Proof<'_>) -> bool {
        match proof {
            Proof::Password { name, password } => self.is_user(name, password),
            Proof::Code { name, code } => {
                let proves = self.is_name(name) && self.code.as_deref() == Some(code);
                if proves {
                    self.code = None;
                }
                proves
            }
        }
    }

    pub(super) fn is_basic(&self, header: Option<&str>) -> bool {
        header.and_then(basic).is_some_and(|(name, password)| self.is_user(&name, &password))
    }

    fn is_name(&self, name: &str) -> bool {
        self.user.as_ref().is_some_and(|user| user.0 == name)
    }

    /// Mails its user a code of six digits, in place of the one before; whether this is the user's address.
    pub(super) fn mail(&mut self, name: &str) -> bool {
        let known = self.is_name(name);
        if known {
            self.code = Some(format!("{:06}", rand::random_range(0..1_000_000)));
        }
        known
    }

    /// The last code that was mailed and not used.
    pub(super) fn mailed(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// A token that is a text without meaning and never ends.
    pub(super) fn issue_session(&mut self) -> String {
        self.issue(Uuid::new_v4().to_string(), None, None)
    }

    /// A JWT that never ends.
    pub(super) fn issue_lasting(&mut self, now: Timestamp) -> String {
        let jwt = self.jwt(now, None);
        self.issue(jwt, None, None)
    }

    /// A JWT of this life, and one that renews it.
    pub(super) fn issue_pair(&mut self, life: Duration, now: Timestamp) -> (String, String) {
        let (access, refresh) = (self.jwt(now, Some(life)), self.jwt(now, Some(REFRESH_LIFE)));
        (self.issue(access, Some(refresh.clone()), Some(now.plus(life))), refresh)
    }

    /// Uses up a token that renews; whether it was one.
    pub(super) fn renews(&mut self, refresh: &str) -> bool {
        let found = self.issued.iter_mut().find(|issued| issued.refresh.as_deref() == Some(refresh));
        found.is_some_and(|issued| issued.refresh.take().is_some())
    }

    fn issue(&mut self, access: String, refresh: Option<String>, ends: Option<Timestamp>) -> String {
        if self.issued.len() == Self::ISSUED {
            self.issued.pop_front();
        }
        self.issued.push_back(Issued { access: access.clone(), refresh, ends });
        access
    }

    /// Nobody reads its signature.
    fn jwt(&self, now: Timestamp, life: Option<Duration>) -> String {
        let part = |text: String| Base::Base64Url.encode(text);
        let mut claims = json!({
            "sub": self.user.as_ref().map(|user| user.0.as_str()),
            "iat": now.as_secs(),
            "jti": Uuid::new_v4().to_string(),
        });
        if let Some(life) = life {
            claims["exp"] = now.plus(life).as_secs().into();
        }
        let head = part(json!({ "alg": "HS256", "typ": "JWT" }).to_string());
        format!("{head}.{}.{}", part(claims.to_string()), Base::Base64Url.encode(rand::random::<[u8; 32]>()))
    }
}

/// The name and password of HTTP Basic authentication.
fn basic(header: &str) -> Option<(String, String)> {
    let bytes = Base::Base64Pad.decode(header.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
