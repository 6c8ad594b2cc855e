"""Issues certificates with `cryptography`, and prints what it reads in them, in hexadecimal.

One self-signed certificate for each kind of key named in the arguments.
"""

import datetime
import json
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

# How to make a key, and the hash that its signatures need.
KINDS = {
    "rsa": (lambda: rsa.generate_private_key(65537, 2048), hashes.SHA256()),
    "p256": (lambda: ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()),
    "p521": (lambda: ec.generate_private_key(ec.SECP521R1()), hashes.SHA512()),
    "ed25519": (ed25519.Ed25519PrivateKey.generate, None),
    "ml-dsa-44": (mldsa.MLDSA44PrivateKey.generate, None),
    "ml-dsa-65": (mldsa.MLDSA65PrivateKey.generate, None),
    "ml-dsa-87": (mldsa.MLDSA87PrivateKey.generate, None),
}


def integer(value):
    """DER of a non-negative INTEGER of less than 128 bytes."""
    content = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes([2, len(content)]) + content


def name(kind):
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Prüfstelle"),
            x509.NameAttribute(NameOID.COMMON_NAME, kind),
        ]
    )


def issue(kind):
    generate, digest = KINDS[kind]
    key = generate()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(kind))
        .issuer_name(name("issuer of " + kind))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2024, 2, 29, 23, 59, 59))
        .not_valid_after(datetime.datetime(2051, 1, 2, 3, 4, 5))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    return builder.sign(key, digest)


def fields(kind):
    certificate = issue(kind)
    public_key = certificate.public_key()
    found = {
        "der": certificate.public_bytes(Encoding.DER),
        "pem": certificate.public_bytes(Encoding.PEM),
        "subject": certificate.subject.public_bytes(),
        "issuer": certificate.issuer.public_bytes(),
        "serial": integer(certificate.serial_number),
        "spki": public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "key_identifier": x509.SubjectKeyIdentifier.from_public_key(public_key).digest,
        "sha1": certificate.fingerprint(hashes.SHA1()),
        "sha256": certificate.fingerprint(hashes.SHA256()),
        "start": certificate.not_valid_before_utc.strftime("%Y%m%d").encode(),
        "end": certificate.not_valid_after_utc.strftime("%Y%m%d").encode(),
    }
    return {"kind": kind} | {field: value.hex() for field, value in found.items()}


print(json.dumps([fields(kind) for kind in sys.argv[1:]]))
