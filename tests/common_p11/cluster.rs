//! Regions that can be killed, hung and started again: each an emulator in a process of its own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use kms_pkcs11_testkit::{Ready, Server, emulator_binary, free_port, run};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::world::{http, post};

/// Far longer than a start takes that is not broken.
const LONG: Duration = Duration::from_secs(30);

/// One region. It keeps its port and its keys when it is killed.
pub(crate) struct Region {
    pub(crate) name: &'static str,
    port: u16,
    state: PathBuf,
    server: Mutex<Option<Server>>,
}

/// Regions that are each other's peers.
pub(crate) struct Cluster {
    pub(crate) regions: Vec<Region>,
    pub(crate) directory: TempDir,
}

impl Cluster {
    /// Starts an emulator for each of these regions.
    pub(crate) fn start<const N: usize>(names: [&'static str; N]) -> Self {
        let directory = TempDir::new().unwrap();
        let region = |name| Region {
            name,
            port: free_port(),
            state: directory.path().join(format!("{name}.json")),
            server: Mutex::new(None),
        };
        let regions = names.map(region).into();
        let cluster = Self { regions, directory };
        cluster.regions.iter().for_each(Region::start);
        let peers = cluster.regions.iter();
        let peers: Value = peers
            .map(|peer| (peer.name.to_owned(), json!(peer.endpoint())))
            .collect();
        for region in &cluster.regions {
            region.control("PUT", "peers", &peers);
        }
        cluster
    }

    /// The settings of a token whose own region is the first one.
    pub(crate) fn settings(&self) -> String {
        let [home, replicas @ ..] = &self.regions[..] else {
            panic!("no regions");
        };
        let names: Vec<_> = replicas.iter().map(|replica| replica.name).collect();
        let endpoints = replicas
            .iter()
            .map(|replica| format!("{} = \"{}\"", replica.name, replica.endpoint()));
        format!(
            "region = \"{}\"\nendpoint = \"{}\"\nreplica_regions = {names:?}\n\
             replica_endpoints = {{ {} }}\n",
            home.name,
            home.endpoint(),
            endpoints.collect::<Vec<_>>().join(", ")
        )
    }

    /// Makes a P-256 key in the first region, with replicas in all others, which have the same tags; answers its public
    /// half, DER of its SPKI, in Base64.
    pub(crate) fn create_key(&self, names: &[(&str, &str)]) -> String {
        let tags: Vec<_> = names
            .iter()
            .map(|(key, value)| json!({ "TagKey": key, "TagValue": value }))
            .collect();
        let home = &self.regions[0];
        let new = json!({
            "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "MultiRegion": true, "Tags": tags,
        });
        let key_id = home.ask("CreateKey", &new)["KeyMetadata"]["KeyId"].clone();
        for replica in &self.regions[1..] {
            let request = json!({ "KeyId": key_id, "ReplicaRegion": replica.name, "Tags": tags });
            home.ask("ReplicateKey", &request);
        }
        let key = home.ask("GetPublicKey", &json!({ "KeyId": key_id }));
        key["PublicKey"].as_str().unwrap().to_owned()
    }
}

impl Region {
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it where it was, with the keys that it had.
    pub(crate) fn start(&self) {
        let mut command = Command::new(emulator_binary());
        command
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--region", self.name, "--exit-with-stdin", "--state"])
            .arg(&self.state);
        let begun = Instant::now();
        loop {
            match Server::start(&mut command, &Ready::Line("listening on")) {
                Ok((server, _)) => {
                    *self.server.lock().unwrap() = Some(server);
                    return;
                }
                // A connection of this process may have the port for a moment.
                Err(_) if begun.elapsed() < LONG => thread::sleep(Duration::from_millis(50)),
                Err(why) => panic!("{why}"),
            }
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        *self.server.lock().unwrap() = None;
    }

    /// Stops it: connections are accepted, and nobody answers.
    pub(crate) fn hang(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// How often each operation was asked for since it was started.
    pub(crate) fn count(&self, operation: &str) -> u64 {
        let calls = self.control("GET", "calls", &Value::Null);
        calls["operations"][operation].as_u64().unwrap_or_default()
    }

    fn signal(&self, name: &str) {
        let id = self.server.lock().unwrap().as_ref().unwrap().id();
        let _ = run(Command::new("kill").args(["-s", name, &id.to_string()])).ok();
    }

    pub(crate) fn ask(&self, operation: &str, body: &Value) -> Value {
        let (status, answer) = post(&self.endpoint(), operation, &body.to_string());
        assert_eq!(status, 200, "{operation} {body}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    fn control(&self, method: &str, resource: &str, body: &Value) -> Value {
        let head = format!("{method} /_emulator/{resource}");
        let (status, answer) = http(&self.endpoint(), &head, "", &body.to_string());
        assert_eq!(status, 200, "{head} {body}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }
}
