//! The client of the admin API, and how every command that needs it is told where that is.

use std::fmt::Display;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header, uri::Scheme};
use percent_encoding::{NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{Exit, Failure, complain, unusable};
use crate::app;
use crate::config::{self, Environment, Whereabouts};
use crate::http::{Client, Roots, Settings};

const DEADLINE: Duration = Duration::from_secs(30);
const BODY_LIMIT: usize = 4 << 20;

/// Where a running gateway is, and how to show that one may ask it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct AdminArgs {
    /// The admin listener of the gateway [default: the configuration's, else http://127.0.0.1:5081]
    #[arg(long, value_name = "URL", env = "PINFOLD_ADMIN_URL")]
    admin: Option<Uri>,
    /// A file with the admin token [default: $PINFOLD_ADMIN_TOKEN, else the file beside the configuration's store]
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// The authority that signed the listener's certificate, beside those that this machine trusts
    #[arg(long, value_name = "FILE")]
    admin_ca_file: Option<PathBuf>,
    /// The configuration of the gateway
    #[arg(long, value_name = "FILE", env = "PINFOLD_CONFIG")]
    pub(super) config: Option<PathBuf>,
}

/// A gateway that may be asked.
pub(super) struct Admin {
    base: String,
    token: Option<SecretString>,
    client: Client,
}

/// What came back.
struct Answer {
    status: StatusCode,
    /// `None`: it was none.
    json: Option<Value>,
    is_empty: bool,
}

impl AdminArgs {
    pub(super) fn client(&self) -> Result<Admin, Failure> {
        let environment = Environment::of_process();
        let told = self.told_token(&environment)?;
        // A configuration that has nothing to tell may be broken: the gateway runs by the one it has read.
        let config = self.config.as_deref().filter(|_| self.admin.is_none() || told.is_none());
        let found = found(config, &environment)?;
        let base = base(self.admin.as_ref(), found.as_ref())?;
        let token = match (told, &found) {
            (None, Some(found)) => read(&app::admin_token_file(&found.store))?,
            (told, _) => told,
        };
        if token.is_some() && is_open(&base) {
            complain(&format!("warning: {base} is not https: others may read along, the token included"));
        }
        let settings =
            Settings { connect_timeout: Duration::from_secs(5), roots: self.roots()?, ..Settings::default() };
        Ok(Admin { base, token, client: Client::new(&settings) })
    }

    fn roots(&self) -> Result<Roots, Failure> {
        let Some(file) = &self.admin_ca_file else { return Ok(Roots::default()) };
        let shown = file.display();
        let pem = fs::read(file).map_err(|error| failed(format!("error: cannot read {shown}: {error}")))?;
        Roots::parse(&pem).map_err(|error| failed(format!("error: {shown} {error}")))
    }

    /// The token that was named with the command, or by the environment.
    fn told_token(&self, environment: &Environment) -> Result<Option<SecretString>, Failure> {
        if let Some(file) = &self.admin_token_file {
            return match read(file)? {
                Some(token) => Ok(Some(token)),
                None => Err(failed(format!("error: there is no file {}", file.display()))),
            };
        }
        let token = environment.get("PINFOLD_ADMIN_TOKEN").filter(|token| !token.is_empty());
        Ok(token.map(SecretString::from))
    }
}

fn failed(text: String) -> Failure {
    Failure::new(Exit::Failed, text)
}

/// Where a configuration, if one is given, says that its gateway is.
pub(super) fn found(
    config: Option<&Path>,
    environment: &Environment,
) -> Result<Option<Whereabouts>, Failure> {
    let found = config.map(|file| config::whereabouts(file, environment));
    found.transpose().map_err(|problems| unusable(&problems))
}

pub(super) fn base(given: Option<&Uri>, found: Option<&Whereabouts>) -> Result<String, Failure> {
    let base = match (given, found) {
        (Some(given), _) => given.to_string(),
        (None, Some(found)) if found.is_tls => format!("https://{}", found.admin),
        (None, Some(found)) => format!("http://{}", found.admin),
        (None, None) => "http://127.0.0.1:5081".to_owned(),
    };
    let whole = base.starts_with("http://") || base.starts_with("https://");
    if !whole || base.contains('?') {
        let text = "error: the admin listener's address is http://HOST:PORT or https://HOST:PORT";
        return Err(Failure::new(Exit::Usage, text));
    }
    Ok(base.trim_end_matches('/').to_owned())
}

/// `None` where there is no such file; one that this user may not read is an error, which says so.
fn read(file: &Path) -> Result<Option<SecretString>, Failure> {
    let shown = file.display();
    let cannot =
        |error: &io::Error| failed(format!("error: cannot read the admin token in {shown}: {error}"));
    let metadata = match fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(&error)),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(failed(format!("error: others may read the admin token; run: chmod 600 {shown}")));
    }
    let text = fs::read_to_string(file).map_err(|error| cannot(&error))?;
    let token = text.trim();
    let usable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if usable { Ok(Some(token.into())) } else { Err(failed(format!("error: {shown} holds no token"))) }
}

/// A name as a part of a path.
pub(super) fn segment(name: &str) -> PercentEncode<'_> {
    utf8_percent_encode(name, NON_ALPHANUMERIC)
}

impl Admin {
    /// Asks for `path` below `/api/v1`; the answer is whatever it says on success.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.call_within(DEADLINE, method, path, body).await
    }

    /// As [`call`](Self::call), for an answer that may take longer.
    pub(super) async fn call_within(
        &self,
        deadline: Duration,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        match self.ask(deadline, method, path, body).await? {
            Answer { status, json: Some(json), .. } if status.is_success() => Ok(json),
            Answer { status, json: None, is_empty: true } if status.is_success() => Ok(Value::Null),
            Answer { status, json, .. } => Err(self.refusal(status, json.as_ref())),
        }
    }

    /// As [`call`](Self::call), for whoever goes on after what the gateway refuses: its code, and its words.
    ///
    /// # Errors
    /// Where it does not answer, or does not answer as an admin listener does.
    pub(super) async fn offer(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Result<Value, (StatusCode, String)>, Failure> {
        let Answer { status, json, .. } = self.ask(DEADLINE, method, path, body).await?;
        if status.is_success() {
            return Ok(Ok(json.unwrap_or_default()));
        }
        match json.as_ref().and_then(|json| json["error"]["details"].as_str()) {
            Some(details) if status != StatusCode::UNAUTHORIZED && status != StatusCode::FORBIDDEN => {
                Ok(Err((status, details.to_owned())))
            }
            _ => Err(self.refusal(status, json.as_ref())),
        }
    }

    async fn ask(
        &self,
        deadline: Duration,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let request = self.request(method, path, body)?;
        let asked = tokio::time::timeout(deadline, self.client.send(request, BODY_LIMIT)).await;
        let answer = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(self.unreachable(&error)),
            Err(_) => return Err(self.unreachable(&format!("no answer within {} s", deadline.as_secs()))),
        };
        let json = serde_json::from_slice(answer.body()).ok();
        Ok(Answer { status: answer.status(), json, is_empty: answer.body().is_empty() })
    }

    /// Over https it may be there, under another name than its address.
    fn unreachable(&self, why: &impl Display) -> Failure {
        let base = &self.base;
        let port =
            base.strip_prefix("https://").map(|rest| rest.rsplit_once(':').map_or("PORT", |(_, port)| port));
        let help = port.map(|port| {
            format!("; if so, and its certificate is for a name or signed by an authority of your own, give both: --admin https://NAME:{port} --admin-ca-file FILE")
        });
        let help = help.unwrap_or_default();
        let text = format!("error: cannot reach {base}: {why}; is `pinfold serve` running?{help}");
        Failure::new(Exit::Unreachable, text)
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Request<Bytes>, Failure> {
        let request = Request::builder().method(method).uri(format!("{}/api/v1{path}", self.base));
        let request = match &self.token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret())),
            None => request,
        };
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        request.body(body).map_err(|_| {
            Failure::new(Exit::Usage, format!("error: {} is no address, or the token is none", self.base))
        })
    }

    fn refusal(&self, status: StatusCode, json: Option<&Value>) -> Failure {
        let details = json.and_then(|json| json["error"]["details"].as_str());
        let Some(details) = details else {
            return failed(format!("error: {} answered {status}, not as an admin listener does", self.base));
        };
        let help = "; give one by --admin-token-file or PINFOLD_ADMIN_TOKEN, or name the gateway's --config";
        match status {
            StatusCode::UNAUTHORIZED if self.token.is_none() => {
                Failure::new(Exit::Unauthorized, format!("error: the gateway wants an admin token{help}"))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::new(Exit::Unauthorized, format!("error: {details}"))
            }
            StatusCode::UNPROCESSABLE_ENTITY => Failure::new(
                Exit::BadConfig,
                format!("{details}\nerror: the gateway goes on with the configuration it has"),
            ),
            _ => failed(format!("error: {details}")),
        }
    }
}

/// Whether what is sent there goes over a network for all to see.
fn is_open(base: &str) -> bool {
    let Ok(uri) = base.parse::<Uri>() else { return true };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
    // A listener's own `0.0.0.0` is this machine to whoever connects to it.
    let is_here = address.is_ok_and(|address| address.is_loopback() || address.is_unspecified());
    uri.scheme() != Some(&Scheme::HTTPS) && !is_here && !host.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_https_it_is_said_what_to_type_where_the_certificate_has_a_name() {
        let told = |base: &str| {
            let client = Client::new(&Settings::default());
            Admin { base: base.into(), token: None, client }.unreachable(&"no TLS connection").text
        };
        let help = "--admin https://NAME:5081 --admin-ca-file FILE";
        assert!(told("https://127.0.0.1:5081").contains(help) && told("https://[::1]:5081").contains(help));
        assert!(!told("http://127.0.0.1:5081").contains("--admin"));
    }

    #[test]
    fn without_tls_only_this_machine_is_out_of_others_sight() {
        for closed in ["https://10.0.0.1", "http://127.0.0.2:5081", "http://LOCALHOST:1", "http://[::1]:5081"]
        {
            assert!(!is_open(closed), "{closed}");
        }
        for open in ["http://10.0.0.1:5081", "http://127.evil.example", "http://localhost.evil.example:5081"]
        {
            assert!(is_open(open), "{open}");
        }
    }
}
