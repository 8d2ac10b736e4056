//! Proxies in front: what is believed of them and of nobody else, and everything below a path.

use std::{
    io::{BufRead as _, Write as _},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use hostcast::{
    config::{Auth, Compression, TrustedProxy},
    token::{Scope, Tokens},
};
use rustix::process::Signal;

use crate::support::{Address, Http, Pour, Raw, Response, TestDaemon, Wire, eventually, program};

/// The proxy of these tests. Whoever else comes, comes from 127.0.0.1.
const PROXY: [u8; 4] = [127, 0, 0, 2];

fn trusted() -> Vec<TrustedProxy> {
    vec!["127.0.0.2".parse().unwrap()]
}

/// A connection of the proxy's.
fn proxy(address: &Address) -> Wire {
    address.connect_from(SocketAddr::from((PROXY, 0)))
}

fn ask(wire: Wire, address: &Address, path: &str, headers: &[(&str, &str)]) -> Response {
    Http::over(wire, address).request("GET", path, headers)
}

/// A server that asks for tokens, behind the proxy, and one that is right.
fn guarded() -> (Pour, String) {
    let mut tokens = Tokens::default();
    let secret = tokens.add("wall", vec![Scope::Read]).unwrap();
    let pour = Pour::with_tokens(tokens, |config| {
        config.server.auth = Auth::Token;
        config.server.trusted_proxies = trusted();
    });
    (pour, secret)
}

/// How often one may guess until told to wait. That takes eleven wrong guesses within a minute, however slow the machine is
/// with others: so more are made than that.
fn guesses_until_told_to_wait(mut guess: impl FnMut(usize) -> u16) -> Option<usize> {
    (0..44).position(|attempt| match guess(attempt) {
        401 => false,
        429 => true,
        other => panic!("{other}"),
    })
}

#[test]
fn who_guesses_behind_a_proxy_is_slowed_down_and_its_neighbours_are_not() {
    let (pour, _) = guarded();
    let guess = |wire: Wire, client: &str| {
        let headers = [("Authorization", "Bearer hostcast_guess"), ("X-Forwarded-For", client)];
        ask(wire, &pour.address, "/api/v1/samples", &headers).status
    };
    let guesses = guesses_until_told_to_wait(|attempt| {
        // What it writes before its own address changes nothing.
        guess(proxy(&pour.address), &format!("198.51.100.{attempt}, 203.0.113.7"))
    });
    assert!(guesses.is_some_and(|guesses| guesses >= 10), "{guesses:?}");
    assert_eq!(guess(proxy(&pour.address), "203.0.113.8"), 401, "another client of the same proxy");
}

#[test]
fn who_is_no_proxy_cannot_say_where_it_comes_from() {
    let (pour, _) = guarded();
    let guess = |attempt: usize| {
        let client = format!("203.0.113.{attempt}");
        let headers = [
            ("Authorization", "Bearer hostcast_guess"),
            ("X-Forwarded-For", &*client),
            ("Forwarded", "for=203.0.113.7"),
            ("X-Real-IP", &*client),
        ];
        ask(pour.address.connect(), &pour.address, "/api/v1/samples", &headers).status
    };
    let guesses = guesses_until_told_to_wait(guess);
    assert!(guesses.is_some_and(|guesses| guesses >= 10), "all of them were its own: {guesses:?}");
}

#[test]
fn connections_are_limited_for_each_client_of_a_proxy_and_not_for_the_proxy() {
    let pour = Pour::with(|config| {
        config.server.trusted_proxies = trusted();
        config.server.limits.max_connections_per_address = 2;
    });
    let stream = |client: &str| {
        let line = format!("X-Forwarded-For: {client}\r\n");
        let head = Raw::request_with(&pour.address, "history=none", &line);
        let mut wire = proxy(&pour.address);
        wire.write_all(&head).unwrap();
        wire
    };
    let mut open = Vec::new();
    for client in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
        for _ in 0..2 {
            open.push(Raw::answered(stream(client)));
        }
        let mut http = Http::over(stream(client), &pour.address);
        let refused = http.response("GET");
        assert_eq!(refused.problem(503)["error"], "too many connections from this address");
        assert_eq!(refused.header("retry-after"), Some("1"));
        // The connection is the proxy's: the next request on it may be another client's.
        assert_eq!(http.request("GET", "/api/v1/schema", &[("X-Forwarded-For", "203.0.113.9")]).status, 200);
    }
    // Answers that go on count as long as they do, and others only while they are answered.
    pour.publish(1);
    let follow = "/api/v1/samples?format=ndjson&follow=true&last=all";
    let mut followers: Vec<_> = (0..2)
        .map(|_| {
            let mut http = Http::over(proxy(&pour.address), &pour.address);
            http.send("GET", follow, &[("X-Forwarded-For", "203.0.113.4")]);
            let mut lines = http.lines();
            assert!(lines.next().unwrap().unwrap().starts_with("HTTP/1.1 200"));
            lines
        })
        .collect();
    let from_4 = || ask(proxy(&pour.address), &pour.address, "/api/v1/schema", &[("X-Forwarded-For", "203.0.113.4")]);
    from_4().problem(503);
    followers.pop();
    eventually("its place is free", || {
        // Who has left is noticed with the next sample: it might only have said that it sends nothing more.
        pour.publish(1);
        from_4().status == 200
    });
    let mut idle = Http::over(proxy(&pour.address), &pour.address);
    for _ in 0..5 {
        // One connection of the proxy, kept for many: nobody is counted while nothing is asked.
        assert_eq!(idle.request("GET", "/api/v1/schema", &[("X-Forwarded-For", "203.0.113.4")]).status, 200);
        assert_eq!(from_4().status, 200);
    }
    drop(open);
    eventually("places of streams are free", || {
        let wire = stream("203.0.113.1");
        Http::over(wire, &pour.address).response("HEAD").status == 101
    });
}

#[test]
fn a_cookie_is_secure_where_the_client_speaks_tls_and_only_a_proxy_is_believed_that() {
    let (pour, secret) = guarded();
    let sign_in = |wire: Wire, proto: &[(&str, &str)]| {
        let mut http = Http::over(wire, &pour.address);
        let form = format!("token={secret}");
        let length = form.len().to_string();
        let headers = [&[("Content-Length", &*length)], proto].concat();
        http.send("POST", "/sign-in", &headers);
        http.send_body(form.as_bytes());
        let answer = http.response("POST");
        assert_eq!(answer.status, 303);
        answer.header("set-cookie").unwrap().ends_with("; Secure")
    };
    let https = [("X-Forwarded-Proto", "https")];
    assert!(sign_in(proxy(&pour.address), &https));
    assert!(sign_in(proxy(&pour.address), &[("X-Forwarded-Proto", "http, https")]));
    assert!(!sign_in(proxy(&pour.address), &[("X-Forwarded-Proto", "https, http")]));
    assert!(!sign_in(proxy(&pour.address), &[]));
    assert!(!sign_in(pour.address.connect(), &https), "it is no proxy");
}

#[test]
fn who_signs_out_is_signed_out_and_nobody_else_can_do_it() {
    let (pour, secret) = guarded();
    let mut http = Http::connect(&pour.address);
    let here = format!("http://{}", pour.address);
    let mut post = |origin: &str| http.request("POST", "/sign-out", &[("Origin", origin), ("Content-Length", "0")]);
    let out = post(&here);
    assert_eq!((out.status, out.header("location")), (303, Some("./")));
    assert_eq!(out.header("set-cookie"), Some("hostcast_session=; Max-Age=0; HttpOnly; SameSite=Strict"));
    for foreign in ["https://evil.example", "null"] {
        let refused = post(foreign);
        assert_eq!((refused.status, refused.header("set-cookie")), (403, None));
    }
    // A link or an image is no way out.
    let by_link = http.get("/sign-out");
    assert_eq!((by_link.status, by_link.header("set-cookie")), (303, None));

    // Only who has a cookie is shown the way.
    let form = format!("token={secret}");
    http.send("POST", "/sign-in", &[("Content-Length", &form.len().to_string())]);
    http.send_body(form.as_bytes());
    let welcome = http.response("POST");
    let cookie = welcome.header("set-cookie").unwrap().split(';').next().unwrap();
    let page = http.request("GET", "/", &[("Cookie", cookie)]);
    assert!(page.text().contains("<html data-signed-in lang"), "{}", page.text());
    assert_eq!(page.header("etag"), None, "it is not what others get");
    let page = http.request("GET", "/", &[("Authorization", &format!("Bearer {secret}"))]);
    assert!(!page.text().contains("data-signed-in"));
}

#[test]
fn streams_are_compressed_for_the_clients_of_a_proxy_as_for_others_elsewhere() {
    let pour = Pour::with(|config| {
        config.server.trusted_proxies = trusted();
        config.server.compression = Compression::Auto;
    });
    let offers = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let is_compressed = |wire: Wire, client: &str| {
        let lines = format!("{offers}X-Forwarded-For: {client}\r\n");
        let head = Raw::request_with(&pour.address, "history=none", &lines);
        Raw::open_with(wire, &head).head.contains("permessage-deflate")
    };
    assert!(is_compressed(proxy(&pour.address), "203.0.113.7"));
    assert!(!is_compressed(proxy(&pour.address), "127.0.0.1"));
    assert!(!is_compressed(pour.address.connect(), "203.0.113.7"));
}

#[test]
fn what_is_logged_is_the_client_and_never_what_a_client_has_written() {
    let config = "[server]\ntrusted_proxies = \"127.0.0.2\"\nauth = \"token\"\ntoken_file = \"TOKENS\"\n";
    let folder = tempfile::tempdir().unwrap();
    let config = config.replace("TOKENS", folder.path().join("tokens").to_str().unwrap());
    let mut daemon = TestDaemon::launch_in(folder, &config, plain, "127.0.0.1:0");
    let forged = "203.0.113.9\x1b[2K WARN forged, 203.0.113.7";
    let headers = [("Authorization", "Bearer x"), ("X-Forwarded-For", forged)];
    assert_eq!(ask(proxy(&daemon.address), &daemon.address, "/", &headers).status, 400, "a control character");
    let headers = [("Authorization", "Bearer x"), ("X-Forwarded-For", "203.0.113.9 WARN forged, 203.0.113.7")];
    assert_eq!(ask(proxy(&daemon.address), &daemon.address, "/", &headers).status, 401);
    daemon.signal(Signal::TERM);
    let (_, log) = daemon.wait();
    assert!(log.contains("wrong credentials") && log.contains("203.0.113.7"), "{log}");
    assert!(!log.contains("forged") && !log.contains("203.0.113.9"), "{log}");
}

fn plain(_: &Path) -> Command {
    let mut command = Command::new(program());
    command.stdin(Stdio::null());
    command
}

#[test]
fn a_proxy_at_a_unix_socket_is_believed_where_it_is_listed() {
    for (listed, slow) in [("\"unix\"", false), ("[]", true)] {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[server]\ntrusted_proxies = {listed}\nauth = \"token\"\ntoken_file = \"{}\"\n",
            folder.path().join("tokens").display()
        );
        let listen = format!("unix:{}", folder.path().join("hostcast.sock").display());
        let daemon = TestDaemon::launch_in(folder, &config, plain, &listen);
        let guess = |client: usize| {
            let client = format!("203.0.113.{client}");
            let headers = [("Authorization", "Bearer x"), ("X-Forwarded-For", &*client)];
            daemon.http().request("GET", "/api/v1/schema", &headers).status
        };
        assert_eq!(guesses_until_told_to_wait(guess).is_some(), slow, "{listed}");
    }
}

/// A daemon below `/hosts/web-1`.
fn below() -> TestDaemon {
    TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[server]\nbase_path = \"/hosts/web-1\"\n")
}

#[test]
fn everything_is_below_the_base_path_and_nothing_beside_it() {
    let daemon = below();
    daemon.http().get("/hosts/web-1/api/v1/schema");
    let mut http = daemon.http();
    let page = http.get("/hosts/web-1/");
    assert_eq!(page.status, 200);
    // Whatever the page refers to is relative to itself.
    let references: Vec<_> = ["src=\"", "href=\"", "action=\""]
        .iter()
        .flat_map(|name| page.text().split(name).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|reference| !reference.starts_with('#'))
        .collect();
    assert!(references.len() >= 4, "{references:?}");
    for reference in &references {
        assert!(!reference.starts_with('/') && !reference.contains(':'), "{reference}");
    }
    for asset in references.iter().filter(|reference| reference.contains('.')) {
        assert_eq!(http.get(&format!("/hosts/web-1/{asset}")).status, 200, "{asset}");
        assert_eq!(http.get(&format!("/{asset}")).status, 404, "{asset}");
    }
    for route in ["api/v1/samples", "api/v1/samples?format=csv", "api/v1/schema", "api/v1/status", "healthz"] {
        assert_eq!(http.get(&format!("/hosts/web-1/{route}")).status, 200, "{route}");
        let elsewhere = http.get(&format!("/{route}"));
        let told = "nothing is here: the dashboard is at /hosts/web-1/ (server.base_path)";
        assert_eq!(elsewhere.problem(404)["error"], told);
    }
    for bare in ["/hosts/web-1", "/hosts/web-1?theme=dark"] {
        let answer = http.get(bare);
        let place = bare.replace("web-1", "web-1/");
        assert_eq!((answer.status, answer.header("location")), (308, Some(&*place)));
    }
    let lost = http.get("/hosts/web-1/no/such/page").problem(404);
    assert!(lost["error"].as_str().unwrap().contains("see /hosts/web-1/ for the dashboard"), "{lost}");
    let head = Raw::request(&daemon.address, "history=none");
    let head = String::from_utf8(head).unwrap().replace("/api/", "/hosts/web-1/api/");
    Raw::open_with(daemon.address.connect(), head.as_bytes());
}

#[test]
fn the_base_path_stands_in_what_the_daemon_says_and_changes_with_a_reload() {
    let config = "[server]\nbase_path = \"/hostcast\"\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), config).unwrap();
    let mut command = plain(folder.path());
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(folder.path().join("config.toml"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("dashboard at http://127.0.0.1:") && line.ends_with("/hostcast/\n"), "{line}");

    let daemon = TestDaemon::with(config);
    let mut feed = {
        let head = String::from_utf8(Raw::request(&daemon.address, "history=none")).unwrap();
        Raw::open_with(daemon.address.connect(), head.replace("/api/", "/hostcast/api/").as_bytes())
    };
    daemon.reload("[server]\nbase_path = \"/elsewhere\"\n");
    eventually("the other path", || daemon.get("/elsewhere/healthz").status == 200);
    assert_eq!(daemon.get("/hostcast/healthz").status, 404);
    feed.send(&Raw::frame(crate::support::opcode::PING, b"still there"));
    assert_eq!(feed.read_control().1, b"still there");
}
