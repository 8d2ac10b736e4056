//! Encryption: whom to trust, and who we are.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{failure::Lost, session::Wire};

/// How `wss://` is spoken. Made once, and shared by all clients of a process.
#[derive(Clone, Debug)]
pub struct Tls(Arc<ClientConfig>);

/// Certificates or a key that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InvalidTls {
    /// A file cannot be read, or does not hold what it should.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system has no certificates of authorities.
    #[error("no certificates of authorities were found on this system; name a file with --ca-file")]
    NoRoots,
    /// The certificate and the key do not fit.
    #[error("the client certificate cannot be used: {0}")]
    Identity(String),
}

impl Tls {
    /// Trusts the authorities of `ca_file`, or else those of the system. `identity` is a file with this client's
    /// certificates and one with its key, for servers that want to see one.
    pub fn new(ca_file: Option<&Path>, identity: Option<(&Path, &Path)>) -> Result<Self, InvalidTls> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = ca_file {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| file_error(path, error.to_string()))?;
            }
        } else {
            // One that cannot be read is no reason to trust none of the others.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(InvalidTls::NoRoots);
            }
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| InvalidTls::Identity(error.to_string()))?
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_file(key).map_err(|error| file_error(key, error.to_string()))?;
                let identified = builder.with_client_auth_cert(certificates(chain)?, key);
                identified.map_err(|error| InvalidTls::Identity(error.to_string()))?
            }
        };
        // Otherwise a proxy may take us for someone who speaks HTTP/2.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// With the system's authorities, which are read once.
    pub(super) fn of_system() -> Result<Self, InvalidTls> {
        static OF_SYSTEM: OnceLock<Result<Tls, InvalidTls>> = OnceLock::new();
        OF_SYSTEM.get_or_init(|| Self::new(None, None)).clone()
    }

    pub(super) async fn wrap(&self, wire: Box<dyn Wire>, host: &str) -> Result<TlsStream<Box<dyn Wire>>, Lost> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| Lost::Tls(format!("{host:?} is no name that a certificate could be for")))?;
        TlsConnector::from(Arc::clone(&self.0)).connect(name, wire).await.map_err(|error| Lost::Tls(error.to_string()))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, InvalidTls> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => Err(file_error(path, "there is no certificate in it".into())),
        Ok(found) => Ok(found),
        Err(error) => Err(file_error(path, error.to_string())),
    }
}

fn file_error(path: &Path, why: String) -> InvalidTls {
    InvalidTls::File { path: path.into(), why }
}
