//! The words of each service for what it refuses.

use serde_json::{Value, json};

use super::{Errors, Problem as P};
use crate::sim::reply::{self, Answer};

/// The shape of an error's body.
#[derive(Clone, Copy)]
enum Form {
    Object,
    /// A page of HTML.
    Page,
    /// A string of JSON.
    Bare,
    /// An object without `reason`.
    Unreasoned,
    /// An object whose `details` is a list.
    Listed,
}

/// An error in somebody's words.
pub(super) struct Said {
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

    pub(super) fn answer(&self) -> Answer {
        match self.form {
            Form::Page => reply::page(self.code),
            _ => reply::json(self.code, &self.body()),
        }
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

/// What this service says; a fault keeps its own code.
pub(super) fn said(errors: Errors, problem: &P) -> Said {
    if let P::Struck(code) = problem {
        return Said { code: *code, ..said(errors, &P::of_code(*code)) };
    }
    let spec = by_the_specification(problem);
    match errors {
        Errors::Spec => spec,
        Errors::Html => spec.formed(Form::Page),
        Errors::Everland => everland(problem, spec),
        Errors::Fula => fula(problem, spec),
        Errors::Fula2024 => fula_2024(problem, spec),
        Errors::NftStorage => nft_storage(problem, spec),
        Errors::Web3Storage => web3_storage(problem, spec),
        Errors::Pinata => pinata(problem, spec),
        Errors::Filebase => filebase(problem, spec),
        Errors::Crust => crust(problem, spec),
        Errors::Cluster => cluster(problem, spec),
        Errors::Helia => helia(problem, spec),
        Errors::Estuary => estuary(problem, spec),
    }
}

fn by_the_specification(problem: &P) -> Said {
    match problem {
        P::NoToken => Said::new(401, "UNAUTHORIZED", "the access token is missing"),
        P::BadToken(_) => Said::new(401, "UNAUTHORIZED", "the access token is wrong"),
        P::BadLogin => Said::new(401, "UNAUTHORIZED", "this is nobody who may log in"),
        P::NoSuchPin => Said::new(404, "NOT_FOUND", "there is no pin with this requestid"),
        P::NoSuchPath => Said::new(404, "NOT_FOUND", "there is no such path"),
        P::WrongMethod => Said::new(405, "METHOD_NOT_ALLOWED", "this method is not possible here"),
        P::BadBody(details) | P::BadCid(details) | P::BadQuery(details) => {
            Said::new(400, "BAD_REQUEST", details)
        }
        P::BadId(_) => Said::new(404, "NOT_FOUND", "there is no pin with this requestid"),
        P::StatusRequired => Said::new(400, "PSA_REQUIRED_DATA", "status is required"),
        P::SameCid => Said::new(400, "BAD_REQUEST", "the pin has this CID already"),
        P::TooLarge(details) => Said::new(413, "PAYLOAD_TOO_LARGE", details),
        P::TooMany => Said::new(429, "TOO_MANY_REQUESTS", "too many requests: come back later"),
        P::QueueFull => Said::new(429, "QUEUE_FULL", "too many pins are queued: wait until some are pinned"),
        P::NoFunds => Said::new(402, "INSUFFICIENT_FUNDS", "the account has no funds"),
        P::NoPlan => Said::new(403, "FORBIDDEN", "the account's plan does not allow this"),
        P::Struck(code) | P::Broken(code) => {
            let reason = if *code >= 500 { "INTERNAL_SERVER_ERROR" } else { "SIMULATED_FAULT" };
            Said::new(*code, reason, "failed on purpose by the simulator")
        }
    }
}

fn everland(problem: &P, spec: Said) -> Said {
    match problem {
        P::NoSuchPin => Said::new(404, "OBJECT_NOT_FOUND", "The specified object could not be found"),
        _ => spec,
    }
}

fn fula(problem: &P, spec: Said) -> Said {
    match problem {
        P::BadToken(_) => Said::new(401, "UNAUTHORIZED", "Invalid or expired session"),
        P::NoSuchPin => Said::new(404, "NOT_FOUND", "Pin not found"),
        P::NoFunds => Said::new(402, "INSUFFICIENT_CREDITS", "Not enough credits: top up to pin more"),
        _ => spec,
    }
}

fn fula_2024(problem: &P, spec: Said) -> Said {
    match problem {
        P::BadToken(token) => Said::new(401, "UNAUTHORIZED", &format!("the token {token} is invalid")),
        P::NoSuchPin => Said::new(404, "", "document not found").formed(Form::Bare),
        P::BadBody(_) => Said { code: 422, ..spec }.formed(Form::Bare),
        _ => spec.formed(Form::Bare),
    }
}

fn nft_storage(problem: &P, spec: Said) -> Said {
    match problem {
        P::BadBody(_) | P::BadCid(_) | P::BadQuery(_) | P::SameCid => {
            Said { reason: "VALIDATION_ERROR".to_owned(), ..spec }.formed(Form::Listed)
        }
        _ => spec,
    }
}

fn web3_storage(problem: &P, spec: Said) -> Said {
    match problem {
        P::Broken(_) => spec.formed(Form::Unreasoned),
        _ => spec,
    }
}

fn pinata(problem: &P, spec: Said) -> Said {
    match problem {
        P::NoToken => {
            let details = "pinata_api_key and pinata_secret_api_key must be strings";
            Said::new(400, "KEYS_MUST_BE_STRINGS", details)
        }
        P::BadToken(_) => Said::new(401, "INVALID_CREDENTIALS", "Invalid/expired credentials"),
        P::NoSuchPin => Said::new(404, "OBJECT_NOT_FOUND", "The specified object could not be found"),
        P::NoPlan => Said::new(403, "PAID_FEATURE_ONLY", "You must be on a paid plan to pin by CID"),
        _ => spec,
    }
}

fn filebase(problem: &P, spec: Said) -> Said {
    match problem {
        P::NoToken | P::BadToken(_) => Said::new(401, "ERR_INVALID_TOKEN", "The access token is invalid"),
        P::NoPlan => Said::new(403, "FORBIDDEN", "The IPFS Pinning Service API requires a paid account"),
        _ => spec,
    }
}

fn crust(problem: &P, spec: Said) -> Said {
    match problem {
        P::NoToken => Said::new(401, "UNAUTHORIZED", "Empty Signature"),
        P::BadToken(_) => Said::new(401, "UNAUTHORIZED", "Invalid Signature"),
        _ => spec,
    }
}

/// Its reasons are sentences.
fn cluster(problem: &P, spec: Said) -> Said {
    match problem {
        P::BadId(id) => Said::new(400, &format!("error decoding Cid: {id}"), ""),
        P::BadQuery(details) => Said::new(500, details, ""),
        _ => Said { reason: spec.details, details: String::new(), ..spec },
    }
}

fn helia(problem: &P, spec: Said) -> Said {
    match problem {
        P::BadCid(_) => spec.formed(Form::Page),
        _ => spec,
    }
}

fn estuary(problem: &P, spec: Said) -> Said {
    match problem {
        P::BadId(id) => {
            let details = format!("strconv.Atoi: parsing \"{id}\": invalid syntax");
            Said::new(500, "INTERNAL_SERVER_ERROR", &details)
        }
        _ => spec,
    }
}
