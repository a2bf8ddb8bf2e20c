//! Version 2 of the PROXY protocol: what a proxy writes before the bytes of its client.
//!
//! Source: haproxy.org, `doc/proxy-protocol.txt`, section 2.2.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const HEAD: usize = 16;
/// The most bytes of addresses and further fields; proxies send far fewer.
const MOST: usize = 2048;

/// Why a connection's beginning says nothing.
#[derive(Debug, Error)]
pub(in crate::server) enum ProtocolError {
    #[error("the connection ended")]
    Io(#[from] io::Error),
    #[error("it does not begin with version 2 of the PROXY protocol")]
    Signature,
    #[error("an unknown command")]
    Command,
    #[error("more than {MOST} bytes")]
    TooLong,
    #[error("too few bytes for its addresses")]
    TooShort,
}

/// Reads exactly the proxy's own bytes. `None`: it speaks for itself, such as to see whether we live.
pub(in crate::server) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<IpAddr>, ProtocolError> {
    let mut head = [0; HEAD];
    // Whoever speaks HTTP instead is not kept waiting for more bytes than it has.
    stream.read_exact(&mut head[..1]).await?;
    if head[0] != SIGNATURE[0] {
        return Err(ProtocolError::Signature);
    }
    stream.read_exact(&mut head[1..]).await?;
    let length = length(&head)?;
    let mut rest = [0; MOST];
    stream.read_exact(&mut rest[..length]).await?;
    source(head[12], head[13], &rest[..length])
}

fn length(head: &[u8; HEAD]) -> Result<usize, ProtocolError> {
    if !head.starts_with(SIGNATURE) || head[12] >> 4 != 2 {
        return Err(ProtocolError::Signature);
    }
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if length > MOST { Err(ProtocolError::TooLong) } else { Ok(length) }
}

/// The client among the addresses; their ports, and the fields after them, are of no interest.
fn source(command: u8, family: u8, rest: &[u8]) -> Result<Option<IpAddr>, ProtocolError> {
    const LOCAL: u8 = 0;
    const PROXY: u8 = 1;
    match command & 0xf {
        LOCAL => return Ok(None),
        PROXY => {}
        _ => return Err(ProtocolError::Command),
    }
    match family >> 4 {
        1 if rest.len() >= 12 => Ok(first::<4>(rest).map(|bytes| Ipv4Addr::from(bytes).into())),
        2 if rest.len() >= 36 => Ok(first::<16>(rest).map(|bytes| Ipv6Addr::from(bytes).into())),
        1 | 2 => Err(ProtocolError::TooShort),
        _ => Ok(None),
    }
}

fn first<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a proxy would write.
    fn written(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[0x20 | command, family], &length, rest].concat()
    }

    fn read_all(mut bytes: &[u8]) -> (Result<Option<IpAddr>, ProtocolError>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = runtime.block_on(read(&mut bytes));
        (read, bytes.len())
    }

    #[test]
    fn the_client_is_read_and_what_it_sends_is_left() {
        let addresses = [192, 0, 2, 1, 10, 0, 0, 1, 0xc0, 0, 0, 80, 3, 0, 1, b'x'];
        let bytes = [&written(1, 0x11, &addresses), &b"GET /"[..]].concat();
        let (read, left) = read_all(&bytes);
        assert_eq!((read.unwrap().unwrap().to_string().as_str(), left), ("192.0.2.1", 5));
        let mut addresses = [0; 36];
        addresses[..16].copy_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(read_all(&written(1, 0x21, &addresses)).0.unwrap().unwrap().to_string(), "2001:db8::1");
    }

    #[test]
    fn a_proxy_may_speak_for_itself() {
        assert!(matches!(read_all(&written(0, 0, &[])).0, Ok(None)));
        assert!(matches!(read_all(&written(1, 0x31, &[0; 216])).0, Ok(None)));
    }

    #[test]
    fn whatever_is_no_introduction_is_refused() {
        let refused = |bytes: &[u8]| read_all(bytes).0.unwrap_err();
        assert!(matches!(refused(b"GET / HTTP/1.1\r\n\r\n"), ProtocolError::Signature));
        assert!(matches!(refused(b"\r\n\r\n\0\r\nQUIT\r\x21\x11\0\0"), ProtocolError::Signature));
        assert!(matches!(refused(b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0"), ProtocolError::Signature));
        assert!(matches!(refused(&written(2, 0x11, &[0; 12])), ProtocolError::Command));
        assert!(matches!(refused(&written(1, 0x11, &[0; 11])), ProtocolError::TooShort));
        assert!(matches!(refused(&written(1, 0x21, &[0; 12])), ProtocolError::TooShort));
        assert!(matches!(refused(&written(1, 0x11, &[0; MOST + 1])), ProtocolError::TooLong));
        assert!(matches!(refused(b""), ProtocolError::Io(_)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_never_more_is_read_than_is_said(bytes: Vec<u8>, rest: Vec<u8>, family: u8, command in 0u8..16) {
            let _read = read_all(&bytes);
            let introduction = [written(command, family, &rest), bytes.clone()].concat();
            let (read, left) = read_all(&introduction);
            prop_assert!(read.is_err() || left == bytes.len());
        }
    }
}
