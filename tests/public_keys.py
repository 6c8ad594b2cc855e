"""Takes answers of GetPublicKey apart with `cryptography` and prints their fields in hexadecimal."""

import base64
import json
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

# DER of the object identifiers of SEC 2.
CURVES = {
    "secp256r1": "06082a8648ce3d030107",
    "secp384r1": "06052b81040022",
    "secp521r1": "06052b81040023",
    "secp256k1": "06052b8104000a",
}

# DER of the object identifier of RFC 8410.
ED25519 = "06032b6570"


def octet_string(content):
    length = len(content)
    head = bytes([4, length]) if length < 128 else bytes([4, 0x81, length])
    return head + content


def fields(answer):
    if answer is None:
        return None
    spki = base64.b64decode(answer["PublicKey"])
    key = serialization.load_der_public_key(spki)
    found = {"spki": spki.hex()}
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return found | {"params": CURVES[key.curve.name], "point": octet_string(point).hex()}
    if isinstance(key, ed25519.Ed25519PublicKey):
        point = octet_string(key.public_bytes_raw())
        return found | {"params": ED25519, "point": point.hex()}
    if not isinstance(key, rsa.RSAPublicKey):
        return found | {"value": key.public_bytes_raw().hex()}
    numbers = key.public_numbers()
    exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
    modulus = numbers.n.to_bytes((key.key_size + 7) // 8, "big")
    return found | {"n": modulus.hex(), "e": exponent.hex(), "bits": key.key_size}


print(json.dumps([fields(json.loads(answer)) for answer in sys.argv[1:]]))
