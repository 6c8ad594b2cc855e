//! The vocabulary of a walk: calls as plain data, which print as the lines of a scenario.

mod print;

use std::fmt::{self, Display, Formatter};

use cryptoki_sys::*;
use serde::{Deserialize, Serialize};

use crate::arguments::Output::{NoLength, Query, Room};
use crate::arguments::{Attribute, Input, Mechanism, bytes, flag, number};
use crate::keys::{self, Kind, PairTemplate, Purpose};
use crate::mechanisms::*;
use crate::secrets;

/// Sessions that a walk has variables for.
pub(crate) const SESSIONS: usize = 3;

/// One call. Handles are named by the variables that hold them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Call {
    Initialize,
    Finalize,
    OpenSession(Session, Access),
    CloseSession(Session),
    CloseAllSessions,
    GetSessionInfo(Session),
    Login(Session, User, Pin),
    Logout(Session),
    FindObjectsInit(Session, Search),
    FindObjects(Session, Space),
    FindObjectsFinal(Session),
    GetAttributeValue(Session, Object, Vec<(AttributeKind, Space)>),
    SetAttributeValue(Session, Object, Change),
    GenerateKeyPair(Session, Template),
    DestroyObject(Session, Object),
    /// `C_CreateObject` of a secret key that lives as long as this session.
    CreateSecret(Session),
    CopyObject(Session, Object, Change),
    GenerateRandom(Session, Space),
    Init(Operation, Session, Scheme, Object),
    /// `C_Sign`, `C_Digest`, `C_Encrypt` or `C_Decrypt`.
    Whole(Operation, Session, Data, Space),
    /// `C_SignUpdate`, `C_VerifyUpdate` or `C_DigestUpdate`.
    Part(Operation, Session, Data),
    /// `C_SignFinal` or `C_DigestFinal`.
    Final(Operation, Session, Space),
    Verify(Session, Data, Signature),
    VerifyFinal(Session, Signature),
    /// `C_Verify` of the signature that was made last, with its data.
    VerifyMade(Session),
    /// `C_Decrypt` of the ciphertext that was made last.
    DecryptMade(Session, Space),
}

/// A session, by the variable that holds its handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session(pub(crate) usize);

/// An object, by the variable that holds its handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Object {
    Key(Key, Half),
    /// The secret key that the walk created last.
    Secret,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Half {
    Public,
    Private,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Key {
    Ec,
    Rsa,
    Decryption,
    /// The pair that the walk generated last.
    Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Operation {
    Find,
    Sign,
    Verify,
    Encrypt,
    Decrypt,
    Digest,
}

/// Choices for one argument: each a name, and the expression that is its value and its text.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident -> $value:ty { $($word:ident = $expression:expr,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) enum $name { $($word,)* }

        impl $name {
            pub(crate) const ALL: &[Self] = &[$(Self::$word,)*];

            pub(crate) fn value(self) -> $value {
                match self { $(Self::$word => $expression,)* }
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$word => stringify!($expression),)* })
            }
        }
    )*};
}

words! {
    Access -> CK_FLAGS {
        ReadWrite = CKF_SERIAL_SESSION | CKF_RW_SESSION,
        ReadOnly = CKF_SERIAL_SESSION,
        Parallel = 0,
    }

    User -> CK_USER_TYPE {
        Ordinary = CKU_USER,
        SecurityOfficer = CKU_SO,
        ContextSpecific = CKU_CONTEXT_SPECIFIC,
        Unknown = 17,
    }

    Pin -> Input<'static> {
        Right = Input::Bytes(b"1234"),
        Wrong = Input::Bytes(b"9999"),
        Null = Input::Null(4),
    }

    Search -> Vec<Attribute> {
        All = vec![],
        Ec = vec![bytes(CKA_LABEL, b"fixture-p256")],
        Own = vec![bytes(CKA_LABEL, b"walk")],
        Public = vec![number(CKA_CLASS, CKO_PUBLIC_KEY)],
        PrivateRsa = vec![number(CKA_CLASS, CKO_PRIVATE_KEY), number(CKA_KEY_TYPE, CKK_RSA)],
        Certificates = vec![number(CKA_CLASS, CKO_CERTIFICATE)],
        Nobody = vec![bytes(CKA_LABEL, b"nobody's")],
        Unknown = vec![bytes(0x4242_4242, b"x")],
    }

    AttributeKind -> CK_ATTRIBUTE_TYPE {
        Class = CKA_CLASS,
        Token = CKA_TOKEN,
        Private = CKA_PRIVATE,
        Label = CKA_LABEL,
        Id = CKA_ID,
        KeyType = CKA_KEY_TYPE,
        Local = CKA_LOCAL,
        Sensitive = CKA_SENSITIVE,
        Extractable = CKA_EXTRACTABLE,
        EcParams = CKA_EC_PARAMS,
        EcPoint = CKA_EC_POINT,
        Modulus = CKA_MODULUS,
        PublicExponent = CKA_PUBLIC_EXPONENT,
        PrivateExponent = CKA_PRIVATE_EXPONENT,
        Value = CKA_VALUE,
        Unknown = 0x4242_4242,
    }

    Change -> Attribute {
        Label = bytes(CKA_LABEL, b"walk"),
        Id = bytes(CKA_ID, b"changed"),
        EmptyId = bytes(CKA_ID, b""),
        KeyType = number(CKA_KEY_TYPE, CKK_RSA),
        Sensitive = flag(CKA_SENSITIVE, false),
        Extractable = flag(CKA_EXTRACTABLE, true),
        Unknown = bytes(0x4242_4242, b"x"),
    }

    Template -> PairTemplate {
        Complete = own_pair(),
        NoCurve = own_pair().public_without(CKA_EC_PARAMS),
        OtherType = own_pair().public_with(number(CKA_KEY_TYPE, CKK_RSA)),
        Unknown = own_pair().private_with(bytes(0x4242_4242, b"x")),
    }

    Scheme -> Option<Mechanism> {
        Ecdsa = Some(ECDSA),
        RsaPkcs = Some(RSA_PKCS),
        Sha256RsaPkcs = Some(SHA256_RSA_PKCS),
        RsaPss = Some(RSA_PSS),
        Sha256RsaPss = Some(SHA256_RSA_PSS),
        Oaep = Some(OAEP),
        AesCbc = Some(AES_CBC),
        AesCbcPad = Some(AES_CBC_PAD),
        AesCtr = Some(AES_CTR),
        AesGcm = Some(AES_GCM),
        Sha256 = Some(SHA256),
        Sha512 = Some(Mechanism::plain(CKM_SHA512)),
        Unknown = Some(Mechanism::plain(0x4242_4242)),
        Null = None,
    }

    Data -> Input<'static> {
        Empty = Input::Bytes(b""),
        Message = Input::Bytes(b"message"),
        Digest = Input::Bytes(&[0x11; 32]),
        Block = Input::Bytes(&[1; 256]),
        Long = Input::Bytes(&[0x22; 300]),
        Null = Input::Null(0),
        NullOfLength = Input::Null(5),
    }

    Signature -> Input<'static> {
        Ecdsa = Input::Bytes(&[1; 64]),
        Rsa = Input::Bytes(&[1; 256]),
        Short = Input::Bytes(&[1; 63]),
        Empty = Input::Bytes(b""),
        NullOfLength = Input::Null(256),
    }

    /// Room for an answer.
    Space -> crate::arguments::Output {
        Ample = Room(512),
        Query = Query,
        Zero = Room(0),
        One = Room(1),
        ForDigest = Room(32),
        ForEcdsa = Room(64),
        AlmostRsa = Room(255),
        NoLength = NoLength,
    }
}

/// The template of a secret key that everybody sees, so that the login is no matter.
pub(crate) fn secret() -> Vec<Attribute> {
    let may = [CKA_ENCRYPT, CKA_DECRYPT];
    let mut template = secrets::template(CKK_AES, &secrets::value(32), &may);
    template.extend([flag(CKA_PRIVATE, false), bytes(CKA_LABEL, b"walk")]);
    template
}

fn own_pair() -> PairTemplate {
    PairTemplate::new(Kind::Ec(keys::P256), Purpose::Signing, "walk")
}

impl Call {
    /// The session that is called in.
    pub(crate) fn session(&self) -> Option<Session> {
        match *self {
            Self::Initialize | Self::Finalize | Self::CloseAllSessions => None,
            Self::OpenSession(session, _)
            | Self::CloseSession(session)
            | Self::GetSessionInfo(session)
            | Self::Login(session, ..)
            | Self::Logout(session)
            | Self::FindObjectsInit(session, _)
            | Self::FindObjects(session, _)
            | Self::FindObjectsFinal(session)
            | Self::GetAttributeValue(session, ..)
            | Self::SetAttributeValue(session, ..)
            | Self::GenerateKeyPair(session, _)
            | Self::DestroyObject(session, _)
            | Self::CreateSecret(session)
            | Self::CopyObject(session, ..)
            | Self::GenerateRandom(session, _)
            | Self::Init(_, session, ..)
            | Self::Whole(_, session, ..)
            | Self::Part(_, session, _)
            | Self::Final(_, session, _)
            | Self::Verify(session, ..)
            | Self::VerifyFinal(session, _)
            | Self::VerifyMade(session)
            | Self::DecryptMade(session, _) => Some(session),
        }
    }

    /// The object that is called with.
    pub(crate) fn object(&self) -> Option<Object> {
        match *self {
            Self::Init(operation, _, _, object) if operation != Operation::Digest => Some(object),
            Self::GetAttributeValue(_, object, _)
            | Self::SetAttributeValue(_, object, _)
            | Self::CopyObject(_, object, _)
            | Self::DestroyObject(_, object) => Some(object),
            _ => None,
        }
    }

    /// The operation that the call starts, continues or ends.
    pub(crate) fn operation(&self) -> Option<Operation> {
        match *self {
            Self::Init(operation, ..)
            | Self::Whole(operation, ..)
            | Self::Part(operation, ..)
            | Self::Final(operation, ..) => Some(operation),
            Self::Verify(..) | Self::VerifyFinal(..) | Self::VerifyMade(_) => {
                Some(Operation::Verify)
            }
            Self::DecryptMade(..) => Some(Operation::Decrypt),
            Self::FindObjectsInit(..) | Self::FindObjects(..) | Self::FindObjectsFinal(_) => {
                Some(Operation::Find)
            }
            _ => None,
        }
    }

    /// Where the bytes that it answers go.
    pub(crate) fn space(&self) -> Option<Space> {
        match *self {
            Self::Whole(_, _, _, space)
            | Self::Final(_, _, space)
            | Self::DecryptMade(_, space)
            | Self::FindObjects(_, space)
            | Self::GenerateRandom(_, space) => Some(space),
            _ => None,
        }
    }

    /// The data that it takes.
    pub(crate) fn data(&self) -> Option<Data> {
        match *self {
            Self::Whole(_, _, data, _) | Self::Part(_, _, data) | Self::Verify(_, data, _) => {
                Some(data)
            }
            _ => None,
        }
    }
}
