use std::{sync::mpsc, time::Duration};

use super::*;
use crate::{
    config::{HistoryConfig, Limits},
    protocol::{Encoding, Heartbeat, MetricFilter},
    server::{
        connections::Connections,
        views::{Views, Wishes},
    },
};

/// Waits until every lane has moved again.
fn come_round(streams: &Streams) {
    while !streams.has_moved() {
        thread::yield_now();
    }
}

#[test]
fn a_lane_that_hangs_is_noticed() {
    let hub = Hub::new(&HistoryConfig::default());
    let second = Duration::from_secs(1);
    let settings =
        Settings { heartbeat: second, ping_interval: second, stall_timeout: second, retry_ms: 1, is_replay: false };
    let streams = Streams::start(&hub, &settings, &OnDeath::new(|last_words| panic!("{last_words}"))).unwrap();
    come_round(&streams);
    come_round(&streams);

    let (entered, hanging) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let _guard = runtime.enter();
    let (ours, _theirs) = tokio::net::UnixStream::pair().unwrap();
    let wishes =
        Wishes { encoding: Encoding::Json, metrics: MetricFilter::default(), buckets: None, is_compressed: false };
    streams.join(Newcomer {
        socket: Socket::from_unix(ours).unwrap(),
        slot: Connections::new(&Limits::default()).admit(None).unwrap(),
        view: Views::new(hub, 1 << 20).get(wishes).unwrap(),
        start: Start::Live,
        may_read: Box::new(|| true),
        hello: Box::new(move |_| {
            entered.send(()).unwrap();
            released.recv().unwrap();
            Message::Heartbeat(Heartbeat { seq: 0, time: 0 })
        }),
        early: bytes::Bytes::new(),
    });
    hanging.recv().unwrap();
    streams.has_moved();
    for _ in 0..3 {
        assert!(!streams.has_moved());
    }
    release.send(()).unwrap();
    come_round(&streams);
}
