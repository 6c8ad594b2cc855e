//! The table.

/// A permission that requests of this module need.
#[derive(Debug)]
pub(crate) struct Permission {
    /// As in a policy: `kms:Sign`.
    pub(crate) action: &'static str,
    /// The operation that it is named for, as in the API reference.
    pub(crate) operation: &'static str,
    /// The PKCS#11 functions that ask for it; `C_Sign*` are all of that name.
    pub(crate) functions: &'static [&'static str],
    /// What is lost where it is denied, as a clause: "without it …".
    pub(crate) loss: &'static str,
    pub(crate) need: Need,
    pub(crate) scope: Scope,
}

/// How much depends on a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A token without it shows nothing.
    Token,
    /// The functions that ask for it fail, no others.
    Function,
    /// Nothing fails; something is done worse, or left out.
    Nothing,
}

/// What a policy can tie a permission to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The account and region: there is no key yet, or no single one.
    Account,
    /// A key that is being made: its tags are in the request.
    NewKey,
    /// The tags of a key, which are both there and in the request.
    Tags,
    /// Tags that are taken from a key: their keys are in the request.
    TagKeys,
    /// A key.
    Key,
}

impl Scope {
    /// Whether the policy of a key can allow or deny it.
    pub(super) fn concerns_key_policies(self) -> bool {
        matches!(self, Self::Tags | Self::TagKeys | Self::Key)
    }
}

const FIND: &str = "C_FindObjectsInit";
const PAIR: &str = "C_GenerateKeyPair";
const KEY: &str = "C_GenerateKey";
/// Both import keys, too.
const CREATE: &str = "C_CreateObject";
const UNWRAP: &str = "C_UnwrapKey";

/// Every action of every request that this module sends.
pub(crate) const PERMISSIONS: &[Permission] = &[
    Permission {
        action: "kms:ListKeys",
        operation: "ListKeys",
        functions: &[FIND, PAIR, KEY, CREATE, UNWRAP],
        loss: "no keys are found but those that the token's configuration names in `keys`",
        need: Need::Token,
        scope: Scope::Account,
    },
    Permission {
        action: "tag:GetResources",
        operation: "GetResources",
        functions: &[FIND, PAIR, KEY, CREATE, UNWRAP],
        loss: "all keys of the account are listed, and the tags of each are read with a request of its own",
        need: Need::Nothing,
        scope: Scope::Account,
    },
    Permission {
        action: "kms:ListResourceTags",
        operation: "ListResourceTags",
        functions: &[FIND, PAIR, KEY, CREATE, UNWRAP],
        loss: "a token with `tags` shows no keys, and any other shows keys without the names and \
               certificates in their tags",
        need: Need::Token,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:GetPublicKey",
        operation: "GetPublicKey",
        functions: &[FIND, "C_GetAttributeValue", PAIR, CREATE, UNWRAP],
        loss: "keys are hidden, and new key pairs are of no use",
        need: Need::Token,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:DescribeKey",
        operation: "DescribeKey",
        // Of pairs, it is the state of new replicas; of keys to be destroyed, whether they already are.
        functions: &[
            FIND,
            "C_GetAttributeValue",
            PAIR,
            KEY,
            CREATE,
            UNWRAP,
            "C_DestroyObject",
        ],
        loss: "HMAC keys and symmetric keys are hidden, and new ones are of no use; a token with `keys` shows none, \
               and one with `replica_regions` makes none",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:ListAliases",
        operation: "ListAliases",
        functions: &[FIND],
        loss: "keys without a p11:label tag are labelled by their key ids",
        need: Need::Nothing,
        scope: Scope::Account,
    },
    Permission {
        action: "kms:Sign",
        operation: "Sign",
        functions: &["C_Sign*"],
        loss: "nothing is signed",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:GenerateMac",
        operation: "GenerateMac",
        functions: &["C_Sign*", "C_Verify*"],
        loss: "HMAC keys authenticate nothing, and verify no MACs that are cut",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:VerifyMac",
        operation: "VerifyMac",
        functions: &["C_Verify*"],
        loss: "HMAC keys verify no whole MACs",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:Decrypt",
        operation: "Decrypt",
        functions: &["C_Decrypt*", UNWRAP],
        loss: "RSA keys and symmetric keys decrypt and unwrap nothing",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:Encrypt",
        operation: "Encrypt",
        functions: &["C_Encrypt*", "C_WrapKey"],
        loss: "symmetric keys encrypt and wrap nothing",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:GenerateDataKey",
        operation: "GenerateDataKey",
        functions: &[KEY],
        loss: "no data keys are made",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:ReEncryptFrom",
        operation: "ReEncrypt",
        functions: &["C_Encrypt*"],
        loss: "no ciphertext of the key is moved to another one",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:ReEncryptTo",
        operation: "ReEncrypt",
        functions: &["C_Encrypt*"],
        loss: "no ciphertext of another key is moved to the key",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:GetKeyRotationStatus",
        operation: "GetKeyRotationStatus",
        functions: &["C_GetAttributeValue"],
        loss: "it is not shown whether and when symmetric keys are rotated",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:ListKeyRotations",
        operation: "ListKeyRotations",
        functions: &["C_GetAttributeValue"],
        loss: "it is not shown how often symmetric keys were rotated",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:DeriveSharedSecret",
        operation: "DeriveSharedSecret",
        functions: &["C_DeriveKey"],
        loss: "EC keys agree on no secrets",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:Decapsulate",
        operation: "Decapsulate",
        functions: &["C_DecapsulateKey"],
        loss: "ML-KEM keys decapsulate nothing",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:GenerateRandom",
        operation: "GenerateRandom",
        functions: &["C_GenerateRandom"],
        loss: "there are no random bytes from KMS; those of this machine need `random = \"local\"`",
        need: Need::Function,
        scope: Scope::Account,
    },
    Permission {
        action: "kms:CreateKey",
        operation: "CreateKey",
        functions: &[PAIR, KEY, CREATE, UNWRAP],
        loss: "no keys are made",
        need: Need::Function,
        scope: Scope::NewKey,
    },
    Permission {
        action: "kms:ReplicateKey",
        operation: "ReplicateKey",
        functions: &[PAIR, KEY, CREATE, UNWRAP],
        loss: "no keys are made in a token with `replica_regions`",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:GetParametersForImport",
        operation: "GetParametersForImport",
        functions: &[CREATE, UNWRAP],
        loss: "no keys are imported",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:ImportKeyMaterial",
        operation: "ImportKeyMaterial",
        functions: &[CREATE, UNWRAP],
        loss: "no keys are imported",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:TagResource",
        operation: "TagResource",
        functions: &[
            PAIR,
            KEY,
            "C_SetAttributeValue",
            CREATE,
            UNWRAP,
            "C_CopyObject",
        ],
        loss: "no keys are made or renamed, and certificates are kept in `certificate_directory` alone",
        need: Need::Function,
        scope: Scope::Tags,
    },
    Permission {
        action: "kms:UntagResource",
        operation: "UntagResource",
        functions: &["C_DestroyObject"],
        loss: "certificates in the tags of keys stay there",
        need: Need::Function,
        scope: Scope::TagKeys,
    },
    Permission {
        action: "kms:ScheduleKeyDeletion",
        operation: "ScheduleKeyDeletion",
        // Of a new key that could not be made in all regions, too.
        functions: &["C_DestroyObject", PAIR, KEY, CREATE, UNWRAP],
        loss: "no keys are destroyed, unless `on_destroy = \"disable\"`, and those stay whose import failed, or which could \
               not be made in all regions of a token with `replica_regions`",
        need: Need::Function,
        scope: Scope::Key,
    },
    Permission {
        action: "kms:DisableKey",
        operation: "DisableKey",
        functions: &["C_DestroyObject"],
        loss: "no keys are destroyed in a token with `on_destroy = \"disable\"`",
        need: Need::Function,
        scope: Scope::Key,
    },
];
