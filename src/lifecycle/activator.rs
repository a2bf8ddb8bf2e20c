//! Wakes the engine. The signal carries no data: whoever wakes reads the store.

use std::sync::Arc;

use tokio::sync::watch;

/// One wake-up line: any number of wakers, any number of sleepers, and no signal is lost between looking and
/// sleeping.
#[derive(Clone, Debug)]
pub struct Activator(Arc<watch::Sender<()>>);

impl Default for Activator {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl Activator {
    /// Wakes every listener, or makes its next wait return at once.
    pub fn poke(&self) {
        self.0.send_replace(());
    }

    /// Arm the listener before reading what it is to tell of.
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

/// One sleeper's end of an [`Activator`].
#[derive(Debug)]
pub struct Listener(watch::Receiver<()>);

impl Listener {
    /// Returns at the next poke since the last return.
    pub async fn woken(&mut self) {
        if self.0.changed().await.is_err() {
            // Every waker is gone: nothing will ever be new again.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_poke_before_the_wait_is_not_lost() {
        let activator = Activator::default();
        let mut listener = activator.listen();
        activator.poke();
        listener.woken().await;
    }

    #[tokio::test]
    async fn every_listener_is_woken() {
        let activator = Activator::default();
        let (mut one, mut two) = (activator.listen(), activator.listen());
        let both = async { tokio::join!(one.woken(), two.woken()) };
        let poke = async { activator.poke() };
        tokio::join!(both, poke);
    }
}
