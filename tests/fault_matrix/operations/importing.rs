//! Keys that an application brings along.

use cryptoki_sys::*;

use super::making::{ADOPTS, CREATED, DESCRIBED, MAKE};
use super::{Answer, Operation, SILENT, USUAL, of_class};
use crate::common_p11::attribute::{bytes, flag, label, ulong};

const IMPORT: Operation = Operation {
    call: |site, subject| {
        let template = [
            of_class(CKO_SECRET_KEY),
            ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
            flag(CKA_TOKEN, true),
            label(&subject.label),
            bytes(CKA_VALUE, [7; 32]),
        ];
        let key = site.session.create(&template)?;
        Ok(key != 0)
    },
    deadlines: 3,
    ..MAKE
};

pub(crate) const ALL: &[Operation] = &[
    Operation {
        name: "C_CreateObject, import",
        struck: "CreateKey",
        answer: CREATED,
        exceptions: ADOPTS,
        ..IMPORT
    },
    Operation {
        name: "C_CreateObject, import, wrapping key",
        struck: "GetParametersForImport",
        answer: Answer {
            output: Some("PublicKey"),
            ..USUAL.answer
        },
        ..IMPORT
    },
    Operation {
        name: "C_CreateObject, import, material",
        struck: "ImportKeyMaterial",
        answer: SILENT,
        ..IMPORT
    },
    Operation {
        name: "C_CreateObject, import, its state",
        struck: "DescribeKey",
        answer: DESCRIBED,
        ..IMPORT
    },
];
