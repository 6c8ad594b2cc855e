"""Verifies signatures: one JSON object a line, and a file of what they are of.

Prints the numbers of those that are not valid, counted from 0.
"""

import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

HASHES = {
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}

keys = {}


def verify(claim, data):
    key = keys.get(claim["spki"])
    if key is None:
        key = keys[claim["spki"]] = load_der_public_key(bytes.fromhex(claim["spki"]))
    signature = bytes.fromhex(claim["signature"])
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
