//! Whoever reads what is printed, where much time may pass until there is more to print.

use std::{io, os::fd::AsFd, thread};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use tokio::sync::oneshot;

/// Ends once nobody can read stdout any more; never where that cannot be known, as of a file.
pub(super) async fn gone() {
    let (tell, told) = oneshot::channel();
    // Nobody waits for the thread: it ends with the process.
    let watching = thread::Builder::new().name("stdout".into()).spawn(move || {
        if is_hung_up(io::stdout()) {
            // Where nobody asks any more, the command has ended.
            let _nobody_asks = tell.send(());
        }
    });
    if watching.is_err() || told.await.is_err() {
        std::future::pending().await
    }
}

/// Blocks until the other end of a pipe or socket is closed.
fn is_hung_up(out: impl AsFd) -> bool {
    // Nothing is asked for: an end is told anyhow.
    let mut ends = [PollFd::new(&out, PollFlags::empty())];
    loop {
        match poll(&mut ends, None) {
            Ok(_) => return ends[0].revents().intersects(PollFlags::ERR | PollFlags::HUP),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_is_hung_up() {
        let (read, write) = io::pipe().unwrap();
        let watching = thread::spawn(move || is_hung_up(write));
        drop(read);
        assert!(watching.join().unwrap());
    }
}
