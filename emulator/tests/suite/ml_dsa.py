"""ML-DSA through boto3, verified by the implementation in `cryptography`."""

import hashlib

import boto3
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa

kms = boto3.client("kms")

# Key spec, the class of its public keys, bytes of a signature (FIPS 204, table 2).
SPECS = [
    ("ML_DSA_44", mldsa.MLDSA44PublicKey, 2420),
    ("ML_DSA_65", mldsa.MLDSA65PublicKey, 3309),
    ("ML_DSA_87", mldsa.MLDSA87PublicKey, 4627),
]


def mu(public, message, context=b""):
    """FIPS 204, algorithm 7, line 6."""
    tr = hashlib.shake_256(public.public_bytes_raw()).digest(64)
    prefix = bytes([0, len(context)]) + context
    return hashlib.shake_256(tr + prefix + message).digest(64)


for spec, kind, length in SPECS:
    created = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    assert created["SigningAlgorithms"] == ["ML_DSA_SHAKE_256"], created
    key = {"KeyId": created["KeyId"], "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    public = serialization.load_der_public_key(kms.get_public_key(KeyId=created["KeyId"])["PublicKey"])
    assert isinstance(public, kind), public

    def sign(message, message_type):
        signature = kms.sign(Message=message, MessageType=message_type, **key)["Signature"]
        assert len(signature) == length, len(signature)
        return signature

    for message in [b"m", bytes(64), bytes(4096)]:
        signature = sign(message, "RAW")
        public.verify(signature, message)
        verify = {"Signature": signature, **key}
        assert kms.verify(Message=message, MessageType="RAW", **verify)["SignatureValid"]
        # Both types give signatures of one kind.
        digest = mu(public, message)
        assert kms.verify(Message=digest, MessageType="EXTERNAL_MU", **verify)["SignatureValid"]

    # Longer than KMS takes, and in a context that KMS does not know of.
    message = bytes(100_000)
    signature = sign(mu(public, message, b"context"), "EXTERNAL_MU")
    public.verify(signature, message, b"context")
    assert signature != sign(mu(public, message, b"context"), "EXTERNAL_MU"), "not hedged"
    try:
        public.verify(signature, message)
        raise AssertionError("verified without its context")
    except InvalidSignature:
        pass

    for wrong in [bytes(length), signature[:-1], signature + b"\0", bytes([signature[0] ^ 1]) + signature[1:]]:
        try:
            kms.verify(
                Message=mu(public, message, b"context"),
                MessageType="EXTERNAL_MU",
                Signature=wrong,
                **key,
            )
            raise AssertionError("a wrong signature verified")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "KMSInvalidSignatureException", error
