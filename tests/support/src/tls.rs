//! TLS in front of a server that speaks plain HTTP.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::ServerIdentity;
use crate::relay::{Notes, Relay};

/// A TLS endpoint on a free port of 127.0.0.1 that hands what it decrypts to another server.
pub struct TlsFront {
    relay: Relay,
    acceptor: Arc<Mutex<TlsAcceptor>>,
    handshakes: Notes,
}

impl TlsFront {
    /// `target` is `http://127.0.0.1:PORT`.
    #[track_caller]
    pub fn start(identity: &ServerIdentity, target: &str) -> Self {
        let acceptor = Arc::new(Mutex::new(acceptor(identity)));
        let target = socket_address(target);
        let handshakes = Notes::default();
        let notes = handshakes.clone();
        let current = Arc::clone(&acceptor);
        let relay = Relay::start(move |connection| {
            let acceptor = lock(&current).clone();
            let notes = notes.clone();
            async move {
                // A client that does not trust the certificate goes away.
                let Ok(mut client) = acceptor.accept(connection).await else {
                    return;
                };
                notes.add(describe(client.get_ref().1));
                if let Ok(mut server) = TcpStream::connect(target).await {
                    // Either side may end the connection when it likes.
                    drop(copy_bidirectional(&mut client, &mut server).await);
                }
            }
        });
        Self {
            relay,
            acceptor,
            handshakes,
        }
    }

    /// Shows connections to come another certificate.
    #[track_caller]
    pub fn present(&self, identity: &ServerIdentity) {
        *lock(&self.acceptor) = acceptor(identity);
    }

    pub fn address(&self) -> SocketAddr {
        self.relay.address()
    }

    /// The handshakes since the last time this was asked: `NAME VERSION GROUP`, the name being the one that
    /// the client asked for, `-` without.
    pub fn take_handshakes(&self) -> Vec<String> {
        self.handshakes.take()
    }
}

impl fmt::Debug for TlsFront {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFront")
            .field("relay", &self.relay)
            .finish_non_exhaustive()
    }
}

fn describe(connection: &rustls::ServerConnection) -> String {
    let name = connection.server_name().unwrap_or("-");
    let version = connection.protocol_version();
    let group = connection.negotiated_key_exchange_group();
    let (version, group) = version
        .zip(group)
        .unwrap_or_else(|| panic!("a handshake without version and group"));
    format!("{name} {version:?} {:?}", group.name())
}

#[track_caller]
fn acceptor(identity: &ServerIdentity) -> TlsAcceptor {
    TlsAcceptor::from(Arc::new(config(identity)))
}

fn lock(acceptor: &Mutex<TlsAcceptor>) -> MutexGuard<'_, TlsAcceptor> {
    acceptor.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
fn config(identity: &ServerIdentity) -> ServerConfig {
    let certificate = CertificateDer::from_pem_file(&identity.certificate)
        .unwrap_or_else(|error| unreadable(&identity.certificate, &error));
    let key = PrivateKeyDer::from_pem_file(&identity.key)
        .unwrap_or_else(|error| unreadable(&identity.key, &error));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![certificate], key)
        })
        .unwrap_or_else(|error| panic!("the server's certificate is of no use: {error}"))
}

#[track_caller]
fn unreadable<T>(path: &Path, error: &rustls::pki_types::pem::Error) -> T {
    panic!("{}: {error}", path.display())
}

/// The address in `http://127.0.0.1:PORT`.
#[track_caller]
pub(crate) fn socket_address(endpoint: &str) -> SocketAddr {
    let address = endpoint.trim_start_matches("http://");
    address
        .parse()
        .unwrap_or_else(|error| panic!("{endpoint}: {error}"))
}
