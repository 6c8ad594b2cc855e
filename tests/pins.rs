//! What a PIN is for: compared with a hash, or the AWS credentials themselves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use common_p11::attribute::{bytes, flag, private_keys, public_keys, ulong};
use common_p11::{Attr, Cloud, World};
use cryptoki_sys::*;
use kms_pkcs11_testkit::{AccessKey, python};

const PIN: &str = "sesame-8214";
const DIGEST: &[u8; 32] = b"32 bytes that stand for a digest";

#[test]
fn the_right_pin_shows_private_objects_and_a_wrong_one_is_incorrect() {
    let world = World::with(&format!("pin = \"verify\"\npin_hash = \"{}\"", hash(PIN)));
    let session = world.module.session();
    let flags = world.module.token_info(0).unwrap().flags;
    assert_ne!(flags & CKF_LOGIN_REQUIRED, 0);
    let refused = Err(CKR_USER_NOT_LOGGED_IN);
    assert_eq!(session.generate_p256("1", "key").map(drop), refused);
    assert_eq!(session.create(&secret()).map(drop), refused);

    for wrong in ["", "1234", "sesame-821", "sesame-82144"] {
        assert_eq!(session.login(CKU_USER, wrong), Err(CKR_PIN_INCORRECT));
        assert_eq!(session.info().unwrap().state, CKS_RW_PUBLIC_SESSION);
    }
    assert_eq!(session.login(CKU_SO, PIN), Err(CKR_USER_TYPE_INVALID));
    session.login(CKU_USER, PIN).unwrap();
    assert_eq!(
        session.login(CKU_USER, PIN),
        Err(CKR_USER_ALREADY_LOGGED_IN)
    );
    assert_eq!(session.info().unwrap().state, CKS_RW_USER_FUNCTIONS);

    let (public, private) = session.generate_p256("1", "key").unwrap();
    let secret_key = session.create(&secret()).unwrap();
    let public_data = [
        ulong(CKA_CLASS, CKO_DATA),
        flag(CKA_TOKEN, false),
        flag(CKA_PRIVATE, false),
        bytes(CKA_VALUE, "1"),
    ];
    let data = session.create(&public_data).unwrap();
    let signature = session.sign(CKM_ECDSA, private, DIGEST).unwrap();
    assert_eq!(session.find(&[]).unwrap().len(), 4);

    session.logout().unwrap();
    assert_eq!(session.logout(), refused);
    // Public objects are there for everybody, the token's and the session's.
    let mut shown = session.find(&[]).unwrap();
    shown.sort_unstable();
    let mut expected = [public, data];
    expected.sort_unstable();
    assert_eq!(shown, expected);
    session
        .verify(CKM_ECDSA, public, DIGEST, &signature)
        .unwrap();
    assert_eq!(session.sign_init(CKM_ECDSA, private), refused);
    assert_eq!(session.get(private, CKA_LABEL).map(drop), refused);
    assert_eq!(session.destroy(private), refused);
    assert_eq!(session.set(public, &[bytes(CKA_LABEL, "b")]), refused);

    session.login(CKU_USER, PIN).unwrap();
    assert_eq!(session.find(&[private_keys()]).unwrap(), [private]);
    session.sign(CKM_ECDSA, private, DIGEST).unwrap();
    // What a session held in private is gone with the login that it was made in.
    assert_eq!(
        session.get(secret_key, CKA_LABEL).map(drop),
        Err(CKR_OBJECT_HANDLE_INVALID)
    );

    world.module.close_all(0).unwrap();
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]), Ok(Vec::new()));

    let log = world.log();
    assert!(log.contains("CKR_PIN_INCORRECT"), "{log}");
    for pin in [PIN, "sesame-821", "pbkdf2"] {
        assert!(!log.contains(pin), "{log}");
    }
}

#[test]
fn threads_that_log_in_together_find_one_login() {
    let world = World::with(&format!("pin = \"verify\"\npin_hash = \"{}\"", hash(PIN)));
    let session = world.module.session();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let login = |pin| scope.spawn(move || session.login(CKU_USER, pin));
        [login(PIN), login("1234"), login(PIN), login(PIN)]
            .map(|thread| thread.join().unwrap())
            .into()
    });
    let count = |answer| answers.iter().filter(|given| **given == answer).count();
    assert_eq!(count(Ok(())), 1, "{answers:?}");
    // A PIN that comes after the right one is not looked at any more.
    let late = count(Err(CKR_USER_ALREADY_LOGGED_IN));
    assert_eq!(late + count(Err(CKR_PIN_INCORRECT)), 3, "{answers:?}");
    assert!(late >= 2, "{answers:?}");
}

#[test]
fn the_hash_in_a_file_can_be_replaced_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pin");
    let world = World::with(&format!(
        "pin = \"verify\"\npin_hash_file = \"{}\"",
        file.display()
    ));
    let session = world.module.session();
    let log_in = |pin| {
        let answer = session.login(CKU_USER, pin);
        if answer.is_ok() {
            session.logout().unwrap();
        }
        answer
    };
    assert_eq!(log_in(PIN), Err(CKR_FUNCTION_FAILED));
    fs::write(&file, hash(PIN) + "\n").unwrap();
    assert_eq!(log_in(PIN), Ok(()));
    fs::write(&file, hash("another")).unwrap();
    assert_eq!(log_in(PIN), Err(CKR_PIN_INCORRECT));
    assert_eq!(log_in("another"), Ok(()));
    // Somebody wrote the PIN instead of its hash.
    fs::write(&file, PIN).unwrap();
    assert_eq!(log_in(PIN), Err(CKR_FUNCTION_FAILED));

    let log = world.log();
    let path = file.display().to_string();
    let lines = log.lines().filter(|line| line.contains(&path));
    let unusable: Vec<&str> = lines.collect();
    assert_eq!(unusable.len(), 2, "{log}");
    assert!(unusable[0].contains("No such file"), "{log}");
    assert!(unusable[1].contains("$pbkdf2-sha256$"), "{log}");
    assert!(!log.contains(PIN), "{log}");
}

#[test]
fn a_file_with_the_hash_that_others_can_write_or_that_is_none_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pin");
    let world = World::with(&format!(
        "pin = \"verify\"\npin_hash_file = \"{}\"",
        file.display()
    ));
    let session = world.module.session();
    let log_in = || session.login(CKU_USER, PIN);
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    fs::write(&file, hash(PIN)).unwrap();
    for others in [0o620, 0o602] {
        mode(others);
        assert_eq!(log_in(), Err(CKR_FUNCTION_FAILED));
    }
    fs::write(&file, vec![b' '; 5000]).unwrap();
    mode(0o644);
    assert_eq!(log_in(), Err(CKR_FUNCTION_FAILED));
    fs::remove_file(&file).unwrap();
    let fifo = Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(fifo.success());
    // Nobody writes it: who waits for that waits for ever.
    assert_eq!(log_in(), Err(CKR_FUNCTION_FAILED));
    fs::remove_file(&file).unwrap();
    fs::write(&file, hash(PIN)).unwrap();
    mode(0o440);
    assert_eq!(log_in(), Ok(()));

    let log = world.log();
    for part in [
        "its mode 0620 lets others write it, and with it choose the PIN; run: chmod go-w ",
        "its mode 0602 lets",
        "longer than 4096 bytes",
        "not a regular file",
    ] {
        assert_eq!(log.matches(part).count(), 1, "{part}: {log}");
    }
}

#[test]
fn the_pin_is_the_credentials_and_each_login_acts_as_its_own_user() {
    let world = Cloud::start();
    let alice = world.user(
        "alice",
        &["kms:ListResourceTags", "kms:GetPublicKey", "kms:Sign"],
    );
    let bob = world.user("bob", &["kms:ListResourceTags", "kms:GetPublicKey"]);
    let carol = world.user("carol", &["kms:ListResourceTags"]);
    let module = world.module("pin = \"credentials\"", &Cloud::nobody());
    let session = module.session();
    assert_ne!(module.token_info(0).unwrap().flags & CKF_LOGIN_REQUIRED, 0);

    // Before a login there is nothing to be seen and nobody to ask as.
    assert_eq!(session.find(&[]), Ok(Vec::new()));
    assert_eq!(
        session.generate_p256("1", "key").map(drop),
        Err(CKR_USER_NOT_LOGGED_IN)
    );

    let nobody = format!("{}:wrong", alice.id);
    let unknown = "AKIAUNKNOWN:wrong";
    for pin in [
        "",
        "1234",
        ":",
        "profile:",
        &nobody,
        unknown,
        "profile:nobody",
    ] {
        let answer = session.login(CKU_USER, pin);
        assert_eq!(answer, Err(CKR_PIN_INCORRECT), "{pin}");
        assert_eq!(session.find(&[]), Ok(Vec::new()));
    }

    // Keys that the one before may not read are there for the next at once.
    session.login(CKU_USER, &pin(&carol)).unwrap();
    assert_eq!(session.find(&[private_keys()]), Ok(Vec::new()));
    session.logout().unwrap();

    session.login(CKU_USER, &pin(&alice)).unwrap();
    let key = session.find_one(&[private_keys()]);
    let public = session.find_one(&[public_keys()]);
    let signature = session.sign(CKM_ECDSA, key, DIGEST).unwrap();
    world.verify(
        &session.get(public, CKA_PUBLIC_KEY_INFO).unwrap(),
        DIGEST,
        &signature,
    );

    session.logout().unwrap();
    assert_eq!(session.find(&[]), Ok(Vec::new()));
    assert_eq!(
        session.sign(CKM_ECDSA, key, DIGEST).map(drop),
        Err(CKR_KEY_HANDLE_INVALID)
    );

    // That her access key was good says nothing of another secret with it.
    assert_eq!(session.login(CKU_USER, &nobody), Err(CKR_PIN_INCORRECT));

    session.login(CKU_USER, &pin(&bob)).unwrap();
    let key = session.find_one(&[private_keys()]);
    assert_eq!(
        session.sign(CKM_ECDSA, key, DIGEST).map(drop),
        Err(CKR_FUNCTION_REJECTED)
    );
    session.logout().unwrap();

    world.write(
        "profiles",
        format!(
            "[profile signing]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            alice.id, alice.secret
        ),
    );
    session.login(CKU_USER, "profile:signing").unwrap();
    let key = session.find_one(&[private_keys()]);
    session.sign(CKM_ECDSA, key, DIGEST).unwrap();

    let log = world.log();
    assert!(log.contains("ACCESS_KEY_ID:SECRET_ACCESS_KEY"), "{log}");
    for secret in [&alice.secret, &bob.secret, &carol.secret] {
        assert!(!log.contains(secret.as_str()), "{log}");
    }
}

#[test]
fn a_pin_of_a_user_whom_the_rules_do_not_allow_is_incorrect_and_the_log_says_who_it_is() {
    let world = Cloud::start();
    let alice = world.user("alice", &[]);
    let bob = world.user("bob", &[]);
    let module = world.module(
        "pin = \"credentials\"\nallow = [{ aws_arn = \"arn:aws:iam::*:user/bo?\" }]",
        &Cloud::nobody(),
    );
    let session = module.session();
    let refused = session.login(CKU_USER, &pin(&alice));
    assert_eq!(refused, Err(CKR_PIN_INCORRECT));
    session.login(CKU_USER, &pin(&bob)).unwrap();
    let log = world.log();
    let words = [
        "C_Login: CKR_PIN_INCORRECT",
        "the caller is arn:aws:iam::000000000000:user/alice of account 000000000000",
        "{ aws_arn = \"arn:aws:iam::*:user/bo?\" }",
    ];
    let precise = |line: &str| words.iter().all(|word| line.contains(word));
    assert!(log.lines().any(precise), "{log}");
}

fn secret() -> [Attr; 4] {
    [
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
        flag(CKA_TOKEN, false),
        bytes(CKA_VALUE, [7; 16]),
    ]
}

fn pin(key: &AccessKey) -> String {
    format!("{}:{}", key.id, key.secret)
}

/// The hash of a PIN as Python computes it.
fn hash(pin: &str) -> String {
    let script = "import base64, hashlib, os, sys\n\
        text = lambda data: base64.b64encode(data).decode().rstrip('=')\n\
        salt = os.urandom(16)\n\
        digest = hashlib.pbkdf2_hmac('sha256', sys.argv[1].encode(), salt, 100000)\n\
        print(f'$pbkdf2-sha256$i=100000${text(salt)}${text(digest)}')";
    python(script, [pin]).ok().stdout().trim().to_owned()
}
