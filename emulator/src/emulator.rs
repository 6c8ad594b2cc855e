//! A running emulator, for tests in Rust.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::bulk::{CreatedKey, NewKeys, NewKeysError};
use crate::calls::Calls;
use crate::fault::Fault;
use crate::inspect::{self, KeptKey};
use crate::key_ref::Site;
use crate::regions::{PeerError, Peers};
use crate::server;
use crate::service::Service;
use crate::state_file::{StateFile, StateFileError};
use crate::store::Store;

/// How an emulator is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// A loopback address; port 0 takes any free port.
    pub listen: SocketAddr,
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// Where keys and aliases are kept across restarts; nowhere by default.
    pub state: Option<PathBuf>,
    /// Waited before every request is processed.
    pub latency: Duration,
    /// The other regions: name and endpoint of each.
    pub peers: Vec<(String, String)>,
}

/// A KMS that serves until it is dropped.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    service: Arc<Service>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// An emulator that cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    #[error("{0} is not a loopback address: keys and calls here are for tests alone")]
    NotLoopback(SocketAddr),
    #[error("account {0:?} is not twelve digits")]
    Account(String),
    #[error("region {0:?} is not a region's name")]
    Region(String),
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("cannot use the state file {}: {source}", path.display())]
    State {
        path: PathBuf,
        source: StateFileError,
    },
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("cannot start threads: {0}")]
    Threads(io::Error),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            region: "us-east-1".to_owned(),
            account: "111122223333".to_owned(),
            state: None,
            latency: Duration::ZERO,
            peers: Vec::new(),
        }
    }
}

impl Emulator {
    /// Listens, and serves on threads of its own.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let Options {
            listen,
            region,
            account,
            state,
            latency,
            peers,
        } = options;
        if !listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(listen));
        }
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(StartError::Account(account));
        }
        let in_region = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if region.is_empty() || !region.bytes().all(in_region) {
            return Err(StartError::Region(region));
        }
        let known = Peers::default();
        for (region, endpoint) in &peers {
            known.set(region, endpoint)?;
        }
        let site = Site { region, account };
        let (state_file, store) = open_state(state, &site)?;
        let (listener, address) = bind(listen).map_err(|source| StartError::Listen {
            address: listen,
            source,
        })?;
        let service = Arc::new(Service::new(site, store, state_file, known));
        service.settings.set_latency(latency);

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_io()
            .enable_time()
            .thread_name("kms-emulator")
            .build()
            .map_err(StartError::Threads)?;
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&service);
        let thread = thread::Builder::new()
            .name("kms-emulator".to_owned())
            .spawn(move || serve(runtime, listener, served, stopped))
            .map_err(StartError::Threads)?;
        Ok(Self {
            address,
            service,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The URL for an SDK's endpoint setting: `http://127.0.0.1:41234`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far.
    pub fn calls(&self) -> Calls {
        self.service.calls.snapshot()
    }

    /// Counts calls anew.
    pub fn reset_calls(&self) {
        self.service.calls.reset();
    }

    /// Adds a fault for requests to come.
    pub fn fault(&self, fault: Fault) {
        self.service.faults.add(fault);
    }

    /// Drops all faults that have not struck yet, and forgets that access keys expired.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    /// Refuses connections from now on and ends those that there are, or lets clients connect again, at the
    /// same port.
    pub fn set_reachable(&self, reachable: bool) {
        self.service.door.set_open(reachable);
    }

    /// Throttles an operation from now on: no second has more requests of it than this.
    pub fn set_quota(&self, operation: &str, a_second: usize) {
        self.service.quotas.set(operation.to_owned(), a_second);
    }

    /// How many requests of an operation were above its quota.
    pub fn throttled(&self, operation: &str) -> u64 {
        self.service.quotas.refused(operation)
    }

    /// Waits before every request is processed.
    pub fn set_latency(&self, latency: Duration) {
        self.service.settings.set_latency(latency);
    }

    /// After a change made from now on, its next `count` reads do not show it yet.
    pub fn set_stale_reads(&self, count: u32) {
        self.service.settings.set_stale_reads(count);
    }

    /// The keys that there are, without a request.
    pub fn keys(&self) -> Vec<KeptKey> {
        inspect::keys(&self.service)
    }

    /// The next `count` requests that name a new replica find it `Creating`.
    pub fn set_creating_reads(&self, count: u32) {
        self.service.settings.set_creating_reads(count);
    }

    /// New RSA keys, whose making takes from a tenth of a second to seconds, have the material of one that this process
    /// made before.
    pub fn set_spares_rsa(&self, spares: bool) {
        self.service.settings.set_spares_rsa(spares);
    }

    /// Tells where another region is.
    pub fn set_peer(&self, region: &str, endpoint: &str) -> Result<(), PeerError> {
        self.service.peers.set(region, endpoint)
    }

    /// Starts one emulator for each of these regions, each the peer of all others.
    pub fn start_regions(regions: &[&str]) -> Result<Vec<Self>, StartError> {
        let start = |region: &&str| {
            Self::start(Options {
                region: (*region).to_owned(),
                ..Options::default()
            })
        };
        let started: Vec<Self> = regions.iter().map(start).collect::<Result<_, _>>()?;
        for emulator in &started {
            for (region, peer) in regions.iter().zip(&started) {
                emulator.set_peer(region, &peer.endpoint())?;
            }
        }
        Ok(started)
    }

    /// Ends the keys that are pending deletion, as if their windows were over.
    pub fn end_deletions(&self) {
        // Where the state file cannot be written, the next change says so.
        let _ = self.service.end_deletions();
    }

    /// Creates keys at once, without requests; no read of them is stale.
    pub fn create_keys(&self, keys: &NewKeys) -> Result<Vec<CreatedKey>, NewKeysError> {
        keys.create_in(&self.service)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Dropping the sender is the signal.
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic in there was already reported on standard error.
            let _ = thread.join();
        }
    }
}

/// How long requests may still run when the emulator is dropped.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(500);

fn serve(
    runtime: Runtime,
    listener: TcpListener,
    service: Arc<Service>,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
            return;
        };
        tokio::select! {
            () = server::serve(listener, service) => {}
            _ = stopped => {}
        }
    });
    runtime.shutdown_timeout(SHUTDOWN_LIMIT);
}

fn bind(listen: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn open_state(
    path: Option<PathBuf>,
    site: &Site,
) -> Result<(Option<StateFile>, Mutex<Store>), StartError> {
    let Some(path) = path else {
        return Ok((None, Mutex::default()));
    };
    let (file, store) =
        StateFile::open(&path, site).map_err(|source| StartError::State { path, source })?;
    Ok((Some(file), store))
}
