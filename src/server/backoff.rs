//! What to do when the kernel gives no connection: say it once, wait a little, try again.

use std::{io, time::Duration};

const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// How long to wait after failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    wait: Option<Duration>,
}

impl Backoff {
    pub(super) fn succeeded(&mut self) {
        self.wait = None;
    }

    /// Waits before the next try, longer each time; logs the first failure of a row.
    pub(super) async fn failed(&mut self, error: &io::Error) {
        if is_the_clients(error) {
            return;
        }
        let wait = self.lengthen();
        if wait == FIRST {
            tracing::warn!(%error, "cannot accept connections; trying again (too few file descriptors?)");
        }
        tokio::time::sleep(wait).await;
    }

    fn lengthen(&mut self) -> Duration {
        let wait = self.wait.map_or(FIRST, |last| (last * 2).min(LONGEST));
        self.wait = Some(wait);
        wait
    }
}

/// Whether only this one connection came to nothing.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_second_and_start_anew_after_a_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..10).map(|_| backoff.lengthen()).collect();
        assert!(waits.is_sorted());
        assert_eq!((waits[0], waits[9]), (FIRST, LONGEST));
        backoff.succeeded();
        assert_eq!(backoff.lengthen(), FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn running_out_of_descriptors_waits_and_an_aborted_client_does_not() {
        const EMFILE: i32 = 24;
        let mut backoff = Backoff::default();
        backoff.failed(&io::ErrorKind::ConnectionAborted.into()).await;
        assert_eq!(backoff.wait, None);
        backoff.failed(&io::Error::from_raw_os_error(EMFILE)).await;
        assert_eq!(backoff.wait, Some(FIRST));
    }
}
