//! From a folder of files to `assets.rs`: a table with the bytes of each, plain and gzipped.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

/// Writes `OUT_DIR/assets.rs` and, beside it, the files that it includes.
pub(crate) fn write(dist: &Path, out_dir: &Path) -> Result<(), String> {
    let embedded = out_dir.join("embedded");
    let mut files = Vec::new();
    list(dist, &mut files).map_err(|error| format!("cannot read {}: {error}", dist.display()))?;
    // Sorted, so that the same page always gives the same binary.
    files.sort();

    if embedded.exists() {
        fs::remove_dir_all(&embedded).map_err(|error| error.to_string())?;
    }
    fs::create_dir_all(&embedded).map_err(|error| error.to_string())?;
    let mut table = String::from("&[\n");
    for (number, file) in files.iter().enumerate() {
        entry(dist, file, number, &embedded, &mut table)
            .map_err(|error| format!("cannot embed {}: {error}", file.display()))?;
    }
    table.push_str("]\n");
    fs::write(out_dir.join("assets.rs"), table).map_err(|error| error.to_string())
}

fn entry(dist: &Path, file: &Path, number: usize, embedded: &Path, table: &mut String) -> Result<(), String> {
    let name = file.strip_prefix(dist).expect("listed below dist").to_str().ok_or("its name is not UTF-8")?;
    let content_type = content_type(file).ok_or("no content type is known for its extension")?;
    let content = fs::read(file).map_err(|error| error.to_string())?;

    fs::write(embedded.join(number.to_string()), &content).map_err(|error| error.to_string())?;
    fs::write(embedded.join(format!("{number}.gz")), compress(&content)).map_err(|error| error.to_string())?;

    let path = if name == "index.html" { "/".to_owned() } else { format!("/{name}") };
    let etag = format!("\"{:016x}\"", fingerprint(&content));
    let immutable = name.starts_with("assets/");
    write!(
        table,
        "    Asset {{\n        path: {path:?},\n        content_type: {content_type:?},\n        \
         etag: {etag:?},\n        immutable: {immutable},\n        \
         identity: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/embedded/{number}\")),\n        \
         gzip: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/embedded/{number}.gz\")),\n    }},\n",
    )
    .map_err(|error| error.to_string())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn content_type(file: &Path) -> Option<&'static str> {
    match file.extension()?.to_str()? {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

/// The header carries no time stamp: the same page always gives the same bytes.
fn compress(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(content).expect("a Vec takes every write");
    encoder.finish().expect("a Vec takes every write")
}

/// FNV-1a: an entity tag has to change with the content, and need not withstand an attacker.
fn fingerprint(content: &[u8]) -> u64 {
    content
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
