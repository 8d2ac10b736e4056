//! Who may read where tokens are asked for, and what is kept from those who guess.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use hostcast::{
    config::Auth,
    token::{Scope, Session, Tokens},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tungstenite::ClientRequestBuilder;

use crate::support::{Http, Pour, Response, TestDaemon, eventually, program};

const ROUTES: [&str; 6] =
    ["/", "/api/v1/samples", "/api/v1/schema", "/api/v1/status", "/api/v1/stream", "/no/such/page"];

/// A server that asks for tokens; `read` has the one scope, `admin` both.
struct Guarded {
    pour: Pour,
    read: String,
    admin: String,
}

fn guarded() -> Guarded {
    let mut tokens = Tokens::default();
    let read = tokens.add("read", vec![Scope::Read]).unwrap();
    let admin = tokens.add("admin", Scope::ALL.to_vec()).unwrap();
    let pour = Pour::with_tokens(tokens, |config| config.server.auth = Auth::Token);
    pour.publish(1);
    Guarded { pour, read, admin }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// An answer without what differs from one to the next.
fn plain(answer: Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let headers = answer.headers.into_iter().filter(|(name, _)| name != "date").collect();
    (answer.status, headers, answer.body)
}

/// The status of the answer to a handshake with this header.
fn handshake(pour: &Pour, name: &str, value: &str) -> u16 {
    let uri = format!("ws://{}/api/v1/stream", pour.address).parse().unwrap();
    match tungstenite::client(ClientRequestBuilder::new(uri).with_header(name, value), pour.address.connect()) {
        Ok((_, response)) => response.status().as_u16(),
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn without_a_token_there_is_nothing_and_every_wrong_one_gets_the_same_answer() {
    let Guarded { pour, read, .. } = guarded();
    let mut http = Http::connect(&pour.address);
    for route in ROUTES {
        let nothing = plain(http.get(route));
        assert_eq!(nothing.0, 401, "{route}");
        assert!(nothing.1.contains(&("www-authenticate".into(), "Bearer realm=\"hostcast\"".into())), "{nothing:?}");
        assert_eq!(plain(http.get(&format!("{route}?token={read}"))), nothing, "no token in a URL");
    }
    let wrong = plain(http.get("/api/v1/samples"));
    let session = Session::of_token(&read);
    for (name, value) in [
        ("Authorization", bearer("hostcast_0000")),
        ("Authorization", bearer(&read[..read.len() - 1])),
        ("Authorization", bearer(&session.to_string())),
        ("Authorization", format!("Basic {read}")),
        ("Authorization", read.clone()),
        ("Authorization", String::new()),
        ("Cookie", format!("hostcast_session={read}")),
        ("Cookie", "hostcast_session=x".to_owned()),
        ("Cookie", format!("other={session}")),
    ] {
        assert_eq!(plain(http.request("GET", "/api/v1/samples", &[(name, &value)])), wrong, "{name}: {value}");
        if name == "Cookie" {
            assert_eq!(handshake(&pour, name, &value), 401);
        }
    }
    assert_eq!(http.get("/healthz").status, 200, "a load balancer needs no token");
}

#[test]
fn a_token_opens_what_its_scopes_say() {
    let Guarded { pour, read, admin } = guarded();
    let mut http = Http::connect(&pour.address);
    let mut ask = |token: &str, route| http.request("GET", route, &[("Authorization", &bearer(token))]);
    for route in ["/", "/api/v1/samples", "/api/v1/schema"] {
        assert_eq!(ask(&read, route).status, 200, "{route}");
    }
    for status in ["/api/v1/status", "/api/v1/status/", "/api/v1/status?x"] {
        let problem = ask(&read, status).problem(403);
        assert_eq!(problem["error"], "the token \"read\" has not the scope \"status\"");
    }
    let status = ask(&admin, "/api/v1/status").json();
    assert_eq!((&status["access"]["auth"], &status["access"]["wrong_credentials"]), (&json!("token"), &json!(0)));
    assert_eq!(handshake(&pour, "Authorization", &bearer(&read)), 101);
}

#[test]
fn guessing_gets_slower_and_locks_nobody_else_out() {
    let Guarded { pour, admin, .. } = guarded();
    let mut http = Http::connect(&pour.address);
    let mut guess = || http.request("GET", "/api/v1/samples", &[("Authorization", &bearer("hostcast_guess"))]);
    // It takes eleven within a minute, and a slow machine may need more.
    let mut guesses = 1;
    let mut answer = guess();
    while answer.status == 401 && guesses < 44 {
        (guesses, answer) = (guesses + 1, guess());
    }
    assert_eq!(answer.status, 429);
    assert!(guesses > 10, "{guesses}");
    assert!((1..=61).contains(&answer.header("retry-after").unwrap().parse::<u32>().unwrap()));
    // Behind a proxy everyone has the same address: who has a token is not kept out by one who guesses.
    let right = [("Authorization", &*bearer(&admin))];
    let status = http.request("GET", "/api/v1/status", &right).json();
    assert_eq!(status["access"]["wrong_credentials"], guesses);
}

fn sign_in(http: &mut Http, form: &str) -> Response {
    let length = form.len().to_string();
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", &*length)];
    http.send("POST", "/sign-in", &headers);
    http.send_body(form.as_bytes());
    http.response("POST")
}

#[test]
fn a_browser_is_asked_for_a_token_and_gets_a_cookie_that_does_not_tell_it() {
    let Guarded { pour, read, .. } = guarded();
    let mut http = Http::connect(&pour.address);
    let page = http.request("GET", "/", &[("Accept", "text/html,*/*;q=0.8")]);
    assert_eq!((page.status, page.header("content-type")), (401, Some("text/html; charset=utf-8")));
    assert!(page.text().contains("<form method=\"post\" action=\"sign-in\">"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none';"));

    let wrong = sign_in(&mut http, "token=hostcast_guess");
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
    assert!(wrong.text().contains("This token is not known here."));
    assert_eq!(sign_in(&mut http, &format!("token={}", "x".repeat(5_000))).status, 401);

    let mut http = Http::connect(&pour.address);
    let welcome = sign_in(&mut http, &format!("token={read}"));
    assert_eq!((welcome.status, welcome.header("location")), (303, Some("./")));
    let cookie = welcome.header("set-cookie").unwrap().to_owned();
    let (pair, attributes) = cookie.split_once(';').unwrap();
    assert_eq!(attributes, " Max-Age=2592000; HttpOnly; SameSite=Strict", "for wherever the page is");
    assert!(!cookie.contains(&read["hostcast_".len()..]));
    assert_eq!(http.request("GET", "/", &[("Cookie", &format!("a=b; {pair}; c=d"))]).status, 200);
    assert_eq!(handshake(&pour, "Cookie", pair), 101);
    let foreign = [("Cookie", pair), ("Origin", "https://evil.example")];
    assert_eq!(http.request("GET", "/api/v1/samples", &foreign).status, 403, "a cookie is not for other pages");
}

#[test]
fn a_form_that_does_not_come_whole_is_waited_for_no_longer_than_a_head() {
    let mut tokens = Tokens::default();
    tokens.add("read", vec![Scope::Read]).unwrap();
    let pour = Pour::with_tokens(tokens, |config| {
        config.server.auth = Auth::Token;
        config.server.limits.header_timeout = std::time::Duration::from_secs(1);
    });
    // What is no form is not waited for at all.
    for (method, status) in [("POST", 408), ("GET", 303), ("PUT", 303)] {
        let mut wire = pour.address.connect();
        write!(wire, "{method} /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\ntoken=").unwrap();
        let answer = String::from_utf8(wire.read_until_closed()).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method}: {answer}");
    }
}

/// Runs `hostcast token` with the configuration in this folder.
fn token(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let config = folder.join("config.toml");
    let output =
        Command::new(program()).arg("token").args(arguments).arg("--config").arg(config).env_clear().output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A daemon that asks for tokens, which are in its folder, and one of both scopes.
fn guarded_daemon(more: &str) -> (TestDaemon, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state/tokens");
    let config = format!("[server]\nauth = \"token\"\ntoken_file = \"{}\"\n{more}", file.display());
    fs::write(folder.path().join("config.toml"), &config).unwrap();
    let (code, secret, stderr) = token(folder.path(), &["add", "admin", "--scope", "read", "--scope", "status"]);
    assert_eq!((code, &*stderr), (Some(0), ""));
    let command = |_: &Path| {
        let mut command = Command::new(program());
        command.stdin(Stdio::null());
        command
    };
    let daemon = TestDaemon::launch_in(folder, &config, command, "127.0.0.1:0");
    (daemon, secret.trim_end().to_owned(), config)
}

fn status(daemon: &TestDaemon, secret: &str) -> Value {
    daemon.http().request("GET", "/api/v1/status", &[("Authorization", &bearer(secret))]).json()
}

#[test]
fn tokens_are_made_listed_and_revoked_by_name() {
    let (daemon, secret, _) = guarded_daemon("");
    let folder = daemon.folder();
    let file = folder.join("state/tokens");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (_, wall, _) = token(folder, &["add", "wall"]);
    assert!(wall.starts_with("hostcast_") && wall.ends_with('\n') && wall.len() == 74, "{wall}");
    let (code, list, _) = token(folder, &["list"]);
    let lines: Vec<_> = list.lines().map(|line| line.rsplit_once('\t').unwrap().0).collect();
    assert_eq!((code, lines), (Some(0), vec!["admin\tread,status", "wall\tread"]));
    let (code, _, stderr) = token(folder, &["add", "wall"]);
    let taken = "hostcast: there is a token \"wall\" already: revoke it first, or choose another name\n";
    assert_eq!((code, &*stderr), (Some(1), taken));
    assert_eq!(token(folder, &["revoke", "none"]).2, "hostcast: there is no token \"none\"\n");
    assert_eq!(token(folder, &["revoke", "wall"]), (Some(0), String::new(), String::new()));

    // What others may read is no secret: that is refused, at the start and in a reload.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    daemon.signal(Signal::HUP);
    eventually("the reload is refused", || status(&daemon, &secret)["reload"]["refused"] == 1);
    let problem = status(&daemon, &secret)["reload"]["problems"][0].as_str().unwrap().to_owned();
    assert!(problem.ends_with("state/tokens: others than its owner may use it (mode 644): chmod 600 it"), "{problem}");
    let config = folder.join("config.toml");
    let refused = Command::new(program())
        .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "error", "-c"])
        .arg(config)
        .output();
    let refused = refused.unwrap();
    assert_eq!(
        (refused.status.code(), String::from_utf8(refused.stderr).unwrap()),
        (Some(78), format!("hostcast: {problem}\n"))
    );
}

#[test]
fn who_holds_a_token_that_is_revoked_is_sent_away() {
    let (daemon, secret, _) = guarded_daemon("");
    let folder = daemon.folder();
    let (_, wall, _) = token(folder, &["add", "wall"]);
    let wall = bearer(wall.trim_end());
    assert_eq!(daemon.http().request("GET", "/api/v1/schema", &[("Authorization", &wall)]).status, 401);
    daemon.signal(Signal::HUP);
    eventually("the new token is known", || {
        daemon.http().request("GET", "/api/v1/schema", &[("Authorization", &wall)]).status == 200
    });
    let mut stays = crate::support::Feed::open_with(&daemon.address, &[("Authorization", &bearer(&secret))]);
    let mut goes = crate::support::Feed::open_with(&daemon.address, &[("Authorization", &wall)]);
    let mut http = daemon.http();
    http.send("GET", "/api/v1/samples?format=ndjson&follow=true", &[("Authorization", &wall)]);
    let mut lines = http.lines();
    assert!(lines.next().unwrap().unwrap().starts_with("HTTP/1.1 200"));

    assert_eq!(token(folder, &["revoke", "wall"]).0, Some(0));
    daemon.signal(Signal::HUP);
    assert_eq!(goes.goodbye(), ("signed_out".to_owned(), None, Some(4401)));
    for line in lines {
        if line.is_err() {
            break;
        }
    }
    stays.hello();
    stays.past();
    stays.live();
}

#[test]
fn a_secret_stands_nowhere() {
    let (mut daemon, secret, config) = guarded_daemon("[log]\nlevel = \"trace\"\n");
    let session = Session::of_token(&secret).to_string();
    let bare = &secret["hostcast_".len()..];
    let status = status(&daemon, &secret).to_string();
    let cookie = format!("hostcast_session={session}");
    for headers in [
        &[("Authorization", &*bearer(&secret)), ("Host", "x")][..],
        &[("Authorization", &*bearer(&secret)), ("Origin", "http://evil.example")],
        &[("Cookie", &*cookie)],
        &[("Authorization", &*bearer(&format!("{secret}0")))],
    ] {
        daemon.http().request("GET", "/api/v1/samples", headers);
    }
    sign_in(&mut daemon.http(), &format!("token={secret}"));
    sign_in(&mut daemon.http(), &format!("token={secret}0"));
    fs::write(daemon.folder().join("config.toml"), config + "oops\n").unwrap();
    daemon.signal(Signal::HUP);
    let process = |file| fs::read(format!("/proc/{}/{file}", daemon.pid())).unwrap();
    let arguments = [process("cmdline"), process("environ")].concat();
    let file = fs::read_to_string(daemon.folder().join("state/tokens")).unwrap();
    eventually("the reload was refused", || {
        daemon.http().request("GET", "/api/v1/status", &[("Authorization", &bearer(&secret))]).json()["reload"]["refused"]
            == 1
    });
    daemon.signal(Signal::TERM);
    let (_, log) = daemon.wait();
    assert!(log.contains("WARN wrong credentials"), "{log}");
    assert_eq!(log.matches("wrong credentials").count(), 1, "once a burst: {log}");
    for (what, text) in
        [("log", log), ("status", status), ("process", String::from_utf8_lossy(&arguments).into()), ("file", file)]
    {
        assert!(!text.contains(bare) && !text.contains(&session), "{what}: {text}");
    }
}
