//! Signatures that one module made, verified by another with the public key imported as a session object.

use std::io::{self, Write};
use std::path::Path;

use cryptoki_sys::*;
use serde::{Deserialize, Serialize};

use crate::arguments::{Attribute, Mechanism, Output, Parameter, Place, bytes, flag};
use crate::child::write_line;
use crate::compare::Pair;
use crate::ctx::Ctx;
use crate::driver::Module;
use crate::outside::Signed;
use crate::reference::Reference;
use crate::subjects::{Subject, Subjects};
use crate::transcript::{Step, Transcript};

/// A signature and all that it takes to verify it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    /// The call that answered the signature.
    step: String,
    /// The attributes that make the public key.
    public: Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)>,
    mechanism: CK_MECHANISM_TYPE,
    /// `hashAlg`, `mgf` and `sLen` of a PSS parameter.
    pss: Option<(CK_MECHANISM_TYPE, CK_RSA_PKCS_MGF_TYPE, CK_ULONG)>,
    /// The context of an ML-DSA signature.
    #[serde(default)]
    context: Option<Vec<u8>>,
    data: Vec<u8>,
    signature: Vec<u8>,
}

/// What a module that was given an [`Evidence`] found wrong with it.
pub(crate) type Finding = Option<String>;

/// Signatures of one module that another has verified.
#[derive(Debug)]
pub(crate) struct Crossing {
    pub(crate) maker: String,
    pub(crate) verifier: String,
    pub(crate) signatures: usize,
}

/// Signatures of a message, which a token without the mechanism verifies as signatures of a digest: the
/// mechanism, its hash, the mechanism for the digest.
const OF_A_DIGEST: &[(CK_MECHANISM_TYPE, CK_MECHANISM_TYPE, CK_MECHANISM_TYPE)] = &[
    (CKM_ECDSA_SHA1, CKM_SHA_1, CKM_ECDSA),
    (CKM_ECDSA_SHA224, CKM_SHA224, CKM_ECDSA),
    (CKM_ECDSA_SHA256, CKM_SHA256, CKM_ECDSA),
    (CKM_ECDSA_SHA384, CKM_SHA384, CKM_ECDSA),
    (CKM_ECDSA_SHA512, CKM_SHA512, CKM_ECDSA),
];

/// The longest digest, in bytes.
const LONGEST_DIGEST: usize = 64;

impl Evidence {
    pub(crate) fn new(
        step: String,
        public: Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)>,
        signed: Signed,
        signature: &[u8],
    ) -> Self {
        let (mut pss, mut context) = (None, None);
        match signed.mechanism.parameter {
            Parameter::Pss { hash, mgf, salt } => pss = Some((hash, mgf, salt)),
            Parameter::SignContext { context: given, .. } => context = Some(given.to_vec()),
            _ => {}
        }
        Self {
            step,
            public,
            mechanism: signed.mechanism.kind,
            pss,
            context,
            data: signed.data,
            signature: signature.to_vec(),
        }
    }

    fn template(&self) -> Vec<Attribute> {
        let values = self.public.iter().map(|(kind, value)| bytes(*kind, value));
        let purpose = [flag(CKA_TOKEN, false), flag(CKA_VERIFY, true)];
        purpose.into_iter().chain(values).collect()
    }

    fn verify(&self, ctx: &mut Ctx, session: CK_SESSION_HANDLE) -> Finding {
        let key = ctx.create_object(session, &self.template(), Place::Given);
        let (mechanism, data) = self.as_the_token_takes_it(ctx, session);
        ctx.verify_init(session, mechanism, key);
        ctx.verify(session, &data, &self.signature);
        ctx.destroy_object(session, key);
        let calls = ctx.take();
        let refused = calls.steps.into_iter().find(|step| step.rv != "CKR_OK");
        let refused = refused.map(|step| format!("{} answered {}", step.name, step.rv));
        refused.or_else(|| calls.failures.into_iter().next())
    }

    /// The mechanism and the data to verify: of the digest where the token does not hash with this mechanism.
    fn as_the_token_takes_it(
        &self,
        ctx: &mut Ctx,
        session: CK_SESSION_HANDLE,
    ) -> (Mechanism, Vec<u8>) {
        let slot = ctx.slot();
        let is_known = ctx
            .quietly(|ctx| ctx.get_mechanism_info(slot, self.mechanism, Place::Given))
            .is_some();
        let split = OF_A_DIGEST.iter().find(|row| row.0 == self.mechanism);
        match (self.pss, split) {
            (_, Some((_, hash, of_digest))) if !is_known => {
                ctx.digest_init(session, Mechanism::plain(*hash));
                let digest = ctx.digest(session, &self.data, Output::Room(LONGEST_DIGEST));
                (Mechanism::plain(*of_digest), digest.bytes)
            }
            (Some((hash, mgf, salt)), _) => {
                let mechanism = Mechanism::pss(self.mechanism, hash, mgf, salt);
                (mechanism, self.data.clone())
            }
            (None, _) => {
                let plain = Mechanism::plain(self.mechanism);
                let with_context = self.context.as_ref().map(|context| {
                    plain.with(Parameter::SignContext {
                        hedge: CKH_HEDGE_PREFERRED,
                        // As long as this process, which ends with the verification.
                        context: context.clone().leak(),
                    })
                });
                (with_context.unwrap_or(plain), self.data.clone())
            }
        }
    }
}

/// Verifies what a file holds, on a module that the environment has set up; tells the findings in JSON lines.
pub(crate) fn serve(
    module: &Path,
    evidence: &Path,
    out: &mut impl Write,
) -> Result<(), Box<dyn std::error::Error>> {
    let evidence: Vec<Evidence> = serde_json::from_slice(&std::fs::read(evidence)?)?;
    let mut ctx = Ctx::new(Module::load(module)?);
    ctx.begin("signatures of another module");
    let session = ctx.session();
    for signature in evidence {
        write_line(out, &signature.verify(&mut ctx, session))?;
    }
    Ok(())
}

/// One side of a pair.
type Side = fn(&mut Pair) -> &mut Transcript;

/// Has every signature in these transcripts verified by the module it is compared with. One that does not
/// verify becomes a step of its maker's, which no step of the other's can equal.
pub(crate) fn verify(subjects: &Subjects, pairs: &mut [Pair]) -> io::Result<Vec<Crossing>> {
    let (ours, theirs): (Side, Side) = (|pair| &mut pair.ours, |pair| &mut pair.theirs);
    let mut crossings = Vec::new();
    for reference in Reference::ALL {
        let (module, other) = (&subjects.module, subjects.of(reference));
        for (maker, side, verifier) in [(module, ours, other), (other, theirs, module)] {
            let pairs = pairs.iter_mut().filter(|pair| pair.reference == reference);
            let signatures = cross(verifier, &mut pairs.map(side).collect::<Vec<_>>())?;
            crossings.push(Crossing {
                maker: maker.name.clone(),
                verifier: verifier.name.clone(),
                signatures,
            });
        }
    }
    crossings.retain(|crossing| crossing.signatures > 0);
    Ok(crossings)
}

/// Has the signatures of transcripts verified; answers how many were good.
fn cross(verifier: &Subject, transcripts: &mut [&mut Transcript]) -> io::Result<usize> {
    let evidence: Vec<&Evidence> = transcripts.iter().flat_map(|it| &it.signatures).collect();
    let mut good = evidence.len();
    let mut findings = verifier.verify(&evidence)?.into_iter();
    for transcript in transcripts {
        let found = transcript.signatures.iter().zip(findings.by_ref());
        let refused = found.filter_map(|(evidence, finding)| {
            Some(Step {
                name: format!("signature of {}, by {}", evidence.step, verifier.name),
                rv: finding?,
                details: Vec::new(),
            })
        });
        let refused: Vec<Step> = refused.collect();
        good -= refused.len();
        transcript.steps.extend(refused);
    }
    Ok(good)
}
