package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/ThalesIgnite/crypto11"
)

var errNotVerified = errors.New("the signature does not verify")

func signPKCS1(c *client) error {
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		digest := digestOf(hash, "PKCS#1 v1.5")
		signature, public, err := c.sign(rsa2048, digest, hash)
		if err != nil {
			return fmt.Errorf("%v: %w", hash, err)
		}
		if err := verifyPKCS1(public, hash, digest, signature); err != nil {
			return fmt.Errorf("%v: %w", hash, err)
		}
	}
	return nil
}

func signPSS(c *client) error {
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		for _, salt := range []int{rsa.PSSSaltLengthEqualsHash, hash.Size()} {
			digest := digestOf(hash, "PSS")
			opts := &rsa.PSSOptions{Hash: hash, SaltLength: salt}
			signature, public, err := c.sign(rsa2048, digest, opts)
			if err != nil {
				return fmt.Errorf("%v: %w", hash, err)
			}
			if err := rsa.VerifyPSS(public.(*rsa.PublicKey), hash, digest, signature, opts); err != nil {
				return fmt.Errorf("%v: %w", hash, err)
			}
		}
	}
	return nil
}

func signECDSA(c *client) error {
	hashes := []crypto.Hash{crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512}
	for _, k := range []kind{p256, p384, p521} {
		for _, hash := range hashes {
			digest := digestOf(hash, "ECDSA")
			signature, public, err := c.sign(k, digest, hash)
			if err != nil {
				return fmt.Errorf("%s, %v: %w", k, hash, err)
			}
			if !ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest, signature) {
				return fmt.Errorf("%s, %v: %w", k, hash, errNotVerified)
			}
		}
	}
	return nil
}

// healthCheck is what the service does every minute with one of its keys.
func healthCheck(c *client) error {
	digest := digestOf(crypto.SHA256, "healthcheck")
	for i := 0; i < 3; i++ {
		signature, public, err := c.sign(p256, digest, crypto.SHA256)
		if err != nil {
			return err
		}
		if !ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest, signature) {
			return errNotVerified
		}
	}
	return nil
}

func jwtRS256(c *client) error {
	signed := signingInput("RS256")
	digest := digestOf(crypto.SHA256, signed)
	signature, public, err := c.sign(rsa2048, digest, crypto.SHA256)
	if err != nil {
		return err
	}
	return verifyJWT(signed+"."+base64.RawURLEncoding.EncodeToString(signature), func(digest, signature []byte) error {
		return verifyPKCS1(public, crypto.SHA256, digest, signature)
	})
}

func jwtES256(c *client) error {
	signed := signingInput("ES256")
	signature, public, err := c.sign(p256, digestOf(crypto.SHA256, signed), crypto.SHA256)
	if err != nil {
		return err
	}
	// A JWT carries r and s at full length; crypto11 answers them as DER integers.
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &rs); err != nil {
		return err
	}
	raw := make([]byte, 64)
	rs.R.FillBytes(raw[:32])
	rs.S.FillBytes(raw[32:])
	return verifyJWT(signed+"."+base64.RawURLEncoding.EncodeToString(raw), func(digest, signature []byte) error {
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		if len(signature) != 64 || !ecdsa.Verify(public.(*ecdsa.PublicKey), digest, r, s) {
			return errNotVerified
		}
		return nil
	})
}

func signingInput(algorithm string) string {
	part := func(value map[string]string) string {
		encoded, _ := json.Marshal(value) // strings always encode
		return base64.RawURLEncoding.EncodeToString(encoded)
	}
	return part(map[string]string{"alg": algorithm, "typ": "JWT"}) + "." +
		part(map[string]string{"iss": "teleport.example.com", "sub": "alice"})
}

func verifyJWT(token string, verify func(digest, signature []byte) error) error {
	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		return err
	}
	return verify(digestOf(crypto.SHA256, token[:dot]), signature)
}

// decryptOAEP decrypts with the RSA-4096 key, up to the longest message that fits.
func decryptOAEP(c *client) error {
	if c.softhsm {
		return skipped("SoftHSM2 does OAEP with SHA-1 only")
	}
	if err := c.ready(rsa4096); err != nil {
		return err
	}
	for _, message := range [][]byte{{}, []byte("secret"), randomly(32), randomly(446)} {
		err := c.calls.expect(operations{"Decrypt": 1}, func() error {
			return decryptOne(c, message)
		})
		if err != nil {
			return fmt.Errorf("%d bytes: %w", len(message), err)
		}
	}
	return nil
}

func decryptOne(c *client, message []byte) error {
	signer, err := c.key(rsa4096)
	if err != nil {
		return err
	}
	public := signer.Public().(*rsa.PublicKey)
	ciphertext, err := rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, public, message, nil)
	if err != nil {
		return err
	}
	opts := &rsa.OAEPOptions{Hash: crypto.SHA256}
	plaintext, err := signer.(crypto11.SignerDecrypter).Decrypt(rand.Reader, ciphertext, opts)
	if err != nil {
		return err
	}
	if !bytes.Equal(plaintext, message) {
		return errors.New("another plaintext")
	}
	return nil
}

// failedOperation uses a pool of one session, so that what a failure leaves behind meets the next
// operation.
func failedOperation(c *client) error {
	for _, k := range []kind{rsa2048, rsa4096} {
		if err := c.ready(k); err != nil {
			return err
		}
	}
	ctx, err := c.open(func(config *crypto11.Config) { config.MaxSessions = 2 })
	if err != nil {
		return err
	}
	defer ctx.Close()
	signer, err := findIn(ctx, c.keys[rsa2048], c.host)
	if err != nil {
		return err
	}
	decrypter, err := findIn(ctx, c.keys[rsa4096], c.host)
	if err != nil {
		return err
	}
	digest := digestOf(crypto.SHA256, "after a failure")
	failures := []struct {
		name string
		fail func() error
	}{
		{"a digest longer than the modulus", func() error {
			_, err := signer.Sign(rand.Reader, randomly(300), crypto.SHA256)
			return err
		}},
		{"a salt longer than the modulus", func() error {
			_, err := signer.Sign(rand.Reader, digest, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 1000})
			return err
		}},
		{"a ciphertext that is none", func() error {
			opts := &rsa.OAEPOptions{Hash: crypto.SHA256}
			_, err := decrypter.(crypto11.SignerDecrypter).Decrypt(rand.Reader, make([]byte, 512), opts)
			return err
		}},
	}
	for _, failure := range failures {
		if failure.fail() == nil {
			return fmt.Errorf("%s was accepted", failure.name)
		}
		signature, err := signer.Sign(rand.Reader, digest, crypto.SHA256)
		if err == nil {
			err = verifyPKCS1(signer.Public(), crypto.SHA256, digest, signature)
		}
		if err != nil {
			return fmt.Errorf("after %s: %w", failure.name, err)
		}
	}
	return nil
}

func digestOf(hash crypto.Hash, message string) []byte {
	h := hash.New()
	h.Write([]byte(message))
	return h.Sum(nil)
}

func verifyPKCS1(public crypto.PublicKey, hash crypto.Hash, digest, signature []byte) error {
	return rsa.VerifyPKCS1v15(public.(*rsa.PublicKey), hash, digest, signature)
}
