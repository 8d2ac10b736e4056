//! Attacks on the daemon itself, over real sockets: what is no honest request, and what is never to end.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    time::Duration,
};

use hostcast::{
    server::{Secrets, Tls},
    token::Tokens,
};

use serde_json::json;

use crate::support::{Address, Authority, Http, Pour, Scene, WIDE, Wire, eventually, schema};

/// A request that nobody has sent: it stands in another one's body.
const SMUGGLED: &str = "GET /api/v1/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The status of each answer to these bytes, up to the end of the connection.
fn answers(address: &Address, bytes: &[u8]) -> Vec<String> {
    let mut wire = address.connect();
    // It may be closed before all of it was sent.
    let _ = wire.write_all(bytes);
    wire.shut_down_write();
    let said = String::from_utf8_lossy(&wire.read_until_closed()).into_owned();
    said.match_indices("HTTP/1.1 ").map(|(at, _)| said[at + 9..].chars().take(3).collect()).collect()
}

#[test]
fn no_request_hides_in_another() {
    let mut scene = Scene::set("");
    let address = scene.daemon.address.clone();
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, ",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\x0bchunked",
        "Transfer-Encoding:\r\n chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        " Transfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "X: y\0\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
    ] {
        for method in ["GET / ", "POST /sign-in "] {
            // The chunk has an extension that ends in the middle of a line.
            let request = format!("{method}HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n0;x=\r\n\r\n{SMUGGLED}");
            assert_eq!(answers(&address, request.as_bytes()), ["400"], "{request}");
        }
    }
    for line in [
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 x",
        "GET /\x0b HTTP/1.1",
        "GET /\x00 HTTP/1.1",
        "GET / HTTP/1.2",
        "PRI * HTTP/2.0",
        "G\u{e9}T / HTTP/1.1",
    ] {
        let request = format!("{line}\r\nHost: localhost\r\n\r\n{SMUGGLED}");
        let answers = answers(&address, request.as_bytes());
        assert!(answers.is_empty() || answers == ["400"], "{line}: {answers:?}");
    }
    scene.others_are_served("smuggling");
}

#[test]
fn a_body_that_is_as_long_as_it_says_is_no_request() {
    let pour = Pour::new();
    let length = format!("Content-Length: {}", SMUGGLED.len());
    for lines in [length.clone(), format!("{length}\r\n{length}")] {
        let request = format!("GET /api/v1/schema HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n{SMUGGLED}{SMUGGLED}");
        assert_eq!(answers(&pour.address, request.as_bytes()), ["200", "404"], "the one in the body is none");
    }
}

#[test]
fn no_path_leads_out_of_what_is_there() {
    for base in ["", "/hostcast"] {
        let pour = Pour::with(|config| config.server.base_path = base.parse().unwrap());
        for path in [
            "/../../../../etc/passwd",
            "/assets/../../../etc/passwd",
            "/assets/..%2f..%2f..%2fetc%2fpasswd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/assets/%252e%252e/etc/passwd",
            "/assets/..\\..\\etc\\passwd",
            "/assets/..%5c..%5cetc%5cpasswd",
            "//etc/passwd",
            "/etc/passwd",
            "/assets/index.html%00.js",
            "/assets/",
            "/assets/../",
            "/./",
            "/index.html/..",
            "/%2f",
        ] {
            let mut wire = pour.address.connect();
            write!(wire, "GET {base}{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
            let said = String::from_utf8_lossy(&wire.read_until_closed()).into_owned();
            let refused = said.starts_with("HTTP/1.1 404 ") || said.starts_with("HTTP/1.1 400 ");
            assert!(refused && !said.contains("root:") && !said.contains("<html"), "{path}: {said}");
        }
    }
}

#[test]
fn a_flood_of_headers_is_refused_as_soon_as_it_is_one() {
    let mut scene = Scene::set("");
    for (count, length) in [(200, 1), (60, 1_000), (1, 100_000)] {
        let header = format!("X: {}\r\n", "y".repeat(length));
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", header.repeat(count));
        assert_eq!(answers(&scene.daemon.address, request.as_bytes()), ["431"], "{count} of {length}");
    }
    scene.others_are_served("header floods");
}

/// What opens TLS, by a client that speaks `version` at most and knows only these suites.
fn client_hello(version: [u8; 2], suites: &[[u8; 2]]) -> Vec<u8> {
    fn sized<const N: usize>(body: &[u8]) -> Vec<u8> {
        [&body.len().to_be_bytes()[8 - N..], body].concat()
    }
    let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &sized::<2>(body)].concat();
    let extensions = [
        // P-256 and X25519; ECDSA and RSA with SHA-256, and RSA with SHA-1.
        extension(0x000a, &sized::<2>(&[0, 0x17, 0, 0x1d])),
        extension(0x000d, &sized::<2>(&[4, 3, 4, 1, 2, 1])),
        extension(0x000b, &[1, 0]),
        extension(0x0017, &[]),
    ]
    .concat();
    let hello = [
        &version[..],
        &[7; 32],
        &sized::<1>(&[]),
        &sized::<2>(&suites.concat()),
        &sized::<1>(&[0]),
        &sized::<2>(&extensions),
    ]
    .concat();
    let handshake = [&[1][..], &sized::<3>(&hello)].concat();
    [&[0x16, 3, 1][..], &sized::<2>(&handshake)].concat()
}

#[test]
fn old_versions_of_tls_and_weak_suites_are_refused() {
    const ALERT: u8 = 0x15;
    const HANDSHAKE: u8 = 0x16;
    const HANDSHAKE_FAILURE: u8 = 40;
    const PROTOCOL_VERSION: u8 = 70;
    let authority = Authority::new();
    let pour = authority.pour();
    let opened = |version, suites: &[[u8; 2]]| {
        let mut wire = pour.address.connect();
        wire.write_all(&client_hello(version, suites)).unwrap();
        let mut record = [0; 7];
        wire.read_exact(&mut record).unwrap();
        (record[0], record[6])
    };
    // ECDHE with AES-GCM: the hello is well-formed, and this is what is spoken here.
    let good = [[0xc0, 0x2b], [0xc0, 0x2f]];
    assert_eq!(opened([3, 3], &good).0, HANDSHAKE);
    // ECDHE with AES-CBC, which the old versions have, too.
    let cbc = [[0xc0, 0x09], [0xc0, 0x13]];
    for (version, name) in [([3, 0], "SSL 3"), ([3, 1], "TLS 1.0"), ([3, 2], "TLS 1.1")] {
        for suites in [&good, &cbc] {
            assert_eq!(opened(version, suites), (ALERT, PROTOCOL_VERSION), "{name}");
        }
    }
    for (suite, name) in [
        ([0xc0, 0x09], "ECDHE with AES-CBC"),
        ([0x00, 0x9c], "RSA without forward secrecy"),
        ([0x00, 0x2f], "RSA with AES-CBC"),
        ([0x00, 0x0a], "3DES"),
        ([0x00, 0x05], "RC4"),
        ([0x00, 0x02], "no encryption"),
        ([0x00, 0x3b], "no encryption"),
        ([0xc0, 0x18], "anonymous"),
    ] {
        assert_eq!(opened([3, 3], &[suite]), (ALERT, HANDSHAKE_FAILURE), "{name}");
    }
}

#[test]
fn who_begins_many_handshakes_of_tls_and_ends_none_keeps_only_itself_out() {
    let authority = Authority::new();
    authority.issue();
    let secrets = Secrets { tokens: Tokens::default(), tls: Some(Tls::read(&authority.config()).unwrap()) };
    let pour = Pour::with_secrets(secrets, |config| {
        config.server.limits.max_connections_per_address = 8;
        config.server.limits.header_timeout = Duration::from_secs(5);
    });
    let attacker = || pour.address.connect_from(SocketAddr::from(([127, 0, 0, 9], 0)));
    let begun: Vec<Wire> = (0..8)
        .map(|_| {
            let mut wire = attacker();
            wire.write_all(&[0x16, 3, 1]).unwrap();
            wire
        })
        .collect();
    let status = || Http::over(authority.wire(&pour.address), &pour.address).get("/api/v1/status").json();
    // They are accepted in the order in which they came, so that all of them have a place by now.
    assert_eq!(attacker().read_until_closed(), b"", "one more is closed at once");
    let status = status();
    assert_eq!((&status["connections"]["open"], &status["connections"]["refused_total"]), (&json!(9), &json!(1)));
    for mut wire in begun {
        wire.read_until_closed();
    }
    let again = attacker().encrypted(authority.client(false));
    assert_eq!(Http::over(again, &pour.address).get("/api/v1/schema").status, 200, "in time, it has a place again");
}

#[test]
fn a_feed_that_nobody_reads_is_ended_and_its_place_is_free() {
    let authority = Authority::new();
    authority.issue();
    for is_encrypted in [false, true] {
        let tls = is_encrypted.then(|| Tls::read(&authority.config()).unwrap());
        let mut pour = Pour::with_secrets(Secrets { tokens: Tokens::default(), tls }, |config| {
            config.server.limits.stall_timeout = Duration::from_secs(1);
        });
        let wire = |wire: Wire| if is_encrypted { wire.encrypted(authority.client(false)) } else { wire };
        pour.schema = schema(1, 5 * WIDE);
        pour.publish(1);
        let mut feeds: Vec<Http> = ["csv", "ndjson"]
            .iter()
            .map(|format| {
                let mut http = Http::over(wire(pour.address.connect_with_small_buffer()), &pour.address);
                http.send("GET", &format!("/api/v1/samples?format={format}&follow=true&last=all"), &[]);
                assert_eq!(http.head().0, 200);
                http
            })
            .collect();
        let mut http = Http::over(wire(pour.address.connect()), &pour.address);
        let mut open = || http.get("/api/v1/status").json()["connections"]["open"].as_u64().unwrap();
        // Far more than their sockets take.
        pour.publish(300);
        eventually("they were given up", || open() == 1);
        // What the kernel had taken before is all that comes.
        for feed in &mut feeds {
            feed.ends_early();
        }
    }
}
