//! Many subscribers of one view: all of them get the same, and none gets it first for long.

use rustix::process::Signal;

use crate::support::{Account, Feed, TestDaemon, eventually};

#[test]
fn a_hundred_subscribers_hear_the_same() {
    let daemon = TestDaemon::start();
    daemon.wait_for(2);
    let mut feeds: Vec<Feed> = (0..100).map(|_| daemon.feed("history=none", "hostcast.v1.compact")).collect();
    let starts: Vec<_> = feeds.iter_mut().map(|feed| feed.hello().next_seq).collect();
    let common = *starts.iter().max().unwrap();
    let mut heard = feeds.iter_mut().zip(starts).map(|(feed, start)| {
        // What is taken between its hello and its turn comes as history.
        let mut samples = feed.past();
        samples.extend((start + samples.len() as u64..=common + 2).map(|_| feed.live()));
        assert!(samples.iter().map(|sample| sample.seq).eq(start..=common + 2));
        samples[samples.len() - 3..].to_vec()
    });
    let first = heard.next().unwrap();
    assert!(heard.all(|samples| samples == first));
}

/// Until every thread of the daemon stands still.
fn stop(daemon: &TestDaemon) {
    daemon.signal(Signal::STOP);
    let tasks = format!("/proc/{}/task", daemon.pid().as_raw_nonzero());
    eventually("the daemon stands still", || {
        std::fs::read_dir(&tasks).unwrap().all(|task| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
            // The state stands behind the name, which is in brackets.
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        })
    });
}

#[test]
fn at_any_moment_all_subscribers_of_a_view_have_had_as_many_samples_give_or_take_one() {
    const SUBSCRIBERS: usize = 200;
    const ROUNDS: usize = 4;
    const SAMPLES: u64 = 5;
    let daemon = TestDaemon::with("[sampler]\ninterval = \"250ms\"\n");
    let mut subscribers: Vec<(Feed, Account)> = (0..SUBSCRIBERS)
        .map(|_| {
            let mut feed = daemon.feed("history=none&metrics=system.cpu.utilization", "hostcast.v1.compact");
            let hello = feed.hello();
            (feed, Account::from(hello.epoch, hello.next_seq))
        })
        .collect();
    for (feed, account) in &mut subscribers {
        // Time goes by in one of them only: whatever has come for the others by then waits in their sockets.
        account.message(&feed.message());
    }
    for round in 0..ROUNDS {
        // Another one each time, because who is written to first may depend on when they came.
        let (feed, account) = &mut subscribers[round * (SUBSCRIBERS - 1) / (ROUNDS - 1)];
        let last = account.next + SAMPLES;
        while account.next < last {
            account.message(&feed.message());
        }
        stop(&daemon);
        for (feed, account) in &mut subscribers {
            feed.arrived().iter().for_each(|message| account.message(message));
            assert_eq!(account.missing, []);
        }
        daemon.signal(Signal::CONT);
        let next = subscribers.iter().map(|(_, account)| account.next);
        let (fewest, most) = (next.clone().min().unwrap(), next.max().unwrap());
        assert!(most - fewest <= 1, "some have had up to {fewest}, some up to {most}");
    }
}
