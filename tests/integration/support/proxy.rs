//! A line between a client and a daemon that can be as bad as a test likes.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::Random;

/// What happens to one connection once so many bytes of the server have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The client is not even let through.
    Refuse,
    /// Both sides see a reset.
    Cut { after: usize },
    /// Nothing passes any more, and nobody is told.
    Stall { after: usize },
    /// Everything waits for so many milliseconds, once.
    Delay { after: usize, millis: u64 },
    /// The server's side is over in good order, in the middle of whatever it is.
    HalfClose { after: usize },
    /// One byte arrives with its highest bit set, as none of ours has it.
    Corrupt { at: usize },
}

impl Fault {
    /// Any of them, at any place of the first `length` bytes.
    pub(crate) fn random(random: &mut Random, length: u64) -> Self {
        let after = random.below(length) as usize;
        match random.below(8) {
            0 => Self::None,
            1 => Self::Refuse,
            2 => Self::Stall { after },
            3 => Self::Delay { after, millis: random.below(30) },
            4 => Self::HalfClose { after },
            5 => Self::Corrupt { at: after },
            _ => Self::Cut { after },
        }
    }

    /// How many bytes pass before it.
    fn after(self) -> Option<usize> {
        match self {
            Self::None | Self::Refuse => None,
            Self::Cut { after } | Self::Stall { after } | Self::Delay { after, .. } | Self::HalfClose { after } => {
                Some(after)
            }
            Self::Corrupt { at } => Some(at),
        }
    }
}

/// Forwards connections to a target that can be changed. What is there when it is dropped is closed.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

type Faults = Box<dyn FnMut() -> Fault + Send>;

struct Shared {
    target: Mutex<Option<SocketAddr>>,
    faults: Mutex<Faults>,
    connections: AtomicUsize,
    /// What was passed on, from the server.
    bytes: Arc<AtomicUsize>,
    stop: AtomicBool,
    /// Both ends of every connection, to be closed at the end.
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Each connection suffers what `faults` says next.
    pub(crate) fn start(target: SocketAddr, faults: impl FnMut() -> Fault + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target: Mutex::new(Some(target)),
            faults: Mutex::new(Box::new(faults)),
            connections: AtomicUsize::new(0),
            bytes: Arc::default(),
            stop: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let theirs = Arc::clone(&shared);
        let thread = thread::spawn(move || accept(&listener, &theirs));
        Self { address, shared, thread: Some(thread) }
    }

    /// A line without faults.
    pub(crate) fn healthy(target: SocketAddr) -> Self {
        Self::start(target, || Fault::None)
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// How many connections have been made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many bytes have come from the server.
    pub(crate) fn bytes(&self) -> usize {
        self.shared.bytes.load(Ordering::SeqCst)
    }

    /// From the next connection on.
    pub(crate) fn set_target(&self, target: Option<SocketAddr>) {
        *self.shared.target.lock().unwrap() = target;
    }

    /// From the next connection on.
    pub(crate) fn set_faults(&self, faults: impl FnMut() -> Fault + Send + 'static) {
        *self.shared.faults.lock().unwrap() = Box::new(faults);
    }

    /// Resets every connection that there is.
    pub(crate) fn cut(&self) {
        for stream in self.shared.open.lock().unwrap().drain(..) {
            reset(&stream);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.cut();
    }
}

fn reset(stream: &TcpStream) {
    // Neither side may have it any more.
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
    let _ = stream.shutdown(Shutdown::Both);
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let fault = (shared.faults.lock().unwrap())();
        let target = *shared.target.lock().unwrap();
        let server = target.filter(|_| fault != Fault::Refuse).and_then(|target| TcpStream::connect(target).ok());
        let Some(server) = server else {
            reset(&client);
            continue;
        };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
            shared.open.lock().unwrap().push(stream.try_clone().unwrap());
        }
        let (up_from, up_to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || forward(up_from, up_to, Fault::None, &AtomicUsize::default()));
        let bytes = Arc::clone(&shared.bytes);
        thread::spawn(move || forward(server, client, fault, &bytes));
    }
}

/// Until one side is over, or the fault has come.
fn forward(mut from: TcpStream, mut to: TcpStream, fault: Fault, count: &AtomicUsize) {
    let (mut buffer, mut sum) = (vec![0; 8 << 10], 0);
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let bytes = &mut buffer[..length];
        let due = fault.after().and_then(|after| after.checked_sub(sum)).filter(|due| *due < length);
        sum += length;
        count.fetch_add(length, Ordering::SeqCst);
        let passes = match (due, fault) {
            (None, _) => length,
            (Some(due), Fault::Corrupt { .. }) => {
                bytes[due] |= 0x80;
                length
            }
            (Some(due), _) => due,
        };
        if to.write_all(&bytes[..passes]).is_err() {
            break;
        }
        match fault {
            _ if passes == length => {}
            Fault::Cut { .. } => {
                reset(&to);
                reset(&from);
                return;
            }
            // What is open is closed when the proxy goes.
            Fault::Stall { .. } => return,
            Fault::Delay { millis, .. } => {
                thread::sleep(Duration::from_millis(millis));
                if to.write_all(&bytes[passes..]).is_err() {
                    break;
                }
            }
            Fault::HalfClose { .. } => break,
            Fault::None | Fault::Refuse | Fault::Corrupt { .. } => {}
        }
    }
    // It may be gone already.
    let _ = to.shutdown(Shutdown::Write);
}
