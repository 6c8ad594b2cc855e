//! A PKCS#11 module whose keys live in AWS KMS.

mod kms;
