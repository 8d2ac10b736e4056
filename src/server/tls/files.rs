//! The files of TLS: what they are read to, and whether they are still the same.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use crate::config::TlsConfig;

/// The files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One cannot be read: what is in it may be good.
    #[error("server.tls.{key}: {path}: {why}")]
    Unreadable {
        /// The key of the configuration that names it.
        key: &'static str,
        /// The file.
        path: String,
        /// What is in the way.
        why: String,
    },
    /// One is not what it has to be.
    #[error("server.tls.{key}: {path}: {why}")]
    File {
        /// The key of the configuration that names it.
        key: &'static str,
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// They are not made for each other.
    #[error("server.tls: the certificate and the key do not fit together: {0}")]
    Mismatch(String),
}

/// What tells that a file is not what it was: another one (renamed, or a link that was set to another), or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    size: u64,
    /// In seconds and nanoseconds.
    modified: (i64, i64),
    /// A copy may be made to look as old as its original.
    changed: (i64, i64),
}

/// The files as they were at one moment; `None` is one that could not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versions([Option<Version>; 3]);

impl Versions {
    /// What links lead to is looked at, through however many.
    pub(super) fn of(files: &TlsConfig) -> Self {
        let paths = [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()];
        Self(paths.map(|path| {
            fs::metadata(path?).ok().map(|file| Version {
                device: file.dev(),
                inode: file.ino(),
                size: file.size(),
                modified: (file.mtime(), file.mtime_nsec()),
                changed: (file.ctime(), file.ctime_nsec()),
            })
        }))
    }
}

/// Reads them.
///
/// TLS 1.2 and 1.3 with the suites that rustls has, which are all sane: each has forward secrecy and authenticates
/// what it encrypts. Nothing is left to be chosen, and so nothing to be chosen wrongly.
pub(super) fn read(files: &TlsConfig) -> Result<ServerConfig, TlsError> {
    let chain = certificates("certificate", &files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong("key", &files.key, &error))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| mismatch(&error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => builder.with_client_cert_verifier(client_verifier(path, provider)?),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| mismatch(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if chain.is_empty() => Err(wrong(key, path, &pem::Error::NoItemsFound)),
        Ok(chain) => Ok(chain),
        Err(error) => Err(wrong(key, path, &error)),
    }
}

fn client_verifier(
    path: &Path,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let file = |why: String| TlsError::File { key: "client_ca", path: path.display().to_string(), why };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client_ca", path)? {
        roots.add(certificate).map_err(|error| file(error.to_string()))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    verifier.build().map(|verifier| verifier as Arc<dyn ClientCertVerifier>).map_err(|error| file(error.to_string()))
}

fn mismatch(error: &rustls::Error) -> TlsError {
    TlsError::Mismatch(error.to_string())
}

/// Never what stands in the file: it may be the key.
fn wrong(key: &'static str, path: &Path, error: &pem::Error) -> TlsError {
    let path = path.display().to_string();
    let why = match error {
        pem::Error::Io(error) => {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "no such file".to_owned(),
                io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                _ => error.to_string(),
            };
            return TlsError::Unreadable { key, path, why };
        }
        pem::Error::NoItemsFound => "no such thing is in it, in PEM",
        _ => "not valid PEM",
    };
    TlsError::File { key, path, why: why.to_owned() }
}
