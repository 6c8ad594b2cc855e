//! Where a walk may find the two modules apart, and why: by function and state, whatever the seed.
//!
//! A difference that a rule explains is settled: its session is replaced in both modules, and the walk goes
//! on from where they agree. Sections are those of the PKCS #11 Specification 3.1.

mod table;

pub(crate) use self::table::RULES;

use super::call::{Call, Key, Object, Operation, Scheme};
use super::state::{Active, State};
use crate::differences::Backs;

/// A kind of difference that has one reason.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) backs: Backs,
    pub(crate) section: &'static str,
    pub(crate) why: &'static str,
    /// The call, and what was known before it.
    when: fn(&Call, &State) -> bool,
    /// What SoftHSM2 may answer.
    pub(crate) softhsm: &'static [&'static str],
    /// What kms-pkcs11 may answer.
    pub(crate) module: &'static [&'static str],
}

/// The index of the rule that explains these return values of a call in this state.
pub(super) fn explaining(call: &Call, state: &State, softhsm: &str, module: &str) -> Option<usize> {
    RULES.iter().position(|rule| {
        rule.softhsm.contains(&softhsm) && rule.module.contains(&module) && (rule.when)(call, state)
    })
}

/// The active operation that a call is about.
fn active<'a>(call: &Call, state: &'a State) -> Option<&'a Active> {
    let active = state.active(call.session()?)?;
    (Some(active.operation) == call.operation()).then_some(active)
}

/// Whether the call starts an operation.
fn starts(call: &Call) -> bool {
    matches!(call, Call::Init(..) | Call::FindObjectsInit(..))
}

/// Whether the call is one of a running operation that has this mechanism.
fn runs_with(call: &Call, state: &State, schemes: &[Scheme]) -> bool {
    !starts(call)
        && active(call, state)
            .and_then(|active| active.scheme)
            .is_some_and(|scheme| schemes.contains(&scheme))
}

/// Whether there is an object behind the variable.
fn exists(object: Object, state: &State) -> bool {
    match object {
        Object::Key(Key::Own, _) => state.own.is_some(),
        Object::Key(..) => true,
        Object::Secret => state.secret.is_some(),
        Object::Nothing => false,
    }
}

/// Whether a mechanism is one of an operation.
fn fits(operation: Operation, scheme: Scheme) -> bool {
    match scheme {
        Scheme::Ecdsa
        | Scheme::RsaPkcs
        | Scheme::Sha256RsaPkcs
        | Scheme::RsaPss
        | Scheme::Sha256RsaPss => matches!(operation, Operation::Sign | Operation::Verify),
        Scheme::Oaep | Scheme::AesCbc | Scheme::AesCbcPad | Scheme::AesCtr | Scheme::AesGcm => {
            matches!(operation, Operation::Encrypt | Operation::Decrypt)
        }
        Scheme::Sha256 | Scheme::Sha512 => operation == Operation::Digest,
        Scheme::Unknown | Scheme::Null => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::{Data, Half, Session, Space};
    use super::*;

    const SIGN: Call = Call::Whole(Operation::Sign, Session(0), Data::Message, Space::Ample);
    const EC: Object = Object::Key(Key::Ec, Half::Private);

    #[test]
    fn no_rule_explains_a_refusal_in_a_state_where_nothing_is_wrong() {
        let state = State::default();
        assert_eq!(
            explaining(&SIGN, &state, "CKR_OK", "CKR_DEVICE_ERROR"),
            None
        );
        assert_eq!(
            explaining(&SIGN, &state, "CKR_OK", "CKR_OPERATION_NOT_INITIALIZED"),
            None
        );
    }

    #[test]
    fn a_missing_key_is_explained_and_one_that_is_there_is_not() {
        let init = |key| Call::Init(Operation::Sign, Session(0), Scheme::Ecdsa, key);
        let (softhsm, module) = ("CKR_OBJECT_HANDLE_INVALID", "CKR_KEY_HANDLE_INVALID");
        let state = State::default();
        assert!(explaining(&init(Object::Nothing), &state, softhsm, module).is_some());
        assert!(explaining(&init(EC), &state, softhsm, module).is_none());
    }
}
