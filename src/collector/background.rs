//! Reads a source that may take its time on a thread of its own.

use std::{
    io,
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};

/// How long a tick waits for the answer: most sources have it by then.
const PATIENCE: Duration = Duration::from_millis(5);

/// A source on its own thread, asked one thing at a time. A thread that hangs is left to itself.
pub(super) struct Background<A> {
    questions: Sender<Duration>,
    answers: Receiver<A>,
    /// Since when the thread has owed an answer.
    asked: Option<Instant>,
}

impl<A: Send + 'static> Background<A> {
    /// Starts the thread; `read` gets the moment of the question on `CLOCK_BOOTTIME`.
    pub(super) fn start(name: &str, mut read: impl FnMut(Duration) -> A + Send + 'static) -> io::Result<Self> {
        let (questions, asked) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        thread::Builder::new().name(name.into()).stack_size(256 << 10).spawn(move || {
            // It ends when the collector has gone, which is the only way for either side to fail.
            while let Ok(now) = asked.recv() {
                if answer.send(read(now)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { questions, answers, asked: None })
    }

    /// The answer if it comes soon; otherwise for how long it has been owed. The next call waits for
    /// the same answer.
    pub(super) fn ask(&mut self, now: Duration) -> Result<A, Duration> {
        let asked = *self.asked.get_or_insert_with(|| {
            // If the thread has died the answer stays owed, and that is reported.
            let _ = self.questions.send(now);
            Instant::now()
        });
        let answer = self.answers.recv_timeout(PATIENCE).map_err(|_| asked.elapsed())?;
        self.asked = None;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_takes_long_is_had_later_and_asked_for_once() {
        let (release, released) = mpsc::channel();
        let mut background = Background::start("slow", move |now| {
            released.recv().expect("the test releases each");
            now
        })
        .expect("a thread");
        assert!(background.ask(Duration::from_secs(1)).is_err());
        assert!(background.ask(Duration::from_secs(2)).is_err());
        release.send(()).expect("the thread waits");
        let answer = std::iter::repeat_with(|| background.ask(Duration::from_secs(3))).find_map(Result::ok);
        assert_eq!(answer, Some(Duration::from_secs(1)));
        assert!(background.ask(Duration::from_secs(4)).is_err(), "the next question is another one");
    }
}
