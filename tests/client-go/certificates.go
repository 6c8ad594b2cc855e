package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

const hostName = "host.example.com"

// x509Step makes a self-signed CA and a leaf for a key in software, as the service does for its users.
func x509Step(k kind) func(*client) error {
	return func(c *client) error {
		ca, err := c.authority(k)
		if err != nil {
			return err
		}
		user, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		leaf, err := c.issue(k, ca, user.Public())
		if err != nil {
			return err
		}
		return verifyChain(ca, leaf)
	}
}

// tlsStep serves TLS 1.3 with a key in the token: an RSA key signs with PSS there.
func tlsStep(k kind) func(*client) error {
	return func(c *client) error {
		ca, err := c.authority(p256)
		if err != nil {
			return err
		}
		if err := c.ready(k); err != nil {
			return err
		}
		key, err := c.key(k)
		if err != nil {
			return err
		}
		leaf, err := c.issue(p256, ca, key.Public())
		if err != nil {
			return err
		}
		return c.calls.expect(operations{"Sign": 1}, func() error {
			return handshake(ca, tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key})
		})
	}
}

// sshStep signs a user's SSH certificate and has golang.org/x/crypto/ssh check it as a server would.
func sshStep(k kind) func(*client) error {
	return func(c *client) error {
		if err := c.ready(k); err != nil {
			return err
		}
		key, err := c.key(k)
		if err != nil {
			return err
		}
		authority, err := ssh.NewSignerFromSigner(key)
		if err != nil {
			return err
		}
		user, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		userKey, err := ssh.NewPublicKey(user.Public())
		if err != nil {
			return err
		}
		certificate := &ssh.Certificate{
			Key:             userKey,
			CertType:        ssh.UserCert,
			KeyId:           "alice",
			ValidPrincipals: []string{"alice"},
			ValidAfter:      uint64(time.Now().Add(-time.Minute).Unix()),
			ValidBefore:     uint64(time.Now().Add(time.Hour).Unix()),
		}
		err = c.calls.expect(operations{"Sign": 1}, func() error {
			return certificate.SignCert(rand.Reader, authority)
		})
		if err != nil {
			return err
		}
		return checkSSH(certificate, authority.PublicKey())
	}
}

func checkSSH(certificate *ssh.Certificate, authority ssh.PublicKey) error {
	parsed, err := ssh.ParsePublicKey(certificate.Marshal())
	if err != nil {
		return err
	}
	checker := ssh.CertChecker{
		IsUserAuthority: func(key ssh.PublicKey) bool {
			return string(key.Marshal()) == string(authority.Marshal())
		},
	}
	if err := checker.CheckCert("alice", parsed.(*ssh.Certificate)); err != nil {
		return err
	}
	if err := checker.CheckCert("bob", parsed.(*ssh.Certificate)); err == nil {
		return fmt.Errorf("the certificate is good for anybody")
	}
	return nil
}

// authority makes a self-signed CA certificate.
func (c *client) authority(k kind) (*x509.Certificate, error) {
	if err := c.ready(k); err != nil {
		return nil, err
	}
	key, err := c.key(k)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "teleport.example.com", Organization: []string{string(c.host)}},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return c.certificate(template, template, key.Public(), key)
}

// issue makes a server certificate for hostName, after finding the CA's key again.
func (c *client) issue(k kind, ca *x509.Certificate, subject crypto.PublicKey) (*x509.Certificate, error) {
	key, err := c.key(k)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: hostName},
		DNSNames:     []string{hostName},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	return c.certificate(template, ca, subject, key)
}

func (c *client) certificate(template, parent *x509.Certificate, subject crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	var der []byte
	err := c.calls.expect(operations{"Sign": 1}, func() (err error) {
		der, err = x509.CreateCertificate(rand.Reader, template, parent, subject, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func verifyChain(ca, leaf *x509.Certificate) error {
	if err := ca.CheckSignatureFrom(ca); err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: hostName})
	return err
}

func handshake(ca *x509.Certificate, certificate tls.Certificate) error {
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	near, far := net.Pipe()
	server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{certificate}})
	client := tls.Client(near, &tls.Config{RootCAs: roots, ServerName: hostName, MinVersion: tls.VersionTLS13})
	// The session tickets that follow a handshake have to be read, or the server waits for a reader.
	done := make(chan error, 1)
	go func() {
		err := server.Handshake()
		if err == nil {
			_, err = server.Write([]byte("hello"))
		}
		far.Close()
		done <- err
	}()
	greeting, readErr := io.ReadAll(client)
	near.Close()
	if err := <-done; err != nil {
		return err
	}
	if string(greeting) != "hello" {
		return fmt.Errorf("read %q: %w", greeting, readErr)
	}
	return nil
}
