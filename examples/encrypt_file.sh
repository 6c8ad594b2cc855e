#!/usr/bin/env bash
# Encrypts a file of any size under an RSA key of KMS, and decrypts it again, with OpenSSL 3.0 and pkcs11-tool.
#
#   encrypt_file.sh recipient MODULE TOKEN LABEL CERTIFICATE   once: a certificate that names the key
#   encrypt_file.sh encrypt CERTIFICATE INPUT OUTPUT           without KMS, without the module
#   encrypt_file.sh decrypt MODULE TOKEN LABEL CERTIFICATE INPUT OUTPUT    one Decrypt request
#
# The container is CMS (RFC 5083): AES-256-GCM, its key under RSAES-OAEP with SHA-256. PIN in KMS_PKCS11_PIN, or "any".
set -euo pipefail
umask 077

main() {
    [ $# -ge 1 ] || usage
    local command=$1
    shift
    case "$command:$#" in
        recipient:4 | encrypt:3 | decrypt:6) "$command" "$@" ;;
        *) usage ;;
    esac
}

# OpenSSL encrypts to a certificate. A key that decrypts cannot sign its own, so a key made for this alone, and thrown
# away, issues it: nobody has to trust it, it does no more than carry the public key.
recipient() {
    local module=$1 token=$2 label=$3 certificate=$4
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    pkcs11-tool --module "$module" --token-label "$token" --login --pin "${KMS_PKCS11_PIN:-any}" \
        --read-object --type pubkey --label "$label" --output-file "$work/public.der"
    openssl pkey -pubin -inform DER -in "$work/public.der" -out "$work/public.pem"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/issuer.key" \
        -out "$work/issuer.crt" -subj "/CN=issuer of $label" -days 1 2>/dev/null
    openssl x509 -new -force_pubkey "$work/public.pem" -subj "/CN=$label" -CA "$work/issuer.crt" \
        -CAkey "$work/issuer.key" -days 36500 -out "$certificate"
}

encrypt() {
    local certificate=$1 input=$2 output=$3
    openssl cms -encrypt -binary -stream -aes-256-gcm -in "$input" -outform DER -out "$output.partial" \
        -recip "$certificate" -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 \
        -keyopt rsa_mgf1_md:sha256 || give_up "$output"
    mv "$output.partial" "$output"
}

# OpenSSL writes what it decrypts before it has seen whether it is whole: the output has its name only afterwards.
decrypt() {
    local module=$1 token=$2 label=$3 certificate=$4 input=$5 output=$6
    PKCS11_MODULE_PATH=$module openssl cms -decrypt -binary -inform DER -in "$input" -out "$output.partial" \
        -engine pkcs11 -keyform engine -inkey "pkcs11:token=$token;object=$label;type=private" \
        -recip "$certificate" || give_up "$output"
    mv "$output.partial" "$output"
}

give_up() {
    rm -f "$1.partial"
    exit 1
}

usage() {
    sed -n '4,6s/^# *//p' "$0" >&2
    exit 2
}

main "$@"
