//! A socket that notes what happens on it, and gives bare refusals a body.

use std::{
    io,
    io::IoSlice,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_util::either::Either;

use super::{Stream, bare, pulse::Pulse};

const MOST_DISCARDED: usize = 1024 * 1024;

pub(super) struct Watched {
    stream: Stream,
    pulse: Arc<Pulse>,
    /// What is written in place of a bare refusal, and how much of it has been.
    refusal: Option<(Vec<u8>, usize)>,
    /// How many bytes of a refused request are still read, and thrown away, before the close.
    discard: usize,
}

impl Watched {
    pub(super) fn new(stream: Stream, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse, refusal: None, discard: 0 }
    }

    /// Writes the refusal, then tells the writer that all of its own bytes are gone.
    fn poll_refusal(&mut self, cx: &mut Context<'_>, instead_of: usize) -> Poll<io::Result<usize>> {
        while let Some((bytes, written)) = &mut self.refusal {
            let now = Pin::new(&mut self.stream).poll_write(cx, &bytes[*written..]);
            if now.is_pending() {
                self.pulse.blocked();
            }
            match ready!(now)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
            if *written == bytes.len() {
                self.refusal = None;
                self.discard = MOST_DISCARDED;
            }
        }
        Poll::Ready(Ok(instead_of))
    }

    /// A close with bytes unread resets the connection, and the reset may overtake the refusal: read on for a while.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut waste = [0; 4096];
        while self.discard > 0 {
            let mut buffer = ReadBuf::new(&mut waste);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            let read = buffer.filled().len();
            self.discard = if read == 0 { 0 } else { self.discard.saturating_sub(read) };
        }
        Poll::Ready(Ok(()))
    }

    fn noted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.pulse.wrote(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.pulse.blocked(),
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.pulse.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.refusal.is_none() {
            self.refusal = bare::with_body(bytes).map(|refusal| (refusal, 0));
        }
        if self.refusal.is_some() {
            return self.poll_refusal(cx, bytes.len());
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = slices {
            return self.poll_write(cx, only);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        match flushed {
            Poll::Ready(_) => self.pulse.flushed(),
            Poll::Pending => self.pulse.blocked(),
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        self.poll_discard(cx)
    }
}

impl Drop for Watched {
    /// What a client does not take would stay in the kernel's memory for minutes: a reset drops it.
    fn drop(&mut self) {
        if self.pulse.is_given_up()
            && let Err(error) = socket(&self.stream).set_zero_linger()
        {
            tracing::debug!(%error, "cannot reset the connection of a client that reads nothing");
        }
    }
}

fn socket(stream: &Stream) -> &TcpStream {
    match stream {
        Either::Left(stream) => stream,
        Either::Right(stream) => stream.get_ref().0,
    }
}
