//! The columns of the matrix.

use std::time::Duration;

use futures::future::LocalBoxFuture;
use pinfold::{
    model::Status,
    sim::{Fault, PinAfter, RetryAfter, Routes},
};
use serde_json::Value;

use super::{
    Outcome,
    case::{Case, Who},
};

const ONE: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
const TWO: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
const V0: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
const V1_OF_V0: &str = "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

type Run = for<'c> fn(&'c mut Case) -> LocalBoxFuture<'c, Outcome>;

/// One thing that clients do or services suffer.
pub(super) struct Operation {
    pub(super) name: &'static str,
    /// What is shown, for the document.
    pub(super) shows: &'static str,
    pub(super) run: Run,
}

macro_rules! operations {
    ($($name:literal $run:ident $shows:literal;)+) => {
        pub(super) const OPERATIONS: &[Operation] =
            &[$(Operation { name: $name, shows: $shows, run: |case| Box::pin($run(case)) }),+];
    };
}

operations! {
    "add" add "a pin is answered at once, reaches the service and is pinned";
    "status" status "queued until the service says more, never anything that it did not say";
    "list" list "lists and counts are exact, whatever the service's are";
    "replace" replace "the new pin takes over; the old one stays until it does";
    "replace same CID" replace_same "only the name changes; the service is asked for nothing";
    "delete" delete "gone at once, and soon at the service";
    "duplicate CID" duplicate "two pins of one content are one there, until the last is deleted";
    "two accounts" accounts "two accounts share one pin there and see none of each other's";
    "v0 and v1" spellings "two spellings of one CID are one pin there, each echoed as it was sent";
    "user's own pin" own "what the user pinned there by hand counts, and is never removed";
    "token reset" token_reset "nothing is lost; a new token in its file is taken up without a restart";
    "rate limited" rate_limited "429 is obeyed, and nothing is given up";
    "down" down "clients notice nothing; the pin gets there when the service is back";
    "forgets" forgets "a pin that the service lost is made again";
}

fn hold(holds: bool, why: impl Into<String>) -> Outcome {
    if holds { Ok(()) } else { Err(why.into()) }
}

async fn add(case: &mut Case) -> Outcome {
    let id = case.add(Who::Ada, ONE).await?;
    case.pinned(Who::Ada, &id).await?;
    hold(case.held(ONE) == 1, "not at the service")
}

async fn status(case: &mut Case) -> Outcome {
    case.sim.set(|is| is.pin_after = PinAfter::Never);
    let id = case.add(Who::Ada, ONE).await?;
    let first = case.status(Who::Ada, &id).await;
    hold(first == "queued" || first == "pinning", format!("{first} at first"))?;
    case.until("it is pinning", async || {
        case.sim.force(&Case::content(ONE), Some(Status::Pinning));
        case.status(Who::Ada, &id).await == "pinning"
    })
    .await?;
    case.sim.force(&Case::content(ONE), None);
    case.sim.set(|is| is.pin_after = PinAfter::Time(Duration::from_secs(1)));
    case.pinned(Who::Ada, &id).await
}

async fn list(case: &mut Case) -> Outcome {
    let (one, two) = (case.add(Who::Ada, ONE).await?, case.add(Who::Ada, TWO).await?);
    case.pinned(Who::Ada, &one).await?;
    case.pinned(Who::Ada, &two).await?;
    for (query, count, first) in [
        ("limit=1", 2, &two),
        ("limit=10&status=pinned", 2, &two),
        (&format!("cid={ONE}"), 1, &one),
        ("name=PIN&match=ipartial", 2, &two),
        (r#"meta={"who":"Ada"}"#, 2, &two),
    ] {
        let query = query.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
        let answer = case.list(Who::Ada, &query).await;
        let shown = answer.body["results"][0]["requestid"].as_str();
        hold(answer.body["count"] == count && shown == Some(first), format!("{query}: {}", answer.body))?;
    }
    hold(case.list(Who::Ada, "status=failed").await.body["count"] == 0, "a failed pin is counted")
}

async fn replace(case: &mut Case) -> Outcome {
    let old = case.add(Who::Ada, ONE).await?;
    case.pinned(Who::Ada, &old).await?;
    let new = case.replace(Who::Ada, &old, TWO).await?;
    hold(case.get(Who::Ada, &old).await.code == 404, "the old one is still there")?;
    case.pinned(Who::Ada, &new).await?;
    case.holds(ONE, 0).await?;
    hold(case.held(TWO) == 1, "the new one is not at the service")
}

async fn replace_same(case: &mut Case) -> Outcome {
    let old = case.add(Who::Ada, ONE).await?;
    case.pinned(Who::Ada, &old).await?;
    let new = case.replace(Who::Ada, &old, ONE).await?;
    let answer = case.get(Who::Ada, &new).await;
    hold(new != old && case.get(Who::Ada, &old).await.code == 404, "the id stays")?;
    hold(
        answer.body["status"] == "pinned" && answer.body["pin"]["name"] == "replaced",
        answer.body.to_string(),
    )?;
    hold(case.held(ONE) == 1, "not at the service any more")
}

async fn delete(case: &mut Case) -> Outcome {
    let id = case.add(Who::Ada, ONE).await?;
    case.pinned(Who::Ada, &id).await?;
    case.delete(Who::Ada, &id).await?;
    hold(case.get(Who::Ada, &id).await.code == 404, "still there")?;
    case.holds(ONE, 0).await
}

async fn duplicate(case: &mut Case) -> Outcome {
    let (one, two) = (case.add(Who::Ada, ONE).await?, case.add(Who::Ada, ONE).await?);
    hold(one != two, "one id for two pins")?;
    case.pinned(Who::Ada, &one).await?;
    case.pinned(Who::Ada, &two).await?;
    hold(case.held(ONE) == 1, "not one pin at the service")?;
    case.delete(Who::Ada, &one).await?;
    let third = case.add(Who::Ada, TWO).await?;
    case.pinned(Who::Ada, &third).await?;
    hold(case.held(ONE) == 1 && case.status(Who::Ada, &two).await == "pinned", "removed too early")?;
    case.delete(Who::Ada, &two).await?;
    case.holds(ONE, 0).await
}

async fn accounts(case: &mut Case) -> Outcome {
    let (hers, his) = (case.add(Who::Ada, ONE).await?, case.add(Who::Ben, ONE).await?);
    case.pinned(Who::Ada, &hers).await?;
    case.pinned(Who::Ben, &his).await?;
    hold(case.held(ONE) == 1, "not one pin at the service")?;
    hold(case.get(Who::Ben, &hers).await.code == 404, "he sees hers")?;
    hold(case.list(Who::Ben, "limit=10").await.body["count"] == 1, "he counts hers")?;
    case.delete(Who::Ada, &hers).await?;
    case.delete(Who::Ben, &his).await?;
    case.holds(ONE, 0).await
}

async fn spellings(case: &mut Case) -> Outcome {
    let (old, new) = (case.add(Who::Ada, V0).await?, case.add(Who::Ada, V1_OF_V0).await?);
    case.pinned(Who::Ada, &old).await?;
    case.pinned(Who::Ada, &new).await?;
    hold(case.held(V0) == 1, "not one pin at the service")?;
    for (id, sent) in [(&old, V0), (&new, V1_OF_V0)] {
        let body = case.get(Who::Ada, id).await.body;
        hold(body["pin"]["cid"] == sent, format!("{sent} came back as {}", body["pin"]["cid"]))?;
    }
    case.delete(Who::Ada, &old).await?;
    case.delete(Who::Ada, &new).await?;
    case.holds(V0, 0).await
}

async fn own(case: &mut Case) -> Outcome {
    case.plant(ONE);
    let id = case.add(Who::Ada, ONE).await?;
    case.pinned(Who::Ada, &id).await?;
    hold(case.held(ONE) == 1, "a second one was made")?;
    case.delete(Who::Ada, &id).await?;
    let other = case.add(Who::Ada, TWO).await?;
    case.pinned(Who::Ada, &other).await?;
    hold(case.held(ONE) == 1, "the user's own pin was removed")
}

/// Tokens that were given out stop working, as after a reset or when a login ends.
async fn token_reset(case: &mut Case) -> Outcome {
    let before = case.add(Who::Ada, ONE).await?;
    case.pinned(Who::Ada, &before).await?;
    case.sim.reset_token("another-token");
    let after = case.add(Who::Ada, TWO).await?;
    if case.has_token() {
        case.until("the refusal is told of", async || case.was_tried(&after).await).await?;
        case.pass(Duration::from_secs(300));
        hold(case.status(Who::Ada, &before).await == "pinned", "the old pin is shown as lost")?;
        case.give_token("another-token");
    }
    case.pinned(Who::Ada, &after).await?;
    hold((case.held(ONE), case.held(TWO)) == (1, 1), "not at the service")
}

async fn rate_limited(case: &mut Case) -> Outcome {
    let ways =
        [RetryAfter::Seconds(7), RetryAfter::HttpDate(7), RetryAfter::RateLimitReset(7), RetryAfter::Unsaid];
    for how in ways {
        case.sim.faults().next(1, Routes::Writes, Fault::too_many(how));
        case.sim.faults().next(1, Routes::Reads, Fault::too_many(how));
    }
    let id = case.add(Who::Ada, ONE).await?;
    case.pinned(Who::Ada, &id).await?;
    hold(case.held(ONE) == 1, "not at the service")
}

async fn down(case: &mut Case) -> Outcome {
    case.sim.stop().await;
    let id = case.add(Who::Ada, ONE).await?;
    let listed = case.list(Who::Ada, "status=queued").await;
    hold(listed.body["count"] == 1, format!("{}", listed.body))?;
    case.until("it was tried", async || case.was_tried(&id).await).await?;
    case.sim.start_again().await.map_err(|error| error.to_string())?;
    case.pinned(Who::Ada, &id).await?;
    hold(case.held(ONE) == 1, "not at the service")
}

async fn forgets(case: &mut Case) -> Outcome {
    let id = case.add(Who::Ada, ONE).await?;
    case.pinned(Who::Ada, &id).await?;
    case.sim.forget(&Case::content(ONE));
    case.pass(Duration::from_secs(9 * 24 * 3600));
    case.holds(ONE, 1).await?;
    case.pinned(Who::Ada, &id).await?;
    let body = case.get(Who::Ada, &id).await.body;
    hold(body["info"] != Value::Null, format!("no info: {body}"))
}
