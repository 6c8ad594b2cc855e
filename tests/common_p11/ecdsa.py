"""Verifies ECDSA signatures of SHA-256 digests: on each line key, digest and r || s, in hexadecimal.

Prints how many there are and the numbers of those that are not valid, counted from 0.
"""

import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

keys = {}
count, invalid = 0, []
with open(sys.argv[1], encoding="ascii") as lines:
    for line in lines:
        spki, digest, signature = map(bytes.fromhex, line.split())
        if spki not in keys:
            keys[spki] = load_der_public_key(spki)
        half = len(signature) // 2
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        try:
            keys[spki].verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(SHA256())))
        except InvalidSignature:
            invalid.append(count)
        count += 1
print(count, *invalid)
