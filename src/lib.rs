//! A PKCS#11 module whose keys live in AWS KMS.

#[expect(dead_code, unused_imports, reason = "the token is not here yet")]
mod kms;
