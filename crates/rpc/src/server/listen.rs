//! Sockets that are open, as many as are allowed at once.

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
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Lets this process have as many files and sockets open as the system allows it to ask for. By
/// default that is often too few for the connections that a node may have.
pub fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where it is not granted there is less room, and nothing else is wrong.
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "the limit of open files stays");
    }
}

/// What a client is told for whom there is no place.
const FULL: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How long is waited where the system has no socket to give.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection that takes a place as long as it is open, whether it asks or is idle, and whatever
/// it is upgraded to.
#[derive(Debug)]
pub(super) struct Connection {
    socket: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    /// Waits until the client is gone, as far as that can be told before all that it has sent is
    /// read.
    pub(super) async fn hung_up(&self) {
        match self.socket.ready(Interest::READABLE).await {
            Ok(ready) if ready.is_read_closed() => {}
            _ => pending().await,
        }
    }
}

/// Waits for the next connection; those for which there is no place are refused.
pub(super) async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Connection {
    loop {
        let (mut socket, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Answers are written whole: nothing is gained by holding them back.
        drop(socket.set_nodelay(true));
        match Arc::clone(places).try_acquire_owned() {
            Ok(place) => return Connection { socket, _place: place },
            Err(_) => {
                tracing::warn!(%client, "a connection is refused: too many are open");
                tokio::spawn(async move {
                    // Whether it still listens is its own affair.
                    let told = async {
                        socket.write_all(FULL).await?;
                        socket.shutdown().await?;
                        // To close on what has not been read would take the answer back.
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
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, buffers)
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

/// A connection of which something has been read already: whoever gets it reads that first.
#[derive(Debug)]
pub(super) struct Handover {
    connection: Connection,
    read: Vec<u8>,
    /// Bytes of `read` that have been taken.
    taken: usize,
}

impl Handover {
    pub(super) const fn new(connection: Connection, read: Vec<u8>) -> Self {
        Self { connection, read, taken: 0 }
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
