//! The contracts.

/// A rule of KMS's behaviour: a request, and what it is answered.
///
/// The contracts are tried in this order on one set of keys, so that later ones see earlier changes.
pub(crate) struct Contract {
    pub(crate) rule: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) request: &'static str,
    pub(crate) expected: Expected,
    pub(crate) difference: Option<Difference>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// With this code.
    Refused(&'static str),
    /// With these values, as JSON, at these JSON pointers.
    Answered(&'static [(&'static str, &'static str)]),
}

/// What MiniStack is known to answer instead, and why that is not what the emulator does.
pub(crate) struct Difference {
    pub(crate) ministack: Expected,
    pub(crate) reason: &'static str,
}

use Expected::{Answered, Refused};

impl Contract {
    const fn but_ministack(self, ministack: Expected, reason: &'static str) -> Self {
        Self {
            difference: Some(Difference { ministack, reason }),
            ..self
        }
    }
}

const fn contract(
    rule: &'static str,
    operation: &'static str,
    request: &'static str,
    expected: Expected,
) -> Contract {
    Contract {
        rule,
        operation,
        request,
        expected,
        difference: None,
    }
}

#[rustfmt::skip]
pub(crate) const CONTRACTS: &[Contract] = &[
    contract("a key is described by its id",
        "DescribeKey", r#"{"KeyId":"{signer}"}"#,
        Answered(&[("/KeyMetadata/Arn", r#""{signer.arn}""#), ("/KeyMetadata/KeyState", r#""Enabled""#)])),
    contract("a key is described by its ARN",
        "DescribeKey", r#"{"KeyId":"{signer.arn}"}"#,
        Answered(&[("/KeyMetadata/KeyId", r#""{signer}""#)])),
    contract("a key is described by its alias",
        "DescribeKey", r#"{"KeyId":"alias/signer"}"#,
        Answered(&[("/KeyMetadata/KeyId", r#""{signer}""#)])),
    contract("a description names spec, usage and algorithms",
        "DescribeKey", r#"{"KeyId":"{cipher}"}"#,
        Answered(&[("/KeyMetadata/KeySpec", r#""RSA_2048""#), ("/KeyMetadata/KeyUsage", r#""ENCRYPT_DECRYPT""#), ("/KeyMetadata/EncryptionAlgorithms", r#"["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]"#)])),
    contract("a symmetric key is created without a usage",
        "CreateKey", "{}",
        Answered(&[("/KeyMetadata/KeySpec", r#""SYMMETRIC_DEFAULT""#), ("/KeyMetadata/KeyUsage", r#""ENCRYPT_DECRYPT""#)])),
    contract("an unknown key is not found",
        "DescribeKey", r#"{"KeyId":"134f2428-cec1-4b25-a1ae-9048164dba47"}"#,
        Refused("NotFoundException")),
    contract("a malformed id is not found",
        "DescribeKey", r#"{"KeyId":"nonsense"}"#,
        Refused("NotFoundException")),
    contract("an unknown alias is not found",
        "DescribeKey", r#"{"KeyId":"alias/none"}"#,
        Refused("NotFoundException")),
    contract("a request without key is invalid",
        "DescribeKey", "{}",
        Refused("ValidationException"))
    .but_ministack(Refused("NotFoundException"),
        "It reads a missing key as one that does not exist; KMS misses the member first, as its model demands it."),
    contract("an unknown key spec is invalid",
        "CreateKey", r#"{"KeySpec":"RSA_1024","KeyUsage":"SIGN_VERIFY"}"#,
        Refused("ValidationException"))
    .but_ministack(Refused("UnsupportedOperationException"),
        "It has no list of key specs to check against; KMS's words are recorded."),
    contract("an unknown usage is invalid",
        "CreateKey", r#"{"KeySpec":"RSA_2048","KeyUsage":"SIGN"}"#,
        Refused("ValidationException"))
    .but_ministack(Answered(&[("/KeyMetadata/KeyUsage", r#""SIGN""#)]),
        "It takes any usage; KMS's words are recorded."),
    contract("an asymmetric key needs a usage",
        "CreateKey", r#"{"KeySpec":"ECC_NIST_P256"}"#,
        Refused("ValidationException"))
    .but_ministack(Answered(&[("/KeyMetadata/KeyUsage", r#""ENCRYPT_DECRYPT""#)]),
        "It takes the default of symmetric keys; KMS's words are recorded."),
    contract("an RSA key cannot agree",
        "CreateKey", r#"{"KeySpec":"RSA_2048","KeyUsage":"KEY_AGREEMENT"}"#,
        Refused("ValidationException"))
    .but_ministack(Answered(&[("/KeyMetadata/KeyUsage", r#""KEY_AGREEMENT""#)]),
        "It does not compare usage and spec; KMS's words are recorded."),
    contract("an HMAC key cannot sign",
        "CreateKey", r#"{"KeySpec":"HMAC_256","KeyUsage":"SIGN_VERIFY"}"#,
        Refused("ValidationException")),
    contract("the public key comes with its spec and algorithms",
        "GetPublicKey", r#"{"KeyId":"{signer}"}"#,
        Answered(&[("/KeyId", r#""{signer.arn}""#), ("/KeySpec", r#""ECC_NIST_P256""#), ("/SigningAlgorithms", r#"["ECDSA_SHA_256"]"#)])),
    contract("a symmetric key has no public half",
        "GetPublicKey", r#"{"KeyId":"{symmetric}"}"#,
        Refused("UnsupportedOperationException")),
    contract("an HMAC key has no public half",
        "GetPublicKey", r#"{"KeyId":"{hmac}"}"#,
        Refused("UnsupportedOperationException"))
    .but_ministack(Refused("InvalidKeyUsageException"),
        "It looks at the usage first; KMS's reference has UnsupportedOperationException for keys that are not asymmetric."),
    contract("a disabled key gives no public key",
        "GetPublicKey", r#"{"KeyId":"{disabled}"}"#,
        Refused("DisabledException"))
    .but_ministack(Answered(&[("/KeyId", r#""{disabled.arn}""#)]),
        "It does not check the key's state here; KMS's table of key states does not allow it."),
    contract("a key pending deletion gives no public key",
        "GetPublicKey", r#"{"KeyId":"{dying}"}"#,
        Refused("KMSInvalidStateException"))
    .but_ministack(Answered(&[("/KeyId", r#""{dying.arn}""#)]),
        "It does not check the key's state here; KMS's table of key states does not allow it."),
    contract("a signature names key and algorithm",
        "Sign", r#"{"KeyId":"alias/signer","Message":"{bytes:20}","SigningAlgorithm":"ECDSA_SHA_256"}"#,
        Answered(&[("/KeyId", r#""{signer.arn}""#), ("/SigningAlgorithm", r#""ECDSA_SHA_256""#)])),
    contract("a digest of the right length is signed",
        "Sign", r#"{"KeyId":"{signer}","Message":"{bytes:32}","MessageType":"DIGEST","SigningAlgorithm":"ECDSA_SHA_256"}"#,
        Answered(&[])),
    contract("a digest of another length is invalid",
        "Sign", r#"{"KeyId":"{signer}","Message":"{bytes:31}","MessageType":"DIGEST","SigningAlgorithm":"ECDSA_SHA_256"}"#,
        Refused("ValidationException")),
    contract("an RSA digest of another length is invalid",
        "Sign", r#"{"KeyId":"{rsa}","Message":"{bytes:20}","MessageType":"DIGEST","SigningAlgorithm":"RSASSA_PKCS1_V1_5_SHA_256"}"#,
        Refused("ValidationException")),
    contract("a message of 4096 bytes is signed",
        "Sign", r#"{"KeyId":"{signer}","Message":"{bytes:4096}","SigningAlgorithm":"ECDSA_SHA_256"}"#,
        Answered(&[])),
    contract("a message of 4097 bytes is invalid",
        "Sign", r#"{"KeyId":"{signer}","Message":"{bytes:4097}","SigningAlgorithm":"ECDSA_SHA_256"}"#,
        Refused("ValidationException"))
    .but_ministack(Answered(&[("/KeyId", r#""{signer.arn}""#)]),
        "It signs messages of any length; KMS's model limits them to 4096 bytes."),
    contract("an empty message is invalid",
        "Sign", r#"{"KeyId":"{signer}","Message":"{bytes:0}","SigningAlgorithm":"ECDSA_SHA_256"}"#,
        Refused("ValidationException"))
    .but_ministack(Answered(&[("/KeyId", r#""{signer.arn}""#)]),
        "It signs messages of any length; KMS's model demands one byte."),
    contract("another curve's algorithm cannot be used",
        "Sign", r#"{"KeyId":"{signer}","Message":"{bytes:20}","SigningAlgorithm":"ECDSA_SHA_384"}"#,
        Refused("InvalidKeyUsageException")),
    contract("an unknown algorithm is invalid",
        "Sign", r#"{"KeyId":"{signer}","Message":"{bytes:20}","SigningAlgorithm":"ECDSA_SHA_1"}"#,
        Refused("ValidationException")),
    contract("an encryption key does not sign",
        "Sign", r#"{"KeyId":"{cipher}","Message":"{bytes:20}","SigningAlgorithm":"RSASSA_PSS_SHA_256"}"#,
        Refused("InvalidKeyUsageException")),
    contract("a disabled key does not sign",
        "Sign", r#"{"KeyId":"{disabled}","Message":"{bytes:20}","SigningAlgorithm":"ECDSA_SHA_256"}"#,
        Refused("DisabledException")),
    contract("a key pending deletion does not sign",
        "Sign", r#"{"KeyId":"{dying}","Message":"{bytes:20}","SigningAlgorithm":"ECDSA_SHA_256"}"#,
        Refused("KMSInvalidStateException")),
    contract("a good signature verifies",
        "Verify", r#"{"KeyId":"{signer}","Message":"bQ==","Signature":"{signature}","SigningAlgorithm":"ECDSA_SHA_256"}"#,
        Answered(&[("/SignatureValid", "true")])),
    contract("another message's signature is refused",
        "Verify", r#"{"KeyId":"{signer}","Message":"{bytes:20}","Signature":"{signature}","SigningAlgorithm":"ECDSA_SHA_256"}"#,
        Refused("KMSInvalidSignatureException")),
    contract("OAEP holds 190 bytes with SHA-256 and 2048 bits",
        "Encrypt", r#"{"KeyId":"{cipher}","Plaintext":"{bytes:190}","EncryptionAlgorithm":"RSAES_OAEP_SHA_256"}"#,
        Answered(&[("/KeyId", r#""{cipher.arn}""#)])),
    contract("OAEP holds no more than 190 bytes with SHA-256 and 2048 bits",
        "Encrypt", r#"{"KeyId":"{cipher}","Plaintext":"{bytes:191}","EncryptionAlgorithm":"RSAES_OAEP_SHA_256"}"#,
        Refused("ValidationException"))
    .but_ministack(Refused("InternalError"),
        "Its cryptography library fails unforeseen; KMS's words are recorded."),
    contract("a signing key does not encrypt",
        "Encrypt", r#"{"KeyId":"{rsa}","Plaintext":"{bytes:20}","EncryptionAlgorithm":"RSAES_OAEP_SHA_256"}"#,
        Refused("InvalidKeyUsageException"))
    .but_ministack(Refused("UnsupportedOperationException"),
        "It refuses in words of its own; KMS's are recorded."),
    contract("an RSA ciphertext of the wrong length is invalid",
        "Decrypt", r#"{"KeyId":"{cipher}","CiphertextBlob":"{bytes:20}","EncryptionAlgorithm":"RSAES_OAEP_SHA_256"}"#,
        Refused("InvalidCiphertextException")),
    contract("an RSA ciphertext needs its algorithm",
        "Decrypt", r#"{"KeyId":"{cipher}","CiphertextBlob":"{bytes:190}"}"#,
        Refused("InvalidCiphertextException")),
    contract("nonsense is no symmetric ciphertext",
        "Decrypt", r#"{"CiphertextBlob":"{bytes:20}"}"#,
        Refused("InvalidCiphertextException")),
    contract("1025 random bytes are too many",
        "GenerateRandom", r#"{"NumberOfBytes":1025}"#,
        Refused("ValidationException")),
    contract("the number of random bytes is required",
        "GenerateRandom", "{}",
        Refused("ValidationException")),
    contract("keys are listed in pages",
        "ListKeys", r#"{"Limit":2}"#,
        Answered(&[("/Truncated", "true")])),
    contract("a page of keys holds 1000 at most",
        "ListKeys", r#"{"Limit":1001}"#,
        Refused("ValidationException"))
    .but_ministack(Answered(&[("/Truncated", "false")]),
        "It takes any limit; KMS's model has 1000."),
    contract("a nonsense marker is refused",
        "ListKeys", r#"{"Marker":"%"}"#,
        Refused("InvalidMarkerException"))
    .but_ministack(Answered(&[("/Truncated", "false")]),
        "It has no markers, and so no second page."),
    contract("aliases of one key are listed",
        "ListAliases", r#"{"KeyId":"{signer}"}"#,
        Answered(&[("/Aliases/0/AliasName", r#""alias/signer""#), ("/Aliases/0/TargetKeyId", r#""{signer}""#), ("/Aliases/1", "null")])),
    contract("aliases of an unknown key are not listed",
        "ListAliases", r#"{"KeyId":"134f2428-cec1-4b25-a1ae-9048164dba47"}"#,
        Refused("NotFoundException"))
    .but_ministack(Answered(&[("/Aliases", "[]")]),
        "It does not look for the key; KMS's reference has NotFoundException for it."),
    contract("an alias exists once",
        "CreateAlias", r#"{"AliasName":"alias/signer","TargetKeyId":"{rsa}"}"#,
        Refused("AlreadyExistsException")),
    contract("an alias begins with alias/",
        "CreateAlias", r#"{"AliasName":"signer","TargetKeyId":"{rsa}"}"#,
        Refused("ValidationException")),
    contract("an alias has no spaces",
        "CreateAlias", r#"{"AliasName":"alias/a b","TargetKeyId":"{rsa}"}"#,
        Refused("ValidationException"))
    .but_ministack(Answered(&[]),
        "It takes any name; KMS's model has a pattern."),
    contract("an unknown alias cannot be moved",
        "UpdateAlias", r#"{"AliasName":"alias/none","TargetKeyId":"{rsa}"}"#,
        Refused("NotFoundException")),
    contract("an unknown alias cannot be deleted",
        "DeleteAlias", r#"{"AliasName":"alias/none"}"#,
        Refused("NotFoundException")),
    contract("an alias does not name a key that is to be changed",
        "DisableKey", r#"{"KeyId":"alias/signer"}"#,
        Refused("NotFoundException"))
    .but_ministack(Answered(&[]),
        "It takes an alias everywhere; KMS's reference takes a key's id or ARN here."),
    contract("tags are added",
        "TagResource", r#"{"KeyId":"{signer}","Tags":[{"TagKey":"p11:label","TagValue":"signer"}]}"#,
        Answered(&[])),
    contract("tags are listed",
        "ListResourceTags", r#"{"KeyId":"{signer}"}"#,
        Answered(&[("/Tags", r#"[{"TagKey":"p11:label","TagValue":"signer"}]"#), ("/Truncated", "false")])),
    contract("tag keys are unique",
        "TagResource", r#"{"KeyId":"{signer}","Tags":[{"TagKey":"a","TagValue":"1"},{"TagKey":"a","TagValue":"2"}]}"#,
        Refused("TagException"))
    .but_ministack(Answered(&[]),
        "It does not check tags; the rule is recorded from KMS."),
    contract("tag keys do not begin with aws:",
        "TagResource", r#"{"KeyId":"{signer}","Tags":[{"TagKey":"aws:a","TagValue":"1"}]}"#,
        Refused("TagException"))
    .but_ministack(Answered(&[]),
        "It does not check tags; the rule is recorded from KMS."),
    contract("a key has 50 tags at most",
        "CreateKey", r#"{"Tags":"{tags:51}"}"#,
        Refused("TagException"))
    .but_ministack(Answered(&[("/KeyMetadata/KeyState", r#""Enabled""#)]),
        "It does not check tags; the rule is recorded from KMS."),
    contract("a key pending deletion is not tagged",
        "TagResource", r#"{"KeyId":"{dying}","Tags":[{"TagKey":"a","TagValue":"1"}]}"#,
        Refused("KMSInvalidStateException"))
    .but_ministack(Answered(&[]),
        "It does not check the key's state here; KMS's table of key states does not allow it."),
    contract("tags are removed",
        "UntagResource", r#"{"KeyId":"{signer}","TagKeys":["p11:label"]}"#,
        Answered(&[])),
    contract("a deletion window has 7 days at least",
        "ScheduleKeyDeletion", r#"{"KeyId":"{rsa}","PendingWindowInDays":6}"#,
        Refused("ValidationException")),
    contract("a deletion window has 30 days at most",
        "ScheduleKeyDeletion", r#"{"KeyId":"{rsa}","PendingWindowInDays":31}"#,
        Refused("ValidationException")),
    contract("deletion is scheduled once",
        "ScheduleKeyDeletion", r#"{"KeyId":"{dying}"}"#,
        Refused("KMSInvalidStateException"))
    .but_ministack(Answered(&[("/KeyState", r#""PendingDeletion""#)]),
        "It does not check the key's state here; KMS's table of key states does not allow it."),
    contract("a key pending deletion is not enabled",
        "EnableKey", r#"{"KeyId":"{dying}"}"#,
        Refused("KMSInvalidStateException"))
    .but_ministack(Answered(&[]),
        "It does not check the key's state here; KMS's table of key states does not allow it."),
    contract("a key that is not pending deletion cannot be saved from it",
        "CancelKeyDeletion", r#"{"KeyId":"{signer}"}"#,
        Refused("KMSInvalidStateException"))
    .but_ministack(Answered(&[("/KeyId", r#""{signer.arn}""#)]),
        "It does not check the key's state here; KMS's table of key states does not allow it."),
    contract("a cancelled deletion answers the ARN",
        "CancelKeyDeletion", r#"{"KeyId":"{dying}"}"#,
        Answered(&[("/KeyId", r#""{dying.arn}""#)])),
    contract("a cancelled deletion leaves the key disabled",
        "DescribeKey", r#"{"KeyId":"{dying}"}"#,
        Answered(&[("/KeyMetadata/KeyState", r#""Disabled""#), ("/KeyMetadata/DeletionDate", "null")])),
    contract("a description is changed",
        "UpdateKeyDescription", r#"{"KeyId":"{signer}","Description":"changed"}"#,
        Answered(&[])),
    contract("a changed description is seen",
        "DescribeKey", r#"{"KeyId":"{signer}"}"#,
        Answered(&[("/KeyMetadata/Description", r#""changed""#)])),
    contract("scheduling answers the ARN, the state and the window",
        "ScheduleKeyDeletion", r#"{"KeyId":"{signer}","PendingWindowInDays":7}"#,
        Answered(&[("/KeyId", r#""{signer.arn}""#), ("/KeyState", r#""PendingDeletion""#), ("/PendingWindowInDays", "7")]))
    .but_ministack(Answered(&[("/KeyState", r#""PendingDeletion""#), ("/PendingWindowInDays", "null")]),
        "It leaves the window out; KMS's reference has it."),
    contract("an operation that nobody knows is refused",
        "MakeCoffee", "{}",
        Refused("UnknownOperationException"))
    .but_ministack(Refused("InvalidAction"),
        "It has one answer for all services; AWS's JSON protocols have UnknownOperationException."),
];
