//! TLS: the same promises over encrypted connections, and what is asked of certificates.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use hostcast::{
    config::{Auth, TlsConfig},
    server::{Secrets, Tls},
    token::{Scope, Tokens},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::Signal;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};

use crate::support::{
    Account, Address, Feed, Heard, Http, Pour, SUBPROTOCOLS, TestDaemon, WIDE, Wire, eventually, program, schema,
};

/// Someone who vouches for certificates, with a folder for their files.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { certificate: certificate.der().clone(), issuer: Issuer::new(params, key), folder }
    }

    /// Puts a certificate for this host, and its key, into the folder.
    fn issue(&self) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        fs::write(self.folder.path().join("certificate.pem"), certificate.pem()).unwrap();
        fs::write(self.folder.path().join("key.pem"), key.serialize_pem()).unwrap();
    }

    fn config(&self) -> TlsConfig {
        let file = |name| self.folder.path().join(name);
        TlsConfig { certificate: file("certificate.pem"), key: file("key.pem"), client_ca: None }
    }

    /// A server with a certificate, and what it would have read.
    fn pour(&self) -> Pour {
        self.issue();
        let secrets = Secrets { tokens: Tokens::default(), tls: Some(Tls::read(&self.config()).unwrap()) };
        Pour::with_secrets(secrets, |_| {})
    }

    /// A client who believes what this one vouches for, and shows a certificate itself or none.
    fn client(&self, shows: bool) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let config = if shows {
            let TlsConfig { certificate, key, .. } = self.config();
            let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
    }

    fn wire(&self, address: &Address) -> Wire {
        address.connect().encrypted(self.client(false))
    }

    fn feed(&self, address: &Address, query: &str, subprotocol: &str) -> Feed {
        Feed::over(self.wire(address), address, query, &[subprotocol])
    }
}

#[test]
fn history_and_live_come_whole_over_tls() {
    let authority = Authority::new();
    let mut pour = authority.pour();
    pour.schema = schema(1, WIDE);
    pour.publish(500);
    for subprotocol in SUBPROTOCOLS {
        let mut feed = authority.feed(&pour.address, "history=all", subprotocol);
        let hello = feed.hello();
        let mut account = Account::from(hello.epoch, hello.oldest_seq);
        let rope = pour.pour(50);
        let last = pour.newest() + 500;
        while account.next <= last {
            let message = feed.message();
            account.message(&message);
            rope.seen(account.next);
        }
        assert_eq!(account.missing, []);
        drop(rope);
        feed.close();
    }
    let mut http = Http::over(authority.wire(&pour.address), &pour.address);
    assert_eq!(http.get("/api/v1/samples?last=all&format=csv").status, 200);
    assert_eq!(http.get("/").status, 200);
}

#[test]
fn one_who_does_not_read_over_tls_is_told_what_it_missed() {
    let authority = Authority::new();
    let mut pour = authority.pour();
    pour.schema = schema(1, WIDE);
    let wire = pour.address.connect_with_small_buffer().encrypted(authority.client(false));
    let mut feed = Feed::over(wire, &pour.address, "history=none", &["hostcast.v1.compact"]);
    let hello = feed.hello();
    assert!(feed.past().is_empty());
    let mut account = Account::from(hello.epoch, hello.next_seq);
    pour.publish(3_000);
    pour.read_up_to(3_000, &mut feed, &mut account);
    assert!(account.missing() > 0, "3000 wide samples fit no socket");
    pour.publish(3);
    pour.read_up_to(3_003, &mut feed, &mut account);
    pour.stop();
    assert_eq!(feed.goodbye().2, Some(1001));
}

#[test]
fn half_a_handshake_is_closed_when_its_time_is_up_and_plain_http_gets_nothing() {
    let authority = Authority::new();
    authority.issue();
    let secrets = Secrets { tokens: Tokens::default(), tls: Some(Tls::read(&authority.config()).unwrap()) };
    let pour = Pour::with_secrets(secrets, |config| {
        config.server.limits.header_timeout = std::time::Duration::from_secs(1);
    });
    let mut hello = Vec::new();
    authority.client(false).write_tls(&mut hello).unwrap();
    for begun in [&[][..], &hello[..1], &hello[..hello.len() - 1], &hello] {
        let mut wire = pour.address.connect();
        wire.write_all(begun).unwrap();
        let said = wire.read_until_closed();
        assert_eq!(said.is_empty(), begun.len() < hello.len());
    }
    // A handshake that is complete leads to a request, which has its time as well.
    let mut wire = authority.wire(&pour.address);
    wire.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut said = Vec::new();
    let _ = wire.read_to_end(&mut said);
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 408"), "{said:?}");

    let mut plain = pour.address.connect();
    plain.write_all(b"GET /api/v1/samples HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let said = plain.read_until_closed();
    assert!(!said.windows(4).any(|bytes| bytes == b"HTTP"), "{said:?}");
    let status = Http::over(authority.wire(&pour.address), &pour.address).get("/api/v1/status").json();
    assert_eq!(status["connections"]["open"], 1, "all others are gone");
}

#[test]
fn a_client_certificate_is_asked_for_where_one_is_wanted() {
    let authority = Authority::new();
    authority.issue();
    let config = TlsConfig { client_ca: Some(authority.folder.path().join("ca.pem")), ..authority.config() };
    let secrets = Secrets { tokens: Tokens::default(), tls: Some(Tls::read(&config).unwrap()) };
    let pour = Pour::with_secrets(secrets, |_| {});
    let with = pour.address.connect().encrypted(authority.client(true));
    assert_eq!(Http::over(with, &pour.address).get("/api/v1/schema").status, 200);
    let mut without = authority.wire(&pour.address);
    let request = b"GET /api/v1/schema HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let refused = without.write_all(request).and_then(|()| without.read(&mut [0; 64]));
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn a_cookie_that_was_given_over_tls_is_not_sent_without() {
    let authority = Authority::new();
    authority.issue();
    let mut tokens = Tokens::default();
    let secret = tokens.add("wall", vec![Scope::Read]).unwrap();
    let secrets = Secrets { tokens, tls: Some(Tls::read(&authority.config()).unwrap()) };
    let pour = Pour::with_secrets(secrets, |config| config.server.auth = Auth::Token);
    let mut http = Http::over(authority.wire(&pour.address), &pour.address);
    let form = format!("token={secret}");
    http.send("POST", "/sign-in", &[("Content-Length", &form.len().to_string())]);
    http.send_body(form.as_bytes());
    assert!(http.response("POST").header("set-cookie").unwrap().ends_with("; HttpOnly; SameSite=Strict; Secure"));
}

fn start(authority: &Authority) -> (TestDaemon, String) {
    authority.issue();
    let folder = authority.folder.path().display();
    let config = format!(
        "sampler.interval = \"100ms\"\n[server.tls]\ncertificate = \"{folder}/certificate.pem\"\nkey = \"{folder}/key.pem\"\n"
    );
    let command = |_: &Path| {
        let mut command = Command::new(program());
        command.stdin(Stdio::null());
        command
    };
    (TestDaemon::launch(&config, command, "127.0.0.1:0"), config)
}

#[test]
fn a_renewed_certificate_takes_effect_with_a_reload_and_ends_no_connection() {
    let authority = Authority::new();
    let (daemon, config) = start(&authority);
    let reloads = || {
        let status = Http::over(authority.wire(&daemon.address), &daemon.address).get("/api/v1/status").json();
        (status["reload"]["applied"].as_u64().unwrap(), status["reload"]["refused"].as_u64().unwrap())
    };
    let mut feed = authority.feed(&daemon.address, "history=none", "hostcast.v1.json");
    feed.hello();
    feed.past();
    let first = feed.live().seq;
    let served = || {
        let mut wire = authority.wire(&daemon.address);
        wire.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        wire.read_until_closed();
        let Wire::Tls(stream) = wire else { unreachable!("it is encrypted") };
        stream.conn.peer_certificates().unwrap()[0].clone().into_owned()
    };
    let before = served();
    authority.issue();
    daemon.reload(&config);
    eventually("the reload", || reloads() == (1, 0));
    assert_ne!(served(), before);

    // A key that does not belong to it, and then none at all: the old pair goes on.
    let renewed = served();
    fs::write(authority.folder.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    daemon.reload(&config);
    eventually("the wrong key is refused", || reloads() == (1, 1));
    fs::remove_file(authority.folder.path().join("key.pem")).unwrap();
    daemon.reload(&config);
    eventually("no key is refused", || reloads() == (1, 2));
    assert_eq!(served(), renewed);
    assert!(feed.live().seq > first);
    daemon.signal(Signal::TERM);
    loop {
        match feed.hear() {
            Heard::Message(_) => {}
            end => {
                assert_eq!(end, Heard::Closed { code: Some(1001) });
                break;
            }
        }
    }
}

#[test]
fn files_that_cannot_be_used_are_told_in_one_line_without_what_is_in_them() {
    let authority = Authority::new();
    authority.issue();
    let folder = authority.folder.path();
    let told = |certificate: &str, key: &str| {
        let TlsConfig { .. } = authority.config();
        let config = TlsConfig { certificate: folder.join(certificate), key: folder.join(key), client_ca: None };
        Tls::read(&config).unwrap_err().to_string().replace(folder.to_str().unwrap(), "DIR")
    };
    assert_eq!(told("none.pem", "key.pem"), "server.tls.certificate: DIR/none.pem: no such file");
    assert_eq!(told("key.pem", "key.pem"), "server.tls.certificate: DIR/key.pem: no such thing is in it, in PEM");
    fs::write(folder.join("bad.pem"), "-----BEGIN PRIVATE KEY-----\nc2VjcmV0!\n-----END PRIVATE KEY-----\n").unwrap();
    assert_eq!(told("certificate.pem", "bad.pem"), "server.tls.key: DIR/bad.pem: not valid PEM");
    fs::write(folder.join("other.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(
        told("certificate.pem", "other.pem")
            .starts_with("server.tls: the certificate and the key do not fit together: ")
    );
}
