//! A token: the keys of one account and region that carry the configured tags.

mod certificates;
mod destroy;
mod discovery;
mod find;
mod flight;
mod foreign;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzed;
mod generate;
mod import;
mod info;
mod inventory;
mod locals;
mod login;
mod materials;
mod names;
mod operations;
mod profiles;
mod replicas;
mod restrictions;
mod rotation;
mod session_objects;
mod symmetric;
mod view;

use std::sync::Arc;

use pkcs11_sys::CK_SLOT_ID;

pub(crate) use info::{MANUFACTURER, SessionCounts, VERSION, pad};
pub(crate) use names::Renaming;
pub(crate) use symmetric::ReEncrypt;

use crate::config::TokenConfig;
use crate::kms::{Kms, Runtime};
use certificates::store::Store;
use locals::Locals;
use login::Login;
use materials::Materials;
use profiles::Profiles;
use view::View;

/// One slot with its token.
pub(crate) struct Token {
    slot: CK_SLOT_ID,
    config: TokenConfig,
    serial: String,
    kms: Arc<dyn Kms>,
    view: Arc<View>,
    store: Arc<Store>,
    materials: Materials,
    locals: Locals,
    profiles: Profiles,
    login: Login,
}

impl Token {
    pub(crate) fn new(
        slot: CK_SLOT_ID,
        config: TokenConfig,
        region: Option<&str>,
        kms: Arc<dyn Kms>,
        runtime: Arc<Runtime>,
    ) -> Self {
        let store = Arc::new(Store::new(&config));
        let view = View::new(
            config.clone(),
            Arc::clone(&kms),
            runtime,
            Arc::clone(&store),
        );
        Self {
            slot,
            serial: info::serial(&config, region),
            view: Arc::new(view),
            store,
            kms,
            config,
            materials: Materials::default(),
            locals: Locals::default(),
            profiles: Profiles::new(),
            login: Login::default(),
        }
    }

    /// Leaves in the log what the token asked of KMS.
    pub(crate) fn log_counts(&self) {
        self.kms.log_counts();
    }

    pub(crate) fn slot(&self) -> CK_SLOT_ID {
        self.slot
    }

    /// 16 hexadecimal digits.
    pub(crate) fn serial(&self) -> &str {
        &self.serial
    }
}
