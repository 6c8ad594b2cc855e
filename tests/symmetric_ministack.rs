//! Symmetric keys over MiniStack, a KMS and an IAM that nobody here wrote: blobs go both ways between the
//! module and boto3, and a role can do what its policy says and no more.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common_p11::attribute::{Attr, bytes, flag, label, ulong};
use common_p11::kms::*;
use common_p11::{Module, Session};
use cryptoki_sys::*;
use kms_pkcs11_testkit::{AccessKey, MiniStack, MiniStackOptions, REGION, from_hex, hex};
use serde_json::{Value, json};
use tempfile::TempDir;

const CONTEXT_JSON: &str = r#"{"application": "recordings"}"#;

/// The module over MiniStack, as one of its users.
struct Cloud {
    ministack: MiniStack,
    module: Module,
    directory: TempDir,
}

impl Cloud {
    fn start(auth: bool) -> Self {
        let ministack = MiniStack::start(MiniStackOptions { auth });
        let directory = TempDir::new().unwrap();
        let config = directory.path().join("config.toml");
        let log = directory.path().join("log");
        let text = format!(
            "[[token]]\nregion = \"{REGION}\"\nendpoint = \"{}\"\nmiss_refresh_interval = 0.01\n\
             [log]\nlevel = \"info\"\nfile = \"{}\"\n",
            ministack.endpoint(),
            log.display()
        );
        fs::write(&config, text).unwrap();
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
        let cloud = Self {
            ministack,
            module: Module::load(),
            directory,
        };
        cloud.initialize(&cloud.ministack.root());
        cloud
    }

    /// Begins anew with somebody else's credentials.
    fn become_user(&self, key: &AccessKey) -> Session<'_> {
        self.module.finalize().unwrap();
        self.initialize(key);
        self.module.session()
    }

    fn initialize(&self, key: &AccessKey) {
        let inherited: Vec<_> = std::env::vars_os()
            .filter(|(name, _)| name.to_string_lossy().starts_with("AWS_"))
            .collect();
        // SAFETY: the module is not initialised, so nobody else looks at the environment of this process.
        unsafe {
            for (name, _) in inherited {
                std::env::remove_var(name);
            }
            for (name, value) in self.ministack.environment(key) {
                std::env::set_var(name, value);
            }
        }
        let config = self.directory.path().join("config.toml");
        let reserved = format!("config={}", config.display());
        self.module.initialize_reserved(&reserved).unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Runs lines of Python that know `kms`, `args` and `context`; answers what they print.
    #[track_caller]
    fn python(&self, lines: &str, args: &[&str]) -> String {
        let script = format!(
            "import boto3, json, sys\nkms = boto3.client('kms')\nargs = sys.argv[1:]\n\
             context = json.loads('{CONTEXT_JSON}')\n{lines}\n"
        );
        let answer = self.ministack.boto3(&self.ministack.root(), &script, args);
        answer.ok().stdout().trim().to_owned()
    }
}

fn session_key(session: Session<'_>) -> CK_OBJECT_HANDLE {
    let value = [bytes(CKA_VALUE, [0x42; 32])];
    session
        .create(&[&aes_template()[..], &value].concat())
        .unwrap()
}

fn data_key_template() -> Vec<Attr> {
    [&aes_template()[..], &[ulong(CKA_VALUE_LEN, 32)]].concat()
}

#[test]
fn blobs_go_both_ways_between_the_module_and_boto3() {
    let cloud = Cloud::start(false);
    let session = cloud.module.session();
    let made = session.generate_symmetric("kek").unwrap();
    let arn = String::from_utf8(session.get(made, CKA_UNIQUE_ID).unwrap()).unwrap();
    let spec = "print(kms.describe_key(KeyId=args[0])['KeyMetadata']['KeySpec'])";
    assert_eq!(cloud.python(spec, &[&arn]), "SYMMETRIC_DEFAULT");
    // A key that somebody else made serves as well.
    let create = "print(kms.create_key()['KeyMetadata']['Arn'])";
    let theirs = cloud.python(create, &[]);
    let id = theirs.rsplit('/').next().unwrap();
    let found = session.find_one(&[label(id), ulong(CKA_KEY_TYPE, CKK_AES)]);

    for (key, arn) in [(made, &arn), (found, &theirs)] {
        let secret = session_key(session);
        let decrypt = "print(kms.decrypt(CiphertextBlob=bytes.fromhex(args[0]), \
                       EncryptionContext=context)['Plaintext'].hex())";
        let wrapped = session.wrap(symmetric(0, CONTEXT), key, secret).unwrap();
        assert_eq!(cloud.python(decrypt, &[&hex(&wrapped)]), "42".repeat(32));
        let blob = session
            .encrypt_kms(symmetric(0, CONTEXT), key, b"data")
            .unwrap();
        assert_eq!(cloud.python(decrypt, &[&hex(&blob)]), hex(b"data"));
        let template = data_key_template();
        let data_key = session
            .generate_key(symmetric(key, CONTEXT), &template)
            .unwrap();
        let copy = session.get(data_key, CKA_KMS_CIPHERTEXT).unwrap();
        let value = session.get(data_key, CKA_VALUE).unwrap();
        assert_eq!(cloud.python(decrypt, &[&hex(&copy)]), hex(&value));

        let encrypt = "print(kms.encrypt(KeyId=args[0], Plaintext=bytes.fromhex(args[1]), \
                       EncryptionContext=context)['CiphertextBlob'].hex())";
        let blob = from_hex(&cloud.python(encrypt, &[arn, &"17".repeat(32)]));
        let unwrapped = session.unwrap(symmetric(0, CONTEXT), key, &blob, &aes_template());
        assert_eq!(
            session.get(unwrapped.unwrap(), CKA_VALUE),
            Ok(vec![0x17; 32])
        );
        assert_eq!(
            session.decrypt_kms(symmetric(0, CONTEXT), key, &blob),
            Ok(vec![0x17; 32])
        );
        let generate = "answer = kms.generate_data_key(KeyId=args[0], KeySpec='AES_256', \
                        EncryptionContext=context)\n\
                        print(answer['CiphertextBlob'].hex(), answer['Plaintext'].hex())";
        let answer = cloud.python(generate, &[arn]);
        let (copy, value) = answer.split_once(' ').unwrap();
        let unwrapped =
            session.unwrap(symmetric(0, CONTEXT), key, &from_hex(copy), &aes_template());
        assert_eq!(
            session.get(unwrapped.unwrap(), CKA_VALUE),
            Ok(from_hex(value))
        );

        let other = session.unwrap(symmetric(0, Some(b"")), key, &blob, &aes_template());
        assert_eq!(other, Err(CKR_WRAPPED_KEY_INVALID));
    }

    let rotation = "kms.enable_key_rotation(KeyId=args[0], RotationPeriodInDays=180)";
    cloud.python(rotation, &[&arn]);
    assert_eq!(
        session.get(made, CKA_KMS_ROTATION_ENABLED),
        Ok(vec![CK_TRUE])
    );
    let period = session.get(made, CKA_KMS_ROTATION_PERIOD);
    assert_eq!(period, Ok(CK_ULONG::to_ne_bytes(180).to_vec()));
    assert_eq!(
        session.get(found, CKA_KMS_ROTATION_ENABLED),
        Ok(vec![CK_FALSE])
    );
}

#[test]
fn blobs_of_an_imported_key_are_decrypted_by_boto3_before_and_after_its_material_expired() {
    let cloud = Cloud::start(false);
    let session = cloud.module.session();
    let wanted = [
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_AES),
        flag(CKA_TOKEN, true),
        label("imported"),
        bytes(CKA_VALUE, [0x17; 32]),
    ];
    let key = session.create(&wanted).unwrap();
    let arn = String::from_utf8(session.get(key, CKA_UNIQUE_ID).unwrap()).unwrap();
    let described = "key = kms.describe_key(KeyId=args[0])['KeyMetadata']\n\
                     print(key['KeySpec'], key['Origin'], key['KeyState'], key['ExpirationModel'])";
    assert_eq!(
        cloud.python(described, &[&arn]),
        "SYMMETRIC_DEFAULT EXTERNAL Enabled KEY_MATERIAL_DOES_NOT_EXPIRE"
    );
    let decrypt = "print(kms.decrypt(CiphertextBlob=bytes.fromhex(args[0]), \
                   EncryptionContext=context)['Plaintext'].hex())";
    let wrapped = session
        .wrap(symmetric(0, CONTEXT), key, session_key(session))
        .unwrap();
    assert_eq!(cloud.python(decrypt, &[&hex(&wrapped)]), "42".repeat(32));

    cloud.python("kms.delete_imported_key_material(KeyId=args[0])", &[&arn]);
    let again = session.create(&wanted).unwrap();
    assert_eq!(session.get(again, CKA_UNIQUE_ID), Ok(arn.into_bytes()));
    assert_eq!(cloud.python(decrypt, &[&hex(&wrapped)]), "42".repeat(32));
    let unwrapped = session.unwrap(symmetric(0, CONTEXT), again, &wrapped, &aes_template());
    assert_eq!(
        session.get(unwrapped.unwrap(), CKA_VALUE),
        Ok(vec![0x42; 32])
    );
}

/// What everybody needs who uses a key: to find it.
const FIND: [&str; 5] = [
    "kms:ListKeys",
    "kms:ListAliases",
    "kms:ListResourceTags",
    "kms:GetPublicKey",
    "kms:DescribeKey",
];

fn policy(allowed: &[&str], denied: &[&str]) -> Value {
    let statement = |effect: &str, actions: &[&str]| json!({ "Effect": effect, "Action": actions, "Resource": "*" });
    let mut statements = vec![statement("Allow", &[&FIND[..], allowed].concat())];
    if !denied.is_empty() {
        statements.push(statement("Deny", denied));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// What each function answers, in this order: C_WrapKey, C_GenerateKey, C_Encrypt, C_UnwrapKey, C_Decrypt,
/// C_GetAttributeValue of the rotation.
fn verdicts(session: Session<'_>, wrapped: &[u8]) -> [CK_RV; 6] {
    fn rv<T>(answer: Result<T, CK_RV>) -> CK_RV {
        answer.map_or_else(|rv| rv, |_| CKR_OK)
    }
    let key = session.find_one(&[label("kek"), flag(CKA_WRAP, true)]);
    let secret = session_key(session);
    [
        rv(session.wrap(CKM_KMS_SYMMETRIC, key, secret)),
        rv(session.generate_key(symmetric(key, None), &data_key_template())),
        rv(session.encrypt_kms(CKM_KMS_SYMMETRIC, key, b"data")),
        rv(session.unwrap(CKM_KMS_SYMMETRIC, key, wrapped, &aes_template())),
        rv(session.decrypt_kms(CKM_KMS_SYMMETRIC, key, wrapped)),
        rv(session.get(key, CKA_KMS_ROTATION_ENABLED)),
    ]
}

#[test]
fn a_role_encrypts_or_decrypts_as_its_policy_says_and_a_denial_wins() {
    const NO: CK_RV = CKR_FUNCTION_REJECTED;
    const YES: CK_RV = CKR_OK;
    let cloud = Cloud::start(true);
    let session = cloud.module.session();
    let key = session.generate_symmetric("kek").unwrap();
    let secret = session_key(session);
    let wrapped = session.wrap(CKM_KMS_SYMMETRIC, key, secret).unwrap();
    assert_eq!(verdicts(session, &wrapped), [YES; 6]);

    let everything = ["kms:*"];
    for (name, allowed, denied, expected) in [
        (
            "writer",
            &["kms:Encrypt", "kms:GenerateDataKey"][..],
            &[][..],
            [YES, YES, YES, NO, NO, NO],
        ),
        ("wrapper", &["kms:Encrypt"], &[], [YES, NO, YES, NO, NO, NO]),
        (
            "maker",
            &["kms:GenerateDataKey"],
            &[],
            [NO, YES, NO, NO, NO, NO],
        ),
        ("reader", &["kms:Decrypt"], &[], [NO, NO, NO, YES, YES, NO]),
        (
            "auditor",
            &["kms:GetKeyRotationStatus"],
            &[],
            [NO, NO, NO, NO, NO, YES],
        ),
        (
            "barred",
            &everything,
            &["kms:Decrypt"],
            [YES, YES, YES, NO, NO, YES],
        ),
        (
            "unbarred",
            &everything,
            &["kms:Encrypt", "kms:GenerateDataKey"],
            [NO, NO, NO, YES, YES, YES],
        ),
    ] {
        let user = cloud.ministack.create_user(name, &policy(allowed, denied));
        let session = cloud.become_user(&user);
        assert_eq!(
            verdicts(session, &wrapped),
            expected,
            "{name}\n{}",
            cloud.log()
        );
    }
    let log = cloud.log();
    for action in [
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:Decrypt",
        "kms:GetKeyRotationStatus",
    ] {
        assert!(
            log.contains(&format!("allow the action {action} ")),
            "{action}\n{log}"
        );
    }
}
