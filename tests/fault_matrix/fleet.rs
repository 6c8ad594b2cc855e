//! Tokens by the hundred: each with a KMS of its own, in one module.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use kms_emulator::{Emulator, NewKeys, Options};
use kms_pkcs11_testkit::{REGION, hex, openssl_ok, python};
use parking_lot::{Condvar, Mutex};
use tempfile::TempDir;

use super::canary::Canary;
use super::common_p11::Module;
use super::faults::{Afterwards, Fault, Faults};
use super::operations::{Operation, Site};
use super::pair::{self, Met};
use cryptoki_sys::{CK_SLOT_ID, CKF_RW_SESSION, CKF_SERIAL_SESSION};

/// Of each time limit of a token.
pub(crate) const DEADLINE_SECONDS: f64 = 1.5;

/// Calls that compute at the same time; those that wait are not among them.
const AT_WORK: usize = 6;

/// A token, its KMS, and the faults that it meets one after the other.
struct Lane<'f> {
    operation: &'f Operation,
    faults: Vec<&'f Fault>,
    emulator: Emulator,
    /// The other region, where there is one.
    peer: Option<Emulator>,
}

impl Lane<'_> {
    /// Whether its credentials change, or the tagging API is asked, which is found by the profile alone.
    fn has_profile(&self) -> bool {
        let mut faults = self.faults.iter();
        faults.any(|fault| fault.afterwards == Afterwards::NewCredentials)
            || self.operation.struck == "GetResources"
    }

    fn settings(&self) -> String {
        let peer = self.peer.as_ref().map(Emulator::endpoint);
        self.operation
            .settings
            .replace(PEER, &peer.unwrap_or_default())
    }
}

/// What the lanes share.
pub(crate) struct Fleet {
    pub(crate) module: Module,
    directory: TempDir,
    /// The access keys in the credentials file, by token that has a profile.
    access_keys: Mutex<BTreeMap<usize, String>>,
    at_work: Mutex<usize>,
    left: Condvar,
    pub(crate) canary: Canary,
    warnings: Mutex<Warnings>,
}

/// The warnings and errors of a log that grows: reading all of it for each pair would take longer than the pairs.
#[derive(Default)]
struct Warnings {
    lines: Vec<String>,
    read: u64,
    /// The beginning of a line whose end was not there yet.
    rest: String,
}

impl Warnings {
    fn read(&mut self, log: &Path) {
        let Ok(mut file) = File::open(log) else {
            return;
        };
        file.seek(SeekFrom::Start(self.read)).unwrap();
        let mut new = Vec::new();
        self.read += file.read_to_end(&mut new).unwrap() as u64;
        self.rest.push_str(&String::from_utf8_lossy(&new));
        let Some((whole, rest)) = self.rest.rsplit_once('\n') else {
            return;
        };
        let is_told = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        self.lines
            .extend(whole.lines().filter(is_told).map(str::to_owned));
        self.rest = rest.to_owned();
    }
}

/// Leave to compute until it is dropped.
pub(crate) struct Leave<'f>(&'f Fleet);

/// Has every operation meet each of its faults.
pub(crate) fn run<'f>(operations: &[&'f Operation], faults: &'f Faults) -> Vec<Met> {
    let directory = TempDir::new().unwrap();
    let mut lanes = Vec::new();
    for operation in operations {
        let keys = Keys::of(operation, directory.path());
        // The first one shows that the operation works, and makes what is made once for all.
        let mut groups = vec![Vec::new()];
        let (light, heavy): (Vec<_>, Vec<_>) = faults
            .of(operation)
            .into_iter()
            .partition(|fault| fault.is_light);
        groups.extend(light.chunks(operation.in_a_row).map(<[_]>::to_vec));
        groups.extend(heavy.into_iter().map(|fault| vec![fault]));
        lanes.extend(groups.into_iter().map(|faults| {
            let emulator = keys.emulator(directory.path());
            let peer = operation.settings.contains(PEER).then(|| peer(&emulator));
            Lane {
                operation,
                faults,
                emulator,
                peer,
            }
        }));
    }
    let fleet = &Fleet::start(directory, &lanes);
    let mut outcomes = Vec::new();
    thread::scope(|scope| {
        let (first, others): (Vec<_>, Vec<_>) = lanes
            .iter()
            .enumerate()
            .partition(|(_, lane)| lane.faults.is_empty());
        for lanes in [first, others] {
            let threads: Vec<_> = lanes
                .into_iter()
                .map(|(slot, lane)| (lane, scope.spawn(move || fleet.sail(slot, lane))))
                .collect();
            for (lane, thread) in threads {
                outcomes.extend(thread.join().unwrap_or_else(|_| {
                    let names = lane.faults.iter().map(|fault| fault.name);
                    let names: Vec<_> = names.collect();
                    vec![Met::broken(lane.operation, &names)]
                }));
            }
        }
    });
    fleet.module.finalize().unwrap();
    outcomes
}

impl Fleet {
    fn start(directory: TempDir, lanes: &[Lane<'_>]) -> Self {
        let path = |name: &str| directory.path().join(name);
        let mut config = String::new();
        let mut profiles = String::new();
        let mut access_keys = BTreeMap::new();
        for (slot, lane) in lanes.iter().enumerate() {
            let endpoint = lane.emulator.endpoint();
            // The first call of each operation is measured by nobody.
            let limit = if lane.faults.is_empty() {
                60.0
            } else {
                DEADLINE_SECONDS
            };
            write!(
                config,
                "[[token]]\nlabel = \"lane-{slot}\"\nregion = \"{REGION}\"\nendpoint = \"{endpoint}\"\n\
                 deadline = {limit}\nattempt_timeout = {limit}\nconnect_timeout = {limit}\n\
                 listing_deadline = {limit}\nkey_ready_timeout = {limit}\n\
                 refresh_interval = 3600\nmiss_refresh_interval = 0.001\nretries = 1\n{}\n",
                lane.settings()
            )
            .unwrap();
            // Few have one: each token reads the whole of the files.
            if lane.has_profile() {
                writeln!(config, "profile = \"lane-{slot}\"").unwrap();
                write!(
                    profiles,
                    "[profile lane-{slot}]\nendpoint_url = {endpoint}\n"
                )
                .unwrap();
                access_keys.insert(slot, "first".to_owned());
            }
        }
        write!(
            config,
            "[log]\nlevel = \"info\"\nfile = \"{}\"\n",
            path("log").display()
        )
        .unwrap();
        fs::write(path("config.toml"), config).unwrap();
        fs::set_permissions(path("config.toml"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(path("profiles"), profiles).unwrap();
        set_environment(directory.path());
        let fleet = Self {
            module: Module::load(),
            access_keys: Mutex::new(access_keys),
            directory,
            at_work: Mutex::default(),
            left: Condvar::new(),
            canary: Canary::start(),
            warnings: Mutex::default(),
        };
        fleet.write_credentials(&fleet.access_keys.lock());
        let reserved = format!(
            "config={}",
            fleet.directory.path().join("config.toml").display()
        );
        fleet.module.initialize_reserved(&reserved).unwrap();
        fleet
    }

    fn sail(&self, slot: usize, lane: &Lane<'_>) -> Vec<Met> {
        let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        let session = self.module.open(slot as CK_SLOT_ID, flags).unwrap();
        let site = Site {
            session,
            emulator: &lane.emulator,
            peer: lane.peer.as_ref(),
        };
        pair::run(self, slot, site, lane.operation, &lane.faults)
    }

    /// Waits until few compute.
    pub(crate) fn leave(&self) -> Leave<'_> {
        let mut at_work = self.at_work.lock();
        self.left
            .wait_while(&mut at_work, |at_work| *at_work >= AT_WORK);
        *at_work += 1;
        Leave(self)
    }

    /// Gives a token an access key that nobody had before.
    pub(crate) fn renew_credentials(&self, slot: usize) {
        let mut keys = self.access_keys.lock();
        keys.entry(slot).or_default().push('+');
        self.write_credentials(&keys);
    }

    /// Whether the module warned of something, in a line that has all of these words.
    pub(crate) fn warned(&self, words: &[&str]) -> bool {
        let mut warnings = self.warnings.lock();
        warnings.read(&self.directory.path().join("log"));
        let mut lines = warnings.lines.iter();
        lines.any(|line| words.iter().all(|word| line.contains(word)))
    }

    fn write_credentials(&self, keys: &BTreeMap<usize, String>) {
        let profiles = keys.iter().map(|(slot, key)| {
            format!("[lane-{slot}]\naws_access_key_id = {key}\naws_secret_access_key = test\n")
        });
        let file = self.directory.path().join("credentials");
        let new = file.with_extension("new");
        fs::write(&new, profiles.collect::<String>()).unwrap();
        fs::rename(new, file).unwrap();
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        *self.0.at_work.lock() -= 1;
        self.0.left.notify_one();
    }
}

/// The key of an operation, which all of its tokens have: made once.
struct Keys(Option<PathBuf>);

impl Keys {
    fn of(operation: &Operation, directory: &Path) -> Self {
        Self(operation.key.map(|(spec, usage)| {
            let state = new_file(directory);
            let options = Options {
                state: Some(state.clone()),
                ..Options::default()
            };
            let keys = NewKeys::new(1, spec, usage).tag("p11:label", "key");
            let emulator = Emulator::start(options).unwrap();
            emulator.create_keys(&keys).unwrap();
            state
        }))
    }

    /// A KMS with the key.
    fn emulator(&self, directory: &Path) -> Emulator {
        let state = self.0.as_ref().map(|keys| {
            let copy = new_file(directory);
            fs::copy(keys, &copy).unwrap();
            copy
        });
        let emulator = Emulator::start(Options {
            state,
            ..Options::default()
        })
        .unwrap();
        emulator.set_spares_rsa(true);
        emulator
    }
}

/// In the settings of a token, what stands for the endpoint of its other region.
const PEER: &str = "{peer}";

fn peer(emulator: &Emulator) -> Emulator {
    const REPLICA: &str = "eu-west-1";
    let peer = Emulator::start(Options {
        region: REPLICA.to_owned(),
        ..Options::default()
    })
    .unwrap();
    emulator.set_peer(REPLICA, &peer.endpoint()).unwrap();
    peer.set_peer(REGION, &emulator.endpoint()).unwrap();
    peer
}

fn new_file(directory: &Path) -> PathBuf {
    static FILES: AtomicU32 = AtomicU32::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    directory.join(format!("keys-{number}.json"))
}

/// A certificate in DER, and its subject.
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    pub(crate) subject: Vec<u8>,
}

/// The certificate of a public key, issued once by openssl.
pub(crate) fn certificate(spki: &[u8]) -> Arc<Certificate> {
    static ISSUED: Mutex<BTreeMap<Vec<u8>, Arc<Certificate>>> = Mutex::new(BTreeMap::new());
    let mut issued = ISSUED.lock();
    let issue = || {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let (ca, key, public) = (path("ca.pem"), path("ca.key"), path("public.pem"));
        let mut authority = vec!["req", "-x509", "-newkey", "ec", "-nodes", "-days", "30"];
        authority.extend([
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-subj",
            "/CN=Root",
        ]);
        authority.extend(["-keyout", &key, "-out", &ca]);
        openssl_ok(authority, &[]);
        let pem = openssl_ok(
            ["pkey", "-pubin", "-inform", "DER", "-outform", "PEM"],
            spki,
        );
        fs::write(&public, pem).unwrap();
        let mut leaf = vec![
            "x509",
            "-new",
            "-force_pubkey",
            &public,
            "-subj",
            "/CN=leaf",
        ];
        leaf.extend(["-CA", &ca, "-CAkey", &key, "-days", "30", "-outform", "DER"]);
        let der = openssl_ok(leaf, &[]);
        let script = "import sys\nfrom cryptography import x509\n\
            certificate = x509.load_der_x509_certificate(bytes.fromhex(sys.argv[1]))\n\
            print(certificate.subject.public_bytes().hex())";
        let subject = python(script, [hex(&der)]).ok().stdout();
        Arc::new(Certificate {
            subject: kms_pkcs11_testkit::from_hex(subject.trim()),
            der,
        })
    };
    Arc::clone(issued.entry(spki.to_vec()).or_insert_with(issue))
}

/// Makes this process's environment one without AWS and PKCS#11 settings, but for the fleet's files.
pub(crate) fn set_environment(directory: &Path) {
    let inherited: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    let of_others = inherited.iter().filter(|name| {
        let name = name.to_string_lossy();
        ["AWS_", "KMS_PKCS11_CONFIG", "KMS_PKCS11_LOG", "XDG_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    });
    // SAFETY: the test is alone in its process, the module is not initialised, and the emulators' threads do not
    // look at the environment.
    unsafe {
        for name in of_others {
            std::env::remove_var(name);
        }
        std::env::set_var("HOME", directory);
        std::env::set_var("AWS_CONFIG_FILE", directory.join("profiles"));
        std::env::set_var("AWS_SHARED_CREDENTIALS_FILE", directory.join("credentials"));
        std::env::set_var("AWS_ACCESS_KEY_ID", "test");
        std::env::set_var("AWS_SECRET_ACCESS_KEY", "test");
        std::env::set_var("AWS_EC2_METADATA_DISABLED", "true");
    }
}
