//! What is encrypted, decrypted, wrapped and unwrapped in KMS.

use cryptoki_sys::*;

use super::{Operation, Subject, USUAL, computed};
use crate::common_p11::Mechanism;
use crate::common_p11::kms::{aes_template, reencrypt, secret_key, symmetric};
use crate::expectations::Function;

const DATA: &[u8; 32] = b"thirty-two bytes of data or key.";

const SYMMETRIC: Operation = Operation {
    key: Some(("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")),
    prepare: |site, label| {
        let key = site.key(CKO_SECRET_KEY);
        Subject {
            object: key,
            data: site
                .session
                .encrypt_kms(symmetric(0, None), key, DATA)
                .unwrap(),
            ..Subject::labelled(label)
        }
    },
    ..USUAL
};

const RSA: Operation = Operation {
    key: Some(("RSA_2048", "ENCRYPT_DECRYPT")),
    struck: "Decrypt",
    answer: computed("EncryptionAlgorithm", "Plaintext"),
    prepare: |site, label| {
        let public = site.key(CKO_PUBLIC_KEY);
        let oaep = Mechanism::oaep_sha256();
        Subject {
            object: site.key(CKO_PRIVATE_KEY),
            data: site.session.encrypt(oaep, public, DATA).unwrap(),
            ..Subject::labelled(label)
        }
    },
    ..USUAL
};

const ENCRYPTED: super::Answer = computed("EncryptionAlgorithm", "CiphertextBlob");

pub(crate) const ALL: &[Operation] = &[
    Operation {
        name: "C_Decrypt, RSA-OAEP",
        may_be_empty: true,
        function: Function::Decrypt,
        call: |site, subject| {
            let oaep = Mechanism::oaep_sha256();
            let plaintext = site
                .session
                .decrypt_kms(oaep, subject.object, &subject.data)?;
            assert_eq!(plaintext, DATA);
            Ok(true)
        },
        ..RSA
    },
    Operation {
        name: "C_UnwrapKey, RSA-OAEP",
        // A key of no bytes is refused for its length.
        may_be_empty: true,
        function: Function::Unwrap,
        call: |site, subject| {
            let oaep = Mechanism::oaep_sha256();
            let key = site
                .session
                .unwrap(oaep, subject.object, &subject.data, &aes_template())?;
            assert_eq!(site.session.get(key, CKA_VALUE), Ok(DATA.to_vec()));
            site.session.destroy(key).map(|()| true)
        },
        ..RSA
    },
    Operation {
        name: "C_Encrypt, symmetric",
        struck: "Encrypt",
        function: Function::Encrypt,
        answer: ENCRYPTED,
        call: |site, subject| {
            let blob = site
                .session
                .encrypt_kms(symmetric(0, None), subject.object, DATA)?;
            Ok(!blob.is_empty())
        },
        ..SYMMETRIC
    },
    Operation {
        name: "C_Decrypt, symmetric",
        may_be_empty: true,
        struck: "Decrypt",
        function: Function::Decrypt,
        answer: computed("EncryptionAlgorithm", "Plaintext"),
        call: |site, subject| {
            let mechanism = symmetric(0, None);
            let plaintext = site
                .session
                .decrypt_kms(mechanism, subject.object, &subject.data)?;
            assert_eq!(plaintext, DATA);
            Ok(true)
        },
        ..SYMMETRIC
    },
    Operation {
        name: "C_WrapKey, symmetric",
        struck: "Encrypt",
        function: Function::Wrap,
        answer: ENCRYPTED,
        prepare: |site, label| Subject {
            object: site.key(CKO_SECRET_KEY),
            other: secret_key(site.session, DATA),
            ..Subject::labelled(label)
        },
        call: |site, subject| {
            let (kek, key) = (subject.object, subject.other);
            let blob = site.session.wrap(symmetric(0, None), kek, key)?;
            Ok(!blob.is_empty())
        },
        ..SYMMETRIC
    },
    Operation {
        name: "C_UnwrapKey, symmetric",
        // A key of no bytes is refused for its length.
        may_be_empty: true,
        struck: "Decrypt",
        function: Function::Unwrap,
        answer: computed("EncryptionAlgorithm", "Plaintext"),
        call: |site, subject| {
            let (kek, blob) = (subject.object, &subject.data);
            let mechanism = symmetric(0, None);
            let key = site.session.unwrap(mechanism, kek, blob, &aes_template())?;
            assert_eq!(site.session.get(key, CKA_VALUE), Ok(DATA.to_vec()));
            site.session.destroy(key).map(|()| true)
        },
        ..SYMMETRIC
    },
    Operation {
        name: "C_GenerateKey, data key",
        struck: "GenerateDataKey",
        function: Function::Wrap,
        answer: super::Answer {
            key: Some("KeyId"),
            algorithm: None,
            output: Some("Plaintext"),
        },
        call: |site, subject| {
            let mut template = aes_template();
            template.push(crate::common_p11::attribute::ulong(CKA_VALUE_LEN, 32));
            let mechanism = symmetric(subject.object, None);
            let key = site.session.generate_key(mechanism, &template)?;
            site.session.destroy(key).map(|()| true)
        },
        ..SYMMETRIC
    },
    Operation {
        name: "C_Encrypt, to another key",
        struck: "ReEncrypt",
        function: Function::Encrypt,
        answer: computed("DestinationEncryptionAlgorithm", "CiphertextBlob"),
        call: |site, subject| {
            let mechanism = reencrypt(0, None, None);
            let blob = site
                .session
                .encrypt_kms(mechanism, subject.object, &subject.data)?;
            Ok(!blob.is_empty())
        },
        ..SYMMETRIC
    },
];
