//! One connection, from its first request until it ends or becomes a stream.

use std::{
    convert::Infallible,
    fmt,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    task::{self, Poll},
};

use bytes::Bytes;
use hyper::{
    Method, Request, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    header::{HeaderValue, RETRY_AFTER},
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tracing::{debug, info};
use warp::reply::{Reply as _, Response};

use super::{
    Context,
    access::{self, Caller, Door},
    connections::{ConnectionSlot, TooMany},
    listener::Ends,
    patience::Patient,
    problem::{self, Problem},
};
use crate::token::Proof;

/// The most that a request's head may be: browsers send far less, and each connection may hold one.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// How a connection came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// `None` is a Unix socket.
    pub(crate) ends: Option<Ends>,
    /// Whether it is encrypted up to here.
    pub(crate) is_encrypted: bool,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) line: Line,
    pub(crate) slot: ConnectionSlot,
}

/// Who sends a request, and the place that it takes.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) caller: Caller,
    pub(crate) slot: ConnectionSlot,
}

impl Line {
    /// Where it comes from.
    pub(crate) fn peer(self) -> Option<IpAddr> {
        self.ends.map(|ends| ends.client)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer() {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}

/// Serves one connection until it ends or becomes a stream.
pub(super) async fn serve<I, S>(io: I, context: Arc<Context>, service: S, peer: Peer)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let line = peer.line;
    let in_force = context.in_force.get();
    let (mut stopping, mut recheck) = (context.stopping.subscribe(), context.recheck.subscribe());
    let asking = Asking::default();
    let asked = Arc::clone(&asking);
    let served = Arc::clone(&context);
    let service = service_fn(move |request| {
        let (context, service, peer, asking) =
            (Arc::clone(&served), service.clone(), peer.clone(), Arc::clone(&asking));
        async move { Ok::<_, Infallible>(answer(request, &context, service, peer, &asking).await) }
    });
    let io = Patient::new(io, in_force.stall_timeout);
    let begins_like_tls = io.begins_like_tls();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(in_force.header_timeout)
        // `nc -N` says that it has sent all, and still wants the answer.
        .half_close(true)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = loop {
        tokio::select! {
            ended = &mut connection => break Some(ended),
            // The only other outcome is that the sender is gone, and with it the daemon.
            _ = stopping.wait_for(|stopping| *stopping) => break None,
            _ = recheck.changed() => {
                let asked = *asked.lock().unwrap_or_else(PoisonError::into_inner);
                if asked.is_some_and(|proof| !context.access.still_allows(proof)) {
                    debug!(peer = %line, "closed the connection of one who may not read any more");
                    return;
                }
            }
        }
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = ended {
        debug!(peer = %line, %error, "a connection ended badly");
        if begins_like_tls.load(Ordering::Relaxed) && !line.is_encrypted {
            let said = "a client speaks TLS, and this port does not: set server.tls, or use http:// and ws:// there";
            context.told_of_tls.call_once(|| info!(peer = %line, "{said}"));
        }
    }
}

/// Who asked last on a connection, if it was for something that a token may be needed for.
type Asking = Arc<Mutex<Option<Option<Proof>>>>;

/// Answers a request, or says why it is not answered.
async fn answer<S>(
    mut request: Request<Incoming>,
    context: &Context,
    service: S,
    peer: Peer,
    asking: &Asking,
) -> hyper::Response<impl Body<Data = Bytes, Error = warp::Error> + use<S>>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
{
    let (passed, caller) = match context.access.look_at(&mut request, peer.line) {
        Door::Open(passed, caller) => (passed, caller),
        Door::Answered(answer) => return hold(answer, peer.slot),
    };
    let slot = peer.slot.for_client(caller.ip);
    let mut answer = match &slot {
        Ok(slot) => {
            let reads = !access::is_open(request.uri().path());
            *asking.lock().unwrap_or_else(PoisonError::into_inner) = reads.then_some(caller.proof);
            let is_form = request.method() == Method::POST;
            request.extensions_mut().insert(Visitor { caller, slot: slot.clone() });
            let answer = service.call(request);
            if is_form {
                // All that may take long is its body, and that gets no more time than a head.
                let in_time = timeout(context.in_force.get().header_timeout, answer).await;
                in_time.unwrap_or_else(|_| Ok(problem::took_too_long()))
            } else {
                answer.await
            }
            .unwrap_or_else(|never| match never {})
        }
        Err(why) => too_many(*why),
    };
    passed.mark(&mut answer);
    hold(answer, slot.unwrap_or(peer.slot))
}

fn too_many(why: TooMany) -> Response {
    let mut answer = Problem::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string()).into_response();
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// The body of an answer, and the place that whoever reads it takes.
struct Held<B> {
    body: B,
    _slot: ConnectionSlot,
}

fn hold<B>(answer: hyper::Response<B>, slot: ConnectionSlot) -> hyper::Response<Held<B>> {
    answer.map(|body| Held { body, _slot: slot })
}

impl<B: Body + Unpin> Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
