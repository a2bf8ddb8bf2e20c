//! `server.timeouts`, `server.proxies` and what else bounds clients.

use super::*;

#[test]
fn timeouts_and_proxies_are_read_and_shown_again() {
    let source = alpha(
        "server: { max_connections_per_address: 9, max_unread: 16MiB, timeouts: { head: 2s, write: 1m }, proxies: { trusted: [10.0.0.0/8, \"::1\"], protocol: v2 } }\n",
    );
    let settings = good(&source).settings;
    let server = &settings.server;
    let seconds = [server.timeouts.head, server.timeouts.idle, server.timeouts.body, server.timeouts.write]
        .map(|span| span.as_secs());
    assert_eq!((server.max_connections_per_address, seconds), (9, [2, 120, 30, 60]));
    assert_eq!(server.max_unread, 16 << 20);
    assert!(server.proxies.protocol_v2 && server.proxies.forwarded_for);
    assert!(server.proxies.trusts("10.1.2.3".parse().unwrap()));
    let shown = settings.effective();
    assert!(
        shown.contains("proxies: { trusted: [\"10.0.0.0/8\", \"::1\"], protocol: v2, forwarded_for: true }")
    );
}

#[test]
fn slips_in_them_are_told_at_their_places() {
    for (server, path, words) in [
        ("timeouts: { head: 10ms }", "server.timeouts.head", "too short a span"),
        ("timeouts: { idle: 4s }", "server.timeouts.idle", "too short a span"),
        ("timeouts: { write: 2h }", "server.timeouts.write", "too long a span"),
        ("timeouts: { red: 2s }", "server.timeouts.red", "unknown"),
        ("proxies: { trusted: [10.0.0.1/8] }", "server.proxies.trusted[0]", "within a network"),
        ("proxies: { trusted: [proxy] }", "server.proxies.trusted[0]", "not an address"),
        ("proxies: { protocol: v1 }", "server.proxies.protocol", "no such protocol"),
        ("proxies: { protocol: v2 }", "server.proxies.protocol", "no proxy is trusted"),
        ("max_unread: 1MiB", "server.max_unread", "too few bytes"),
        ("max_unread: much", "server.max_unread", "not a number of bytes"),
        ("max_connections_per_address: 0", "server.max_connections_per_address", "not a number"),
    ] {
        let source = alpha(&format!("server: {{ {server} }}\n"));
        let told = bad(&source);
        assert!(told.contains(path) && told.contains(words), "{server}: {told}");
    }
}
