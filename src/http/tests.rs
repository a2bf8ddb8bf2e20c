mod ways;

use super::{
    scripted::{Act, Server},
    *,
};

async fn get(url: &str, limit: usize) -> Result<Response<Bytes>, Error> {
    let request = Request::get(url).body(Bytes::new()).unwrap();
    Client::new(&Settings::default()).send(request, limit).await
}

#[tokio::test]
async fn an_answer_is_read_whole_and_says_who_asked() {
    let server = Server::start([Act::json(200, "hello")]).await;
    let answer = get(&server.url(), 5).await.unwrap();
    assert_eq!(answer.body(), "hello");
    let agent = format!("user-agent: pinfold/{}", env!("CARGO_PKG_VERSION"));
    assert!(server.seen()[0].to_lowercase().contains(&agent));
}

#[tokio::test]
async fn bodies_beyond_the_bound_are_refused_announced_or_not() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello!\r\n0\r\n\r\n";
    let server = Server::start([Act::json(200, "hello!"), Act::Answer(chunked.into())]).await;
    for _ in 0..2 {
        let error = get(&server.url(), 5).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: 5 }), "{error}");
        assert!(error.was_sent());
    }
}

#[tokio::test]
async fn redirects_are_returned_not_followed() {
    let server = Server::start([Act::with(302, &["location: /elsewhere"], "")]).await;
    assert_eq!(get(&server.url(), 5).await.unwrap().status(), 302);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_may_have_been_sent() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhel";
    let server = Server::start([Act::CutOff(cut), Act::CutOff(""), Act::CutOff("nonsense\r\n\r\n")]).await;
    for _ in 0..3 {
        let error = get(&server.url(), 500).await.unwrap_err();
        assert!(matches!(error, Error::Broken(_)), "{error:?}");
        assert!(error.was_sent());
    }
}

#[tokio::test]
async fn what_never_left_says_at_which_step() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let refused = get(&format!("http://{closed}"), 5).await.unwrap_err();
    assert!(matches!(refused, Error::Connect(_)), "{refused:?}");
    let nowhere = get("http://no-such-host.invalid/", 5).await.unwrap_err();
    assert!(matches!(nowhere, Error::Dns(_)), "{nowhere:?}");
    let plain = Server::start([Act::CutOff("HTTP/1.1 400 Bad\r\n\r\n")]).await;
    let no_tls = get(&plain.url().replace("http:", "https:"), 5).await.unwrap_err();
    assert!(!no_tls.was_sent(), "{no_tls:?}");
    for error in [refused, nowhere] {
        assert!(!error.was_sent());
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up() {
    // The kernel accepts; nobody reads.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings { connect_timeout: Duration::from_millis(20), ..Settings::default() };
    let url = format!("https://{}", silent.local_addr().unwrap());
    let request = Request::get(url).body(Bytes::new()).unwrap();
    let error = Client::new(&settings).send(request, 5).await.unwrap_err();
    assert!(matches!(error, Error::ConnectTimeout(_)), "{error:?}");
    assert!(!error.was_sent());
}

async fn open(server: &Server, limit: usize) -> Lines {
    let request = Request::post(server.url()).body(Bytes::new()).unwrap();
    Client::new(&Settings::default()).open(request, limit).await.unwrap().into_body()
}

#[tokio::test]
async fn lines_are_read_as_they_come_and_the_trailer_after_them() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: X-Stream-Error\r\n\r\n";
    let body = "4\r\n{}\n{\r\n3\r\n}\n7\r\n0\r\nX-Stream-Error: out of luck\r\n\r\n";
    let server = Server::start([Act::Answer(format!("{head}{body}"))]).await;
    let mut lines = open(&server, 10).await;
    for line in ["{}", "{}", "7"] {
        assert_eq!(lines.next().await.unwrap().unwrap(), line);
    }
    assert_eq!(lines.next().await.unwrap(), None);
    assert_eq!(lines.trailer("x-stream-error"), Some("out of luck"));
}

#[tokio::test]
async fn a_line_beyond_the_bound_and_one_that_breaks_off_are_errors() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
    let long = Act::Answer(format!("{head}12345678901"));
    let server =
        Server::start([long, Act::CutOff("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}\n{")]).await;
    assert!(matches!(open(&server, 10).await.next().await, Err(Error::TooLarge { limit: 10 })));
    let mut cut = open(&server, 10).await;
    assert_eq!(cut.next().await.unwrap().unwrap(), "{}");
    assert!(matches!(cut.next().await, Err(Error::Broken(_))));
}
