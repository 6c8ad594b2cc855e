"""Private keys for the tests of the import, as an application would have them; each prints a line of JSON.

    make KIND…          a new key: its PKCS#8, its public half and its numbers
    scalar CURVE VALUE  the key of a private value
    check KEY…          whether KEY = SPKI,SIGNATURE is a signature of b"a message" with SHA-256
    wrap SPKI KEY…      each KEY in an RSA AES key wrap under a public key
"""

import json
import os
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "secp256k1": ec.SECP256K1()}


def number(value, length=None):
    return value.to_bytes(length or (value.bit_length() + 7) // 8, "big").hex()


def made(kind):
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind])
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ML-DSA":
        return mldsa.MLDSA44PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind.removeprefix("RSA-")))


def show(key):
    shown = {
        "pkcs8": key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()).hex(),
        "spki": key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex(),
    }
    if isinstance(key, rsa.RSAPrivateKey):
        private = key.private_numbers()
        values = [private.public_numbers.n, private.public_numbers.e, private.d, private.p, private.q]
        values += [private.dmp1, private.dmq1, private.iqmp]
        shown["numbers"] = [number(value) for value in values]
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        shown["numbers"] = [number(key.private_numbers().private_value, (key.key_size + 7) // 8)]
    print(json.dumps(shown))


def check(spki, signature):
    public, signature = load_der_public_key(bytes.fromhex(spki)), bytes.fromhex(signature)
    message = b"a message"
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        else:
            half = len(signature) // 2
            parts = [int.from_bytes(part, "big") for part in (signature[:half], signature[half:])]
            public.verify(utils.encode_dss_signature(*parts), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def wrap(spki, key):
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    aes = os.urandom(32)
    public = load_der_public_key(bytes.fromhex(spki))
    return (public.encrypt(aes, oaep) + keywrap.aes_key_wrap_with_padding(aes, bytes.fromhex(key))).hex()


command, *arguments = sys.argv[1:]
if command == "make":
    for kind in arguments:
        show(made(kind))
elif command == "scalar":
    show(ec.derive_private_key(int(arguments[1]), CURVES[arguments[0]]))
elif command == "check":
    print(json.dumps([check(*argument.split(",")) for argument in arguments]))
else:
    print(json.dumps([wrap(arguments[0], key) for key in arguments[1:]]))
