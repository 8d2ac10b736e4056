//! What waits to be written to one socket.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Write},
};

use bytes::{Buf, Bytes};

use super::frame;

/// Frames in order, the first perhaps written in part. The bytes are shared with every subscriber
/// that waits for the same frame.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: VecDeque<Bytes>,
    /// Whether the first frame has been begun, and so must be finished before anything else.
    begun: bool,
}

/// What came of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    /// Everything was taken.
    Done,
    /// The socket takes no more for now.
    Blocked,
}

impl Outbox {
    /// Appends a frame.
    pub(super) fn push(&mut self, frame: Bytes) {
        self.frames.push_back(frame);
    }

    /// Puts a ping before the messages that wait, as RFC 6455 allows.
    pub(super) fn push_ping(&mut self, ping: Bytes) {
        self.frames.insert(self.first_waiting(), ping);
    }

    /// Puts a pong before the messages that wait. It takes the place of one that has not been begun:
    /// of several unanswered pings only the newest needs an answer (section 5.5.3), so a client that
    /// pings and does not read makes nothing grow.
    pub(super) fn push_pong(&mut self, pong: Bytes) {
        let index = self.first_waiting();
        match self.frames.get_mut(index) {
            Some(waiting) if frame::is_pong(waiting) => *waiting = pong,
            _ => self.frames.insert(index, pong),
        }
    }

    fn first_waiting(&self) -> usize {
        usize::from(self.begun)
    }

    /// Forgets what has not been begun, but for a pong: a ping that came before a close is to be answered before it
    /// (section 5.5.2).
    pub(super) fn clear_waiting(&mut self) {
        let mut begun = self.begun;
        self.frames.retain(|frame| std::mem::take(&mut begun) || frame::is_pong(frame));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Writes as much as the socket takes, and adds the bytes to `written`.
    pub(super) fn flush(&mut self, socket: &mut impl Write, written: &mut u64) -> io::Result<Flush> {
        while let Some(frame) = self.frames.front_mut() {
            match socket.write(frame) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    *written += count as u64;
                    frame.advance(count);
                    self.begun = !frame.is_empty();
                    if !self.begun {
                        self.frames.pop_front();
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Flush::Blocked),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // An encrypted socket may have taken more than it could pass on.
        match socket.flush() {
            Ok(()) => Ok(Flush::Done),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Flush::Blocked),
            Err(error) => Err(error),
        }
    }
}
