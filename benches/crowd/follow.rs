//! What a subscriber hears, found by looking only where it can stand: a load generator that parses
//! everything would measure itself.

use memchr::memmem;

/// Enough of a message to tell its type.
const TYPE_BYTES: usize = 20;
/// More than the marks that are looked for have, so that none is lost where a read ends.
const KEPT_BYTES: usize = 24;
/// How a live sample begins; its number follows.
const LIVE: &[u8] = br#"{"type":"sample","#;
const PING: u8 = 9;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Sample {
        seq: u64,
        /// When it was taken, in Unix milliseconds.
        time_ms: u64,
        is_live: bool,
    },
    /// All of history is there.
    Complete,
    Gap,
    Bye,
    Ping,
}

/// Follows the frames of one connection, and keeps nothing of them but its place.
#[derive(Default)]
pub(crate) struct Follower {
    kind: Kind,
    /// Bytes of the frame that were not looked at yet.
    left: usize,
}

#[derive(Clone, Copy, Default)]
enum Kind {
    History,
    Sample,
    /// Nothing in the rest of it is of interest.
    #[default]
    Other,
}

impl Follower {
    /// Tells what is in these bytes, and returns how many of them need not be offered again; the
    /// others come again in front of what is read next.
    pub(crate) fn follow(&mut self, bytes: &[u8], mut tell: impl FnMut(Heard)) -> usize {
        let mut used = 0;
        loop {
            if self.left == 0 {
                let Some((start, length)) = head(&bytes[used..]) else { return used };
                let payload = &bytes[used + start..];
                if payload.len() < length.min(TYPE_BYTES) {
                    return used;
                }
                self.begin(bytes[used] & 0xf, &payload[..length.min(TYPE_BYTES)], &mut tell);
                self.left = length;
                used += start;
            }
            let rest = &bytes[used..];
            let is_whole = rest.len() >= self.left;
            let looked_at = self.look(&rest[..self.left.min(rest.len())], is_whole, &mut tell);
            self.left -= looked_at;
            used += looked_at;
            if !is_whole {
                return used;
            }
        }
    }

    fn begin(&mut self, opcode: u8, payload: &[u8], tell: &mut impl FnMut(Heard)) {
        self.kind = Kind::Other;
        if opcode == PING {
            tell(Heard::Ping);
        } else if payload.starts_with(LIVE) {
            self.kind = Kind::Sample;
        } else if payload.starts_with(br#"{"type":"history""#) {
            self.kind = Kind::History;
        } else if payload.starts_with(br#"{"type":"gap""#) {
            tell(Heard::Gap);
        } else if payload.starts_with(br#"{"type":"bye""#) {
            tell(Heard::Bye);
        }
    }

    fn look(&mut self, part: &[u8], is_whole: bool, tell: &mut impl FnMut(Heard)) -> usize {
        match self.kind {
            Kind::Other => part.len(),
            Kind::Sample => match numbers(part.get(LIVE.len()..).unwrap_or_default()) {
                Some(((seq, time_ms), _)) => {
                    tell(Heard::Sample { seq, time_ms, is_live: true });
                    self.kind = Kind::Other;
                    part.len()
                }
                None if is_whole => part.len(),
                None => 0,
            },
            Kind::History => {
                let mut seen = 0;
                for place in memmem::find_iter(part, br#""seq":"#) {
                    match numbers(&part[place..]) {
                        Some(((seq, time_ms), length)) => {
                            tell(Heard::Sample { seq, time_ms, is_live: false });
                            seen = place + length;
                        }
                        None if is_whole => {}
                        None => return place,
                    }
                }
                if !is_whole {
                    return seen.max(part.len().saturating_sub(KEPT_BYTES));
                }
                if part.ends_with(br#""complete":true}"#) {
                    tell(Heard::Complete);
                }
                part.len()
            }
        }
    }
}

/// Where the payload of the first frame begins, and its length.
fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    Some(match usize::from(*bytes.get(1)?) {
        126 => (4, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)).ok()?),
        length => (2, length),
    })
}

/// Reads `"seq":1,"time":2,` and says how long it is.
fn numbers(text: &[u8]) -> Option<((u64, u64), usize)> {
    let (seq, rest) = number(text, br#""seq":"#)?;
    let (time, rest) = number(rest, br#","time":"#)?;
    Some(((seq, time), text.len() - rest.len()))
}

fn number<'a>(text: &'a [u8], name: &[u8]) -> Option<(u64, &'a [u8])> {
    let text = text.strip_prefix(name)?;
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let number = text[..end].iter().fold(0_u64, |number, digit| number.wrapping_mul(10) + u64::from(digit - b'0'));
    Some((number, &text[end..]))
}
