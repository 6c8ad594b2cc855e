//! C_GenerateKeyPair: two templates become one CreateKey request.

use std::sync::Arc;

use pkcs11_sys::*;

use super::Token;
use super::names::PairNames;
use crate::config::Selection;
use crate::crypto::Curve;
use crate::error::{Error, Result};
use crate::kms::{KeySpec, KeyUsage, NewKey, Phase};
use crate::mechanism::{self, Mechanism, Work};
use crate::object::template::Template;
use crate::object::{Half, KeyMaterial, Names, attributes, spec};

/// The handles of a new pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewPair {
    pub(crate) public: CK_OBJECT_HANDLE,
    pub(crate) private: CK_OBJECT_HANDLE,
}

/// 65537, the only public exponent KMS makes.
const PUBLIC_EXPONENT: [u8; 3] = [1, 0, 1];

impl Token {
    /// Makes a key in KMS and waits until it can be used.
    pub(crate) fn generate_pair(
        &self,
        mechanism: Mechanism<'_>,
        public: &Template<'_>,
        private: &Template<'_>,
    ) -> Result<NewPair> {
        if let Selection::Keys(_) = self.config.selection {
            return Err(Error::new(
                CKR_TOKEN_WRITE_PROTECTED,
                "the token shows the keys that its configuration lists; a new one would not be among them",
            ));
        }
        let (spec, usage) = self.kind_of_key(mechanism, public, private)?;
        let names = PairNames {
            private: names(private),
            public: names(public),
        };
        let mut tags = names.to_tags()?;
        tags.extend(self.config.tags().clone());
        let description = self.config.description.as_str().to_owned();
        let request = NewKey {
            spec,
            usage,
            description,
            tags: tags.clone(),
        };
        // The other keys first: a token that cannot be listed makes no key that nobody would find.
        self.view.snapshot()?;
        let (entry, answer) = self
            .kms
            .create_key(&request)
            .map_err(|error| error.into_error(Phase::Generate))?;
        let material = KeyMaterial::new(&answer).map_err(|error| {
            Error::new(
                CKR_DEVICE_ERROR,
                format!("{} was made, but: {error}", entry.arn),
            )
        })?;
        tracing::info!("{}: created ({spec}, {usage})", entry.arn);
        self.view
            .change(|inventory| inventory.created(entry.clone(), tags, Arc::new(material)));
        let snapshot = self.view.latest();
        let handle = |half| {
            snapshot
                .objects()
                .find(|shown| shown.half == half && shown.key.entry == entry)
                .map(|shown| shown.handle)
                .ok_or_else(|| Error::new(CKR_GENERAL_ERROR, "the new key is not in the snapshot"))
        };
        Ok(NewPair {
            public: handle(Half::Public)?,
            private: handle(Half::Private)?,
        })
    }

    fn kind_of_key(
        &self,
        mechanism: Mechanism<'_>,
        public: &Template<'_>,
        private: &Template<'_>,
    ) -> Result<(KeySpec, KeyUsage)> {
        let row = mechanism::find(mechanism.type_)?;
        let key_type = match row.work {
            Work::GenerateRsaPair => CKK_RSA,
            Work::GenerateEcPair => CKK_EC,
            _ => {
                return Err(Error::new(
                    CKR_MECHANISM_INVALID,
                    "the mechanism generates no key pair",
                ));
            }
        };
        mechanism::no_parameter(mechanism)?;
        check(public, Half::Public, key_type)?;
        check(private, Half::Private, key_type)?;
        if key_type == CKK_RSA {
            let bits = rsa_bits(public, private)?;
            let spec = usize::try_from(bits)
                .ok()
                .and_then(spec::of_rsa)
                .ok_or_else(|| {
                    bad(
                        "CKA_MODULUS_BITS",
                        "KMS makes RSA keys of 2048, 3072 and 4096 bits",
                    )
                })?;
            Ok((spec, self.rsa_usage(spec, public, private)?))
        } else {
            let curve = curve(public, private)?;
            check_signs(public, private)?;
            Ok((spec::of_curve(curve), KeyUsage::SignVerify))
        }
    }

    /// A KMS RSA key signs or decrypts; where a template asks for both, the configuration decides.
    fn rsa_usage(
        &self,
        spec: KeySpec,
        public: &Template<'_>,
        private: &Template<'_>,
    ) -> Result<KeyUsage> {
        let wanted = (
            wants(private, CKA_SIGN, public, CKA_VERIFY)?,
            wants(private, CKA_DECRYPT, public, CKA_ENCRYPT)?,
        );
        match wanted {
            (Some(true), Some(true)) => Ok(self
                .config
                .rsa_usage_when_both
                .of(spec)
                .unwrap_or(KeyUsage::SignVerify)),
            (_, Some(true)) => Ok(KeyUsage::EncryptDecrypt),
            (Some(true) | None, _) => Ok(KeyUsage::SignVerify),
            (Some(false), _) => Err(no_use("CKA_SIGN or CKA_DECRYPT")),
        }
    }
}

/// Checks every attribute of one template by the attribute table, and what its class and key type
/// say.
fn check(template: &Template<'_>, half: Half, key_type: CK_KEY_TYPE) -> Result<()> {
    for attribute in template.iter() {
        attributes::check_at_generate(attribute.type_, attribute.value, half, key_type)?;
    }
    template.check_no_contradiction()?;
    for (type_, wanted) in [(CKA_CLASS, half.class()), (CKA_KEY_TYPE, key_type)] {
        if template.ulong(type_)?.is_some_and(|given| given != wanted) {
            return Err(Error::new(
                CKR_TEMPLATE_INCONSISTENT,
                format!("{} contradicts the mechanism", attributes::name(type_)),
            ));
        }
    }
    if template.flag(CKA_TOKEN)? != Some(true) {
        return Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            "keys in KMS outlive the session: both templates need CKA_TOKEN = CK_TRUE",
        ));
    }
    Ok(())
}

fn names(template: &Template<'_>) -> Names {
    let bytes = |type_| template.get(type_).unwrap_or_default().to_vec();
    Names {
        id: bytes(CKA_ID),
        label: bytes(CKA_LABEL),
    }
}

/// What the templates say of a use: the private half's word counts, the public half's where there
/// is none.
fn wants(
    private: &Template<'_>,
    private_use: CK_ATTRIBUTE_TYPE,
    public: &Template<'_>,
    public_use: CK_ATTRIBUTE_TYPE,
) -> Result<Option<bool>> {
    Ok(private.flag(private_use)?.or(public.flag(public_use)?))
}

fn check_signs(public: &Template<'_>, private: &Template<'_>) -> Result<()> {
    match wants(private, CKA_SIGN, public, CKA_VERIFY)? {
        Some(false) => Err(no_use("CKA_SIGN")),
        None if private.flag(CKA_DERIVE)? == Some(true) => Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            "EC keys for CKA_DERIVE alone (KEY_AGREEMENT) are not supported: set CKA_SIGN",
        )),
        Some(true) | None => Ok(()),
    }
}

fn rsa_bits(public: &Template<'_>, private: &Template<'_>) -> Result<CK_ULONG> {
    if [public, private]
        .iter()
        .filter_map(|template| template.get(CKA_PUBLIC_EXPONENT))
        .any(|given| significant(given) != PUBLIC_EXPONENT)
    {
        return Err(bad(
            "CKA_PUBLIC_EXPONENT",
            "KMS makes RSA keys with the exponent 65537",
        ));
    }
    public
        .ulong(CKA_MODULUS_BITS)?
        .ok_or_else(|| missing("CKA_MODULUS_BITS"))
}

/// The curve of CKA_EC_PARAMS; the private template may repeat it.
fn curve(public: &Template<'_>, private: &Template<'_>) -> Result<Curve> {
    let params = public
        .get(CKA_EC_PARAMS)
        .ok_or_else(|| missing("CKA_EC_PARAMS"))?;
    if private
        .get(CKA_EC_PARAMS)
        .is_some_and(|other| other != params)
    {
        return Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            "the templates name two curves",
        ));
    }
    Curve::from_ec_params(params).ok_or_else(|| {
        Error::new(
            CKR_CURVE_NOT_SUPPORTED,
            "CKA_EC_PARAMS: KMS has the curves P-256, P-384, P-521 and secp256k1",
        )
    })
}

fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn missing(attribute: &str) -> Error {
    Error::new(
        CKR_TEMPLATE_INCOMPLETE,
        format!("the public template has no {attribute}"),
    )
}

fn bad(attribute: &str, advice: &str) -> Error {
    Error::new(
        CKR_ATTRIBUTE_VALUE_INVALID,
        format!("{attribute}: {advice}"),
    )
}

fn no_use(uses: &str) -> Error {
    Error::new(
        CKR_TEMPLATE_INCONSISTENT,
        format!("the templates leave the key without use: set {uses}"),
    )
}
