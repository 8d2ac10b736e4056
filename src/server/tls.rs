//! Encryption of what comes over TCP: the certificate in force, and the opening handshake.

use std::{io, path::Path, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::debug;

use super::{Context, refusal, serve::Line};
use crate::config::TlsConfig;

/// A certificate and its key, ready to be used; clones are the same.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// The files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One cannot be read.
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

impl Tls {
    /// Reads the files that the configuration names.
    ///
    /// TLS 1.2 and 1.3 with the suites that rustls has, which are all sane: each has forward secrecy and authenticates
    /// what it encrypts. Nothing is left to be chosen, and so nothing to be chosen wrongly.
    pub fn read(config: &TlsConfig) -> Result<Self, TlsError> {
        let chain = certificates("certificate", &config.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&config.key).map_err(|error| wrong("key", &config.key, &error))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| mismatch(&error))?;
        let builder = match &config.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => builder.with_client_cert_verifier(client_verifier(path, provider)?),
        };
        let mut server = builder.with_single_cert(chain, key).map_err(|error| mismatch(&error))?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(server))))
    }

    /// The opening handshake; `None` where the client did not make one in the time that it has for a request's head.
    pub(super) async fn handshake(&self, io: TcpStream, context: &Context, line: Line) -> Option<TlsStream<TcpStream>> {
        let mut stopping = context.stopping.subscribe();
        let handshake = timeout(context.in_force.get().header_timeout, self.shake(io));
        let shaken = tokio::select! {
            shaken = handshake => shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
            _ = stopping.wait_for(|stopping| *stopping) => return None,
        };
        shaken.inspect_err(|error| debug!(peer = %line, %error, "a TLS handshake failed")).ok()
    }

    async fn shake(&self, io: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [0];
        io.peek(&mut first).await?;
        if first[0].is_ascii_uppercase() {
            // A method of HTTP begins so. What rustls would say to that, no client shows to anyone.
            refusal::tell(io, "400 Bad Request", "this port speaks TLS: use https:// or wss://").await;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it speaks HTTP without TLS"));
        }
        self.0.accept(io).await
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
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
    let why = match error {
        pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => "no such file".to_owned(),
        pem::Error::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "no such thing is in it, in PEM".to_owned(),
        _ => "not valid PEM".to_owned(),
    };
    TlsError::File { key, path: path.display().to_string(), why }
}
