//! The handshake: what is agreed on, and what is refused.

use std::io::Write as _;

use hostcast::protocol::{Message, WireValues};

use crate::support::{Feed, Http, Pour, Raw};

#[test]
fn the_server_speaks_the_subprotocol_that_it_echoes() {
    let pour = Pour::new();
    pour.publish(1);
    for (offered, chosen) in [
        (&[][..], None),
        (&["hostcast.v1.json"], Some("hostcast.v1.json")),
        (&["hostcast.v1.compact"], Some("hostcast.v1.compact")),
        (&["hostcast.v1.compact", "hostcast.v1.json"], Some("hostcast.v1.compact")),
        (&["chat", "hostcast.v1.json"], Some("hostcast.v1.json")),
    ] {
        let mut feed = Feed::open(&pour.address, "history=all", offered);
        assert_eq!(feed.subprotocol.as_deref(), chosen, "{offered:?}");
        feed.hello();
        let values = &feed.past()[0].values;
        let is_compact = chosen == Some("hostcast.v1.compact");
        assert_eq!(matches!(values, WireValues::Positional(_)), is_compact, "{offered:?}");
    }
}

#[test]
fn a_handshake_that_cannot_be_is_refused_with_the_reason() {
    let pour = Pour::new();
    pour.publish(5);
    let epoch = pour.hub.epoch();
    let upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEA=="),
    ];
    let mut http = Http::connect(&pour.address);
    for (query, parameter) in [
        ("since=nonsense".to_owned(), "since"),
        (format!("since={epoch}"), "since"),
        (format!("since={epoch}:-1"), "since"),
        (format!("since={epoch}:6"), "since"),
        (format!("since={epoch}:5&history=1m"), "history"),
        ("history=yesterday".to_owned(), "history"),
        ("metrics=system.cpu.utilisation".to_owned(), "metrics"),
        ("histroy=1m".to_owned(), "histroy"),
        ("history=1m&history=2m".to_owned(), "history"),
    ] {
        let problem = http.request("GET", &format!("/api/v1/stream?{query}"), &upgrade).problem(400);
        assert_eq!(problem["parameter"], parameter, "{query}: {problem}");
    }
    let with = |name, value| upgrade.into_iter().filter(move |(known, _)| *known != name).chain([(name, value)]);
    let unknown: Vec<_> = with("Sec-WebSocket-Protocol", "chat, hostcast.v2.json").collect();
    let problem = http.request("GET", "/api/v1/stream", &unknown).problem(400);
    assert!(problem["error"].as_str().unwrap().contains("hostcast.v1.compact"), "names what is known: {problem}");
    let short_key: Vec<_> = with("Sec-WebSocket-Key", "AQID").collect();
    http.request("GET", "/api/v1/stream", &short_key).problem(400);
    for wrong in [("Sec-WebSocket-Version", "8"), ("Upgrade", "h2c"), ("Connection", "keep-alive")] {
        let headers: Vec<_> = with(wrong.0, wrong.1).collect();
        let response = http.request("GET", "/api/v1/stream", &headers);
        response.problem(426);
        assert_eq!(
            (response.header("upgrade"), response.header("sec-websocket-version")),
            (Some("websocket"), Some("13"))
        );
    }
    http.get("/api/v1/stream").problem(426);
    // A body could be taken for frames.
    for lines in ["Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut wire = pour.address.connect();
        wire.write_all(&Raw::request_with(&pour.address, "history=none", lines)).unwrap();
        wire.write_all(b"0\r\n\r\n").unwrap();
        wire.shut_down_write();
        assert!(wire.read_until_closed().starts_with(b"HTTP/1.1 400 "), "{lines}");
    }
}

#[test]
fn a_header_list_may_name_the_subprotocols_in_any_form() {
    let pour = Pour::new();
    let request = String::from_utf8(Raw::request(&pour.address, "history=none")).unwrap();
    for list in [
        "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: hostcast.v1.compact\r\n\r\n",
        "sec-websocket-protocol:chat,hostcast.v1.compact ,x\r\n\r\n",
    ] {
        let request = request.strip_suffix("\r\n").unwrap().to_owned() + list;
        let mut raw = Raw::open_with(pour.address.connect(), request.as_bytes());
        let (_, hello) = raw.read();
        assert!(matches!(Message::parse(&hello), Ok(Message::Hello(_))));
    }
}
