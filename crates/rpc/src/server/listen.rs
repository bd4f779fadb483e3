//! Accepts sockets, and closes those whose clients keep the server waiting.

use super::connections::{Connections, Control, Place};
use crate::LogLimit;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    future::pending,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep, sleep, timeout},
};

/// Raises the process's limit of open files to the system's maximum. The default is often too low
/// for a node's connections.
pub fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // If this fails, the node merely supports fewer connections.
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "failed to raise the limit of open files");
    }
}

/// Open files reserved for other uses: the database, requests to L1, and logs.
const OTHER_FILES: u64 = 256;

/// Returns the number of connections that the process can open, at most `wanted`.
pub(super) fn allowed_connections(wanted: u32) -> u32 {
    within_files(wanted, getrlimit(Resource::Nofile).current)
}

fn within_files(wanted: u32, files: Option<u64>) -> u32 {
    let Some(files) = files else { return wanted };
    let most = files.saturating_sub(OTHER_FILES).max(1);
    wanted.min(u32::try_from(most).unwrap_or(u32::MAX))
}

/// Response to a client beyond the connection limit.
const FULL: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Pause after a failed `accept`.
const PAUSE: Duration = Duration::from_millis(50);

static UNACCEPTED: LogLimit = LogLimit::new();
static REFUSED: LogLimit = LogLimit::new();

/// Connection that counts against the limit while it is open, idle or upgraded. The server may
/// close it at a limit or if its client is too slow.
#[derive(Debug)]
pub(super) struct Connection {
    socket: TcpStream,
    place: Place,
    /// Deadline for receiving the current request.
    due: Option<Pin<Box<Sleep>>>,
    /// Deadline for the client to read some bytes.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    const fn new(socket: TcpStream, place: Place) -> Self {
        Self { socket, place, due: None, stalled: None }
    }

    pub(super) const fn control(&self) -> &Arc<Control> {
        &self.place.0
    }

    /// Waits until the client has disconnected, as far as this is visible before all input is read.
    pub(super) async fn hung_up(&self) {
        match self.socket.ready(Interest::READABLE).await {
            Ok(ready) if ready.is_read_closed() => {}
            _ => pending().await,
        }
    }

    /// Records a write; fails if the client has not read anything before the deadline.
    fn follow(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let control = &self.place.0;
        match &written {
            Poll::Ready(Ok(bytes)) => {
                control.written(*bytes);
                self.stalled = None;
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                control.wake_writer(context);
                let limit = control.request_timeout();
                let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
                if control.is_closed() || stalled.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        written
    }
}

/// Accepts the next connection, rejecting those beyond the limit.
pub(super) async fn accept(listener: &TcpListener, connections: &Arc<Connections>) -> Connection {
    loop {
        let (mut socket, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                if let Some(left_out) = UNACCEPTED.admit() {
                    tracing::warn!(%error, left_out, "failed to accept a connection");
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Responses are written whole, so Nagle's algorithm would only add latency.
        drop(socket.set_nodelay(true));
        match connections.admit(client.ip()) {
            Ok(place) => return Connection::new(socket, place),
            Err(full) => {
                let (open, limit) = (full.got, full.limit);
                if let Some(left_out) = REFUSED.admit() {
                    tracing::warn!(
                        %client, open, limit, left_out,
                        "refused connection: limit reached and none is idle"
                    );
                }
                tokio::spawn(async move {
                    // The client may already be gone.
                    let told = async {
                        socket.write_all(FULL).await?;
                        socket.shutdown().await?;
                        // Closing with unread input would reset the connection and discard the
                        // response.
                        tokio::io::copy(&mut socket, &mut tokio::io::sink()).await
                    };
                    drop(timeout(Duration::from_secs(1), told).await);
                });
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let control = &this.place.0;
        control.wake_reader(context);
        if control.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if control.is_busy() {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.socket).poll_read(context, buffer);
        let bytes = &buffer.filled()[before..];
        if !bytes.is_empty() {
            control.received(bytes);
        }
        if !control.is_due() {
            this.due = None;
            return read;
        }
        let limit = control.request_timeout();
        let due = this.due.get_or_insert_with(|| Box::pin(sleep(limit)));
        let is_over = match read.is_pending() {
            true => due.as_mut().poll(context).is_ready(),
            false => due.deadline() <= Instant::now(),
        };
        if is_over {
            tracing::debug!("closed connection: request timed out");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.control().is_closed() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = Pin::new(&mut self.socket).poll_write(context, buffer);
        self.follow(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.control().is_closed() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, buffers);
        self.follow(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// Connection with bytes that were already read; readers get these first.
#[derive(Debug)]
pub(super) struct Handover {
    connection: Connection,
    read: Vec<u8>,
    /// Number of bytes of `read` already consumed.
    taken: usize,
}

impl Handover {
    pub(super) const fn new(connection: Connection, read: Vec<u8>) -> Self {
        Self { connection, read, taken: 0 }
    }

    pub(super) const fn control(&self) -> &Arc<Control> {
        self.connection.control()
    }
}

impl AsyncRead for Handover {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let left = &this.read[this.taken..];
        if left.is_empty() {
            return Pin::new(&mut this.connection).poll_read(context, buffer);
        }
        let part = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..part]);
        this.taken += part;
        if this.taken == this.read.len() {
            (this.read, this.taken) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Handover {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(context, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_other_uses() {
        for (wanted, files, expected) in [
            (4_096, None, 4_096),
            (4_096, Some(1 << 20), 4_096),
            (4_096, Some(4_352), 4_096),
            (4_096, Some(4_351), 4_095),
            (4_096, Some(1_024), 768),
            (4_096, Some(100), 1),
        ] {
            assert_eq!(within_files(wanted, files), expected, "{files:?}");
        }
    }
}
