//! HTTP beside the stream: samples for curl and scripts, the daemon's own state, the dashboard.

use std::{
    io::BufRead,
    process::{Command, Stdio},
};

use hostcast::protocol::{Message, WireSample};
use serde_json::{Value, json};

use crate::support::{Account, Http, Pour, Response, SUBPROTOCOLS, TestDaemon, WIDE, room_for, schema};

fn samples(document: &Value) -> Vec<WireSample> {
    serde_json::from_value(document["samples"].clone()).unwrap()
}

fn messages(lines: &str) -> Vec<Message> {
    lines.lines().map(|line| Message::parse(line.as_bytes()).unwrap()).collect()
}

/// The numbers in the first column of a CSV.
fn first_column(table: &str) -> Vec<u64> {
    table.lines().skip(1).map(|row| row.split(',').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn samples_come_as_one_document_as_lines_or_as_a_table() {
    let pour = Pour::new();
    pour.publish(100);
    let mut http = Http::connect(&pour.address);

    let answer = http.get("/api/v1/samples");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let document = answer.json();
    assert_eq!(document["epoch"], pour.hub.epoch().to_string());
    assert_eq!((&document["interval_ms"], &document["gaps"]), (&json!(1_000), &json!([])));
    assert_eq!((&document["oldest_seq"], &document["next_seq"]), (&json!(1), &json!(101)));
    let in_document = samples(&document);
    assert!(in_document.iter().map(|sample| sample.seq).eq(1..=100));
    pour.check(&in_document);

    let answer = http.get("/api/v1/samples?format=ndjson");
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let in_lines = messages(answer.text()).into_iter().map(|message| match message {
        Message::Sample(sample) => sample,
        other => panic!("{other:?}"),
    });
    assert!(in_lines.eq(in_document));

    let answer = http.get("/api/v1/samples?format=csv");
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(answer.header("hostcast-gap"), None);
    let table = answer.text();
    assert!(table.starts_with(
        "seq,time,elapsed_ms,missed_ticks,missed_reason,system.uptime,\
         system.cpu.utilization{cpu.logical_number=0},system.cpu.utilization{cpu.logical_number=1}\r\n\
         1,1,1,0,,1,0.0002,0.0003\r\n2,2,1,0,,2,0.0003,0.0004\r\n"
    ));
    assert!(first_column(table).into_iter().eq(1..=100));
}

#[test]
fn samples_are_chosen_by_position_time_age_and_metric() {
    let pour = Pour::new();
    pour.publish(1_000);
    let mut http = Http::connect(&pour.address);
    let epoch = pour.hub.epoch();
    for (query, expected) in [
        ("last=100ms".to_owned(), 900..=1_000),
        ("last=all".to_owned(), 1..=1_000),
        (format!("since={epoch}:990"), 991..=1_000),
        // `Pour` takes its first sample a millisecond after 1970 began, and each next one a millisecond later.
        ("since=1970-01-01T00:00:00.500Z".to_owned(), 500..=1_000),
        ("since=500&until=510".to_owned(), 500..=509),
        ("until=4".to_owned(), 1..=3),
    ] {
        let document = http.get(&format!("/api/v1/samples?{query}")).json();
        let seqs: Vec<_> = samples(&document).iter().map(|sample| sample.seq).collect();
        assert!(seqs.iter().copied().eq(expected), "{query}: {:?}..{:?}", seqs.first(), seqs.last());
    }
    let document = http.get("/api/v1/samples?until=2&metrics=system.uptime").json();
    assert_eq!(document["samples"][0]["values"], json!({"system.uptime": 1}));
    assert_eq!(http.get("/api/v1/samples?last=none").json()["samples"], json!([]));
    let table = http.get("/api/v1/samples?until=2&metrics=system.uptime&format=csv").text().to_owned();
    assert_eq!(table, "seq,time,elapsed_ms,missed_ticks,missed_reason,system.uptime\r\n1,1,1,0,,1\r\n");
}

#[test]
fn a_quoted_column_keeps_its_comma() {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[collectors.network]\nexclude = []\n");
    daemon.wait_for(1);
    let answer = daemon.get("/api/v1/samples?format=csv&metrics=system.network.io");
    let head = answer.text().lines().next().unwrap();
    assert!(head.contains(r#","system.network.io{network.interface.name=lo,network.io.direction=receive}""#), "{head}");
}

#[test]
fn what_is_missing_is_named_in_every_format() {
    let room = room_for(50);
    let pour = Pour::with(|config| config.history.max_bytes = room);
    pour.publish(1_000);
    let mut http = Http::connect(&pour.address);
    let epoch = pour.hub.epoch();
    let since = format!("since={epoch}:7");

    let document = http.get(&format!("/api/v1/samples?{since}")).json();
    let gap = &document["gaps"][0];
    let first = samples(&document)[0].seq;
    assert_eq!(*gap, json!({"epoch": epoch, "from_seq": 8, "to_seq": first - 1, "reason": "evicted"}));
    assert!(samples(&document).iter().map(|sample| sample.seq).eq(first..=1_000));

    let lines = http.get(&format!("/api/v1/samples?{since}&format=ndjson"));
    let mut account = Account::from(epoch, 8);
    for message in messages(lines.text()) {
        account.message(&message);
    }
    assert_eq!((account.next, account.missing()), (1_001, first - 8));

    let table = http.get(&format!("/api/v1/samples?{since}&format=csv"));
    let in_head: Value = serde_json::from_str(table.header("hostcast-gap").unwrap()).unwrap();
    assert_eq!(in_head, *gap);
    assert!(first_column(table.text()).into_iter().eq(first..=1_000));

    let restarted = http.get("/api/v1/samples?since=0123456789abcdef:41").json();
    let oldest = samples(&restarted)[0].seq;
    let expected = json!([
        {"epoch": "0123456789abcdef", "from_seq": 42, "to_seq": null, "reason": "restarted"},
        {"epoch": epoch, "from_seq": 1, "to_seq": oldest - 1, "reason": "evicted"},
    ]);
    assert_eq!(restarted["gaps"], expected);
}

#[test]
fn a_follower_gets_the_past_and_then_each_sample() {
    for format in ["ndjson", "csv"] {
        let pour = Pour::new();
        pour.publish(10);
        let mut http = Http::connect(&pour.address);
        let (_, rest) = http.follow(&format!("/api/v1/samples?format={format}&follow=true"));
        let mut lines = rest.lines().map(Result::unwrap).skip(usize::from(format == "csv"));
        let mut next = || match (format, lines.next().unwrap()) {
            ("csv", row) => row.split(',').next().unwrap().parse().unwrap(),
            (_, line) => match Message::parse(line.as_bytes()).unwrap() {
                Message::Sample(sample) => sample.seq,
                other => panic!("{other:?}"),
            },
        };
        assert!((0..10).map(|_| next()).eq(1..=10));
        for seq in 11..=60 {
            pour.publish(1);
            assert_eq!(next(), seq, "{format}");
        }
    }
}

#[test]
fn a_follower_that_does_not_read_is_told_what_it_missed() {
    let mut pour = Pour::with(|config| config.history.max_bytes = 4 << 20);
    pour.schema = schema(1, WIDE);
    pour.publish(1);
    let mut http = Http::over(pour.address.connect_with_small_buffer(), &pour.address);
    let (_, rest) = http.follow("/api/v1/samples?format=ndjson&follow=true&last=all");
    // Some 60 MB as JSON, of which the ring holds a few.
    pour.publish(3_000);
    let mut account = Account::from(pour.hub.epoch(), 1);
    for line in rest.lines() {
        account.message(&Message::parse(line.unwrap().as_bytes()).unwrap());
        if account.next > 3_000 {
            break;
        }
    }
    assert!(account.missing() > 0 && account.seen > 1, "{account:?}");
}

#[test]
fn curl_follows_the_feed() {
    let daemon = TestDaemon::start();
    let url = format!("http://{}/api/v1/samples?format=ndjson&follow=true&last=none", daemon.address);
    let mut command = Command::new("curl");
    let Ok(mut curl) = command.args(["-sN", &url]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn() else {
        crate::support::skipped("curl is not installed");
        return;
    };
    let lines = std::io::BufReader::new(curl.stdout.take().unwrap()).lines();
    let samples = lines.take(5).map(|line| match Message::parse(line.unwrap().as_bytes()).unwrap() {
        Message::Sample(sample) => sample.seq,
        other => panic!("{other:?}"),
    });
    let seqs: Vec<_> = samples.collect();
    assert!(seqs.iter().copied().eq(seqs[0]..seqs[0] + 5), "{seqs:?}");
    curl.kill().unwrap();
    curl.wait().unwrap();
}

#[test]
fn a_long_answer_is_whole() {
    let mut pour = Pour::new();
    pour.schema = schema(1, WIDE);
    pour.publish(300);
    let mut http = Http::connect(&pour.address);
    let answer = http.get("/api/v1/samples?last=all");
    assert!(answer.body.len() > 4 << 20, "{} bytes", answer.body.len());
    let samples = samples(&answer.json());
    assert_eq!(samples.len(), 300);
    pour.check(&samples);
    assert!(first_column(http.get("/api/v1/samples?last=all&format=csv").text()).into_iter().eq(1..=300));
}

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

#[test]
fn the_status_shows_the_configuration_in_force() {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[labels]\nsite = \"fra1\"\n");
    let status = daemon.status();
    let config: toml::Table = status["config"].as_str().unwrap().parse().unwrap();
    assert_eq!(config["sampler"]["interval"].as_str(), Some("100ms"));
    assert_eq!(config["labels"]["site"].as_str(), Some("fra1"));
    assert_eq!(config["history"]["window"].as_str(), Some("15m"), "defaults are told, too");
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

#[test]
fn a_follower_and_a_subscriber_see_the_same() {
    let daemon = TestDaemon::start();
    daemon.wait_for(3);
    for subprotocol in SUBPROTOCOLS {
        let mut feed = daemon.feed("history=all", subprotocol);
        let hello = feed.hello();
        let streamed: Vec<_> = feed.past().iter().map(|sample| (sample.seq, sample.time)).collect();
        let last = streamed.last().unwrap().0;
        let document = daemon.get(&format!("/api/v1/samples?since={}:0", hello.epoch)).json();
        let asked = samples(&document).into_iter().map(|sample| (sample.seq, sample.time));
        assert!(asked.take_while(|(seq, _)| *seq <= last).eq(streamed));
    }
}

#[test]
fn a_table_that_is_asked_for_before_the_first_sample_has_every_column() {
    let pour = Pour::new();
    let mut http = Http::connect(&pour.address);
    let (_, mut rest) = http.follow("/api/v1/samples?format=csv&follow=true");
    pour.publish(1);
    let mut header = String::new();
    rest.read_line(&mut header).unwrap();
    assert_eq!(header.trim_end().split(',').nth(5), Some("system.uptime"), "{header}");
}
