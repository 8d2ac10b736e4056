//! What somebody is told who does not get as far as a request: an answer without a server behind it.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use tracing::debug;

/// How long it gets to take that.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells a client why it is not served, and sees to it that it can read that. `head` is the status and whatever else
/// stands in the head of the answer.
pub(crate) async fn tell(mut stream: impl AsyncRead + AsyncWrite + Unpin, head: &str, why: &str) {
    if !matches!(timeout(PATIENCE, write(&mut stream, head, why)).await, Ok(Ok(()))) {
        debug!("a refused connection did not wait for the reason");
    }
}

async fn write(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), head: &str, why: &str) -> io::Result<()> {
    let body = format!("{{\"error\":\"{why}\"}}\n");
    let head = format!("HTTP/1.1 {head}\r\nContent-Type: application/json\r\nConnection: close\r\n");
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
    stream.shutdown().await?;
    // A close with unread data would become a reset, which takes the answer with it.
    let mut request = [0; 1024];
    while stream.read(&mut request).await? > 0 {}
    Ok(())
}
