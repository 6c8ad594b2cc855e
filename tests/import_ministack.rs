//! Keys brought along into MiniStack, a KMS that nobody here wrote: what it took in is what was handed over, and
//! what it has no operations for is refused with a value of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use common_p11::attribute::{Attr, bytes, flag, id, label, private_keys, public_keys, ulong};

use common_p11::kms::*;
use common_p11::{Cloud, Mechanism, Session};
use cryptoki_sys::*;
use kms_pkcs11_testkit::{from_hex, hex, python};
use serde_json::Value;

const SCRIPT: &str = include_str!("import_keys.py");
const MESSAGE: &[u8] = b"a message";

/// MiniStack takes its time to make the key that material is wrapped under. Keys that boto3 makes are looked for at once.
const PATIENT: &str = "attempt_timeout = 60\ndeadline = 120\nmiss_refresh_interval = 0.1";

const RSA_NUMBERS: [CK_ATTRIBUTE_TYPE; 8] = [
    CKA_MODULUS,
    CKA_PUBLIC_EXPONENT,
    CKA_PRIVATE_EXPONENT,
    CKA_PRIME_1,
    CKA_PRIME_2,
    CKA_EXPONENT_1,
    CKA_EXPONENT_2,
    CKA_COEFFICIENT,
];

/// Kinds of private keys, their specs in KMS and their CKA_EC_PARAMS. Others are imported by pkcs11-tool in
/// `import_tools`, or as pairs of boto3 below: each costs MiniStack an RSA key of its own.
const KINDS: [(&str, &str, &str); 3] = [
    ("RSA-4096", "RSA_4096", ""),
    ("P-521", "ECC_NIST_P521", "06052b81040023"),
    ("secp256k1", "ECC_SECG_P256K1", "06052b8104000a"),
];

/// Runs lines of Python that know `kms` and `args`; answers what they print.
#[track_caller]
fn boto3(cloud: &Cloud, lines: &str, args: &[&str]) -> String {
    let script = format!(
        "import boto3, botocore, sys\nkms = boto3.client('kms')\nargs = sys.argv[1:]\n{lines}\n"
    );
    let ministack = &cloud.ministack;
    let answer = ministack.boto3(&ministack.root(), &script, args);
    answer.ok().stdout().trim().to_owned()
}

fn on_token(class: CK_OBJECT_CLASS, key_type: CK_KEY_TYPE) -> Vec<Attr> {
    vec![
        ulong(CKA_CLASS, class),
        ulong(CKA_KEY_TYPE, key_type),
        flag(CKA_TOKEN, true),
    ]
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap()
}

/// What a program says of a private key that it brings along.
fn private_template(params: &str, key: &Value) -> Vec<Attr> {
    let numbers = key["numbers"].as_array().unwrap().iter();
    let mut numbers = numbers.map(|number| from_hex(number.as_str().unwrap()));
    if params.is_empty() {
        let mut wanted = on_token(CKO_PRIVATE_KEY, CKK_RSA);
        wanted.push(flag(CKA_SIGN, true));
        wanted.extend(RSA_NUMBERS.map(|type_| bytes(type_, numbers.next().unwrap())));
        return wanted;
    }
    let mut wanted = on_token(CKO_PRIVATE_KEY, CKK_EC);
    wanted.push(bytes(CKA_EC_PARAMS, from_hex(params)));
    wanted.push(bytes(CKA_VALUE, numbers.next().unwrap()));
    wanted
}

/// What KMS says of a key: its spec, origin, state and expiry, and its tags.
fn described(cloud: &Cloud, session: Session<'_>, key: CK_OBJECT_HANDLE) -> String {
    let arn = arn(session, key);
    let arn = arn.trim_end_matches("#public");
    let lines = "key = kms.describe_key(KeyId=args[0])['KeyMetadata']\n\
                 tags = sorted(tag['TagKey'] for tag in kms.list_resource_tags(KeyId=args[0])['Tags'])\n\
                 print(key['KeySpec'], key['Origin'], key['KeyState'], key['ExpirationModel'],\n\
                 \x20     *(tag for tag in tags if tag in ('p11:id', 'p11:label')))";
    boto3(cloud, lines, &[arn])
}

const AS_IMPORTED: &str = "EXTERNAL Enabled KEY_MATERIAL_DOES_NOT_EXPIRE p11:id p11:label";

#[test]
fn a_private_key_is_imported_and_signs_under_its_old_public_key() {
    let cloud = Cloud::start();
    let module = cloud.module(PATIENT, &cloud.ministack.root());
    let session = module.session();
    let arguments = ["make"].into_iter().chain(KINDS.map(|(kind, ..)| kind));
    let printed = python(SCRIPT, arguments).ok().stdout();
    let mut claims = vec!["check".to_owned()];
    for ((kind, spec, params), line) in KINDS.into_iter().zip(printed.lines()) {
        let key: Value = serde_json::from_str(line).unwrap();
        let mut wanted = private_template(params, &key);
        wanted.extend([id(kind), label(kind)]);
        let private = session.create(&wanted).unwrap();
        let shown = described(&cloud, session, private);
        assert_eq!(shown, format!("{spec} {AS_IMPORTED}"));
        for attribute in [
            CKA_LOCAL,
            CKA_ALWAYS_SENSITIVE,
            CKA_NEVER_EXTRACTABLE,
            CKA_EXTRACTABLE,
        ] {
            assert_eq!(
                session.get(private, attribute),
                Ok(vec![CK_FALSE]),
                "{kind}"
            );
        }
        let mechanism = if params.is_empty() {
            CKM_SHA256_RSA_PKCS
        } else {
            CKM_ECDSA_SHA256
        };
        let signature = session.sign(mechanism, private, MESSAGE).unwrap();
        claims.push(format!("{},{}", text(&key, "spki"), hex(&signature)));
    }
    let verified = python(SCRIPT, &claims).ok().stdout();
    assert_eq!(verified.trim(), format!("{:?}", [true; KINDS.len()]));
}

#[test]
fn keys_for_hmac_make_the_macs_of_their_bytes() {
    let cloud = Cloud::start();
    let module = cloud.module(PATIENT, &cloud.ministack.root());
    let session = module.session();
    for (len, mechanism, hash) in [
        (28_u8, CKM_SHA224_HMAC, "sha224"),
        (64, CKM_SHA512_HMAC, "sha512"),
    ] {
        let value: Vec<u8> = (1..=len).collect();
        let mut wanted = on_token(CKO_SECRET_KEY, CKK_GENERIC_SECRET);
        wanted.extend([bytes(CKA_VALUE, &value), id([len]), label("mac")]);
        let key = session.create(&wanted).unwrap();
        let shown = described(&cloud, session, key);
        assert_eq!(shown, format!("HMAC_{} {AS_IMPORTED}", u16::from(len) * 8));
        let mac = session.sign(mechanism, key, MESSAGE).unwrap();
        let script = "import hmac, sys; key, message = map(bytes.fromhex, sys.argv[2:]); \
                      print(hmac.new(key, message, sys.argv[1]).hexdigest())";
        let expected = python(script, [hash, &hex(&value), &hex(MESSAGE)])
            .ok()
            .stdout();
        assert_eq!(hex(&mac), expected.trim());
    }
}

/// Keys that boto3 wrapped or had made: under a symmetric key of KMS and under an RSA key.
#[test]
fn what_boto3_wrapped_is_unwrapped_into_kms() {
    let cloud = Cloud::start();
    let module = cloud.module(PATIENT, &cloud.ministack.root());
    let session = module.session();
    let kek = session.generate_symmetric("kek").unwrap();
    let lines = "blob = kms.encrypt(KeyId=args[0], Plaintext=bytes([0x42] * 32))['CiphertextBlob']\n\
                 print(blob.hex())\n\
                 pair = kms.generate_data_key_pair_without_plaintext(KeyId=args[0], KeyPairSpec='ECC_NIST_P256')\n\
                 print(pair['PrivateKeyCiphertextBlob'].hex(), pair['PublicKey'].hex())";
    let printed = boto3(&cloud, lines, &[&arn(session, kek)]);
    let (secret, pair) = printed.split_once('\n').unwrap();

    let mut wanted = on_token(CKO_SECRET_KEY, CKK_AES);
    wanted.extend([id("secret"), label("secret")]);
    let secret = session.unwrap(CKM_KMS_SYMMETRIC, kek, &from_hex(secret), &wanted);
    let secret = secret.unwrap();
    assert_eq!(
        described(&cloud, session, secret),
        format!("SYMMETRIC_DEFAULT {AS_IMPORTED}")
    );
    let blob = session.encrypt_kms(symmetric(0, CONTEXT), secret, b"data");
    let lines = "print(kms.decrypt(CiphertextBlob=bytes.fromhex(args[0]), \
                 EncryptionContext={'application': 'recordings'})['Plaintext'].hex())";
    let plaintext = boto3(&cloud, lines, &[&hex(&blob.unwrap())]);
    assert_eq!(plaintext, hex(b"data"));

    let (blob, spki) = pair.split_once(' ').unwrap();
    let wanted = on_token(CKO_PRIVATE_KEY, CKK_EC);
    let key = session.unwrap(CKM_KMS_SYMMETRIC, kek, &from_hex(blob), &wanted);
    let signature = session.sign(CKM_ECDSA_SHA256, key.unwrap(), MESSAGE);
    let claim = format!("{spki},{}", hex(&signature.unwrap()));
    let verified = python(SCRIPT, ["check", &claim]).ok().stdout();
    assert_eq!(verified.trim(), "[true]");

    // The same under RSAES-OAEP alone, whose unwrapping key is in KMS.
    let rsa = "print(kms.create_key(KeySpec='RSA_2048', KeyUsage='ENCRYPT_DECRYPT')['KeyMetadata']['Arn'])";
    let rsa = boto3(&cloud, rsa, &[]);
    let rsa = [label(rsa.rsplit('/').next().unwrap())];
    let unwrapping = session.find_one(&[&[private_keys()], &rsa[..]].concat());
    let wrapping = session.find_one(&[&[public_keys()], &rsa[..]].concat());
    let value = secret_key(session, &[0x17; 32]);
    let oaep = Mechanism::oaep_sha256;
    let wrapped = session.wrap(oaep(), wrapping, value).unwrap();
    let mut wanted = on_token(CKO_SECRET_KEY, CKK_SHA256_HMAC);
    wanted.extend([id("mac"), label("mac")]);
    let mac = session.unwrap(oaep(), unwrapping, &wrapped, &wanted);
    assert_eq!(
        described(&cloud, session, mac.unwrap()),
        format!("HMAC_256 {AS_IMPORTED}")
    );
}

/// What is shown over the emulator alone: MiniStack has no such operations.
#[test]
fn ministack_has_no_reencrypt_and_no_rotation_on_demand() {
    let cloud = Cloud::start();
    let module = cloud.module(PATIENT, &cloud.ministack.root());
    let session = module.session();
    let key = session.generate_symmetric("kek").unwrap();
    let lines = "blob = kms.encrypt(KeyId=args[0], Plaintext=b'data')['CiphertextBlob']\n\
                 for call in [lambda: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=args[0]),\n\
                 \x20            lambda: kms.rotate_key_on_demand(KeyId=args[0]),\n\
                 \x20            lambda: kms.list_key_rotations(KeyId=args[0])]:\n\
                 \x20   try:\n\
                 \x20       call()\n\
                 \x20       print('has it')\n\
                 \x20   except botocore.exceptions.ClientError as error:\n\
                 \x20       print(error.response['Error']['Code'])";
    let missing = boto3(&cloud, lines, &[&arn(session, key)]);
    let missing: Vec<&str> = missing.lines().collect();
    assert_eq!(missing, ["InvalidAction"; 3]);

    let blob = session
        .encrypt_kms(CKM_KMS_SYMMETRIC, key, b"data")
        .unwrap();
    let moved = session.encrypt_kms(CKM_KMS_REENCRYPT, key, &blob);
    assert_eq!(moved, Err(CKR_FUNCTION_FAILED), "{}", cloud.log());
    let rotations = session.get(key, CKA_KMS_ON_DEMAND_ROTATIONS);
    assert_eq!(rotations, Err(CKR_FUNCTION_FAILED));
    // The attributes beside it are none the worse.
    let enabled = session.get(key, CKA_KMS_ROTATION_ENABLED);
    assert_eq!(enabled, Ok(vec![CK_FALSE]));
}
