//! Out through what stands between: TLS, client certificates, forward proxies.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, crypto::ring, pki_types::PrivateKeyDer, server::WebPkiClientVerifier};
use serde_json::Value;
use tokio_rustls::TlsAcceptor;

use crate::support::{Pour, eventually, program};

mod namespaces;
mod nginx;

/// An authority, and files with what it has certified.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `who.pem` and `who.key`.
    fn certify(&self, who: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![who.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        fs::write(self.file(&format!("{who}.pem")), certificate.pem()).unwrap();
        fs::write(self.file(&format!("{who}.key")), key.serialize_pem()).unwrap();
        (certificate, key)
    }

    /// A server of TLS in front of `target`, until the test ends.
    fn serve(&self, name: &str, target: SocketAddr, wants_certificate: bool) -> SocketAddr {
        let (certificate, key) = self.certify(name);
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if wants_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        let Ok(mut inside) = acceptor.accept(stream).await else { return };
                        let mut outside = tokio::net::TcpStream::connect(target).await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
                    });
                }
            });
        });
        address
    }
}

/// What `hostcast record` writes to its standard output and, if it does not get so far, to its log.
fn recorded(command: &mut Command, samples: usize) -> Result<(), String> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let trouble = thread::spawn(move || {
        let mut line = String::new();
        while log.read_line(&mut line).unwrap() > 0 {
            if line.contains(" WARN ") || line.contains("ERROR") {
                return line;
            }
            line.clear();
        }
        line
    });
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reader = thread::spawn(move || {
        let lines = lines.map_while(Result::ok).filter(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["type"] == "sample"
        });
        lines.take(samples).count() == samples
    });
    eventually("it records, or says why not", || reader.is_finished() || trouble.is_finished());
    let is_recorded = reader.is_finished() && !trouble.is_finished();
    child.kill().unwrap();
    child.wait().unwrap();
    if is_recorded && reader.join().unwrap() { Ok(()) } else { Err(trouble.join().unwrap()) }
}

/// `hostcast record` in an environment without proxies.
fn record(url: &str) -> Command {
    let mut command = Command::new(program());
    command.env_clear().args(["record", &format!("web-1={url}"), "--output", "-"]);
    command
}

fn pour() -> Pour {
    let pour = Pour::new();
    pour.publish(50);
    pour
}

#[test]
fn an_encrypted_stream_is_recorded_if_its_certificate_is_trusted_and_for_this_host() {
    let pour = pour();
    let authority = Authority::new();
    let address = authority.serve("localhost", pour.address.tcp(), false);
    let url = format!("wss://localhost:{}", address.port());
    let trust = |command: &mut Command, ca: &Path| recorded(command.arg("--ca-file").arg(ca), 50);
    assert_eq!(trust(&mut record(&url), &authority.file("ca.pem")), Ok(()));
    let other = trust(&mut record(&format!("wss://{address}")), &authority.file("ca.pem")).unwrap_err();
    assert!(other.contains("no encrypted connection") && other.contains("not valid for name"), "{other}");
    let stranger = trust(&mut record(&url), &Authority::new().file("ca.pem")).unwrap_err();
    assert!(stranger.contains("no encrypted connection"), "{stranger}");
}

#[test]
fn who_is_asked_for_a_certificate_shows_it() {
    let pour = pour();
    let authority = Authority::new();
    let address = authority.serve("localhost", pour.address.tcp(), true);
    authority.certify("recorder");
    let command = || {
        let mut command = record(&format!("wss://localhost:{}", address.port()));
        command.arg("--ca-file").arg(authority.file("ca.pem"));
        command
    };
    let mut with = command();
    with.arg("--cert-file").arg(authority.file("recorder.pem"));
    with.arg("--key-file").arg(authority.file("recorder.key"));
    assert_eq!(recorded(&mut with, 50), Ok(()));
    assert!(recorded(&mut command(), 50).unwrap_err().contains("ertificate"));
}

#[test]
fn a_certificate_that_cannot_be_read_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, "not a certificate").unwrap();
    let output = record("wss://localhost").arg("--ca-file").arg(&file).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("ca.pem: there is no certificate in it"), "{said}");
}

/// A forward proxy that lets through who says the right thing, and how many it has let through.
fn forward_proxy(wants: Option<&'static str>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let through = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&through);
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            let head = String::from_utf8(head).unwrap();
            if wants.is_some_and(|wants| !head.contains(wants)) {
                client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").unwrap();
                continue;
            }
            let target = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap();
            let mut server = TcpStream::connect(target).unwrap();
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let (mut up_from, mut up_to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut up_from, &mut up_to));
            thread::spawn(move || std::io::copy(&mut server, &mut client));
        }
    });
    (address, through)
}

#[test]
fn the_way_leads_through_the_proxy_of_the_environment() {
    let pour = pour();
    let authority = Authority::new();
    let encrypted = authority.serve("localhost", pour.address.tcp(), false);
    let (proxy, through) = forward_proxy(Some("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"));
    let plain = format!("ws://{}", pour.address);
    let mut by_proxy = record(&plain);
    assert_eq!(recorded(by_proxy.env("http_proxy", format!("http://me:secret@{proxy}")), 50), Ok(()));
    assert_eq!(through.load(Ordering::SeqCst), 1);
    let mut by_proxy = record(&format!("wss://localhost:{}", encrypted.port()));
    by_proxy.env("HTTPS_PROXY", format!("http://me:secret@{proxy}")).arg("--ca-file").arg(authority.file("ca.pem"));
    assert_eq!(recorded(&mut by_proxy, 50), Ok(()));
    assert_eq!(through.load(Ordering::SeqCst), 2);

    let refused = recorded(record(&plain).env("http_proxy", format!("http://{proxy}")), 50).unwrap_err();
    assert!(refused.contains(&format!("the proxy http://{proxy} answered 407")), "{refused}");
    let mut straight = record(&plain);
    straight.env("http_proxy", format!("http://{proxy}")).env("no_proxy", "127.0.0.0/8");
    assert_eq!(recorded(&mut straight, 50), Ok(()));
    assert_eq!(through.load(Ordering::SeqCst), 2);
}

#[test]
fn tinyproxy_lets_the_stream_through() {
    let Ok(port) = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tinyproxy.conf");
    fs::write(&file, format!("Port {}\nListen 127.0.0.1\nTimeout 600\nMaxClients 10\n", port.port())).unwrap();
    let started = Command::new("tinyproxy").args(["-d", "-c"]).arg(&file).stdout(Stdio::null()).spawn();
    let Ok(mut tinyproxy) = started else {
        crate::support::skipped("no tinyproxy");
        return;
    };
    eventually("tinyproxy listens", || TcpStream::connect(port).is_ok());
    let pour = pour();
    let result = recorded(record(&format!("ws://{}", pour.address)).env("http_proxy", format!("http://{port}")), 50);
    tinyproxy.kill().unwrap();
    tinyproxy.wait().unwrap();
    assert_eq!(result, Ok(()));
}
