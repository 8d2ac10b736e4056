//! The mailboxes alone, with a number in the ring's place.

use std::sync::{Arc, atomic::Ordering};

use shuttle::thread;

use super::mailbox;
use crate::sync::AtomicUsize;

/// One of them, in every order there is.
#[test]
fn in_every_order_a_lane_hears_of_the_last_sample() {
    const SAMPLES: usize = 1;
    shuttle::check_dfs(
        || {
            let ((mailbox, woken), newest) = (mailbox(None), Arc::new(AtomicUsize::new(0)));
            thread::spawn({
                let mailbox = Arc::clone(&mailbox);
                move || {
                    mailbox.comes();
                    mailbox.send(());
                }
            });
            thread::spawn({
                let (mailbox, newest) = (Arc::clone(&mailbox), Arc::clone(&newest));
                move || {
                    for _ in 0..SAMPLES {
                        newest.fetch_add(1, Ordering::SeqCst);
                        mailbox.publish();
                    }
                }
            });
            let mut seen = None;
            // If it is not told of the last one it waits forever, and the scheduler says so.
            while seen != Some(SAMPLES) {
                woken.recv().unwrap();
                let published = mailbox.take_published();
                for () in mailbox.open() {
                    seen = Some(newest.load(Ordering::SeqCst));
                }
                if published && seen.is_some() {
                    seen = Some(newest.load(Ordering::SeqCst));
                }
            }
        },
        None,
    );
}

/// Two mailboxes in a row: the second lane hears of the last sample, whoever comes and goes at the first.
#[test]
fn in_thousands_of_orders_the_next_lane_hears_of_the_last_sample() {
    const SAMPLES: usize = 2;
    let run = || {
        let (second, woken) = mailbox(None);
        let (first, woken_first) = mailbox(Some(&second));
        let newest = Arc::new(AtomicUsize::new(0));
        let first_lane = thread::spawn({
            let first = Arc::clone(&first);
            move || loop {
                woken_first.recv().unwrap();
                if first.open().contains(&"stop") {
                    return;
                }
                first.take_published();
            }
        });
        let visitor = thread::spawn({
            let first = Arc::clone(&first);
            move || {
                first.comes();
                first.send("join");
                first.has_left();
            }
        });
        let sampler = thread::spawn({
            let (first, newest) = (Arc::clone(&first), Arc::clone(&newest));
            move || {
                for _ in 0..SAMPLES {
                    newest.fetch_add(1, Ordering::SeqCst);
                    first.publish();
                }
            }
        });
        second.comes();
        let mut seen = newest.load(Ordering::SeqCst);
        while seen != SAMPLES {
            woken.recv().unwrap();
            if second.take_published() {
                seen = newest.load(Ordering::SeqCst);
            }
        }
        visitor.join().unwrap();
        sampler.join().unwrap();
        first.send("stop");
        first_lane.join().unwrap();
    };
    shuttle::check_random(run, 5_000);
    shuttle::check_pct(run, 5_000, 3);
}
