"""Every operation of the emulator that boto3 knows, through boto3, which checks the shape of each answer."""

import hashlib

import boto3
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

kms = boto3.client("kms")


def refused(code, operation, **request):
    try:
        operation(**request)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        assert error.response["ResponseMetadata"]["RequestId"], error.response
        return error.response["Error"].get("Message", "")
    raise AssertionError(f"{code} was expected")


created = set()


def create(spec, usage):
    key_id = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
    created.add(key_id)
    return key_id


key = kms.create_key(
    KeySpec="ECC_NIST_P256",
    KeyUsage="SIGN_VERIFY",
    Description="signer",
    Tags=[{"TagKey": "cluster", "TagValue": "test"}],
)["KeyMetadata"]
assert key["CreationDate"].year >= 2026, key
key_id = key["KeyId"]
created.add(key_id)

public = serialization.load_der_public_key(kms.get_public_key(KeyId=key_id)["PublicKey"])
digest = hashlib.sha256(b"message").digest()
signature = kms.sign(
    KeyId=key_id, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
)["Signature"]
public.verify(signature, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
assert kms.verify(
    KeyId=key_id, Message=b"message", Signature=signature, SigningAlgorithm="ECDSA_SHA_256"
)["SignatureValid"]
refused(
    "KMSInvalidSignatureException",
    kms.verify,
    KeyId=key_id,
    Message=b"another",
    Signature=signature,
    SigningAlgorithm="ECDSA_SHA_256",
)

rsa_id = create("RSA_2048", "ENCRYPT_DECRYPT")
rsa = serialization.load_der_public_key(kms.get_public_key(KeyId=rsa_id)["PublicKey"])
oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
algorithm = {"KeyId": rsa_id, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
secret = kms.decrypt(CiphertextBlob=rsa.encrypt(b"secret", oaep), **algorithm)["Plaintext"]
assert secret == b"secret"
blob = kms.encrypt(Plaintext=b"secret", **algorithm)["CiphertextBlob"]
assert kms.decrypt(CiphertextBlob=blob, **algorithm)["Plaintext"] == b"secret"

mac_id = create("HMAC_384", "GENERATE_VERIFY_MAC")
mac = {"KeyId": mac_id, "Message": b"message", "MacAlgorithm": "HMAC_SHA_384"}
assert kms.verify_mac(Mac=kms.generate_mac(**mac)["Mac"], **mac)["MacValid"]
refused("KMSInvalidMacException", kms.verify_mac, Mac=b"wrong", **mac)

agreement_id = create("ECC_NIST_P384", "KEY_AGREEMENT")
agreement = serialization.load_der_public_key(kms.get_public_key(KeyId=agreement_id)["PublicKey"])
peer = ec.generate_private_key(ec.SECP384R1())
secret = kms.derive_shared_secret(
    KeyId=agreement_id,
    KeyAgreementAlgorithm="ECDH",
    PublicKey=peer.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    ),
)["SharedSecret"]
assert secret == peer.exchange(ec.ECDH(), agreement)

symmetric_id = create("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
context = {"purpose": "test"}
wrap = {"KeyId": symmetric_id, "EncryptionContext": context}
data_key = kms.generate_data_key(KeySpec="AES_128", **wrap)
moved = kms.re_encrypt(
    CiphertextBlob=data_key["CiphertextBlob"],
    SourceEncryptionContext=context,
    DestinationKeyId=symmetric_id,
)["CiphertextBlob"]
assert kms.decrypt(CiphertextBlob=moved)["Plaintext"] == data_key["Plaintext"]
pair = kms.generate_data_key_pair(KeyPairSpec="ECC_NIST_P384", **wrap)
private = serialization.load_der_private_key(pair["PrivateKeyPlaintext"], None)
assert private.public_key() == serialization.load_der_public_key(pair["PublicKey"])
assert kms.generate_data_key_pair_without_plaintext(KeyPairSpec="RSA_2048", **wrap)["PublicKey"]
blob = kms.generate_data_key_without_plaintext(NumberOfBytes=24, **wrap)["CiphertextBlob"]
assert len(kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]) == 24

assert len(kms.generate_random(NumberOfBytes=100)["Plaintext"]) == 100

pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1})
assert {entry["KeyId"] for page in pages for entry in page["Keys"]} == created

kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "p11:label", "TagValue": "signer"}])
kms.untag_resource(KeyId=key_id, TagKeys=["cluster"])
tags = kms.list_resource_tags(KeyId=key_id)["Tags"]
assert tags == [{"TagKey": "p11:label", "TagValue": "signer"}], tags

kms.create_alias(AliasName="alias/signer", TargetKeyId=key_id)
assert kms.describe_key(KeyId="alias/signer")["KeyMetadata"]["KeyId"] == key_id
other = create("ECC_NIST_P384", "SIGN_VERIFY")
kms.update_alias(AliasName="alias/signer", TargetKeyId=other)
alias = kms.list_aliases(KeyId=other)["Aliases"][0]
assert alias["AliasName"] == "alias/signer" and alias["LastUpdatedDate"], alias
kms.delete_alias(AliasName="alias/signer")
message = refused("NotFoundException", kms.describe_key, KeyId="alias/signer")
assert message.endswith("alias/signer is not found."), message

kms.update_key_description(KeyId=key_id, Description="changed")
assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["Description"] == "changed"
kms.disable_key(KeyId=key_id)
refused("DisabledException", kms.get_public_key, KeyId=key_id)
kms.enable_key(KeyId=key_id)
assert kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)["DeletionDate"]
refused("KMSInvalidStateException", kms.get_public_key, KeyId=key_id)
kms.cancel_key_deletion(KeyId=key_id)
assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"
refused("UnknownOperationException", kms.list_grants, KeyId=key_id)
