"""Keys for the test of what is left of them in memory: each number in a file of its own, raw, and each key wrapped
under a key in KMS, which is made here."""

import os
import sys
from pathlib import Path

import boto3
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_public_key

directory = Path(sys.argv[1])
kms = boto3.client("kms")
tags = [{"TagKey": "p11:id", "TagValue": "aa"}]
key_id = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT", Tags=tags)["KeyMetadata"]["KeyId"]
public = load_der_public_key(kms.get_public_key(KeyId=key_id)["PublicKey"])


def write(name, value):
    if isinstance(value, int):
        value = value.to_bytes((value.bit_length() + 7) // 8, "big")
    (directory / name).write_bytes(value)


def wrapped(key):
    if not isinstance(key, bytes):
        key = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    aes = os.urandom(32)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return public.encrypt(aes, oaep) + keywrap.aes_key_wrap_with_padding(aes, key)


for prefix in ["created", "unwrapped"]:
    key = rsa.generate_private_key(65537, 2048)
    numbers = key.private_numbers()
    write(f"{prefix}-n", numbers.public_numbers.n)
    write(f"{prefix}-e", numbers.public_numbers.e)
    for name, value in [
        ("d", numbers.d),
        ("p", numbers.p),
        ("q", numbers.q),
        ("dp", numbers.dmp1),
        ("dq", numbers.dmq1),
        ("qinv", numbers.iqmp),
    ]:
        write(f"{prefix}-{name}", value)
    write(f"{prefix}-rsa-wrapped", wrapped(key))
    key = ec.generate_private_key(ec.SECP256R1())
    write(f"{prefix}-scalar", key.private_numbers().private_value.to_bytes(32, "big"))
    write(f"{prefix}-ec-wrapped", wrapped(key))
write("created-hmac", os.urandom(64))
write("created-aes", os.urandom(32))
secret = os.urandom(32)
write("unwrapped-aes", secret)
write("unwrapped-aes-wrapped", wrapped(secret))
