//! What is done to keys that there are.

use cryptoki_sys::*;

use super::{Answer, Operation, SILENT, Site, Subject, USUAL, insist, of_class};
use crate::common_p11::Rv;
use crate::common_p11::attribute::{bytes, flag, id, label, ulong};
use crate::common_p11::kms::{CKA_KMS_AUTOMATIC_ROTATIONS, CKA_KMS_ROTATION_ENABLED};
use crate::expectations::Function;
use crate::fleet::certificate;

const CHANGE: Operation = Operation {
    prepare: |site, name| {
        site.make_key("ECC_NIST_P256", "SIGN_VERIFY", name);
        Subject {
            object: private_key(site, name),
            ..Subject::labelled(name)
        }
    },
    // Of ten that KMS admits a second.
    in_a_row: 12,
    ..USUAL
};

const DESTROY: Operation = Operation {
    function: Function::Destroy,
    call: |site, subject| {
        site.session.destroy(subject.object)?;
        let found = site.session.find(&[label(&subject.label)]);
        assert_eq!(found.unwrap_or_default().len(), 0);
        Ok(true)
    },
    // Of five DisableKey.
    in_a_row: 6,
    ..CHANGE
};

pub(crate) const ALL: &[Operation] = &[
    Operation {
        name: "C_SetAttributeValue, label",
        struck: "TagResource",
        function: Function::SetAttribute,
        answer: SILENT,
        call: |site, subject| {
            let new = label(format!("{}, renamed", subject.label));
            site.session
                .set(subject.object, std::slice::from_ref(&new))?;
            assert_eq!(site.session.get(subject.object, CKA_LABEL), Ok(new.value));
            Ok(true)
        },
        ..CHANGE
    },
    Operation {
        name: "C_DestroyObject, deletion",
        struck: "ScheduleKeyDeletion",
        ..DESTROY
    },
    Operation {
        name: "C_DestroyObject, disabling",
        struck: "DisableKey",
        settings: "on_destroy = \"disable\"",
        answer: SILENT,
        ..DESTROY
    },
    Operation {
        name: "C_CreateObject, certificate",
        struck: "TagResource",
        function: Function::Create,
        call: |site, subject| Ok(site.session.create(&subject.template)? != 0),
        ..CERTIFY
    },
    Operation {
        name: "C_DestroyObject, certificate",
        struck: "UntagResource",
        function: Function::Destroy,
        prepare: |site, name| {
            let subject = (CERTIFY.prepare)(site, name);
            Subject {
                object: insist(|| site.session.create(&subject.template)),
                ..subject
            }
        },
        call: |site, subject| {
            site.session.destroy(subject.object)?;
            assert_eq!(certificates(site), Ok(Vec::new()));
            Ok(true)
        },
        ..CERTIFY
    },
    Operation {
        name: "C_GetAttributeValue, rotation",
        struck: "GetKeyRotationStatus",
        // An answer without members says no.
        answer: SILENT,
        call: |site, subject| {
            let enabled = site.session.get(subject.object, CKA_KMS_ROTATION_ENABLED)?;
            assert_eq!(enabled, [CK_FALSE]);
            Ok(true)
        },
        ..ROTATION
    },
    Operation {
        name: "C_GetAttributeValue, rotations so far",
        struck: "ListKeyRotations",
        answer: Answer {
            output: Some("Rotations"),
            ..SILENT
        },
        call: |site, subject| {
            let counted = site
                .session
                .get(subject.object, CKA_KMS_AUTOMATIC_ROTATIONS)?;
            assert_eq!(counted, CK_ULONG::to_ne_bytes(0));
            Ok(true)
        },
        ..ROTATION
    },
];

const CERTIFY: Operation = Operation {
    key: Some(("ECC_NIST_P256", "SIGN_VERIFY")),
    answer: SILENT,
    prepare: |site, name| {
        let public = site.key(CKO_PUBLIC_KEY);
        for stored in certificates(site).unwrap() {
            insist(|| site.session.destroy(stored));
        }
        let spki = site.session.get(public, CKA_PUBLIC_KEY_INFO).unwrap();
        let certificate = certificate(&spki);
        Subject {
            template: vec![
                of_class(CKO_CERTIFICATE),
                ulong(CKA_CERTIFICATE_TYPE, CKC_X_509),
                flag(CKA_TOKEN, true),
                id(name),
                bytes(CKA_SUBJECT, &certificate.subject),
                bytes(CKA_VALUE, &certificate.der),
            ],
            ..Subject::labelled(name)
        }
    },
    // Of five UntagResource.
    in_a_row: 6,
    ..USUAL
};

const ROTATION: Operation = Operation {
    function: Function::Find,
    prepare: |site, name| {
        site.make_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", name);
        Subject {
            object: site
                .session
                .find_one(&[of_class(CKO_SECRET_KEY), label(name)]),
            ..Subject::labelled(name)
        }
    },
    ..USUAL
};

fn certificates(site: Site<'_>) -> Rv<Vec<CK_OBJECT_HANDLE>> {
    site.session.find(&[of_class(CKO_CERTIFICATE)])
}

fn private_key(site: Site<'_>, name: &str) -> CK_OBJECT_HANDLE {
    site.session
        .find_one(&[of_class(CKO_PRIVATE_KEY), label(name)])
}
