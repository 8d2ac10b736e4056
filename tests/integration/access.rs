//! Attacks on those who may read: pages that should not, by a socket of our own that says what a browser would say.

use std::{
    io::Write as _,
    net::{SocketAddr, UdpSocket},
    process::Command,
};

use rustix::process::Signal;

use crate::support::{Address, Feed, Http, Pour, Raw, TestDaemon, program};

/// Every kind of route.
const ROUTES: [&str; 7] = [
    "/",
    "/api/v1/samples",
    "/api/v1/samples?format=csv",
    "/api/v1/schema",
    "/api/v1/status",
    "/healthz",
    "/no/such/page",
];

/// The answer to a request whose head is only these lines.
fn ask(pour: &Pour, lines: &str) -> (u16, String) {
    let mut wire = pour.address.connect();
    wire.write_all(format!("{lines}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let answer = String::from_utf8(wire.read_until_closed()).unwrap();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.unwrap_or_else(|| panic!("{lines}: {answer}")), answer)
}

fn upgrade(host: &str, more: &str) -> String {
    format!(
        "GET /api/v1/stream?history=none HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n{more}\r\n"
    )
}

/// The status of the answer to a handshake.
fn handshake(pour: &Pour, host: &str, more: &str) -> u16 {
    let mut wire = pour.address.connect();
    wire.write_all(upgrade(host, more).as_bytes()).unwrap();
    let mut http = Http::over(wire, &pour.address);
    http.response("HEAD").status
}

#[test]
fn a_name_that_was_rebound_to_this_host_reads_nothing() {
    let pour = Pour::new();
    pour.publish(3);
    let port = pour.address.tcp().port();
    for route in ROUTES {
        for attack in [
            format!("GET {route} HTTP/1.1\r\nHost: rebound.example:{port}"),
            format!("HEAD {route} HTTP/1.1\r\nHost: rebound.example:{port}"),
            // The page's origin is the same as the host: both are the attacker's.
            format!("GET {route} HTTP/1.1\r\nHost: rebound.example:{port}\r\nOrigin: http://rebound.example:{port}"),
            format!("GET http://rebound.example:{port}{route} HTTP/1.1\r\nHost: localhost"),
            format!("OPTIONS {route} HTTP/1.1\r\nHost: rebound.example\r\nAccess-Control-Request-Method: GET"),
        ] {
            let (status, answer) = ask(&pour, &attack);
            assert_eq!(status, 421, "{attack}\n{answer}");
            assert!(!answer.contains("\"seq\"") && !answer.contains("<html"), "{answer}");
        }
    }
    assert_eq!(handshake(&pour, &format!("rebound.example:{port}"), ""), 421);
    let (_, answer) = ask(&pour, "GET / HTTP/1.1\r\nHost: rebound.example");
    assert!(answer.contains("list \\\"rebound.example\\\" in server.allowed_hosts"), "{answer}");
}

#[test]
fn a_request_that_names_no_host_or_two_is_no_request() {
    let pour = Pour::new();
    for head in
        ["GET / HTTP/1.1", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: rebound.example", "GET / HTTP/1.1\r\nHost: a b"]
    {
        assert_eq!(ask(&pour, head).0, 400, "{head}");
    }
    // A load balancer's check of old.
    assert_eq!(ask(&pour, "GET /api/v1/schema HTTP/1.0").0, 200);
}

#[test]
fn a_page_of_another_origin_opens_no_stream_and_reads_nothing() {
    let pour = Pour::new();
    pour.publish(3);
    let here = pour.address.to_string();
    let port = pour.address.tcp().port();
    for origin in
        ["https://evil.example", "null", &format!("http://localhost:{port}"), "http://127.0.0.1:1", "file://", ""]
    {
        assert_eq!(handshake(&pour, &here, &format!("Origin: {origin}\r\n")), 403, "{origin}");
        for route in ROUTES {
            let (status, answer) = ask(&pour, &format!("GET {route} HTTP/1.1\r\nHost: {here}\r\nOrigin: {origin}"));
            assert_eq!(status, 403, "{route} {origin}\n{answer}");
            assert!(!answer.to_ascii_lowercase().contains("access-control-allow"), "{answer}");
        }
    }
    let status = Http::connect(&pour.address).get("/api/v1/status").json();
    assert_eq!(
        status["access"],
        serde_json::json!({"auth": "local", "wrong_credentials": 0, "wrong_hosts": 0, "wrong_origins": 6 * 8})
    );
    assert_eq!(status["stream"]["subscribers_total"], 0);
    assert_eq!(handshake(&pour, &here, &format!("Origin: http://{here}\r\n")), 101);
}

#[test]
fn a_listed_origin_may_read_and_its_browser_is_told_so() {
    let pour = Pour::with(|config| {
        config.server.allowed_origins = vec!["https://wall.example.com".parse().unwrap()];
        config.server.allowed_hosts = vec!["monitor.example.com".parse().unwrap()];
    });
    pour.publish(1);
    let mut http = Http::connect(&pour.address);
    let listed = [("Origin", "https://wall.example.com")];

    let answer = http.request("GET", "/api/v1/samples", &listed);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://wall.example.com"));
    assert_eq!(answer.header("access-control-allow-credentials"), None, "a cookie is not for other pages");
    assert_eq!(answer.header("vary"), Some("origin"));
    let problem = http.request("GET", "/api/v1/samples?last=x", &listed);
    assert_eq!(problem.header("access-control-allow-origin"), Some("https://wall.example.com"), "errors are told, too");

    let mut preflight = listed.to_vec();
    preflight.extend([("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "authorization")]);
    let answer = http.request("OPTIONS", "/api/v1/samples", &preflight);
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("authorization"));
    preflight[0].1 = "https://evil.example";
    assert_eq!(http.request("OPTIONS", "/api/v1/samples", &preflight).status, 403);

    // Without a page there is nobody to tell, but what is kept must not be given to the next one.
    let answer = http.get("/");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert!(answer.headers.iter().any(|(name, value)| name == "vary" && value == "origin"), "{answer:?}");
    assert_eq!(handshake(&pour, "monitor.example.com", "Origin: https://wall.example.com\r\n"), 101);
}

#[test]
fn no_answer_lets_itself_be_embedded_elsewhere() {
    let pour = Pour::new();
    let mut http = Http::connect(&pour.address);
    for route in ROUTES {
        let answer = http.get(route);
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{route}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{route}");
        let embedded = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")];
        assert_eq!(http.request("GET", route, &embedded).status, 403, "{route}");
    }
}

#[test]
fn a_unix_socket_takes_whatever_name_a_program_or_an_unlisted_proxy_passes_on() {
    let daemon = TestDaemon::on_unix_socket("");
    let mut head = Raw::request(&daemon.address, "history=none");
    head = String::from_utf8(head).unwrap().replace("localhost", "monitor.example.com").into_bytes();
    Raw::open_with(daemon.address.connect(), &head);
    let foreign = [("Origin", "https://evil.example")];
    assert_eq!(daemon.http().request("GET", "/api/v1/samples", &foreign).status, 403);
    Feed::open(&daemon.address, "history=none", &["hostcast.v1.json"]).hello();
}

/// An address of this host that others can reach, if it has one.
fn outer_address() -> Option<SocketAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Sends nothing: the kernel only looks up which address it would send from.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().filter(|address| !address.ip().is_loopback())
}

#[test]
fn what_is_open_to_others_on_purpose_is_warned_of_and_answers_by_its_address() {
    let mut daemon = TestDaemon::launch("server.auth = \"none\"", |_| Command::new(program()), "0.0.0.0:0");
    assert_eq!(daemon.get("/healthz").status, 200);
    if let Some(outer) = outer_address() {
        let address = Address::Tcp(SocketAddr::new(outer.ip(), daemon.address.tcp().port()));
        assert_eq!(Http::connect(&address).get("/healthz").status, 200);
        // By another entrance that address is a stranger's.
        assert_eq!(Http::over(daemon.address.connect(), &address).get("/healthz").status, 421);
    }
    daemon.signal(Signal::TERM);
    let (_, log) = daemon.wait();
    assert!(log.contains("WARN everyone who can reach this address can read this host's metrics"), "{log}");
}
