//! An HTTP/1.1 client that hides nothing.

use std::io::{self, BufRead, BufReader, Read, Write};

use serde_json::Value;

use super::{Address, Wire};

/// A connection that is kept from one request to the next.
pub(crate) struct Http {
    wire: BufReader<Wire>,
    host: String,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// How an answer says where it ends.
enum Framing {
    Length(u64),
    Chunked,
    UntilClosed,
}

/// The body of an answer that goes on.
pub(crate) struct Rest<'a> {
    wire: &'a mut BufReader<Wire>,
    left_of_chunk: u64,
    ended: bool,
}

impl Http {
    pub(crate) fn connect(address: &Address) -> Self {
        Self::over(address.connect(), address)
    }

    pub(crate) fn over(wire: Wire, address: &Address) -> Self {
        Self { wire: BufReader::new(wire), host: address.to_string() }
    }

    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.request("GET", path, &[])
    }

    pub(crate) fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        self.send(method, path, headers);
        self.response(method)
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        self.wire.get_mut().write_all(head.as_bytes()).unwrap();
    }

    pub(crate) fn send_body(&mut self, body: &[u8]) {
        self.wire.get_mut().write_all(body).unwrap();
    }

    /// Whatever comes, line by line.
    pub(crate) fn lines(self) -> io::Lines<BufReader<Wire>> {
        self.wire.lines()
    }

    pub(crate) fn response(&mut self, method: &str) -> Response {
        let (status, headers) = self.head();
        let mut response = Response { status, headers, body: Vec::new() };
        if method == "HEAD" || matches!(status, 101 | 204 | 304) {
            return response;
        }
        match response.framing() {
            Framing::Length(length) => {
                let read = (&mut self.wire).take(length).read_to_end(&mut response.body).unwrap();
                assert_eq!(read as u64, length, "the answer was cut off");
            }
            Framing::Chunked => {
                self.rest().read_to_end(&mut response.body).unwrap();
            }
            Framing::UntilClosed => {
                self.wire.read_to_end(&mut response.body).unwrap();
            }
        }
        response
    }

    /// The head of an answer that comes in chunks, and a reader for what follows.
    pub(crate) fn follow(&mut self, path: &str) -> (Response, BufReader<Rest<'_>>) {
        self.send("GET", path, &[]);
        let (status, headers) = self.head();
        let response = Response { status, headers, body: Vec::new() };
        assert!(matches!(response.framing(), Framing::Chunked), "{response:?}");
        (response, BufReader::new(self.rest()))
    }

    fn rest(&mut self) -> Rest<'_> {
        Rest { wire: &mut self.wire, left_of_chunk: 0, ended: false }
    }

    /// The head of an answer: its status and its headers.
    pub(crate) fn head(&mut self) -> (u16, Vec<(String, String)>) {
        let status = line(&mut self.wire).unwrap();
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok()).expect(&status);
        let mut headers = Vec::new();
        loop {
            let line = line(&mut self.wire).unwrap();
            let Some((name, value)) = line.split_once(':') else { return (status, headers) };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads on until the connection ends, which it does before the answer has.
    pub(crate) fn ends_early(&mut self) {
        let mut said = Vec::new();
        // By a reset, where it was given up.
        let _ = self.wire.read_to_end(&mut said);
        assert!(!said.ends_with(b"\r\n0\r\n\r\n"));
    }

    /// Waits until the server closes this connection, without another word.
    pub(crate) fn wait_until_closed(mut self) {
        assert_eq!(self.wire.get_mut().read_until_closed(), b"");
    }
}

/// A line without its end.
fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

impl Read for Rest<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left_of_chunk == 0 && !self.ended {
            let length = line(self.wire)?;
            self.left_of_chunk = u64::from_str_radix(&length, 16).map_err(io::Error::other)?;
            self.ended = self.left_of_chunk == 0;
            if self.ended {
                line(self.wire)?;
            }
        }
        if self.ended {
            return Ok(0);
        }
        let count = self.wire.by_ref().take(self.left_of_chunk).read(buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left_of_chunk -= count as u64;
        if self.left_of_chunk == 0 {
            line(self.wire)?;
        }
        Ok(count)
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| &**value);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// What a client is told that did something wrong.
    pub(crate) fn problem(&self, status: u16) -> Value {
        let problem = self.json();
        assert_eq!(self.status, status, "{problem}");
        assert!(problem["error"].as_str().is_some_and(|text| !text.is_empty() && !text.contains('\n')), "{problem}");
        problem
    }

    fn framing(&self) -> Framing {
        if self.header("transfer-encoding") == Some("chunked") {
            return Framing::Chunked;
        }
        let length = self.header("content-length").map(|length| length.parse().unwrap());
        length.map_or(Framing::UntilClosed, Framing::Length)
    }
}
