//! Second POSTs, a replace of one content by another, removals.

use serde_json::json;

use super::{
    super::{
        content, judge,
        lab::{Lab, Wish},
        seen::{Shown, dialect},
    },
    Pins,
};
use crate::presets::Duplicates;

pub(super) async fn run(lab: &mut Lab, pins: &Pins) {
    second_post(lab, pins).await;
    if let Some(spare) = &pins.spare {
        replace(lab, spare).await;
    }
    remove(lab).await;
}

async fn second_post(lab: &mut Lab, pins: &Pins) {
    const CHECK: &str = "second POST";
    const AT: &str = "/duplicates";
    let wish = Wish::new(pins.made[0].clone(), "One");
    let (code, second) = match lab.add(&wish).await {
        Ok((reply, Some(shown))) => (reply.code, shown),
        Ok((reply, None)) => {
            let said = lab.caller.say(&reply);
            return lab.findings.untold(CHECK, Some(AT), said);
        }
        Err(miss) => return lab.findings.untold(CHECK, Some(AT), miss.why),
    };
    let is_known = second.id == pins.first.id || is_known(lab, &pins.first).await;
    match judge::duplicates(&pins.first.id, &second.id, is_known) {
        Duplicates::Same => same(lab, code).await,
        rule => lab.findings.bit(CHECK, AT, json!(rule)),
    }
}

async fn is_known(lab: &mut Lab, pin: &Shown) -> bool {
    // What is not told apart is taken for the careful case: two pins.
    !matches!(lab.get(&pin.id).await, Ok((reply, _)) if reply.code == 404)
}

/// One pin for both; what of another spelling of the CID, and by which code is it told?
async fn same(lab: &mut Lab, code: u16) {
    const CHECK: &str = "second POST";
    let [new, old] = content::node();
    let first = lab.add(&Wish::new(new, "Spelling")).await;
    let second = lab.add(&Wish::new(old, "Spelling")).await;
    match (first, second) {
        (Ok((made, Some(first))), Ok((_, Some(second)))) => {
            let rule = if first.id == second.id { Duplicates::Same } else { Duplicates::SameText };
            lab.findings.bit(CHECK, "/duplicates", json!(rule));
            if made.code == code && lab.preset().existing_code.is_none() {
                lab.findings.note("code if it was there", "as for a new pin".to_owned());
            } else {
                lab.findings.bit("code if it was there", "/existing_code", json!(code));
            }
        }
        _ => lab.findings.untold(CHECK, Some("/duplicates"), "one pin for both, at least in one spelling"),
    }
}

/// Never with the same CID: some lose the pin by it.
async fn replace(lab: &mut Lab, old: &str) {
    const CHECK: &str = "replaced";
    let wish = Wish::new(content::block(), "Replaced");
    match lab.replace(old, &wish).await {
        Err(miss) => lab.findings.untold(CHECK, Some("/codes/replace"), miss.why),
        Ok((reply, Some(shown))) => {
            lab.findings.bit(CHECK, "/codes/replace", json!(reply.code));
            let seen = if shown.id == old { "the same" } else { "a new one" };
            lab.findings.note("requestid after that", seen.to_owned());
        }
        Ok((reply, None)) => {
            let said = lab.caller.say(&reply);
            lab.findings.untold(CHECK, Some("/codes/replace"), said);
        }
    }
}

async fn remove(lab: &mut Lab) {
    const CHECK: &str = "removed";
    let Some(id) = lab.ledger.live.last().cloned() else { return };
    match lab.remove(&id).await {
        Err(miss) => return lab.findings.fail(CHECK, miss.why, "try again later: the call was not answered"),
        Ok(reply) if reply.is_success() => {
            lab.findings.bit(CHECK, "/codes/remove", json!(reply.code));
            lab.findings.note("body of a removal", dialect_of_success(&reply.body).to_owned());
        }
        Ok(reply) => {
            let said = lab.caller.say(&reply);
            let advice = "see whether the token may remove pins; Pinfold cannot tidy up there else";
            return lab.findings.fail(CHECK, said, advice);
        }
    }
    gone(lab, &id).await;
}

async fn gone(lab: &mut Lab, id: &str) {
    const CHECK: &str = "read after removal";
    match lab.get(id).await {
        Err(miss) => lab.findings.untold(CHECK, None, miss.why),
        Ok((reply, _)) if reply.code == 404 => {
            lab.findings.pass(CHECK, format!("404, {}", dialect(&reply.body)));
        }
        Ok((reply, _)) if reply.is_success() => {
            let advice = "expect pins of this service to stay for a while after they were removed";
            lab.findings.fail(CHECK, "still there".to_owned(), advice);
        }
        Ok((reply, _)) => {
            let said = lab.caller.say(&reply);
            lab.findings.note(CHECK, said);
        }
    }
    match lab.remove(id).await {
        Err(miss) => lab.findings.untold("removed again", None, miss.why),
        Ok(reply) => lab.findings.note("removed again", reply.code.to_string()),
    }
}

fn dialect_of_success(body: &[u8]) -> &'static str {
    match body {
        b"" => "empty",
        b"{}" => "{}",
        body if body.starts_with(b"{") => "a JSON object",
        _ => "text",
    }
}
