//! Templates of key pairs, attribute by attribute.

use super::{Backs, Difference, rows};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        backs: Backs::Both,
        section: "4.4 Storage objects, 4.1.1 Creating objects",
        why: "A token need not make what it cannot: the deletion of a key in KMS is IAM's to forbid, \
              not the key's own.",
        seen: rows! {
            "template: CKA_DESTROYABLE, public" {
                "C_GenerateKeyPair (false)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_DESTROYABLE, private" {
                "C_GenerateKeyPair (false)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.1.1 Creating objects",
        why: "A boolean is one byte that is CK_TRUE or CK_FALSE, and a number as long as \
              CK_ULONG. SoftHSM2 looks at neither.",
        seen: rows! {
            "template: CKA_TOKEN, public" {
                "C_GenerateKeyPair (of 2 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_PRIVATE, public" {
                "C_GenerateKeyPair (of 2 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_MODIFIABLE, public" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_COPYABLE, public" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_DESTROYABLE, public" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_DERIVE, public" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_VERIFY, public" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_VERIFY_RECOVER, public" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_ENCRYPT, public" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_WRAP, public" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_TOKEN, private" {
                "C_GenerateKeyPair (of 2 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_PRIVATE, private" {
                "C_GenerateKeyPair (of 2 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_MODIFIABLE, private" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_COPYABLE, private" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_DESTROYABLE, private" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_DERIVE, private" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_SENSITIVE, private" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_EXTRACTABLE, private" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_SIGN, private" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_SIGN_RECOVER, private" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_DECRYPT, private" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_UNWRAP, private" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_WRAP_WITH_TRUSTED, private" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_ALWAYS_AUTHENTICATE, private" {
                "C_GenerateKeyPair (neither)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_CLASS" {
                "C_GenerateKeyPair (of 1 byte)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_KEY_TYPE" {
                "C_GenerateKeyPair (of 1 byte)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.1.7 More on relative priorities",
        why: "The attribute is one that only the token sets, and its value is no boolean. Of \
              two errors that apply, either may be answered.",
        seen: rows! {
            "template: CKA_TRUSTED, public" {
                "C_GenerateKeyPair (neither)": "CKR_ATTRIBUTE_READ_ONLY" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_LOCAL, public" {
                "C_GenerateKeyPair (neither)": "CKR_ATTRIBUTE_READ_ONLY" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_ALWAYS_SENSITIVE, private" {
                "C_GenerateKeyPair (neither)": "CKR_ATTRIBUTE_READ_ONLY" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_NEVER_EXTRACTABLE, private" {
                "C_GenerateKeyPair (neither)": "CKR_ATTRIBUTE_READ_ONLY" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "template: CKA_LOCAL, private" {
                "C_GenerateKeyPair (neither)": "CKR_ATTRIBUTE_READ_ONLY" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.4 Storage objects, 4.8 Public key objects",
        why: "CKA_TRUSTED is for a security officer to set, and no key in KMS is trusted: the \
              attribute is refused as one that is not to be set, or as one that the token \
              cannot have so.",
        seen: rows! {
            "template: CKA_TRUSTED, public" {
                "C_GenerateKeyPair (true)": "CKR_ATTRIBUTE_READ_ONLY" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Reference,
        section: "6.3.3 Elliptic curve private key objects, 6.1.3 RSA private key objects",
        why: "The attribute is not to be specified for the private half, which takes it from \
              the public one. Clients repeat it nevertheless: it is accepted where it says the \
              same, and inconsistent where it does not.",
        seen: rows! {
            "template: CKA_EC_PARAMS" {
                "C_GenerateKeyPair (in the private template)": "CKR_ATTRIBUTE_READ_ONLY" => "CKR_OK",
                "C_GenerateKeyPair (another in the private template)": "CKR_ATTRIBUTE_READ_ONLY" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_PUBLIC_EXPONENT" {
                "C_GenerateKeyPair (private)": "CKR_ATTRIBUTE_READ_ONLY" => "CKR_OK",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.1.1 Creating objects",
        why: "The specification describes the attribute, which makes its type a valid one, but \
              for other objects than this. Either value says that.",
        seen: rows! {
            "template: CKA_EC_POINT" {
                "C_GenerateKeyPair (private)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
                "C_GenerateKeyPair (of RSA)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_MODULUS" {
                "C_GenerateKeyPair (of EC)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_MODULUS_BITS" {
                "C_GenerateKeyPair (private)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_PUBLIC_EXPONENT" {
                "C_GenerateKeyPair (of EC)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: the secret numbers" {
                "C_GenerateKeyPair (CKA_VALUE)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: attributes of the other half" {
                "C_GenerateKeyPair (CKA_SIGN)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
                "C_GenerateKeyPair (CKA_VERIFY)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
                "C_GenerateKeyPair (CKA_SENSITIVE)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
                "C_GenerateKeyPair (CKA_TRUSTED)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.1.1 Creating objects",
        why: "A class that is not that of the half contradicts the function.",
        seen: rows! {
            "template: CKA_CLASS" {
                "C_GenerateKeyPair (unknown)": "CKR_ATTRIBUTE_VALUE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "6.1 (PKCS #1 RSA key pair generation)",
        why: "KMS makes RSA keys of 2048, 3072 and 4096 bits.",
        seen: rows! {
            "template: CKA_MODULUS_BITS" {
                "C_GenerateKeyPair (not of KMS)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.1.1 Creating objects",
        why: "A token need not make what it cannot. Keys in KMS exist on the token alone, in \
              both halves; the private half is private, sensitive and never extractable, the \
              public half is for everyone; names can always be changed; no login is asked for \
              before each use, and nothing is wrapped; and a key has a use.",
        seen: rows! {
            "template: CKA_TOKEN, public" {
                "C_GenerateKeyPair (false)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_PRIVATE, public" {
                "C_GenerateKeyPair (true)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_MODIFIABLE, public" {
                "C_GenerateKeyPair (false)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_TOKEN, private" {
                "C_GenerateKeyPair (false)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_PRIVATE, private" {
                "C_GenerateKeyPair (false)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_MODIFIABLE, private" {
                "C_GenerateKeyPair (false)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_SENSITIVE, private" {
                "C_GenerateKeyPair (false)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_EXTRACTABLE, private" {
                "C_GenerateKeyPair (true)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_SIGN, private" {
                "C_GenerateKeyPair (false)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_WRAP_WITH_TRUSTED, private" {
                "C_GenerateKeyPair (true)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: CKA_ALWAYS_AUTHENTICATE, private" {
                "C_GenerateKeyPair (true)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: a token key beside a session key" {
                "C_GenerateKeyPair (public)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
                "C_GenerateKeyPair (private)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "template: usages that contradict each other" {
                "C_GenerateKeyPair (EC, none)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
                "C_GenerateKeyPair (RSA, none)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
];
