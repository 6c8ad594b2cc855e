package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/ThalesIgnite/crypto11"
	"github.com/miekg/pkcs11"
)

func emptyToken(c *client) error {
	ctx, err := c.context()
	if err != nil {
		return err
	}
	pairs, err := ctx.FindAllKeyPairs()
	if err != nil {
		return err
	}
	if len(pairs) != 0 {
		return fmt.Errorf("%d key pairs", len(pairs))
	}
	signer, err := ctx.FindKeyPair(newUUID(), c.host)
	if err == nil && signer != nil {
		err = errors.New("a key that was never made is found")
	}
	return err
}

func generateStep(k kind) func(*client) error {
	return func(c *client) error {
		signer, err := c.generate(k)
		if err != nil {
			return err
		}
		return checkNames(c.ctx, signer, c.keys[k], c.host)
	}
}

// find looks a key up in every way the service does, and requires that it costs no request.
func find(c *client) error {
	for _, k := range []kind{rsa2048, p256} {
		if err := c.ready(k); err != nil {
			return err
		}
	}
	return c.calls.expect(operations{}, func() error {
		for _, k := range []kind{rsa2048, p256} {
			byBoth, err := c.key(k)
			if err != nil {
				return err
			}
			if err := checkPublicKey(k, byBoth.Public()); err != nil {
				return err
			}
			byID, err := findIn(c.ctx, c.keys[k], nil)
			if err != nil {
				return err
			}
			if !samePublicKey(byID, byBoth) {
				return fmt.Errorf("%s: its id alone finds another key", k)
			}
		}
		byLabel, err := c.ctx.FindKeyPairs(nil, c.host)
		if err != nil {
			return err
		}
		if len(byLabel) != len(c.keys) {
			return fmt.Errorf("the label lists %d keys, want %d", len(byLabel), len(c.keys))
		}
		return nil
	})
}

// onlyOwnObjects looks at every object of the token, and at what other people's keys would be named.
func onlyOwnObjects(c *client) error {
	if err := c.ready(p256); err != nil {
		return err
	}
	for _, id := range c.foreign {
		raw, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
		if err != nil {
			return err
		}
		byID, err := c.ctx.FindKeyPairs(raw, nil)
		if err != nil {
			return err
		}
		byLabel, err := c.ctx.FindKeyPairs(nil, []byte(id))
		if err != nil {
			return err
		}
		if len(byID)+len(byLabel) != 0 {
			return fmt.Errorf("the foreign key %s is visible", id)
		}
	}
	return c.withSession(func(p *pkcs11.Ctx, session pkcs11.SessionHandle) error {
		objects, err := findAll(p, session)
		if err != nil {
			return err
		}
		if len(objects) != 2*len(c.keys) {
			return fmt.Errorf("%d objects, want two for each of %d keys", len(objects), len(c.keys))
		}
		return noOtherHandleSigns(p, session, objects)
	})
}

// noOtherHandleSigns tries the handles beside those that were found: a key that no find shows has to
// be out of reach altogether.
func noOtherHandleSigns(p *pkcs11.Ctx, session pkcs11.SessionHandle, found map[pkcs11.ObjectHandle]bool) error {
	guesses := map[pkcs11.ObjectHandle]bool{}
	for handle := range found {
		for distance := pkcs11.ObjectHandle(0); distance < 8; distance++ {
			guesses[handle-distance] = true
			guesses[handle+distance] = true
		}
	}
	for handle := range guesses {
		if found[handle] {
			continue
		}
		for _, mechanism := range []uint{pkcs11.CKM_ECDSA, pkcs11.CKM_RSA_PKCS} {
			err := p.SignInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, handle)
			if !isCode(err, pkcs11.CKR_KEY_HANDLE_INVALID) && !isCode(err, pkcs11.CKR_OBJECT_HANDLE_INVALID) {
				return fmt.Errorf("C_SignInit with handle %d, which no find shows: %v", handle, err)
			}
		}
	}
	return nil
}

// madeElsewhere finds a key by the names it has without tags of ours: the id of the KMS key.
func madeElsewhere(c *client) error {
	ctx, err := c.context()
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(c.elsewhere, "-", ""))
	if err != nil {
		return err
	}
	signer, err := findIn(ctx, raw, []byte(c.elsewhere))
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte("made elsewhere"))
	return c.calls.expect(operations{"Sign": 1}, func() error {
		signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			return err
		}
		if !ecdsa.VerifyASN1(signer.Public().(*ecdsa.PublicKey), digest[:], signature) {
			return fmt.Errorf("the signature does not verify")
		}
		return nil
	})
}

// deleteUnused keeps the keys that are in use and deletes every other one with this host's label.
func deleteUnused(c *client) error {
	if err := c.ready(p256); err != nil {
		return err
	}
	unused := []kind{rsa2048, p384}
	for _, k := range unused {
		if err := c.ready(k); err != nil {
			return err
		}
	}
	inUse := map[string]bool{}
	for k, id := range c.keys {
		inUse[string(id)] = k != unused[0] && k != unused[1]
	}
	signers, err := c.ctx.FindKeyPairs(nil, c.host)
	if err != nil {
		return err
	}
	deleted := 0
	for _, signer := range signers {
		id, err := c.ctx.GetAttribute(signer, crypto11.CkaId)
		if err != nil {
			return err
		}
		if inUse[string(id.Value)] {
			continue
		}
		if err := c.deleteKey(signer); err != nil {
			return err
		}
		deleted++
	}
	if deleted != len(unused) {
		return fmt.Errorf("%d keys deleted, want %d", deleted, len(unused))
	}
	for _, k := range unused {
		if err := c.forget(k); err != nil {
			return err
		}
	}
	_, err = c.key(p256)
	return err
}

func deleteAll(c *client) error {
	if err := c.ready(p256); err != nil {
		return err
	}
	for k := range c.keys {
		signer, err := c.key(k)
		if err != nil {
			return err
		}
		if err := c.deleteKey(signer); err != nil {
			return err
		}
		if err := c.forget(k); err != nil {
			return err
		}
	}
	return emptyToken(c)
}

// deleteKey destroys the private key, then the public key.
func (c *client) deleteKey(signer crypto11.Signer) error {
	return c.calls.expect(operations{"ScheduleKeyDeletion": 1}, signer.Delete)
}

// forget requires that the pair has gone from finds.
func (c *client) forget(k kind) error {
	id := c.keys[k]
	delete(c.keys, k)
	for _, label := range [][]byte{c.host, nil} {
		signer, err := c.ctx.FindKeyPair(id, label)
		if err != nil {
			return err
		}
		if signer != nil {
			return fmt.Errorf("after its deletion, %s is found", k)
		}
	}
	return c.withSession(func(p *pkcs11.Ctx, session pkcs11.SessionHandle) error {
		halves, err := findAll(p, session, pkcs11.NewAttribute(pkcs11.CKA_ID, id))
		if err == nil && len(halves) != 0 {
			err = fmt.Errorf("after its deletion, %s has %d objects", k, len(halves))
		}
		return err
	})
}

// withSession calls PKCS#11 directly, in the library that crypto11 has initialised and logged in to.
func (c *client) withSession(f func(*pkcs11.Ctx, pkcs11.SessionHandle) error) error {
	p := pkcs11.New(c.module)
	if p == nil {
		return fmt.Errorf("%s cannot be opened again", c.module)
	}
	defer p.Destroy()
	slots, err := p.GetSlotList(true)
	if err != nil {
		return err
	}
	for _, slot := range slots {
		info, err := p.GetTokenInfo(slot)
		if err != nil {
			return err
		}
		if info.Label != c.token {
			continue
		}
		session, err := p.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			return err
		}
		defer p.CloseSession(session)
		return f(p, session)
	}
	return fmt.Errorf("no token %q", c.token)
}

func findAll(p *pkcs11.Ctx, session pkcs11.SessionHandle, template ...*pkcs11.Attribute) (map[pkcs11.ObjectHandle]bool, error) {
	if err := p.FindObjectsInit(session, template); err != nil {
		return nil, err
	}
	found := map[pkcs11.ObjectHandle]bool{}
	for {
		handles, _, err := p.FindObjects(session, 20)
		if err != nil {
			return nil, err
		}
		if len(handles) == 0 {
			return found, p.FindObjectsFinal(session)
		}
		for _, handle := range handles {
			found[handle] = true
		}
	}
}

func samePublicKey(a, b crypto11.Signer) bool {
	return a.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(b.Public())
}

// randomNames is what crypto11's own tests use: any bytes, found by id alone and by label alone.
func randomNames(c *client) (err error) {
	ctx, err := c.context()
	if err != nil {
		return err
	}
	// Zero bytes and invalid UTF-8 on purpose, wherever chance puts the rest.
	id, label := randomly(32), randomly(32)
	copy(id, "\x00\xff\x80")
	copy(label, "\xc3\x00\x28")
	signer, err := ctx.GenerateRSAKeyPairWithLabel(id, label, 2048)
	if err != nil {
		return err
	}
	defer func() {
		if failure := signer.Delete(); err == nil {
			err = failure
		}
	}()
	if err := checkNames(ctx, signer, id, label); err != nil {
		return err
	}
	for _, by := range [][2][]byte{{id, nil}, {nil, label}, {id, label}} {
		found, err := findIn(ctx, by[0], by[1])
		if err != nil {
			return err
		}
		if !samePublicKey(found, signer) {
			return fmt.Errorf("id %x label %x finds another key", by[0], by[1])
		}
		digest := sha256.Sum256(id)
		signature, err := found.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			return err
		}
		if err := verifyPKCS1(found.Public(), crypto.SHA256, digest[:], signature); err != nil {
			return err
		}
	}
	return nil
}

// noLabel makes crypto11 look for a public key with an empty CKA_LABEL.
func noLabel(c *client) error {
	ctx, err := c.context()
	if err != nil {
		return err
	}
	id := randomly(32)
	signer, err := ctx.GenerateECDSAKeyPair(id, curves[p256])
	if err != nil {
		return err
	}
	found, err := findIn(ctx, id, nil)
	if err != nil {
		return err
	}
	if !samePublicKey(found, signer) {
		return fmt.Errorf("another key was found")
	}
	return found.Delete()
}

func privateModulus(c *client) error {
	if err := c.ready(rsa2048); err != nil {
		return err
	}
	signer, err := c.key(rsa2048)
	if err != nil {
		return err
	}
	modulus, err := c.ctx.GetAttribute(signer, crypto11.CkaModulus)
	if err != nil {
		return err
	}
	public, err := c.ctx.GetPubAttribute(signer, crypto11.CkaModulus)
	if err != nil {
		return err
	}
	if len(modulus.Value) != 256 || !bytes.Equal(modulus.Value, public.Value) {
		return fmt.Errorf("%d bytes, and %d of the public key", len(modulus.Value), len(public.Value))
	}
	bits, err := c.ctx.GetPubAttribute(signer, crypto11.CkaModulusBits)
	if err != nil {
		return err
	}
	if want := pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, 2048); !bytes.Equal(bits.Value, want.Value) {
		return fmt.Errorf("CKA_MODULUS_BITS is %x", bits.Value)
	}
	return nil
}
