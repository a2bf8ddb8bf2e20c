//! What logins send and are answered with. Speaks to nobody.

use ::http::{
    HeaderValue, Method, Request, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{SecretKind, vault::Pair};
use crate::{
    model::Timestamp,
    presets::{Login, LoginStyle},
    providers::Endpoint,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a user shows.
#[derive(Clone, Debug)]
pub(in crate::providers) enum Proof {
    Password(SecretString),
    /// It came by e-mail.
    Code(SecretString),
}

/// The URLs and words of one provider's logins.
#[derive(Debug)]
pub(super) struct Wire {
    how: Login,
    endpoint: Endpoint,
}

type Made = Result<Request<Bytes>, &'static str>;

impl Wire {
    pub(super) fn new(how: Login, endpoint: Endpoint) -> Self {
        Self { how, endpoint }
    }

    pub(super) fn log_in(&self, user: &str, proof: &Proof) -> Made {
        let body = match (self.how.style, proof) {
            (LoginStyle::Email, Proof::Password(password)) => {
                json!({ "email": user, "password": password.expose_secret() })
            }
            (LoginStyle::Email, Proof::Code(code)) => json!({ "email": user, "code": code.expose_secret() }),
            (LoginStyle::Username, Proof::Password(password)) => {
                json!({ "username": user, "password": password.expose_secret() })
            }
            (LoginStyle::Basic, Proof::Password(password)) => {
                let mut request = self.request(Method::POST, &self.how.url, None)?;
                request.headers_mut().insert(AUTHORIZATION, super::keeper::basic(user, password));
                return Ok(request);
            }
            (LoginStyle::Username | LoginStyle::Basic, Proof::Code(_)) => {
                return Err("it takes no codes by e-mail");
            }
        };
        self.request(Method::POST, &self.how.url, Some(&body))
    }

    /// `None` where nobody knows how pairs are renewed.
    pub(super) fn renew(&self, refresh: &SecretString) -> Option<Made> {
        let (key, url) = (self.how.refresh_token.as_ref()?, self.how.refresh_url.as_ref()?);
        let body = json!({ key.as_str(): refresh.expose_secret() });
        Some(self.request(Method::POST, url, Some(&body)))
    }

    /// `None` where there are no codes by e-mail.
    pub(super) fn ask_code(&self, user: &str) -> Option<Made> {
        let user = utf8_percent_encode(user, NON_ALPHANUMERIC);
        let url = format!("{}{user}", self.how.code_url.as_ref()?);
        Some(self.request(Method::GET, &url, None))
    }

    /// The pair in an answer; one that names no new refresh token leaves the old one good.
    pub(super) fn read(
        &self,
        body: &[u8],
        before: Option<&SecretString>,
        now: Timestamp,
    ) -> Result<Pair, String> {
        let value: Value = serde_json::from_slice(body).map_err(|_| "its answer is not JSON".to_owned())?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let access = text(&self.how.token).ok_or_else(|| format!("its answer has no {}", self.how.token))?;
        SecretKind::Token.check(access).map_err(|_| format!("its {} fits no header", self.how.token))?;
        let refresh = self.how.refresh_token.as_deref().and_then(text).map(SecretString::from);
        Ok(Pair { access: access.into(), refresh: refresh.or_else(|| before.cloned()), obtained: Some(now) })
    }

    fn request(&self, method: Method, url: &str, body: Option<&Value>) -> Made {
        const WRONG: &str = "its preset's login has a URL that is none";
        let uri: Uri = resolve(&self.endpoint, url).parse().map_err(|_| WRONG)?;
        let mut request = Request::builder().method(method).uri(uri).header(ACCEPT, JSON);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, JSON);
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        request.body(body).map_err(|_| WRONG)
    }
}

/// Absolute as it is; with a slash before it from the endpoint's host, else below the endpoint.
fn resolve(endpoint: &Endpoint, url: &str) -> String {
    if url.contains("://") {
        url.to_owned()
    } else if url.starts_with('/') {
        format!("{}{url}", endpoint.host())
    } else {
        format!("{endpoint}/{url}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::Presets;

    fn wire(preset: &str, endpoint: &str) -> Wire {
        let how = Presets::known(preset).login.clone().unwrap();
        Wire::new(how, Endpoint::parse(endpoint).unwrap())
    }

    fn text(request: &Request<Bytes>) -> String {
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        format!("{} {} {body}", request.method(), request.uri())
    }

    #[test]
    fn each_service_is_spoken_to_in_its_own_way() {
        let (password, code) = (Proof::Password("pw".into()), Proof::Code("123".into()));
        let w3ipfs = wire("w3ipfs", "https://api.w3ipfs.storage/api/psa/");
        assert_eq!(
            text(&w3ipfs.log_in("a@b.example", &password).unwrap()),
            r#"POST https://api.w3ipfs.storage/api/auth/login {"email":"a@b.example","password":"pw"}"#
        );
        assert!(text(&w3ipfs.log_in("a@b.example", &code).unwrap()).contains(r#""code":"123""#));
        assert_eq!(
            text(&w3ipfs.ask_code("a@b.example").unwrap().unwrap()),
            "GET https://api.w3ipfs.storage/api/auth/email_login/a%40b%2Eexample "
        );
        assert!(w3ipfs.renew(&"r".into()).is_none());
        let fula = wire("fula", "https://api.cloud.fx.land");
        assert_eq!(
            text(&fula.log_in("ada", &password).unwrap()),
            r#"POST https://api.cloud.fx.land/auth/token {"password":"pw","username":"ada"}"#
        );
        assert!(fula.log_in("ada", &code).is_err() && fula.ask_code("ada").is_none());
        let cluster = wire("ipfs-cluster", "http://127.0.0.1:9097/x").log_in("ada", &password).unwrap();
        assert_eq!(text(&cluster), "POST http://127.0.0.1:9097/x/token ");
        assert_eq!(cluster.headers()[AUTHORIZATION], "Basic YWRhOnB3");
    }

    #[test]
    fn an_answer_without_a_usable_token_is_none() {
        let wire = wire("w3ipfs", "https://api.w3ipfs.storage");
        let read =
            |body: &str, before: Option<&SecretString>| wire.read(body.as_bytes(), before, Timestamp::ZERO);
        let pair = read(r#"{"access_token":"a","refresh_token":"r","status":"success"}"#, None).unwrap();
        assert_eq!((pair.access.expose_secret(), pair.refresh.unwrap().expose_secret()), ("a", "r"));
        let kept = read(r#"{"access_token":"b"}"#, Some(&"r".into())).unwrap();
        assert_eq!(kept.refresh.unwrap().expose_secret(), "r");
        for body in ["", "OK", "{}", r#"{"access_token":""}"#, r#"{"access_token":"a b"}"#] {
            assert!(read(body, None).is_err(), "{body}");
        }
    }
}
