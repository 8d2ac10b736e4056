//! Someone who vouches for certificates.

use std::{fs, io::Write as _, path::Path, sync::Arc};

use hostcast::{
    config::TlsConfig,
    server::{Secrets, Tls},
    token::Tokens,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};

use super::{Address, Feed, Pour, Wire};

/// Someone who vouches for certificates, with a folder for their files.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pub(crate) folder: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { certificate: certificate.der().clone(), issuer: Issuer::new(params, key), folder }
    }

    /// Puts a certificate for this host, and its key, into the folder.
    pub(crate) fn issue(&self) {
        self.issue_to(self.folder.path());
    }

    /// The same with another folder.
    pub(crate) fn issue_to(&self, folder: &Path) {
        let (certificate, key) = self.pair();
        fs::write(folder.join("certificate.pem"), certificate).unwrap();
        fs::write(folder.join("key.pem"), key).unwrap();
    }

    /// A certificate for this host, and its key.
    pub(crate) fn pair(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub(crate) fn config(&self) -> TlsConfig {
        let file = |name| self.folder.path().join(name);
        TlsConfig { certificate: file("certificate.pem"), key: file("key.pem"), client_ca: None }
    }

    /// A server with a certificate, and what it would have read.
    pub(crate) fn pour(&self) -> Pour {
        self.issue();
        let secrets = Secrets { tokens: Tokens::default(), tls: Some(Tls::read(&self.config()).unwrap()) };
        Pour::with_secrets(secrets, |_| {})
    }

    /// A client who believes what this one vouches for, and shows a certificate itself or none.
    pub(crate) fn client(&self, shows: bool) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let config = if shows {
            let TlsConfig { certificate, key, .. } = self.config();
            let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
    }

    pub(crate) fn wire(&self, address: &Address) -> Wire {
        address.connect().encrypted(self.client(false))
    }

    pub(crate) fn feed(&self, address: &Address, query: &str, subprotocol: &str) -> Feed {
        Feed::over(self.wire(address), address, query, &[subprotocol])
    }

    /// The certificate that the server shows now.
    pub(crate) fn served(&self, address: &Address) -> CertificateDer<'static> {
        let mut wire = self.wire(address);
        wire.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        wire.read_until_closed();
        let Wire::Tls(stream) = wire else { unreachable!("it is encrypted") };
        stream.conn.peer_certificates().unwrap()[0].clone().into_owned()
    }
}
