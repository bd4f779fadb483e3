//! A TCP link that can be cut.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

const OPEN: u8 = 0;
const CUT: u8 = 1;
const SILENT: u8 = 2;
/// Requests are forwarded until one contains the trigger; its response and later ones are withheld.
const ARMED: u8 = 3;
const WITHOUT_RESPONSES: u8 = 4;
/// Interval between checks of a silent link.
const LOOK: Duration = Duration::from_millis(10);

/// A link to a port of this machine, which runs until the process exits.
#[derive(Debug)]
pub struct Cable {
    port: u16,
    state: Arc<AtomicU8>,
    trigger: Arc<Mutex<Vec<u8>>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    /// Creates an open link to a port.
    pub fn to(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let cable = Self {
            port: listener.local_addr()?.port(),
            state: Arc::default(),
            trigger: Arc::default(),
            open: Arc::default(),
        };
        let (state, open) = (Arc::clone(&cable.state), Arc::clone(&cable.open));
        let trigger = Arc::clone(&cable.trigger);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))) else {
                    continue;
                };
                if state.load(Ordering::SeqCst) == CUT {
                    continue;
                }
                for (from, to, is_response) in [(&near, &far, false), (&far, &near, true)] {
                    // Small parts of a message must not wait for an acknowledgement.
                    let _ = to.set_nodelay(true);
                    if let (Ok(from), Ok(to), Ok(kept)) =
                        (from.try_clone(), to.try_clone(), from.try_clone())
                    {
                        open.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
                        let (state, trigger) = (Arc::clone(&state), Arc::clone(&trigger));
                        thread::spawn(move || pump(from, to, &state, &trigger, is_response));
                    }
                }
            }
        });
        Ok(cable)
    }

    /// Returns the port of the near end.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Closes all connections, and new ones at once.
    pub fn cut(&self) {
        self.state.store(CUT, Ordering::SeqCst);
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // The stream may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Delays all bytes until the link is [mended](Self::mend).
    pub fn silence(&self) {
        self.state.store(SILENT, Ordering::SeqCst);
    }

    /// Withholds responses until the link is [mended](Self::mend), beginning with that to the first
    /// request that contains these bytes. Requests are still forwarded.
    pub fn withhold_responses_from(&self, request: &[u8]) {
        *self.trigger.lock().unwrap_or_else(PoisonError::into_inner) = request.to_vec();
        self.state.store(ARMED, Ordering::SeqCst);
    }

    /// Repairs the link. Delayed bytes are forwarded.
    pub fn mend(&self) {
        self.state.store(OPEN, Ordering::SeqCst);
    }
}

fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    state: &AtomicU8,
    trigger: &Mutex<Vec<u8>>,
    is_response: bool,
) {
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let is_held = || match state.load(Ordering::SeqCst) {
            SILENT => true,
            WITHOUT_RESPONSES => is_response,
            _ => false,
        };
        if !is_response && state.load(Ordering::SeqCst) == ARMED {
            let trigger = trigger.lock().unwrap_or_else(PoisonError::into_inner);
            if bytes[..count].windows(trigger.len().max(1)).any(|window| window == &trigger[..]) {
                let _ = state.compare_exchange(
                    ARMED,
                    WITHOUT_RESPONSES,
                    Ordering::SeqCst,
                    Ordering::SeqCst,
                );
            }
        }
        while is_held() {
            thread::sleep(LOOK);
        }
        if state.load(Ordering::SeqCst) == CUT || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // The other end may be closed already.
    let _ = to.shutdown(Shutdown::Both);
}
