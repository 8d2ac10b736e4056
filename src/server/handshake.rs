//! The opening handshake of RFC 6455, and the moment in which the socket changes hands: from hyper
//! to a lane of the stream.

mod deflate;

use std::{io::Read as _, sync::Arc};

use headers::{HeaderMapExt, SecWebsocketAccept, SecWebsocketKey, SecWebsocketVersion, Upgrade};
use hyper::{
    HeaderMap, StatusCode,
    header::{
        CONNECTION, CONTENT_LENGTH, HeaderValue, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        UPGRADE,
    },
    upgrade::{OnUpgrade, Parts, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;
use tracing::debug;
use warp::reply::Response;

use super::{
    Context,
    patience::Patient,
    problem::Problem,
    query::StreamQuery,
    serve::Visitor,
    stream::{Newcomer, Socket},
    views::Wishes,
};
use crate::{hub::Start, protocol::Encoding};

/// Answers a request for the stream, and hands the socket over once the answer is out.
pub(crate) fn accept(
    context: &Arc<Context>,
    query: &str,
    headers: &HeaderMap,
    upgrade: Option<OnUpgrade>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let Visitor { caller, slot } = visitor;
    let query = StreamQuery::parse(query, &context.in_force.get().spans())?;
    let key = websocket_key(headers)?;
    if headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0") {
        // A proxy would take for a body what comes next, and we for frames.
        return Err(Problem::new(StatusCode::BAD_REQUEST, "an opening handshake has no body"));
    }
    let upgrade = upgrade.ok_or_else(not_a_websocket)?;
    let encoding = encoding(headers)?;
    if let Start::After(_) = query.start {
        context.hub.join(query.start).map_err(|error| Problem::parameter("since", error))?;
    }
    let chosen = encoding.unwrap_or(Encoding::Json);
    let compression =
        deflate::negotiate(headers).filter(|_| context.in_force.get().compression.is_for(caller.is_local()));
    let is_compressed = compression.is_some();
    let wishes = Wishes { encoding: chosen, metrics: query.metrics, buckets: query.buckets, is_compressed };
    let view = context.views.get(wishes);
    let view = view.map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;

    let context = Arc::clone(context);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else {
            debug!(peer = %caller, "a client left during its handshake");
            return;
        };
        let Some((socket, early)) = take_socket(upgraded) else {
            debug!(peer = %caller, "a client's socket broke during its handshake");
            return;
        };
        let access = Arc::clone(&context.access);
        let may_read = Box::new(move || access.still_allows(caller.proof));
        let in_force = context.in_force.clone();
        let hello = Box::new(move |joined: &_| in_force.get().hello(joined));
        context.streams.join(Newcomer { socket, slot, may_read, view, start: query.start, hello, early });
    });

    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.typed_insert(Upgrade::websocket());
    headers.typed_insert(SecWebsocketAccept::from(key));
    if let Some(encoding) = encoding {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(encoding.subprotocol()));
    }
    if let Some(compression) = compression {
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, compression);
    }
    Ok(response)
}

/// Section 4.2.1: what makes a request an opening handshake.
fn websocket_key(headers: &HeaderMap) -> Result<SecWebsocketKey, Problem> {
    let upgrades = headers.typed_get::<headers::Connection>().is_some_and(|connection| connection.contains("upgrade"));
    let protocols = headers.get_all(UPGRADE).iter().filter_map(|value| value.to_str().ok());
    let to_websocket =
        protocols.flat_map(|list| list.split(',')).any(|name| name.trim().eq_ignore_ascii_case("websocket"));
    let version = headers.typed_get::<SecWebsocketVersion>() == Some(SecWebsocketVersion::V13);
    if !upgrades || !to_websocket || !version {
        return Err(not_a_websocket());
    }
    let is_nonce = headers.get(SEC_WEBSOCKET_KEY).is_some_and(|key| is_16_bytes_in_base64(key.as_bytes()));
    let key = headers.typed_get::<SecWebsocketKey>().filter(|_| is_nonce);
    key.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64"))
}

fn is_16_bytes_in_base64(text: &[u8]) -> bool {
    let digits = text.strip_suffix(b"==").unwrap_or_default();
    digits.len() == 22 && digits.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn not_a_websocket() -> Problem {
    let message =
        "this is a WebSocket (version 13): connect with ws://, or read /api/v1/samples?format=ndjson&follow=true";
    Problem::new(StatusCode::UPGRADE_REQUIRED, message)
}

/// The first offered subprotocol that is ours; `None` where none was offered.
fn encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Problem> {
    let mut offered = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        let list = value.to_str().unwrap_or_default();
        offered.extend(list.split(',').map(str::trim));
    }
    if offered.is_empty() {
        return Ok(None);
    }
    let chosen = Encoding::negotiate(offered);
    chosen.map(Some).ok_or_else(|| {
        let known = [Encoding::Json, Encoding::Compact].map(Encoding::subprotocol).join(" and ");
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("Sec-WebSocket-Protocol: none of the subprotocols is spoken here; known are {known}"),
        )
    })
}

/// The bare socket under hyper, and what hyper had read from it already.
fn take_socket(upgraded: Upgraded) -> Option<(Socket, bytes::Bytes)> {
    let upgraded = match upgraded.downcast::<TokioIo<Patient<TcpStream>>>() {
        Ok(Parts { io, read_buf, .. }) => {
            return Some((Socket::from_tcp(io.into_inner().into_inner()).ok()?, read_buf));
        }
        Err(upgraded) => upgraded,
    };
    match upgraded.downcast::<TokioIo<Patient<TlsStream<TcpStream>>>>() {
        Ok(Parts { io, read_buf, .. }) => {
            let (stream, mut connection) = io.into_inner().into_inner().into_inner();
            let mut early = read_buf.to_vec();
            // Decrypted, but not read: the socket would not wake anyone for it. Then there is nothing more, which is an
            // error, or the end, which the socket will tell again.
            let _ = connection.reader().read_to_end(&mut early);
            Some((Socket::from_tls(stream, connection).ok()?, early.into()))
        }
        Err(upgraded) => {
            let Parts { io, read_buf, .. } = upgraded.downcast::<TokioIo<Patient<UnixStream>>>().ok()?;
            Some((Socket::from_unix(io.into_inner().into_inner()).ok()?, read_buf))
        }
    }
}
