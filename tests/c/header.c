/*
 * kms_pkcs11.h beside a pkcs11.h of somebody else's. Usage: header MODULE CONFIG LABEL; the configuration's first
 * token has this label.
 */
#include "host.h"

#include <kms_pkcs11.h>

/* What version 3.0 of the standard added; p11-kit's header may end before. */
struct interface {
    CK_UTF8CHAR *name;
    void *functions;
    CK_FLAGS flags;
};

static void expect_label(char *reserved, const char *label)
{
    CK_INFO info;
    CK_TOKEN_INFO token;
    CHECK_RV(initialize(reserved), CKR_OK);
    CHECK_RV(p11->C_GetInfo(&info), CKR_OK);
    CHECK(info.libraryVersion.major == KMS_PKCS11_VERSION_MAJOR);
    CHECK(info.libraryVersion.minor == KMS_PKCS11_VERSION_MINOR);
    CHECK(memcmp(info.manufacturerID, KMS_PKCS11_MANUFACTURER " ", sizeof KMS_PKCS11_MANUFACTURER) == 0);
    CHECK_RV(p11->C_GetTokenInfo(0, &token), CKR_OK);
    CHECK(memcmp(token.label, label, strlen(label)) == 0);
    CHECK(token.label[strlen(label)] == ' ');
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

int main(int argc, char **argv)
{
    CK_RV (*get_interface)(CK_UTF8CHAR *, CK_VERSION *, struct interface **, CK_FLAGS);
    CK_VERSION version = { 3, 0 };
    struct interface *found;
    char reserved[4096];

    CHECK(argc == 4);
    load(argv[1]);
    CHECK(p11->version.major == 2 && p11->version.minor == 40);
    function("C_GetInterface", &get_interface);
    CHECK_RV(get_interface((CK_UTF8CHAR *)"PKCS 11", &version, &found, 0), CKR_OK);
    CHECK(memcmp(found->functions, &version, sizeof version) == 0);
    CHECK_RV(get_interface(NULL, NULL, &found, 0), CKR_OK);
    CHECK(strcmp((char *)found->name, "PKCS 11") == 0);

    CHECK(unsetenv(KMS_PKCS11_ENV_CONFIG) == 0);
    expect_label(NULL, KMS_PKCS11_DEFAULT_TOKEN_LABEL);
    CHECK(setenv(KMS_PKCS11_ENV_CONFIG, argv[2], 1) == 0);
    expect_label(NULL, argv[3]);
    CHECK(setenv(KMS_PKCS11_ENV_CONFIG, "/nonexistent", 1) == 0);
    snprintf(reserved, sizeof reserved, KMS_PKCS11_RESERVED_CONFIG "=%s", argv[2]);
    expect_label(reserved, argv[3]);

    puts(KMS_PKCS11_VERSION);
    return 0;
}
