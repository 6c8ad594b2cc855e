//! A walk's calls made on one module, in a process of its own that is told what to call, line by line.

use std::io::{self, BufRead, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use cryptoki_sys::*;
use serde::{Deserialize, Serialize};

use super::call::{Access, Call, Half, Key, Object, Operation, SESSIONS, Session, secret};
use crate::arguments::{Locking, Output, Place};
use crate::child::{message, write_line};
use crate::ctx::{Ctx, PIN};
use crate::driver::Module;
use crate::keys::{self, KeyPair};
use crate::transcript::Transcript;

/// What a process that walks is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Begin anew: the token as it was, the module finalized.
    Begin,
    Call(Call),
    /// Hold the handles of the generated pair no longer.
    ForgetPair,
    /// Let the difference of the last call have no consequences.
    Settle {
        session: Option<(Session, Access)>,
        logged_in: bool,
    },
}

/// No object of either module.
const NO_OBJECT: CK_OBJECT_HANDLE = 0x7fff_fff1;
/// No session of either module.
const NO_SESSION: CK_SESSION_HANDLE = 0x7fff_fff1;

/// Follows orders from `input`; answers each with what was recorded.
pub(crate) fn run(
    module: &Path,
    input: impl BufRead,
    out: &mut impl Write,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut walker = Walker::new(Ctx::new(Module::load(module)?));
    for line in input.lines() {
        let order: Order = serde_json::from_str(&line?)?;
        // A call panics when its check or a preparation cannot go on.
        let followed = panic::catch_unwind(AssertUnwindSafe(|| walker.follow(&order)));
        if let Err(panic) = followed {
            walker.ctx.fail(&message(panic.as_ref()));
        }
        let recorded: Transcript = walker.ctx.take();
        write_line(out, &recorded)?;
    }
    Ok(())
}

/// A module, and what the variables of a walk hold.
struct Walker {
    ctx: Ctx,
    slot: CK_SLOT_ID,
    sessions: [CK_SESSION_HANDLE; SESSIONS],
    ec: KeyPair,
    rsa: KeyPair,
    decryption: KeyPair,
    own: KeyPair,
    secret: CK_OBJECT_HANDLE,
    /// What each session has been given to sign.
    signing: [Vec<u8>; SESSIONS],
    /// The data and the signature that was made of it last.
    signed: (Vec<u8>, Vec<u8>),
    ciphertext: Vec<u8>,
}

const NO_PAIR: KeyPair = KeyPair {
    public: NO_OBJECT,
    private: NO_OBJECT,
};

impl Walker {
    fn new(ctx: Ctx) -> Self {
        Self {
            ctx,
            slot: 0,
            sessions: [NO_SESSION; SESSIONS],
            ec: NO_PAIR,
            rsa: NO_PAIR,
            decryption: NO_PAIR,
            own: NO_PAIR,
            secret: NO_OBJECT,
            signing: Default::default(),
            signed: Default::default(),
            ciphertext: Vec::new(),
        }
    }

    fn follow(&mut self, order: &Order) {
        match order {
            Order::Begin => self.begin(),
            Order::Call(call) => self.call(call),
            Order::ForgetPair => self.own = NO_PAIR,
            Order::Settle { session, logged_in } => self.settle(*session, *logged_in),
        }
    }

    fn begin(&mut self) {
        self.ctx.begin("walk");
        self.forget();
        self.signing = Default::default();
        self.signed = Default::default();
        self.ciphertext.clear();
        self.ctx.quietly(|ctx| ctx.finalize(Place::Null));
        self.slot = self.ctx.slot();
        let session = self.ctx.session();
        let fixtures = [keys::EC, keys::RSA, keys::RSA_DECRYPTION]
            .map(|fixture| self.ctx.fixture(fixture))
            .map(|pair| [pair.public, pair.private])
            .concat();
        self.ctx.quietly(|ctx| {
            ctx.find_objects_init(session, &[]);
            let mut objects = ctx.find_objects(session, Output::Room(256));
            ctx.find_objects_final(session);
            objects.retain(|object| !fixtures.contains(object));
            for object in objects {
                ctx.destroy_object(session, object);
            }
            ctx.finalize(Place::Null);
        });
    }

    /// Handles of before are nobody's after `C_Finalize`.
    fn forget(&mut self) {
        self.sessions = [NO_SESSION; SESSIONS];
        self.secret = NO_OBJECT;
        for pair in [
            &mut self.ec,
            &mut self.rsa,
            &mut self.decryption,
            &mut self.own,
        ] {
            *pair = NO_PAIR;
        }
    }

    fn settle(&mut self, session: Option<(Session, Access)>, logged_in: bool) {
        let slot = self.slot;
        let Some((session, access)) = session else {
            return;
        };
        // The new session comes before the old one goes: the login ends with the last session.
        let handle = self.sessions[session.0];
        self.sessions[session.0] = self.ctx.quietly(|ctx| {
            let new = ctx.open_session(slot, access.value(), Place::Given);
            ctx.close_session(handle);
            if logged_in {
                ctx.login(new, CKU_USER, PIN);
            } else {
                ctx.logout(new);
            }
            new
        });
        // What the call made in one module alone is gone too.
        self.signed = Default::default();
        self.ciphertext.clear();
        if !logged_in {
            let own = std::mem::replace(&mut self.own, NO_PAIR);
            let session = self.sessions[session.0];
            self.ctx
                .quietly(|ctx| ctx.destroy_object(session, own.private));
        }
        self.look_up();
    }

    /// Finds the keys that are to be seen: SoftHSM2 gives private ones new handles with each login.
    fn look_up(&mut self) {
        for (fixture, pair) in [
            (keys::EC, &mut self.ec),
            (keys::RSA, &mut self.rsa),
            (keys::RSA_DECRYPTION, &mut self.decryption),
        ] {
            let (public, private) = self.ctx.look_up(fixture);
            pair.public = public.unwrap_or(pair.public);
            pair.private = private.unwrap_or(pair.private);
            self.ctx.know(*pair);
        }
    }

    fn call(&mut self, call: &Call) {
        let session = call
            .session()
            .map_or(NO_SESSION, |session| self.sessions[session.0]);
        let object = call
            .object()
            .map_or(NO_OBJECT, |object| self.object(object));
        let ctx = &mut self.ctx;
        match call {
            Call::Initialize => {
                ctx.initialize(Locking::OS);
            }
            Call::Finalize => {
                if ctx.finalize(Place::Null) == CKR_OK {
                    self.forget();
                }
            }
            Call::OpenSession(variable, access) => {
                let handle = ctx.open_session(self.slot, access.value(), Place::Given);
                if handle != CK_INVALID_HANDLE {
                    self.sessions[variable.0] = handle;
                    self.look_up();
                }
            }
            Call::CloseSession(_) => {
                ctx.close_session(session);
            }
            Call::CloseAllSessions => {
                ctx.close_all_sessions(self.slot);
            }
            Call::GetSessionInfo(_) => {
                ctx.get_session_info(session, Place::Given);
            }
            Call::Login(_, user, pin) => {
                if ctx.login(session, user.value(), pin.value()) == CKR_OK {
                    self.look_up();
                }
            }
            Call::Logout(_) => {
                ctx.logout(session);
            }
            Call::FindObjectsInit(_, search) => {
                ctx.find_objects_init(session, &search.value());
            }
            Call::FindObjects(_, space) => {
                ctx.find_objects(session, space.value());
            }
            Call::FindObjectsFinal(_) => {
                ctx.find_objects_final(session);
            }
            Call::GetAttributeValue(_, _, wanted) => {
                let wanted = wanted
                    .iter()
                    .map(|(kind, space)| (kind.value(), space.value()));
                ctx.get_attribute_value(session, object, &wanted.collect::<Vec<_>>());
            }
            Call::SetAttributeValue(_, _, change) => {
                ctx.set_attribute_value(session, object, &[change.value()]);
            }
            Call::GenerateKeyPair(_, template) => {
                let pair = template.value();
                let made =
                    ctx.generate_key_pair(session, pair.mechanism, &pair.public, &pair.private);
                self.own = made.unwrap_or(self.own);
            }
            Call::CreateSecret(_) => {
                let made = ctx.create_object(session, &secret(), Place::Given);
                if made != CK_INVALID_HANDLE {
                    self.secret = made;
                }
            }
            Call::CopyObject(_, _, change) => {
                let copy = ctx.copy_object(session, object, &[change.value()], Place::Given);
                ctx.quietly(|ctx| ctx.destroy_object(session, copy));
            }
            Call::DestroyObject(_, which) => self.destroy(session, object, *which),
            Call::GenerateRandom(_, space) => {
                ctx.generate_random(session, space.value());
            }
            _ => self.operate(call, session, object),
        }
    }

    /// Destroys an object, and the rest of the walk's own pair with one half of it.
    fn destroy(&mut self, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, which: Object) {
        let rv = self.ctx.destroy_object(session, object);
        if let (CKR_OK, Object::Key(Key::Own, half)) = (rv, which) {
            let other = match half {
                Half::Public => self.own.private,
                Half::Private => self.own.public,
            };
            self.ctx.quietly(|ctx| ctx.destroy_object(session, other));
        }
    }

    fn operate(&mut self, call: &Call, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) {
        let ctx = &mut self.ctx;
        match *call {
            Call::Init(operation, variable, scheme, _) => {
                let scheme = scheme.value();
                match operation {
                    Operation::Sign => {
                        self.signing[variable.0].clear();
                        ctx.sign_init(session, scheme, key)
                    }
                    Operation::Verify => ctx.verify_init(session, scheme, key),
                    Operation::Encrypt => ctx.encrypt_init(session, scheme, key),
                    Operation::Decrypt => ctx.decrypt_init(session, scheme, key),
                    Operation::Digest => ctx.digest_init(session, scheme),
                    Operation::Find => CKR_OK,
                };
            }
            Call::Whole(operation, _, data, space) => {
                let (data, space) = (data.value(), space.value());
                let answer = match operation {
                    Operation::Sign => ctx.sign(session, data, space),
                    Operation::Encrypt => ctx.encrypt(session, data, space),
                    Operation::Decrypt => ctx.decrypt(session, data, space),
                    _ => ctx.digest(session, data, space),
                };
                match operation {
                    _ if answer.bytes.is_empty() => {}
                    Operation::Sign => self.signed = (data.to_vec(), answer.bytes),
                    Operation::Encrypt => self.ciphertext = answer.bytes,
                    _ => {}
                }
            }
            Call::Part(operation, variable, data) => {
                let data = data.value();
                match operation {
                    Operation::Sign => {
                        self.signing[variable.0].extend(data.to_vec());
                        ctx.sign_update(session, data)
                    }
                    Operation::Verify => ctx.verify_update(session, data),
                    _ => ctx.digest_update(session, data),
                };
            }
            Call::Final(operation, variable, space) => {
                let answer = match operation {
                    Operation::Sign => ctx.sign_final(session, space.value()),
                    _ => ctx.digest_final(session, space.value()),
                };
                if operation == Operation::Sign && !answer.bytes.is_empty() {
                    self.signed = (self.signing[variable.0].clone(), answer.bytes);
                }
            }
            Call::Verify(_, data, signature) => {
                ctx.verify(session, data.value(), signature.value());
            }
            Call::VerifyFinal(_, signature) => {
                ctx.verify_final(session, signature.value());
            }
            Call::VerifyMade(_) => {
                ctx.verify(session, &self.signed.0, &self.signed.1);
            }
            Call::DecryptMade(_, space) => {
                ctx.decrypt(session, &self.ciphertext, space.value());
            }
            _ => {}
        }
    }

    fn object(&self, object: Object) -> CK_OBJECT_HANDLE {
        let (key, half) = match object {
            Object::Key(key, half) => (key, half),
            Object::Secret => return self.secret,
            Object::Nothing => return NO_OBJECT,
        };
        let pair = match key {
            Key::Ec => self.ec,
            Key::Rsa => self.rsa,
            Key::Decryption => self.decryption,
            Key::Own => self.own,
        };
        match half {
            Half::Public => pair.public,
            Half::Private => pair.private,
        }
    }
}

/// Reads orders from standard input and answers on standard output.
pub(crate) fn serve(module: &Path) -> Result<(), Box<dyn std::error::Error>> {
    run(module, io::stdin().lock(), &mut io::stdout())
}
