//! The proxy between a client and a node.

use client::{Client, ClientOptions};
use enshrine_testkit::{Interception, Proxy, id_of};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
    time::Duration,
};

/// Starts a node that responds to every request with this number.
fn node(number: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut asked in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let mut text = String::new();
            // The head and the body may arrive separately.
            while !text.ends_with('}') {
                let count = asked.read(&mut request).unwrap();
                text.push_str(&String::from_utf8_lossy(&request[..count]));
            }
            let body = text.split("\r\n\r\n").nth(1).unwrap_or_default();
            let answer = answer(body, number);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
            asked.write_all(format!("{head}{answer}").as_bytes()).unwrap();
        }
    });
    address
}

fn answer(request: &str, number: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{number}}}"#, id_of(request))
}

fn ask(client: &Client) -> Result<u64, String> {
    client.request::<_, u64>("number", ()).map_err(|error| error.to_string())
}

fn client(proxy: &Proxy) -> Client {
    let options = ClientOptions { timeout: Duration::from_millis(500), ..ClientOptions::default() };
    Client::new(&proxy.url(), options).unwrap()
}

#[test]
fn proxy_passes_changes_or_drops_answers() {
    let proxy = Proxy::start(node(7)).unwrap();
    let client = client(&proxy);
    assert_eq!(ask(&client), Ok(7));
    proxy.set(|_, answer| Some(answer.replace('7', "8")));
    assert_eq!(ask(&client), Ok(8));
    proxy.intercept(|request| Some(answer(request, 9)));
    assert_eq!(ask(&client), Ok(9));
    proxy.intercept(|_| Some(Interception::Refused(429)));
    assert!(ask(&client).unwrap_err().contains("429"));
    proxy.intercept(|_| Some(Interception::Break));
    assert!(ask(&client).is_err());
    proxy.honest();
    assert_eq!(ask(&client), Ok(7));
    proxy.redirect(node(5));
    assert_eq!(ask(&client), Ok(5));
}

#[test]
fn hanging_request_is_answered_after_silence() {
    let proxy = Proxy::start(node(7)).unwrap();
    proxy.intercept(|_| Some(Interception::Silence));
    assert!(ask(&client(&proxy)).unwrap_err().contains("no answer"));
    let patient = Client::new(&proxy.url(), ClientOptions::default()).unwrap();
    thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&patient));
        thread::sleep(Duration::from_millis(100));
        assert!(!asking.is_finished());
        proxy.honest();
        assert_eq!(asking.join().unwrap(), Ok(7));
    });
}
