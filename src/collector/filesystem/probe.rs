//! Asks filesystems for their usage, without waiting for one that does not answer.
//!
//! One thread asks them in turn. If it does not come back from one within [`GRACE`], it is left
//! behind and another takes over the rest. When it does come back, its answer counts, and it goes
//! on if the other has left in the meantime, or ends. So no thread is started as long as all
//! answer, and at most [`MOST_LEFT_BEHIND`] hang.

use std::{
    collections::VecDeque,
    io, mem,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How long one filesystem may take before the others stop waiting for it: a healthy one takes
/// microseconds.
const GRACE: Duration = Duration::from_millis(3);

/// How long a reading waits in all.
const PATIENCE: Duration = Duration::from_millis(12);

/// Threads that may hang at one time. With more filesystems dead, the rest has to wait as well.
const MOST_LEFT_BEHIND: usize = 16;

/// Space on a filesystem, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// Taken.
    pub(super) used: u64,
    /// For anybody to take.
    pub(super) free: u64,
    /// For root alone.
    pub(super) reserved: u64,
}

/// The usage of the filesystem at `path`, which may take forever.
pub(super) fn statvfs(path: &Path) -> io::Result<Usage> {
    let stat = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Ok(Usage {
        used: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
        free: bytes(stat.f_bavail),
        reserved: bytes(stat.f_bfree.saturating_sub(stat.f_bavail)),
    })
}

/// The answer to a question.
pub(super) struct Answer {
    pub(super) question: u64,
    pub(super) usage: io::Result<Usage>,
}

/// The threads that ask.
pub(super) struct Prober(Arc<Shared>);

/// How a filesystem is asked.
type Probe = dyn Fn(&Path) -> io::Result<Usage> + Send + Sync;

struct Shared {
    probe: Box<Probe>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    questions: VecDeque<(u64, PathBuf)>,
    answers: Vec<Answer>,
    /// The thread on duty, and since when it has been busy with one question.
    on_duty: Option<u64>,
    busy: Option<Instant>,
    started: u64,
    left_behind: usize,
    closed: bool,
}

impl Prober {
    pub(super) fn new(probe: impl Fn(&Path) -> io::Result<Usage> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared { probe: Box::new(probe), state: Mutex::default(), changed: Condvar::new() }))
    }

    /// Puts a question; its answer is one of the next [`answers`](Self::answers), or of a later one.
    pub(super) fn ask(&mut self, question: u64, path: &Path) {
        self.0.lock().questions.push_back((question, path.to_owned()));
    }

    /// Waits briefly until all questions are answered, and returns the answers there are.
    pub(super) fn answers(&mut self) -> io::Result<Vec<Answer>> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.0.lock();
        self.0.changed.notify_all();
        while !state.questions.is_empty() || state.busy.is_some() {
            let overdue = state.busy.map(|since| since + GRACE);
            let now = Instant::now();
            if overdue.is_some_and(|overdue| now >= overdue) && state.left_behind < MOST_LEFT_BEHIND {
                state.left_behind += 1;
                state.on_duty = None;
                state.busy = None;
            } else if state.on_duty.is_none() {
                self.start_thread(&mut state)?;
            } else if now >= deadline {
                break;
            } else {
                let until = overdue.filter(|overdue| *overdue > now).unwrap_or(deadline).min(deadline);
                let waited = self.0.changed.wait_timeout(state, until - now);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        Ok(mem::take(&mut state.answers))
    }

    fn start_thread(&self, state: &mut State) -> io::Result<()> {
        let number = state.started + 1;
        let shared = Arc::clone(&self.0);
        let thread = thread::Builder::new().name("statvfs".to_owned()).stack_size(128 << 10);
        thread.spawn(move || shared.work(number))?;
        state.started = number;
        state.on_duty = Some(number);
        Ok(())
    }
}

impl Drop for Prober {
    /// Ends the threads; one that hangs ends when it comes back, since nothing can be done about it.
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    /// A thread that panicked left the state whole: nothing panics while it is locked.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, me: u64) {
        let mut state = self.lock();
        while !state.closed && *state.on_duty.get_or_insert(me) == me {
            let Some((question, path)) = state.questions.pop_front() else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.busy = Some(Instant::now());
            drop(state);
            let usage = (self.probe)(&path);
            state = self.lock();
            if state.on_duty == Some(me) {
                state.busy = None;
            } else {
                state.left_behind -= 1;
            }
            state.answers.push(Answer { question, usage });
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SOME: Usage = Usage { used: 1, free: 2, reserved: 3 };

    /// Answers at once, but for paths that begin with `hung`: those wait for the gate.
    fn gated() -> (Prober, mpsc::Sender<()>) {
        let (open, gate) = mpsc::channel();
        let gate = Mutex::new(gate);
        let probe = move |path: &Path| {
            if path.to_string_lossy().starts_with("hung") {
                gate.lock().expect("a gate").recv().ok();
            }
            Ok(SOME)
        };
        (Prober::new(probe), open)
    }

    /// Reads until `count` more answers came.
    fn wait_for(prober: &mut Prober, count: usize) -> Vec<u64> {
        let mut questions = Vec::new();
        let limit = Instant::now() + Duration::from_secs(10);
        while questions.len() < count && Instant::now() < limit {
            questions.extend(prober.answers().expect("threads").iter().map(|answer| answer.question));
        }
        questions.sort_unstable();
        questions
    }

    #[test]
    fn one_thread_serves_all_readings() {
        let (mut prober, _gate) = gated();
        for reading in 0..20 {
            for question in 0..5 {
                prober.ask(reading * 5 + question, Path::new("fine"));
            }
            assert_eq!(wait_for(&mut prober, 5).len(), 5);
        }
        // Starved of a processor for long, a healthy thread may be taken for one that hangs.
        assert!(prober.0.lock().started <= 3, "{}", prober.0.lock().started);
    }

    #[test]
    fn those_that_hang_do_not_keep_the_others_and_count_again_when_they_return() {
        let (mut prober, gate) = gated();
        for (question, path) in [(1, "fine"), (2, "hung"), (3, "fine"), (4, "hung too"), (5, "fine")] {
            prober.ask(question, Path::new(path));
        }
        assert_eq!(wait_for(&mut prober, 3), [1, 3, 5]);
        let start = Instant::now();
        assert_eq!(prober.answers().expect("threads").len(), 0);
        assert!(start.elapsed() < Duration::from_secs(1));

        gate.send(()).expect("a thread that waits");
        gate.send(()).expect("a thread that waits");
        assert_eq!(wait_for(&mut prober, 2), [2, 4]);
        assert_eq!(prober.0.lock().left_behind, 0);
        prober.ask(6, Path::new("fine"));
        assert_eq!(wait_for(&mut prober, 1), [6]);
    }

    #[test]
    fn the_number_of_threads_that_hang_is_bounded() {
        let (mut prober, gate) = gated();
        let many = 2 * MOST_LEFT_BEHIND as u64;
        for question in 0..many {
            prober.ask(question, Path::new("hung"));
        }
        let limit = Instant::now() + Duration::from_secs(10);
        while prober.0.lock().left_behind < MOST_LEFT_BEHIND && Instant::now() < limit {
            let start = Instant::now();
            assert_eq!(prober.answers().expect("threads").len(), 0);
            assert!(start.elapsed() < Duration::from_secs(1));
        }
        prober.answers().expect("threads");
        let state = prober.0.lock();
        assert_eq!((state.left_behind, state.started), (MOST_LEFT_BEHIND, MOST_LEFT_BEHIND as u64 + 1));
        drop(state);
        drop(gate);
        assert_eq!(wait_for(&mut prober, many as usize).len(), many as usize);
    }

    #[test]
    fn threads_end_with_the_prober() {
        let (mut prober, _gate) = gated();
        prober.ask(1, Path::new("fine"));
        wait_for(&mut prober, 1);
        let shared = Arc::downgrade(&prober.0);
        drop(prober);
        let limit = Instant::now() + Duration::from_secs(10);
        while shared.strong_count() > 0 && Instant::now() < limit {
            thread::yield_now();
        }
        assert_eq!(shared.strong_count(), 0);
    }
}
