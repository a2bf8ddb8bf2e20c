//! What can be asked of a Kubo node without pinning anything.

use ::http::Method;

use super::{
    Route,
    caller::{With, request},
    content,
    lab::Lab,
};

/// Its version, its identity, and whether its pins can be asked for.
pub(super) async fn run(lab: &mut Lab) {
    let absent = content::block();
    let calls = [
        ("version", "version".to_owned()),
        ("id", "id".to_owned()),
        // A content that nobody has: the answer says that it is not pinned, and no list has to be made.
        ("pin/ls", format!("pin/ls?arg={}", absent.as_str())),
    ];
    for (check, path) in calls {
        let uri = format!("{}/api/v0/{path}", lab.caller.parts().settings.endpoint);
        match lab.caller.send(Route::Get, With::Credential, request(Method::POST, &uri, None)).await {
            Err(miss) => {
                lab.findings.fail(
                    check,
                    miss.why,
                    "see that the node runs and that its RPC address is the endpoint",
                );
            }
            Ok(reply) if reply.is_success() => lab.findings.pass(check, reply.code.to_string()),
            Ok(reply) if reply.code == 404 && check == "pin/ls" => {
                lab.findings.pass(check, "answers that a made-up CID is not pinned".to_owned());
            }
            Ok(reply) => {
                let seen = lab.caller.say(&reply);
                lab.findings.fail(
                    check,
                    seen,
                    "see the node's API.Authorizations and the entry's credential",
                );
            }
        }
    }
}
