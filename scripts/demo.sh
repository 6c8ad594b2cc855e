#!/usr/bin/env bash
# Keys in KMS through pkcs11-tool and openssl, on this machine alone: KMS is an emulator on loopback, without
# an account, and all files are in a directory that is gone afterwards.
#
# Every line that begins with "$" is a command as it is run, and as a reader could type it.
set -euo pipefail
cd "$(dirname "$0")/.."

main() {
    build
    work=$(mktemp -d)
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    start_emulator
    leave_the_users_settings
    cd "$work"

    heading "A KMS on this machine, and the module that is its PKCS#11 token"
    run "export AWS_ENDPOINT_URL=$endpoint AWS_REGION=us-east-1"
    run "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test"
    run "MODULE='$built/libkms_pkcs11.so'"
    run 'pkcs11-tool --module "$MODULE" -L'
    expect 'token label *: aws-kms$'

    heading "Two signing keys: C_GenerateKeyPair is CreateKey"
    run 'pkcs11-tool --module "$MODULE" --keypairgen --key-type EC:prime256v1 --id 01 --label web-ca'
    expect 'Private Key Object; EC'
    run 'pkcs11-tool --module "$MODULE" --keypairgen --key-type RSA:2048 --id 02 --label code-signing'
    expect 'Private Key Object; RSA'
    run 'pkcs11-tool --module "$MODULE" -O'
    expect 'label: *web-ca$'
    expect 'label: *code-signing$'

    heading "A file signed with each, verified by openssl, which knows nothing of KMS"
    run 'echo "kms-pkcs11 was here" >release.txt'
    # pkcs11-tool 0.23 uses memory that it freed when it writes the public key of an EC pair; ssh-keygen does not.
    run 'ssh-keygen -D "$MODULE" | grep " web-ca$" >ec.pub'
    run 'ssh-keygen -e -m PKCS8 -f ec.pub >ec.pem'
    sign ec 01 ECDSA-SHA256 '--signature-format openssl '
    read_public_key rsa 02
    sign rsa 02 SHA256-RSA-PKCS ''
    run 'echo "somebody else, too" >>release.txt'
    run_to_fail 'openssl dgst -sha256 -verify ec.pem -signature ec.sig release.txt'
    expect '^Verification failure$'

    heading "A decryption key, and a secret that openssl encrypts for it"
    run 'pkcs11-tool --module "$MODULE" --keypairgen --key-type RSA:4096 --usage-decrypt --id 03 --label secrets'
    expect 'Usage: *decrypt, unwrap$'
    read_public_key oaep 03
    run 'echo "the launch code is 0000" >secret.txt'
    run 'openssl pkeyutl -encrypt -pubin -inkey oaep.pem -in secret.txt -out secret.enc \
    -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256'
    run 'pkcs11-tool --module "$MODULE" --decrypt --id 03 --mechanism RSA-PKCS-OAEP --hash-algorithm SHA256 \
    --mgf MGF1-SHA256 --input-file secret.enc --output-file secret.out'
    run 'cat secret.out'
    cmp secret.txt secret.out || fail "the secret did not come back"

    heading "A key deleted: C_DestroyObject is ScheduleKeyDeletion"
    run 'pkcs11-tool --module "$MODULE" --delete-object --type privkey --id 02'
    run 'pkcs11-tool --module "$MODULE" -O'
    expect 'label: *web-ca$'
    if shown 'label: *code-signing$'; then
        fail "the deleted key is still listed"
    fi

    heading "What KMS was asked"
    summary
    heading "The same on AWS KMS"
    on_aws
    echo
    echo "The demo went through in $SECONDS s."
}

# sign NAME ID MECHANISM OPTIONS: signs release.txt with a key and verifies the signature with NAME.pem.
sign() {
    run "pkcs11-tool --module \"\$MODULE\" --sign --id $2 --mechanism $3 $4\\
    --input-file release.txt --output-file $1.sig"
    run "openssl dgst -sha256 -verify $1.pem -signature $1.sig release.txt"
    expect '^Verified OK$'
    signatures=$((signatures + 1))
}

# read_public_key NAME ID: into NAME.pem.
read_public_key() {
    run "pkcs11-tool --module \"\$MODULE\" --read-object --type pubkey --id $2 --output-file $1.der"
    run "openssl pkey -pubin -inform DER -in $1.der -out $1.pem"
}

build() {
    local target
    scripts/setup.sh demo
    command -v cargo >/dev/null || fail "cargo is not in PATH: install Rust"
    heading "The module and the emulator are built"
    echo '$ cargo build --locked -p kms-pkcs11 -p kms-emulator'
    cargo build --locked -p kms-pkcs11 -p kms-emulator
    target=$(cargo metadata --locked --no-deps --format-version 1 |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    built=$target/debug
}

# The emulator ends when this script kills it, and when its standard input closes because this script was killed.
start_emulator() {
    local line
    coproc EMULATOR { exec "$built/kms-emulator" --exit-with-stdin; }
    emulator_pid=$EMULATOR_PID
    read -r -t 30 line <&"${EMULATOR[0]}" || fail "the emulator did not start"
    endpoint=${line#listening on }
}

# No profile, proxy or configuration of the user's must lead these commands anywhere but to the emulator.
leave_the_users_settings() {
    local name
    for name in $(compgen -e); do
        case "${name^^}" in
            AWS_* | KMS_PKCS11_* | *_PROXY | MALLOC_* | GLIBC_TUNABLES) unset "$name" ;;
        esac
    done
    : >"$work/config.toml"
    chmod 600 "$work/config.toml"
    export KMS_PKCS11_CONFIG=$work/config.toml
    export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
}

clean_up() {
    # It may have ended by itself.
    kill "$emulator_pid" 2>/dev/null || true
    rm -rf "$work"
}

summary() {
    local calls operation count asked_to_sign=0
    calls=$(http_get /_emulator/calls)
    # {"operations":{"CreateKey":3,…},…}
    while IFS=: read -r operation count; do
        printf '%6d  %s\n' "$count" "$operation"
        [ "$operation" != Sign ] || asked_to_sign=$count
    done < <(sed 's/.*"operations":{\([^}]*\)}.*/\1/' <<<"$calls" | tr -d '"' | tr ',' '\n')
    echo
    echo "$signatures signatures, $asked_to_sign Sign requests: one each, whatever else the client calls around them."
    echo "Verifying, hashing and encrypting cost none. Every pkcs11-tool is a new process, which lists the keys"
    echo "anew; a program that keeps running does that once, and again every five minutes at most."
    [ "$asked_to_sign" -eq "$signatures" ] || fail "that should have been $signatures Sign requests"
}

on_aws() {
    cat <<'TEXT'
Without the endpoint, and with credentials of yours, the commands above do the same in your account:

    unset AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    export AWS_REGION=eu-west-1        # the region that the keys are to be in
    export AWS_PROFILE=...             # or any other source of credentials that the AWS CLI knows

They need permission for kms:ListKeys, kms:ListResourceTags, kms:GetPublicKey, kms:CreateKey, kms:TagResource,
kms:Sign, kms:Decrypt and kms:ScheduleKeyDeletion. AWS charges for keys and requests, and a deleted key can be
restored for 30 days (aws kms cancel-key-deletion).
TEXT
}

# GET from the emulator, whose answer to HTTP/1.0 ends with the connection.
http_get() {
    local address=${endpoint#http://} connection
    exec {connection}<>"/dev/tcp/${address%:*}/${address#*:}"
    printf 'GET %s HTTP/1.0\r\nHost: %s\r\n\r\n' "$1" "$address" >&"$connection"
    sed '1,/^\r$/d' <&"$connection"
    exec {connection}>&-
}

# Prints a command and runs it; what it prints is kept for expect.
run() {
    show_command "$1"
    # Not in a pipeline: an export has to last.
    eval "$1" >"$work/.output" 2>&1 || {
        cat "$work/.output"
        fail "that command failed"
    }
    cat "$work/.output"
}

run_to_fail() {
    show_command "$1"
    if eval "$1" >"$work/.output" 2>&1; then
        cat "$work/.output"
        fail "that command should have failed"
    fi
    cat "$work/.output"
}

expect() {
    shown "$1" || fail "that output has no line like '$1'"
}

shown() {
    grep -q -- "$1" "$work/.output"
}

show_command() {
    printf '%s$ %s%s\n' "$bold" "$1" "$plain"
}

heading() {
    printf '\n%s== %s%s\n' "$bold" "$1" "$plain"
}

fail() {
    echo "demo: $*" >&2
    exit 1
}

emulator_pid=''
signatures=0
bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' plain=$'\e[0m'
fi
main "$@"
