//! The token's mechanisms: all that work are listed, all that are listed work, and what KMS cannot do is
//! refused before KMS is asked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use std::collections::BTreeSet;

use cryptoki_sys::*;
use raw::*;

#[test]
fn every_listed_mechanism_works_and_has_the_info_that_says_so() {
    let (client, [ec, rsa, ed25519, ml_dsa, agreeing, decrypting, kem]) = Client::start([
        P256,
        RSA_2048,
        ED25519,
        ML_DSA_44,
        P256_AGREE,
        RSA_2048_DECRYPT,
        ML_KEM_512,
    ]);
    let listed = client.mechanisms(Room::Of(100)).ok();
    let mut outside = Outside::default();
    let (mut signing, mut macs) = (0, 0);
    for type_ in &listed {
        let info = client.mechanism_info(*type_).unwrap();
        let beside_uses = CKF_HW | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS | OF_MESSAGES;
        match info.flags & !beside_uses {
            SIGN_VERIFY if MACS.iter().any(|mac| mac.0 == *type_) => {
                assert_mac(&client, *type_);
                macs += 1;
            }
            SIGN_VERIFY => {
                let row = signing_row(*type_);
                let key = signing_key(row.scheme, [&ec, &rsa, &ed25519, &ml_dsa]);
                let data = bytes(row.hash.len, 1);
                let (input, claim) = match row.input {
                    Input::Raw => (data.clone(), Claim::Raw(&data)),
                    Input::Message => (data.clone(), Claim::Message(&row.hash, &data)),
                    Input::Digest => (data.clone(), Claim::Digest(&row.hash, &data)),
                    Input::DigestOfMessage => {
                        let digesting = Mechanism::plain(row.hash.mechanism);
                        assert_eq!(client.digest_init(&digesting), CKR_OK);
                        let digest = client.digest(&data, Room::Of(AMPLE)).ok();
                        (digest, Claim::Message(&row.hash, &data))
                    }
                    Input::DigestInfo => {
                        let input = row.hash.digest_info(&data);
                        (input, Claim::Digest(&row.hash, &data))
                    }
                };
                let mechanism = row.mechanism();
                let signature = client.signature(&mechanism, key.private, &input);
                outside.add(&key.spki, row.scheme, claim, &signature);
                let verdict = client.verdict(&mechanism, key.public, &input, &signature);
                assert_eq!(verdict, CKR_OK, "{type_:#x}");
                signing += 1;
            }
            ENCRYPT_DECRYPT_WRAP_UNWRAP => {
                let oaep = Mechanism::oaep(&SHA_256);
                assert_eq!(oaep.type_, *type_);
                assert_encrypts(&client, &oaep, decrypting.public, decrypting.private);
                assert_wraps(&client, &oaep, decrypting.public, decrypting.private);
            }
            ENCRYPT_DECRYPT => {
                let cipher = cipher(*type_);
                let key = aes_key(&client, CKA_ENCRYPT, CKA_DECRYPT);
                assert_encrypts(&client, &cipher, key, key);
            }
            WRAP_UNWRAP if *type_ == CKM_RSA_AES_KEY_WRAP => {
                for aes_bits in [128, 192, 256] {
                    let mechanism = Mechanism::rsa_aes(aes_bits, &SHA_256);
                    assert_wraps(&client, &mechanism, decrypting.public, decrypting.private);
                }
            }
            WRAP_UNWRAP => {
                let key = aes_key(&client, CKA_WRAP, CKA_UNWRAP);
                assert_wraps(&client, &Mechanism::plain(*type_), key, key);
            }
            CKF_DERIVE => {
                let made = derive(&client, *type_, &agreeing, &ec);
                assert!(made.is_ok(), "{type_:#x} {made:x?}\n{}", client.log());
            }
            ENCAPSULATE_DECAPSULATE => assert_encapsulates(&client, *type_, &kem),
            CKF_DIGEST => {
                assert_eq!(client.digest_init(&Mechanism::plain(*type_)), CKR_OK);
                let _ = client.digest(b"message", Room::Of(AMPLE)).ok();
            }
            CKF_GENERATE_KEY_PAIR => {
                let rv = generate(&client, *type_);
                assert_eq!(rv, CKR_OK, "{type_:#x}\n{}", client.log());
            }
            KMS_SYMMETRIC => {
                let kms = Mechanism::plain(*type_);
                let key = symmetric_key(&client);
                assert_encrypts(&client, &kms, key, key);
                assert_wraps(&client, &kms, key, key);
            }
            CKF_ENCRYPT => assert_reencrypts(&client, *type_),
            CKF_GENERATE => {
                let made = generate_secret(&client, *type_);
                assert!(made.is_ok(), "{type_:#x} {made:x?}\n{}", client.log());
            }
            flags => panic!("{type_:#x} has flags {flags:#x}"),
        }
    }
    assert_eq!((signing, macs), (SIGNING.len(), MACS.len()));
    outside.assert_valid(signing);
}

#[test]
fn what_works_message_by_message_says_so_and_whether_in_parts() {
    let (client, []) = Client::start([]);
    for type_ in client.mechanisms(Room::Of(100)).ok() {
        let flags = client.mechanism_info(type_).unwrap().flags;
        let of_digests = [CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_ECDSA, CKM_HASH_ML_DSA];
        let signing = CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY;
        let expected = match flags & SIGN_VERIFY {
            0 if type_ == CKM_AES_GCM => {
                CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE
            }
            0 => 0,
            _ if of_digests.contains(&type_) => signing,
            _ => signing | CKF_MULTI_MESSAGE,
        };
        assert_eq!(flags & OF_MESSAGES, expected, "{type_:#x}");
    }
}

#[test]
fn key_sizes_are_in_the_units_of_the_specification() {
    let (client, []) = Client::start([]);
    for (type_, min, max) in SIZES {
        let info = client.mechanism_info(type_).unwrap();
        let sizes = (info.ulMinKeySize, info.ulMaxKeySize);
        assert_eq!(sizes, (min, max), "{type_:#x}");
    }
}

#[test]
fn the_list_has_no_duplicates_no_padding_and_the_mechanisms_that_keys_allow() {
    let (client, keys) = Client::start([P256, RSA_2048, RSA_2048_DECRYPT]);
    let list = client.mechanisms(Room::Of(100)).ok();
    let listed: BTreeSet<_> = list.iter().copied().collect();
    assert_eq!(listed.len(), list.len());
    // CKM_RSA_PKCS_KEY_PAIR_GEN is 0, and is all that may look like padding.
    assert_eq!(list.iter().filter(|type_| **type_ == 0).count(), 1);
    for key in &keys {
        for object in [key.private, key.public] {
            let allowed = client.value(object, CKA_ALLOWED_MECHANISMS);
            let (allowed, rest) = allowed.as_chunks::<{ size_of::<CK_MECHANISM_TYPE>() }>();
            assert!(!allowed.is_empty() && rest.is_empty());
            for type_ in allowed {
                assert!(listed.contains(&CK_MECHANISM_TYPE::from_ne_bytes(*type_)));
            }
        }
    }
}

#[test]
fn a_mechanism_outside_of_the_list_has_no_info_and_starts_no_operation() {
    let (client, [ec, rsa, decrypting]) = Client::start([P256, RSA_2048, RSA_2048_DECRYPT]);
    let listed: BTreeSet<_> = client.mechanisms(Room::Of(100)).ok().into_iter().collect();
    let vendor = [CKM_VENDOR_DEFINED, CKM_VENDOR_DEFINED + 1, CK_ULONG::MAX];
    let calls = client.requests(|| {
        for type_ in (0..0x4100).chain(vendor) {
            let mechanism = Mechanism::plain(type_);
            if listed.contains(&type_) {
                assert!(client.mechanism_info(type_).is_ok(), "{type_:#x}");
                continue;
            }
            assert_eq!(
                client.mechanism_info(type_).map(|info| info.flags),
                Err(CKR_MECHANISM_INVALID),
                "{type_:#x}"
            );
            let refusals = [
                client.sign_init(&mechanism, ec.private),
                client.sign_init(&mechanism, rsa.private),
                client.verify_init(&mechanism, ec.public),
                client.verify_init(&mechanism, rsa.public),
                client.encrypt_init(&mechanism, decrypting.public),
                client.decrypt_init(&mechanism, decrypting.private),
                client.digest_init(&mechanism),
            ];
            assert_eq!(refusals, [CKR_MECHANISM_INVALID; 7], "{type_:#x}");
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_digest_info_that_kms_would_not_write_is_refused_without_a_request() {
    let (client, [key]) = Client::start([RSA_2048]);
    let raw = Mechanism::plain(CKM_RSA_PKCS);
    let digest = bytes(32, 1);
    let valid = SHA_256.digest_info(&digest);
    let changed = |position: usize, byte: u8| {
        let mut changed = valid.clone();
        changed[position] = byte;
        changed
    };
    // Absent parameters are legal DER, and another message than the one that KMS signs.
    let oid = &valid[4..15];
    let without_null = der(0x30, &[der(0x30, oid), der(0x04, &digest)].concat());
    let long_length = [&[0x30, 0x81, 0x31], &valid[2..]].concat();
    let indefinite_length = [&[0x30, 0x80], &valid[2..], &[0, 0]].concat();
    let refused = [
        ("SHA3-256", SHA3_256.digest_info(&digest)),
        ("SHA-1", SHA_1.digest_info(&bytes(20, 1))),
        ("SHA-224", SHA_224.digest_info(&bytes(28, 1))),
        ("SHA-256 of 31 bytes", SHA_256.digest_info(&digest[1..])),
        ("SHA-256 of 48 bytes", SHA_256.digest_info(&bytes(48, 1))),
        ("SHA-512 of 32 bytes", SHA_512.digest_info(&digest)),
        ("an empty digest", SHA_256.digest_info(&[])),
        ("truncated by one byte", valid[..50].to_vec()),
        ("truncated to what was compared once", valid[..8].to_vec()),
        ("the prefix alone", valid[..19].to_vec()),
        ("a trailing byte", [&valid[..], &[0]].concat()),
        ("twice", [&valid[..], &valid[..]].concat()),
        ("a bare digest", digest.clone()),
        ("nothing", Vec::new()),
        ("no parameters", without_null),
        ("a length in the long form", long_length),
        ("an indefinite length", indefinite_length),
        ("another outer tag", changed(0, 0x31)),
        ("another outer length", changed(1, 0x30)),
        ("parameters that are not NULL", changed(15, 0x04)),
        ("a digest in another tag", changed(17, 0x03)),
        ("longer than the modulus", vec![0x30; 300]),
    ];
    let calls = client.requests(|| {
        for (what, data) in &refused {
            let answer = client.try_signature(&raw, key.private, data);
            assert!(
                matches!(answer, Err(CKR_DATA_INVALID | CKR_DATA_LEN_RANGE)),
                "{what}: {answer:x?}"
            );
            let over = client.sign(&valid, Room::Of(AMPLE));
            assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED, "{what}");
        }
    });
    assert_eq!(calls.total, 0);
    assert!(client.try_signature(&raw, key.private, &valid).is_ok());
}

#[test]
fn pss_parameters_that_kms_cannot_do_are_refused_at_init() {
    let (client, [key]) = Client::start([RSA_2048]);
    let pss = Mechanism::pss_with;
    let (raw, hashed) = (CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS_PSS);
    let refused = [
        // Another mask generation function.
        pss(raw, CKM_SHA256, CKG_MGF1_SHA1, 32),
        pss(raw, CKM_SHA256, CKG_MGF1_SHA512, 32),
        pss(hashed, CKM_SHA256, CKG_MGF1_SHA1, 32),
        pss(raw, CKM_SHA256, 0, 32),
        // Another salt.
        pss(raw, CKM_SHA256, CKG_MGF1_SHA256, 0),
        pss(raw, CKM_SHA256, CKG_MGF1_SHA256, 20),
        pss(raw, CKM_SHA256, CKG_MGF1_SHA256, 222),
        pss(hashed, CKM_SHA256, CKG_MGF1_SHA256, 20),
        pss(raw, CKM_SHA512, CKG_MGF1_SHA512, 32),
        pss(raw, CKM_SHA256, CKG_MGF1_SHA256, usize::MAX),
        // Another hash.
        pss(raw, CKM_SHA_1, CKG_MGF1_SHA1, 20),
        pss(raw, CKM_SHA224, CKG_MGF1_SHA224, 28),
        pss(raw, CKM_SHA3_256, CKG_MGF1_SHA3_256, 32),
        pss(hashed, CKM_SHA384, CKG_MGF1_SHA384, 48),
        pss(CKM_SHA512_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32),
        // No parameters, and parameters where there are none.
        Mechanism::plain(raw),
        Mechanism::plain(hashed),
        Mechanism::oaep(&SHA_256).typed(raw),
        pss(CKM_RSA_PKCS, CKM_SHA256, CKG_MGF1_SHA256, 32),
        pss(CKM_SHA256_RSA_PKCS, CKM_SHA256, CKG_MGF1_SHA256, 32),
    ];
    let calls = client.requests(|| {
        for mechanism in &refused {
            for rv in [
                client.sign_init(mechanism, key.private),
                client.verify_init(mechanism, key.public),
            ] {
                assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID, "{mechanism:?}");
            }
            let over = client.sign(&[1; 32], Room::Of(AMPLE));
            assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED, "{mechanism:?}");
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_pss_digest_of_another_length_is_refused_without_a_request() {
    let (client, [key]) = Client::start([RSA_2048]);
    let pss = Mechanism::pss(CKM_RSA_PKCS_PSS, &SHA_384);
    let calls = client.requests(|| {
        for len in [0, 20, 32, 47, 49, 64, 300] {
            let refused = client.try_signature(&pss, key.private, &bytes(len, 1));
            assert_eq!(refused, Err(CKR_DATA_LEN_RANGE), "{len} bytes");
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn oaep_parameters_that_kms_cannot_do_are_refused_at_init() {
    let (client, [key]) = Client::start([RSA_2048_DECRYPT]);
    let refused = [
        Mechanism::oaep_with(CKM_SHA256, CKG_MGF1_SHA1, b""),
        Mechanism::oaep_with(CKM_SHA_1, CKG_MGF1_SHA256, b""),
        Mechanism::oaep_with(CKM_SHA384, CKG_MGF1_SHA384, b""),
        Mechanism::oaep_with(CKM_SHA512, CKG_MGF1_SHA512, b""),
        Mechanism::oaep_with(CKM_SHA256, CKG_MGF1_SHA256, b"label"),
        Mechanism::plain(CKM_RSA_PKCS_OAEP),
        Mechanism::pss(CKM_RSA_PKCS_PSS, &SHA_256).typed(CKM_RSA_PKCS_OAEP),
    ];
    let calls = client.requests(|| {
        for mechanism in &refused {
            for rv in [
                client.decrypt_init(mechanism, key.private),
                client.encrypt_init(mechanism, key.public),
            ] {
                assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID, "{mechanism:?}");
            }
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_pair_that_kms_does_not_make_as_asked_is_refused_without_a_request() {
    let (client, []) = Client::start([]);
    let ulong = |value: CK_ULONG| value.to_ne_bytes().to_vec();
    let token = || (CKA_TOKEN, vec![CK_TRUE]);
    let bits = || (CKA_MODULUS_BITS, ulong(2048));
    let curve = |last| (CKA_EC_PARAMS, [P256_OID, &[last]].concat());
    let exponent = |value: &[u8]| (CKA_PUBLIC_EXPONENT, value.to_vec());
    let (rsa, ec) = (CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_EC_KEY_PAIR_GEN);
    let refused = [
        (rsa, vec![], vec![], CKR_TEMPLATE_INCOMPLETE),
        (rsa, vec![], vec![bits()], CKR_TEMPLATE_INCONSISTENT),
        (
            rsa,
            vec![bits(), exponent(&[3])],
            vec![],
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (
            rsa,
            vec![bits()],
            vec![exponent(&[3])],
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (
            rsa,
            vec![bits(), exponent(&[1, 0, 1]), exponent(&[3])],
            vec![],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            rsa,
            vec![bits(), curve(7)],
            vec![],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (ec, vec![], vec![curve(7)], CKR_TEMPLATE_INCOMPLETE),
        (ec, vec![curve(6)], vec![], CKR_CURVE_NOT_SUPPORTED),
        (
            ec,
            vec![curve(7)],
            vec![curve(6)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            ec,
            vec![curve(7)],
            vec![(CKA_SIGN, vec![CK_FALSE])],
            CKR_TEMPLATE_INCONSISTENT,
        ),
    ];
    let calls = client.requests(|| {
        for (type_, mut public, mut private, rv) in refused {
            public.push(token());
            private.push(token());
            let answer = client.generate_key_pair(&Mechanism::plain(type_), &public, &private);
            assert_eq!(answer, rv, "{public:x?} {private:x?}");
        }
        let session_key = [curve(7)];
        let answer = client.generate_key_pair(&Mechanism::plain(ec), &session_key, &[]);
        assert_eq!(answer, CKR_TEMPLATE_INCONSISTENT);
    });
    assert_eq!(calls.total, 0);
}

fn signing_key(scheme: Scheme, [ec, rsa, ed25519, ml_dsa]: [&Key; 4]) -> &Key {
    match scheme {
        Scheme::Ecdsa => ec,
        Scheme::Pkcs1 | Scheme::Pss => rsa,
        Scheme::Ed25519 => ed25519,
        Scheme::MlDsa(_) | Scheme::HashMlDsa(_) => ml_dsa,
    }
}

#[track_caller]
fn generate(client: &Client, type_: CK_MECHANISM_TYPE) -> CK_RV {
    let flag = |type_| (type_, vec![CK_TRUE]);
    let number = |type_, value: CK_ULONG| (type_, value.to_ne_bytes().to_vec());
    let size = match type_ {
        CKM_RSA_PKCS_KEY_PAIR_GEN => number(CKA_MODULUS_BITS, 2048),
        CKM_EC_KEY_PAIR_GEN => (CKA_EC_PARAMS, [P256_OID, &[7]].concat()),
        CKM_EC_EDWARDS_KEY_PAIR_GEN => (CKA_EC_PARAMS, ED25519_OID.to_vec()),
        CKM_ML_DSA_KEY_PAIR_GEN => number(CKA_PARAMETER_SET, CKP_ML_DSA_65),
        CKM_ML_KEM_KEY_PAIR_GEN => number(CKA_PARAMETER_SET, CKP_ML_KEM_768),
        _ => panic!("{type_:#x} is listed as one that makes pairs"),
    };
    client.generate_key_pair(
        &Mechanism::plain(type_),
        &[flag(CKA_TOKEN), size],
        &[flag(CKA_TOKEN)],
    )
}

/// A secret key in KMS, of 32 bytes where the mechanism leaves that open.
#[track_caller]
fn generate_secret(client: &Client, type_: CK_MECHANISM_TYPE) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let len: CK_ULONG = 32;
    let mut template = vec![(CKA_TOKEN, vec![CK_TRUE])];
    if matches!(type_, CKM_GENERIC_SECRET_KEY_GEN | CKM_AES_KEY_GEN) {
        template.push((CKA_VALUE_LEN, len.to_ne_bytes().to_vec()));
    }
    client.generate_key(&Mechanism::plain(type_), &template)
}

/// What is encrypted anew is a ciphertext.
#[track_caller]
fn assert_reencrypts(client: &Client, type_: CK_MECHANISM_TYPE) {
    let kms = Mechanism::plain(KMS_SYMMETRIC_MECHANISM);
    let keys = [symmetric_key(client), symmetric_key(client)];
    let first = client.ciphertext(&kms, keys[0], b"data");
    let second = client.ciphertext(&Mechanism::plain(type_), keys[1], &first);
    assert_eq!(client.plaintext(&kms, keys[1], &second).ok(), b"data");
}

#[track_caller]
fn symmetric_key(client: &Client) -> CK_OBJECT_HANDLE {
    generate_secret(client, CKM_AES_KEY_GEN).unwrap()
}

#[track_caller]
fn assert_mac(client: &Client, type_: CK_MECHANISM_TYPE) {
    let (_, generation, len) = MACS.iter().find(|mac| mac.0 == type_).unwrap();
    let key = generate_secret(client, *generation).unwrap();
    let mechanism = match len {
        None => Mechanism::plain(type_),
        Some(len) => Mechanism::hmac_general(type_, *len),
    };
    let mac = client.signature(&mechanism, key, b"message");
    let verdict = client.verdict(&mechanism, key, b"message", &mac);
    assert_eq!(verdict, CKR_OK, "{type_:#x}");
}

#[track_caller]
fn assert_encrypts(
    client: &Client,
    mechanism: &Mechanism,
    encrypting: CK_OBJECT_HANDLE,
    decrypting: CK_OBJECT_HANDLE,
) {
    let ciphertext = client.ciphertext(mechanism, encrypting, b"a secret of 16 b");
    let plaintext = client.plaintext(mechanism, decrypting, &ciphertext);
    assert_eq!(plaintext.ok(), b"a secret of 16 b", "{mechanism:?}");
}

#[track_caller]
fn assert_wraps(
    client: &Client,
    mechanism: &Mechanism,
    wrapping: CK_OBJECT_HANDLE,
    unwrapping: CK_OBJECT_HANDLE,
) {
    let readable = [
        (CKA_EXTRACTABLE, flag(true)),
        (CKA_SENSITIVE, flag(false)),
        (CKA_VALUE_LEN, ulong(32)),
    ];
    let key = client.secret_key(CKK_GENERIC_SECRET, &[7; 32], &readable[..2]);
    let wrapped = client.wrap(mechanism, wrapping, key, Room::Of(AMPLE)).ok();
    let mut template = vec![
        (CKA_CLASS, ulong(CKO_SECRET_KEY)),
        (CKA_KEY_TYPE, ulong(CKK_GENERIC_SECRET)),
    ];
    template.extend(readable);
    let unwrapped = client.unwrap(mechanism, unwrapping, &wrapped, &template);
    let value = client.value(unwrapped.unwrap(), CKA_VALUE);
    assert_eq!(value, [7; 32], "{mechanism:?}");
}

fn aes_key(client: &Client, one: CK_ATTRIBUTE_TYPE, other: CK_ATTRIBUTE_TYPE) -> CK_OBJECT_HANDLE {
    let uses = [(one, flag(true)), (other, flag(true))];
    client.secret_key(CKK_AES, &[1; 32], &uses)
}

fn cipher(type_: CK_MECHANISM_TYPE) -> Mechanism {
    match type_ {
        CKM_AES_GCM => Mechanism::gcm(&[1; 12], b"", 128),
        CKM_AES_CTR => Mechanism::ctr(64, [1; 16]),
        _ => Mechanism::with_bytes(type_, &[1; 16]),
    }
}

/// A key derived from one of this process, or from a key in KMS and the public key of another.
fn derive(
    client: &Client,
    type_: CK_MECHANISM_TYPE,
    own: &Key,
    peer: &Key,
) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let len = [(CKA_VALUE_LEN, ulong(32))];
    if type_ == CKM_HKDF_DERIVE {
        let hkdf = Mechanism::hkdf(Hkdf {
            extract: true,
            expand: true,
            hash: CKM_SHA256,
            salt_type: CKF_HKDF_SALT_NULL,
            salt: b"",
            salt_key: 0,
            info: b"",
        });
        let derives = [(CKA_DERIVE, flag(true))];
        let base = client.secret_key(CKK_GENERIC_SECRET, &[1; 32], &derives);
        return client.derive(&hkdf, base, &len);
    }
    // The point of P-256, uncompressed, ends its SubjectPublicKeyInfo.
    let point = &peer.spki[peer.spki.len() - 65..];
    let ecdh = Mechanism::ecdh(CKD_NULL, b"", point).typed(type_);
    client.derive(&ecdh, own.private, &len)
}

#[track_caller]
fn assert_encapsulates(client: &Client, type_: CK_MECHANISM_TYPE, key: &Key) {
    let mechanism = Mechanism::plain(type_);
    let readable = [(CKA_EXTRACTABLE, flag(true)), (CKA_SENSITIVE, flag(false))];
    let (answer, ours) = client.encapsulate(&mechanism, key.public, &readable, Room::Of(AMPLE));
    let theirs = client.decapsulate(&mechanism, key.private, &readable, &answer.ok());
    assert_eq!(
        client.value(ours, CKA_VALUE),
        client.value(theirs.unwrap(), CKA_VALUE)
    );
}

/// DER of P-256's object identifier, 1.2.840.10045.3.1.7, without its last number.
const P256_OID: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01";

/// DER of id-Ed25519.
const ED25519_OID: &[u8] = b"\x06\x03\x2b\x65\x70";

const SIGN_VERIFY: CK_FLAGS = CKF_SIGN | CKF_VERIFY;
const ENCRYPT_DECRYPT: CK_FLAGS = CKF_ENCRYPT | CKF_DECRYPT;
const OF_MESSAGES: CK_FLAGS = CKF_MESSAGE_SIGN
    | CKF_MESSAGE_VERIFY
    | CKF_MESSAGE_ENCRYPT
    | CKF_MESSAGE_DECRYPT
    | CKF_MULTI_MESSAGE;

/// What the caller hands in.
enum Input {
    /// A message that the scheme hashes.
    Raw,
    Message,
    Digest,
    /// The digest of what others are given as the message.
    DigestOfMessage,
    DigestInfo,
}

/// How a signature mechanism is used.
struct Signing {
    type_: CK_MECHANISM_TYPE,
    scheme: Scheme,
    input: Input,
    hash: Hash,
}

impl Signing {
    fn mechanism(&self) -> Mechanism {
        match self.scheme {
            Scheme::Pss => Mechanism::pss(self.type_, &self.hash),
            Scheme::HashMlDsa(context) if self.type_ == CKM_HASH_ML_DSA => {
                Mechanism::hash_ml_dsa(self.hash.mechanism, context)
            }
            _ => Mechanism::plain(self.type_),
        }
    }
}

#[track_caller]
fn signing_row(type_: CK_MECHANISM_TYPE) -> &'static Signing {
    let row = SIGNING.iter().find(|row| row.type_ == type_);
    row.unwrap_or_else(|| panic!("{type_:#x} is listed as one that signs"))
}

const fn signing(type_: CK_MECHANISM_TYPE, scheme: Scheme, input: Input, hash: Hash) -> Signing {
    Signing {
        type_,
        scheme,
        input,
        hash,
    }
}

/// Every mechanism that signs with a pair.
static SIGNING: [Signing; 21] = {
    use Input::{Digest, DigestInfo, DigestOfMessage, Message, Raw};
    use Scheme::{Ecdsa, Ed25519, HashMlDsa, MlDsa, Pkcs1, Pss};
    [
        signing(CKM_RSA_PKCS, Pkcs1, DigestInfo, SHA_256),
        signing(CKM_SHA256_RSA_PKCS, Pkcs1, Message, SHA_256),
        signing(CKM_SHA384_RSA_PKCS, Pkcs1, Message, SHA_384),
        signing(CKM_SHA512_RSA_PKCS, Pkcs1, Message, SHA_512),
        signing(CKM_RSA_PKCS_PSS, Pss, Digest, SHA_256),
        signing(CKM_SHA256_RSA_PKCS_PSS, Pss, Message, SHA_256),
        signing(CKM_SHA384_RSA_PKCS_PSS, Pss, Message, SHA_384),
        signing(CKM_SHA512_RSA_PKCS_PSS, Pss, Message, SHA_512),
        signing(CKM_ECDSA, Ecdsa, Digest, SHA_256),
        signing(CKM_ECDSA_SHA1, Ecdsa, Message, SHA_1),
        signing(CKM_ECDSA_SHA224, Ecdsa, Message, SHA_224),
        signing(CKM_ECDSA_SHA256, Ecdsa, Message, SHA_256),
        signing(CKM_ECDSA_SHA384, Ecdsa, Message, SHA_384),
        signing(CKM_ECDSA_SHA512, Ecdsa, Message, SHA_512),
        signing(CKM_EDDSA, Ed25519, Raw, SHA_512),
        signing(CKM_ML_DSA, MlDsa(b""), Raw, SHA_512),
        signing(CKM_HASH_ML_DSA, HashMlDsa(b""), DigestOfMessage, SHA_256),
        signing(CKM_HASH_ML_DSA_SHA224, HashMlDsa(b""), Message, SHA_224),
        signing(CKM_HASH_ML_DSA_SHA256, HashMlDsa(b""), Message, SHA_256),
        signing(CKM_HASH_ML_DSA_SHA384, HashMlDsa(b""), Message, SHA_384),
        signing(CKM_HASH_ML_DSA_SHA512, HashMlDsa(b""), Message, SHA_512),
    ]
};

/// Every mechanism that makes MACs, the one that makes keys for it, and the length to ask for.
const MACS: [(CK_MECHANISM_TYPE, CK_MECHANISM_TYPE, Option<CK_ULONG>); 8] = [
    (CKM_SHA224_HMAC, CKM_SHA224_KEY_GEN, None),
    (CKM_SHA256_HMAC, CKM_GENERIC_SECRET_KEY_GEN, None),
    (CKM_SHA384_HMAC, CKM_SHA384_KEY_GEN, None),
    (CKM_SHA512_HMAC, CKM_SHA512_KEY_GEN, None),
    (CKM_SHA224_HMAC_GENERAL, CKM_SHA224_KEY_GEN, Some(28)),
    (CKM_SHA256_HMAC_GENERAL, CKM_SHA256_KEY_GEN, Some(16)),
    (CKM_SHA384_HMAC_GENERAL, CKM_SHA384_KEY_GEN, Some(1)),
    (CKM_SHA512_HMAC_GENERAL, CKM_SHA512_KEY_GEN, Some(63)),
];

/// Mechanisms with their smallest and largest keys: bits of RSA moduli, of fields and of generic secrets,
/// bytes of HMAC keys and of ML-DSA and ML-KEM public keys.
const SIZES: [(CK_MECHANISM_TYPE, CK_ULONG, CK_ULONG); 10] = [
    (CKM_RSA_PKCS_KEY_PAIR_GEN, 2048, 4096),
    (CKM_EC_KEY_PAIR_GEN, 256, 521),
    (CKM_EC_EDWARDS_KEY_PAIR_GEN, 255, 255),
    (CKM_EDDSA, 255, 255),
    (CKM_ML_DSA_KEY_PAIR_GEN, 1312, 2592),
    (CKM_ML_DSA, 1312, 2592),
    (CKM_HASH_ML_DSA_SHA512, 1312, 2592),
    (CKM_ML_KEM_KEY_PAIR_GEN, 800, 1568),
    (CKM_GENERIC_SECRET_KEY_GEN, 224, 512),
    (CKM_SHA512_KEY_GEN, 64, 64),
];
const WRAP_UNWRAP: CK_FLAGS = CKF_WRAP | CKF_UNWRAP;
const ENCRYPT_DECRYPT_WRAP_UNWRAP: CK_FLAGS = ENCRYPT_DECRYPT | WRAP_UNWRAP;
/// What CKM_KMS_SYMMETRIC does, and its number.
const KMS_SYMMETRIC: CK_FLAGS = CKF_GENERATE | ENCRYPT_DECRYPT_WRAP_UNWRAP;
const KMS_SYMMETRIC_MECHANISM: CK_MECHANISM_TYPE = 0xcb4d_0001;
const ENCAPSULATE_DECAPSULATE: CK_FLAGS = CKF_ENCAPSULATE | CKF_DECAPSULATE;
