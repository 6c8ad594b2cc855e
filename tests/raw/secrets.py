"""Computes with `cryptography` what a module computed: one line of hex for each case of argv[1]."""

import json
import sys

from cryptography.hazmat.primitives import hashes, hmac, keywrap, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, mlkem
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF


def algorithm(name):
    return getattr(hashes, name.upper())()


def encrypt(key, mode, data):
    encryptor = Cipher(algorithms.AES(key), mode).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def cbc(key, iv, data):
    return encrypt(key, modes.CBC(iv), data)


def cbc_pad(key, iv, data):
    padder = padding.PKCS7(128).padder()
    return cbc(key, iv, padder.update(data) + padder.finalize())


def ctr(key, block, data):
    return encrypt(key, modes.CTR(block), data)


def gcm(key, iv, aad, data, tag_len):
    sealed = AESGCM(key).encrypt(iv, data, aad)
    return sealed[: len(data) + tag_len]


def kw(key, value):
    return keywrap.aes_key_wrap(key, value)


def kwp(key, value):
    return keywrap.aes_key_wrap_with_padding(key, value)


def mac(key, hash, data, len):
    made = hmac.HMAC(key, algorithm(hash))
    made.update(data)
    return made.finalize()[:len]


def hkdf(hash, salt, info, base, len):
    return HKDF(algorithm(hash), len, salt, info).derive(base)


def hkdf_expand(hash, info, base, len):
    return HKDFExpand(algorithm(hash), len, info).derive(base)


def peer(curve, scalar):
    """The uncompressed point of a private key."""
    form = serialization.PublicFormat.UncompressedPoint
    public = private(curve, scalar).public_key()
    return public.public_bytes(serialization.Encoding.X962, form)


def peer_compressed(curve, scalar):
    form = serialization.PublicFormat.CompressedPoint
    public = private(curve, scalar).public_key()
    return public.public_bytes(serialization.Encoding.X962, form)


def ecdh(curve, scalar, spki):
    public = serialization.load_der_public_key(spki)
    return private(curve, scalar).exchange(ec.ECDH(), public)


def x963(curve, scalar, spki, hash, shared, len):
    return X963KDF(algorithm(hash), len, shared).derive(ecdh(curve, scalar, spki))


def private(curve, scalar):
    return ec.derive_private_key(scalar, getattr(ec, curve)())


def encapsulate(set, public):
    """The secret with the ciphertext behind it."""
    key = getattr(mlkem, set + "PublicKey").from_public_bytes(public)
    secret, ciphertext = key.encapsulate()
    return secret + ciphertext


def mlkem_public(set, seed):
    return mlkem_private(set, seed).public_key().public_bytes_raw()


def decapsulate(set, seed, ciphertext):
    return mlkem_private(set, seed).decapsulate(ciphertext)


def mlkem_private(set, seed):
    return getattr(mlkem, set + "PrivateKey").from_seed_bytes(seed)


# Names and numbers are what they are; every other text is hex.
PLAIN = {"do", "hash", "curve", "set"}

for case in json.loads(sys.argv[1]):
    arguments = {
        name: bytes.fromhex(value) if isinstance(value, str) and name not in PLAIN else value
        for name, value in case.items()
    }
    print(globals()[arguments.pop("do")](**arguments).hex())
