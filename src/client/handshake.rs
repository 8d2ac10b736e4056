//! The request that turns an HTTP connection into a stream.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{
    failure::{Failure, Lost, Refused, of_status},
    inflate::{self, OFFER},
};
use crate::protocol::Encoding;

/// RFC 6455 has this hashed with the key, so that nobody answers 101 by accident.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MAX_HEAD: usize = 16 << 10;
/// As much of a refusal is shown as fits a line.
const MAX_MESSAGE: usize = 500;
const SUBPROTOCOL: &str = Encoding::Compact.subprotocol();

/// What is asked for.
pub(super) struct Request<'a> {
    pub(super) authority: &'a str,
    /// Path and query.
    pub(super) target: &'a str,
    pub(super) token: Option<&'a str>,
    /// Whether messages may come compressed.
    pub(super) may_compress: bool,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// What the server has sent beyond its answer: the beginning of the stream.
    pub(super) beginning: Vec<u8>,
    /// Whether messages may come compressed.
    pub(super) is_compressed: bool,
}

/// Asks for the stream.
pub(super) async fn upgrade(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: Request<'_>,
) -> Result<Opened, Failure> {
    let mut random = [0; 16];
    // Without entropy, which Linux always has, the key is a constant: it protects caches and not secrets.
    let _ = getrandom::fill(&mut random);
    let key = BASE64_STANDARD.encode(random);
    let Request { authority, target, token, may_compress } = request;
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let extensions = if may_compress { format!("Sec-WebSocket-Extensions: {OFFER}\r\n") } else { String::new() };
    let version = env!("CARGO_PKG_VERSION");
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\
         User-Agent: hostcast/{version}\r\n{extensions}{authorization}\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let (head, rest) = read_head(stream).await?;
    let answer = Answer::parse(&head)?;
    if answer.status != 101 {
        let said = body(stream, rest, answer.length).await;
        return Err(of_status(answer.status, said));
    }
    let accept = BASE64_STANDARD.encode(Sha1::new().chain_update(&key).chain_update(GUID).finalize());
    if answer.accept.as_deref() != Some(&accept) {
        return Err(Lost::garbled("the answer to the handshake does not fit it").into());
    }
    if answer.subprotocol.as_deref() != Some(SUBPROTOCOL) {
        let got = answer.subprotocol.map_or("none".into(), |name| format!("{name:?}"));
        if got.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Lost::garbled("the answer to the handshake is no text").into());
        }
        return Err(Refused::Protocol(format!("it does not speak {SUBPROTOCOL}, but {got}")).into());
    }
    let is_compressed = inflate::is_agreed(answer.extensions.as_deref())?;
    if is_compressed && !may_compress {
        return Err(Lost::garbled("it compresses, which was not asked for").into());
    }
    Ok(Opened { beginning: rest, is_compressed })
}

/// Reads the head of an answer, and whatever has come with it.
pub(super) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Result<(Vec<u8>, Vec<u8>), Lost> {
    let mut head = Vec::with_capacity(1 << 10);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(Lost::garbled("the server closed instead of answering"));
        }
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = head.split_off(end + 4);
            return Ok((head, rest));
        }
        if head.len() > MAX_HEAD {
            return Err(Lost::garbled("the head of the answer has no end"));
        }
    }
}

/// What the head of an answer says.
pub(super) struct Answer {
    pub(super) status: u16,
    accept: Option<String>,
    subprotocol: Option<String>,
    extensions: Option<String>,
    length: Option<usize>,
}

impl Answer {
    pub(super) fn parse(head: &[u8]) -> Result<Self, Lost> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(head).map_err(|error| Lost::garbled(format!("no HTTP answer: {error}")))?;
        // The head ends where an empty line is, so it is always whole.
        let (true, Some(status)) = (parsed.is_complete(), response.code) else {
            return Err(Lost::garbled("half of an HTTP answer"));
        };
        let header = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            // Where it is no text, it was damaged: then it fits nothing.
            Some(String::from_utf8_lossy(header.value).trim().to_owned())
        };
        Ok(Self {
            status,
            accept: header("sec-websocket-accept"),
            subprotocol: header("sec-websocket-protocol"),
            extensions: header("sec-websocket-extensions"),
            length: header("content-length").and_then(|length| length.parse().ok()),
        })
    }
}

/// How a daemon words a refusal.
#[derive(serde::Deserialize)]
struct Problem {
    error: String,
}

/// What the server says about a refusal: the `error` of its JSON, or its first line.
async fn body(stream: &mut (impl AsyncRead + Unpin), mut body: Vec<u8>, length: Option<usize>) -> String {
    let wanted = length.unwrap_or(0).min(MAX_MESSAGE);
    while body.len() < wanted {
        // What cannot be had any more is left out: the status is what counts.
        if stream.read_buf(&mut body).await.unwrap_or(0) == 0 {
            break;
        }
    }
    body.truncate(wanted);
    match serde_json::from_slice(&body) {
        Ok(Problem { error }) => error,
        Err(_) => String::from_utf8_lossy(&body).lines().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// What comes of it where the server answers this, and the request.
    fn answered(answer: &'static str) -> (Result<Opened, Failure>, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut ours, mut theirs) = duplex(64 << 10);
            let request = Request {
                authority: "web-1:7117",
                target: "/api/v1/stream?history=all",
                token: Some("t0k3n"),
                may_compress: true,
            };
            let server = async move {
                let mut head = vec![0; 4 << 10];
                let length = theirs.read(&mut head).await.unwrap();
                let head = String::from_utf8(head[..length].to_vec()).unwrap();
                let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
                let accept = BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize());
                theirs.write_all(answer.replace("ACCEPT", &accept).as_bytes()).await.unwrap();
                head
            };
            tokio::join!(upgrade(&mut ours, request), server)
        })
    }

    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: ACCEPT\r\n\
        Sec-WebSocket-Protocol: hostcast.v1.compact\r\n\r\nthe rest";

    #[test]
    fn the_beginning_of_the_stream_may_come_with_the_answer() {
        let (result, request) = answered(GOOD);
        assert_eq!(result.unwrap(), Opened { beginning: b"the rest".into(), is_compressed: false });
        assert!(request.contains("\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover;"));
        assert!(request.starts_with("GET /api/v1/stream?history=all HTTP/1.1\r\nHost: web-1:7117\r\n"), "{request}");
        assert!(request.contains("\r\nAuthorization: Bearer t0k3n\r\n"), "{request}");
    }

    #[test]
    fn what_the_server_answers_to_the_offer_of_compression_counts() {
        let with = |extension: &str| {
            let line = format!("ACCEPT\r\nSec-WebSocket-Extensions: {extension}");
            answered(GOOD.replace("ACCEPT", &line).leak()).0.map(|opened| opened.is_compressed)
        };
        assert!(with("permessage-deflate; server_no_context_takeover").unwrap());
        // It would have us keep what was, and that was not agreed on.
        assert!(with("permessage-deflate").unwrap_err().to_string().contains("not asked for"));
    }

    #[test]
    fn a_refusal_says_what_the_server_says() {
        let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 29\r\n\r\n{\"error\":\"a token is needed\"}";
        let Err(Failure::Refused(refused)) = answered(refusal).0 else { panic!("401 is a refusal") };
        assert_eq!(
            refused.to_string(),
            "refused with 401 (a token is needed, or the one given is not known): a token is needed"
        );
        let later = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull";
        let Err(Failure::Lost(lost)) = answered(later).0 else { panic!("503 passes") };
        assert_eq!(lost.to_string(), "answered 503 instead of the stream: full");
    }

    #[test]
    fn what_is_no_hostcast_is_told_apart_from_what_was_damaged() {
        for (answer, is_refused) in [
            (GOOD.replace("ACCEPT", "c/0nmhhbztsrgr1cwl6tf4zjwpy="), false),
            (GOOD.replace(".compact", ".json"), true),
            (GOOD.replace("Sec-WebSocket-Protocol: hostcast.v1.compact\r\n", ""), true),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n".into(), false),
            ("HTTP/1.1 301 Moved\r\n\r\n".into(), false),
        ] {
            let answer: &'static str = answer.leak();
            let error = answered(answer).0.unwrap_err();
            assert_eq!(matches!(error, Failure::Refused(_)), is_refused, "{answer}: {error}");
        }
    }
}
