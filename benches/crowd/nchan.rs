//! nginx with nchan, a mature server of the same kind: with its own configuration, in a folder of its
//! own, at a port of its own.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{floor, process::Process};

/// Where subscribers of it connect to.
pub(crate) const SUBSCRIBE: &str = "/subscribe";
/// Where the packages of Debian and of Red Hat put it.
const MODULES: [&str; 2] =
    ["/usr/lib/nginx/modules/ngx_nchan_module.so", "/usr/lib64/nginx/modules/ngx_nchan_module.so"];

/// Whether nginx and nchan are installed here.
pub(crate) fn is_installed() -> bool {
    let nginx = Command::new("nginx").arg("-v").stderr(Stdio::null()).status();
    nginx.is_ok_and(|status| status.success()) && module().is_some()
}

fn module() -> Option<&'static str> {
    MODULES.into_iter().find(|path| Path::new(path).exists())
}

pub(crate) fn start(folder: &Path) -> io::Result<(Process, SocketAddr)> {
    let module = module().ok_or_else(|| io::Error::other("nchan is not installed"))?;
    // nginx cannot be told to choose a port and to say which.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let config = folder.join("nginx.conf");
    fs::write(&config, configuration(module, folder, address))?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(&config).arg("-e").arg(folder.join("error.log"));
    let process = Process::start(command)?;
    let given_up = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        if Instant::now() > given_up {
            return Err(io::Error::other("nginx does not listen"));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok((process, address))
}

fn configuration(module: &str, folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "load_module {module};
daemon off;
pid {folder}/nginx.pid;
worker_processes auto;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path {folder}/client_body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address} backlog=4096;
        keepalive_requests 1000000;
        location = /publish {{
            nchan_publisher;
            nchan_channel_id feed;
            nchan_message_buffer_length 10;
        }}
        location = {SUBSCRIBE} {{
            nchan_subscriber websocket;
            nchan_channel_id feed;
            nchan_subscriber_first_message newest;
        }}
    }}
}}
"
    )
}

/// Publishes a text of the same size at each interval, on one connection that is kept.
pub(crate) struct Publisher {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    pub(crate) fn start(address: SocketAddr, interval: Duration, bytes: usize) -> io::Result<Self> {
        let mut connection = TcpStream::connect(address)?;
        connection.set_nodelay(true)?;
        let (stop, stopped) = mpsc::channel();
        let mut publish = move || -> io::Result<()> {
            let mut due = Instant::now();
            let mut answer = [0; 4096];
            for seq in 1.. {
                due += interval;
                let wait = due.saturating_duration_since(Instant::now());
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
                let text = floor::payload(seq, bytes);
                let head =
                    format!("POST /publish HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", text.len());
                connection.write_all(&[head.as_bytes(), &text].concat())?;
                if connection.read(&mut answer)? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Ok(())
        };
        let publish = move || publish().unwrap_or_else(|error| eprintln!("publishing to nchan failed: {error}"));
        Ok(Self { stop: Some(stop), thread: Some(thread::spawn(publish)) })
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been told of already.
            let _ = thread.join();
        }
    }
}
