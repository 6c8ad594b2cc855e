package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/ThalesIgnite/crypto11"
	"github.com/miekg/pkcs11"
)

// failedConfigure runs first: crypto11 finalizes the library and closes it when it fails.
func failedConfigure(c *client) error {
	ctx, err := c.open(func(config *crypto11.Config) { config.TokenLabel = "no such token" })
	if err == nil {
		ctx.Close()
		return errors.New("a token that does not exist was found")
	}
	ctx, err = c.open()
	if err != nil {
		return err
	}
	return ctx.Close()
}

func configure(c *client) error {
	_, err := c.context()
	return err
}

// anyPin configures as a service does whose operators had to write some PIN, or wrote none.
func anyPin(c *client) error {
	if c.softhsm {
		return skipped("SoftHSM2 wants its own PIN")
	}
	if c.ctx != nil {
		if err := c.ctx.Close(); err != nil {
			return err
		}
		c.ctx = nil
	}
	for _, pin := range []string{"", "1234", strings.Repeat("long", 64)} {
		ctx, err := c.open(func(config *crypto11.Config) { config.Pin = pin })
		if err != nil {
			return fmt.Errorf("PIN %q: %w", pin, err)
		}
		if err := ctx.Close(); err != nil {
			return err
		}
	}
	return configure(c)
}

// secondOpen asks the library what it is, through a handle of its own that is never closed.
func secondOpen(c *client) error {
	if err := configure(c); err != nil {
		return err
	}
	p := pkcs11.New(c.module)
	if p == nil {
		return fmt.Errorf("%s cannot be opened again", c.module)
	}
	info, err := p.GetInfo()
	if err != nil {
		return err
	}
	// A client would treat the token as a YubiHSM and use other key ids.
	if info.ManufacturerID == "" || strings.HasPrefix(info.ManufacturerID, "Yubico") {
		return fmt.Errorf("manufacturer %q", info.ManufacturerID)
	}
	return nil
}

// randomBytes reads what crypto11's own tests read.
func randomBytes(c *client) error {
	ctx, err := c.context()
	if err != nil {
		return err
	}
	reader, err := ctx.NewRandomReader()
	if err != nil {
		return err
	}
	for _, size := range []int{1, 16, 32, 256, 347, 4096, 8192} {
		first, second := make([]byte, size), make([]byte, size)
		for _, buffer := range [][]byte{first, second} {
			if _, err := io.ReadFull(reader, buffer); err != nil {
				return fmt.Errorf("%d bytes: %w", size, err)
			}
		}
		if size >= 16 && bytes.Equal(first, second) {
			return fmt.Errorf("%d bytes twice the same", size)
		}
		if size >= 256 && bytes.Count(second, []byte{0}) > size/16 {
			return fmt.Errorf("%d zeros in %d bytes", bytes.Count(second, []byte{0}), size)
		}
	}
	return nil
}

const (
	signingGoroutines  = 64
	signaturesEach     = 4
	maximumConnections = 2 * signingGoroutines
)

// goroutines finds and signs from many threads at once, over one pool of connections.
func goroutines(c *client) error {
	for _, k := range []kind{rsa2048, p256} {
		if err := c.ready(k); err != nil {
			return err
		}
	}
	if c.calls.endpoint == "" {
		return signInParallel(c)
	}
	got, connections, err := c.calls.count(func() error { return signInParallel(c) })
	if err != nil {
		return err
	}
	if want := (operations{"Sign": signingGoroutines * signaturesEach * 2}); !got.equal(want) {
		return fmt.Errorf("KMS requests: %v, want %v", got, want)
	}
	if connections > maximumConnections {
		return fmt.Errorf("%d connections for %d signatures", connections, got["Sign"])
	}
	return nil
}

func signInParallel(c *client) error {
	failures := make(chan error, signingGoroutines)
	var group sync.WaitGroup
	for i := 0; i < signingGoroutines; i++ {
		message := fmt.Sprintf("goroutine %d", i)
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < signaturesEach; j++ {
				if err := signOnce(c.ctx, c, message); err != nil {
					failures <- fmt.Errorf("%s: %w", message, err)
					return
				}
			}
		}()
	}
	group.Wait()
	close(failures)
	return <-failures
}

// reloads configures anew, as the service does when its configuration changes, and closes nothing.
func reloads(c *client) error {
	for _, k := range []kind{rsa2048, p256} {
		if err := c.ready(k); err != nil {
			return err
		}
	}
	for i := 0; i < 8; i++ {
		err := c.calls.expect(operations{"Sign": 2}, func() error {
			ctx, err := c.open()
			if err != nil {
				return err
			}
			c.reloaded = append(c.reloaded, c.ctx)
			c.ctx = ctx
			return signOnce(ctx, c, "reloaded")
		})
		if err != nil {
			return fmt.Errorf("reload %d: %w", i+1, err)
		}
	}
	for _, ctx := range c.reloaded {
		if err := signOnce(ctx, c, "an older context"); err != nil {
			return err
		}
	}
	return nil
}

// reopen ends every context, so that crypto11 finalizes and closes the library, and starts over.
func reopen(c *client) error {
	for _, k := range []kind{rsa2048, p256} {
		if err := c.ready(k); err != nil {
			return err
		}
	}
	for _, ctx := range append(c.reloaded, c.ctx) {
		if err := ctx.Close(); err != nil {
			return err
		}
	}
	c.reloaded, c.ctx = nil, nil
	if err := configure(c); err != nil {
		return err
	}
	return signOnce(c.ctx, c, "reopened")
}

// signOnce makes and verifies one signature with each of the service's two CA keys.
func signOnce(ctx *crypto11.Context, c *client, message string) error {
	digest := digestOf(crypto.SHA256, message)
	for _, k := range []kind{rsa2048, p256} {
		signer, err := findIn(ctx, c.keys[k], c.host)
		if err != nil {
			return err
		}
		signature, err := signer.Sign(rand.Reader, digest, crypto.SHA256)
		if err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		if public, ok := signer.Public().(*ecdsa.PublicKey); ok {
			if !ecdsa.VerifyASN1(public, digest, signature) {
				err = errNotVerified
			}
		} else {
			err = verifyPKCS1(signer.Public(), crypto.SHA256, digest, signature)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
	}
	return nil
}
