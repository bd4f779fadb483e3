//! A Web3Signer that simulates the failures of key managers.

use crate::{HarnessError, Key, read_http};
use alloy_primitives::{B256, Signature, U256, hex, keccak256, uint};
use std::{
    io::{self, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

uint! {
/// Order of secp256k1.
const SECP256K1_ORDER: U256 =
    0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256;
}

/// Delay of [`SignerMode::Slow`], longer than the timeout of a node.
const DELAY: Duration = Duration::from_secs(4);

/// How a [`Web3Signer`] responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum SignerMode {
    /// Immediately, with a signature.
    Good,
    /// With a signature after four seconds.
    Slow,
    /// With a signature of another hash.
    Wrong,
    /// Not at all: the signer closes each connection.
    Gone,
    /// With a signature whose s is in the upper half, as some cloud key managers do.
    HighS,
}

impl SignerMode {
    const ALL: [Self; 5] = [Self::Good, Self::Slow, Self::Wrong, Self::Gone, Self::HighS];
}

/// Server with Web3Signer's API for eth1 keys and a single key.
#[derive(Debug)]
pub struct Web3Signer {
    url: String,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    key: Key,
    mode: AtomicUsize,
    signed: AtomicUsize,
}

impl Web3Signer {
    /// Starts a signer in [`SignerMode::Good`].
    ///
    /// # Errors
    ///
    /// [`HarnessError::Process`] if no port is free.
    pub fn start(key: &Key) -> Result<Self, HarnessError> {
        let failed = |error| HarnessError::Process { program: "Web3Signer".to_owned(), error };
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let (mode, signed) = (AtomicUsize::default(), AtomicUsize::default());
        let state = Arc::new(State { key: key.clone(), mode, signed });
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&served);
                // The client may have disconnected.
                thread::spawn(move || state.serve(stream).unwrap_or_default());
            }
        });
        Ok(Self { url, state })
    }

    /// Returns the URL of the signer.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes how the signer responds, starting with the next connection.
    pub fn set(&self, mode: SignerMode) {
        self.state.mode.store(mode as usize, Ordering::SeqCst);
    }

    /// Returns the number of signatures so far.
    pub fn signed(&self) -> usize {
        self.state.signed.load(Ordering::SeqCst)
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mode = SignerMode::ALL[self.mode.load(Ordering::SeqCst)];
        if mode == SignerMode::Gone {
            return Ok(());
        }
        let (request, body) = read_http(&mut BufReader::new(stream.try_clone()?))?;
        if mode == SignerMode::Slow {
            thread::sleep(DELAY);
        }
        let public = hex::encode_prefixed(self.key.public_key());
        let answer = if request.starts_with("GET /api/v1/eth1/publicKeys ") {
            format!("[\"{public}\"]")
        } else if request.starts_with(&format!("POST /api/v1/eth1/sign/{public} ")) {
            let body: serde_json::Value = serde_json::from_slice(&body)?;
            let data = body["data"].as_str().unwrap_or_default();
            let data = hex::decode(data).map_err(io::Error::other)?;
            self.signed.fetch_add(1, Ordering::SeqCst);
            hex::encode_prefixed(self.sign(&data, mode).as_bytes())
        } else {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
        stream.write_all((head + &answer).as_bytes())
    }

    fn sign(&self, data: &[u8], mode: SignerMode) -> Signature {
        let hash = if mode == SignerMode::Wrong { B256::ZERO } else { keccak256(data) };
        let signature = self.key.sign_digest(&hash);
        if mode == SignerMode::HighS {
            return Signature::new(signature.r(), SECP256K1_ORDER - signature.s(), !signature.v());
        }
        signature
    }
}
