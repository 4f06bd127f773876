//! TLS: the node's certificate, and the handshakes of those who come.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Who has not ended the handshake by then has gone.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Handshakes under way; then new ones wait.
const HANDSHAKES_MAX: usize = 128;
/// After the system has no socket for a client: it may have one a little later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A certificate with its key, ready to serve.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// Why a certificate and a key cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read the {what} {}: {source}", path.display())]
    Unreadable { what: &'static str, path: PathBuf, source: io::Error },
    #[error("{} holds no {what} in PEM form ({detail})", path.display())]
    NoPem { what: &'static str, path: PathBuf, detail: String },
    #[error("the certificate and the key do not go together: {0}")]
    Mismatch(rustls::Error),
}

impl Tls {
    /// Reads a chain of certificates, the node's own first, and its private key.
    pub fn load(certificates: &Path, key: &Path) -> Result<Tls, TlsError> {
        let read = |what, path: &Path| {
            std::fs::read(path).map_err(|source| TlsError::Unreadable { what, path: path.to_owned(), source })
        };
        let no_pem =
            |what, path: &Path, detail: String| TlsError::NoPem { what, path: path.to_owned(), detail };
        let pem = read("certificate", certificates)?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|error| no_pem("certificate", certificates, error.to_string()))?;
        if chain.is_empty() {
            return Err(no_pem("certificate", certificates, "no such section".to_owned()));
        }
        let own_key = PrivateKeyDer::from_pem_slice(&read("key", key)?)
            .map_err(|error| no_pem("private key", key, error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, own_key))
            .map_err(TlsError::Mismatch)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls(TlsAcceptor::from(Arc::new(config))))
    }

    /// Shakes hands with a client.
    ///
    /// # Errors
    /// If it does not speak TLS, or takes too long.
    pub async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        tokio::time::timeout(HANDSHAKE_MAX, self.0.accept(socket))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// A listener whose connections have shaken hands; who is slow at it holds up nobody.
pub struct TlsListener {
    tcp: TcpListener,
    tls: Tls,
    handshakes: JoinSet<io::Result<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    pub fn new(tcp: TcpListener, tls: Tls) -> TlsListener {
        TlsListener { tcp, tls, handshakes: JoinSet::new() }
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                accepted = self.tcp.accept(), if self.handshakes.len() < HANDSHAKES_MAX => {
                    let Ok((socket, peer)) = accepted else {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    };
                    let _ = socket.set_nodelay(true);
                    let tls = self.tls.clone();
                    self.handshakes.spawn(async move { Ok((tls.accept(socket).await?, peer)) });
                }
                Some(done) = self.handshakes.join_next(), if !self.handshakes.is_empty() => match done {
                    Ok(Ok(connection)) => return connection,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(error) => tracing::debug!(%error, "a TLS handshake broke off"),
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
