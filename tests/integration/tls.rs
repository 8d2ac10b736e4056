//! TLS: the same promises over encrypted connections, and what is asked of clients.

use std::io::{Read as _, Write as _};

use hostcast::{
    config::{Auth, TlsConfig},
    server::{Secrets, Tls},
    token::{Scope, Tokens},
};
use rustix::process::Signal;

use crate::support::{Account, Authority, Feed, Http, Pour, SUBPROTOCOLS, TestDaemon, WIDE, schema};

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
fn one_whose_socket_was_full_over_tls_goes_on_when_it_has_read_everything() {
    let authority = Authority::new();
    let mut pour = authority.pour();
    pour.schema = schema(1, WIDE);
    for samples in [40, 60, 80, 100] {
        pour.publish(samples);
        let wire = pour.address.connect_with_small_buffer().encrypted(authority.client(false));
        let mut feed = Feed::over(wire, &pour.address, "history=all", &["hostcast.v1.compact"]);
        feed.hello();
        // All that was waiting has gone out now, and nothing else: the last of it as what was encrypted before.
        assert_eq!(feed.past().len() as u64, pour.newest());
        pour.publish(1);
        assert_eq!(feed.live().seq, pour.newest());
        feed.close();
    }
}

#[test]
fn half_a_handshake_is_closed_when_its_time_is_up() {
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

    let status = Http::over(authority.wire(&pour.address), &pour.address).get("/api/v1/status").json();
    assert_eq!(status["connections"]["open"], 1, "all others are gone");
}

#[test]
fn who_speaks_plain_http_to_tls_is_told_so_and_gets_nothing_else() {
    let authority = Authority::new();
    let pour = authority.pour();
    pour.publish(3);
    for method in ["GET", "POST", "OPTIONS"] {
        let mut plain = pour.address.connect();
        write!(plain, "{method} /api/v1/samples HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let said = String::from_utf8(plain.read_until_closed()).unwrap();
        assert!(said.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{said}");
        assert!(said.ends_with("\r\n\r\n{\"error\":\"this port speaks TLS: use https:// or wss://\"}\n"), "{said}");
    }
    // What is neither is nobody's to be answered.
    let mut noise = pour.address.connect();
    noise.write_all(&[0x80; 64]).unwrap();
    let said = noise.read_until_closed();
    assert!(!said.windows(4).any(|bytes| bytes == b"HTTP"), "{said:?}");
}

#[test]
fn who_speaks_tls_to_a_plain_port_is_told_of_in_the_log_once() {
    let authority = Authority::new();
    let mut daemon = TestDaemon::start();
    for _ in 0..3 {
        let mut hello = Vec::new();
        authority.client(false).write_tls(&mut hello).unwrap();
        let mut wire = daemon.address.connect();
        wire.write_all(&hello).unwrap();
        wire.read_until_closed();
    }
    daemon.signal(Signal::TERM);
    let (_, log) = daemon.wait();
    assert_eq!(log.matches("a client speaks TLS, and this port does not: set server.tls").count(), 1, "{log}");
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
