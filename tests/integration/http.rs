//! HTTP beside the stream: the daemon's own state, and what every request may count on.

use serde_json::json;

use crate::support::{Http, Pour, TestDaemon};

#[test]
fn the_schema_names_every_series_in_every_vocabulary() {
    let daemon = TestDaemon::start();
    daemon.wait_for(1);
    let schema = daemon.get("/api/v1/schema").json();
    let mut feed = daemon.feed("history=all", "hostcast.v1.compact");
    feed.hello();
    feed.past();
    let streamed = feed.schema.unwrap();
    assert_eq!(schema["revision"], streamed.revision);
    let series = schema["series"].as_array().unwrap();
    assert!(
        series.iter().map(|series| series["id"].as_str().unwrap()).eq(streamed.series.iter().map(|series| &*series.id))
    );
    for series in series {
        for field in ["id", "name", "unit", "prometheus", "label", "attributes"] {
            assert!(!series[field].is_null(), "{field}: {series}");
        }
    }
    let filtered = daemon.get("/api/v1/schema?metrics=system.memory").json();
    let filtered = filtered["series"].as_array().unwrap();
    assert!(
        !filtered.is_empty()
            && filtered.iter().all(|series| series["name"].as_str().unwrap().starts_with("system.memory"))
    );
}

#[test]
fn the_status_tells_what_the_daemon_does() {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[labels]\nsite = \"fra1\"\n");
    let mut feed = daemon.feed("history=none", "hostcast.v1.json");
    feed.hello();
    feed.past();
    let seq = feed.live().seq;
    let status = daemon.status();
    assert_eq!(status["process"]["pid"], daemon.pid().as_raw_nonzero().get());
    assert!(status["process"]["resident_bytes"].as_u64().unwrap() > 1 << 20, "{status}");
    assert_eq!(status["host"]["labels"], json!({"site": "fra1"}));
    assert_eq!(status["sampler"]["interval_ms"], 100);
    // A tick is counted when it is over, and its sample may be here before.
    assert!(status["sampler"]["ticks"].as_u64().unwrap() + 1 >= seq, "{status}");
    assert_eq!(status["stream"]["subscribers"], 1);
    assert!(status["stream"]["samples_sent"].as_u64().unwrap() >= 1, "{status}");
    assert_eq!(status["connections"]["open"], 2);
    let collectors = status["sampler"]["collectors"].as_array().unwrap();
    let cpu = collectors.iter().find(|collector| collector["name"] == "cpu").unwrap();
    assert_eq!((&cpu["state"], &cpu["failures"]), (&json!("ok"), &json!(0)));
    assert!(status["history"]["samples"].as_u64().unwrap() >= 1, "{status}");
}

#[test]
fn health_is_the_samplers() {
    let daemon = TestDaemon::start();
    let health = daemon.get("/healthz");
    assert_eq!(health.status, 200);
    let health = health.json();
    assert_eq!(health["status"], "ok");
    assert!(health["age_ms"].is_u64());
}

#[test]
fn a_wrong_query_is_answered_with_the_name_of_its_parameter() {
    let pour = Pour::new();
    pour.publish(5);
    let mut http = Http::connect(&pour.address);
    let epoch = pour.hub.epoch();
    for (path, parameter) in [
        ("/api/v1/samples?last=5".to_owned(), "last"),
        ("/api/v1/samples?since=yesterday".to_owned(), "since"),
        (format!("/api/v1/samples?since={epoch}:6"), "since"),
        ("/api/v1/samples?until=soon".to_owned(), "until"),
        ("/api/v1/samples?format=xml".to_owned(), "format"),
        ("/api/v1/samples?follow=yes".to_owned(), "follow"),
        ("/api/v1/samples?follow=true".to_owned(), "follow"),
        ("/api/v1/samples?metrics=cpu".to_owned(), "metrics"),
        ("/api/v1/samples?last=1m&since=1".to_owned(), "last"),
        ("/api/v1/samples?format=csv&format=csv".to_owned(), "format"),
        ("/api/v1/schema?metric=system.cpu".to_owned(), "metric"),
        ("/api/v1/status?verbose".to_owned(), "verbose"),
        ("/healthz?a=b".to_owned(), "a"),
    ] {
        let problem = http.get(&path).problem(400);
        assert_eq!(problem["parameter"], parameter, "{path}: {problem}");
        assert!(problem["error"].as_str().unwrap().contains(parameter), "{path}: {problem}");
    }
}

#[test]
fn what_is_not_there_is_answered_in_the_same_form() {
    let pour = Pour::new();
    let mut http = Http::connect(&pour.address);
    for path in ["/nothing", "/api", "/api/v2/stream", "/assets/", "/../etc/passwd", "/%2e%2e/x", "//"] {
        let problem = http.get(path).problem(404);
        assert!(problem.get("parameter").is_none(), "{problem}");
    }
    for (method, path) in [
        ("POST", "/api/v1/samples"),
        ("DELETE", "/api/v1/status"),
        ("PUT", "/healthz"),
        ("OPTIONS", "/api/v1/schema"),
        ("POST", "/"),
        ("POST", "/api/v1/stream"),
    ] {
        let answer = http.request(method, path, &[("Content-Length", "0")]);
        answer.problem(405);
        assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let daemon = TestDaemon::start();
    daemon.wait_for(1);
    let mut http = daemon.http();
    for path in ["/", "/healthz", "/api/v1/status", "/api/v1/schema", "/api/v1/samples?last=all"] {
        let head = http.request("HEAD", path, &[]);
        let get = http.get(path);
        assert_eq!((head.status, head.header("content-type")), (200, get.header("content-type")), "{path}");
        assert!(!get.body.is_empty());
    }
    assert_eq!(http.request("HEAD", "/nothing", &[]).status, 404);
}

#[test]
fn one_connection_serves_many_requests() {
    let daemon = TestDaemon::start();
    let mut http = daemon.http();
    for _ in 0..100 {
        assert_eq!(http.get("/healthz").status, 200);
    }
    let last = http.request("GET", "/healthz", &[("Connection", "close")]);
    assert_eq!(last.header("connection"), Some("close"));
    http.wait_until_closed();
}

#[test]
fn requests_may_be_sent_before_the_answers_are_read() {
    let daemon = TestDaemon::start();
    let mut http = daemon.http();
    let paths = ["/healthz", "/nothing", "/api/v1/status", "/"];
    for path in paths {
        http.send("GET", path, &[]);
    }
    assert_eq!(paths.map(|_| http.response("GET").status), [200, 404, 200, 200]);
}

#[test]
fn the_status_shows_the_configuration_in_force() {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[labels]\nsite = \"fra1\"\n");
    let status = daemon.status();
    let config: toml::Table = status["config"].as_str().unwrap().parse().unwrap();
    assert_eq!(config["sampler"]["interval"].as_str(), Some("100ms"));
    assert_eq!(config["labels"]["site"].as_str(), Some("fra1"));
    assert_eq!(config["history"]["window"].as_str(), Some("15m"), "defaults are told, too");
}
