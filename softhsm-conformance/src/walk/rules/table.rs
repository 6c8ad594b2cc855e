//! The rules, each reviewed against the specification.

use super::super::call::{
    AttributeKind, Call, Data, Half, Key, Object, Operation, Pin, Scheme, Space, Template, User,
};
use super::super::state::Own;
use super::{Rule, active, exists, fits, runs_with, starts};
use crate::differences::Backs;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        backs: Backs::Module,
        section: "5.13.1 C_SignInit, 5.8.1, 5.10.1, 5.15.1",
        why: "What is not the handle of a key is an invalid key handle, not an invalid object \
              handle.",
        when: |call, state| {
            matches!(call, Call::Init(operation, _, scheme, key)
                if fits(*operation, *scheme) && !exists(*key, state))
        },
        softhsm: &["CKR_OBJECT_HANDLE_INVALID"],
        module: &["CKR_KEY_HANDLE_INVALID"],
    },
    Rule {
        backs: Backs::Both,
        section: "5.1.7 More on relative priorities",
        why: "The mechanism is not one of the operation, and the key may not be one for it \
              either. Of errors that apply, any may be answered.",
        when: |call, _| matches!(call, Call::Init(operation, _, scheme, _) if !fits(*operation, *scheme)),
        softhsm: &[
            "CKR_KEY_FUNCTION_NOT_PERMITTED",
            "CKR_KEY_TYPE_INCONSISTENT",
            "CKR_OBJECT_HANDLE_INVALID",
        ],
        module: &["CKR_MECHANISM_INVALID"],
    },
    Rule {
        backs: Backs::Both,
        section: "6.1 (PKCS #1 v1.5 RSA)",
        why: "KMS does not decrypt with this padding, so nothing is encrypted with it either.",
        when: |call, _| {
            matches!(call, Call::Init(operation, _, Scheme::RsaPkcs, _)
                if matches!(operation, Operation::Encrypt | Operation::Decrypt))
        },
        softhsm: &["CKR_OK"],
        module: &["CKR_MECHANISM_INVALID"],
    },
    Rule {
        backs: Backs::Module,
        section: "5.1.7 More on relative priorities",
        why: "An invalid session goes before anything that is wrong with the arguments.",
        when: |call, state| {
            call.session()
                .is_some_and(|session| state.open(session).is_none())
        },
        softhsm: &["CKR_ARGUMENTS_BAD"],
        module: &["CKR_SESSION_HANDLE_INVALID"],
    },
    Rule {
        backs: Backs::Both,
        section: "5.7.5 C_GetAttributeValue",
        why: "Of several attributes that cannot be answered, each for its own reason, any reason \
              may be the return value.",
        when: |call, _| matches!(call, Call::GetAttributeValue(_, _, wanted) if wanted.len() > 1),
        softhsm: &[
            "CKR_ATTRIBUTE_SENSITIVE",
            "CKR_ATTRIBUTE_TYPE_INVALID",
            "CKR_BUFFER_TOO_SMALL",
        ],
        module: &[
            "CKR_ATTRIBUTE_SENSITIVE",
            "CKR_ATTRIBUTE_TYPE_INVALID",
            "CKR_BUFFER_TOO_SMALL",
        ],
    },
    Rule {
        backs: Backs::Reference,
        section: "4.4 Storage objects",
        why: "The halves of a pair are one key in KMS: naming the private half names its pair, unless \
              the public half was named apart.",
        when: |call, state| {
            matches!(call, Call::GetAttributeValue(_, Object::Key(Key::Own, _), wanted)
                if state.own == Some(Own::Renamed) && wanted.iter().any(|(kind, _)| *kind == AttributeKind::Id))
        },
        softhsm: &[
            "CKR_OK",
            "CKR_ATTRIBUTE_SENSITIVE",
            "CKR_ATTRIBUTE_TYPE_INVALID",
            "CKR_BUFFER_TOO_SMALL",
        ],
        module: &[
            "CKR_OK",
            "CKR_ATTRIBUTE_SENSITIVE",
            "CKR_ATTRIBUTE_TYPE_INVALID",
            "CKR_BUFFER_TOO_SMALL",
        ],
    },
    Rule {
        backs: Backs::Module,
        section: "5.13.1 C_SignInit, 5.15.1 C_VerifyInit, 5.8.1 C_EncryptInit, 5.10.1 C_DecryptInit",
        why: "The type or the usage of the key does not fit the mechanism, which SoftHSM2 finds \
              out when it has the data.",
        when: |call, _| matches!(call, Call::Init(operation, _, scheme, _) if fits(*operation, *scheme)),
        softhsm: &["CKR_OK", "CKR_KEY_FUNCTION_NOT_PERMITTED"],
        module: &[
            "CKR_KEY_TYPE_INCONSISTENT",
            "CKR_KEY_FUNCTION_NOT_PERMITTED",
        ],
    },
    Rule {
        backs: Backs::Both,
        section: "5.12.1, 5.13.1, 5.15.1 (…Init), 5.7.7 C_FindObjectsInit",
        why: "A session here has one place for each kind of operation, in SoftHSM2 one place for \
              all.",
        when: |call, state| {
            starts(call)
                && active(call, state).is_none()
                && call
                    .session()
                    .is_some_and(|session| state.active(session).is_some())
        },
        softhsm: &["CKR_OPERATION_ACTIVE"],
        module: &[
            "CKR_OK",
            "CKR_ARGUMENTS_BAD",
            "CKR_KEY_FUNCTION_NOT_PERMITTED",
            "CKR_KEY_HANDLE_INVALID",
            "CKR_KEY_TYPE_INCONSISTENT",
            "CKR_MECHANISM_INVALID",
        ],
    },
    Rule {
        backs: Backs::Module,
        section: "5.13.1 C_SignInit",
        why: "Since version 3.0 an initialization without a mechanism cancels the active \
              operation.",
        when: |call, state| {
            matches!(call, Call::Init(_, _, Scheme::Null, _)) && active(call, state).is_some()
        },
        softhsm: &["CKR_ARGUMENTS_BAD", "CKR_OPERATION_ACTIVE"],
        module: &["CKR_OK"],
    },
    Rule {
        backs: Backs::Module,
        section: "5.13.2 to 5.13.4 (C_Sign…), 5.15.2 (C_Verify), 5.8.2 (C_Encrypt), 5.10.2 (C_Decrypt), 5.12.2 to 5.12.5 (C_Digest…)",
        why: "Any answer but CKR_BUFFER_TOO_SMALL and a successful query of the length ends the \
              operation, a refused argument too. SoftHSM2 goes on.",
        when: |call, state| active(call, state).is_some_and(|active| active.refused),
        softhsm: &[
            "CKR_OK",
            "CKR_ARGUMENTS_BAD",
            "CKR_BUFFER_TOO_SMALL",
            "CKR_DATA_LEN_RANGE",
            "CKR_ENCRYPTED_DATA_LEN_RANGE",
            "CKR_GENERAL_ERROR",
            "CKR_OPERATION_ACTIVE",
            "CKR_SIGNATURE_INVALID",
            "CKR_SIGNATURE_LEN_RANGE",
        ],
        module: &[
            "CKR_OPERATION_NOT_INITIALIZED",
            // Of what starts the next operation.
            "CKR_OK",
            "CKR_ARGUMENTS_BAD",
            "CKR_KEY_FUNCTION_NOT_PERMITTED",
            "CKR_KEY_HANDLE_INVALID",
            "CKR_KEY_TYPE_INCONSISTENT",
            "CKR_MECHANISM_INVALID",
        ],
    },
    Rule {
        backs: Backs::Module,
        section: "5.12.2 C_Digest, 5.13.2 C_Sign, 5.15.2 C_Verify",
        why: "The one-shot function does not end what was begun in parts. SoftHSM2 lets it, or \
              denies that an operation is active.",
        when: |call, state| {
            matches!(
                call,
                Call::Whole(..) | Call::Verify(..) | Call::VerifyMade(_)
            ) && active(call, state).is_some_and(|active| active.parts)
        },
        softhsm: &[
            "CKR_OK",
            "CKR_ARGUMENTS_BAD",
            "CKR_BUFFER_TOO_SMALL",
            "CKR_OPERATION_NOT_INITIALIZED",
        ],
        module: &["CKR_OPERATION_ACTIVE"],
    },
    Rule {
        backs: Backs::Both,
        section: "5.13.2 C_Sign, 5.12.2 C_Digest, 5.15.2 C_Verify, 5.8.2 C_Encrypt, 5.10.2 C_Decrypt",
        why: "No bytes are at no address: clients pass an empty message as NULL and 0. SoftHSM2 \
              takes it for a mistake, before it looks at anything else.",
        when: |call, _| call.data() == Some(Data::Null),
        softhsm: &["CKR_ARGUMENTS_BAD"],
        module: &[
            "CKR_OK",
            "CKR_BUFFER_TOO_SMALL",
            "CKR_DATA_INVALID",
            "CKR_DATA_LEN_RANGE",
            "CKR_ENCRYPTED_DATA_LEN_RANGE",
            "CKR_OPERATION_NOT_INITIALIZED",
            "CKR_SIGNATURE_INVALID",
            "CKR_SIGNATURE_LEN_RANGE",
        ],
    },
    Rule {
        backs: Backs::Module,
        section: "5.13.2 C_Sign, 5.8.2 C_Encrypt, 5.1.6",
        why: "Data of a length that the mechanism does not take has the wrong length. SoftHSM2 \
              fails without a reason.",
        when: |call, state| {
            matches!(call, Call::Whole(Operation::Sign | Operation::Encrypt, ..))
                && runs_with(
                    call,
                    state,
                    &[Scheme::RsaPkcs, Scheme::RsaPss, Scheme::Oaep],
                )
        },
        softhsm: &["CKR_GENERAL_ERROR"],
        module: &["CKR_DATA_LEN_RANGE"],
    },
    Rule {
        backs: Backs::Reference,
        section: "6.1 (PKCS #1 v1.5 RSA)",
        why: "KMS pads nothing but digests: the data must be a DigestInfo, whole.",
        when: |call, state| {
            matches!(call, Call::Whole(Operation::Sign, ..))
                && runs_with(call, state, &[Scheme::RsaPkcs])
        },
        softhsm: &["CKR_OK"],
        module: &["CKR_DATA_INVALID"],
    },
    Rule {
        backs: Backs::Reference,
        section: "6.3 (ECDSA without hashing)",
        why: "A digest of no bytes stands for the number 0, under which anybody can make \
              signatures that verify: it is refused.",
        when: |call, state| {
            call.data() == Some(Data::Empty) && runs_with(call, state, &[Scheme::Ecdsa])
        },
        softhsm: &["CKR_OK", "CKR_SIGNATURE_INVALID"],
        module: &["CKR_DATA_LEN_RANGE"],
    },
    Rule {
        backs: Backs::Both,
        section: "5.1.7 More on relative priorities, 5.15.2 C_Verify",
        why: "The data is no digest of the mechanism's hash, and the signature is none of it \
              either. Of errors that apply, any may be answered.",
        when: |call, state| {
            matches!(call, Call::Verify(..) | Call::VerifyMade(_))
                && runs_with(
                    call,
                    state,
                    &[Scheme::RsaPkcs, Scheme::RsaPss, Scheme::Ecdsa],
                )
        },
        softhsm: &["CKR_SIGNATURE_INVALID", "CKR_SIGNATURE_LEN_RANGE"],
        module: &["CKR_DATA_LEN_RANGE", "CKR_DATA_INVALID"],
    },
    Rule {
        backs: Backs::Module,
        section: "5.10.2 C_Decrypt",
        why: "There are values for a ciphertext of the wrong length and for one that is invalid; \
              they go before the room for the plaintext, which is not known. SoftHSM2 fails \
              without a reason, or looks at the room alone.",
        when: |call, state| runs_with(call, state, CIPHERS) && decrypts(call),
        softhsm: &[
            "CKR_ARGUMENTS_BAD",
            "CKR_BUFFER_TOO_SMALL",
            "CKR_GENERAL_ERROR",
        ],
        module: &["CKR_ENCRYPTED_DATA_INVALID", "CKR_ENCRYPTED_DATA_LEN_RANGE"],
    },
    Rule {
        backs: Backs::Both,
        section: "5.2 Conventions for functions returning output in a variable-length buffer",
        why: "A query answers the longest plaintext of the key or the ciphertext, in SoftHSM2 the \
              length of the modulus or of the ciphertext; and a plaintext fits where there is room \
              for it, in SoftHSM2 where there is room for the longest.",
        when: |call, state| runs_with(call, state, CIPHERS) && decrypts(call),
        softhsm: &["CKR_OK", "CKR_BUFFER_TOO_SMALL"],
        module: &["CKR_OK", "CKR_BUFFER_TOO_SMALL"],
    },
    Rule {
        backs: Backs::Both,
        section: "5.2 Conventions for functions returning output in a variable-length buffer",
        why: "A query is about the length of the answer alone. SoftHSM2 refuses data of a length \
              that the mode does not take at once, and ends the operation.",
        when: |call, state| {
            runs_with(call, state, &[Scheme::AesCbc]) && call.space() == Some(Space::Query)
        },
        softhsm: &["CKR_DATA_LEN_RANGE", "CKR_ENCRYPTED_DATA_LEN_RANGE"],
        module: &["CKR_OK"],
    },
    Rule {
        backs: Backs::Both,
        section: "5.7.8 C_FindObjects, 5.19.2 C_GenerateRandom",
        why: "Nothing is wanted, wherever it is to go.",
        when: |call, _| {
            matches!(
                call,
                Call::FindObjects(_, Space::Query) | Call::GenerateRandom(_, Space::Query)
            )
        },
        softhsm: &["CKR_ARGUMENTS_BAD"],
        module: &["CKR_OK", "CKR_OPERATION_NOT_INITIALIZED"],
    },
    Rule {
        backs: Backs::Module,
        section: "5.18.2 C_GenerateKeyPair, 5.1.1",
        why: "A call that fails makes no object. SoftHSM2 leaves half of one on the token when it \
              refuses a template late, and finds it when everything is looked for.",
        when: |call, state| matches!(call, Call::FindObjects(..)) && state.refused_pair,
        softhsm: &["CKR_OK"],
        module: &["CKR_OK"],
    },
    Rule {
        backs: Backs::Both,
        section: "5.6.8 C_Login",
        why: "The token has no security officer: there is no PIN to be set and nothing to be \
              initialized.",
        when: |call, _| matches!(call, Call::Login(_, User::SecurityOfficer, _)),
        softhsm: &[
            "CKR_ARGUMENTS_BAD",
            "CKR_PIN_INCORRECT",
            "CKR_SESSION_READ_ONLY_EXISTS",
            "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
        ],
        module: &["CKR_USER_TYPE_INVALID"],
    },
    Rule {
        backs: Backs::Both,
        section: "5.6.8 C_Login",
        why: "Which PIN is right is the token's matter. With no PIN configured every one is \
              accepted, since KMS asks for credentials of its own.",
        when: |call, state| {
            matches!(call, Call::Login(_, User::Ordinary, Pin::Wrong)) && !state.logged_in
        },
        softhsm: &["CKR_PIN_INCORRECT"],
        module: &["CKR_OK"],
    },
    Rule {
        backs: Backs::Module,
        section: "5.6.10 C_Logout",
        why: "Logging out is for a user who is logged in.",
        when: |call, state| matches!(call, Call::Logout(_)) && !state.logged_in,
        softhsm: &["CKR_OK"],
        module: &["CKR_USER_NOT_LOGGED_IN"],
    },
    Rule {
        backs: Backs::Both,
        section: "4.4 Storage objects, 5.5.3 C_GetTokenInfo",
        why: "Private objects are for logged-in users of a token that requires login. This one \
              does not (CKF_LOGIN_REQUIRED is not set).",
        when: |call, state| {
            let then = active(call, state).is_none_or(|active| active.logged_in);
            !(state.logged_in && then) && is_about_private_objects(call)
        },
        softhsm: &[
            "CKR_OBJECT_HANDLE_INVALID",
            "CKR_USER_NOT_LOGGED_IN",
            // A search finds fewer objects.
            "CKR_OK",
        ],
        module: &[
            "CKR_OK",
            "CKR_ATTRIBUTE_SENSITIVE",
            "CKR_ATTRIBUTE_TYPE_INVALID",
            "CKR_BUFFER_TOO_SMALL",
            "CKR_KEY_FUNCTION_NOT_PERMITTED",
            "CKR_KEY_TYPE_INCONSISTENT",
            "CKR_TEMPLATE_INCOMPLETE",
            "CKR_TEMPLATE_INCONSISTENT",
        ],
    },
    Rule {
        backs: Backs::Both,
        section: "5.1.7 More on relative priorities",
        why: "The template is refused, and so is generating in a read-only session. Of errors \
              that apply, any may be answered.",
        when: |call, _| matches!(call, Call::GenerateKeyPair(_, template) if *template != Template::Complete),
        softhsm: &["CKR_TEMPLATE_INCONSISTENT", "CKR_TEMPLATE_INCOMPLETE"],
        module: &["CKR_SESSION_READ_ONLY"],
    },
];

const CIPHERS: &[Scheme] = &[
    Scheme::Oaep,
    Scheme::AesCbc,
    Scheme::AesCbcPad,
    Scheme::AesCtr,
    Scheme::AesGcm,
];

fn decrypts(call: &Call) -> bool {
    call.operation() == Some(Operation::Decrypt)
}

/// Whether the call may meet a private object.
fn is_about_private_objects(call: &Call) -> bool {
    match call {
        Call::FindObjects(..) | Call::GenerateKeyPair(..) => true,
        _ => matches!(call.object(), Some(Object::Key(_, Half::Private))),
    }
}
