//! Everything that a simulated provider refuses, and how each service words it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::reply::{self, Answer};

/// Why a call is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    NoToken,
    /// The token, for those that repeat it.
    BadToken(String),
    BadLogin,
    NoSuchPin,
    NoSuchPath,
    WrongMethod,
    BadBody(String),
    BadCid(String),
    BadQuery(String),
    /// A requestid that cannot be one.
    BadId(String),
    /// A list that asks for no status.
    StatusRequired,
    /// A replace by the same CID.
    SameCid,
    TooLarge(String),
    TooMany,
    QueueFull,
    NoFunds,
    NoPlan,
    /// A fault that was switched on, by its code: in the words for what the code is about.
    Struck(u16),
    /// A code that is about nothing of these.
    Broken(u16),
}

/// Whose words errors are told in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Errors {
    /// `{"error": {"reason", "details"}}`, as the specification has it.
    #[default]
    Spec,
    /// Pages of HTML.
    Html,
    Everland,
    Fula,
    /// Bare strings of JSON, and a refusal that repeats the token.
    Fula2024,
    NftStorage,
    Web3Storage,
    Pinata,
    Filebase,
    Crust,
    Cluster,
    Helia,
    Estuary,
}

/// The shape of an error's body.
#[derive(Clone, Copy)]
enum Form {
    Object,
    Page,
    Bare,
    /// An object without `reason`.
    Unreasoned,
    /// An object whose `details` is a list.
    Listed,
}

/// An error in somebody's words.
struct Said {
    code: u16,
    reason: String,
    details: String,
    form: Form,
}

impl Said {
    fn new(code: u16, reason: &str, details: &str) -> Self {
        Self { code, reason: reason.to_owned(), details: details.to_owned(), form: Form::Object }
    }

    fn formed(self, form: Form) -> Self {
        Self { form, ..self }
    }

    fn body(&self) -> Value {
        let Self { reason, details, .. } = self;
        match self.form {
            Form::Bare => json!(details),
            Form::Unreasoned => json!({ "error": { "details": details } }),
            Form::Listed => json!({ "error": { "reason": reason, "details": [{ "message": details }] } }),
            Form::Object | Form::Page => json!({ "error": { "reason": reason, "details": details } }),
        }
    }
}

impl Errors {
    pub(super) fn answer(self, problem: &Problem) -> Answer {
        let said = self.said(problem);
        match said.form {
            Form::Page => reply::page(said.code),
            _ => reply::json(said.code, &said.body()),
        }
    }

    /// What this service says otherwise than the specification has it.
    fn said(self, problem: &Problem) -> Said {
        use Problem as P;
        if let P::Struck(code) = problem {
            return Said { code: *code, ..self.said(&P::of_code(*code)) };
        }
        let spec = problem.by_the_specification();
        match (self, problem) {
            (Self::Html, _) => spec.formed(Form::Page),
            (Self::Fula2024, P::BadToken(token)) => {
                Said::new(401, "UNAUTHORIZED", &format!("the token {token} is invalid"))
            }
            (Self::Fula2024, P::NoSuchPin) => Said::new(404, "", "document not found").formed(Form::Bare),
            (Self::Fula2024, P::BadBody(_)) => Said { code: 422, ..spec }.formed(Form::Bare),
            (Self::Fula2024, _) => spec.formed(Form::Bare),
            (Self::Everland | Self::Pinata, P::NoSuchPin) => {
                Said::new(404, "OBJECT_NOT_FOUND", "The specified object could not be found")
            }
            (Self::Fula, P::BadToken(_)) => Said::new(401, "UNAUTHORIZED", "Invalid or expired session"),
            (Self::Fula, P::NoSuchPin) => Said::new(404, "NOT_FOUND", "Pin not found"),
            (Self::Fula, P::NoFunds) => {
                Said::new(402, "INSUFFICIENT_CREDITS", "Not enough credits: top up to pin more")
            }
            (Self::NftStorage, P::BadBody(_) | P::BadCid(_) | P::BadQuery(_) | P::SameCid) => {
                Said { reason: "VALIDATION_ERROR".to_owned(), ..spec }.formed(Form::Listed)
            }
            (Self::Web3Storage, P::Broken(_)) => spec.formed(Form::Unreasoned),
            (Self::Pinata, P::NoToken) => Said::new(
                400,
                "KEYS_MUST_BE_STRINGS",
                "pinata_api_key and pinata_secret_api_key must be strings",
            ),
            (Self::Pinata, P::BadToken(_)) => {
                Said::new(401, "INVALID_CREDENTIALS", "Invalid/expired credentials")
            }
            (Self::Pinata, P::NoPlan) => {
                Said::new(403, "PAID_FEATURE_ONLY", "You must be on a paid plan to pin by CID")
            }
            (Self::Filebase, P::NoToken | P::BadToken(_)) => {
                Said::new(401, "ERR_INVALID_TOKEN", "The access token is invalid")
            }
            (Self::Filebase, P::NoPlan) => {
                Said::new(403, "FORBIDDEN", "The IPFS Pinning Service API requires a paid account")
            }
            (Self::Crust, P::NoToken) => Said::new(401, "UNAUTHORIZED", "Empty Signature"),
            (Self::Crust, P::BadToken(_)) => Said::new(401, "UNAUTHORIZED", "Invalid Signature"),
            (Self::Cluster, P::BadId(details)) => {
                Said::new(400, &format!("error decoding Cid: {details}"), "")
            }
            (Self::Cluster, P::BadQuery(details)) => Said::new(500, details, ""),
            (Self::Cluster, _) => Said { reason: spec.details, details: String::new(), ..spec },
            (Self::Helia, P::BadCid(_)) => spec.formed(Form::Page),
            (Self::Estuary, P::BadId(id)) => Said::new(
                500,
                "INTERNAL_SERVER_ERROR",
                &format!("strconv.Atoi: parsing \"{id}\": invalid syntax"),
            ),
            _ => spec,
        }
    }
}

impl Problem {
    /// What a code is about, for faults.
    fn of_code(code: u16) -> Self {
        match code {
            401 => Self::BadToken(String::new()),
            402 | 409 => Self::NoFunds,
            403 => Self::NoPlan,
            404 => Self::NoSuchPin,
            429 => Self::TooMany,
            _ => Self::Broken(code),
        }
    }

    fn by_the_specification(&self) -> Said {
        match self {
            Self::NoToken => Said::new(401, "UNAUTHORIZED", "the access token is missing"),
            Self::BadToken(_) => Said::new(401, "UNAUTHORIZED", "the access token is wrong"),
            Self::BadLogin => Said::new(401, "UNAUTHORIZED", "this is nobody who may log in"),
            Self::NoSuchPin => Said::new(404, "NOT_FOUND", "there is no pin with this requestid"),
            Self::NoSuchPath => Said::new(404, "NOT_FOUND", "there is no such path"),
            Self::WrongMethod => Said::new(405, "METHOD_NOT_ALLOWED", "this method is not possible here"),
            Self::BadBody(details) | Self::BadCid(details) | Self::BadQuery(details) => {
                Said::new(400, "BAD_REQUEST", details)
            }
            Self::BadId(_) => Said::new(404, "NOT_FOUND", "there is no pin with this requestid"),
            Self::StatusRequired => Said::new(400, "PSA_REQUIRED_DATA", "status is required"),
            Self::SameCid => Said::new(400, "BAD_REQUEST", "the pin has this CID already"),
            Self::TooLarge(details) => Said::new(413, "PAYLOAD_TOO_LARGE", details),
            Self::TooMany => Said::new(429, "TOO_MANY_REQUESTS", "too many requests: come back later"),
            Self::QueueFull => {
                Said::new(429, "QUEUE_FULL", "too many pins are queued: wait until some are pinned")
            }
            Self::NoFunds => Said::new(402, "INSUFFICIENT_FUNDS", "the account has no funds"),
            Self::NoPlan => Said::new(403, "FORBIDDEN", "the account's plan does not allow this"),
            Self::Struck(code) | Self::Broken(code) => {
                let reason = if *code >= 500 { "INTERNAL_SERVER_ERROR" } else { "SIMULATED_FAULT" };
                Said::new(*code, reason, "failed on purpose by the simulator")
            }
        }
    }
}
