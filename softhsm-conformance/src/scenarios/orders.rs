//! Every order of two calls of an operation: what the first leaves behind shows in each second (5.8 to 5.15).

use crate::scenarios::prelude::*;

/// `"name" Operation: "first call" Act, …;`
macro_rules! orders {
    ($($name:literal $operation:ident: $($first:literal $act:ident),*;)*) => {
        &[$($(
            scenario(concat!("orders: ", $name, ", after ", $first), |ctx| {
                after(ctx, Operation::$operation, Act::$act);
            }),
        )*)*]
    };
}

pub(crate) const SCENARIOS: &[Scenario] = orders! {
    "digest" Digest: "a part" Part, "the whole" Whole, "the end" End, "its length" Length,
        "too little room" TooSmall, "a refused argument" Refused, "another start" Init;
    "signature" Sign: "a part" Part, "the whole" Whole, "the end" End, "its length" Length,
        "too little room" TooSmall, "a refused argument" Refused, "another start" Init;
    "signature of a digest" SignDigest: "a part" Part, "the whole" Whole, "the end" End,
        "its length" Length, "too little room" TooSmall, "a refused argument" Refused;
    "verification" Verify: "a part" Part, "the whole" Whole, "the end" End,
        "a refused argument" Refused, "another start" Init;
    "verification of a digest" VerifyDigest: "a part" Part, "the whole" Whole, "the end" End,
        "a refused argument" Refused;
    "encryption" Encrypt: "the whole" Whole, "its length" Length, "too little room" TooSmall,
        "a refused argument" Refused;
    "decryption" Decrypt: "the whole" Whole, "its length" Length, "a refused argument" Refused;
};

const DIGEST: &[u8; 32] = &[0x37; 32];

#[derive(Clone, Copy)]
enum Operation {
    Digest,
    Sign,
    SignDigest,
    Verify,
    VerifyDigest,
    Encrypt,
    Decrypt,
}

#[derive(Clone, Copy)]
enum Act {
    Init,
    Part,
    Whole,
    End,
    /// The whole, asked for its length.
    Length,
    /// The whole, with room for one byte.
    TooSmall,
    /// The whole, of data that is NULL and has a length.
    Refused,
}

/// Makes the first call of a started operation, then each second one, every time in a new session.
fn after(ctx: &mut Ctx, operation: Operation, first: Act) {
    let seconds: &[Act] = match operation {
        Operation::Encrypt | Operation::Decrypt => &[Act::Init, Act::Whole, Act::Length],
        Operation::Verify | Operation::VerifyDigest => {
            &[Act::Init, Act::Part, Act::Whole, Act::End]
        }
        _ => &[Act::Init, Act::Part, Act::Whole, Act::End, Act::Length],
    };
    for second in seconds {
        let session = ctx.session();
        ctx.quietly(|ctx| operation.act(ctx, session, Act::Init));
        operation.act(ctx.at("first"), session, first);
        operation.act(ctx.at("second"), session, *second);
        ctx.quietly(|ctx| ctx.close_session(session));
    }
}

impl Operation {
    fn act(self, ctx: &mut Ctx, session: CK_SESSION_HANDLE, act: Act) {
        if matches!(act, Act::Init) {
            return self.init(ctx, session);
        }
        let (data, room) = match act {
            Act::Length => (Input::Bytes(self.data()), Query),
            Act::TooSmall => (Input::Bytes(self.data()), Room(1)),
            Act::Refused => (Input::Null(5), Room(512)),
            Act::Init | Act::Part | Act::Whole | Act::End => (Input::Bytes(self.data()), Room(512)),
        };
        let signature = [1; 256];
        let signature = match self {
            Self::VerifyDigest => &signature[..64],
            _ => &signature[..],
        };
        match (self, act) {
            (Self::Digest, Act::Part) => ctx.digest_update(session, data),
            (Self::Digest, Act::End) => ctx.digest_final(session, room).rv,
            (Self::Digest, _) => ctx.digest(session, data, room).rv,
            (Self::Sign | Self::SignDigest, Act::Part) => ctx.sign_update(session, data),
            (Self::Sign | Self::SignDigest, Act::End) => ctx.sign_final(session, room).rv,
            (Self::Sign | Self::SignDigest, _) => ctx.sign(session, data, room).rv,
            (Self::Verify | Self::VerifyDigest, Act::Part) => ctx.verify_update(session, data),
            (Self::Verify | Self::VerifyDigest, Act::End) => ctx.verify_final(session, signature),
            (Self::Verify | Self::VerifyDigest, _) => ctx.verify(session, data, signature),
            (Self::Encrypt, _) => ctx.encrypt(session, data, room).rv,
            (Self::Decrypt, _) => ctx.decrypt(session, data, room).rv,
        };
    }

    fn init(self, ctx: &mut Ctx, session: CK_SESSION_HANDLE) {
        match self {
            Self::Digest => {
                ctx.digest_init(session, SHA256);
            }
            Self::Sign => {
                let key = ctx.fixture(keys::RSA);
                ctx.sign_init(session, SHA256_RSA_PKCS, key.private);
            }
            Self::SignDigest => {
                let key = ctx.fixture(keys::EC);
                ctx.sign_init(session, ECDSA, key.private);
            }
            Self::Verify => {
                let key = ctx.fixture(keys::RSA);
                ctx.verify_init(session, SHA256_RSA_PKCS, key.public);
            }
            Self::VerifyDigest => {
                let key = ctx.fixture(keys::EC);
                ctx.verify_init(session, ECDSA, key.public);
            }
            Self::Encrypt => {
                let key = ctx.fixture(keys::RSA_DECRYPTION);
                ctx.encrypt_init(session, OAEP, key.public);
            }
            Self::Decrypt => {
                let key = ctx.fixture(keys::RSA_DECRYPTION);
                ctx.decrypt_init(session, OAEP, key.private);
            }
        }
    }

    fn data(self) -> &'static [u8] {
        match self {
            Self::SignDigest | Self::VerifyDigest => DIGEST,
            Self::Decrypt => &[1; 256],
            _ => b"a message",
        }
    }
}
