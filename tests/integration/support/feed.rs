//! A subscriber, by a WebSocket client that is not ours.

use hostcast::protocol::{Hello, Message, SchemaMessage, WireSample};
use serde_json::Value;
use tungstenite::{
    ClientRequestBuilder, Error, WebSocket,
    error::ProtocolError,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{Address, Wire};

/// A stream from its handshake on.
pub(crate) struct Feed {
    socket: WebSocket<Wire>,
    /// What the server chose.
    pub(crate) subprotocol: Option<String>,
    /// The newest schema that was sent.
    pub(crate) schema: Option<SchemaMessage>,
}

/// What came.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Message(Box<Message>),
    Closed {
        code: Option<u16>,
    },
    /// The connection is over.
    Ended,
}

impl Feed {
    pub(crate) fn open(address: &Address, query: &str, subprotocols: &[&str]) -> Self {
        Self::over(address.connect(), address, query, subprotocols)
    }

    /// A feed of one who shows these headers.
    pub(crate) fn open_with(address: &Address, headers: &[(&str, &str)]) -> Self {
        let builder = ClientRequestBuilder::new(format!("ws://{address}/api/v1/stream").parse().unwrap());
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.with_header(*name, *value));
        let (socket, _) = tungstenite::client(builder, address.connect()).unwrap();
        Self { socket, subprotocol: None, schema: None }
    }

    pub(crate) fn over(wire: Wire, address: &Address, query: &str, subprotocols: &[&str]) -> Self {
        let uri = format!("ws://{address}/api/v1/stream?{query}").parse().unwrap();
        let builder = ClientRequestBuilder::new(uri);
        let builder = subprotocols.iter().fold(builder, |builder, name| builder.with_sub_protocol(*name));
        let (socket, response) = match tungstenite::client(builder, wire) {
            Ok(done) => done,
            Err(error) => panic!("{query}: {error}"),
        };
        let subprotocol = response.headers().get("sec-websocket-protocol");
        Self { socket, subprotocol: subprotocol.map(|name| name.to_str().unwrap().into()), schema: None }
    }

    /// The next message as text; control frames are left to the client.
    pub(crate) fn text(&mut self) -> String {
        loop {
            match self.socket.read().unwrap() {
                tungstenite::Message::Text(text) => return text.to_string(),
                tungstenite::Message::Ping(_) => self.socket.flush().unwrap(),
                other => panic!("a text was expected, not {other:?}"),
            }
        }
    }

    /// The next message as JSON, as a script sees it.
    pub(crate) fn json(&mut self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    pub(crate) fn message(&mut self) -> Message {
        let text = self.text();
        let message = Message::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
        if let Message::Schema(schema) = &message {
            self.schema = Some(schema.clone());
        }
        message
    }

    pub(crate) fn hello(&mut self) -> Hello {
        match self.message() {
            Message::Hello(hello) => hello,
            other => panic!("a hello was expected, not {other:?}"),
        }
    }

    /// The whole history, without anything else but schemas between its pieces.
    pub(crate) fn past(&mut self) -> Vec<WireSample> {
        let mut samples = Vec::new();
        loop {
            match self.message() {
                Message::History(chunk) => {
                    samples.extend(chunk.samples);
                    if chunk.complete {
                        return samples;
                    }
                }
                Message::Schema(_) => {}
                other => panic!("history was expected, not {other:?}"),
            }
        }
    }

    /// The next live sample.
    pub(crate) fn live(&mut self) -> WireSample {
        loop {
            match self.message() {
                Message::Sample(sample) => return sample,
                Message::Schema(_) | Message::Heartbeat(_) | Message::Notice(_) => {}
                other => panic!("a sample was expected, not {other:?}"),
            }
        }
    }

    /// Whatever comes next, the end included; answers closes and pings.
    pub(crate) fn hear(&mut self) -> Heard {
        loop {
            match self.socket.read() {
                Ok(tungstenite::Message::Text(text)) => {
                    return Heard::Message(Box::new(Message::parse(text.as_bytes()).unwrap()));
                }
                Ok(tungstenite::Message::Close(frame)) => {
                    return Heard::Closed { code: frame.map(|frame| frame.code.into()) };
                }
                Ok(_) => self.socket.flush().unwrap(),
                Err(Error::ConnectionClosed | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                    return Heard::Ended;
                }
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionReset => return Heard::Ended,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The messages that have come, without waiting for more.
    pub(crate) fn arrived(&mut self) -> Vec<Message> {
        self.socket.get_ref().set_nonblocking(true);
        let mut messages = Vec::new();
        loop {
            match self.socket.read() {
                Ok(tungstenite::Message::Text(text)) => messages.push(Message::parse(text.as_bytes()).unwrap()),
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.socket.get_ref().set_nonblocking(false);
        messages
    }

    /// Reads on until the server says goodbye; returns its reason, its retry and its close code.
    pub(crate) fn goodbye(&mut self) -> (String, Option<u64>, Option<u16>) {
        let bye = loop {
            match self.hear() {
                Heard::Message(message) => {
                    if let Message::Bye(bye) = *message {
                        break bye;
                    }
                }
                other => panic!("no bye before {other:?}"),
            }
        };
        let Heard::Closed { code } = self.hear() else { panic!("no close after the bye") };
        assert_eq!(self.hear(), Heard::Ended);
        (bye.reason, bye.retry_ms, code)
    }

    /// Breaks off with a reset.
    pub(crate) fn reset(self) {
        self.socket.get_ref().will_reset();
    }

    /// Leaves in good order.
    pub(crate) fn close(mut self) {
        self.socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })).unwrap();
        while !matches!(self.hear(), Heard::Ended) {}
    }
}
