//! A TCP link with latency.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// Chunks in flight in one direction; a sender that is further ahead waits.
const IN_FLIGHT: usize = 256;

/// A link to a server over which all bytes take the same time in each direction. It accepts
/// connections as long as the process runs.
#[derive(Debug)]
pub struct DelayedLink {
    address: SocketAddr,
}

impl DelayedLink {
    /// Creates a link to a server with this latency in each direction.
    pub fn start(server: SocketAddr, latency: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is down refuses the connection by closing it.
                let Ok(server) = TcpStream::connect(server) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    if let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) {
                        thread::spawn(move || forward(from, to, latency));
                    }
                }
            }
        });
        Ok(Self { address })
    }

    /// Returns the WebSocket URL of the server over this link.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Returns the HTTP URL of the server over this link.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Forwards bytes with this latency until one end is closed.
pub(crate) fn forward(mut from: TcpStream, mut to: TcpStream, latency: Duration) {
    if latency.is_zero() {
        // A connection that fails or is closed ends.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
        return;
    }
    let (sender, receiver) = sync_channel(IN_FLIGHT);
    thread::spawn(move || read(from, latency, &sender));
    write(to, &receiver);
}

fn read(mut from: TcpStream, latency: Duration, sender: &SyncSender<(Instant, Vec<u8>)>) {
    let mut buffer = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if sender.send((Instant::now() + latency, buffer[..length].to_vec())).is_err() {
            break;
        }
    }
}

fn write(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    for (due, chunk) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&chunk).is_err() {
            break;
        }
    }
    // The other end may be closed already.
    let _ = to.shutdown(Shutdown::Both);
}
