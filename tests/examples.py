"""Decrypts a file of the example programs: boto3 for its key, `cryptography` for the rest. Arguments: IN OUT."""

import struct
import sys

import boto3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

source, target = sys.argv[1:]
with open(source, "rb") as file:
    data = file.read()
magic, chunk, wrapped = struct.unpack_from(">8sIH", data)
assert magic == b"KMSFILE1", magic
header, body = data[: 14 + wrapped], data[14 + wrapped :]
answer = boto3.client("kms").decrypt(
    CiphertextBlob=header[14:], EncryptionContext={"format": "KMSFILE1"}
)
cipher = AESGCM(answer["Plaintext"])
starts = range(0, len(body), chunk + 16)
with open(target, "wb") as file:
    for number, start in enumerate(starts):
        nonce = struct.pack(">Q3xB", number, number == len(starts) - 1)
        file.write(cipher.decrypt(nonce, body[start : start + chunk + 16], header))
