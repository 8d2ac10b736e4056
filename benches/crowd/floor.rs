//! The floor: one thread that writes one pre-built frame to each socket with one system call each.
//! It reads nothing, answers nothing and checks nothing, so no server can be cheaper.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant, SystemTime},
};

use hostcast::sample::unix_ms;

/// Accepts `count` clients, then writes a text of `bytes` to each of them every `interval`.
pub(crate) fn run(count: usize, interval: Duration, bytes: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("dashboard at http://{}/", listener.local_addr()?);
    let clients = (0..count).map(|_| accept(&listener)).collect::<io::Result<Vec<_>>>()?;
    let mut due = Instant::now();
    for seq in 1_u64.. {
        due += interval;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let frame = frame(&payload(seq, bytes));
        for mut client in &clients {
            if client.write_all(&frame).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let mut request = [0; 1024];
    let mut read = 0;
    while !request[..read].ends_with(b"\r\n\r\n") {
        read += stream.read(&mut request[read..])?;
    }
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")?;
    Ok(stream)
}

/// A text in the form of a live sample, filled up to the wanted size.
pub(crate) fn payload(seq: u64, bytes: usize) -> Vec<u8> {
    let time = unix_ms(SystemTime::now());
    let mut payload = format!("{{\"type\":\"sample\",\"seq\":{seq},\"time\":{time},\"filler\":\"").into_bytes();
    payload.resize(bytes.max(payload.len() + 2) - 2, b'.');
    payload.extend_from_slice(b"\"}");
    payload
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81, 126];
    frame.extend((payload.len() as u16).to_be_bytes());
    frame.extend(payload);
    frame
}
