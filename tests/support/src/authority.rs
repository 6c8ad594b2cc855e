//! A certificate authority that lives as long as a test, made by openssl.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{openssl_ok, python};

/// Issues server certificates.
#[derive(Debug)]
pub struct Authority {
    directory: TempDir,
}

/// A server's certificate and private key, PEM files.
#[derive(Clone, Debug)]
pub struct ServerIdentity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    #[track_caller]
    pub fn new() -> Self {
        let directory =
            TempDir::new().unwrap_or_else(|error| panic!("no directory for certificates: {error}"));
        let authority = Self { directory };
        // Of a name of its own: a client looks its issuers up by name.
        let name = authority.directory.path().file_name().unwrap_or_default();
        let subject = format!("/CN={}", name.display());
        let extensions = ["basicConstraints=critical,CA:TRUE"];
        request(&authority.file("ca"), &subject, &extensions, None);
        authority
    }

    /// The authority's own certificate, PEM.
    pub fn certificate(&self) -> PathBuf {
        self.file("ca").with_extension("pem")
    }

    /// A certificate for these subject alternative names: `DNS:kms.example.com`, `IP:127.0.0.1`.
    #[track_caller]
    pub fn issue(&self, names: &str) -> ServerIdentity {
        let file = self.file("server");
        let names = format!("subjectAltName={names}");
        let extensions = ["basicConstraints=critical,CA:FALSE", &names];
        request(&file, "/CN=A test's server", &extensions, Some(self));
        ServerIdentity {
            certificate: file.with_extension("pem"),
            key: file.with_extension("key"),
        }
    }

    /// The same, expired since yesterday.
    #[track_caller]
    pub fn issue_expired(&self, names: &str) -> ServerIdentity {
        let server = self.issue(names);
        let ca = self.file("ca");
        let files = [ca.with_extension("pem"), ca.with_extension("key")];
        let [certificate, key] = &files;
        let _ = python(EXPIRE, [certificate, key, &server.certificate]).ok();
        server
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Issues a certificate again, with a period that is over.
const EXPIRE: &str = r"
import datetime, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
ca, key, old = (open(path, 'rb').read() for path in sys.argv[1:])
ca, old = map(x509.load_pem_x509_certificate, (ca, old))
today = datetime.datetime.now(datetime.timezone.utc)
new = x509.CertificateBuilder(
    issuer_name=ca.subject, subject_name=old.subject, public_key=old.public_key(), serial_number=7,
    not_valid_before=today - datetime.timedelta(days=30), not_valid_after=today - datetime.timedelta(days=1),
)
for extension in old.extensions:
    new = new.add_extension(extension.value, extension.critical)
new = new.sign(serialization.load_pem_private_key(key, None), hashes.SHA256())
open(sys.argv[3], 'wb').write(new.public_bytes(serialization.Encoding.PEM))
";

impl Default for Authority {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

/// Makes `FILE.key` and `FILE.pem`, signed by `issuer` or by itself.
#[track_caller]
fn request(file: &Path, subject: &str, extensions: &[&str], issuer: Option<&Authority>) {
    let path = |path: PathBuf| path.display().to_string();
    let mut arguments = vec![
        "req".to_owned(),
        "-x509".to_owned(),
        "-nodes".to_owned(),
        "-newkey".to_owned(),
        "ec".to_owned(),
        "-pkeyopt".to_owned(),
        "ec_paramgen_curve:P-256".to_owned(),
        "-subj".to_owned(),
        subject.to_owned(),
        "-days".to_owned(),
        "2".to_owned(),
        "-keyout".to_owned(),
        path(file.with_extension("key")),
        "-out".to_owned(),
        path(file.with_extension("pem")),
    ];
    for extension in extensions {
        arguments.extend(["-addext".to_owned(), (*extension).to_owned()]);
    }
    if let Some(issuer) = issuer {
        arguments.extend([
            "-CA".to_owned(),
            path(issuer.certificate()),
            "-CAkey".to_owned(),
            path(issuer.file("ca").with_extension("key")),
        ]);
    }
    openssl_ok(arguments, &[]);
}
