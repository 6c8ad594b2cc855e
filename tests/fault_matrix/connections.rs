//! Connections that do not come about: a name that nobody knows, certificates that are not to be trusted.
//!
//! No key is known then, so the operations are those that need none.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use cryptoki_sys::*;
use kms_emulator::{Emulator, Options};
use kms_pkcs11_testkit::{Authority, REGION, TlsFront, reliability};
use tempfile::TempDir;

use super::canary::Canary;
use super::common_p11::attribute::label;
use super::common_p11::{Module, Rv, Session, call, ok};
use super::fleet::set_environment;
use super::pair::ALLOWANCE;

const DEADLINE: Duration = Duration::from_secs(3);

/// A call, and what it is called in the report.
type Call = (&'static str, fn(Session<'_>) -> Rv<()>);

const CALLS: &[Call] = &[
    ("C_FindObjects", |session| {
        session.find(&[label("key")]).map(drop)
    }),
    ("C_GenerateKeyPair", |session| {
        session.generate_p256("made", "made").map(drop)
    }),
    ("C_GenerateKey", |session| {
        session.generate_symmetric("made").map(drop)
    }),
    ("C_GenerateRandom", |session| {
        let mut bytes = [0; 8];
        ok(call!(
            session.module,
            C_GenerateRandom,
            session.handle,
            bytes.as_mut_ptr(),
            8
        ))
    }),
];

#[test]
fn without_a_connection_every_call_ends_in_time_says_why_and_works_once_there_is_one() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let (ours, foreign) = (Authority::new(), Authority::new());
    let names = "IP:127.0.0.1";
    let good = ours.issue(names);
    let bundle = ours.certificate();
    let front = |identity| TlsFront::start(&identity, &emulator.endpoint());
    // The good one is issued first: each authority has one file for the last.
    let kept = TempDir::new().unwrap();
    let good = kms_pkcs11_testkit::ServerIdentity {
        certificate: copy(&kept, &good.certificate, "good.pem"),
        key: copy(&kept, &good.key, "good.key"),
    };
    let cases = [
        ("name that is not resolved", "name resolution failed", None),
        (
            "expired certificate",
            "certificate expired",
            Some(front(ours.issue_expired(names))),
        ),
        (
            "certificate of a foreign authority",
            "UnknownIssuer",
            Some(front(foreign.issue(names))),
        ),
    ];
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut config = String::new();
    for (slot, (_, _, front)) in cases.iter().enumerate() {
        let host = front.as_ref().map(|front| front.address().to_string());
        let host = host.unwrap_or_else(|| "kms.nowhere.invalid".to_owned());
        let limit = DEADLINE.as_secs();
        write!(
            config,
            "[[token]]\nlabel = \"case-{slot}\"\nregion = \"{REGION}\"\nendpoint = \"https://{host}\"\n\
             ca_bundle = \"{}\"\ndeadline = {limit}\nlisting_deadline = {limit}\n\
             attempt_timeout = {limit}\nkey_ready_timeout = {limit}\nretries = 1\n",
            bundle.display()
        )
        .unwrap();
    }
    write!(config, "[log]\nfile = \"{}\"\n", path("log").display()).unwrap();
    fs::write(path("config.toml"), config).unwrap();
    fs::set_permissions(path("config.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    set_environment(directory.path());
    let module = Module::load();
    let reserved = format!("config={}", path("config.toml").display());
    module.initialize_reserved(&reserved).unwrap();
    let (canary, mut made) = (Canary::start(), 0);
    for (slot, (name, reason, front)) in cases.iter().enumerate() {
        let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        let session = module.open(slot as CK_SLOT_ID, flags).unwrap();
        let mut longest = Duration::ZERO;
        for (call, make) in CALLS {
            let (began, late) = (Instant::now(), canary.late());
            assert_eq!(make(session), Err(CKR_DEVICE_ERROR), "{call}, {name}");
            let took = began.elapsed();
            let late = canary.late().saturating_sub(late);
            assert!(
                took < DEADLINE.mul_f64(1.1) + ALLOWANCE + late,
                "{call}, {name}: {took:?}"
            );
            longest = longest.max(took);
            let log = fs::read_to_string(path("log")).unwrap();
            let last = log.lines().last().unwrap_or_default();
            assert!(last.contains(reason), "{call}, {name}: {log}");
        }
        assert_eq!(emulator.keys().len(), made, "{name}");
        if let Some(front) = front {
            front.present(&good);
            // Where several failed, the endpoint is given some time.
            std::thread::sleep(RECOVERY);
            for (call, make) in CALLS {
                assert_eq!(make(session), Ok(()), "{call}, after {name}");
            }
            // A pair and a secret key.
            made += 2;
            assert_eq!(emulator.keys().len(), made, "after {name}");
        }
        let next = if front.is_some() { "succeeds" } else { "-" };
        let columns = [
            ("operations", CALLS.len().to_string()),
            ("pairs", CALLS.len().to_string()),
            ("outcomes", format!("CKR_DEVICE_ERROR ({})", CALLS.len())),
            ("longest (ms)", longest.as_millis().to_string()),
            ("next call", next.to_owned()),
            ("keys", "as known".to_owned()),
        ];
        reliability::record("faults", name, &columns);
    }
    module.finalize().unwrap();
}

/// Before the next call, after calls that failed: the longest pause between two looks at an endpoint is half of the
/// deadline.
const RECOVERY: Duration = Duration::from_millis(1600);

fn copy(directory: &TempDir, file: &std::path::Path, name: &str) -> std::path::PathBuf {
    let copy = directory.path().join(name);
    fs::copy(file, &copy).unwrap();
    copy
}
