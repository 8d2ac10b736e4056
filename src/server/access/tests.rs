use hyper::{StatusCode, body::Bytes};

use super::*;
use crate::server::listener::Ends;

const UNIX_SOCKET: Line = Line { ends: None, is_encrypted: false };

/// How someone comes to this address of ours.
fn to(ours: &str) -> Line {
    let ends = Ends { client: "192.0.2.100".parse().unwrap(), ours: ours.parse().unwrap() };
    Line { ends: Some(ends), is_encrypted: false }
}

fn loopback() -> Line {
    to("127.0.0.1")
}

fn access(allowed_hosts: &[&str], allowed_origins: &[&str]) -> Access {
    let config = ServerConfig {
        allowed_hosts: allowed_hosts.iter().map(|text| text.parse().unwrap()).collect(),
        allowed_origins: allowed_origins.iter().map(|text| text.parse().unwrap()).collect(),
        ..ServerConfig::default()
    };
    Access::new(&config, Tokens::default(), "web1")
}

fn ask(access: &Access, line: Line, headers: &[(&str, &str)]) -> StatusCode {
    let builder = headers.iter().fold(Request::get("/"), |builder, (name, value)| builder.header(*name, *value));
    match access.look_at(&mut builder.body(Bytes::new()).unwrap(), line) {
        Door::Open(..) => StatusCode::OK,
        Door::Answered(answer) => answer.status(),
    }
}

#[test]
fn only_a_name_of_this_host_gets_in() {
    let access = access(&["monitor.example.com", "*.lab.example.com"], &[]);
    let wan = to("192.0.2.7");
    for host in [
        "localhost",
        "LOCALHOST:80",
        "localhost.",
        "127.0.0.1:7117",
        "[::1]:7117",
        "web1",
        "web1.local:7117",
        "monitor.example.com",
        "a.lab.example.com:8443",
        "[::ffff:127.0.0.1]",
    ] {
        assert_eq!(ask(&access, loopback(), &[("host", host)]), StatusCode::OK, "{host}");
    }
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.0.2.8",
        "lab.example.com",
        "0x7f000001",
    ] {
        assert_eq!(ask(&access, loopback(), &[("host", host)]), StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    assert_eq!(ask(&access, wan, &[("host", "192.0.2.7")]), StatusCode::OK);
    assert_eq!(ask(&access, loopback(), &[("host", "192.0.2.7")]), StatusCode::MISDIRECTED_REQUEST);
    for headers in [
        &[][..],
        &[("host", "")],
        &[("host", "a@localhost")],
        &[("host", "localhost:99999")],
        &[("host", "localhost, evil.example")],
        &[("host", "localhost"), ("host", "evil.example")],
    ] {
        assert_eq!(ask(&access, loopback(), headers), StatusCode::BAD_REQUEST, "{headers:?}");
    }
}

#[test]
fn the_first_line_of_a_request_counts_as_its_header_does() {
    let access = access(&[], &[]);
    for (uri, host) in [("http://evil.example/", "localhost"), ("http://localhost/", "evil.example")] {
        let mut request = Request::get(uri).header("host", host).body(()).unwrap();
        let Door::Answered(answer) = access.look_at(&mut request, loopback()) else { panic!("{uri} got in") };
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST);
    }
}

#[test]
fn a_unix_socket_takes_any_name_but_no_foreign_page() {
    let access = access(&[], &[]);
    let ask = |headers: &[(&str, &str)]| ask(&access, UNIX_SOCKET, headers);
    assert_eq!(ask(&[("host", "anything.example")]), StatusCode::OK);
    assert_eq!(ask(&[("host", "monitor.example"), ("origin", "https://monitor.example")]), StatusCode::OK);
    assert_eq!(ask(&[("host", "monitor.example"), ("origin", "https://evil.example")]), StatusCode::FORBIDDEN);
}

#[test]
fn a_name_that_was_rebound_to_a_listed_proxy_at_a_unix_socket_reads_nothing() {
    let config = ServerConfig {
        allowed_hosts: vec!["monitor.example.com".parse().unwrap()],
        trusted_proxies: vec!["unix".parse().unwrap()],
        ..ServerConfig::default()
    };
    let access = Access::new(&config, Tokens::default(), "web1");
    let ask = |headers: &[(&str, &str)]| ask(&access, UNIX_SOCKET, headers);
    let rebound = [("host", "evil.example"), ("origin", "http://evil.example")];
    assert_eq!(ask(&rebound), StatusCode::MISDIRECTED_REQUEST);
    let forwarded = [("host", "localhost"), ("x-forwarded-host", "evil.example"), ("origin", "http://evil.example")];
    assert_eq!(ask(&forwarded), StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(ask(&[("host", "192.0.2.7")]), StatusCode::MISDIRECTED_REQUEST);
    for host in ["monitor.example.com", "localhost", "web1", "127.0.0.1"] {
        assert_eq!(ask(&[("host", host)]), StatusCode::OK, "{host}");
    }
}

#[test]
fn only_pages_from_here_or_listed_ones_get_in() {
    let access = access(&[], &["https://wall.example.com"]);
    let ask = |origin: &str| ask(&access, loopback(), &[("host", "localhost:7117"), ("origin", origin)]);
    for origin in ["http://localhost:7117", "https://localhost:7117", "https://wall.example.com"] {
        assert_eq!(ask(origin), StatusCode::OK, "{origin}");
    }
    for origin in [
        "null",
        "http://evil.example@localhost:7117",
        "",
        "http://localhost",
        "http://localhost:3000",
        "http://127.0.0.1:7117",
        "https://evil.example",
        "http://wall.example.com",
        "https://wall.example.com:8443",
        "https://wall.example.com.evil.example",
        "chrome-extension://localhost:7117",
        "http://localhost:7117.evil.example",
        "http://evil@localhost:3000",
    ] {
        assert_eq!(ask(origin), StatusCode::FORBIDDEN, "{origin}");
    }
    assert_eq!(access.report().wrong_origins, 13);
}

#[test]
fn what_another_page_embeds_is_refused_and_a_link_is_not() {
    let access = access(&[], &[]);
    let ask = |site: &str, mode: &str| {
        ask(&access, loopback(), &[("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)])
    };
    assert_eq!(ask("cross-site", "no-cors"), StatusCode::FORBIDDEN);
    assert_eq!(ask("same-site", "no-cors"), StatusCode::FORBIDDEN);
    assert_eq!(ask("cross-site", "navigate"), StatusCode::OK);
    assert_eq!(ask("same-origin", "cors"), StatusCode::OK);
    assert_eq!(ask("none", "navigate"), StatusCode::OK);
}

/// A page and the request that it sends, behind a proxy at 192.0.2.100.
fn through_a_proxy(line: Line, headers: &[(&str, &str)]) -> StatusCode {
    let config = ServerConfig {
        allowed_hosts: vec!["monitor.example.com".parse().unwrap()],
        trusted_proxies: vec!["192.0.2.100".parse().unwrap()],
        ..ServerConfig::default()
    };
    ask(&Access::new(&config, Tokens::default(), "web1"), line, headers)
}

#[test]
fn what_a_proxy_was_asked_by_is_compared_with_the_page_and_has_to_be_ours_as_well() {
    let asked = |forwarded: &str, origin: &str| {
        through_a_proxy(loopback(), &[("host", "127.0.0.1:7117"), ("x-forwarded-host", forwarded), ("origin", origin)])
    };
    assert_eq!(asked("monitor.example.com", "https://monitor.example.com"), StatusCode::OK);
    assert_eq!(asked("evil.example, monitor.example.com", "https://monitor.example.com"), StatusCode::OK);
    assert_eq!(asked("monitor.example.com", "http://127.0.0.1:7117"), StatusCode::FORBIDDEN);
    assert_eq!(asked("monitor.example.com:8443", "https://monitor.example.com"), StatusCode::FORBIDDEN);
    // A page whose name was rebound, through a proxy that passes on what a client says it was asked by.
    assert_eq!(asked("evil.example", "https://evil.example"), StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(asked("monitor.example.com", "https://evil.example"), StatusCode::FORBIDDEN);
    assert_eq!(asked("a b", "https://monitor.example.com"), StatusCode::BAD_REQUEST);
    // The name that the proxy itself was reached by counts, whatever it says besides.
    let headers = [("host", "evil.example"), ("x-forwarded-host", "monitor.example.com")];
    assert_eq!(through_a_proxy(loopback(), &headers), StatusCode::MISDIRECTED_REQUEST);
    // Of somebody who is no trusted proxy nothing is believed.
    let mut other = loopback();
    other.ends = other.ends.map(|ends| Ends { client: "192.0.2.101".parse().unwrap(), ..ends });
    let headers = [("host", "127.0.0.1"), ("x-forwarded-host", "evil.example"), ("origin", "http://127.0.0.1")];
    assert_eq!(through_a_proxy(other, &headers), StatusCode::OK);
}

#[test]
fn a_page_that_came_without_tls_is_another_than_the_one_that_came_with_it() {
    let asked = |line: Line, proto: &str, origin: &str| {
        let headers = [("host", "localhost:8443"), ("x-forwarded-proto", proto), ("origin", origin)];
        through_a_proxy(line, &headers)
    };
    let (http, https) = ("http://localhost:8443", "https://localhost:8443");
    let encrypted = Line { is_encrypted: true, ..loopback() };
    for (line, proto, allowed) in [
        (loopback(), "https", &[https][..]),
        (loopback(), "http, HTTPS", &[https]),
        (loopback(), "http", &[http]),
        (loopback(), "wss", &[https]),
        (loopback(), "ws", &[http]),
        // What means nothing is not said, and then only TLS that ends here tells.
        (loopback(), "gopher", &[http, https]),
        (loopback(), "", &[http, https]),
        (encrypted, "", &[https]),
        (encrypted, "http", &[http]),
    ] {
        for origin in [http, https] {
            let expected = if allowed.contains(&origin) { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(asked(line, proto, origin), expected, "{proto} {origin}");
        }
    }
}

#[test]
fn a_listed_page_signs_nobody_in_or_out() {
    let access = access(&[], &["https://wall.example.com"]);
    let post = |origin: &str| {
        let request = Request::post("/sign-out").header("host", "localhost").header("origin", origin);
        match access.look_at(&mut request.body(()).unwrap(), loopback()) {
            Door::Open(..) => StatusCode::OK,
            Door::Answered(answer) => answer.status(),
        }
    };
    assert_eq!(post("https://wall.example.com"), StatusCode::FORBIDDEN);
    assert_eq!(post("http://localhost"), StatusCode::OK);
}

#[test]
fn everything_lies_below_the_base_path_and_nothing_beside_it() {
    let config = ServerConfig { base_path: "/hostcast".parse().unwrap(), ..ServerConfig::default() };
    let access = Access::new(&config, Tokens::default(), "web1");
    let enter = |uri: &str| {
        let mut request = Request::get(uri).header("host", "localhost").body(()).unwrap();
        match access.look_at(&mut request, loopback()) {
            Door::Open(..) => Ok(request.uri().to_string()),
            Door::Answered(answer) => {
                let place = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
                Err((answer.status().as_u16(), place.unwrap_or_default()))
            }
        }
    };
    for (asked, seen) in [
        ("/hostcast/", "/"),
        ("/hostcast/healthz", "/healthz"),
        ("/hostcast/api/v1/samples?last=1s&metrics=a,b", "/api/v1/samples?last=1s&metrics=a,b"),
        ("/hostcast//", "//"),
        ("/hostcast/hostcast/", "/hostcast/"),
        ("http://localhost/hostcast/x?y", "http://localhost/x?y"),
    ] {
        assert_eq!(enter(asked), Ok(seen.to_owned()), "{asked}");
    }
    assert_eq!(enter("/hostcast"), Err((308, "/hostcast/".to_owned())));
    assert_eq!(enter("/hostcast?theme=dark"), Err((308, "/hostcast/?theme=dark".to_owned())));
    for asked in ["/", "/healthz", "/hostcasts/", "/sign-in", "//hostcast/", "/x/../hostcast/", "*"] {
        assert_eq!(enter(asked), Err((404, String::new())), "{asked}");
    }
}
