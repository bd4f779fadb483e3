//! Network between the members of a cluster, whose links can be cut.
//!
//! Each member connects to the others through a SOCKS5 proxy of its own (RFC 1928), so both ends of
//! a connection are known.

use crate::delayed_link::forward;
use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// End of the members' host names.
const SUFFIX: &str = ".etcd.test";

/// A link between two members.
type Link = (usize, usize);

/// Proxies of the members, which run until the process exits.
#[derive(Debug)]
pub(crate) struct PeerNetwork {
    proxies: Vec<u16>,
    links: Links,
}

#[derive(Debug, Clone, Default)]
struct Links(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    cut: Vec<Link>,
    /// Time that each byte takes in one direction.
    latency: Duration,
    open: Vec<(Link, TcpStream)>,
}

impl PeerNetwork {
    /// Starts the proxies of this number of members.
    pub(crate) fn start(members: usize) -> io::Result<Self> {
        let links = Links::default();
        let proxies = (0..members).map(|member| {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let port = listener.local_addr()?.port();
            let links = links.clone();
            thread::spawn(move || {
                for near in listener.incoming().flatten() {
                    let links = links.clone();
                    // A failed connection is closed, and the member connects again.
                    thread::spawn(move || links.connect(member, near));
                }
            });
            Ok(port)
        });
        Ok(Self { proxies: proxies.collect::<io::Result<_>>()?, links })
    }

    /// URL of a member's proxy.
    pub(crate) fn proxy(&self, member: usize) -> String {
        format!("socks5://127.0.0.1:{}", self.proxies[member])
    }

    /// Host name of a member. It is not a loopback address, because etcd would not use the proxy
    /// for one.
    pub(crate) fn host(member: usize) -> String {
        format!("{member}{SUFFIX}")
    }

    /// Sets the latency of all links in each direction, and closes their connections.
    pub(crate) fn delay(&self, latency: Duration) {
        let mut state = self.links.lock();
        state.latency = latency;
        for (_, stream) in state.open.drain(..) {
            // The stream may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Cuts these links in both directions, and mends all others.
    pub(crate) fn cut(&self, links: &[Link]) {
        let mut state = self.links.lock();
        state.cut = links.to_vec();
        let open = core::mem::take(&mut state.open);
        for (link, stream) in open {
            if state.is_cut(link) {
                // The stream may be closed already.
                let _ = stream.shutdown(Shutdown::Both);
            } else {
                state.open.push((link, stream));
            }
        }
    }
}

impl State {
    fn is_cut(&self, (from, to): Link) -> bool {
        self.cut.iter().any(|cut| *cut == (from, to) || *cut == (to, from))
    }
}

impl Links {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self, from: usize, mut near: TcpStream) -> io::Result<()> {
        let (to, port) = requested(&mut near)?;
        let far = TcpStream::connect(("127.0.0.1", port))?;
        let latency = {
            let mut state = self.lock();
            if state.is_cut((from, to)) {
                return Ok(());
            }
            for stream in [&near, &far] {
                stream.set_nodelay(true)?;
                state.open.push(((from, to), stream.try_clone()?));
            }
            state.latency
        };
        // Succeeded, from an unspecified address.
        near.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
        let (back, forth) = ((far.try_clone()?, near.try_clone()?), (near, far));
        thread::spawn(move || forward(back.0, back.1, latency));
        forward(forth.0, forth.1, latency);
        Ok(())
    }
}

/// Reads the request of a SOCKS5 client, and returns the member and the port.
fn requested(client: &mut TcpStream) -> io::Result<(usize, u16)> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let [_, methods] = read(client)?;
    for _ in 0..methods {
        let [_] = read(client)?;
    }
    client.write_all(&[5, 0])?;
    // A connection to a host name.
    let [5, 1, 0, 3, length] = read(client)? else { return Err(invalid()) };
    let mut host = vec![0; length.into()];
    client.read_exact(&mut host)?;
    let port = u16::from_be_bytes(read(client)?);
    let host = String::from_utf8(host).map_err(|_| invalid())?;
    let member = host.strip_suffix(SUFFIX).and_then(|member| member.parse().ok());
    Ok((member.ok_or_else(invalid)?, port))
}

fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).map(|()| bytes)
}
