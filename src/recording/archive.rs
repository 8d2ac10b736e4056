//! Whole zstd frames, one after the other in a file that everyday tools decompress as one.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::Range,
};

/// A frame is made of about so many bytes of lines, at their ends: large enough to compress well, small enough to be read
/// whole, and little is lost where one is damaged. With a few lines more it stays within 256 KiB, beyond which zstd takes
/// several times the memory.
pub(super) const FRAME_TEXT: usize = 240 << 10;
/// No frame of ours decompresses to more; one line may be longer than a frame's usual text.
const MAX_TEXT: usize = 64 << 20;
/// Beyond this it takes twice as long for a twentieth.
const LEVEL: i32 = 9;

const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// Makes frames: with a checksum, so that damage shows. One serves any number of hosts.
///
/// Its buffers are kept from one frame to the next: large ones that come and go leave holes in memory that nothing fits.
pub struct Compressor {
    zstd: zstd::bulk::Compressor<'static>,
    frame: Vec<u8>,
    /// For whoever has to read a frame's text first.
    pub(super) text: Vec<u8>,
}

impl Compressor {
    /// A compressor.
    pub fn new() -> io::Result<Self> {
        let mut zstd = zstd::bulk::Compressor::new(LEVEL)?;
        zstd.include_checksum(true)?;
        zstd.include_contentsize(true)?;
        Ok(Self { zstd, frame: Vec::new(), text: Vec::new() })
    }

    /// One whole frame of this text.
    pub(super) fn frame(&mut self, text: &[u8]) -> io::Result<&[u8]> {
        self.frame.clear();
        self.frame.reserve_exact(zstd::zstd_safe::compress_bound(text.len()));
        self.zstd.compress_to_buffer(text, &mut self.frame)?;
        Ok(&self.frame)
    }
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compressor")
    }
}

/// The text of one frame.
pub(super) fn text(frame: &[u8]) -> io::Result<Vec<u8>> {
    let size = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= MAX_TEXT);
    let size = size.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "this is no frame of a recording"))?;
    zstd::bulk::decompress(frame, size)
}

/// Where the whole frames of a file lie; what follows the last of them is torn.
pub(super) fn whole_frames(file: &File) -> io::Result<Vec<Range<u64>>> {
    let length = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    let (mut frames, mut start) = (Vec::new(), 0);
    while start < length {
        reader.seek(SeekFrom::Start(start))?;
        match frame_length(&mut reader) {
            Ok(Some(frame)) if start + frame <= length => {
                frames.push(start..start + frame);
                start += frame;
            }
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(frames)
}

/// Reads the bytes of one frame.
pub(super) fn read_frame(file: &mut File, range: &Range<u64>) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(range.start))?;
    let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let mut frame = vec![0; length.min(MAX_TEXT)];
    file.read_exact(&mut frame)?;
    Ok(frame)
}

/// How long the frame is that begins here, by its headers alone (RFC 8878, 3.1.1). `None` if none begins here.
fn frame_length(reader: &mut (impl Read + Seek)) -> io::Result<Option<u64>> {
    let mut magic = [0; 4];
    reader.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Ok(None);
    }
    let mut descriptor = [0];
    reader.read_exact(&mut descriptor)?;
    let [descriptor] = descriptor;
    let is_single_segment = descriptor & 0x20 != 0;
    let content_size = match (descriptor >> 6, is_single_segment) {
        (0, false) => 0,
        (0, true) => 1,
        (1, _) => 2,
        (2, _) => 4,
        _ => 8,
    };
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 0x3)];
    let header = i64::from(!is_single_segment) + dictionary + content_size;
    reader.seek_relative(header)?;
    let mut length = 5 + header as u64;
    loop {
        let mut block = [0; 4];
        reader.read_exact(&mut block[..3])?;
        let block = u32::from_le_bytes(block);
        let (is_last, kind, size) = (block & 1 != 0, (block >> 1) & 0x3, i64::from(block >> 3));
        let stored = match kind {
            // One byte, repeated.
            1 => 1,
            // Reserved: this is damaged.
            3 => return Ok(None),
            _ => size,
        };
        reader.seek_relative(stored)?;
        length += 3 + stored as u64;
        if is_last {
            let checksum = if descriptor & 0x4 != 0 { 4 } else { 0 };
            return Ok(Some(length + checksum));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Text that compresses like ours, and some that does not.
    fn texts() -> Vec<Vec<u8>> {
        let lines = |count: u64| -> Vec<u8> {
            (0..count).flat_map(|n| format!("{{\"seq\":{n},\"value\":{}}}\n", n * n % 977).into_bytes()).collect()
        };
        let mut noise = vec![0; 300_000];
        getrandom::fill(&mut noise).unwrap();
        vec![lines(1), lines(10_000), noise, vec![b'\n'; 500_000], lines(300)]
    }

    #[test]
    fn frames_are_found_by_their_headers_and_a_torn_one_is_not() {
        let mut compressor = Compressor::new().unwrap();
        let texts = texts();
        let frames: Vec<_> = texts.iter().map(|text| compressor.frame(text).unwrap().to_vec()).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&frames.concat()).unwrap();
        let found = whole_frames(&file).unwrap();
        assert_eq!(found.len(), frames.len());
        for (range, expected) in found.iter().zip(&texts) {
            assert!(text(&read_frame(&mut file, range).unwrap()).unwrap() == *expected, "{range:?}");
        }
        let last = found.last().unwrap();
        for cut in 1..=(last.end - last.start) {
            file.set_len(last.end - cut).unwrap();
            assert_eq!(whole_frames(&file).unwrap(), found[..found.len() - 1]);
        }
    }

    #[test]
    fn damage_shows() {
        let mut compressor = Compressor::new().unwrap();
        let frame = compressor.frame(&texts()[1]).unwrap();
        for at in (0..frame.len()).step_by(97) {
            let mut damaged = frame.to_vec();
            damaged[at] ^= 0x10;
            assert!(text(&damaged).is_err(), "byte {at}");
        }
    }
}
