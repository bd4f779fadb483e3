//! A node whose `eth_call` fails, so that scripts cannot detect EXECUTE.

use super::bench::{Bench, DEPLOYER, RUN, WITHOUT_EXECUTE};
use eyre::{OptionExt, Result, ensure};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

const REFUSAL: &str = "this node makes no calls today";

/// Starts a proxy that answers each `eth_call` with an error and forwards all other requests to the
/// node; returns its URL.
fn refusing(node: &str) -> Result<String> {
    let node = node.strip_prefix("http://").ok_or_eyre("a plain node")?;
    let node = node.trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for client in listener.incoming() {
            let node = node.clone();
            // The failure of one connection does not affect the others.
            thread::spawn(move || client.map(|client| serve(&client, &node)));
        }
    });
    Ok(url)
}

/// Serves one request.
fn serve(mut client: &TcpStream, node: &str) -> Result<()> {
    let mut reader = BufReader::new(client);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request: serde_json::Value = serde_json::from_slice(&body)?;
    if request["method"] == "eth_call" {
        let error = serde_json::json!({ "code": -32_601, "message": REFUSAL });
        let answer = serde_json::json!({ "jsonrpc": "2.0", "id": request["id"], "error": error });
        let answer = answer.to_string();
        return Ok(write!(client, "HTTP/1.1 200 OK\r\n{}{answer}", head(answer.len()))?);
    }
    let mut upstream = TcpStream::connect(node)?;
    write!(upstream, "POST / HTTP/1.1\r\nHost: {node}\r\n{}", head(body.len()))?;
    upstream.write_all(&body)?;
    std::io::copy(&mut upstream, &mut client)?;
    Ok(())
}

/// Returns the HTTP headers for a body of this length, for requests and responses.
fn head(length: usize) -> String {
    format!(
        "Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
}

#[test]
fn failing_eth_call_is_not_taken_for_execute() -> Result<()> {
    let mut bench = Bench::new("refusing", &[])?;
    let config = bench.configure("rollup.toml", &[])?;
    let node = std::mem::take(&mut bench.url);
    bench.url = refusing(&node)?;
    let said = bench.refuse("Deploy", RUN, &[&config])?;
    ensure!(said.contains(REFUSAL), "{said}");
    assert_eq!(bench.nonce(DEPLOYER)?, 0);
    // Without the proxy, the script detects that the node has no EXECUTE.
    bench.url = node;
    let said = bench.run("Deploy", RUN, &[&config])?;
    assert!(said.contains(WITHOUT_EXECUTE), "{said}");
    Ok(())
}
