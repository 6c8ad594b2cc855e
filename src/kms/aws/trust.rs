//! Whose certificates a token trusts: the system's, or in their place those of a file.
//!
//! The rule is that of botocore (AWS CLI, boto3): the token's own setting, else `AWS_CA_BUNDLE`, else
//! `ca_bundle` of the profile, and what the file holds replaces the system's certificates. The SDK knows
//! none of the three and panics on a file that it cannot use, so the file is checked here first.

use std::fs;
use std::path::PathBuf;

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use pem_rfc7468::LineEnding;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::ambient::Ambient;
use super::settings::AwsSettings;

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
    pub(super) fn tls_context(&self) -> Result<TlsContext, String> {
        let wrong = |what: String| {
            let (path, named_by) = (self.path.display(), self.named_by);
            format!("the CA certificates in {path} (from {named_by}) cannot be used: {what}")
        };
        let contents = fs::read(&self.path).map_err(|error| wrong(error.to_string()))?;
        let store = trust_store(&contents).map_err(wrong)?;
        TlsContext::builder()
            .with_trust_store(store)
            .build()
            .map_err(|error| wrong(error.to_string()))
    }
}

/// The certificates of a PEM file, each in a form that the SDK is certain to take.
fn trust_store(pem: &[u8]) -> Result<TrustStore, String> {
    let mut store = TrustStore::empty();
    let mut trusted = 0;
    let mut refusal = None;
    for (number, certificate) in (1..).zip(CertificateDer::pem_slice_iter(pem)) {
        let der = certificate
            .map_err(|error| format!("certificate {number} is not well-formed PEM: {error}"))?;
        // The store of the TLS library decides, as it will once more inside of the SDK.
        if let Err(error) = RootCertStore::empty().add(der.clone()) {
            refusal = Some(format!("certificate {number}: {error}"));
            continue;
        }
        let text = pem_rfc7468::encode_string("CERTIFICATE", LineEnding::LF, &der)
            .map_err(|error| format!("certificate {number}: {error}"))?;
        store.add_pem_certificate(text);
        trusted += 1;
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
