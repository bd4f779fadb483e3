//! The client against minimal servers with scripted replies.

mod http;
mod socket;

use enshrine_client::{Client, ClientError, ClientOptions};

fn tries(tries: u32) -> ClientOptions {
    ClientOptions {
        tries,
        first_pause: core::time::Duration::from_millis(1),
        ..ClientOptions::default()
    }
}

#[test]
fn only_http_and_websocket_urls_are_accepted() {
    for bad in
        ["", "ftp://localhost", "wsx://localhost", "not a url", "localhost:port", "/a/socket"]
    {
        let refused = Client::new(bad, ClientOptions::default());
        assert!(matches!(refused, Err(ClientError::Url { .. })), "{bad}: {refused:?}");
    }
    for good in [
        "http://localhost:8545",
        "https://localhost",
        "ws://localhost",
        "wss://localhost/key",
        "localhost:8545",
        "127.0.0.1:8545/path",
    ] {
        assert!(Client::new(good, ClientOptions::default()).is_ok(), "{good}");
    }
}

#[test]
fn websocket_rejects_headers_and_further_urls() {
    let (http, ws) = ("http://localhost", "ws://localhost");
    let header = [("x-key".to_owned(), "secret".to_owned())];
    assert!(Client::of_several(&[http, http], &header, ClientOptions::default()).is_ok());
    assert!(Client::of_several(&[ws], &[], ClientOptions::default()).is_ok());
    for (urls, headers) in [(&[ws][..], &header[..]), (&[ws, ws], &[]), (&[http, ws], &[])] {
        let refused = Client::of_several(urls, headers, ClientOptions::default());
        assert!(
            matches!(&refused, Err(ClientError::Url { url, .. }) if url.to_string().starts_with(ws)),
            "{refused:?}"
        );
    }
}
