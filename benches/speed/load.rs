//! A client that costs little: fixed bytes out, an answer read to its length, many connections at once.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One connection and what it has read.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("nodelay");
        Self { stream, buffer: Vec::with_capacity(64 * 1024) }
    }

    /// Sends one request and reads its answer; returns the body.
    pub async fn ask(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).await.expect("the server takes requests");
        self.buffer.clear();
        loop {
            self.stream.read_buf(&mut self.buffer).await.expect("the server answers");
            let Some(head) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let length = length(&self.buffer[..head]);
            let end = head + 4 + length;
            while self.buffer.len() < end {
                let read = self.stream.read_buf(&mut self.buffer).await.expect("the server answers");
                assert!(read > 0, "the answer was cut off");
            }
            assert!(self.buffer.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(&self.buffer));
            return &self.buffer[head + 4..end];
        }
    }
}

fn length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let line = head.lines().find_map(|line| line.strip_prefix("content-length:").map(str::trim));
    line.and_then(|number| number.parse().ok()).expect("answers tell their length")
}

pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\r\n", super::house::TOKEN)
        .into_bytes()
}

pub fn post(body: &str) -> Vec<u8> {
    format!(
        "POST /pins HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        super::house::TOKEN,
        body.len()
    )
    .into_bytes()
}

/// What a round of load did.
pub struct Round {
    pub per_second: f64,
    /// Latencies in ascending order.
    pub latencies: Vec<Duration>,
}

impl Round {
    pub fn at(&self, quantile: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        // A rank within the list, so the cast loses nothing that matters.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank in 0..=last")]
        let rank = (last as f64 * quantile).round() as usize;
        self.latencies.get(rank).copied().unwrap_or_default()
    }
}

/// Asks over `connections` for `span`, taking the requests in turn.
pub async fn run(
    address: SocketAddr,
    connections: usize,
    span: Duration,
    next: impl Fn(usize, usize) -> Vec<u8> + Sync,
) -> Round {
    let began = Instant::now();
    let next = &next;
    let all = join_all((0..connections).map(|which| async move {
        let mut connection = Connection::open(address).await;
        let mut latencies = Vec::new();
        while began.elapsed() < span {
            let request = next(which, latencies.len());
            let sent = Instant::now();
            connection.ask(&request).await;
            latencies.push(sent.elapsed());
        }
        latencies
    }))
    .await;
    let took = began.elapsed().as_secs_f64();
    let mut latencies: Vec<Duration> = all.into_iter().flatten().collect();
    latencies.sort();
    Round { per_second: latencies.len() as f64 / took, latencies }
}
