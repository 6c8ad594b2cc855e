package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"

	"github.com/ThalesIgnite/crypto11"
	"github.com/miekg/pkcs11"
)

// client is the service: its token, its host's identity, and the ids of the keys it made.
type client struct {
	module, token, pin string
	softhsm            bool
	foreign            []string
	elsewhere          string
	calls              callLog

	ctx *crypto11.Context
	// reloaded are the contexts of earlier reloads, which the service never closes.
	reloaded []*crypto11.Context
	host     []byte
	keys     map[kind][]byte
}

// kind names a key the service has one of.
type kind string

const (
	rsa2048 kind = "rsa-2048"
	rsa4096 kind = "rsa-4096"
	p256    kind = "p-256"
	p384    kind = "p-384"
	p521    kind = "p-521"
)

var (
	rsaBits = map[kind]int{rsa2048: 2048, rsa4096: 4096}
	curves  = map[kind]elliptic.Curve{p256: elliptic.P256(), p384: elliptic.P384(), p521: elliptic.P521()}
)

func newClient() *client {
	return &client{host: []byte(formatUUID(newUUID())), keys: map[kind][]byte{}}
}

// open configures a context as the service does. It is the caller's to keep or close.
func (c *client) open(change ...func(*crypto11.Config)) (*crypto11.Context, error) {
	config := &crypto11.Config{Path: c.module, TokenLabel: c.token, Pin: c.pin}
	for _, f := range change {
		f(config)
	}
	return crypto11.Configure(config)
}

// context is the one that steps share.
func (c *client) context() (*crypto11.Context, error) {
	if c.ctx != nil {
		return c.ctx, nil
	}
	var err error
	c.ctx, err = c.open()
	return c.ctx, err
}

// generate makes a key pair under an id that no key has yet, and remembers the id.
func (c *client) generate(k kind) (crypto11.Signer, error) {
	ctx, err := c.context()
	if err != nil {
		return nil, err
	}
	id, err := c.unusedID()
	if err != nil {
		return nil, err
	}
	var signer crypto11.Signer
	err = c.calls.expect(operations{"CreateKey": 1, "GetPublicKey": 1}, func() error {
		if bits, ok := rsaBits[k]; ok {
			signer, err = ctx.GenerateRSAKeyPairWithLabel(id, c.host, bits)
		} else {
			signer, err = ctx.GenerateECDSAKeyPairWithLabel(id, c.host, curves[k])
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("generate %s: %w", k, err)
	}
	if err := checkPublicKey(k, signer.Public()); err != nil {
		return nil, err
	}
	c.keys[k] = id
	return signer, nil
}

func (c *client) unusedID() ([]byte, error) {
	for {
		id := newUUID()
		signer, err := c.ctx.FindKeyPair(id, c.host)
		if err != nil || signer == nil {
			return id, err
		}
	}
}

// ready makes sure that the key exists and has been found once, so that the token is warm.
func (c *client) ready(k kind) error {
	if _, ok := c.keys[k]; !ok {
		if _, err := c.generate(k); err != nil {
			return err
		}
	}
	_, err := c.key(k)
	return err
}

// key finds the pair by id and label, as the service does before every single signature.
func (c *client) key(k kind) (crypto11.Signer, error) {
	ctx, err := c.context()
	if err != nil {
		return nil, err
	}
	return findIn(ctx, c.keys[k], c.host)
}

// sign finds the key and signs with it: one request to KMS when the token is warm.
func (c *client) sign(k kind, digest []byte, opts crypto.SignerOpts) (signature []byte, public crypto.PublicKey, err error) {
	if err = c.ready(k); err != nil {
		return nil, nil, err
	}
	err = c.calls.expect(operations{"Sign": 1}, func() error {
		signer, err := c.key(k)
		if err != nil {
			return err
		}
		public = signer.Public()
		signature, err = signer.Sign(rand.Reader, digest, opts)
		return err
	})
	return signature, public, err
}

func findIn(ctx *crypto11.Context, id, label []byte) (crypto11.Signer, error) {
	signer, err := ctx.FindKeyPair(id, label)
	if err != nil {
		return nil, fmt.Errorf("find id %x label %q: %w", id, label, err)
	}
	if signer == nil {
		return nil, fmt.Errorf("find id %x label %q: nothing", id, label)
	}
	return signer, nil
}

// checkPublicKey requires a key of that kind, in a form that survives PKIX encoding.
func checkPublicKey(k kind, public crypto.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return err
	}
	if !parsed.(interface{ Equal(crypto.PublicKey) bool }).Equal(public) {
		return fmt.Errorf("the public key changed by encoding it")
	}
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		if public.Curve != curves[k] {
			return fmt.Errorf("a %s key on %s", k, public.Curve.Params().Name)
		}
	case interface{ Size() int }:
		if public.Size()*8 != rsaBits[k] {
			return fmt.Errorf("a %s key of %d bits", k, public.Size()*8)
		}
	}
	return nil
}

// checkNames requires these CKA_ID and CKA_LABEL on both halves.
func checkNames(ctx *crypto11.Context, signer crypto11.Signer, id, label []byte) error {
	names := []crypto11.AttributeType{crypto11.CkaId, crypto11.CkaLabel}
	private, err := ctx.GetAttributes(signer, names)
	if err != nil {
		return err
	}
	public, err := ctx.GetPubAttributes(signer, names)
	if err != nil {
		return err
	}
	for _, half := range []crypto11.AttributeSet{private, public} {
		if !bytes.Equal(half[crypto11.CkaId].Value, id) || !bytes.Equal(half[crypto11.CkaLabel].Value, label) {
			return fmt.Errorf("id %x and label %q were stored as %v", id, label, half)
		}
	}
	return nil
}

// isCode says whether the error is this CKR value.
func isCode(err error, code uint) bool {
	got, ok := err.(pkcs11.Error)
	return ok && uint(got) == code
}

// newUUID is a random (version 4) UUID.
func newUUID() []byte {
	id := randomly(16)
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

func formatUUID(id []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

func randomly(n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return b
}
