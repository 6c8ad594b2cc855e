//! A PKCS#11 module whose keys live in AWS KMS.

#[cfg_attr(not(test), expect(dead_code))]
mod crypto;
mod kms;
