//! The dashboard's files, as HTTP serves them.

use crate::support::{Response, TestDaemon};

/// Where the page's script is.
fn script(page: &Response) -> String {
    let start = page.text().find("assets/").expect("the page has files");
    page.text()[start..].split('"').next().unwrap().to_owned()
}

#[test]
fn the_dashboard_is_inside_and_asks_nobody_else() {
    let daemon = TestDaemon::start();
    let mut http = daemon.http();
    let page = http.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("cache-control"), Some("no-cache"), "a new version shows at the next load");
    let asset = http.get(&format!("/{}", script(&page)));
    assert_eq!(asset.status, 200);
    assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"));
}

#[test]
fn the_dashboard_may_reach_and_be_framed_by_just_those_whom_the_configuration_names() {
    let config = "[dashboard]\nhosts = [\"https://b.example:7117/prefix/\", \"http://10.0.0.3:7117/\"]\n\
                  frame_ancestors = [\"https://wiki.example\"]\n";
    let daemon = TestDaemon::with(config);
    let page = daemon.http().get("/");
    assert_eq!(
        page.header("content-security-policy").unwrap(),
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors https://wiki.example; \
         connect-src 'self' https://b.example:7117 wss://b.example:7117 http://10.0.0.3:7117 ws://10.0.0.3:7117"
    );
    assert_eq!(page.header("x-frame-options"), None, "it would forbid what the policy allows");
    assert!(page.text().contains("<html data-hosts=\"https://b.example:7117/prefix/ http://10.0.0.3:7117/\" "));
    let script = script(&page);
    assert_eq!(daemon.http().get(&format!("/{script}")).status, 200);

    let plain = TestDaemon::start().http().get("/");
    assert_eq!(plain.header("x-frame-options"), Some("DENY"));
    assert!(!plain.text().contains("data-hosts"));
}

/// It is an example, a program of its own: nothing of it may get into the one that is released.
#[test]
fn no_simulated_host_is_in_the_program() {
    let holds = |program: &std::path::Path| {
        let bytes = std::fs::read(program).unwrap();
        bytes.windows(14).any(|window| window == b"simulated-host")
    };
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_hostcast"));
    assert!(!holds(program));
    let simulated = program.with_file_name("examples").join("simulated_host");
    assert!(!simulated.exists() || holds(&simulated), "the name to look for has changed");
}

#[test]
fn what_a_browser_has_is_not_sent_again() {
    let daemon = TestDaemon::start();
    let mut http = daemon.http();
    let page = http.get("/");
    let tag = page.header("etag").unwrap();
    for known in [tag, "*", &format!("\"other\", {tag}"), tag.trim_start_matches("W/")] {
        let answer = http.request("GET", "/", &[("If-None-Match", known)]);
        assert_eq!((answer.status, answer.header("etag")), (304, Some(tag)), "{known}");
    }
    assert_eq!(http.request("GET", "/", &[("If-None-Match", "\"other\"")]).body, page.body);
}

#[test]
fn files_are_compressed_for_those_who_ask() {
    let daemon = TestDaemon::start();
    let mut http = daemon.http();
    let plain = http.get("/");
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    for (accepted, gzip) in [
        ("gzip", true),
        ("deflate, GZIP;q=0.5, br", true),
        ("*", true),
        ("gzip;q=0", false),
        ("gzip; q=0.0", false),
        ("br", false),
        ("gzip;q=0, *", false),
        ("", false),
    ] {
        let answer = http.request("GET", "/", &[("Accept-Encoding", accepted)]);
        assert_eq!(answer.header("content-encoding"), gzip.then_some("gzip"), "{accepted:?}");
        assert_eq!(answer.body.starts_with(&[0x1F, 0x8B]), gzip, "{accepted:?}");
        assert!(gzip || answer.body == plain.body);
    }
}
