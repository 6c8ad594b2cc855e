//! Signatures and MACs.

use cryptoki_sys::*;

use super::{Operation, Site, Subject, USUAL, computed};
use crate::common_p11::Rv;
use crate::expectations::Function;

const MESSAGE: &[u8] = b"a message";

const SIGN: Operation = Operation {
    struck: "Sign",
    answer: computed("SigningAlgorithm", "Signature"),
    is_verified: true,
    prepare: |site, label| Subject {
        object: site.key(CKO_PRIVATE_KEY),
        other: site.key(CKO_PUBLIC_KEY),
        ..Subject::labelled(label)
    },
    ..USUAL
};

const MAC: Operation = Operation {
    key: Some(("HMAC_256", "GENERATE_VERIFY_MAC")),
    prepare: |site, label| {
        let key = site.key(CKO_SECRET_KEY);
        Subject {
            object: key,
            other: key,
            data: site.session.sign(CKM_SHA256_HMAC, key, MESSAGE).unwrap(),
            ..Subject::labelled(label)
        }
    },
    ..USUAL
};

pub(crate) const ALL: &[Operation] = &[
    Operation {
        name: "C_Sign, ECDSA",
        key: Some(("ECC_NIST_P256", "SIGN_VERIFY")),
        call: |site, subject| sign(site, subject, CKM_ECDSA_SHA256),
        ..SIGN
    },
    Operation {
        name: "C_Sign, RSA",
        key: Some(("RSA_2048", "SIGN_VERIFY")),
        call: |site, subject| sign(site, subject, CKM_SHA256_RSA_PKCS),
        ..SIGN
    },
    Operation {
        name: "C_Sign, Ed25519",
        key: Some(("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")),
        call: |site, subject| sign(site, subject, CKM_EDDSA),
        ..SIGN
    },
    Operation {
        name: "C_Sign, ML-DSA",
        key: Some(("ML_DSA_44", "SIGN_VERIFY")),
        call: |site, subject| sign(site, subject, CKM_ML_DSA),
        ..SIGN
    },
    Operation {
        name: "C_Sign, HMAC",
        struck: "GenerateMac",
        answer: computed("MacAlgorithm", "Mac"),
        call: |site, subject| {
            let mac = site
                .session
                .sign(CKM_SHA256_HMAC, subject.object, MESSAGE)?;
            assert_eq!(mac, subject.data);
            Ok(true)
        },
        ..MAC
    },
    Operation {
        name: "C_Verify, HMAC",
        struck: "VerifyMac",
        function: Function::Verify,
        answer: super::Answer {
            output: None,
            ..computed("MacAlgorithm", "MacValid")
        },
        call: |site, subject| {
            let (key, mac) = (subject.object, &subject.data);
            let verified = site.session.verify(CKM_SHA256_HMAC, key, MESSAGE, mac);
            verified.map(|()| true)
        },
        ..MAC
    },
];

fn sign(site: Site<'_>, subject: &Subject, mechanism: CK_MECHANISM_TYPE) -> Rv<bool> {
    let signature = site.session.sign(mechanism, subject.object, MESSAGE)?;
    let verified = site
        .session
        .verify(mechanism, subject.other, MESSAGE, &signature);
    assert_eq!(verified, Ok(()), "a signature that is none was handed out");
    Ok(true)
}
