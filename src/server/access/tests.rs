use hyper::body::Bytes;

use super::*;

const LOOPBACK: Entrance = Entrance::Ip(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

fn access(allowed_hosts: &[&str], allowed_origins: &[&str]) -> Access {
    let config = ServerConfig {
        allowed_hosts: allowed_hosts.iter().map(|text| text.parse().unwrap()).collect(),
        allowed_origins: allowed_origins.iter().map(|text| text.parse().unwrap()).collect(),
        ..ServerConfig::default()
    };
    Access::new(&config, Tokens::default(), "web1")
}

fn ask(access: &Access, entrance: Entrance, headers: &[(&str, &str)]) -> StatusCode {
    let builder = headers.iter().fold(Request::get("/"), |builder, (name, value)| builder.header(*name, *value));
    match access.look_at(&builder.body(Bytes::new()).unwrap(), entrance, None) {
        Door::Open(..) => StatusCode::OK,
        Door::Answered(answer) => answer.status(),
    }
}

#[test]
fn only_a_name_of_this_host_gets_in() {
    let access = access(&["monitor.example.com", "*.lab.example.com"], &[]);
    let wan = Entrance::Ip("192.0.2.7".parse().unwrap());
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
        assert_eq!(ask(&access, LOOPBACK, &[("host", host)]), StatusCode::OK, "{host}");
    }
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.0.2.8",
        "lab.example.com",
        "0x7f000001",
    ] {
        assert_eq!(ask(&access, LOOPBACK, &[("host", host)]), StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    assert_eq!(ask(&access, wan, &[("host", "192.0.2.7")]), StatusCode::OK);
    assert_eq!(ask(&access, LOOPBACK, &[("host", "192.0.2.7")]), StatusCode::MISDIRECTED_REQUEST);
    for headers in [
        &[][..],
        &[("host", "")],
        &[("host", "a@localhost")],
        &[("host", "localhost:99999")],
        &[("host", "localhost, evil.example")],
        &[("host", "localhost"), ("host", "evil.example")],
    ] {
        assert_eq!(ask(&access, LOOPBACK, headers), StatusCode::BAD_REQUEST, "{headers:?}");
    }
}

#[test]
fn the_first_line_of_a_request_counts_as_its_header_does() {
    let access = access(&[], &[]);
    for (uri, host) in [("http://evil.example/", "localhost"), ("http://localhost/", "evil.example")] {
        let request = Request::get(uri).header("host", host).body(()).unwrap();
        let Door::Answered(answer) = access.look_at(&request, LOOPBACK, None) else { panic!("{uri} got in") };
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST);
    }
}

#[test]
fn a_unix_socket_takes_any_name_but_no_foreign_page() {
    let access = access(&[], &[]);
    let ask = |headers: &[(&str, &str)]| ask(&access, Entrance::UnixSocket, headers);
    assert_eq!(ask(&[("host", "anything.example")]), StatusCode::OK);
    assert_eq!(ask(&[("host", "monitor.example"), ("origin", "https://monitor.example")]), StatusCode::OK);
    assert_eq!(ask(&[("host", "monitor.example"), ("origin", "https://evil.example")]), StatusCode::FORBIDDEN);
}

#[test]
fn only_pages_from_here_or_listed_ones_get_in() {
    let access = access(&[], &["https://wall.example.com"]);
    let ask = |origin: &str| ask(&access, LOOPBACK, &[("host", "localhost:7117"), ("origin", origin)]);
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
        ask(&access, LOOPBACK, &[("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)])
    };
    assert_eq!(ask("cross-site", "no-cors"), StatusCode::FORBIDDEN);
    assert_eq!(ask("same-site", "no-cors"), StatusCode::FORBIDDEN);
    assert_eq!(ask("cross-site", "navigate"), StatusCode::OK);
    assert_eq!(ask("same-origin", "cors"), StatusCode::OK);
    assert_eq!(ask("none", "navigate"), StatusCode::OK);
}
