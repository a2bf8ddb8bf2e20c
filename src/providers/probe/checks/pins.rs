//! Makes the test pins, and looks at what becomes of what was said of them.

use serde_json::json;

use super::{
    super::{
        content, judge,
        lab::{Lab, Wish},
        seen::Shown,
    },
    Pins,
};
use crate::{
    model::PinCid,
    presets::{MetaRule, NameRule},
};

/// An address for documentation: nobody answers there.
const PUBLIC: &str = "/ip4/203.0.113.1/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
/// An address of nobody but oneself.
const PRIVATE: &str = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

/// `None` where pins cannot be made, or not be read.
pub(super) async fn make(lab: &mut Lab, cid: PinCid) -> Option<Pins> {
    let posted = first(lab, cid.clone()).await?;
    let read = read(lab, &posted).await?;
    let mut made = vec![cid];
    // Stands in its own CID, so that there is one that may be pinned by the time of the lists.
    let inline = Wish::new(content::inline(&lab.run), "Inline");
    if let Ok((_, Some(_))) = lab.add(&inline).await {
        made.push(inline.cid);
    }
    let spare = nameless(lab, &mut made).await;
    origin(lab, "public origin", PUBLIC, "Public", &mut made).await;
    origin(lab, "private origin", PRIVATE, "Private", &mut made).await;
    Some(Pins { first: read, made, spare })
}

async fn first(lab: &mut Lab, cid: PinCid) -> Option<Shown> {
    const CHECK: &str = "new pin";
    let wish = Wish::new(cid, "One");
    match lab.add(&wish).await {
        Err(miss) => {
            lab.findings.fail(CHECK, miss.why, "try again later: the call was not answered");
            None
        }
        Ok((reply, Some(shown))) => {
            lab.findings.bit(CHECK, "/codes/add", json!(reply.code));
            shape(lab, &shown, &wish.cid);
            Some(shown)
        }
        Ok((reply, None)) => {
            let said = lab.caller.say(&reply);
            let advice = "see what the plan, the balance or the scope of the token allows";
            lab.findings.fail(CHECK, said, advice);
            None
        }
    }
}

fn shape(lab: &mut Lab, shown: &Shown, cid: &PinCid) {
    let lacks = shown.lacks.join(", ");
    let seen = if lacks.is_empty() { "whole".to_owned() } else { format!("without {lacks}") };
    lab.findings.note("shape of a pin", seen);
    match judge::id_kind(&shown.id, cid.content()) {
        Some(kind) => lab.findings.bit("requestid", "/requestid", json!(kind)),
        None => lab.findings.untold("requestid", Some("/requestid"), "no kind that is known"),
    }
}

async fn read(lab: &mut Lab, posted: &Shown) -> Option<Shown> {
    const CHECK: &str = "read by id";
    let (reply, shown) = match lab.get(&posted.id).await {
        Ok(answered) => answered,
        Err(miss) => {
            lab.findings.fail(CHECK, miss.why, "try again later: the call was not answered");
            return None;
        }
    };
    let Some(read) = shown else {
        let said = lab.caller.say(&reply);
        lab.findings.fail(CHECK, said, "tell the service: a pin that it has just made cannot be read");
        return None;
    };
    lab.findings.pass(CHECK, reply.code.to_string());
    told(lab, posted, &read);
    Some(read)
}

/// What became of what was said.
fn told(lab: &mut Lab, posted: &Shown, read: &Shown) {
    let same = posted.at() == read.at();
    let seen = if same { "the same by id" } else { "another by id, which counts" };
    lab.findings.note("created of a POST", seen.to_owned());
    let meta = if read.mark == Some(lab.mark("One")) { MetaRule::Kept } else { MetaRule::Dropped };
    lab.findings.bit("meta", "/meta", json!(meta));
    lab.findings.bit("delegates", "/delegates", json!(judge::delegates(posted, read)));
    let name = lab.name("One");
    if read.name.as_deref() != Some(&name) {
        let advice = "do not look for pins by name at this service";
        lab.findings.fail("name", "changed".to_owned(), advice);
    }
}

/// A pin without a name.
async fn nameless(lab: &mut Lab, made: &mut Vec<PinCid>) -> Option<String> {
    const CHECK: &str = "pin without a name";
    let wish = Wish { name: None, ..Wish::new(content::block(), "") };
    match lab.add(&wish).await {
        Err(miss) => lab.findings.untold(CHECK, Some("/names"), miss.why),
        Ok((_, Some(shown))) => {
            let by_cid = shown.name.as_deref().is_some_and(|name| content::is(name, wish.cid.content()));
            let rule = if by_cid { NameRule::CidByDefault } else { NameRule::Kept };
            lab.findings.bit(CHECK, "/names", json!(rule));
            made.push(wish.cid);
            return Some(shown.id);
        }
        Ok((reply, None)) if matches!(reply.code, 400 | 422) => {
            lab.findings.bit(CHECK, "/names", json!(NameRule::Required));
        }
        Ok((reply, None)) => {
            let said = lab.caller.say(&reply);
            lab.findings.untold(CHECK, Some("/names"), said);
        }
    }
    None
}

async fn origin(
    lab: &mut Lab,
    check: &'static str,
    origin: &'static str,
    name: &'static str,
    made: &mut Vec<PinCid>,
) {
    let wish = Wish { origin: Some(origin), ..Wish::new(content::block(), name) };
    let seen = match lab.add(&wish).await {
        Err(miss) => return lab.findings.untold(check, None, miss.why),
        Ok((_, Some(_))) => {
            made.push(wish.cid);
            "taken".to_owned()
        }
        Ok((reply, None)) => format!("refused with {}", lab.caller.say(&reply)),
    };
    lab.findings.note(check, seen);
}
