//! Whose certificates a token trusts: the system's, or in their place those of a file.
//!
//! The rule is that of botocore (AWS CLI, boto3): the token's own setting, else `AWS_CA_BUNDLE`, else
//! `ca_bundle` of the profile, and what the file holds replaces the system's certificates. The SDK knows
//! none of the three and panics on what it cannot use, so certificates are checked here first.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use pem_rfc7468::LineEnding;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls_native_certs::ErrorKind;

use super::ambient::Ambient;
use super::client::unusable;
use super::failure;
use super::settings::AwsSettings;
use crate::files::{self, Rules, Writers};
use crate::kms::runtime::apart;
use crate::kms::{KmsError, KmsErrorKind};

/// For a file of certificates. Everybody may read it, and it may be anybody's.
const RULES: Rules = Rules {
    most: 16 << 20,
    writers: Writers::OwnerAndGroup,
    is_own: false,
    stake: "whom the token trusts",
};

const VARIABLE: &str = "AWS_CA_BUNDLE";
/// The name of the setting in the token's configuration and in AWS profiles.
const SETTING: &str = "ca_bundle";

/// A file of trusted certificates, and who named it.
#[derive(Debug)]
pub(super) struct CaBundle {
    pub(super) path: PathBuf,
    named_by: &'static str,
}

impl CaBundle {
    /// The file that the token uses; `None`: the system's certificates.
    pub(super) fn find(settings: &AwsSettings, ambient: &Ambient) -> Option<Self> {
        let named = |path: PathBuf, named_by| Self { path, named_by };
        if let Some(path) = &settings.ca_bundle {
            return Some(named(path.clone(), "ca_bundle of the token"));
        }
        if let Some(path) = ambient.variable(VARIABLE) {
            return Some(named(path.into(), "the environment variable AWS_CA_BUNDLE"));
        }
        let path = ambient.profile_setting(SETTING)?;
        Some(named(path.into(), "ca_bundle of the AWS profile"))
    }

    /// Reads the file; an error says which file, who named it and what is wrong.
    pub(super) async fn tls_context(&self) -> Result<TlsContext, String> {
        let wrong = |what: String| {
            let (path, named_by) = (self.path.display(), self.named_by);
            format!("the CA certificates in {path} (from {named_by}) cannot be used: {what}")
        };
        let path = self.path.clone();
        let contents = apart(move || files::read(&path, &RULES))
            .await
            .map_err(|error| wrong(error.to_string()))?;
        let store = trust_store(&contents).map_err(wrong)?;
        TlsContext::builder()
            .with_trust_store(store)
            .build()
            .map_err(|error| wrong(error.to_string()))
    }
}

/// The certificates that the system trusts.
///
/// They are read once in a process, as the SDK would do it; but the SDK would be left without any for good
/// when that was at a bad moment. A system without any is no error: an endpoint may be without TLS.
pub(super) async fn of_system() -> Result<TlsContext, KmsError> {
    static READ: ArcSwapOption<TlsContext> = ArcSwapOption::const_empty();
    if let Some(read) = READ.load_full() {
        return Ok(TlsContext::clone(&read));
    }
    let found = apart(rustls_native_certs::load_native_certs).await;
    if found.certs.is_empty() {
        if let Some(error) = found.errors.first() {
            return Err(unreadable(error));
        }
        tracing::warn!(
            "this system has no CA certificates, without which no TLS connection is made: install them \
             (ca-certificates), or name a file of them ({SETTING}, {VARIABLE})"
        );
    }
    let mut store = TrustStore::empty();
    let mut left_out = 0;
    for der in &found.certs {
        match checked_pem(der) {
            Ok(pem) => {
                store.add_pem_certificate(pem);
            }
            Err(_) => left_out += 1,
        }
    }
    let trusted = found.certs.len() - left_out;
    tracing::debug!(trusted, left_out, "read the system's CA certificates");
    let context = TlsContext::builder().with_trust_store(store).build();
    let context = context.map_err(|error| unusable(&error))?;
    if trusted > 0 {
        READ.store(Some(Arc::new(context.clone())));
    }
    Ok(context)
}

fn unreadable(error: &rustls_native_certs::Error) -> KmsError {
    let message = format!("the system's CA certificates cannot be read: {error}");
    let kind = match &error.kind {
        ErrorKind::Io { inner, .. } | ErrorKind::Pem(pem::Error::Io(inner))
            if failure::is_exhaustion(inner) =>
        {
            KmsErrorKind::Exhausted
        }
        _ => KmsErrorKind::Configuration,
    };
    KmsError::local(kind, "client", None, message)
}

/// A certificate in a form that the SDK is certain to take.
fn checked_pem(der: &CertificateDer<'_>) -> Result<String, String> {
    // The store of the TLS library decides, as it will once more inside of the SDK.
    RootCertStore::empty()
        .add(der.clone().into_owned())
        .map_err(|error| error.to_string())?;
    pem_rfc7468::encode_string("CERTIFICATE", LineEnding::LF, der)
        .map_err(|error| error.to_string())
}

/// The certificates of a PEM file, each in a form that the SDK is certain to take.
fn trust_store(pem: &[u8]) -> Result<TrustStore, String> {
    let mut store = TrustStore::empty();
    let mut trusted = 0;
    let mut refusal = None;
    for (number, certificate) in (1..).zip(CertificateDer::pem_slice_iter(pem)) {
        let der = certificate
            .map_err(|error| format!("certificate {number} is not well-formed PEM: {error}"))?;
        match checked_pem(&der) {
            Ok(pem) => {
                store.add_pem_certificate(pem);
                trusted += 1;
            }
            Err(why) => refusal = Some(format!("certificate {number}: {why}")),
        }
    }
    match (trusted, refusal) {
        (0, Some(refusal)) => Err(refusal),
        (0, None) => Err("no \"-----BEGIN CERTIFICATE-----\" in it".to_owned()),
        (_, Some(refusal)) => {
            // Bundles of whole systems may hold certificates of forms that are no longer accepted.
            tracing::warn!("a CA certificate is left out: {refusal}");
            Ok(store)
        }
        (_, None) => Ok(store),
    }
}
