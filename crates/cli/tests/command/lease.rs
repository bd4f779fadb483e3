//! Two sequencer processes with the same keys and a lease, under kills and network partitions.

use crate::{
    failover::{Node, Scene, until},
    support::free_port,
};
use alloy_primitives::{Address, U256};
use serde_json::json;
use std::{
    io::{self, Read as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use testkit::Key;

/// Lease duration.
const TTL: Duration = Duration::from_secs(4);

/// A lease witness process, killed on drop.
pub(crate) struct Witness(Child);

impl Witness {
    pub(crate) fn start(port: u16, secret: &Path) -> Self {
        let address = format!("127.0.0.1:{port}");
        let process = Command::new(env!("CARGO_BIN_EXE_enshrine"))
            .args(["lease-witness", "--addr", &address, "--secret"])
            .arg(secret)
            .args(["--ttl-ms", &TTL.as_millis().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Self(process.unwrap())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A TCP proxy between a node and a witness, which can be cut.
struct Cable {
    port: u16,
    is_cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cable = Self {
            port: listener.local_addr().unwrap().port(),
            is_cut: Arc::default(),
            open: Arc::default(),
        };
        let (is_cut, open) = (Arc::clone(&cable.is_cut), Arc::clone(&cable.open));
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))) else {
                    continue;
                };
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    open.lock().unwrap().push(from.try_clone().unwrap());
                    let is_cut = Arc::clone(&is_cut);
                    thread::spawn(move || pump(from, to, &is_cut));
                }
            }
        });
        cable
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            // The stream may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool) {
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if is_cut.load(Ordering::SeqCst) || io::Write::write_all(&mut to, &bytes[..count]).is_err()
        {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// A node, with a cable to each witness.
pub(crate) struct Member {
    pub(crate) node: Node,
    cables: Vec<Cable>,
    lease: Vec<String>,
}

impl Member {
    fn new(scene: &Scene, witnesses: &[u16], secret: &Path) -> Self {
        let node = Node::new(&scene.with_keys(), scene.folder.path(), free_port());
        Self::of(node, witnesses, secret)
    }

    pub(crate) fn of(node: Node, witnesses: &[u16], secret: &Path) -> Self {
        let cables: Vec<_> = witnesses.iter().map(|port| Cable::to(*port)).collect();
        let urls: Vec<_> =
            cables.iter().map(|it| format!("http://127.0.0.1:{}", it.port)).collect();
        let secret = secret.display().to_string();
        let lease = ["--lease-witnesses", &urls.join(","), "--lease-secret", &secret]
            .map(str::to_owned)
            .to_vec();
        Self { node, cables, lease }
    }

    pub(crate) fn start(&mut self) {
        let url = self.node.socket();
        let lease: Vec<_> = self.lease.iter().map(String::as_str).collect();
        let role = ["--role", "sequencer", "--lease-url", &url];
        self.node.start(&[&role[..], &lease].concat());
    }

    fn holds(&self) -> bool {
        self.node.status()["lease"]["held"] == json!(true)
    }

    pub(crate) fn leads(&self) -> bool {
        self.node.role() == "sequencer" && self.holds()
    }
}

pub(crate) fn secret(folder: &Path) -> PathBuf {
    let file = folder.join("lease.hex");
    std::fs::write(&file, "5a".repeat(32)).unwrap();
    file
}

#[test]
fn lease_admits_one_sequencer_under_kills_and_partitions() {
    let scene = Scene::new();
    let secret = secret(scene.folder.path());
    let ports = [free_port(), free_port(), free_port()];
    let [again, gone, stays] = ports.map(|port| Witness::start(port, &secret));
    let mut first = Member::new(&scene, &ports, &secret);
    let mut second = Member::new(&scene, &ports, &secret);
    let (alice, bob) = (Key::named("alice"), Address::repeat_byte(0xb0));
    first.start();
    until("a leader", || first.leads());
    second.start();
    let to_first = json!(first.node.socket());
    until("the second follows", || {
        let status = second.node.status();
        status["lease"]["leader"] == to_first && status["role"] == "follower"
    });
    for nonce in 0..4 {
        first.node.send(&alice, nonce, bob);
    }
    until("the transfers at the second node", || second.node.balance(bob) == U256::from(4));

    // kill -9: the other node takes over and continues the chain.
    first.node.kill();
    until("the second leads", || second.leads());
    for nonce in 4..8 {
        second.node.send(&alice, nonce, bob);
    }
    until("blocks of the second", || second.node.balance(bob) == U256::from(8));
    first.start();
    until("the first follows", || first.node.balance(bob) == U256::from(8));
    assert_eq!(first.node.role(), "follower");

    // A restart of one witness has no effect, because the other two are a majority. Once it grants
    // leases again, a second witness can stop.
    drop(again);
    let _again = Witness::start(ports[0], &secret);
    thread::sleep(2 * TTL);
    drop(gone);
    thread::sleep(2 * TTL);
    until("the second leads on", || second.leads());
    assert_eq!(first.node.role(), "follower");

    // The second node loses one of the two remaining witnesses, but still reaches L1 and its users.
    second.cables[0].cut();
    until("the first leads", || {
        let (before, other, after) = (first.holds(), second.holds(), first.holds());
        assert!(!(before && other && after), "both have the lease");
        first.leads()
    });
    assert!(!second.holds());
    until("the second to become a follower", || second.node.role() == "follower");
    for nonce in 8..12 {
        first.node.send(&alice, nonce, bob);
    }
    until("blocks of the first", || first.node.balance(bob) == U256::from(12));
    second.cables[0].mend();
    until("the second follows", || second.node.balance(bob) == U256::from(12));
    assert!(first.leads() && second.node.role() == "follower");
    // The follower forwards a transaction to the leader.
    until("a forwarded send", || second.node.try_send(&alice, 12, bob).is_ok());
    until("all of it", || {
        [&first, &second].iter().all(|it| it.node.balance(bob) == U256::from(13))
    });
    until("all on L1", || first.node.is_on_l1() && second.node.is_on_l1());
    assert_eq!(first.node.status()["safeHead"], second.node.status()["safeHead"]);
    drop(stays);
}
