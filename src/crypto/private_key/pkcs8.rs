//! PKCS#8 of RSA and EC keys, written into memory that is wiped and read without copies.
//!
//! Source: RFC 5208 and RFC 5958 (`PrivateKeyInfo`), RFC 8017 (`RSAPrivateKey`), RFC 5915
//! (`ECPrivateKey`).

use der::asn1::{AnyRef, BitStringRef, ContextSpecificRef, OctetStringRef, UintRef};
use der::{
    Decode, Encode, EncodeValue, FixedTag, Header, Length, Reader, SliceReader, Tag, TagMode,
    TagNumber, Writer,
};
use spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

use super::{PrivateKeyError, RsaNumbers};
use crate::crypto::Curve;
use crate::crypto::public_key::{EC_PUBLIC_KEY, RSA_ENCRYPTION, SpkiError};

/// The version of `PrivateKeyInfo` without a public key, and of an `RSAPrivateKey` of two primes.
const VERSION: u8 = 0;
/// The version of `ECPrivateKey`.
const EC_VERSION: u8 = 1;
const EC_PARAMETERS: TagNumber = TagNumber(0);
const EC_PUBLIC: TagNumber = TagNumber(1);

/// What a PKCS#8 holds.
pub(super) enum Unpacked<'a> {
    Rsa(RsaNumbers<'a>),
    Ec {
        curve: Curve,
        value: &'a [u8],
        /// The uncompressed point, where it is there.
        public: Option<&'a [u8]>,
    },
}

/// Takes a PKCS#8 apart; whether its numbers make a key is not looked at.
pub(super) fn unpack(der: &[u8]) -> Result<Unpacked<'_>, PrivateKeyError> {
    let malformed = |_: der::Error| PrivateKeyError::Malformed;
    let (algorithm, key) = private_key_info(der).map_err(malformed)?;
    match algorithm.oid {
        RSA_ENCRYPTION => rsa_numbers(key).map(Unpacked::Rsa).map_err(malformed),
        EC_PUBLIC_KEY => {
            let curve = algorithm
                .parameters
                .and_then(|parameters| parameters.decode_as().ok())
                .and_then(Curve::from_oid)
                .ok_or(SpkiError::UnsupportedCurve)?;
            let (value, public) = ec_private_key(key, curve).map_err(malformed)?;
            Ok(Unpacked::Ec {
                curve,
                value,
                public,
            })
        }
        _ => Err(PrivateKeyError::UnsupportedAlgorithm),
    }
}

/// The DER of the first value; `None` where there is none.
pub(super) fn first_value(bytes: &[u8]) -> Option<&[u8]> {
    SliceReader::new(bytes)
        .and_then(|mut reader| reader.tlv_bytes())
        .ok()
}

fn private_key_info(der: &[u8]) -> der::Result<(AlgorithmIdentifierRef<'_>, &[u8])> {
    let mut reader = SliceReader::new(der)?;
    let parts = reader.sequence(|info: &mut SliceReader<'_>| {
        // 0, or 1 where a public key follows; what follows is not needed.
        u8::decode(info)?;
        let algorithm = AlgorithmIdentifierRef::decode(info)?;
        let key = <&OctetStringRef>::decode(info)?;
        while !info.is_finished() {
            AnyRef::decode(info)?;
        }
        Ok::<_, der::Error>((algorithm, key.as_bytes()))
    })?;
    reader.finish()?;
    Ok(parts)
}

fn rsa_numbers(der: &[u8]) -> der::Result<RsaNumbers<'_>> {
    let mut reader = SliceReader::new(der)?;
    let numbers = reader.sequence(|key: &mut SliceReader<'_>| {
        // Another version has more than two primes, and more numbers than are read here.
        u8::decode(key)?;
        let mut next = || UintRef::decode(key).map(|number| UintRef::as_bytes(&number));
        Ok::<_, der::Error>(RsaNumbers {
            modulus: next()?,
            public_exponent: next()?,
            private_exponent: next()?,
            prime_1: next()?,
            prime_2: next()?,
            exponent_1: next()?,
            exponent_2: next()?,
            coefficient: next()?,
        })
    })?;
    reader.finish()?;
    Ok(numbers)
}

fn ec_private_key(der: &[u8], curve: Curve) -> der::Result<(&[u8], Option<&[u8]>)> {
    let mut reader = SliceReader::new(der)?;
    let parts = reader.sequence(|key: &mut SliceReader<'_>| {
        u8::decode(key)?;
        let value = <&OctetStringRef>::decode(key)?;
        let parameters = key.context_specific(EC_PARAMETERS, TagMode::Explicit)?;
        if parameters.is_some_and(|given| Curve::from_oid(given) != Some(curve)) {
            return Err(Tag::ObjectIdentifier.value_error().into());
        }
        let public = key.context_specific::<BitStringRef<'_>>(EC_PUBLIC, TagMode::Explicit)?;
        Ok::<_, der::Error>((value.as_bytes(), public.map(|bits| bits.raw_bytes())))
    })?;
    reader.finish()?;
    Ok(parts)
}

/// `PrivateKeyInfo` around the structure of a key.
struct PrivateKeyInfo<'a, K> {
    algorithm: AlgorithmIdentifierRef<'a>,
    key: &'a K,
}

impl<K: Encode> PrivateKeyInfo<'_, K> {
    fn key_header(&self) -> der::Result<Header> {
        Ok(Header::new(Tag::OctetString, self.key.encoded_len()?))
    }

    /// Its DER, of which no copy is left.
    fn to_wiped_der(&self) -> der::Result<Zeroizing<Vec<u8>>> {
        let len = usize::try_from(self.encoded_len()?)?;
        let mut der = Zeroizing::new(vec![0; len]);
        self.encode_to_slice(&mut der)?;
        Ok(der)
    }
}

impl<K> FixedTag for PrivateKeyInfo<'_, K> {
    const TAG: Tag = Tag::Sequence;
}

impl<K: Encode> EncodeValue for PrivateKeyInfo<'_, K> {
    fn value_len(&self) -> der::Result<Length> {
        VERSION.encoded_len()?
            + self.algorithm.encoded_len()?
            + self.key_header()?.encoded_len()?
            + self.key.encoded_len()?
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        VERSION.encode(writer)?;
        self.algorithm.encode(writer)?;
        self.key_header()?.encode(writer)?;
        self.key.encode(writer)
    }
}

/// `RSAPrivateKey`: the numbers in the order of [`RsaNumbers`].
pub(super) struct RsaPrivateKey<'a>([UintRef<'a>; 8]);

impl<'a> RsaPrivateKey<'a> {
    pub(super) fn new(numbers: RsaNumbers<'a>) -> der::Result<Self> {
        Ok(Self([
            UintRef::new(numbers.modulus)?,
            UintRef::new(numbers.public_exponent)?,
            UintRef::new(numbers.private_exponent)?,
            UintRef::new(numbers.prime_1)?,
            UintRef::new(numbers.prime_2)?,
            UintRef::new(numbers.exponent_1)?,
            UintRef::new(numbers.exponent_2)?,
            UintRef::new(numbers.coefficient)?,
        ]))
    }

    pub(super) fn to_pkcs8(&self) -> der::Result<Zeroizing<Vec<u8>>> {
        let algorithm = AlgorithmIdentifierRef {
            oid: RSA_ENCRYPTION,
            parameters: Some(AnyRef::NULL),
        };
        let key = self;
        PrivateKeyInfo { algorithm, key }.to_wiped_der()
    }
}

impl FixedTag for RsaPrivateKey<'_> {
    const TAG: Tag = Tag::Sequence;
}

impl EncodeValue for RsaPrivateKey<'_> {
    fn value_len(&self) -> der::Result<Length> {
        self.0
            .iter()
            .try_fold(VERSION.encoded_len()?, |len, number| {
                len + number.encoded_len()?
            })
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        VERSION.encode(writer)?;
        self.0.iter().try_for_each(|number| number.encode(writer))
    }
}

/// `ECPrivateKey`, whose curve is told by what is around it.
pub(super) struct EcPrivateKey<'a> {
    curve: Curve,
    value: &'a OctetStringRef,
    public: Option<BitStringRef<'a>>,
}

impl<'a> EcPrivateKey<'a> {
    /// `value` has the length of the curve's field, `public` is the uncompressed point.
    pub(super) fn new(
        curve: Curve,
        value: &'a [u8],
        public: Option<&'a [u8]>,
    ) -> der::Result<Self> {
        Ok(Self {
            curve,
            value: OctetStringRef::new(value)?,
            public: public.map(BitStringRef::from_bytes).transpose()?,
        })
    }

    pub(super) fn to_pkcs8(&self) -> der::Result<Zeroizing<Vec<u8>>> {
        let algorithm = AlgorithmIdentifierRef {
            oid: EC_PUBLIC_KEY,
            parameters: Some(AnyRef::from_der(self.curve.ec_params())?),
        };
        let key = self;
        PrivateKeyInfo { algorithm, key }.to_wiped_der()
    }

    fn tagged_public(&self) -> Option<ContextSpecificRef<'_, BitStringRef<'a>>> {
        self.public.as_ref().map(|value| ContextSpecificRef {
            tag_number: EC_PUBLIC,
            tag_mode: TagMode::Explicit,
            value,
        })
    }
}

impl FixedTag for EcPrivateKey<'_> {
    const TAG: Tag = Tag::Sequence;
}

impl EncodeValue for EcPrivateKey<'_> {
    fn value_len(&self) -> der::Result<Length> {
        EC_VERSION.encoded_len()?
            + self.value.encoded_len()?
            + self.tagged_public().encoded_len()?
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        EC_VERSION.encode(writer)?;
        self.value.encode(writer)?;
        self.tagged_public().encode(writer)
    }
}
