//! The calls of a login, and what their answers mean.

use ::http::Request;
use bytes::Bytes;
use secrecy::SecretString;
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;

use super::{
    super::{keeper::Unusable, vault::Pair, wire::Proof},
    Session,
};
use crate::{
    model::{ErrorClass, Operation},
    providers::{
        classify::{self, Expect, Failure},
        stack::{Call, InDoubt},
        words::{self, Words},
    },
};

/// The answer to a login is small.
const BODY_LIMIT: usize = 256 << 10;

impl Session {
    /// By the refresh token, else by the password, else not at all.
    pub(super) async fn obtain(&self, before: Option<Pair>) -> Result<Pair, Unusable> {
        let refresh = before.and_then(|pair| pair.refresh);
        let renewal = refresh.as_ref().and_then(|refresh| self.wire.renew(refresh));
        if let Some(request) = renewal {
            match self.ask("the renewal of the token", request, refresh.as_ref()).await {
                // As good as a token that has ended: there may be another way.
                Err(Unusable { class: ErrorClass::Auth, .. }) => {}
                other => return other,
            }
        }
        let Some(password) = &self.login.password else { return Err(self.by_hand()) };
        self.log_in(&Proof::Password(password.current())).await
    }

    /// Logs in now.
    pub(in crate::providers) async fn log_in(&self, proof: &Proof) -> Result<Pair, Unusable> {
        if let Proof::Code(code) = proof {
            self.secrets.add(code.clone());
        }
        let request = self.wire.log_in(&self.login.user, proof);
        self.ask("the login", request, None).await
    }

    /// Has a code sent by e-mail; `None` where there are none.
    pub(in crate::providers) async fn ask_code(&self) -> Option<Result<(), Unusable>> {
        let request = self.wire.ask_code(&self.login.user)?;
        Some(self.send("the request for a code", request).await.map(drop))
    }

    fn by_hand(&self) -> Unusable {
        let name = &self.provider;
        let text =
            format!("there is no token that is valid, and no password: run `pinfold provider login {name}`");
        Unusable { class: ErrorClass::Auth, text }
    }

    async fn ask(
        &self,
        what: &str,
        request: Result<Request<Bytes>, &'static str>,
        before: Option<&SecretString>,
    ) -> Result<Pair, Unusable> {
        let body = self.send(what, request).await?;
        let pair = self.wire.read(&body, before, self.clock.now()).map_err(|why| Unusable {
            class: ErrorClass::Auth,
            text: format!("{what} gave no token: {why}"),
        })?;
        self.remember(&pair);
        Ok(pair)
    }

    /// Sends through the part of the stack that every request passes (I9).
    async fn send(
        &self,
        what: &str,
        request: Result<Request<Bytes>, &'static str>,
    ) -> Result<Bytes, Unusable> {
        let unusable = |class, text: &str| Unusable { class, text: words::plain(text, &self.secrets) };
        let request = request.map_err(|why| unusable(ErrorClass::Auth, &format!("{what} failed: {why}")))?;
        let (deadline, doubt) = (Instant::now() + self.deadline, InDoubt::default());
        let (operation, expect) = (Operation::Login, Expect::Reply);
        let call = Call {
            operation,
            expect,
            request,
            limit: BODY_LIMIT,
            deadline,
            doubt,
            resent: 0,
            streamed: None,
        };
        let outcome = timeout_at(deadline, self.lower.clone().oneshot(call)).await;
        let outcome = outcome.unwrap_or(Err(Failure::Deadline(self.deadline)));
        let class = classify::class(expect, &outcome, self.clock.now());
        match (outcome, class) {
            (Ok(answer), Ok(())) => Ok(answer.into_body()),
            (Ok(answer), Err(class)) => {
                let class = refusal(class);
                let ours = format!("{what} was refused: {}", answer.status().as_u16());
                Err(Unusable { class, text: Words::of(answer.body()).after(&ours, &self.secrets) })
            }
            (Err(failure), class) => {
                let class = class.err().unwrap_or(ErrorClass::Transient);
                Err(unusable(class, &format!("{what} got no answer: {failure}")))
            }
        }
    }
}

/// Whatever a login is refused for, it is the credential that has to be mended; but not where the service is sick.
fn refusal(class: ErrorClass) -> ErrorClass {
    match class {
        ErrorClass::Rejected | ErrorClass::Unknown => ErrorClass::Auth,
        other => other,
    }
}
