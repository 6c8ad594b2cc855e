"""Verifies signatures: one JSON object a line, and a file of what they are of.

Prints the numbers of those that are not valid, counted from 0.
"""

import hashlib
import json
import sys
from _ssl import txt2obj

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from dilithium_py.ml_dsa.default_parameters import DEFAULT_PARAMETERS
from dilithium_py.ml_dsa.hash_ml_dsa import HashML_DSA

HASHES = {
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}

# By the length of the public key.
SETS = {1312: "ML_DSA_44", 1952: "ML_DSA_65", 2592: "ML_DSA_87"}

keys = {}


class HashMlDsa(HashML_DSA):
    """Knows all hashes of SHA-2, not SHA-256 and SHA-512 alone."""

    def _hash_with_oid(self, m, hash_name):
        if hash_name in ("SHA256", "SHA512"):
            return super()._hash_with_oid(m, hash_name)
        # OpenSSL's object identifier. All of NIST's algorithms begin alike: 2.16.840.1.101.
        first, numbers = txt2obj(hash_name, name=True)[3].split("2.16.840.1.101.")
        assert first == ""
        content = bytes.fromhex("6086480165") + bytes(map(int, numbers.split(".")))
        oid = bytes([6, len(content)]) + content
        return oid, hashlib.new(hash_name, m).digest()


def verify_hash_ml_dsa(key, claim, message, signature):
    raw = key.public_bytes_raw()
    verifier = HashMlDsa(DEFAULT_PARAMETERS[SETS[len(raw)]])
    context = bytes.fromhex(claim["context"])
    name = claim["hash"].upper()
    if not verifier._verify_with_pre_hash(raw, message, signature, name, context):
        raise InvalidSignature


def verify(claim, data):
    key = keys.get(claim["spki"])
    if key is None:
        key = keys[claim["spki"]] = load_der_public_key(bytes.fromhex(claim["spki"]))
    signature = bytes.fromhex(claim["signature"])
    if claim["scheme"] == "ed25519":
        key.verify(signature, data)
        return
    if claim["scheme"] == "ml-dsa":
        key.verify(signature, data, bytes.fromhex(claim["context"]))
        return
    if claim["scheme"] == "hash-ml-dsa":
        verify_hash_ml_dsa(key, claim, data, signature)
        return
    if claim["hash"] is None:
        # Of a digest of any length: a hash with a digest of that length stands for the one that made it.
        algorithm = Prehashed(hashes.SHAKE256(len(data)))
    else:
        algorithm = HASHES[claim["hash"]]
        if claim["digest"]:
            algorithm = Prehashed(algorithm)
    if claim["scheme"] == "ecdsa":
        half = (key.curve.key_size + 7) // 8
        if len(signature) != 2 * half:
            raise InvalidSignature(f"{len(signature)} bytes")
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(algorithm))
    elif claim["scheme"] == "pkcs1":
        key.verify(signature, data, padding.PKCS1v15(), algorithm)
    else:
        own = HASHES[claim["hash"]]
        key.verify(signature, data, padding.PSS(padding.MGF1(own), own.digest_size), algorithm)


with open(sys.argv[2], "rb") as file:
    everything = file.read()
with open(sys.argv[1], encoding="ascii") as claims:
    for number, line in enumerate(claims):
        claim = json.loads(line)
        try:
            verify(claim, everything[claim["start"] : claim["end"]])
        except InvalidSignature:
            print(number)
