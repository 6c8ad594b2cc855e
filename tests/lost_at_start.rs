//! A token whose region is lost when its keys are looked for the first time: those that have replicas are found in
//! another region, by the names and handles that they have at home.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use common_p11::attribute::{id, label, private_keys};
use common_p11::cluster::{Cluster, Region};
use common_p11::outside::assert_ecdsa;
use common_p11::{Module, set_environment};
use cryptoki_sys::*;
use serde_json::json;

const REGIONS: [&str; 2] = ["eu-west-1", "eu-central-1"];
/// Of one attempt, and thereby of the first find while a region hangs.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Far longer than anything here takes that is not broken.
const LONG: Duration = Duration::from_mins(1);
const DIGEST: [u8; 32] = [7; 32];

/// Two regions, with a key that both have and one that is at home alone, and the module over them.
struct World {
    cluster: Cluster,
    module: Module,
    /// DER of the SPKI of the key that both have.
    public: Vec<u8>,
}

impl World {
    fn start(settings: &str) -> Self {
        let cluster = Cluster::start(REGIONS);
        let public = cluster.create_key(&[("p11:id", "01"), ("p11:label", "shared")]);
        let lonely = json!({
            "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY",
            "Tags": [{ "TagKey": "p11:label", "TagValue": "lonely" }],
        });
        cluster.regions[0].ask("CreateKey", &lonely);
        set_environment(cluster.directory.path());
        let config = format!(
            "[[token]]\nlabel = \"test\"\n{}attempt_timeout = {}\nconnect_timeout = 1\nretries = 1\n\
             miss_refresh_interval = 0.2\nlisting_deadline = 30\n{settings}\n\
             [log]\nlevel = \"warn\"\nfile = \"{}\"\n",
            cluster.settings(),
            ATTEMPT.as_secs(),
            cluster.directory.path().join("log").display(),
        );
        let file = cluster.directory.path().join("config.toml");
        fs::write(&file, config).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let module = Module::load();
        let reserved = format!("config={}", file.display());
        module.initialize_reserved(&reserved).unwrap();
        Self {
            cluster,
            module,
            public: Base64::decode_vec(&public).unwrap(),
        }
    }

    fn home(&self) -> &Region {
        &self.cluster.regions[0]
    }

    fn replica(&self) -> &Region {
        &self.cluster.regions[1]
    }

    /// How often the replica's region was asked for each of these.
    fn asked<const N: usize>(&self, operations: [&str; N]) -> [u64; N] {
        operations.map(|operation| self.replica().count(operation))
    }

    /// Finds the key of both regions, and signs with it.
    #[track_caller]
    fn sign(&self) -> CK_OBJECT_HANDLE {
        let session = self.module.session();
        let found = session.find(&[private_keys(), label("shared"), id([1])]);
        let [key] = found.unwrap_or_else(|rv| panic!("CKR {rv:#x}\n{}", self.log()))[..] else {
            panic!("not found\n{}", self.log());
        };
        let unique_id = session.get(key, CKA_UNIQUE_ID).unwrap();
        let unique_id = String::from_utf8(unique_id).unwrap();
        let at_home = "arn:aws:kms:eu-west-1:111122223333:key/mrk-";
        assert!(unique_id.starts_with(at_home), "{unique_id}");
        let signature = session.sign(CKM_ECDSA, key, &DIGEST).unwrap();
        assert_ecdsa(&self.public, &[(DIGEST, signature)]);
        key
    }

    fn find_lonely(&self) -> Result<usize, CK_RV> {
        let found = self
            .module
            .session()
            .find(&[private_keys(), label("lonely")]);
        found.map(|found| found.len())
    }

    /// Waits until the key is found that is at home alone.
    #[track_caller]
    fn await_home(&self) {
        let begun = Instant::now();
        while self.find_lonely() != Ok(1) {
            assert!(begun.elapsed() < LONG, "{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.cluster.directory.path().join("log")).unwrap_or_default()
    }
}

const LISTING: [&str; 4] = ["ListKeys", "ListResourceTags", "GetPublicKey", "Sign"];

#[test]
fn with_a_region_that_is_down_the_first_find_shows_replicas_and_says_of_other_keys_that_it_does_not_know()
 {
    let world = World::start("");
    world.home().kill();
    let session = world.module.session();
    // In the usual mode of PINs nobody is asked.
    assert_eq!(session.login(CKU_USER, "any"), Ok(()));
    let key = world.sign();
    assert_eq!(world.asked(LISTING), [1, 1, 1, 1]);
    assert_eq!(world.find_lonely(), Err(CKR_DEVICE_ERROR));
    let log = world.log();
    let told = "1 keys are listed in a replica region until the token's own answers";
    assert_eq!(log.matches(told).count(), 1, "{log}");
    assert_eq!(world.sign(), key);
    assert_eq!(world.asked(LISTING), [1, 1, 1, 2], "known by now");

    world.home().start();
    world.await_home();
    assert_eq!(world.sign(), key, "another handle");
    // Whoever looks whether it is back is answered by now, or after the next signature.
    let begun = Instant::now();
    while world.home().count("Sign") < 3 {
        assert!(begun.elapsed() < LONG, "{}", world.log());
        assert_eq!(world.sign(), key);
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(world.asked(["ListKeys", "ListResourceTags"]), [1, 1]);
    assert_eq!(world.home().count("ListKeys"), 1);
    world.module.finalize().unwrap();
}

#[test]
fn a_region_that_hangs_costs_the_first_find_an_attempt() {
    let world = World::start("");
    world.home().hang();
    let begun = Instant::now();
    let key = world.sign();
    let took = begun.elapsed();
    assert!(took >= ATTEMPT && took < 4 * ATTEMPT, "{took:?}");
    assert_eq!(world.asked(LISTING), [1, 1, 1, 1]);
    world.home().resume();
    world.await_home();
    assert_eq!(world.sign(), key);
    world.module.finalize().unwrap();
}

#[test]
fn keys_without_the_tags_of_the_token_and_those_of_one_region_are_not_shown_by_another() {
    let world = World::start("tags = { Fleet = \"one\" }\ndiscovery = \"list-keys\"");
    let session = world.module.session();
    world.home().kill();
    assert_eq!(session.find(&[private_keys()]), Err(CKR_DEVICE_ERROR));
    assert_eq!(world.asked(LISTING), [1, 1, 0, 0]);
    world.home().start();
    let begun = Instant::now();
    // The keys at home do not have them either.
    while session.find(&[private_keys()]) != Ok(Vec::new()) {
        assert!(begun.elapsed() < LONG, "{}", world.log());
        thread::sleep(Duration::from_millis(50));
    }
    world.module.finalize().unwrap();
}

#[test]
fn keys_that_the_configuration_names_are_found_there_by_their_ids_and_not_by_aliases() {
    let world = World::start("");
    let keys = world.home().ask("ListKeys", &json!({}));
    let keys = keys["Keys"].as_array().unwrap().clone();
    world.module.finalize().unwrap();
    let arn = keys.iter().find_map(|key| {
        let arn = key["KeyArn"].as_str().unwrap();
        arn.contains("mrk-").then(|| arn.to_owned())
    });
    let file = world.cluster.directory.path().join("config.toml");
    let config = fs::read_to_string(&file).unwrap();
    let named = format!("keys = [\"{}\", \"alias/shared\"]\n[log]", arn.unwrap());
    fs::write(&file, config.replace("[log]", &named)).unwrap();
    let reserved = format!("config={}", file.display());
    world.module.initialize_reserved(&reserved).unwrap();
    world.home().kill();
    world.sign();
    assert_eq!(world.asked(["ListKeys", "DescribeKey"]), [0, 1]);
    world.module.finalize().unwrap();
}

#[test]
fn without_failover_a_region_that_is_down_is_an_error_and_nobody_else_is_asked() {
    let world = World::start("failover = false");
    world.home().kill();
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]), Err(CKR_DEVICE_ERROR));
    assert_eq!(world.asked(LISTING), [0; 4]);
    world.module.finalize().unwrap();
}
