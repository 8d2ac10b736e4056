//! From a connection that somebody has made to somebody who is served, or is told why not.

use std::sync::Arc;

use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tracing::debug;

use super::{
    Context,
    connections::TooMany,
    listener::{Accepted, Listener},
    refusal, routes,
    serve::{Line, Peer, serve},
};

/// Refused connections that are told why at the same time, each for a second at most.
const REFUSALS_AT_A_TIME: usize = 64;

/// Serves all who come to `listener`.
pub(super) async fn accept_all(listener: Listener, context: Arc<Context>) {
    let service = TowerToHyperService::new(warp::service(routes::routes(&context)));
    let refusals = Arc::new(Semaphore::new(REFUSALS_AT_A_TIME));
    loop {
        let accepted = listener.accept().await;
        let ends = match &accepted {
            Accepted::Tcp(_, ends) => Some(*ends),
            Accepted::Unix(_) => None,
        };
        let address = ends.map(|ends| ends.client);
        let tls = ends.and_then(|_| context.in_force.get().tls.clone());
        // Whoever comes through a proxy is counted when a request says who it is.
        let slot = match context.connections.admit(address.filter(|_| !context.access.believes(address))) {
            Ok(slot) => slot,
            Err(why) => {
                debug!(peer = ?address, "refused a connection: {why}");
                // In a flood most are just closed: a refusal must not cost what an admission does.
                // One who expects TLS would not understand it.
                if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned()
                    && tls.is_none()
                {
                    tokio::spawn(async move {
                        refuse(accepted, why).await;
                        drop(permit);
                    });
                }
                continue;
            }
        };
        let peer = Peer { line: Line { ends, is_encrypted: tls.is_some() }, slot };
        let (context, service) = (Arc::clone(&context), service.clone());
        match accepted {
            Accepted::Tcp(io, _) => match tls {
                Some(tls) => tokio::spawn(async move {
                    if let Some(io) = tls.handshake(io, &context, peer.line).await {
                        serve(io, context, service, peer).await;
                    }
                }),
                None => tokio::spawn(serve(io, context, service, peer)),
            },
            Accepted::Unix(io) => tokio::spawn(serve(io, context, service, peer)),
        };
    }
}

/// Tells a client that it is one too many.
async fn refuse(accepted: Accepted, why: TooMany) {
    let (head, why) = ("503 Service Unavailable\r\nRetry-After: 1", why.to_string());
    match accepted {
        Accepted::Tcp(stream, _) => refusal::tell(stream, head, &why).await,
        Accepted::Unix(stream) => refusal::tell(stream, head, &why).await,
    }
}
