//! A server for tests: answers as scripted, byte for byte, on port 0, and remembers what it was asked.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What is done with one request.
pub(crate) enum Act {
    /// Sent as it is, then the connection is kept.
    Answer(String),
    /// Sent as it is, then the connection is closed.
    CutOff(&'static str),
    /// Never answered.
    Hang,
}

impl Act {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::with(status, &[], body)
    }

    pub(crate) fn with(status: u16, headers: &[&str], body: &str) -> Self {
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let length = body.len();
        Self::Answer(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}"))
    }
}

type Script = Box<dyn Fn(&str) -> Act + Send + Sync>;

struct Shared {
    script: Script,
    seen: Mutex<Vec<String>>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    /// Acts in this order; what comes after is answered with an empty list.
    pub(crate) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let script = Mutex::new(script.into_iter().collect::<VecDeque<_>>());
        let next = move |_: &str| script.lock().unwrap().pop_front();
        Self::answering(move |request| {
            next(request).unwrap_or_else(|| Act::json(200, r#"{"count":0,"results":[]}"#))
        })
        .await
    }

    /// Acts by what it is asked: head and body.
    pub(crate) async fn answering(script: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared { script: Box::new(script), seen: Mutex::default() });
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn({
            let shared = shared.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, shared.clone()));
                }
            }
        });
        Self { address, shared, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Heads and bodies of all requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let act = (shared.script)(&request);
        shared.seen.lock().unwrap().push(request);
        match act {
            Act::Answer(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            Act::CutOff(part) => {
                stream.write_all(part.as_bytes()).await.unwrap();
                return;
            }
            Act::Hang => std::future::pending().await,
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let from = request.len();
        if stream.read_line(&mut request).await.ok()? == 0 {
            return None;
        }
        let line = request[from..].to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    request.push_str(&String::from_utf8(body).unwrap());
    Some(request)
}
