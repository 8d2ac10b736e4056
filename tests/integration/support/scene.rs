//! Someone misbehaves, and someone else must not notice.

use super::{Account, Feed, TestDaemon};

/// A daemon and a subscriber who must not notice what others do to it.
pub(crate) struct Scene {
    pub(crate) daemon: TestDaemon,
    bystander: Feed,
    account: Account,
}

impl Scene {
    pub(crate) fn set(config: &str) -> Self {
        let daemon = TestDaemon::with(&format!("[sampler]\ninterval = \"100ms\"\n{config}"));
        let mut bystander = daemon.feed("history=none", "hostcast.v1.json");
        let hello = bystander.hello();
        let mut account = Account::from(hello.epoch, hello.next_seq);
        // What is taken between its hello and its turn.
        bystander.past().iter().for_each(|sample| account.sample(sample));
        Self { daemon, bystander, account }
    }

    /// That the daemon still serves newcomers, and the one who was there all the time: with every sample so far.
    pub(crate) fn others_are_served(&mut self, after: &str) {
        self.account.sample(&self.bystander.live());
        let health = self.daemon.get("/healthz");
        assert_eq!(health.status, 200, "after {after}: {health:?}");
        let mut newcomer = self.daemon.feed("history=all", "hostcast.v1.compact");
        let so_far = newcomer.hello().next_seq;
        assert!(!newcomer.past().is_empty(), "after {after}");
        newcomer.close();
        while self.account.next < so_far {
            self.account.sample(&self.bystander.live());
        }
    }
}
