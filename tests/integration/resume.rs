//! Going on after a break: whole, or with a gap that names exactly what is missing.

use hostcast::{
    history::Position,
    hub::{Gap, GapReason},
    protocol::Message,
};
use proptest::{prelude::*, test_runner::TestCaseResult};

use crate::support::{Account, Feed, Pour, SUBPROTOCOLS, TestDaemon, reading, room_for, schema};

#[test]
fn a_resume_within_the_ring_is_whole_and_repeats_nothing() {
    let pour = Pour::new();
    for subprotocol in SUBPROTOCOLS {
        pour.publish(100);
        let mut feed = pour.feed("history=all", subprotocol);
        let hello = feed.hello();
        let mut account = Account::from(hello.epoch, 1);
        pour.read_up_to(pour.newest(), &mut feed, &mut account);
        for _ in 0..10 {
            feed.close();
            pour.publish(37);
            feed = pour.feed(&format!("since={}", account.position()), subprotocol);
            assert_eq!(feed.hello().epoch, hello.epoch);
            pour.publish(5);
            pour.read_up_to(pour.newest(), &mut feed, &mut account);
        }
        assert_eq!(account.missing, []);
    }
}

#[test]
fn a_resume_at_the_newest_sample_gets_an_empty_history_and_the_next_one() {
    let pour = Pour::new();
    pour.publish(10);
    let mut feed = pour.feed(&format!("since={}:10", pour.hub.epoch()), "hostcast.v1.json");
    feed.hello();
    assert_eq!(feed.past(), []);
    pour.publish(1);
    assert_eq!(feed.live().seq, 11);
}

#[test]
fn a_position_before_the_first_sample_means_everything() {
    let pour = Pour::new();
    pour.publish(10);
    let mut feed = pour.feed(&format!("since={}:0", pour.hub.epoch()), "hostcast.v1.json");
    feed.hello();
    assert!(feed.past().iter().map(|sample| sample.seq).eq(1..=10));
}

#[test]
fn what_was_evicted_is_named_exactly_and_the_rest_follows() {
    let room = room_for(50);
    let pour = Pour::with(|config| config.history.max_bytes = room);
    pour.publish(1_000);
    for subprotocol in SUBPROTOCOLS {
        let mut feed = pour.feed(&format!("since={}:7", pour.hub.epoch()), subprotocol);
        let hello = feed.hello();
        let Message::Gap(gap) = feed.message() else { panic!("a gap comes before everything else") };
        let oldest = gap.to_seq.unwrap() + 1;
        assert_eq!(gap, Gap { epoch: hello.epoch, from_seq: 8, to_seq: gap.to_seq, reason: GapReason::Evicted });
        assert!(oldest <= hello.oldest_seq, "nothing that is on offer may be called evicted");
        assert!(pour.hub.get(oldest - 1).is_none(), "it was still there");
        let past = feed.past();
        assert!(past.iter().map(|sample| sample.seq).eq(oldest..=1_000), "{:?}", past.first());
        pour.check(&past);
    }
}

#[test]
fn after_a_restart_the_gap_is_open_and_the_new_ring_follows() {
    let daemon = TestDaemon::start();
    daemon.wait_for(3);
    let mut feed = daemon.feed("history=all", "hostcast.v1.json");
    let old = feed.hello().epoch;
    let seen = feed.past().last().unwrap().seq;
    let daemon = daemon.kill_and_restart();
    daemon.wait_for(2);

    for subprotocol in SUBPROTOCOLS {
        let mut feed = daemon.feed(&format!("since={}", Position { epoch: old, seq: seen }), subprotocol);
        let hello = feed.json();
        assert_ne!(hello["epoch"], old.to_string());
        assert_eq!(
            feed.json(),
            serde_json::json!({
                "type": "gap",
                "epoch": old.to_string(),
                "from_seq": seen + 1,
                "to_seq": null,
                "reason": "restarted",
            })
        );
        let past = feed.past();
        assert!(past.len() >= 2 && past.iter().map(|sample| sample.seq).eq(1..=past.len() as u64));
        assert_eq!(feed.live().seq, past.len() as u64 + 1);
    }
}

#[test]
fn a_position_of_another_epoch_is_never_taken_for_one_of_ours() {
    let pour = Pour::new();
    pour.publish(5);
    // In the future of this ring, but not of that one.
    let mut feed = pour.feed("since=0123456789abcdef:18446744073709551615", "hostcast.v1.compact");
    feed.hello();
    let Message::Gap(gap) = feed.message() else { panic!("a gap comes before everything else") };
    assert_eq!((gap.from_seq, gap.to_seq, gap.reason), (u64::MAX, None, GapReason::Restarted));
    assert!(feed.past().iter().map(|sample| sample.seq).eq(1..=5));
}

/// One thing that happens between a ring and its clients.
#[derive(Clone, Copy, Debug)]
enum Step {
    Publish(u64),
    /// A client comes, or comes back to where it left off.
    Connect(usize),
    /// A client reads up to this many messages.
    Read(usize, usize),
    Disconnect(usize),
}

fn steps(clients: usize, length: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1..40_u64).prop_map(Step::Publish),
        2 => (0..clients).prop_map(Step::Connect),
        3 => (0..clients, 1..60_usize).prop_map(|(client, messages)| Step::Read(client, messages)),
        1 => (0..clients).prop_map(Step::Disconnect),
    ];
    prop::collection::vec(step, 1..length)
}

/// A client of a `Pour`, on and off.
struct Client {
    account: Account,
    feed: Option<Feed>,
}

impl Client {
    fn connect(&mut self, pour: &Pour, subprotocol: &str) {
        if self.feed.is_none() {
            self.feed = Some(pour.feed(&format!("since={}", self.account.position()), subprotocol));
        }
    }

    /// Reads as long as there is something that must come, but at most `messages`.
    fn read(&mut self, pour: &Pour, messages: usize) {
        let Some(feed) = &mut self.feed else { return };
        for _ in 0..messages {
            if self.account.next > pour.newest() {
                return;
            }
            self.account.message(&feed.message());
        }
    }
}

fn clients_account_for_everything(steps: &[Step], room: u64, subprotocol: &str) -> TestCaseResult {
    let pour = Pour::with(|config| {
        config.history.max_bytes = room;
        config.server.limits.max_backlog_bytes = 4 << 10;
    });
    let account = || Account::from(pour.hub.epoch(), 1);
    let mut clients: Vec<_> = (0..3).map(|_| Client { account: account(), feed: None }).collect();
    for step in steps {
        match *step {
            Step::Publish(count) => pour.publish(count),
            Step::Connect(client) => clients[client].connect(&pour, subprotocol),
            Step::Read(client, messages) => clients[client].read(&pour, messages),
            Step::Disconnect(client) => clients[client].feed = None,
        }
    }
    for client in &mut clients {
        client.connect(&pour, subprotocol);
        client.read(&pour, usize::MAX);
        let Account { next, seen, .. } = client.account;
        prop_assert_eq!((next, seen + client.account.missing()), (pour.newest() + 1, pour.newest()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever comes, reads slowly, goes and comes back: what they saw and the gaps that were named
    /// are together every sample from the first to the newest, in order, each once.
    #[test]
    fn what_was_seen_and_what_was_named_missing_is_everything(
        steps in steps(3, 60),
        room in 5..100_usize,
        compact: bool,
    ) {
        clients_account_for_everything(&steps, room_for(room), SUBPROTOCOLS[usize::from(compact)])?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same of the ring alone, where far more can be tried.
    #[test]
    fn a_ring_accounts_for_everything(steps in steps(3, 200), room in 1..100_usize) {
        use hostcast::{config::HistoryConfig, hub::{Hub, Start}};
        let schema = schema(1, 2);
        let config = HistoryConfig { max_bytes: room_for(room), ..HistoryConfig::default() };
        let hub = Hub::new(&config);
        let mut accounts: Vec<_> = (0..3).map(|_| Account::from(hub.epoch(), 1)).collect();
        let mut connected = [false; 3];
        let read = |hub: &Hub, account: &mut Account, limit| {
            let run = hub.run(account.next, limit);
            if let Some(lost) = run.lost {
                account.message(&Message::Gap(Gap {
                    epoch: hub.epoch(),
                    from_seq: *lost.start(),
                    to_seq: Some(*lost.end()),
                    reason: GapReason::Slow,
                }));
            }
            for sample in &run.samples {
                assert_eq!(sample.seq, account.next);
                account.next += 1;
                account.seen += 1;
            }
            run.reaches_newest
        };
        for step in steps {
            match step {
                Step::Publish(count) => {
                    for _ in 0..count {
                        hub.publish(reading(hub.next_seq(), &schema));
                    }
                }
                Step::Connect(client) if !connected[client] => {
                    connected[client] = true;
                    let joined = hub.join(Start::After(accounts[client].position())).unwrap();
                    for gap in joined.gaps {
                        accounts[client].message(&Message::Gap(gap));
                    }
                    prop_assert_eq!(joined.cursor, accounts[client].next);
                }
                Step::Read(client, messages) if connected[client] => {
                    read(&hub, &mut accounts[client], messages);
                }
                Step::Disconnect(client) => connected[client] = false,
                Step::Connect(_) | Step::Read(..) => {}
            }
        }
        for account in &mut accounts {
            while !read(&hub, account, 64) {}
            prop_assert_eq!((account.next, account.seen + account.missing()), (hub.next_seq(), hub.next_seq() - 1));
        }
    }
}
