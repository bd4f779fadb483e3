//! Ports for processes that are started later, and again after they have ended.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the range from which Linux takes the ports of connections: there another process of the
/// same minute gets the port of a node that is down.
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;
/// Ports between those with which two processes begin whose ids follow one another.
const APART: u32 = 64;

/// Returns a port of this machine on which nothing listens, another one at each call.
///
/// # Errors
///
/// The error of the last attempt, if something listens on all of them.
pub fn free_port() -> io::Result<u16> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let first = process::id().wrapping_mul(APART);
    let mut failure = io::ErrorKind::AddrInUse.into();
    for _ in 0..COUNT {
        let number = first.wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + (number % u32::from(COUNT)) as u16;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn free_ports_are_distinct_and_not_ephemeral() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port().unwrap())).unwrap();
        let ports: BTreeSet<_> = (0..100).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 100);
        assert!(!ports.contains(&taken.local_addr().unwrap().port()));
        for port in ports {
            assert!((FIRST..FIRST + COUNT).contains(&port), "{port}");
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        if let Some(first) =
            range.ok().and_then(|it| it.split_whitespace().next()?.parse::<u16>().ok())
        {
            assert!(FIRST + COUNT <= first, "connections take ports from {first} on");
        }
    }
}
