//! The calls by which a user of a simulated provider gets tokens: log-in, renewal, a code by mail.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    model::Timestamp,
    presets::{Login, LoginStyle},
};

use super::{
    credentials::Proof,
    errors::Problem,
    psa::Called,
    reply::{self, Answer},
    route::Route,
    world::Inside,
};

/// What a log-in sends, in either style.
#[derive(Deserialize)]
struct Sent {
    email: Option<String>,
    username: Option<String>,
    password: Option<String>,
    code: Option<String>,
}

impl Sent {
    fn proof(&self, style: LoginStyle) -> Option<Proof<'_>> {
        let name = match style {
            LoginStyle::Email => self.email.as_deref(),
            LoginStyle::Username => self.username.as_deref(),
            LoginStyle::Basic => None,
        }?;
        match (style, &self.password, &self.code) {
            (_, Some(password), _) => Some(Proof::Password { name, password }),
            (LoginStyle::Email, None, Some(code)) => Some(Proof::Code { name, code }),
            _ => None,
        }
    }
}

impl Inside {
    /// One of the calls that need no token.
    pub(super) fn let_in(&mut self, called: &Called, now: Timestamp) -> Answer {
        let Some(login) = self.behaviour.login.clone() else { return self.refuse(&Problem::NoSuchPath) };
        let done = match called.route {
            Route::Mail => self.mail(&called.id),
            Route::Refresh => self.renew(&login, &called.body, now),
            _ => self.log_in(&login, called, now),
        };
        done.map_or_else(|problem| self.refuse(&problem), |body| reply::json(200, &body))
    }

    fn mail(&mut self, address: &str) -> Result<Value, Problem> {
        if self.credentials.mail(address) {
            Ok(json!({ "status": "success" }))
        } else {
            Err(Problem::BadLogin)
        }
    }

    fn log_in(&mut self, login: &Login, called: &Called, now: Timestamp) -> Result<Value, Problem> {
        if login.style == LoginStyle::Basic {
            let good = self.credentials.is_basic(called.authorization.as_deref());
            return if good { Ok(self.token(login, now)) } else { Err(Problem::BadLogin) };
        }
        let sent: Sent = parse(&called.body)?;
        let proof = sent.proof(login.style).ok_or(Problem::BadLogin)?;
        let outdated = self.behaviour.codes_only && matches!(proof, Proof::Password { .. });
        if outdated || !self.credentials.proves(&proof) {
            return Err(Problem::BadLogin);
        }
        Ok(self.token(login, now))
    }

    fn renew(&mut self, login: &Login, body: &[u8], now: Timestamp) -> Result<Value, Problem> {
        let sent: Map<String, Value> = parse(body)?;
        let key = login.refresh_token.as_deref().unwrap_or_default();
        let refresh = sent.get(key).and_then(Value::as_str).ok_or(Problem::BadLogin)?;
        if self.credentials.renews(refresh) { Ok(self.token(login, now)) } else { Err(Problem::BadLogin) }
    }

    /// The answer to a good log-in, with the keys that the preset says.
    fn token(&mut self, login: &Login, now: Timestamp) -> Value {
        let mut body = Map::new();
        match (&login.refresh_token, login.style) {
            (Some(key), _) => {
                let life = self.behaviour.access_life.0;
                let (access, refresh) = self.credentials.issue_pair(life, now);
                body.insert(login.token.clone(), access.into());
                body.insert(key.clone(), refresh.into());
                body.insert("status".to_owned(), "success".into());
            }
            (None, LoginStyle::Basic) => {
                body.insert(login.token.clone(), self.credentials.issue_lasting(now).into());
            }
            (None, _) => {
                body.insert(login.token.clone(), self.credentials.issue_session().into());
            }
        }
        Value::Object(body)
    }
}

fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::BadBody(error.to_string()))
}
