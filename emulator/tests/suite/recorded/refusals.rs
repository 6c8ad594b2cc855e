//! The requests that the real service was seen to refuse.

/// A request that the service refused.
///
/// In requests and messages, `{p256}` and `{p256.arn}` stand for the id and ARN of a key of the fixture,
/// `{bytes:215}` for base64 of so many bytes, `{a*129}` for so many letters, `{tags:51}` for so many tags.
pub(crate) struct Refusal {
    /// The cases that recorded it.
    pub(crate) case: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) request: &'static str,
    pub(crate) code: &'static str,
    pub(crate) message: Option<&'static str>,
}

#[rustfmt::skip]
pub(crate) const REFUSALS: &[Refusal] = &[
    Refusal {
        case: "generate_random_invalid_number_of_bytes[None]",
        operation: "GenerateRandom",
        request: "{}",
        code: "ValidationException", message: Some("NumberOfBytes is required."),
    },
    Refusal {
        case: "generate_random_invalid_number_of_bytes[0]",
        operation: "GenerateRandom",
        request: r#"{"NumberOfBytes":0}"#,
        code: "ValidationException", message: Some("1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1"),
    },
    Refusal {
        case: "generate_random_invalid_number_of_bytes[1025]",
        operation: "GenerateRandom",
        request: r#"{"NumberOfBytes":1025}"#,
        code: "ValidationException", message: Some("1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024"),
    },
    Refusal {
        case: "encrypt_validate_plaintext_size_per_key_type[RSA_2048-RSAES_OAEP_SHA_1]",
        operation: "Encrypt",
        request: r#"{"KeyId":"{rsa2048}","EncryptionAlgorithm":"RSAES_OAEP_SHA_1","Plaintext":"{bytes:215}"}"#,
        code: "ValidationException", message: Some("Algorithm RSAES_OAEP_SHA_1 and key spec RSA_2048 cannot encrypt data larger than 214 bytes."),
    },
    Refusal {
        case: "encrypt_validate_plaintext_size_per_key_type[RSA_2048-RSAES_OAEP_SHA_256]",
        operation: "Encrypt",
        request: r#"{"KeyId":"{rsa2048}","EncryptionAlgorithm":"RSAES_OAEP_SHA_256","Plaintext":"{bytes:191}"}"#,
        code: "ValidationException", message: Some("Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes."),
    },
    Refusal {
        case: "encrypt_validate_plaintext_size_per_key_type[RSA_3072-RSAES_OAEP_SHA_1]",
        operation: "Encrypt",
        request: r#"{"KeyId":"{rsa3072}","EncryptionAlgorithm":"RSAES_OAEP_SHA_1","Plaintext":"{bytes:343}"}"#,
        code: "ValidationException", message: Some("Algorithm RSAES_OAEP_SHA_1 and key spec RSA_3072 cannot encrypt data larger than 342 bytes."),
    },
    Refusal {
        case: "encrypt_validate_plaintext_size_per_key_type[RSA_3072-RSAES_OAEP_SHA_256]",
        operation: "Encrypt",
        request: r#"{"KeyId":"{rsa3072}","EncryptionAlgorithm":"RSAES_OAEP_SHA_256","Plaintext":"{bytes:319}"}"#,
        code: "ValidationException", message: Some("Algorithm RSAES_OAEP_SHA_256 and key spec RSA_3072 cannot encrypt data larger than 318 bytes."),
    },
    Refusal {
        case: "encrypt_validate_plaintext_size_per_key_type[RSA_4096-RSAES_OAEP_SHA_1]",
        operation: "Encrypt",
        request: r#"{"KeyId":"{rsa4096}","EncryptionAlgorithm":"RSAES_OAEP_SHA_1","Plaintext":"{bytes:471}"}"#,
        code: "ValidationException", message: Some("Algorithm RSAES_OAEP_SHA_1 and key spec RSA_4096 cannot encrypt data larger than 470 bytes."),
    },
    Refusal {
        case: "encrypt_validate_plaintext_size_per_key_type[RSA_4096-RSAES_OAEP_SHA_256]",
        operation: "Encrypt",
        request: r#"{"KeyId":"{rsa4096}","EncryptionAlgorithm":"RSAES_OAEP_SHA_256","Plaintext":"{bytes:447}"}"#,
        code: "ValidationException", message: Some("Algorithm RSAES_OAEP_SHA_256 and key spec RSA_4096 cannot encrypt data larger than 446 bytes."),
    },
    Refusal {
        case: "get_key_in_different_region, by id; get_key_does_not_exist, by id",
        operation: "DescribeKey",
        request: r#"{"KeyId":"{no_such_id}"}"#,
        code: "NotFoundException", message: Some("Key 'arn:aws:kms:us-east-1:111122223333:key/{no_such_id}' does not exist"),
    },
    Refusal {
        case: "get_key_in_different_region, by ARN",
        operation: "DescribeKey",
        request: r#"{"KeyId":"arn:aws:kms:eu-central-1:111122223333:key/{p256}"}"#,
        code: "NotFoundException", message: Some("Invalid arn eu-central-1"),
    },
    Refusal {
        case: "get_key_does_not_exist, by ARN",
        operation: "DescribeKey",
        request: r#"{"KeyId":"arn:aws:kms:us-east-1:111122223333:key/{no_such_id}"}"#,
        code: "NotFoundException", message: Some("Key 'arn:aws:kms:us-east-1:111122223333:key/{no_such_id}' does not exist"),
    },
    Refusal {
        case: "get_key_does_not_exist, multi-Region",
        operation: "DescribeKey",
        request: r#"{"KeyId":"mrk-d3b95762d3b95762d3b95762d3b95762"}"#,
        code: "NotFoundException", message: Some("Key 'arn:aws:kms:us-east-1:111122223333:key/mrk-d3b95762d3b95762d3b95762d3b95762' does not exist"),
    },
    Refusal {
        case: "get_key_invalid_uuid",
        operation: "DescribeKey",
        request: r#"{"KeyId":"fake-key-id"}"#,
        code: "NotFoundException", message: Some("Invalid keyId 'fake-key-id'"),
    },
    Refusal {
        case: "get_key_invalid_uuid, without hyphens",
        operation: "DescribeKey",
        request: r#"{"KeyId":"134f2428cec14b25a1ae9048164dba47"}"#,
        code: "NotFoundException", message: Some("Invalid keyId '134f2428cec14b25a1ae9048164dba47'"),
    },
    Refusal {
        case: "get_key_invalid_uuid, multi-Region",
        operation: "DescribeKey",
        request: r#"{"KeyId":"mrk-fake-key-id"}"#,
        code: "NotFoundException", message: Some("Invalid keyId 'mrk-fake-key-id'"),
    },
    Refusal {
        case: "create_alias",
        operation: "CreateAlias",
        request: r#"{"AliasName":"no-prefix","TargetKeyId":"{p256}"}"#,
        code: "ValidationException", message: Some("Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"),
    },
    Refusal {
        case: "hmac_create_key_invalid_operations, without usage",
        operation: "CreateKey",
        request: r#"{"KeySpec":"HMAC_256"}"#,
        code: "ValidationException", message: Some("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."),
    },
    // This list and the next were recorded before the service had the names that end them here.
    Refusal {
        case: "hmac_create_key_invalid_operations, spec",
        operation: "CreateKey",
        request: r#"{"KeySpec":"HMAC_random","KeyUsage":"GENERATE_VERIFY_MAC"}"#,
        code: "ValidationException", message: Some("1 validation error detected: Value 'HMAC_random' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [RSA_2048, ECC_NIST_P384, ECC_NIST_P256, ECC_NIST_P521, HMAC_384, RSA_3072, ECC_SECG_P256K1, RSA_4096, SYMMETRIC_DEFAULT, HMAC_256, HMAC_224, HMAC_512, ECC_NIST_EDWARDS25519, ML_DSA_44, ML_DSA_65, ML_DSA_87, ML_KEM_512, ML_KEM_768, ML_KEM_1024]"),
    },
    Refusal {
        case: "hmac_create_key_invalid_operations, usage",
        operation: "CreateKey",
        request: r#"{"KeySpec":"HMAC_256","KeyUsage":"RANDOM"}"#,
        code: "ValidationException", message: Some("1 validation error detected: Value 'RANDOM' at 'keyUsage' failed to satisfy constraint: Member must satisfy enum value set: [ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, KEY_AGREEMENT, ENCAPSULATE_DECAPSULATE]"),
    },
    Refusal {
        case: "derive_shared_secret, spec",
        operation: "CreateKey",
        request: r#"{"KeySpec":"RSA_2048","KeyUsage":"KEY_AGREEMENT"}"#,
        code: "ValidationException", message: Some("KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048"),
    },
    Refusal {
        case: "derive_shared_secret, usage",
        operation: "DeriveSharedSecret",
        request: r#"{"KeyId":"{p256}","KeyAgreementAlgorithm":"ECDH","PublicKey":"{p256.public}"}"#,
        code: "InvalidKeyUsageException", message: Some("{p256.arn} key usage is SIGN_VERIFY which is not valid for DeriveSharedSecret."),
    },
    Refusal {
        case: "derive_shared_secret, algorithm",
        operation: "DeriveSharedSecret",
        request: r#"{"KeyId":"{agreement}","KeyAgreementAlgorithm":"INVALID","PublicKey":"{p256.public}"}"#,
        code: "ValidationException", message: Some("1 validation error detected: Value 'INVALID' at 'keyAgreementAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [ECDH]"),
    },
    Refusal {
        case: "derive_shared_secret, key",
        operation: "DeriveSharedSecret",
        request: r#"{"KeyId":"{symmetric}","KeyAgreementAlgorithm":"ECDH","PublicKey":"{p256.public}"}"#,
        code: "InvalidKeyUsageException", message: Some("{symmetric.arn} key usage is ENCRYPT_DECRYPT which is not valid for DeriveSharedSecret."),
    },
    Refusal {
        case: "derive_shared_secret, public key",
        operation: "DeriveSharedSecret",
        request: r#"{"KeyId":"{agreement}","KeyAgreementAlgorithm":"ECDH","PublicKey":"{bytes:16}"}"#,
        code: "ValidationException", message: None,
    },
    Refusal {
        case: "generate_and_verify_mac, GenerateMac with an invalid id",
        operation: "GenerateMac",
        request: r#"{"KeyId":"key_id","Message":"{bytes:20}","MacAlgorithm":"HMAC_SHA_224"}"#,
        code: "NotFoundException", message: Some("Invalid keyId 'key_id'"),
    },
    Refusal {
        case: "invalid_generate_mac[HMAC_224-HMAC_SHA_256]",
        operation: "GenerateMac",
        request: r#"{"KeyId":"{hmac}","Message":"{bytes:20}","MacAlgorithm":"HMAC_SHA_256"}"#,
        code: "InvalidKeyUsageException", message: Some("Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224."),
    },
    Refusal {
        case: "invalid_generate_mac[HMAC_256-INVALID]",
        operation: "GenerateMac",
        request: r#"{"KeyId":"{hmac}","Message":"{bytes:20}","MacAlgorithm":"INVALID"}"#,
        code: "ValidationException", message: Some("1 validation error detected: Value 'INVALID' at 'macAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]"),
    },
    Refusal {
        case: "generate_and_verify_mac, VerifyMac with an invalid id",
        operation: "VerifyMac",
        request: r#"{"KeyId":"key_id","Message":"{bytes:20}","MacAlgorithm":"HMAC_SHA_224","Mac":"{bytes:32}"}"#,
        code: "NotFoundException", message: Some("Invalid keyId 'key_id'"),
    },
    Refusal {
        case: "invalid_verify_mac[HMAC_256-HMAC_SHA_512], of HMAC_224",
        operation: "VerifyMac",
        request: r#"{"KeyId":"{hmac}","Message":"{bytes:20}","MacAlgorithm":"HMAC_SHA_256","Mac":"{bytes:32}"}"#,
        code: "InvalidKeyUsageException", message: Some("Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224."),
    },
    Refusal {
        case: "invalid_verify_mac[HMAC_256-INVALID]",
        operation: "VerifyMac",
        request: r#"{"KeyId":"{hmac}","Message":"{bytes:20}","MacAlgorithm":"INVALID","Mac":"{bytes:32}"}"#,
        code: "ValidationException", message: Some("1 validation error detected: Value 'INVALID' at 'macAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]"),
    },
    Refusal {
        case: "error_messaging_for_invalid_keys, GenerateMac",
        operation: "GenerateMac",
        request: r#"{"KeyId":"{symmetric}","Message":"{bytes:20}","MacAlgorithm":"HMAC_SHA_256"}"#,
        code: "InvalidKeyUsageException", message: Some("{symmetric.arn} key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac."),
    },
    Refusal {
        case: "error_messaging_for_invalid_keys, Sign",
        operation: "Sign",
        request: r#"{"KeyId":"{hmac}","Message":"{bytes:20}","MessageType":"RAW","SigningAlgorithm":"RSASSA_PSS_SHA_256"}"#,
        code: "InvalidKeyUsageException", message: Some("{hmac.arn} key usage is GENERATE_VERIFY_MAC which is not valid for Sign."),
    },
    Refusal {
        case: "error_messaging_for_invalid_keys, Verify",
        operation: "Verify",
        request: r#"{"KeyId":"{symmetric}","Message":"{bytes:12}","MessageType":"RAW","Signature":"{bytes:11}","SigningAlgorithm":"ECDSA_SHA_256"}"#,
        code: "InvalidKeyUsageException", message: Some("{symmetric.arn} key usage is ENCRYPT_DECRYPT which is not valid for Verify."),
    },
    Refusal {
        case: "error_messaging_for_invalid_keys, Encrypt",
        operation: "Encrypt",
        request: r#"{"KeyId":"{p256}","Plaintext":"{bytes:20}"}"#,
        code: "InvalidKeyUsageException", message: Some("{p256.arn} key usage is SIGN_VERIFY which is not valid for Encrypt."),
    },
    Refusal {
        case: "error_messaging_for_invalid_keys, Decrypt",
        operation: "Decrypt",
        request: r#"{"KeyId":"{hmac}","CiphertextBlob":"{ciphertext}"}"#,
        code: "IncorrectKeyException", message: Some("The key ID in the request does not identify a CMK that can perform this operation."),
    },
    Refusal {
        case: "re_encrypt_incorrect_source_key",
        operation: "ReEncrypt",
        request: r#"{"SourceKeyId":"{other_symmetric}","CiphertextBlob":"{ciphertext}","SourceEncryptionContext":{"context-key":"context-value"},"DestinationKeyId":"{other_symmetric}"}"#,
        code: "IncorrectKeyException", message: Some("The key ID in the request does not identify a CMK that can perform this operation."),
    },
    Refusal {
        case: "generate_data_key_pair_dry_run",
        operation: "GenerateDataKeyPair",
        request: r#"{"KeyId":"{symmetric}","KeyPairSpec":"ECC_NIST_P256","DryRun":true}"#,
        code: "DryRunOperationException", message: Some("The request would have succeeded, but the DryRun option is set."),
    },
    Refusal {
        case: "generate_data_key_pair_without_plaintext_dry_run",
        operation: "GenerateDataKeyPairWithoutPlaintext",
        request: r#"{"KeyId":"{symmetric}","KeyPairSpec":"ECC_NIST_P256","DryRun":true}"#,
        code: "DryRunOperationException", message: Some("The request would have succeeded, but the DryRun option is set."),
    },
    Refusal {
        case: "plaintext_size_for_encrypt",
        operation: "Encrypt",
        request: r#"{"KeyId":"{symmetric}","Plaintext":"{bytes:4268}"}"#,
        code: "ValidationException", message: Some("1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"),
    },
    Refusal {
        case: "encrypt_decrypt_encryption_context, without context",
        operation: "Decrypt",
        request: r#"{"KeyId":"{symmetric}","CiphertextBlob":"{ciphertext}"}"#,
        code: "InvalidCiphertextException", message: None,
    },
    Refusal {
        case: "encrypt_decrypt_encryption_context, invalid ciphertext; key_rotations_encryption_decryption",
        operation: "Decrypt",
        request: r#"{"KeyId":"{symmetric}","CiphertextBlob":"{bytes:100}"}"#,
        code: "InvalidCiphertextException", message: None,
    },
    Refusal {
        case: "import_key_symmetric, before the import",
        operation: "Encrypt",
        request: r#"{"KeyId":"{external}","Plaintext":"{bytes:20}"}"#,
        code: "KMSInvalidStateException", message: Some("{external.arn} is pending import."),
    },
    Refusal {
        case: "tag_key_with_duplicate_tag_keys_raises_error",
        operation: "TagResource",
        request: r#"{"KeyId":"{p256}","Tags":[{"TagKey":"tag","TagValue":"1"},{"TagKey":"tag","TagValue":"2"}]}"#,
        code: "TagException", message: Some("Duplicate tag keys"),
    },
    Refusal {
        case: "create_key_with_too_many_tags_raises_error",
        operation: "CreateKey",
        request: r#"{"Tags":{tags:51}}"#,
        code: "TagException", message: Some("Too many tags"),
    },
    Refusal {
        case: "tag_existing_key_with_invalid_tag_key",
        operation: "TagResource",
        request: r#"{"KeyId":"{p256}","Tags":[{"TagKey":"aws:key","TagValue":"value"}]}"#,
        code: "TagException", message: Some("Tags beginning with aws: are reserved"),
    },
    Refusal {
        case: "create_key_with_invalid_tag_key[lowercase_prefix]",
        operation: "CreateKey",
        request: r#"{"Tags":[{"TagKey":"aws:key","TagValue":"value"}]}"#,
        code: "TagException", message: Some("Tags beginning with aws: are reserved"),
    },
    Refusal {
        case: "create_key_with_invalid_tag_key[uppercase_prefix]",
        operation: "CreateKey",
        request: r#"{"Tags":[{"TagKey":"AWS:key","TagValue":"value"}]}"#,
        code: "TagException", message: Some("Tags beginning with aws: are reserved"),
    },
    Refusal {
        case: "create_key_with_invalid_tag_key[too_long_key]",
        operation: "CreateKey",
        request: r#"{"Tags":[{"TagKey":"{a*129}","TagValue":"value"}]}"#,
        code: "ValidationException", message: Some("1 validation error detected: Value '{a*129}' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length less than or equal to 128"),
    },
    Refusal {
        case: "key_with_long_tag_value_raises_error",
        operation: "CreateKey",
        request: r#"{"Tags":[{"TagKey":"tag","TagValue":"{v*257}"}]}"#,
        code: "ValidationException", message: Some("1 validation error detected: Value '{v*257}' at 'tags.1.member.tagValue' failed to satisfy constraint: Member must have length less than or equal to 256"),
    },
];
