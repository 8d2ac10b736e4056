//! One connection, from its handshake to its end.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    failure::{Failure, Lost, of_close},
    frames::{Decoder, Incoming, push_close, push_pong},
    handshake::Opened,
};
use crate::{protocol::Message, websocket::close};

/// Bytes both ways: TCP, or TLS on it.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A stream that is being read.
pub(super) struct Session {
    wire: Box<dyn Wire>,
    decoder: Decoder,
    incoming: VecDeque<Incoming>,
    /// Pongs that the socket has not taken yet.
    outgoing: Vec<u8>,
    /// The reason and the wish of a `bye`.
    bye: Option<(String, Option<u64>)>,
    /// How much is read at once.
    read_size: usize,
    /// The longest silence that is believed.
    patience: Duration,
    silence: Pin<Box<Sleep>>,
}

/// A server that says it sends a heartbeat each hour is not waited for as long.
const LONGEST_HEARTBEAT: Duration = Duration::from_mins(5);
/// More pongs than this wait only if the server reads nothing while it sends pings.
const MAX_OUTGOING: usize = 4 << 10;
/// A queue that has held more than this is given back.
const KEPT_INCOMING: usize = 4;
/// Until the hello is there, so little: who takes that and then waits, for its turn among many, holds nothing of the past.
const FIRST_READ_SIZE: usize = 512;
/// How much is read at once. On the stack, so that it costs nothing while a host is silent.
const READ_SIZE: usize = 16 << 10;

impl Session {
    /// A connection after its handshake.
    pub(super) fn new(wire: Box<dyn Wire>, opened: &Opened, patience: Duration) -> Result<Self, Lost> {
        let mut session = Self {
            wire,
            decoder: Decoder::new(opened.is_compressed),
            incoming: VecDeque::new(),
            outgoing: Vec::new(),
            bye: None,
            read_size: FIRST_READ_SIZE,
            patience,
            silence: Box::pin(sleep_until(Instant::now() + patience)),
        };
        session.feed(&opened.beginning)?;
        Ok(session)
    }

    /// From now on, silence is believed for as long as two heartbeats.
    pub(super) fn expect_heartbeats(&mut self, every_ms: u64) {
        self.patience = Duration::from_millis(every_ms).clamp(Duration::from_millis(50), LONGEST_HEARTBEAT) * 2;
        self.silence.as_mut().reset(Instant::now() + self.patience);
    }

    /// When the server's `bye` has asked to come back.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.bye.as_ref().and_then(|(_, retry_ms)| retry_ms.map(Duration::from_millis))
    }

    /// The next message. Can be cancelled at any time without losing one.
    pub(super) async fn next(&mut self) -> Result<Message, Failure> {
        loop {
            while let Some(incoming) = self.incoming.pop_front() {
                match incoming {
                    Incoming::Text(text) => {
                        let message = match Message::parse(&text) {
                            Ok(message) => message,
                            // Later versions may say more.
                            Err(_) if is_of_unknown_type(&text) => continue,
                            Err(error) => return Err(Lost::garbled(error.to_string()).into()),
                        };
                        match &message {
                            Message::Hello(_) => self.read_size = READ_SIZE,
                            Message::Bye(bye) => self.bye = Some((bye.reason.clone(), bye.retry_ms)),
                            _ => {}
                        }
                        return Ok(message);
                    }
                    Incoming::Ping(payload) if self.outgoing.len() < MAX_OUTGOING => {
                        push_pong(&payload, &mut self.outgoing);
                    }
                    Incoming::Ping(_) | Incoming::Pong => {}
                    Incoming::Close(code) => {
                        push_close(code.unwrap_or(close::NORMAL), &mut self.outgoing);
                        // For the sake of good manners: whether it arrives does not matter any more.
                        let _ = poll_fn(|context| Poll::Ready(self.poll_flush(context))).await;
                        let reason = self.bye.as_ref().map(|(reason, _)| reason.clone());
                        return Err(of_close(code, reason.unwrap_or_default()));
                    }
                }
            }
            if self.incoming.capacity() > KEPT_INCOMING {
                self.incoming = VecDeque::new();
            }
            poll_fn(|context| self.poll_read(context)).await?;
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        let mut complete = Vec::new();
        self.decoder.feed(bytes, &mut complete)?;
        self.incoming.extend(complete);
        Ok(())
    }

    /// Reads once, after what has to be sent.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        // If the socket takes nothing now, it wakes us when it does.
        if let Poll::Ready(Err(error)) = self.poll_flush(context) {
            return Poll::Ready(Err(error.into()));
        }
        let mut space = [0; READ_SIZE];
        let mut buffer = ReadBuf::new(&mut space[..self.read_size]);
        match Pin::new(&mut *self.wire).poll_read(context, &mut buffer) {
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                Poll::Ready(Err(Lost::Broken(io::ErrorKind::UnexpectedEof.into())))
            }
            Poll::Ready(Ok(())) => {
                self.silence.as_mut().reset(Instant::now() + self.patience);
                Poll::Ready(self.feed(buffer.filled()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => {
                ready!(self.silence.as_mut().poll(context));
                Poll::Ready(Err(Lost::Silent(self.patience)))
            }
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let written = ready!(Pin::new(&mut *self.wire).poll_write(context, &self.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.drain(..written);
        }
        Pin::new(&mut *self.wire).poll_flush(context)
    }
}

/// The types of the messages that this client knows.
const KNOWN: [&str; 8] = ["hello", "schema", "gap", "history", "sample", "heartbeat", "notice", "bye"];

/// Whether a text that is no message of ours is one of a later version, and not a damaged one.
fn is_of_unknown_type(text: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Typed<'a> {
        #[serde(borrow, rename = "type")]
        kind: std::borrow::Cow<'a, str>,
    }
    serde_json::from_slice(text).is_ok_and(|Typed { kind }| !KNOWN.contains(&&*kind))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[test]
    fn who_has_taken_the_hello_holds_nothing_yet_of_the_past() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = tokio::io::duplex(256 << 10);
            let hello = br#"{"type":"hello","protocol":"hostcast.v1","server":"hostcast/0.1.0","host":{"name":"web-1",
                "os":"Linux","kernel":"6.1","cpus":2,"boot_id":"","labels":{}},"epoch":"00000000000000ff",
                "interval_ms":1000,"oldest_seq":1,"next_seq":9,"heartbeat_ms":5000}"#;
            let past = format!(r#"{{"type":"bye","reason":"{}","retry_ms":null}}"#, "x".repeat(60_000));
            for text in [hello.as_slice(), past.as_bytes()] {
                let length = (text.len() as u16).to_be_bytes();
                theirs.write_all(&[&[0x81, 126], &length, text].concat()).await.unwrap();
            }
            let opened = Opened { beginning: Vec::new(), is_compressed: false };
            let mut session = Session::new(Box::new(ours), &opened, Duration::from_secs(5)).unwrap();
            assert!(matches!(session.next().await, Ok(Message::Hello(_))));
            assert!(session.decoder.held() <= FIRST_READ_SIZE, "{}", session.decoder.held());
            assert!(matches!(session.next().await, Ok(Message::Bye(_))));
        });
    }

    #[test]
    fn a_message_of_a_later_version_is_told_from_a_damaged_one() {
        assert!(is_of_unknown_type(br#"{"type":"weather","degrees":3}"#));
        for damaged in [&br#"{"type":"sample","seq":"x"}"#[..], br#"{"type":"weat"#, b"{}", b"\xff"] {
            assert!(!is_of_unknown_type(damaged));
        }
    }
}
