//! permessage-deflate (RFC 7692): fewer bytes, the same messages, and still one frame for all.

use flate2::{Decompress, FlushDecompress};
use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use hostcast::{
    client::{Client, Event, History},
    config::{Compression, Config},
    protocol::{Message, WireValues},
};

use crate::{
    clients::{python, script},
    support::{
        Address, PATIENCE, Pour, Proxy, Raw, SUBPROTOCOLS, TestDaemon, opcode,
        recorder::{Recorder, accounts_for, target},
        schema, skipped,
    },
};

const OFFER: &str = "permessage-deflate; client_max_window_bits";
const WHOLE_TEXT: u8 = 0x80 | opcode::TEXT;
const WHOLE_COMPRESSED_TEXT: u8 = WHOLE_TEXT | 0x40;

/// A stream for which compression was offered.
fn open(address: &Address, query: &str, subprotocol: &str, offer: &str) -> Raw {
    let lines = format!("Sec-WebSocket-Protocol: {subprotocol}\r\nSec-WebSocket-Extensions: {offer}\r\n");
    Raw::open_with(address.connect(), &Raw::request_with(address, query, &lines))
}

fn extension(raw: &Raw) -> Option<&str> {
    raw.head.lines().find_map(|line| line.strip_prefix("sec-websocket-extensions: "))
}

fn always(config: &mut Config) {
    config.server.compression = Compression::Always;
}

/// One message, by a decompressor that has seen no other.
fn inflated(mut payload: Vec<u8>, window_bits: u8) -> Vec<u8> {
    payload.extend([0x00, 0x00, 0xFF, 0xFF]);
    let mut text = Vec::with_capacity(128 << 10);
    let mut decompress = Decompress::new_with_window_bits(false, window_bits);
    decompress.decompress_vec(&payload, &mut text, FlushDecompress::Sync).unwrap();
    text
}

/// The next text as the server wrote it, and whether it was compressed.
fn text(raw: &mut Raw, window_bits: u8) -> (String, bool) {
    let (first, payload) = raw.try_read_frame().unwrap();
    let text = match first {
        WHOLE_TEXT => payload,
        WHOLE_COMPRESSED_TEXT => inflated(payload, window_bits),
        other => panic!("{other:#x}"),
    };
    (String::from_utf8(text).unwrap(), first == WHOLE_COMPRESSED_TEXT)
}

#[test]
fn a_compressed_stream_has_the_messages_of_a_plain_one() {
    for subprotocol in SUBPROTOCOLS {
        let mut pour = Pour::with(always);
        pour.schema = schema(1, 20);
        pour.publish(700);
        for (offer, window_bits) in [(OFFER, 15), ("permessage-deflate; server_max_window_bits=12", 12)] {
            let mut plain = pour.feed("history=all", subprotocol);
            let mut compressed = open(&pour.address, "history=all", subprotocol, offer);
            assert!(extension(&compressed).unwrap().contains("server_no_context_takeover"), "{}", compressed.head);
            let mut live = 0;
            while live < 5 {
                let expected = plain.text();
                let (text, was_compressed) = text(&mut compressed, window_bits);
                assert_eq!(text, expected);
                match Message::parse(text.as_bytes()).unwrap() {
                    Message::Hello(_) => assert!(!was_compressed, "a hello is for one alone"),
                    Message::Schema(_) => assert!(was_compressed),
                    Message::History(chunk) => {
                        assert_eq!(was_compressed, !chunk.samples.is_empty());
                        if chunk.complete {
                            pour.publish(5);
                        }
                    }
                    Message::Sample(_) => {
                        assert!(was_compressed);
                        live += 1;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn everyone_who_takes_it_compressed_gets_the_same_bytes_whenever_they_came() {
    let mut pour = Pour::with(always);
    pour.schema = schema(1, 20);
    let join = || {
        let mut raw = open(&pour.address, "history=none", "hostcast.v1.json", OFFER);
        // Behind its history it is live: what is published before that is a part of it.
        loop {
            let (first, payload) = raw.try_read_frame().unwrap();
            let text = if first == WHOLE_COMPRESSED_TEXT { inflated(payload, 15) } else { payload };
            if matches!(Message::parse(&text).unwrap(), Message::History(_)) {
                return raw;
            }
        }
    };
    let frame_of = |raw: &mut Raw, seq: u64| loop {
        let (first, payload) = raw.try_read_frame().unwrap();
        if first == WHOLE_COMPRESSED_TEXT
            && let Message::Sample(sample) = Message::parse(&inflated(payload.clone(), 15)).unwrap()
            && sample.seq == seq
        {
            return payload;
        }
    };
    let mut early = join();
    pour.publish(3);
    frame_of(&mut early, 3);
    let mut late = join();
    pour.publish(1);
    assert_eq!(frame_of(&mut early, 4), frame_of(&mut late, 4));
}

#[test]
fn on_one_machine_nothing_is_compressed_unless_it_is_configured() {
    for (config, is_compressed) in [
        ("", false),
        ("[server]\ncompression = \"auto\"\n", false),
        ("[server]\ncompression = \"never\"\n", false),
        ("[server]\ncompression = \"always\"\n", true),
    ] {
        let daemon = TestDaemon::with(config);
        let raw = open(&daemon.address, "history=none", "hostcast.v1.json", OFFER);
        assert_eq!(extension(&raw).is_some(), is_compressed, "{config}");
        let unix = TestDaemon::on_unix_socket(config);
        let raw = open(&unix.address, "history=none", "hostcast.v1.json", OFFER);
        assert_eq!(extension(&raw).is_some(), is_compressed, "{config}");
    }
}

#[test]
fn what_cannot_be_met_is_declined_and_the_stream_is_plain() {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[server]\ncompression = \"always\"\n");
    for offer in ["permessage-deflate; server_max_window_bits=9", "permessage-bzip2", "permessage-deflate; what=ever"] {
        let mut raw = open(&daemon.address, "history=none", "hostcast.v1.json", offer);
        assert_eq!(extension(&raw), None, "{offer}");
        for _ in 0..4 {
            assert_eq!(raw.read().0, opcode::TEXT);
        }
    }
}

#[test]
fn a_compressed_message_from_a_client_is_refused_for_being_a_message() {
    let daemon = TestDaemon::with("[server]\ncompression = \"always\"\n");
    for (first, code) in [(WHOLE_COMPRESSED_TEXT, 1008), (0xC0 | opcode::PING, 1002)] {
        let mut raw = open(&daemon.address, "history=none", "hostcast.v1.json", OFFER);
        raw.send(&Raw::odd_frame(first, true, b""));
        assert_eq!(raw.read_close().0, Some(code));
    }
}

/// The samples up to this one, as our client yields them.
fn followed(url: &str, may_compress: bool, last: u64) -> Vec<Vec<Option<f64>>> {
    let builder = Client::builder(url.parse().unwrap()).history(History::All).compression(may_compress);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut client, mut samples) = (builder.build(), Vec::new());
        loop {
            match tokio::time::timeout(PATIENCE, client.next()).await.unwrap().unwrap() {
                Event::Sample(sample) => {
                    assert_eq!(sample.seq, samples.len() as u64 + 1);
                    let WireValues::Positional(values) = sample.values else { panic!("they are positional") };
                    samples.push(values);
                    if sample.seq == last {
                        return samples;
                    }
                }
                Event::Lost { why, .. } => panic!("{why}"),
                _ => {}
            }
        }
    })
}

#[test]
fn our_client_takes_it_compressed_and_hears_the_same_in_fewer_bytes() {
    let mut pour = Pour::with(always);
    pour.schema = schema(1, 20);
    pour.publish(700);
    let [plain, compressed] = [false, true].map(|may_compress| {
        let proxy = Proxy::healthy(pour.address.tcp());
        let samples = followed(&proxy.url(), may_compress, 700);
        (samples, proxy.bytes())
    });
    assert_eq!(compressed.0, plain.0);
    assert!(compressed.1 * 3 < plain.1 * 2, "{} bytes, and {} compressed", plain.1, compressed.1);
}

#[test]
fn what_comes_compressed_is_recorded_like_anything_else() {
    let mut pour = Pour::with(always);
    pour.schema = schema(1, 20);
    pour.publish(700);
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::start(folder.path(), &[target("web-1", &format!("ws://{}", pour.address))]);
    recorder.wait_for("web-1", 700);
    pour.publish(20);
    recorder.wait_for("web-1", 720);
    recorder.stop();
    assert!(accounts_for(&folder.path().join("web-1"), &pour).is_whole());
}

#[test]
fn our_client_understands_how_others_compress() {
    let Some(python) = python() else {
        skipped("no Python with a venv and the package websockets");
        return;
    };
    let mut server = Command::new(python).arg(script("serve.py")).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = format!("ws://127.0.0.1:{}", said.next().unwrap());
    for (may_compress, extensions) in [(true, "['permessage-deflate']"), (false, "[]")] {
        let samples = followed(&url, may_compress, 60);
        assert_eq!(samples[59][49], Some(60.49));
        assert_eq!(said.next().unwrap(), extensions);
    }
    server.kill().unwrap();
    server.wait().unwrap();
}
