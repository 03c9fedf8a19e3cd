//! A relay in front of an API server, which is slow or cut off when a test says so. It passes bytes on: what is encrypted
//! stays so.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// The relay; it ends with the test process.
pub struct Relay {
    /// Port on 127.0.0.1.
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    delay: AtomicU64,
    cut: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// Listens on a free port and passes everything on to `port`.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let of_threads = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of_threads.cut.load(Ordering::SeqCst) {
                    continue;
                }
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)) {
                    pass_on(stream, server, &of_threads);
                }
            }
        });
        Self { port: own, state }
    }

    /// Every answer takes this much longer from now on.
    pub fn delay(&self, time: Duration) {
        self.state.delay.store(time.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }

    /// Drops all connections and takes no new ones, or takes them again.
    pub fn cut(&self, cut: bool) {
        self.state.cut.store(cut, Ordering::SeqCst);
        if cut {
            for stream in self.state.open.lock().unwrap().drain(..) {
                drop(stream.shutdown(Shutdown::Both));
            }
        }
    }
}

fn pass_on(client: TcpStream, server: TcpStream, state: &Arc<State>) {
    state.open.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        drop(std::io::copy(&mut from_client, &mut to_server));
        drop(to_server.shutdown(Shutdown::Write));
    });
    // What the server says waits in a queue, so that it is late and not slow.
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    let (mut from_server, mut to_client, state) = (server, client, state.clone());
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length) = from_server.read(&mut buffer)
            && length > 0
        {
            let late = Duration::from_millis(state.delay.load(Ordering::SeqCst));
            if sender.send((Instant::now() + late, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (at, bytes) in receiver {
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            if to_client.write_all(&bytes).is_err() {
                break;
            }
        }
        drop(to_client.shutdown(Shutdown::Both));
    });
}
