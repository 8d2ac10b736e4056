//! Why there is no connection, in words for people.

use std::{io, path::PathBuf, time::Duration};

use crate::websocket::close;

/// A connection that could not be made or was lost. The client comes back by itself.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// The host's name leads nowhere.
    #[error("cannot find {host}: {error}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver says.
        error: io::Error,
    },
    /// No address of the host took the connection.
    #[error("cannot connect to {address}: {error}")]
    Connect {
        /// The last address that was tried.
        address: String,
        /// What the kernel says.
        error: io::Error,
    },
    /// The token cannot be read.
    #[error("cannot use the token in {}: {why}", file.display())]
    Token {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The proxy does not let us through.
    #[error("the proxy {proxy} answered {status}{}", if *.status == 407 { " (it wants to know who asks)" } else { "" })]
    Proxy {
        /// Which.
        proxy: String,
        /// Its HTTP status.
        status: u16,
    },
    /// The encryption failed: whoever is there is not to be trusted, or does not trust us.
    #[error("no encrypted connection: {0}")]
    Tls(String),
    /// Nothing came of it in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// An answer that is not the stream's; a later one may be.
    #[error("answered {status} instead of the stream{}", said(.message))]
    Status {
        /// The HTTP status.
        status: u16,
        /// What the server said about it.
        message: String,
    },
    /// Not even a heartbeat came: the connection is half open, or the host stands still.
    #[error("heard nothing for {0:?}, not even a heartbeat")]
    Silent(Duration),
    /// The server closed, and said why.
    #[error("the server closed{}{}", code.map(|code| format!(" with {code}")).unwrap_or_default(), said(.reason))]
    Closed {
        /// The close code of the WebSocket.
        code: Option<u16>,
        /// The reason of its `bye`.
        reason: String,
    },
    /// The line broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// What came makes no sense: it was damaged on its way, or the server is wrong.
    #[error("what came makes no sense: {0}")]
    Garbled(String),
}

/// The server does not want this client: coming back would be of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The handshake was answered 400, 401 or 403.
    #[error("refused with {status}{}{}", hint(*.status), said(.message))]
    Status {
        /// The HTTP status.
        status: u16,
        /// What the server said about it.
        message: String,
    },
    /// The connection was closed with a code that means: do not come back.
    #[error("refused with close code {code}{}{}", hint(*.code), said(.reason))]
    Closed {
        /// The close code of the WebSocket.
        code: u16,
        /// The reason of its `bye`.
        reason: String,
    },
    /// The other side speaks something else.
    #[error("this is no hostcast that this client understands: {0}")]
    Protocol(String),
}

/// How an attempt or a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Lost(#[from] Lost),
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Lost {
    pub(super) fn garbled(why: impl Into<String>) -> Self {
        Self::Garbled(why.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.into())
    }
}

/// What another HTTP status than 101 means.
pub(super) fn of_status(status: u16, message: String) -> Failure {
    match status {
        400 | 401 | 403 => Refused::Status { status, message }.into(),
        _ => Lost::Status { status, message }.into(),
    }
}

/// What a close means: some say that the client is wrong, and some that it is not let in.
pub(super) fn of_close(code: Option<u16>, reason: String) -> Failure {
    match code {
        Some(
            code @ (close::PROTOCOL_ERROR
            | close::INVALID_PAYLOAD
            | close::POLICY_VIOLATION
            | close::MESSAGE_TOO_BIG
            | close::SIGNED_OUT
            | close::NOT_ALLOWED),
        ) => Refused::Closed { code, reason }.into(),
        _ => Lost::Closed { code, reason }.into(),
    }
}

fn hint(code: u16) -> &'static str {
    match code {
        401 | close::SIGNED_OUT => " (a token is needed, or the one given is not known)",
        403 | close::NOT_ALLOWED => " (this token may not read the stream)",
        _ => "",
    }
}

/// What a server says is shown without what could take over a terminal.
fn said(message: &str) -> String {
    let message = message.trim();
    if message.is_empty() { String::new() } else { format!(": {}", message.escape_debug()) }
}
