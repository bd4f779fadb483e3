//! JSON-RPC over a Unix socket: one JSON value after another, in both directions.

use crate::DevnetError;
use jsonrpsee::server::Methods;
use serde_json::{Value, value::RawValue};
use std::{
    fs,
    os::unix::{fs::FileTypeExt, net::UnixListener as StdListener},
    path::{Path, PathBuf},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};

/// Answers that may wait for a client that reads slowly.
const BUFFER: usize = 1024;

/// A socket that is served until this is dropped.
#[derive(Debug)]
pub struct IpcServer {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl IpcServer {
    /// Listens at `path`. A socket that is left there from before is replaced; any other file is
    /// not. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`DevnetError::Listen`].
    pub fn start(path: &Path, methods: Methods, max_request: u32) -> Result<Self, DevnetError> {
        let listen = |source| DevnetError::Listen {
            address: path.display().to_string(),
            flag: "--ipc",
            source,
        };
        if fs::metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(path).map_err(listen)?;
        }
        let listener = StdListener::bind(path).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let listener = UnixListener::from_std(listener).map_err(listen)?;
        let task = tokio::spawn(async move {
            // The connections end with the task, since the set ends what is in it.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, methods.clone(), max_request as usize));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { path: path.to_owned(), task })
    }

    /// Where the socket lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for IpcServer {
    fn drop(&mut self) {
        self.task.abort();
        // That it may be gone already is no failure.
        let _ = fs::remove_file(&self.path);
    }
}

/// Serves one connection until the client leaves or sends what is no JSON.
async fn serve(stream: UnixStream, methods: Methods, max_request: usize) {
    let (mut reader, mut writer) = stream.into_split();
    let (answers, mut outgoing) = mpsc::channel::<String>(BUFFER);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(mut answer) = outgoing.recv().await {
            answer.push('\n');
            if writer.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = Vec::new();
    while reader.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
        let (requests, used, malformed) = split(&buffer);
        for request in requests {
            tasks.spawn(answer(request, methods.clone(), answers.clone()));
            while tasks.try_join_next().is_some() {}
        }
        buffer.drain(..used);
        if malformed || buffer.len() > max_request {
            let code = if malformed { -32700 } else { -32600 };
            let _ = answers.send(failure(code)).await;
            break;
        }
    }
    drop(answers);
    while tasks.join_next().await.is_some() {}
}

/// The complete values at the start of a buffer, how many bytes they take, and whether what follows
/// can never become one.
fn split(buffer: &[u8]) -> (Vec<String>, usize, bool) {
    let mut stream = serde_json::Deserializer::from_slice(buffer).into_iter::<&RawValue>();
    let (mut values, mut used) = (Vec::new(), 0);
    loop {
        match stream.next() {
            Some(Ok(value)) => {
                values.push(value.get().to_owned());
                used = stream.byte_offset();
            }
            Some(Err(error)) => return (values, used, !error.is_eof()),
            None => return (values, used, false),
        }
    }
}

fn failure(code: i32) -> String {
    let message = if code == -32700 { "Parse error" } else { "Invalid request" };
    format!(r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":{code},"message":"{message}"}}}}"#)
}

/// Answers a request or a batch, and passes on what its subscriptions yield.
async fn answer(request: String, methods: Methods, answers: mpsc::Sender<String>) {
    match serde_json::from_str::<Vec<&RawValue>>(&request) {
        Ok(batch) if batch.is_empty() => {
            let _ = answers.send(failure(-32600)).await;
        }
        Ok(batch) => {
            let mut parts = Vec::with_capacity(batch.len());
            for request in batch {
                parts.extend(one(request.get(), &methods, &answers).await);
            }
            if !parts.is_empty() {
                let _ = answers.send(format!("[{}]", parts.join(","))).await;
            }
        }
        Err(_) => {
            if let Some(answer) = one(&request, &methods, &answers).await {
                let _ = answers.send(answer).await;
            }
        }
    }
}

/// The answer to one request; `None` for a notification.
async fn one(request: &str, methods: &Methods, answers: &mpsc::Sender<String>) -> Option<String> {
    let Ok((answer, mut notifications)) = methods.raw_json_request(request, BUFFER).await else {
        let value: Value = serde_json::from_str(request).ok()?;
        let notification = value.get("method").is_some() && value.get("id").is_none();
        return (!notification).then(|| failure(-32600));
    };
    let answers = answers.clone();
    tokio::spawn(async move {
        while let Some(notification) = notifications.recv().await {
            if answers.send(notification.get().to_owned()).await.is_err() {
                return;
            }
        }
    });
    Some(answer.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_wherever_a_read_may_end() {
        let (values, used, malformed) = split(br#"{"a":1} [2]{"b"#);
        assert_eq!((values.len(), used, malformed), (2, 11, false));
        assert_eq!(split(b"").0.len(), 0);
        assert!(split(b"{nonsense").2);
        assert!(!split(b"{\"half\":").2);
    }
}
