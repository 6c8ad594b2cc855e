//! Calls as the lines of a scenario.

use std::fmt::{self, Display, Formatter};

use super::{Call, Half, Key, Object, Operation, Session};

/// The call as a line of a scenario.
impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initialize => write!(f, "ctx.initialize(Locking::OS);"),
            Self::Finalize => write!(f, "ctx.finalize(Null);"),
            Self::OpenSession(session, access) => {
                write!(
                    f,
                    "let {session} = ctx.open_session(slot, {access}, Given);"
                )
            }
            Self::CloseSession(session) => write!(f, "ctx.close_session({session});"),
            Self::CloseAllSessions => write!(f, "ctx.close_all_sessions(slot);"),
            Self::GetSessionInfo(session) => write!(f, "ctx.get_session_info({session}, Given);"),
            Self::Login(session, user, pin) => write!(f, "ctx.login({session}, {user}, {pin});"),
            Self::Logout(session) => write!(f, "ctx.logout({session});"),
            Self::FindObjectsInit(session, search) => {
                write!(f, "ctx.find_objects_init({session}, &{search});")
            }
            Self::FindObjects(session, space) => {
                write!(f, "ctx.find_objects({session}, {space});")
            }
            Self::FindObjectsFinal(session) => write!(f, "ctx.find_objects_final({session});"),
            Self::GetAttributeValue(session, object, wanted) => {
                let wanted = wanted
                    .iter()
                    .map(|(kind, space)| format!("({kind}, {space})"));
                let wanted = wanted.collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "ctx.get_attribute_value({session}, {object}, &[{wanted}]);"
                )
            }
            Self::SetAttributeValue(session, object, change) => {
                write!(
                    f,
                    "ctx.set_attribute_value({session}, {object}, &[{change}]);"
                )
            }
            Self::GenerateKeyPair(session, pair) => {
                write!(f, "let own = generate(ctx, {session}, {pair});")
            }
            Self::DestroyObject(session, object) => {
                write!(f, "ctx.destroy_object({session}, {object});")
            }
            Self::CreateSecret(session) => {
                write!(
                    f,
                    "let secret = ctx.create_object({session}, &secret(), Given);"
                )
            }
            Self::CopyObject(session, object, change) => {
                write!(
                    f,
                    "ctx.copy_object({session}, {object}, &[{change}], Given);"
                )
            }
            Self::GenerateRandom(session, space) => {
                write!(f, "ctx.generate_random({session}, {space});")
            }
            _ => self.print_operation(f),
        }
    }
}

impl Call {
    /// The calls that start, continue and end an operation; all others print nothing.
    fn print_operation(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init(Operation::Digest, session, scheme, _) => {
                write!(f, "ctx.digest_init({session}, {scheme});")
            }
            Self::Init(operation, session, scheme, key) => {
                write!(f, "ctx.{operation}_init({session}, {scheme}, {key});")
            }
            Self::Whole(Operation::Sign, session, data, space) => {
                write!(
                    f,
                    "let signature = ctx.sign({session}, {data}, {space}).bytes;"
                )
            }
            Self::Whole(Operation::Encrypt, session, data, space) => {
                write!(
                    f,
                    "let ciphertext = ctx.encrypt({session}, {data}, {space}).bytes;"
                )
            }
            Self::Whole(operation, session, data, space) => {
                write!(f, "ctx.{operation}({session}, {data}, {space});")
            }
            Self::Part(operation, session, data) => {
                write!(f, "ctx.{operation}_update({session}, {data});")
            }
            Self::Final(Operation::Sign, session, space) => {
                write!(
                    f,
                    "let signature = ctx.sign_final({session}, {space}).bytes;"
                )
            }
            Self::Final(operation, session, space) => {
                write!(f, "ctx.{operation}_final({session}, {space});")
            }
            Self::Verify(session, data, signature) => {
                write!(f, "ctx.verify({session}, {data}, {signature});")
            }
            Self::VerifyFinal(session, signature) => {
                write!(f, "ctx.verify_final({session}, {signature});")
            }
            Self::VerifyMade(session) => write!(f, "ctx.verify({session}, signed, &signature);"),
            Self::DecryptMade(session, space) => {
                write!(f, "ctx.decrypt({session}, &ciphertext, {space});")
            }
            _ => Ok(()),
        }
    }
}

impl Display for Session {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "session_{}", self.0)
    }
}

impl Display for Object {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (key, half) = match self {
            Self::Key(key, half) => (key, half),
            Self::Secret => return f.write_str("secret"),
            Self::Nothing => return f.write_str("NO_OBJECT"),
        };
        let half = match half {
            Half::Public => "public",
            Half::Private => "private",
        };
        write!(f, "{key}.{half}")
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ec => "ec",
            Self::Rsa => "rsa",
            Self::Decryption => "decryption",
            Self::Own => "own",
        })
    }
}

impl Display for Operation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Find => "find_objects",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::Digest => "digest",
        })
    }
}
