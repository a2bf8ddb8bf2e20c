//! Whether there is a pinning service, and whether it takes the credential.

use super::super::{
    caller::{Miss, Reply, With},
    lab::{Lab, STATUSES},
    seen::{Page, dialect},
};
use crate::model::ErrorClass;

/// Whether further checks make sense.
pub(super) async fn works(lab: &mut Lab) -> bool {
    let works = lists(lab).await;
    if works {
        wrong_token(lab, &query()).await;
    }
    works
}

/// Whether it answers with a list of pins.
pub(super) async fn lists(lab: &mut Lab) -> bool {
    let answered = lab.list(&query()).await;
    judge(lab, answered)
}

fn query() -> String {
    format!("status={STATUSES}&limit=1")
}

fn judge(lab: &mut Lab, answered: Result<(Reply, Option<Page>), Miss>) -> bool {
    let (reply, page) = match answered {
        Ok(answered) => answered,
        Err(miss) if miss.locked_out => {
            lab.findings.fail("credential", miss.why, "correct what the entry logs in with, and try again");
            return false;
        }
        Err(miss) => {
            let advice = "see that the endpoint is written right and that this machine reaches it";
            lab.findings.fail("reachable", miss.why, advice);
            return false;
        }
    };
    lab.findings.pass("reachable", format!("answered {}", reply.code));
    if page.is_some() {
        lab.findings.pass("speaks the API", "a list of pins".to_owned());
        lab.findings.pass("credential", "taken".to_owned());
        return true;
    }
    let said = lab.caller.say(&reply);
    match reply.class {
        Err(ErrorClass::Auth) => {
            lab.findings.fail(
                "credential",
                said,
                "give the entry the service's current token, and try again",
            );
        }
        Err(ErrorClass::Funds) => {
            let advice = "see what the plan or the balance of the account allows";
            lab.findings.fail("credential", said, advice);
        }
        _ => {
            let seen = format!("{}: {said}", dialect(&reply.body));
            let advice = elsewhere(reply.code);
            lab.findings.fail("speaks the API", seen, advice);
        }
    }
    false
}

/// What to do about an endpoint where no list of pins is.
fn elsewhere(code: u16) -> &'static str {
    match code {
        404 => {
            "correct the endpoint's host, port and path, to which /pins is appended; if that is how the service says \
             that an account has no pins, write `empty_404: true` for its preset in a presets_file"
        }
        _ => "write the endpoint to which /pins is appended; a web page is no pinning service",
    }
}

async fn wrong_token(lab: &mut Lab, query: &str) {
    const CHECK: &str = "wrong token";
    match lab.list_with(With::WrongToken, query).await {
        Err(miss) => lab.findings.untold(CHECK, None, miss.why),
        Ok((reply, _)) if reply.class == Err(ErrorClass::Auth) => {
            lab.findings.pass(CHECK, format!("refused with {}, {}", reply.code, dialect(&reply.body)));
        }
        Ok((reply, _)) if reply.is_success() && lab.preset().is_open() => {
            lab.findings.note(CHECK, "taken: it asks for none".to_owned());
        }
        Ok((reply, _)) if reply.is_success() => {
            let advice = "anybody may use this service; see how it is meant to be protected";
            lab.findings.fail(CHECK, format!("taken, with {}", reply.code), advice);
        }
        Ok((reply, _)) => {
            let seen = lab.caller.say(&reply);
            lab.findings.note(CHECK, format!("refused with {seen}"));
        }
    }
}
