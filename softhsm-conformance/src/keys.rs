//! Keys that scenarios use: made once per token, found again by their labels.

use cryptoki_sys::*;

use crate::arguments::{Attribute, Mechanism, Output, bytes, flag, number};
use crate::ctx::Ctx;

/// The handles of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyPair {
    pub(crate) public: CK_OBJECT_HANDLE,
    pub(crate) private: CK_OBJECT_HANDLE,
}

/// A key pair that every scenario may use and none may change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixture {
    pub(crate) label: &'static str,
    kind: Kind,
    purpose: Purpose,
}

/// Type and size of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// RSA with a modulus of so many bits.
    Rsa(CK_ULONG),
    /// EC on the curve of this DER-encoded object identifier.
    Ec(&'static [u8]),
    Ed25519,
    /// ML-DSA with the parameter set of this number.
    MlDsa(CK_ULONG),
    /// ML-KEM with the parameter set of this number.
    MlKem(CK_ULONG),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Signing,
    Decryption,
    Agreement,
    Encapsulation,
}

pub(crate) const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
pub(crate) const P384: &[u8] = &[0x06, 5, 0x2b, 0x81, 0x04, 0, 0x22];
pub(crate) const P521: &[u8] = &[0x06, 5, 0x2b, 0x81, 0x04, 0, 0x23];
pub(crate) const SECP256K1: &[u8] = &[0x06, 5, 0x2b, 0x81, 0x04, 0, 0x0a];

/// PrintableString `edwards25519`.
pub(crate) const EDWARDS25519: &[u8] = b"\x13\x0cedwards25519";

pub(crate) const RSA: Fixture = signing("fixture-rsa-2048", Kind::Rsa(2048));
pub(crate) const RSA_3072: Fixture = signing("fixture-rsa-3072", Kind::Rsa(3072));
pub(crate) const EC: Fixture = signing("fixture-p256", Kind::Ec(P256));
pub(crate) const EC_384: Fixture = signing("fixture-p384", Kind::Ec(P384));
pub(crate) const EC_521: Fixture = signing("fixture-p521", Kind::Ec(P521));
pub(crate) const EC_K1: Fixture = signing("fixture-secp256k1", Kind::Ec(SECP256K1));
pub(crate) const RSA_DECRYPTION: Fixture = Fixture {
    label: "fixture-rsa-decryption",
    kind: Kind::Rsa(2048),
    purpose: Purpose::Decryption,
};

pub(crate) const AGREEMENT: Fixture = Fixture {
    label: "fixture-agreement",
    kind: Kind::Ec(P256),
    purpose: Purpose::Agreement,
};
pub(crate) const ED25519: Fixture = signing("fixture-ed25519", Kind::Ed25519);
pub(crate) const ML_DSA_44: Fixture = signing("fixture-ml-dsa-44", Kind::MlDsa(CKP_ML_DSA_44));
pub(crate) const ML_DSA_65: Fixture = signing("fixture-ml-dsa-65", Kind::MlDsa(CKP_ML_DSA_65));
pub(crate) const ML_DSA_87: Fixture = signing("fixture-ml-dsa-87", Kind::MlDsa(CKP_ML_DSA_87));
pub(crate) const ML_KEM_512: Fixture = encapsulation("fixture-ml-kem-512", CKP_ML_KEM_512);
pub(crate) const ML_KEM_768: Fixture = encapsulation("fixture-ml-kem-768", CKP_ML_KEM_768);
pub(crate) const ML_KEM_1024: Fixture = encapsulation("fixture-ml-kem-1024", CKP_ML_KEM_1024);

const fn encapsulation(label: &'static str, set: CK_ULONG) -> Fixture {
    Fixture {
        label,
        kind: Kind::MlKem(set),
        purpose: Purpose::Encapsulation,
    }
}

const fn signing(label: &'static str, kind: Kind) -> Fixture {
    Fixture {
        label,
        kind,
        purpose: Purpose::Signing,
    }
}

/// The templates from which a pair is generated: of the public and of the private key.
#[derive(Clone, Debug)]
pub(crate) struct PairTemplate {
    pub(crate) mechanism: Mechanism,
    pub(crate) public: Vec<Attribute>,
    pub(crate) private: Vec<Attribute>,
}

impl PairTemplate {
    /// A complete and consistent pair of token keys, with `label` for its ID too.
    pub(crate) fn new(kind: Kind, purpose: Purpose, label: &str) -> Self {
        let (on_public, on_private) = match purpose {
            Purpose::Signing => (CKA_VERIFY, CKA_SIGN),
            Purpose::Decryption => (CKA_ENCRYPT, CKA_DECRYPT),
            Purpose::Agreement => (CKA_DERIVE, CKA_DERIVE),
            Purpose::Encapsulation => (CKA_ENCAPSULATE, CKA_DECAPSULATE),
        };
        let mut public = vec![flag(CKA_TOKEN, true), flag(on_public, true)];
        public.extend(names(label));
        let mut private = vec![
            flag(CKA_TOKEN, true),
            flag(CKA_PRIVATE, true),
            flag(CKA_SENSITIVE, true),
            flag(CKA_EXTRACTABLE, false),
            flag(on_private, true),
        ];
        private.extend(names(label));
        let mechanism = match kind {
            Kind::Rsa(bits) => {
                public.push(number(CKA_MODULUS_BITS, bits));
                public.push(bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]));
                CKM_RSA_PKCS_KEY_PAIR_GEN
            }
            Kind::Ec(curve) => {
                public.push(bytes(CKA_EC_PARAMS, curve));
                CKM_EC_KEY_PAIR_GEN
            }
            Kind::Ed25519 => {
                public.push(bytes(CKA_EC_PARAMS, EDWARDS25519));
                CKM_EC_EDWARDS_KEY_PAIR_GEN
            }
            Kind::MlDsa(set) => {
                public.push(number(CKA_PARAMETER_SET, set));
                CKM_ML_DSA_KEY_PAIR_GEN
            }
            Kind::MlKem(set) => {
                public.push(number(CKA_PARAMETER_SET, set));
                CKM_ML_KEM_KEY_PAIR_GEN
            }
        };
        Self {
            mechanism: Mechanism::plain(mechanism),
            public,
            private,
        }
    }

    /// Without an attribute of the public key.
    pub(crate) fn public_without(mut self, kind: CK_ATTRIBUTE_TYPE) -> Self {
        self.public.retain(|attribute| attribute.kind != kind);
        self
    }

    /// With an attribute of the public key, in the place of one of its type.
    pub(crate) fn public_with(self, attribute: Attribute) -> Self {
        let mut changed = self.public_without(attribute.kind);
        changed.public.push(attribute);
        changed
    }

    /// With an attribute of the private key, in the place of one of its type.
    pub(crate) fn private_with(mut self, attribute: Attribute) -> Self {
        self.private.retain(|other| other.kind != attribute.kind);
        self.private.push(attribute);
        self
    }
}

fn names(label: &str) -> [Attribute; 2] {
    [
        bytes(CKA_LABEL, label.as_bytes()),
        bytes(CKA_ID, label.as_bytes()),
    ]
}

impl Ctx {
    /// The handles of a fixture, generated unless the token has it.
    pub(crate) fn fixture(&mut self, fixture: Fixture) -> KeyPair {
        if let (Some(public), Some(private)) = self.look_up(fixture) {
            let pair = KeyPair { public, private };
            self.know(pair);
            return pair;
        }
        self.aside(|ctx, session| {
            let template = PairTemplate::new(fixture.kind, fixture.purpose, fixture.label);
            ctx.generate(session, &template)
        })
    }

    /// The handles of a fixture's public and private key, as far as they are to be seen.
    pub(crate) fn look_up(
        &mut self,
        fixture: Fixture,
    ) -> (Option<CK_OBJECT_HANDLE>, Option<CK_OBJECT_HANDLE>) {
        self.aside(|ctx, session| {
            let public = ctx.find(session, CKO_PUBLIC_KEY, fixture.label);
            (public, ctx.find(session, CKO_PRIVATE_KEY, fixture.label))
        })
    }

    /// A P-256 signing pair that the scenario may do with as it likes.
    pub(crate) fn own_pair(&mut self, label: &str) -> KeyPair {
        let template = PairTemplate::new(Kind::Ec(P256), Purpose::Signing, label);
        self.aside(|ctx, session| ctx.generate(session, &template))
    }

    /// Makes calls in a session of their own: those of the scenario may be in the middle of something.
    fn aside<T>(&mut self, calls: impl FnOnce(&mut Self, CK_SESSION_HANDLE) -> T) -> T {
        let session = self.public_session();
        self.quietly(|ctx| {
            let answer = calls(ctx, session);
            ctx.close_session(session);
            answer
        })
    }

    fn generate(&mut self, session: CK_SESSION_HANDLE, template: &PairTemplate) -> KeyPair {
        self.generate_key_pair(
            session,
            template.mechanism,
            &template.public,
            &template.private,
        )
        .unwrap_or_else(|| panic!("C_GenerateKeyPair failed while a key was prepared"))
    }

    /// The first object of a class with this label.
    pub(crate) fn find(
        &mut self,
        session: CK_SESSION_HANDLE,
        class: CK_OBJECT_CLASS,
        label: &str,
    ) -> Option<CK_OBJECT_HANDLE> {
        self.find_objects_init(
            session,
            &[number(CKA_CLASS, class), bytes(CKA_LABEL, label.as_bytes())],
        );
        let found = self.find_objects(session, Output::Room(2));
        self.find_objects_final(session);
        found.first().copied()
    }

    /// The attributes that make a public key, as far as it has them.
    pub(crate) fn public_values(
        &mut self,
        session: CK_SESSION_HANDLE,
        public: CK_OBJECT_HANDLE,
    ) -> Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)> {
        let room = Output::Room(LONGEST_PUBLIC_VALUE);
        let mut value = |kind| {
            self.get_attribute_value(session, public, &[(kind, room)])
                .pop()
                .flatten()
        };
        let values = PUBLIC_VALUES.iter();
        values
            .filter_map(|kind| Some((*kind, value(*kind)?)))
            .collect()
    }
}

/// What a template for `C_CreateObject` says of a public key; each type of key has some of them.
const PUBLIC_VALUES: &[CK_ATTRIBUTE_TYPE] = &[
    CKA_CLASS,
    CKA_KEY_TYPE,
    CKA_MODULUS,
    CKA_PUBLIC_EXPONENT,
    CKA_EC_PARAMS,
    CKA_EC_POINT,
    CKA_PARAMETER_SET,
    CKA_VALUE,
];

/// The value of a public key of ML-DSA-87 is the longest, with 2592 bytes.
const LONGEST_PUBLIC_VALUE: usize = 2592;
