//! Ports for processes that are started later and may be restarted.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// First port. The range is below the ephemeral ports of Linux, where a connection could take the
/// port of a node that is down.
const FIRST: u16 = 10_000;
/// Number of ports in the range.
const COUNT: u16 = 22_000;
/// Distance between the first ports of processes with consecutive ids.
const APART: u32 = 64;

/// Returns a port on which nothing listens, a different one at each call.
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
            range.ok().and_then(|range| range.split_whitespace().next()?.parse::<u16>().ok())
        {
            assert!(
                FIRST + COUNT <= first,
                "the range overlaps ephemeral ports, which start at {first}"
            );
        }
    }
}
