//! The next call of a walk: one that means something as a rule, and nonsense often enough.

use fastrand::Rng;

use super::call::{
    Access, AttributeKind, Call, Change, Data, Half, Key, Object, Operation, Pin, SESSIONS, Scheme,
    Search, Session, Signature, Space, Template, User,
};
use super::state::{Active, State};

/// The next call from here.
pub(crate) fn next(rng: &mut Rng, state: &State) -> Call {
    if !state.initialized && percent(rng, 80) {
        return Call::Initialize;
    }
    let session = session(rng, state);
    let Some(open) = state.open(session) else {
        return if percent(rng, 75) {
            Call::OpenSession(session, access(rng))
        } else {
            anything(rng, session)
        };
    };
    if !state.logged_in && percent(rng, 35) {
        let pin = any(
            rng,
            &[Pin::Right, Pin::Right, Pin::Right, Pin::Right, Pin::Wrong],
        );
        return Call::Login(session, User::Ordinary, pin);
    }
    if state.own.is_some() && percent(rng, 20) {
        return about_own(rng, session);
    }
    if percent(rng, 15) {
        return about_secret(rng, session, state);
    }
    match &open.active {
        Some(active) if percent(rng, 65) => continued(rng, session, active),
        _ => anything(rng, session),
    }
}

/// Something that belongs to the active operation.
fn continued(rng: &mut Rng, session: Session, active: &Active) -> Call {
    let operation = active.operation;
    match operation {
        Operation::Sign | Operation::Verify | Operation::Digest if percent(rng, 4) => {
            Call::Init(operation, session, Scheme::Null, active.key)
        }
        Operation::Find if percent(rng, 70) => Call::FindObjects(session, space(rng)),
        Operation::Find => Call::FindObjectsFinal(session),
        Operation::Decrypt if percent(rng, 60) => Call::DecryptMade(session, space(rng)),
        Operation::Encrypt | Operation::Decrypt => {
            Call::Whole(operation, session, data(rng), space(rng))
        }
        Operation::Verify => match rng.u8(..4) {
            0 => Call::VerifyMade(session),
            1 => Call::Part(operation, session, data(rng)),
            2 => Call::VerifyFinal(session, any(rng, Signature::ALL)),
            _ => Call::Verify(session, data(rng), any(rng, Signature::ALL)),
        },
        Operation::Sign | Operation::Digest => match rng.u8(..4) {
            0 | 1 if active.parts => Call::Final(operation, session, space(rng)),
            0 => Call::Final(operation, session, space(rng)),
            1 | 2 => Call::Part(operation, session, data(rng)),
            _ => Call::Whole(operation, session, data(rng), space(rng)),
        },
    }
}

/// Something with the pair that the walk generated, as long as it has one.
fn about_own(rng: &mut Rng, session: Session) -> Call {
    let half = any(rng, &[Half::Public, Half::Private]);
    let object = Object::Key(Key::Own, half);
    match rng.u8(..10) {
        0 => Call::DestroyObject(session, object),
        1..=3 => Call::SetAttributeValue(session, object, any(rng, &[Change::Id, Change::Label])),
        4..=6 => {
            let kinds = [AttributeKind::Id, AttributeKind::Label];
            Call::GetAttributeValue(
                session,
                object,
                kinds.map(|kind| (kind, space(rng))).to_vec(),
            )
        }
        _ => Call::Init(
            match half {
                Half::Public => Operation::Verify,
                Half::Private => Operation::Sign,
            },
            session,
            Scheme::Ecdsa,
            object,
        ),
    }
}

/// Something with the secret key of a session, or one to begin with.
fn about_secret(rng: &mut Rng, session: Session, state: &State) -> Call {
    let schemes = [
        Scheme::AesCbc,
        Scheme::AesCbcPad,
        Scheme::AesCtr,
        Scheme::AesGcm,
    ];
    match rng.u8(..12) {
        _ if state.secret.is_none() => Call::CreateSecret(session),
        0 => Call::DestroyObject(session, Object::Secret),
        1 => Call::CreateSecret(session),
        2 => Call::CopyObject(session, Object::Secret, any(rng, Change::ALL)),
        3 => Call::SetAttributeValue(session, Object::Secret, any(rng, Change::ALL)),
        4 => Call::GetAttributeValue(session, Object::Secret, wanted(rng)),
        5 | 6 => Call::Init(
            Operation::Decrypt,
            session,
            any(rng, &schemes),
            Object::Secret,
        ),
        _ => Call::Init(
            Operation::Encrypt,
            session,
            any(rng, &schemes),
            Object::Secret,
        ),
    }
}

fn anything(rng: &mut Rng, session: Session) -> Call {
    let total: u32 = CALLS.iter().map(|(weight, _)| weight).sum();
    let mut pick = rng.u32(..total);
    for (weight, call) in CALLS {
        match pick.checked_sub(*weight) {
            Some(rest) => pick = rest,
            None => return call(rng, session),
        }
    }
    Call::GetSessionInfo(session)
}

type Maker = fn(&mut Rng, Session) -> Call;

/// What a call out of the blue is, and how often.
const CALLS: &[(u32, Maker)] = &[
    (1, |_, _| Call::Initialize),
    (1, |_, _| Call::Finalize),
    (2, |rng, session| Call::OpenSession(session, access(rng))),
    (4, |_, session| Call::CloseSession(session)),
    (1, |_, _| Call::CloseAllSessions),
    (3, |_, session| Call::GetSessionInfo(session)),
    (3, |rng, session| {
        Call::Login(session, any(rng, User::ALL), any(rng, Pin::ALL))
    }),
    (2, |_, session| Call::Logout(session)),
    (12, |rng, session| {
        Call::FindObjectsInit(session, any(rng, Search::ALL))
    }),
    (2, |rng, session| Call::FindObjects(session, space(rng))),
    (2, |_, session| Call::FindObjectsFinal(session)),
    (14, |rng, session| {
        Call::GetAttributeValue(session, object(rng), wanted(rng))
    }),
    (6, |rng, session| {
        Call::SetAttributeValue(session, own(rng), any(rng, Change::ALL))
    }),
    (6, |rng, session| {
        let template = if percent(rng, 60) {
            Template::Complete
        } else {
            any(rng, Template::ALL)
        };
        Call::GenerateKeyPair(session, template)
    }),
    (2, |rng, session| Call::DestroyObject(session, own(rng))),
    (4, |rng, session| {
        Call::GenerateRandom(session, any(rng, Space::ALL))
    }),
    (60, init),
    (10, |rng, session| {
        let operations = [
            Operation::Sign,
            Operation::Digest,
            Operation::Encrypt,
            Operation::Decrypt,
        ];
        Call::Whole(any(rng, &operations), session, data(rng), space(rng))
    }),
    (6, |rng, session| {
        let operations = [Operation::Sign, Operation::Verify, Operation::Digest];
        Call::Part(any(rng, &operations), session, data(rng))
    }),
    (6, |rng, session| {
        Call::Final(
            any(rng, &[Operation::Sign, Operation::Digest]),
            session,
            space(rng),
        )
    }),
    (3, |rng, session| {
        Call::Verify(session, data(rng), any(rng, Signature::ALL))
    }),
    (3, |rng, session| {
        Call::VerifyFinal(session, any(rng, Signature::ALL))
    }),
    (1, |_, session| Call::VerifyMade(session)),
    (1, |rng, session| Call::DecryptMade(session, space(rng))),
];

fn init(rng: &mut Rng, session: Session) -> Call {
    if percent(rng, 85) {
        let (operation, scheme, key) = any(rng, FITTING);
        return Call::Init(operation, session, scheme, key);
    }
    let operations = [
        Operation::Sign,
        Operation::Verify,
        Operation::Encrypt,
        Operation::Decrypt,
        Operation::Digest,
    ];
    let (operation, scheme) = (any(rng, &operations), any(rng, Scheme::ALL));
    Call::Init(operation, session, scheme, object(rng))
}

const fn public(key: Key) -> Object {
    Object::Key(key, Half::Public)
}

const fn private(key: Key) -> Object {
    Object::Key(key, Half::Private)
}

/// Operations with mechanisms and keys that fit them.
const FITTING: &[(Operation, Scheme, Object)] = &[
    (Operation::Sign, Scheme::Ecdsa, private(Key::Ec)),
    (Operation::Sign, Scheme::Ecdsa, private(Key::Own)),
    (Operation::Sign, Scheme::RsaPkcs, private(Key::Rsa)),
    (Operation::Sign, Scheme::RsaPss, private(Key::Rsa)),
    (Operation::Sign, Scheme::Sha256RsaPkcs, private(Key::Rsa)),
    (Operation::Sign, Scheme::Sha256RsaPss, private(Key::Rsa)),
    (Operation::Verify, Scheme::Ecdsa, public(Key::Ec)),
    (Operation::Verify, Scheme::Ecdsa, public(Key::Own)),
    (Operation::Verify, Scheme::RsaPkcs, public(Key::Rsa)),
    (Operation::Verify, Scheme::RsaPss, public(Key::Rsa)),
    (Operation::Verify, Scheme::Sha256RsaPkcs, public(Key::Rsa)),
    (Operation::Verify, Scheme::Sha256RsaPss, public(Key::Rsa)),
    (Operation::Encrypt, Scheme::Oaep, public(Key::Decryption)),
    (Operation::Decrypt, Scheme::Oaep, private(Key::Decryption)),
    (Operation::Digest, Scheme::Sha256, Object::Nothing),
    (Operation::Digest, Scheme::Sha512, Object::Nothing),
];

/// A session, an open one if there is one as a rule.
fn session(rng: &mut Rng, state: &State) -> Session {
    let open: Vec<_> = state.open_sessions().collect();
    if open.is_empty() || percent(rng, 15) {
        Session(rng.usize(..SESSIONS))
    } else {
        any(rng, &open)
    }
}

fn access(rng: &mut Rng) -> Access {
    match rng.u8(..10) {
        0 | 1 => any(rng, Access::ALL),
        2 | 3 => Access::ReadOnly,
        _ => Access::ReadWrite,
    }
}

fn object(rng: &mut Rng) -> Object {
    let key = match rng.u8(..9) {
        0 => return Object::Nothing,
        1 | 2 => Key::Ec,
        3 | 4 => Key::Rsa,
        5 | 6 => Key::Decryption,
        _ => Key::Own,
    };
    Object::Key(key, any(rng, &[Half::Public, Half::Private]))
}

/// An object that a walk may change.
fn own(rng: &mut Rng) -> Object {
    any(rng, &[public(Key::Own), private(Key::Own), Object::Nothing])
}

fn wanted(rng: &mut Rng) -> Vec<(AttributeKind, Space)> {
    let spaces = [
        Space::Ample,
        Space::Ample,
        Space::Query,
        Space::Zero,
        Space::One,
    ];
    let count = rng.usize(..5);
    let attribute = |_| (any(rng, AttributeKind::ALL), any(rng, &spaces));
    (0..count).map(attribute).collect()
}

fn data(rng: &mut Rng) -> Data {
    if percent(rng, 50) {
        any(rng, &[Data::Message, Data::Digest])
    } else {
        any(rng, Data::ALL)
    }
}

fn space(rng: &mut Rng) -> Space {
    if percent(rng, 50) {
        Space::Ample
    } else {
        any(rng, Space::ALL)
    }
}

fn any<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.usize(..choices.len())]
}

fn percent(rng: &mut Rng, chance: u8) -> bool {
    rng.u8(..100) < chance
}
