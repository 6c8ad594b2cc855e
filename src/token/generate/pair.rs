//! What C_GenerateKeyPair asks for: the spec and the one usage of a KMS key.

use pkcs11_sys::*;

use super::{bad, check, missing, no_use};
use crate::config::TokenConfig;
use crate::crypto::{Curve, edwards};
use crate::error::{Error, Result};
use crate::kms::{KeySpec, KeyUsage};
use crate::mechanism::{self, Mechanism, Work};
use crate::object::attributes::Making;
use crate::object::template::Template;
use crate::object::{Part, spec};
use crate::v3_2::*;

/// 65537, the only public exponent KMS makes.
const PUBLIC_EXPONENT: [u8; 3] = [1, 0, 1];

pub(super) fn kind(
    config: &TokenConfig,
    mechanism: Mechanism<'_>,
    public: &Template<'_>,
    private: &Template<'_>,
) -> Result<(KeySpec, KeyUsage)> {
    let row = mechanism::find(mechanism.type_)?;
    let (Work::GeneratePair, [key_type]) = (row.work, row.key_types) else {
        return Err(Error::new(
            CKR_MECHANISM_INVALID,
            "the mechanism generates no key pair",
        ));
    };
    mechanism.check_no_parameter()?;
    check(Making::Generated, public, Part::Public, *key_type)?;
    check(Making::Generated, private, Part::Private, *key_type)?;
    let pair = Pair { public, private };
    match *key_type {
        CKK_RSA => {
            let spec = pair.rsa_spec()?;
            Ok((spec, pair.rsa_usage(spec, config)?))
        }
        CKK_EC => {
            let spec = pair.ec_spec()?;
            Ok((spec, pair.ec_usage(spec)?))
        }
        CKK_EC_EDWARDS => {
            pair.check_edwards()?;
            pair.check_wants(CKA_SIGN, CKA_VERIFY, "CKA_SIGN")?;
            Ok((KeySpec::EccNistEdwards25519, KeyUsage::SignVerify))
        }
        CKK_ML_DSA => {
            let spec = pair.set(spec::ML_DSA_SETS.iter().map(|row| (row.0, row.2)))?;
            pair.check_wants(CKA_SIGN, CKA_VERIFY, "CKA_SIGN")?;
            Ok((spec, KeyUsage::SignVerify))
        }
        _ => {
            let spec = pair.set(spec::ML_KEM_SETS.iter().map(|row| (row.0, row.2)))?;
            pair.check_wants(CKA_DECAPSULATE, CKA_ENCAPSULATE, "CKA_DECAPSULATE")?;
            Ok((spec, KeyUsage::EncapsulateDecapsulate))
        }
    }
}

/// The templates of both halves, each attribute of which is of its shape.
pub(in crate::token) struct Pair<'a> {
    pub(in crate::token) public: &'a Template<'a>,
    pub(in crate::token) private: &'a Template<'a>,
}

impl Pair<'_> {
    /// What the templates say of a use: the private half's word counts, the public half's where
    /// there is none.
    fn wants(
        &self,
        private_use: CK_ATTRIBUTE_TYPE,
        public_use: CK_ATTRIBUTE_TYPE,
    ) -> Result<Option<bool>> {
        Ok(self
            .private
            .flag(private_use)?
            .or(self.public.flag(public_use)?))
    }

    /// Refuses templates that forbid the only use of the key.
    fn check_wants(
        &self,
        private_use: CK_ATTRIBUTE_TYPE,
        public_use: CK_ATTRIBUTE_TYPE,
        name: &str,
    ) -> Result<()> {
        match self.wants(private_use, public_use)? {
            Some(false) => Err(no_use(name)),
            Some(true) | None => Ok(()),
        }
    }

    fn rsa_spec(&self) -> Result<KeySpec> {
        if [self.public, self.private]
            .iter()
            .filter_map(|template| template.get(CKA_PUBLIC_EXPONENT))
            .any(|given| significant(given) != PUBLIC_EXPONENT)
        {
            return Err(bad(
                "CKA_PUBLIC_EXPONENT",
                "KMS makes RSA keys with the exponent 65537",
            ));
        }
        let bits = self
            .public
            .ulong(CKA_MODULUS_BITS)?
            .ok_or_else(|| missing("CKA_MODULUS_BITS"))?;
        usize::try_from(bits)
            .ok()
            .and_then(spec::of_rsa)
            .ok_or_else(|| {
                bad(
                    "CKA_MODULUS_BITS",
                    "KMS makes RSA keys of 2048, 3072 and 4096 bits",
                )
            })
    }

    /// A KMS RSA key signs or decrypts; where a template asks for both, the configuration decides.
    pub(in crate::token) fn rsa_usage(
        &self,
        spec: KeySpec,
        config: &TokenConfig,
    ) -> Result<KeyUsage> {
        let wanted = (
            self.wants(CKA_SIGN, CKA_VERIFY)?,
            self.wants(CKA_DECRYPT, CKA_ENCRYPT)?,
        );
        match wanted {
            (Some(true), Some(true)) => Ok(config
                .rsa_usage_when_both
                .of(spec)
                .unwrap_or(KeyUsage::SignVerify)),
            (_, Some(true)) => Ok(KeyUsage::EncryptDecrypt),
            (Some(true) | None, _) => Ok(KeyUsage::SignVerify),
            (Some(false), _) => Err(no_use("CKA_SIGN or CKA_DECRYPT")),
        }
    }

    fn ec_spec(&self) -> Result<KeySpec> {
        Curve::from_ec_params(self.ec_params()?)
            .map(spec::of_curve)
            .ok_or_else(|| {
                Error::new(
                    CKR_CURVE_NOT_SUPPORTED,
                    "CKA_EC_PARAMS: KMS has the curves P-256, P-384, P-521 and secp256k1",
                )
            })
    }

    /// A KMS EC key signs or agrees on secrets; where a template asks for both, it signs.
    pub(in crate::token) fn ec_usage(&self, spec: KeySpec) -> Result<KeyUsage> {
        let derives = self.private.flag(CKA_DERIVE)? == Some(true);
        match self.wants(CKA_SIGN, CKA_VERIFY)? {
            None | Some(false) if derives && spec == KeySpec::EccSecgP256k1 => Err(Error::new(
                CKR_TEMPLATE_INCONSISTENT,
                "CKA_DERIVE: KMS agrees on secrets with the curves P-256, P-384 and P-521",
            )),
            None | Some(false) if derives => Ok(KeyUsage::KeyAgreement),
            None | Some(true) => Ok(KeyUsage::SignVerify),
            Some(false) => Err(no_use("CKA_SIGN or CKA_DERIVE")),
        }
    }

    fn check_edwards(&self) -> Result<()> {
        if edwards::is_ed25519(self.ec_params()?) {
            return Ok(());
        }
        Err(Error::new(
            CKR_CURVE_NOT_SUPPORTED,
            "CKA_EC_PARAMS: the one Edwards curve of KMS is edwards25519",
        ))
    }

    /// The curve of CKA_EC_PARAMS; the private template may repeat it.
    fn ec_params(&self) -> Result<&[u8]> {
        let params = self
            .public
            .get(CKA_EC_PARAMS)
            .ok_or_else(|| missing("CKA_EC_PARAMS"))?;
        match self.private.get(CKA_EC_PARAMS) {
            Some(other) if other != params => Err(Error::new(
                CKR_TEMPLATE_INCONSISTENT,
                "the templates name two curves",
            )),
            _ => Ok(params),
        }
    }

    /// The spec of CKA_PARAMETER_SET; the private template may repeat it.
    fn set(&self, sets: impl Iterator<Item = (CK_ULONG, KeySpec)>) -> Result<KeySpec> {
        let set = self
            .public
            .ulong(CKA_PARAMETER_SET)?
            .ok_or_else(|| missing("CKA_PARAMETER_SET"))?;
        if self
            .private
            .ulong(CKA_PARAMETER_SET)?
            .is_some_and(|other| other != set)
        {
            return Err(Error::new(
                CKR_TEMPLATE_INCONSISTENT,
                "the templates name two parameter sets",
            ));
        }
        let mut sets = sets;
        sets.find(|(number, _)| *number == set)
            .map(|(_, spec)| spec)
            .ok_or_else(|| {
                Error::new(
                    CKR_PARAMETER_SET_NOT_SUPPORTED,
                    "CKA_PARAMETER_SET: no set of the mechanism has this number",
                )
            })
    }
}

pub(in crate::token) fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
