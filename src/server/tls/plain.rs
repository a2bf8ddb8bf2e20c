//! Plain HTTP at a listener that speaks TLS: told what is wrong, in words that it understands.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const BODY: &str = r#"{"error":{"reason":"BAD_REQUEST","details":"this address speaks HTTPS: write https:// in place of http://"}}"#;

/// How much of the request is still read, so that the close does not reset the connection before the answer is read.
const MOST_DISCARDED: u64 = 64 * 1024;

/// Whether the first byte is a method's; that of a TLS handshake is no letter.
pub(super) async fn is_http(stream: &TcpStream) -> bool {
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1)) && first[0].is_ascii_uppercase()
}

pub(super) async fn answer(mut stream: TcpStream) {
    let length = BODY.len();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nconnection: close\r\naccess-control-allow-origin: *\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{BODY}"
    );
    if stream.write_all(answer.as_bytes()).await.is_ok() && stream.shutdown().await.is_ok() {
        // Whether the client still listens is its affair.
        let _read = tokio::io::copy(&mut stream.take(MOST_DISCARDED), &mut tokio::io::sink()).await;
    }
}
