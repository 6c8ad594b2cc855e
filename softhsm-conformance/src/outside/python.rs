//! ML-DSA signatures verified by Python's `cryptography`: the OpenSSL of most systems does not know them.

use kms_pkcs11_testkit::{hex, python};

use super::Signed;
use crate::arguments::Parameter;

const VERIFY: &str = "\
import sys
from cryptography.hazmat.primitives.serialization import load_der_public_key
spki, data, signature, context = map(bytes.fromhex, sys.argv[1:])
load_der_public_key(spki).verify(signature, data, context)
";

/// Verifies a signature under a `SubjectPublicKeyInfo`; says what Python said when it does not verify.
pub(super) fn verify(spki: &[u8], signed: &Signed, signature: &[u8]) -> Result<(), String> {
    let context = match signed.mechanism.parameter {
        Parameter::SignContext { context, .. } => context,
        _ => &[],
    };
    let finished = python(VERIFY, [spki, &signed.data, signature, context].map(hex));
    if finished.success() {
        Ok(())
    } else {
        Err(finished.stderr())
    }
}
