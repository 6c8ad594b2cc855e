"""The import of key material, through boto3, wrapped by `cryptography`. What MiniStack lacks or does otherwise is
left to the emulator."""

import hmac
import os
import sys
import time

import boto3
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

kms = boto3.client("kms")
EMULATOR = sys.argv[1] == "emulator"
FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


def refused(code, operation, **request):
    try:
        operation(**request)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return
    raise AssertionError(f"{code} was expected")


def create(spec, usage):
    key = kms.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")["KeyMetadata"]
    assert (key["Origin"], key["KeyState"], key["Enabled"]) == ("EXTERNAL", "PendingImport", False), key
    return key["KeyId"]


def wrap(public, algorithm, material):
    digest = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    if algorithm.startswith("RSAES_OAEP"):
        return public.encrypt(material, oaep)
    aes = os.urandom(32)
    return public.encrypt(aes, oaep) + keywrap.aes_key_wrap_with_padding(aes, material)


def prepare(key_id, algorithm, key_spec, material):
    parameters = kms.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec=key_spec)
    public = serialization.load_der_public_key(parameters["PublicKey"])
    assert public.key_size == int(key_spec[4:]), public
    hours = (parameters["ParametersValidTo"].timestamp() - time.time()) / 3600
    assert 23.9 < hours < 24.1, hours
    return {
        "KeyId": key_id,
        "ImportToken": parameters["ImportToken"],
        "EncryptedKeyMaterial": wrap(public, algorithm, material),
    }


def import_material(key_id, algorithm, key_spec, material, **how):
    return kms.import_key_material(**prepare(key_id, algorithm, key_spec, material), **(how or FOREVER))


def described(key_id):
    return kms.describe_key(KeyId=key_id)["KeyMetadata"]


def pkcs8(key):
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


RSA_WRAPPINGS = ["RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"]
OAEP_WRAPPINGS = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
CURVES = [
    ("ECC_NIST_P256", ec.SECP256R1(), hashes.SHA256(), "ECDSA_SHA_256"),
    ("ECC_NIST_P384", ec.SECP384R1(), hashes.SHA384(), "ECDSA_SHA_384"),
    ("ECC_NIST_P521", ec.SECP521R1(), hashes.SHA512(), "ECDSA_SHA_512"),
    ("ECC_SECG_P256K1", ec.SECP256K1(), hashes.SHA256(), "ECDSA_SHA_256"),
]

# An RSA key, in every wrapping that takes one.
signer = rsa.generate_private_key(65537, 2048)
for algorithm, key_spec in zip(RSA_WRAPPINGS, ["RSA_2048", "RSA_4096"]):
    key_id = create("RSA_2048", "SIGN_VERIFY")
    assert "KeyMaterialId" not in import_material(key_id, algorithm, key_spec, pkcs8(signer))
    signature = kms.sign(KeyId=key_id, Message=b"message", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256")
    signer.public_key().verify(signature["Signature"], b"message", padding.PKCS1v15(), hashes.SHA256())
    key = described(key_id)
    assert (key["KeyState"], key["Enabled"], key["Origin"]) == ("Enabled", True, "EXTERNAL"), key
    assert key["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE" and "ValidTo" not in key, key
if EMULATOR:
    wrapping = {"KeyId": key_id, "WrappingKeySpec": "RSA_4096"}
    refused(
        "UnsupportedOperationException",
        kms.get_parameters_for_import,
        WrappingAlgorithm="RSAES_OAEP_SHA_256",
        **wrapping,
    )

# Keys on every curve, in every wrapping that takes them, also without their public half.
for spec, curve, digest, algorithm in CURVES:
    for wrapping in OAEP_WRAPPINGS + RSA_WRAPPINGS:
        scalar = ec.generate_private_key(curve)
        key_id = create(spec, "SIGN_VERIFY")
        import_material(key_id, wrapping, "RSA_3072", pkcs8(scalar))
        signature = kms.sign(KeyId=key_id, Message=b"message", SigningAlgorithm=algorithm)
        scalar.public_key().verify(signature["Signature"], b"message", ec.ECDSA(digest))
        public = kms.get_public_key(KeyId=key_id)["PublicKey"]
        assert serialization.load_der_public_key(public) == scalar.public_key()
if EMULATOR:
    refused(
        "UnsupportedOperationException",
        kms.get_parameters_for_import,
        KeyId=create("ECC_NIST_P521", "SIGN_VERIFY"),
        WrappingAlgorithm="RSAES_OAEP_SHA_256",
        WrappingKeySpec="RSA_2048",
    )
    agreeing, peer = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    key_id = create("ECC_NIST_P384", "KEY_AGREEMENT")
    import_material(key_id, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048", pkcs8(agreeing))
    spki = peer.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    secret = kms.derive_shared_secret(KeyId=key_id, KeyAgreementAlgorithm="ECDH", PublicKey=spki)["SharedSecret"]
    assert secret == agreeing.exchange(ec.ECDH(), peer.public_key())

# HMAC keys.
for bits in [224, 256, 384, 512]:
    value = os.urandom(bits // 8)
    key_id = create(f"HMAC_{bits}", "GENERATE_VERIFY_MAC")
    import_material(key_id, "RSAES_OAEP_SHA_256", "RSA_2048", value)
    mac = kms.generate_mac(KeyId=key_id, Message=b"message", MacAlgorithm=f"HMAC_SHA_{bits}")["Mac"]
    assert mac == hmac.new(value, b"message", f"sha{bits}").digest()

# A symmetric key: what was encrypted before its material was taken away is decrypted with the same again.
value = os.urandom(32)
key_id = create("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
refused("KMSInvalidStateException", kms.encrypt, KeyId=key_id, Plaintext=b"plaintext")
material_id = import_material(key_id, "RSAES_OAEP_SHA_1", "RSA_2048", value)["KeyMaterialId"]
assert described(key_id)["CurrentKeyMaterialId"] == material_id
blob = kms.encrypt(KeyId=key_id, Plaintext=b"plaintext")["CiphertextBlob"]
kms.delete_imported_key_material(KeyId=key_id)
key = described(key_id)
assert (key["KeyState"], key["Enabled"]) == ("PendingImport", False), key
if EMULATOR:
    assert key["CurrentKeyMaterialId"] == material_id and "ExpirationModel" not in key, key
refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=blob)
if EMULATOR:
    other = prepare(key_id, "RSAES_OAEP_SHA_256", "RSA_2048", os.urandom(32))
    refused("IncorrectKeyMaterialException", kms.import_key_material, **other, **FOREVER)
again = prepare(key_id, "RSAES_OAEP_SHA_256", "RSA_2048", value)
if EMULATOR:
    kms.import_key_material(**again, ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=time.time() + 1)
    key = described(key_id)
    assert key["ExpirationModel"] == "KEY_MATERIAL_EXPIRES" and key["ValidTo"], key
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"plaintext"
    time.sleep(1.1)
    refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=blob)
    assert described(key_id)["KeyState"] == "PendingImport"
    for days in [-1, 366]:
        refused("ValidationException", kms.import_key_material, **again, ValidTo=time.time() + days * 86400)
    refused("ValidationException", kms.import_key_material, **again, ValidTo=time.time() + 60, **FOREVER)
kms.import_key_material(**again, **FOREVER)
assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"plaintext"

# What is no import.
refused("ValidationException", kms.import_key_material, **again)
pending = create("ECC_NIST_P256", "SIGN_VERIFY")
refused("InvalidImportTokenException", kms.import_key_material, **{**again, "KeyId": pending}, **FOREVER)
other_curve = prepare(pending, "RSAES_OAEP_SHA_256", "RSA_2048", pkcs8(ec.generate_private_key(ec.SECP384R1())))
refused("IncorrectKeyMaterialException", kms.import_key_material, **other_curve, **FOREVER)
damaged = prepare(pending, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048", pkcs8(ec.generate_private_key(ec.SECP256R1())))
damaged["EncryptedKeyMaterial"] = damaged["EncryptedKeyMaterial"][:-1] + b"\0"
refused("InvalidCiphertextException", kms.import_key_material, **damaged, **FOREVER)
own = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
refused("UnsupportedOperationException", kms.delete_imported_key_material, KeyId=own)
kms.schedule_key_deletion(KeyId=pending, PendingWindowInDays=7)
refused("KMSInvalidStateException", kms.delete_imported_key_material, KeyId=pending)
