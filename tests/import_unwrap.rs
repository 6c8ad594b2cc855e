//! Secret keys and small private keys that come wrapped: C_UnwrapKey with CKA_TOKEN = CK_TRUE puts them into KMS, as
//! C_CreateObject does with bytes. What they do there is checked with the same bytes elsewhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;

use common_p11::attribute::{Attr, bytes, flag, id, label, private_keys, public_keys, ulong};
use common_p11::kms::*;
use common_p11::{Counts, Mechanism, Session, World, calls};
use cryptoki_sys::*;
use kms_emulator::{Effect, Fault, NewKeys};
use kms_pkcs11_testkit::{AccessKey, boto3, from_hex, hex, python};
use serde_json::{Value, json};

/// The emulator takes its time to make the key that material is wrapped under: no request is repeated for that.
const PATIENT: &str = "attempt_timeout = 60\ndeadline = 120";

const MESSAGE: &[u8] = b"a message";

/// What importing a secret key asks of KMS, besides what it takes to unwrap it.
const IMPORT: [(&str, u64); 4] = [
    ("CreateKey", 1),
    ("GetParametersForImport", 1),
    ("ImportKeyMaterial", 1),
    ("DescribeKey", 1),
];

/// Wraps with python `cryptography`: a number of `KWP`, `KW` or an SPKI in hexadecimal, then the key, then what is
/// wrapped.
const WRAP: &str = "import sys
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_der_public_key
form, kek, *keys = sys.argv[1:]
kek = bytes.fromhex(kek)
oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
wrap = {
    'KW': lambda key: keywrap.aes_key_wrap(kek, key + bytes(-len(key) % 8)),
    'KWP': lambda key: keywrap.aes_key_wrap_with_padding(kek, key),
    'OAEP': lambda key: load_der_public_key(kek).encrypt(key, oaep),
}[form]
for key in keys:
    print(wrap(bytes.fromhex(key)).hex())
";

/// A way to wrap: what C_UnwrapKey gets, and what it asks KMS for first.
struct Wrapped {
    mechanism: Mechanism,
    unwrapping: CK_OBJECT_HANDLE,
    bytes: Vec<u8>,
    request: Option<&'static str>,
}

/// The keys that unwrap: one of a session, an RSA key and a symmetric one of KMS.
struct Keys {
    kek: CK_OBJECT_HANDLE,
    rsa: CK_OBJECT_HANDLE,
    spki: String,
    symmetric: CK_OBJECT_HANDLE,
}

const KEK: [u8; 32] = *b"a key that both the sides know..";

impl Keys {
    fn of(session: Session<'_>) -> Self {
        let kek = [
            ulong(CKA_CLASS, CKO_SECRET_KEY),
            ulong(CKA_KEY_TYPE, CKK_AES),
            bytes(CKA_VALUE, KEK),
        ];
        let public = session.find_one(&[public_keys(), id([0xaa])]);
        let symmetric = [flag(CKA_TOKEN, true), ulong(CKA_VALUE_LEN, 32), id([0xbb])];
        Self {
            kek: session.create(&kek).unwrap(),
            rsa: session.find_one(&[private_keys(), id([0xaa])]),
            spki: hex(&session.get(public, CKA_PUBLIC_KEY_INFO).unwrap()),
            symmetric: session.generate_key(CKM_AES_KEY_GEN, &symmetric).unwrap(),
        }
    }

    fn kw(&self, key: &[u8]) -> Wrapped {
        Wrapped {
            mechanism: CKM_AES_KEY_WRAP.into(),
            unwrapping: self.kek,
            bytes: wrapped("KW", &hex(&KEK), key),
            request: None,
        }
    }

    fn kwp(&self, key: &[u8]) -> Wrapped {
        Wrapped {
            mechanism: CKM_AES_KEY_WRAP_KWP.into(),
            unwrapping: self.kek,
            bytes: wrapped("KWP", &hex(&KEK), key),
            request: None,
        }
    }

    fn oaep(&self, key: &[u8]) -> Wrapped {
        Wrapped {
            mechanism: Mechanism::oaep_sha256(),
            unwrapping: self.rsa,
            bytes: wrapped("OAEP", &self.spki, key),
            request: Some("Decrypt"),
        }
    }

    fn kms(&self, world: &World, session: Session<'_>, key: &[u8]) -> Wrapped {
        let request = json!({
            "KeyId": arn(session, self.symmetric),
            "Plaintext": base64(key),
            "EncryptionContext": context(),
        });
        Wrapped {
            mechanism: symmetric(0, CONTEXT),
            unwrapping: self.symmetric,
            bytes: from_base64(&world.ask("Encrypt", &request)["CiphertextBlob"]),
            request: Some("Decrypt"),
        }
    }
}

impl Wrapped {
    fn unwrap(&self, session: Session<'_>, wanted: &[Attr]) -> Result<CK_OBJECT_HANDLE, CK_RV> {
        session.unwrap(self.mechanism.clone(), self.unwrapping, &self.bytes, wanted)
    }

    /// The requests of an unwrapping that imports.
    fn calls(&self) -> Counts {
        let mut expected = calls(IMPORT);
        expected.extend(self.request.map(|request| (request.to_owned(), 1)));
        expected
    }
}

fn wrapped(form: &str, kek: &str, key: &[u8]) -> Vec<u8> {
    let printed = python(WRAP, [form, kek, &hex(key)]).ok().stdout();
    from_hex(printed.trim())
}

/// A world with a pair for decryption, `aa`, whose keys are listed.
fn world() -> World {
    let world = World::with(PATIENT);
    let kms_key = NewKeys::new(1, "RSA_2048", "ENCRYPT_DECRYPT").tag("p11:id", "aa");
    world.create_keys(&kms_key);
    world
}

fn secret_template(key_type: CK_KEY_TYPE) -> Vec<Attr> {
    vec![
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, key_type),
        flag(CKA_TOKEN, true),
    ]
}

fn with(template: &[Attr], more: &[Attr]) -> Vec<Attr> {
    [template, more].concat()
}

/// How many keys the account has in each state.
fn states(world: &World) -> Vec<String> {
    let keys = world.ask("ListKeys", &json!({}));
    let state = |key: &Value| {
        let described = world.ask("DescribeKey", &json!({ "KeyId": key["KeyId"] }));
        described["KeyMetadata"]["KeyState"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let mut states: Vec<String> = keys["Keys"].as_array().unwrap().iter().map(state).collect();
    states.sort();
    states
}

#[test]
fn an_aes_key_under_each_mechanism_becomes_a_symmetric_key_of_kms() {
    let world = world();
    let session = world.module.session();
    let keys = Keys::of(session);
    let value = *b"32 bytes of a key of an old HSM.";
    for (name, wrapped) in [
        ("kw", keys.kw(&value)),
        ("kwp", keys.kwp(&value)),
        ("oaep", keys.oaep(&value)),
        ("kms", keys.kms(&world, session, &value)),
    ] {
        let wanted = with(&secret_template(CKK_AES), &[id(name), label(name)]);
        world.take_calls();
        let key = wrapped.unwrap(session, &wanted).unwrap();
        assert_eq!(world.take_calls(), wrapped.calls(), "{name}");
        for (attribute, value) in [
            (CKA_TOKEN, flag(CKA_TOKEN, true)),
            (CKA_LOCAL, flag(CKA_LOCAL, false)),
            (CKA_SENSITIVE, flag(CKA_SENSITIVE, true)),
            (CKA_EXTRACTABLE, flag(CKA_EXTRACTABLE, false)),
            (CKA_ALWAYS_SENSITIVE, flag(CKA_ALWAYS_SENSITIVE, false)),
            (CKA_NEVER_EXTRACTABLE, flag(CKA_NEVER_EXTRACTABLE, false)),
            (
                CKA_KEY_GEN_MECHANISM,
                ulong(CKA_KEY_GEN_MECHANISM, CK_UNAVAILABLE_INFORMATION),
            ),
            (CKA_VALUE_LEN, ulong(CKA_VALUE_LEN, 32)),
        ] {
            assert_eq!(
                session.get(key, attribute),
                Ok(value.value),
                "{name} {attribute:#x}"
            );
        }
        assert_eq!(session.get(key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
        let blob = session.encrypt_kms(CKM_KMS_SYMMETRIC, key, b"data");
        assert_eq!(opened_with(&value, &blob.unwrap(), &[]), hex(b"data"));
    }
    world.restart();
    let session = world.module.session();
    for name in ["kw", "kwp", "oaep", "kms"] {
        let key = session.find_one(&[id(name), label(name), flag(CKA_LOCAL, false)]);
        let blob = session.encrypt_kms(CKM_KMS_SYMMETRIC, key, b"data");
        assert_eq!(opened_with(&value, &blob.unwrap(), &[]), hex(b"data"));
    }
}

#[test]
fn a_key_for_hmac_of_every_length_makes_the_macs_of_its_bytes() {
    let world = world();
    let session = world.module.session();
    let keys = Keys::of(session);
    for (len, key_type, mechanism, hash) in [
        // Four bytes that KW fills up: the type of the key tells its length.
        (28_u8, CKK_SHA224_HMAC, CKM_SHA224_HMAC, "sha224"),
        (32, CKK_GENERIC_SECRET, CKM_SHA256_HMAC, "sha256"),
        (48, CKK_SHA384_HMAC, CKM_SHA384_HMAC, "sha384"),
        (64, CKK_GENERIC_SECRET, CKM_SHA512_HMAC, "sha512"),
    ] {
        let value: Vec<u8> = (1..=len).collect();
        let wrapped = match len {
            28 | 48 => keys.kw(&value),
            _ => keys.oaep(&value),
        };
        world.take_calls();
        let key = wrapped.unwrap(session, &secret_template(key_type)).unwrap();
        assert_eq!(world.take_calls(), wrapped.calls());
        assert_eq!(
            session.get(key, CKA_KEY_TYPE),
            Ok(key_type.to_ne_bytes().to_vec())
        );
        let mac = session.sign(mechanism, key, MESSAGE).unwrap();
        let script = "import hmac, sys; key, message = map(bytes.fromhex, sys.argv[2:]); \
                      print(hmac.new(key, message, sys.argv[1]).hexdigest())";
        let expected = python(script, [hash, &hex(&value), &hex(MESSAGE)])
            .ok()
            .stdout();
        assert_eq!(hex(&mac), expected.trim());
    }
    // Nothing but the length tells a generic secret of 28 bytes from one of 32 that ends with zeros.
    let filled = keys.kw(&[7; 28]);
    let cut = with(
        &secret_template(CKK_GENERIC_SECRET),
        &[ulong(CKA_VALUE_LEN, 28)],
    );
    let key = filled.unwrap(session, &cut).unwrap();
    assert_eq!(
        session.get(key, CKA_VALUE_LEN),
        Ok(28_u64.to_ne_bytes().to_vec())
    );
}

#[test]
fn what_kms_does_not_import_is_refused_before_it_is_asked() {
    let world = world();
    let session = world.module.session();
    let keys = Keys::of(session);
    let aes = secret_template(CKK_AES);
    let good = keys.oaep(&[1; 32]);
    world.take_calls();
    let no_use = [CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP].map(|use_| flag(use_, false));
    for (wanted, rv) in [
        (with(&aes[..1], &aes[2..]), CKR_TEMPLATE_INCOMPLETE),
        (
            with(&aes, &[bytes(CKA_VALUE, [1; 32])]),
            CKR_ATTRIBUTE_READ_ONLY,
        ),
        (
            with(&aes, &[ulong(CKA_VALUE_LEN, 16)]),
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (
            with(&aes, &[ulong(CKA_VALUE_LEN, CK_ULONG::MAX)]),
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (
            with(&aes, &[flag(CKA_SENSITIVE, false)]),
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            with(&aes, &[flag(CKA_EXTRACTABLE, true)]),
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            with(&aes, &[flag(CKA_LOCAL, false)]),
            CKR_ATTRIBUTE_READ_ONLY,
        ),
        (with(&aes, &no_use), CKR_TEMPLATE_INCONSISTENT),
        (secret_template(CKK_DES3), CKR_TEMPLATE_INCONSISTENT),
        (
            with(
                &secret_template(CKK_GENERIC_SECRET),
                &[ulong(CKA_VALUE_LEN, 33)],
            ),
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (
            with(
                &secret_template(CKK_SHA256_HMAC),
                &[ulong(CKA_VALUE_LEN, 64)],
            ),
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
    ] {
        assert_eq!(good.unwrap(session, &wanted), Err(rv), "{wanted:?}");
    }
    let read_only = world.module.open(0, CKF_SERIAL_SESSION).unwrap();
    let refused = good.unwrap(read_only, &aes);
    assert_eq!(refused, Err(CKR_SESSION_READ_ONLY));
    // What was wrapped is known for another length only when it is there; no key is made for it.
    for other in [keys.kwp(&[1; 16]), keys.kw(&[1; 24]), keys.kwp(&[1; 33])] {
        let refused = other.unwrap(session, &aes);
        assert_eq!(refused, Err(CKR_WRAPPED_KEY_LEN_RANGE));
    }
    let generic = keys
        .kwp(&[1; 33])
        .unwrap(session, &secret_template(CKK_GENERIC_SECRET));
    assert_eq!(generic, Err(CKR_WRAPPED_KEY_LEN_RANGE));
    let log = world.log();
    assert!(log.contains("keys for HMAC that are as long as their hash"));
    assert_eq!(world.take_calls(), calls([]));

    let short = keys.oaep(&[1; 16]).unwrap(session, &aes);
    assert_eq!(short, Err(CKR_WRAPPED_KEY_LEN_RANGE));
    assert_eq!(world.take_calls(), calls([("Decrypt", 1)]));
    // Without CKA_TOKEN it is a key of the session, of any length, and asks for no import.
    let mut of_session = aes.clone();
    of_session[2] = flag(CKA_TOKEN, false);
    let made = keys.kwp(&[1; 16]).unwrap(session, &of_session).unwrap();
    assert_eq!(session.get(made, CKA_TOKEN), Ok(vec![CK_FALSE]));
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn an_import_that_fails_halfway_leaves_no_key_that_nobody_knows_of() {
    let world = world();
    let session = world.module.session();
    let keys = Keys::of(session);
    let good = keys.kwp(&[1; 32]);
    let wanted = with(&secret_template(CKK_AES), &[id("halfway")]);
    let error = |code: &str| Effect::Error {
        code: code.to_owned(),
        message: "on purpose".to_owned(),
        status: 400,
    };
    // Tags are a part of CreateKey: what is wrong with them makes no key.
    for (operation, effect, rv, deleted) in [
        (
            "CreateKey",
            error("TagException"),
            CKR_ATTRIBUTE_VALUE_INVALID,
            0,
        ),
        (
            "CreateKey",
            error("AccessDeniedException"),
            CKR_FUNCTION_REJECTED,
            0,
        ),
        (
            "GetParametersForImport",
            error("AccessDeniedException"),
            CKR_FUNCTION_REJECTED,
            1,
        ),
        (
            "ImportKeyMaterial",
            error("ExpiredImportTokenException"),
            CKR_FUNCTION_FAILED,
            1,
        ),
        (
            "ImportKeyMaterial",
            // As for material that KMS finds fault with.
            error("IncorrectKeyMaterialException"),
            CKR_ATTRIBUTE_VALUE_INVALID,
            1,
        ),
    ] {
        let before = states(&world);
        world.take_calls();
        world.emulator.fault(Fault::once(operation, effect.clone()));
        let refused = good.unwrap(session, &wanted);
        let counts = world.take_calls();
        assert_eq!(refused, Err(rv), "{operation} {effect:?}\n{}", world.log());
        assert_eq!(
            counts.get("ScheduleKeyDeletion").copied().unwrap_or(0),
            deleted,
            "{operation} {effect:?} {counts:?}"
        );
        let mut expected = before;
        expected.extend((0..deleted).map(|_| "PendingDeletion".to_owned()));
        expected.sort();
        assert_eq!(states(&world), expected, "{operation} {effect:?}");
        assert_eq!(session.find(&[id("halfway")]), Ok(Vec::new()));
    }
    // It cannot be deleted: then it is named.
    world.fail("ImportKeyMaterial", "AccessDeniedException", 1);
    world.fail("ScheduleKeyDeletion", "AccessDeniedException", 1);
    let refused = good.unwrap(session, &wanted);
    assert_eq!(refused, Err(CKR_FUNCTION_REJECTED));
    let log = world.log();
    let named = log
        .lines()
        .find(|line| line.contains("it stays, waiting for its material"));
    assert!(named.unwrap().contains("arn:aws:kms:"), "{log}");
    // And an import of the same key takes it instead of making another, once it is listed.
    world.restart();
    let session = world.module.session();
    let good = Keys::of(session).kwp(&[1; 32]);
    world.take_calls();
    good.unwrap(session, &wanted).unwrap();
    let counts = world.take_calls();
    assert_eq!(counts.get("CreateKey"), None, "{counts:?}");
    assert!(!states(&world).contains(&"PendingImport".to_owned()));
}

#[test]
fn a_small_private_key_fits_into_oaep_alone_and_a_larger_one_does_not() {
    let world = world();
    let session = world.module.session();
    let keys = Keys::of(session);
    let script = "import sys
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
for curve in [ec.SECP256R1(), ec.SECP256K1(), ec.SECP384R1(), ec.SECP521R1()]:
    key = ec.generate_private_key(curve)
    print(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()).hex(),
          key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex())
";
    let printed = python(script, &[] as &[&str]).ok().stdout();
    let made: Vec<(Vec<u8>, Vec<u8>)> = printed
        .lines()
        .map(|line| {
            let (private, public) = line.split_once(' ').unwrap();
            (from_hex(private), from_hex(public))
        })
        .collect();
    let wanted = [
        private_keys(),
        ulong(CKA_KEY_TYPE, CKK_EC),
        flag(CKA_TOKEN, true),
    ];
    for (pkcs8, spki) in &made[..3] {
        assert!(pkcs8.len() <= 190, "{}", pkcs8.len());
        let wrapped = keys.oaep(pkcs8);
        world.take_calls();
        let key = wrapped.unwrap(session, &wanted).unwrap();
        let expected = [
            ("Decrypt", 1),
            ("CreateKey", 1),
            ("GetParametersForImport", 1),
            ("ImportKeyMaterial", 1),
            ("GetPublicKey", 1),
        ];
        assert_eq!(world.take_calls(), calls(expected));
        let signature = session.sign(CKM_ECDSA_SHA256, key, MESSAGE).unwrap();
        assert_verifies(spki, &signature);
    }
    // 241 bytes: nobody can wrap them so, and a ciphertext of another length is refused.
    let (large, _) = &made[3];
    let kek = &keys.spki;
    let refused = python(WRAP, ["OAEP", kek, &hex(large)]);
    assert!(!refused.success(), "{refused:?}");
    world.take_calls();
    let longer = session.unwrap(Mechanism::oaep_sha256(), keys.rsa, &[1; 384], &wanted);
    assert_eq!(longer, Err(CKR_WRAPPED_KEY_LEN_RANGE));
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn the_private_key_of_a_data_key_pair_that_an_sdk_made_is_unwrapped_into_kms() {
    let world = world();
    let session = world.module.session();
    let keys = Keys::of(session);
    let script = "import boto3, sys\nkms = boto3.client('kms')\n\
                  for spec in sys.argv[2:]:\n\
                  \x20   pair = kms.generate_data_key_pair_without_plaintext(KeyId=sys.argv[1], KeyPairSpec=spec)\n\
                  \x20   print(pair['PrivateKeyCiphertextBlob'].hex(), pair['PublicKey'].hex())";
    let key_id = arn(session, keys.symmetric);
    let arguments = [key_id.as_str(), "ECC_NIST_P384", "RSA_2048"];
    let endpoint = world.emulator.endpoint();
    let printed = boto3(&endpoint, &AccessKey::test(), script, &arguments)
        .ok()
        .stdout();
    let kinds = [(CKK_EC, CKM_ECDSA_SHA256), (CKK_RSA, CKM_SHA256_RSA_PKCS)];
    for ((key_type, mechanism), line) in kinds.into_iter().zip(printed.lines()) {
        let (blob, spki) = line.split_once(' ').unwrap();
        let wanted = [
            private_keys(),
            ulong(CKA_KEY_TYPE, key_type),
            flag(CKA_TOKEN, true),
        ];
        let unwrapped = session.unwrap(CKM_KMS_SYMMETRIC, keys.symmetric, &from_hex(blob), &wanted);
        let signature = session.sign(mechanism, unwrapped.unwrap(), MESSAGE);
        assert_verifies(&from_hex(spki), &signature.unwrap());
    }
}

#[test]
fn pkcs11_tool_unwraps_keys_into_kms() {
    let world = world();
    let session = world.module.session();
    let keys = Keys::of(session);
    let value = [0x5a; 32];
    let file = tempfile::NamedTempFile::new().unwrap();
    // The tool hands over no context.
    let request = json!({ "KeyId": arn(session, keys.symmetric), "Plaintext": base64(&value) });
    let blob = from_base64(&world.ask("Encrypt", &request)["CiphertextBlob"]);
    fs::write(file.path(), blob).unwrap();
    let path = file.path().to_str().unwrap();
    let from = ["--unwrap", "--mechanism", "0xCB4D0001", "--id", "bb"];
    let to = [
        "--key-type",
        "AES:",
        "--sensitive",
        "--application-id",
        "77",
        "--application-label",
        "moved",
    ];
    world.pkcs11_tool(&[&from[..], &["--input-file", path], &to].concat());
    world.restart();
    let session = world.module.session();
    let key = session.find_one(&[id([0x77]), label("moved"), flag(CKA_LOCAL, false)]);
    let blob = session.encrypt_kms(CKM_KMS_SYMMETRIC, key, b"data");
    assert_eq!(opened_with(&value, &blob.unwrap(), &[]), hex(b"data"));
}

/// The signature of the message with SHA-256 is one of this public key, and of no other message.
#[track_caller]
fn assert_verifies(spki: &[u8], signature: &[u8]) {
    let script = "import sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.serialization import load_der_public_key
spki, signature, message = map(bytes.fromhex, sys.argv[1:])
key = load_der_public_key(spki)
def verify(message):
    if isinstance(key, ec.EllipticCurvePublicKey):
        half = len(signature) // 2
        numbers = [int.from_bytes(part, 'big') for part in (signature[:half], signature[half:])]
        key.verify(utils.encode_dss_signature(*numbers), message, ec.ECDSA(hashes.SHA256()))
    else:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
verify(message)
try:
    verify(message + b'!')
except InvalidSignature:
    pass
else:
    sys.exit('verifies for another message')
";
    let _ = python(script, [hex(spki), hex(signature), hex(MESSAGE)]).ok();
}
