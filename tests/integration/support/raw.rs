//! A WebSocket client that may break every rule.

use std::io::{self, Read, Write};

use hostcast::protocol::Message;

use super::{Address, Wire};

/// Opcodes of RFC 6455.
pub(crate) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0x0;
    pub(crate) const TEXT: u8 = 0x1;
    pub(crate) const BINARY: u8 = 0x2;
    pub(crate) const CLOSE: u8 = 0x8;
    pub(crate) const PING: u8 = 0x9;
    pub(crate) const PONG: u8 = 0xA;
}

/// A connection after its handshake.
pub(crate) struct Raw {
    pub(crate) wire: Wire,
    /// The server's answer to the handshake, in lower case.
    pub(crate) head: String,
}

const MASK: [u8; 4] = [0xA5, 0x5A, 0x0F, 0xF0];

impl Raw {
    /// Asks for the live stream.
    pub(crate) fn open(address: &Address) -> Self {
        Self::open_with(address.connect(), &Self::request(address, "history=none"))
    }

    pub(crate) fn request(address: &Address, query: &str) -> Vec<u8> {
        Self::request_with(address, query, "")
    }

    /// With more lines in its head, each ending in CRLF.
    pub(crate) fn request_with(address: &Address, query: &str, lines: &str) -> Vec<u8> {
        let head = format!(
            "GET /api/v1/stream?{query} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n{lines}\r\n"
        );
        head.into_bytes()
    }

    /// Sends `bytes`, a request and perhaps more, in one piece.
    pub(crate) fn open_with(mut wire: Wire, bytes: &[u8]) -> Self {
        wire.write_all(bytes).unwrap();
        Self::answered(wire)
    }

    /// Reads the answer to a request that was sent.
    pub(crate) fn answered(mut wire: Wire) -> Self {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            wire.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        // The answer to the key of `request`: base64 of SHA-1 of the key and the GUID of RFC 6455.
        assert!(head.contains("\r\nsec-websocket-accept: c/0nmhhbztsrgr1cwl6tf4zjwpy=\r\n"), "{head}");
        Self { wire, head }
    }

    /// A frame as a client has to send it.
    pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        Self::odd_frame(0x80 | opcode, true, payload)
    }

    /// A frame with this first byte, masked or not.
    pub(crate) fn odd_frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
        let mask_bit = if masked { 0x80 } else { 0 };
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..=125 => frame.push(mask_bit | length as u8),
            length @ 126..=0xFFFF => {
                frame.push(mask_bit | 0x7E);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(mask_bit | 0x7F);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        if masked {
            frame.extend(MASK);
            frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            frame.extend(payload);
        }
        frame
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.wire.write_all(bytes).unwrap();
    }

    /// The next frame: its opcode and its payload.
    pub(crate) fn read(&mut self) -> (u8, Vec<u8>) {
        self.try_read().unwrap()
    }

    pub(crate) fn try_read(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let (first, payload) = self.try_read_frame()?;
        assert_eq!(first & 0xF0, 0x80, "each frame is whole, without reserved bits");
        Ok((first & 0x0F, payload))
    }

    /// The next frame as it is: its first byte and its payload.
    pub(crate) fn try_read_frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.wire.read_exact(&mut head)?;
        let length = match head[1] {
            0x7E => {
                let mut length = [0; 2];
                self.wire.read_exact(&mut length)?;
                u64::from(u16::from_be_bytes(length))
            }
            0x7F => {
                let mut length = [0; 8];
                self.wire.read_exact(&mut length)?;
                u64::from_be_bytes(length)
            }
            short => {
                assert!(short < 0x7E, "a server does not mask");
                u64::from(short)
            }
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.wire.read_exact(&mut payload)?;
        Ok((head[0], payload))
    }

    /// The next frame that is not a text, and the text before it.
    pub(crate) fn read_control(&mut self) -> (u8, Vec<u8>, Option<Message>) {
        let mut last = None;
        loop {
            let (opcode, payload) = self.read();
            if opcode != opcode::TEXT {
                return (opcode, payload, last);
            }
            last = Some(Message::parse(&payload).unwrap());
        }
    }

    /// Reads on to the close; the code that it carries, and the message right before it.
    pub(crate) fn read_close(&mut self) -> (Option<u16>, Option<Message>) {
        loop {
            let (opcode, payload, before) = self.read_control();
            if opcode == opcode::CLOSE {
                return (payload.first_chunk().map(|code| u16::from_be_bytes(*code)), before);
            }
        }
    }
}
