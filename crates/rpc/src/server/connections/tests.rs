//! Limits of connections and accounting of their bytes.

use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn connections_holding(
    open: usize,
    per_address: usize,
    queued: usize,
    total: usize,
) -> Arc<Connections> {
    let request_timeout = Duration::from_secs(1);
    Connections::new(Bounds { open, per_address, queued, total, request_timeout })
}

fn connections(open: usize, per_address: usize) -> Arc<Connections> {
    connections_holding(open, per_address, 10_000, 15_000)
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

#[test]
fn longest_idle_connection_is_closed_first() {
    let connections = connections(3, 3);
    let places: Vec<_> = (0..3).map(|_| connections.admit(HERE).unwrap()).collect();
    let closed = || places.iter().map(|place| place.0.is_closed()).collect::<Vec<_>>();
    // The first one has been answered since, and the second one has a request in progress.
    drop(places[0].0.begin(0));
    let at_work = places[1].0.begin(0);
    let fourth = connections.admit(HERE).unwrap();
    assert_eq!(closed(), [false, false, true]);
    let fifth = connections.admit(HERE).unwrap();
    assert_eq!(closed(), [true, false, true]);
    let all = [fourth.0.begin(0), fifth.0.begin(0)];
    assert_eq!(connections.admit(HERE).unwrap_err(), Full { got: 3, limit: 3 });
    drop((all, at_work));
    assert!(connections.admit(HERE).is_ok());
}

#[test]
fn slow_bytes_do_not_reset_idle_order() {
    let connections = connections(2, 2);
    let (dripping, honest) = (connections.admit(HERE).unwrap(), connections.admit(HERE).unwrap());
    dripping.0.received(b"x");
    dripping.0.received(b"x");
    let _newest = connections.admit(HERE).unwrap();
    assert!(dripping.0.is_closed() && !honest.0.is_closed());
}

#[test]
fn address_limit_counts_ipv6_by_prefix() {
    let connections = connections(10, 2);
    let [first, second] = [1, 1].map(|last| connections.admit(address(last)).unwrap());
    let other = connections.admit(address(2)).unwrap();
    let third = connections.admit(address(1)).unwrap();
    assert!(first.0.is_closed());
    assert!(!second.0.is_closed() && !other.0.is_closed() && !third.0.is_closed());
    let v6 = |text: &str| connections.admit(text.parse().unwrap()).unwrap();
    let (a, b, c) = (v6("2001:db8::1"), v6("2001:db8::2"), v6("2001:db8:0:1::1"));
    assert!(!a.0.is_closed());
    let _d = v6("2001:db8::3");
    assert!(a.0.is_closed() && !b.0.is_closed() && !c.0.is_closed());
}

#[test]
fn ended_connections_free_slots_and_bytes() {
    let connections = connections(2, 2);
    for _ in 0..5 {
        let place = connections.admit(HERE).unwrap();
        place.0.received(&[0; 30]);
        place.0.queue(40);
        assert_eq!(connections.bytes.load(Relaxed), 70);
        place.0.written(15);
        place.0.is_read(10);
        assert_eq!(connections.bytes.load(Relaxed), 35);
    }
    assert_eq!(connections.bytes.load(Relaxed), 0);
    let open = connections.open.lock();
    assert_eq!((open.controls.len(), open.addresses.len()), (0, 0));
}

#[test]
fn queued_byte_limits_close_slow_connections() {
    let connections = connections_holding(5, 5, 100, 150);
    let [slow, other, silent] = [(); 3].map(|()| connections.admit(HERE).unwrap());
    slow.0.queue(60);
    other.0.queue(60);
    assert!(!slow.0.is_closed() && !other.0.is_closed());
    // 170 bytes in total exceed the limit of 150.
    silent.0.queue(50);
    assert!(slow.0.is_closed() && !other.0.is_closed() && !silent.0.is_closed());
    assert_eq!(connections.bytes.load(Relaxed), 110);
    // 120 bytes exceed the connection's own limit of 100.
    other.0.queue(60);
    assert!(other.0.is_closed() && !silent.0.is_closed());
    // A response that is read frees room for the next.
    for _ in 0..10 {
        silent.0.written(50);
        silent.0.queue(50);
    }
    assert!(!silent.0.is_closed());
}

#[test]
fn growing_responses_count_against_limits() {
    let connections = connections_holding(4, 4, 10_000, 15_000);
    let [one, many, other] = [(); 3].map(|()| connections.admit(HERE).unwrap());
    // A single response may exceed the connection's limit; several together may not.
    let mut alone = one.0.begin(100);
    alone.grow(10_000);
    assert!(!one.0.is_closed() && !alone.is_abandoned());
    drop(alone);
    assert_eq!(connections.bytes.load(Relaxed), 0);
    let mut first = many.0.begin(0);
    first.grow(6_000);
    let mut second = many.0.begin(0);
    second.grow(6_000);
    assert!(first.is_abandoned() && second.is_abandoned() && many.0.is_closed());
    assert_eq!(connections.bytes.load(Relaxed), 0);
    // Limit of all connections together.
    let mut alone = one.0.begin(0);
    alone.grow(9_500);
    let mut last = other.0.begin(0);
    last.grow(9_000);
    assert!(one.0.is_closed() && !other.0.is_closed());
    drop((alone, last, first, second));
    assert_eq!(connections.bytes.load(Relaxed), 0);
}

#[test]
fn busy_websocket_is_read_again_after_an_answer() {
    let connections = connections(1, 1);
    let place = connections.admit(HERE).unwrap();
    place.0.received(b"GET / HTTP/1.1\r\n\r\n");
    place.0.lasts();
    let mut at_work: Vec<_> = (1..MAX_AT_WORK).map(|_| place.0.begin(0)).collect();
    assert!(!place.0.is_busy() && !place.0.is_closed());
    at_work.push(place.0.begin(0));
    assert!(place.0.is_busy());
    at_work.pop();
    assert!(!place.0.is_busy());
    at_work.clear();
    // Short responses that the client does not read.
    for _ in 0..MAX_UNREAD {
        place.0.queue(10);
    }
    assert!(place.0.is_busy());
    place.0.written(100);
    assert!(!place.0.is_busy());
    place.0.written(10 * MAX_UNREAD);
    assert_eq!(place.0.unread.load(Relaxed), 0);
}

#[test]
fn frames_before_the_upgrade_close_the_connection() {
    let connections = connections(1, 1);
    let place = connections.admit(HERE).unwrap();
    place.0.received(b"GET / HTTP/1.1\r\n\r\n\x81\x00");
    place.0.lasts();
    assert!(place.0.is_closed());
}
