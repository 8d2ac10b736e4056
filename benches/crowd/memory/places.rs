//! Subscribers that ask for history, each from another sample on, and read nothing of it.

use std::{
    io::{self, Read as _},
    net::SocketAddr,
};

use crate::client::{Client, request};

/// The least that a kernel gives, so that most of a message stays with the daemon.
const RECEIVE_BUFFER_BYTES: usize = 1;

/// Connects `count` of them to `target`, prints a line, and keeps them until standard input ends.
pub(crate) fn run(target: SocketAddr, epoch: &str, subprotocol: &str, count: usize, oldest: usize) -> io::Result<()> {
    let mut clients = Vec::with_capacity(count);
    for index in 0..count {
        let path = format!("/api/v1/stream?since={epoch}:{}", oldest + index);
        let request = request(target, &path, subprotocol, false);
        clients.push(Client::connect(target, index, &request, Some(RECEIVE_BUFFER_BYTES))?);
    }
    println!("{count}");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
