//! An emulated KMS that refuses one operation, in the words of IAM.

use kms_emulator::{Effect, Emulator, Fault, NewKeys, Options};
use kms_pkcs11_testkit::AccessKey;

use crate::cloud::SETTINGS;
use crate::probes::{ALIAS, KEYS, Material, prepare};
use crate::tenant::Tenant;

pub(crate) struct Refusing {
    pub(crate) emulator: Emulator,
    pub(crate) material: Material,
}

impl Refusing {
    /// With the same keys as the cloud's, and those that MiniStack does not have.
    pub(crate) fn start() -> Self {
        let emulator = Emulator::start(Options::default()).unwrap();
        let keys = |spec, usage| {
            NewKeys::new(1, spec, usage).tag("TeleportCluster", "teleport.example.com")
        };
        for (name, spec, usage) in KEYS {
            emulator
                .create_keys(&keys(spec, usage).tag("p11:label", name))
                .unwrap();
        }
        let mut nameless = keys("ECC_NIST_P256", "SIGN_VERIFY");
        nameless.alias = Some(format!("alias/{ALIAS}"));
        emulator.create_keys(&nameless).unwrap();
        let tenant = Tenant::start(&emulator.endpoint(), &AccessKey::test().into(), SETTINGS);
        let material = prepare(tenant.session());
        drop(tenant);
        Self { emulator, material }
    }

    pub(crate) fn tenant(&self, settings: &str) -> Tenant {
        Tenant::start(
            &self.emulator.endpoint(),
            &AccessKey::test().into(),
            settings,
        )
    }

    /// Refuses all requests of an operation because nothing allows an action.
    pub(crate) fn refuse(&self, operation: &str, action: &str) {
        let message = format!(
            "User: arn:aws:iam::000000000000:user/test is not authorized to perform: {action} on \
             resource: * because no identity-based policy allows the {action} action"
        );
        let effect = Effect::Error {
            code: "AccessDeniedException".to_owned(),
            message,
            status: 400,
        };
        self.emulator
            .fault(Fault::once(operation, effect).times(u32::MAX));
    }
}
