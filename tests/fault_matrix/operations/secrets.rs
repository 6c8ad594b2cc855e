//! Secrets that are agreed on or decapsulated in KMS, and random bytes.

use std::ptr;

use cryptoki_sys::*;

use super::{Operation, Site, Subject, USUAL, computed};
use crate::common_p11::attribute::{Attr, template};
use crate::common_p11::{Mechanism, Rv, call, ok};
use crate::expectations::Function;

pub(crate) const ALL: &[Operation] = &[
    Operation {
        name: "C_DeriveKey, ECDH",
        struck: "DeriveSharedSecret",
        function: Function::Derive,
        key: Some(("ECC_NIST_P256", "KEY_AGREEMENT")),
        answer: computed("KeyAgreementAlgorithm", "SharedSecret"),
        // With itself: any point of the curve will do.
        prepare: |site, label| Subject {
            object: site.key(CKO_PRIVATE_KEY),
            data: site
                .session
                .get(site.key(CKO_PUBLIC_KEY), CKA_EC_POINT)
                .unwrap(),
            ..Subject::labelled(label)
        },
        call: |site, subject| {
            let fields = [
                CKD_NULL,
                0,
                0,
                subject.data.len() as CK_ULONG,
                subject.data.as_ptr() as CK_ULONG,
            ];
            let parameter = fields.iter().flat_map(|field| field.to_ne_bytes());
            let mechanism = Mechanism(CKM_ECDH1_DERIVE, parameter.collect());
            let key = derive(site, &mechanism, subject.object, &[])?;
            site.session.destroy(key).map(|()| true)
        },
        ..USUAL
    },
    Operation {
        name: "C_DecapsulateKey, ML-KEM",
        struck: "Decapsulate",
        function: Function::Unwrap,
        key: Some(("ML_KEM_512", "ENCAPSULATE_DECAPSULATE")),
        answer: computed("EncapsulationAlgorithm", "SharedSecret"),
        prepare: |site, label| Subject {
            object: site.key(CKO_PRIVATE_KEY),
            data: encapsulate(site, site.key(CKO_PUBLIC_KEY)),
            ..Subject::labelled(label)
        },
        call: |site, subject| {
            let key = decapsulate(site, subject.object, &subject.data)?;
            site.session.destroy(key).map(|()| true)
        },
        ..USUAL
    },
    Operation {
        name: "C_GenerateRandom",
        struck: "GenerateRandom",
        function: Function::Random,
        answer: super::Answer {
            key: None,
            algorithm: None,
            output: Some("Plaintext"),
        },
        call: |site, _| {
            let mut bytes = [0; 2048];
            ok(call!(
                site.session.module,
                C_GenerateRandom,
                site.session.handle,
                bytes.as_mut_ptr(),
                2048
            ))?;
            Ok(bytes.iter().any(|byte| *byte != 0))
        },
        ..USUAL
    },
];

fn derive(
    site: Site<'_>,
    mechanism: &Mechanism,
    base: CK_OBJECT_HANDLE,
    attributes: &[Attr],
) -> Rv<CK_OBJECT_HANDLE> {
    let mut template = template(attributes);
    let mut key = 0;
    ok(call!(
        site.session.module,
        C_DeriveKey,
        site.session.handle,
        ptr::from_mut(&mut mechanism.raw()),
        base,
        template.as_mut_ptr(),
        template.len() as CK_ULONG,
        &raw mut key
    ))?;
    Ok(key)
}

/// A ciphertext for the key.
fn encapsulate(site: Site<'_>, public: CK_OBJECT_HANDLE) -> Vec<u8> {
    let mut ciphertext = vec![0; 2048];
    let (mut len, mut key) = (ciphertext.len() as CK_ULONG, 0);
    let mechanism = Mechanism::from(CKM_ML_KEM);
    ok(call!(
        site.session.module,
        C_EncapsulateKey,
        site.session.handle,
        ptr::from_mut(&mut mechanism.raw()),
        public,
        ptr::null_mut(),
        0,
        ciphertext.as_mut_ptr(),
        &raw mut len,
        &raw mut key
    ))
    .unwrap();
    site.session.destroy(key).unwrap();
    ciphertext.truncate(usize::try_from(len).unwrap());
    ciphertext
}

fn decapsulate(
    site: Site<'_>,
    private: CK_OBJECT_HANDLE,
    ciphertext: &[u8],
) -> Rv<CK_OBJECT_HANDLE> {
    let mut key = 0;
    let mechanism = Mechanism::from(CKM_ML_KEM);
    ok(call!(
        site.session.module,
        C_DecapsulateKey,
        site.session.handle,
        ptr::from_mut(&mut mechanism.raw()),
        private,
        ptr::null_mut(),
        0,
        ciphertext.as_ptr().cast_mut(),
        ciphertext.len() as CK_ULONG,
        &raw mut key
    ))?;
    Ok(key)
}
