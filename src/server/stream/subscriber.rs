//! One subscriber: a position in the ring, and what is being written to its socket.
//!
//! It never holds samples of its own. As long as a frame is on its way nothing else is asked for,
//! so a subscriber that does not read costs one frame, and that one is shared.

use std::{
    io::{ErrorKind, Read},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    StreamStats,
    frame::{self, FrameReader, Incoming, Violation},
    lane::Settings,
    outbox::{Flush, Outbox},
    socket::Socket,
};
use crate::{
    hub::{Gap, GapReason, Joined},
    protocol::{Bye, Encoding, Message},
    sample::Schema,
    server::{
        connections::ConnectionSlot,
        view::{Chunk, HistoryReader, Next, View},
    },
    websocket::close,
};

/// Chunks of history written in one turn, so that one reader's backlog does not keep the others of
/// its lane waiting.
const CHUNKS_PER_TURN: usize = 4;
/// How long a peer gets to answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes read in one turn: far more than an honest client's control frames.
const READ_PER_TURN: usize = 64 << 10;

pub(super) struct Subscriber {
    /// Frees the connection's place when the subscriber goes: before its socket, whose end the client sees.
    _slot: ConnectionSlot,
    socket: Socket,
    view: Arc<View>,
    /// The next sample to be sent.
    cursor: u64,
    /// What the values of the sample before the cursor stand for.
    schema: Option<Arc<Schema>>,
    phase: Phase,
    reader: FrameReader,
    outbox: Outbox,
    /// What is to be told at the next opportunity. A newer one takes its place: of one who does not read, one waits.
    notice: Option<Bytes>,
    may_read: Box<dyn Fn() -> bool + Send>,
    /// Since when the socket has taken nothing of what waits.
    stalled_since: Option<Instant>,
    last_sent: Instant,
    last_ping: Instant,
    unanswered_pings: u8,
    /// Whether its lane has it on the list of those who have more to do.
    pub(super) is_unfinished: bool,
}

enum Phase {
    /// Reading history. The chunk on its way is held, which keeps it alive for those who read the same part.
    History {
        _reader: HistoryReader,
        _chunk: Option<Arc<Chunk>>,
    },
    Live,
    /// A close was queued; at the deadline the connection is over, answered or not.
    Closing {
        deadline: Instant,
        peer: Peer,
    },
}

/// What the peer does while the connection closes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    /// It will answer our close.
    ToAnswer,
    /// It closed first or has answered: nothing is left to wait for.
    Closed,
    /// It broke the rules: what else it sends is not read as frames.
    Muted,
}

/// What a turn left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The subscriber waits for something.
    Waits,
    /// There is more to do, but it is others' turn.
    Yields,
    /// The connection is over.
    Gone,
}

impl Subscriber {
    /// A subscriber who has been told nothing yet; `hello` is its first message.
    pub(super) fn new(
        socket: Socket,
        slot: ConnectionSlot,
        view: Arc<View>,
        joined: &Joined,
        hello: &Message,
        may_read: Box<dyn Fn() -> bool + Send>,
        now: Instant,
    ) -> Self {
        let mut outbox = Outbox::default();
        outbox.push(frame::text(&hello.to_text()));
        for gap in &joined.gaps {
            outbox.push(frame::text(&Message::Gap(*gap).to_text()));
        }
        Self {
            socket,
            _slot: slot,
            cursor: view.beginning(joined),
            reader: FrameReader::new(view.is_compressed()),
            phase: Phase::History { _reader: HistoryReader::new(&view), _chunk: None },
            view,
            schema: None,
            outbox,
            notice: None,
            may_read,
            stalled_since: None,
            last_sent: now,
            last_ping: now,
            unanswered_pings: 0,
            is_unfinished: false,
        }
    }

    pub(super) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Whether it may take many turns until it has caught up.
    pub(super) fn reads_history(&self) -> bool {
        matches!(self.phase, Phase::History { .. })
    }

    /// Whether what is new can be written at once.
    pub(super) fn is_up_to_date(&self) -> bool {
        !self.reads_history() && !self.is_blocked()
    }

    /// Whether the socket takes nothing more for now. It says when that changes.
    pub(super) fn is_blocked(&self) -> bool {
        self.stalled_since.is_some()
    }

    /// Writes until the socket is full or nothing is left to say.
    pub(super) fn write(&mut self, now: Instant, stats: &StreamStats) -> Turn {
        let mut chunks = 0;
        loop {
            let mut written = 0;
            let flushed = self.outbox.flush(&mut self.socket, &mut written);
            stats.add_bytes(written);
            // Also where what went out now was taken long ago, to be encrypted.
            if written > 0 || matches!(flushed, Ok(Flush::Done)) {
                self.stalled_since = None;
            }
            match flushed {
                Ok(Flush::Done) => {}
                Ok(Flush::Blocked) => {
                    self.stalled_since.get_or_insert(now);
                    return Turn::Waits;
                }
                Err(_) => return Turn::Gone,
            }
            if !matches!(self.phase, Phase::Closing { .. })
                && let Some(notice) = self.notice.take()
            {
                self.queue(notice, now);
                continue;
            }
            match self.phase {
                Phase::Closing { peer, .. } => return self.finish_closing(peer),
                Phase::Live => {
                    if !self.queue_live(now, stats) {
                        return Turn::Waits;
                    }
                }
                Phase::History { .. } if chunks == CHUNKS_PER_TURN => return Turn::Yields,
                Phase::History { .. } => {
                    self.queue_history(now, stats);
                    chunks += 1;
                }
            }
        }
    }

    /// Has a notice told before anything else that is not yet on its way; says goodbye to one who may not read any
    /// more.
    pub(super) fn reconsider(&mut self, notice: Option<Bytes>, now: Instant) {
        self.notice = notice.or(self.notice.take());
        if !(self.may_read)() {
            self.send_away("signed_out", None, close::SIGNED_OUT, now + CLOSE_TIMEOUT);
        }
    }

    fn finish_closing(&mut self, peer: Peer) -> Turn {
        match peer {
            Peer::ToAnswer => Turn::Waits,
            // Section 7.1.1: the server closes the TCP connection first.
            Peer::Closed => Turn::Gone,
            Peer::Muted => match self.socket.shut_down_write() {
                Ok(()) => Turn::Waits,
                Err(_) => Turn::Gone,
            },
        }
    }

    /// Queues the next live sample; `false` when there is none yet.
    fn queue_live(&mut self, now: Instant, stats: &StreamStats) -> bool {
        match self.view.live(self.cursor) {
            Next::NotYet => return false,
            Next::Frame(live) => {
                if let Some(schema) = &live.schema {
                    self.queue_schema(schema);
                    stats.add_samples(1);
                }
                self.cursor = live.next_seq;
                self.queue(live.frame, now);
            }
            Next::Dropped { resume_at } => {
                self.queue_gap(self.cursor, resume_at - 1, now, stats);
                self.cursor = resume_at;
            }
        }
        true
    }

    fn queue_history(&mut self, now: Instant, stats: &StreamStats) {
        let chunk = self.view.history(self.cursor);
        if let Some(lost) = &chunk.lost {
            self.queue_gap(*lost.start(), *lost.end(), now, stats);
            self.cursor = lost.end() + 1;
        }
        if let Some(gap) = &chunk.gap {
            self.queue(frame::text(&Message::Gap(*gap).to_text()), now);
            self.cursor = gap.to_seq.unwrap_or(gap.from_seq) + 1;
        }
        if let Some(schema) = &chunk.schema {
            self.queue_schema(schema);
        }
        self.queue(chunk.frame.clone(), now);
        stats.add_samples(chunk.next_seq - self.cursor);
        self.cursor = chunk.next_seq;
        match &mut self.phase {
            Phase::History { _chunk, .. } if !chunk.complete => *_chunk = Some(chunk),
            _ => self.phase = Phase::Live,
        }
    }

    /// Sees to it that the client knows what the values of the next samples stand for.
    fn queue_schema(&mut self, schema: &Arc<Schema>) {
        if self.schema.as_ref().is_some_and(|known| known.revision == schema.revision) {
            return;
        }
        let before = self.schema.replace(Arc::clone(schema));
        if let (Some(before), Phase::Live) = (&before, &self.phase)
            && let Some(notice) = self.view.notice_frame(before, schema)
        {
            self.outbox.push(notice);
        }
        // In json the values name themselves.
        if before.is_none() || self.view.encoding() == Encoding::Compact {
            self.outbox.push(self.view.schema_frame(schema));
        }
    }

    fn queue_gap(&mut self, from_seq: u64, to_seq: u64, now: Instant, stats: &StreamStats) {
        let epoch = self.view.hub().epoch();
        let gap = Gap { epoch, from_seq, to_seq: Some(to_seq), reason: GapReason::Slow };
        stats.add_dropped(to_seq + 1 - from_seq);
        self.queue(frame::text(&Message::Gap(gap).to_text()), now);
    }

    fn queue(&mut self, frame: Bytes, now: Instant) {
        self.outbox.push(frame);
        self.last_sent = now;
    }

    /// Reads what the client sent; `buffer` is lent for the duration of the call.
    pub(super) fn read(&mut self, buffer: &mut [u8], now: Instant) -> Turn {
        let mut read = 0;
        while read < READ_PER_TURN {
            match self.socket.read(buffer) {
                Ok(0) => return self.peer_has_finished(),
                Ok(count) => {
                    read += count;
                    self.received(&buffer[..count], now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Turn::Waits,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Turn::Gone,
            }
        }
        Turn::Yields
    }

    /// The client will send nothing more. If a close is on its way it may still read that.
    fn peer_has_finished(&mut self) -> Turn {
        let Phase::Closing { peer, .. } = &mut self.phase else { return Turn::Gone };
        *peer = Peer::Closed;
        Turn::Waits
    }

    /// Handles bytes from the client, among them those that came right behind the handshake.
    pub(super) fn received(&mut self, bytes: &[u8], now: Instant) {
        if matches!(self.phase, Phase::Closing { peer: Peer::Muted, .. }) {
            return;
        }
        let mut reader = std::mem::take(&mut self.reader);
        reader.feed(bytes, |incoming| {
            self.handle(incoming, now);
            !matches!(self.phase, Phase::Closing { peer: Peer::Muted | Peer::Closed, .. })
        });
        self.reader = reader;
    }

    fn handle(&mut self, incoming: Incoming, now: Instant) {
        match incoming {
            // After a close nothing more is sent (section 5.5.1).
            Incoming::Ping(_) if matches!(self.phase, Phase::Closing { .. }) => {}
            Incoming::Ping(payload) => self.outbox.push_pong(frame::pong(&payload)),
            Incoming::Pong => self.unanswered_pings = 0,
            Incoming::Close(code) => {
                if !matches!(self.phase, Phase::Closing { .. }) {
                    // Section 5.5.1: the answer to a close carries its code.
                    self.outbox.clear_waiting();
                    self.outbox.push(frame::closing(code));
                }
                self.close_with(Peer::Closed, now + CLOSE_TIMEOUT);
            }
            Incoming::Violation(violation) => self.refuse(violation, now),
        }
    }

    fn refuse(&mut self, violation: Violation, now: Instant) {
        self.send_away(violation.reason(), None, violation.code(), now + CLOSE_TIMEOUT);
        self.close_with(Peer::Muted, now + CLOSE_TIMEOUT);
    }

    /// Says goodbye because the daemon stops.
    pub(super) fn say_bye(&mut self, reason: &str, retry_ms: u64, now: Instant) {
        self.send_away(reason, Some(retry_ms), close::GOING_AWAY, now + CLOSE_TIMEOUT);
    }

    /// Queues a `bye` and a close, unless one is queued already.
    fn send_away(&mut self, reason: &str, retry_ms: Option<u64>, code: u16, deadline: Instant) {
        if matches!(self.phase, Phase::Closing { .. }) {
            return;
        }
        self.outbox.clear_waiting();
        let bye = Message::Bye(Bye { reason: reason.into(), retry_ms });
        self.outbox.push(frame::text(&bye.to_text()));
        self.outbox.push(frame::closing(Some(code)));
        self.close_with(Peer::ToAnswer, deadline);
    }

    /// The first deadline stands.
    fn close_with(&mut self, peer: Peer, deadline: Instant) {
        let deadline = match self.phase {
            Phase::Closing { deadline, .. } => deadline,
            _ => deadline,
        };
        self.phase = Phase::Closing { deadline, peer };
    }

    /// What is due by the clock: pings, heartbeats, the end of patience.
    pub(super) fn tick(&mut self, now: Instant, settings: &Settings, heartbeat: &Bytes) -> Turn {
        if let Phase::Closing { deadline, .. } = self.phase {
            return if now < deadline { Turn::Waits } else { Turn::Gone };
        }
        if self.stalled_since.is_some_and(|since| now.saturating_duration_since(since) >= settings.stall_timeout) {
            // The frame on its way has to be finished before the goodbye, so that takes as long again.
            self.send_away("slow", Some(settings.retry_ms), close::TRY_AGAIN_LATER, now + settings.stall_timeout);
            return Turn::Waits;
        }
        // Behind what waits a ping would not arrive either: that is the stall's to judge.
        if !self.is_blocked() && now.saturating_duration_since(self.last_ping) >= settings.ping_interval {
            if self.unanswered_pings >= 2 {
                return Turn::Gone;
            }
            self.unanswered_pings += 1;
            self.last_ping = now;
            self.outbox.push_ping(frame::ping());
        }
        let silence = now.saturating_duration_since(self.last_sent);
        // Else the heartbeat would name samples that it does not have yet.
        if silence >= settings.heartbeat && self.outbox.is_empty() && self.is_up_to_date() {
            self.queue(heartbeat.clone(), now);
        }
        Turn::Waits
    }
}
