//! The module as a client sees it: its `.so`, loaded with dlopen.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use crate::Result;
use crate::key::{DIGEST, Key};
use crate::load::Sign;

/// The initialised module, and its first token.
pub(crate) struct Module {
    pkcs11: Pkcs11,
    slot: Slot,
}

impl Module {
    pub(crate) fn load() -> Result<Self> {
        let pkcs11 = Pkcs11::new(kms_pkcs11_testkit::module())?;
        pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
        let slots = pkcs11.get_slots_with_token()?;
        let slot = slots.first().copied().ok_or("no token")?;
        Ok(Self { pkcs11, slot })
    }

    /// A session of its own, with the key found by its id.
    pub(crate) fn signer(&self, key: &Key) -> Result<ModuleSigner> {
        self.signer_by_id(key, key.id)
    }

    pub(crate) fn signer_by_id(&self, key: &Key, id: u8) -> Result<ModuleSigner> {
        let session = self.pkcs11.open_ro_session(self.slot)?;
        let template = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Id(vec![id]),
        ];
        let found = session.find_objects(&template)?;
        Ok(ModuleSigner {
            session,
            key: found.first().copied().ok_or("the key is not found")?,
            mechanism: key.mechanism,
            data: [key.head, &DIGEST].concat(),
        })
    }
}

pub(crate) struct ModuleSigner {
    session: Session,
    key: ObjectHandle,
    mechanism: fn() -> Mechanism<'static>,
    data: Vec<u8>,
}

impl Sign for ModuleSigner {
    /// C_SignInit, C_Sign for the length, C_Sign for the signature.
    fn sign(&self) -> Result<()> {
        self.session
            .sign(&(self.mechanism)(), self.key, &self.data)?;
        Ok(())
    }
}
