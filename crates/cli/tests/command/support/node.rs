//! A JSON-RPC server with scripted responses.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    thread,
};

/// A JSON-RPC server that responds with `answers`, and serves one connection at a time.
pub(crate) struct Node {
    pub(crate) url: String,
}

impl Node {
    pub(crate) fn start(answers: impl Fn(&str, &Value) -> Value + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { break };
                let mut reader = BufReader::new(stream.try_clone().expect("clones"));
                loop {
                    let mut length = 0;
                    let mut line = String::new();
                    while reader.read_line(&mut line).unwrap_or(0) > 2 {
                        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                            length = value.trim().parse().expect("a length");
                        }
                        line.clear();
                    }
                    if length == 0 {
                        break;
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).expect("a body");
                    let request: Value = serde_json::from_slice(&body).expect("JSON");
                    let method = request["method"].as_str().expect("a method");
                    let mut answer = answers(method, &request["params"]);
                    answer["jsonrpc"] = json!("2.0");
                    answer["id"] = request["id"].clone();
                    let body = answer.to_string();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    stream.write_all((head + &body).as_bytes()).expect("answers");
                }
            }
        });
        Self { url }
    }
}
