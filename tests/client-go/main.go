// Command client-go does to a PKCS#11 token what the auth service of an access-control cluster does
// to its own: over the same library (crypto11), in the same order, with the same attributes.
//
// Each step prints "ok NAME", "skip NAME: WHY" or "FAIL NAME: WHY"; the exit status is 1 when any
// failed. Signatures are verified with Go's own cryptography.
//
// Build it against Debian's packages alone:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o target/client-go ./tests/client-go
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

// A step is one thing the service does. Steps run in this order in one process, and share its keys:
// a key that a step needs and no earlier step made is generated on the spot.
type step struct {
	name string
	run  func(*client) error
}

var steps = []step{
	{"a failed configure leaves the library usable", failedConfigure},
	{"configure", configure},
	{"any pin is accepted", anyPin},
	{"an empty token shows nothing", emptyToken},
	{"a second dlopen answers C_GetInfo", secondOpen},
	{"generate rsa-2048", generateStep(rsa2048)},
	{"generate p-256", generateStep(p256)},
	{"generate rsa-4096", generateStep(rsa4096)},
	{"find", find},
	{"sign pkcs#1 v1.5", signPKCS1},
	{"sign pss", signPSS},
	{"sign ecdsa, every sha on every curve", signECDSA},
	{"health check", healthCheck},
	{"x509 ca and leaf, rsa", x509Step(rsa2048)},
	{"x509 ca and leaf, p-256", x509Step(p256)},
	{"tls 1.3 handshake, rsa", tlsStep(rsa2048)},
	{"tls 1.3 handshake, p-256", tlsStep(p256)},
	{"ssh certificate, rsa", sshStep(rsa2048)},
	{"ssh certificate, p-256", sshStep(p256)},
	{"jwt rs256", jwtRS256},
	{"jwt es256", jwtES256},
	{"decrypt oaep sha-256", decryptOAEP},
	{"a failed operation leaves its session usable", failedOperation},
	{"modulus of the private key", privateModulus},
	{"random bytes", randomBytes},
	{"64 goroutines sign", goroutines},
	{"8 reloads without closing", reloads},
	{"only own objects are visible", onlyOwnObjects},
	{"finalize, dlclose, reopen", reopen},
	{"32 random bytes as id and label", randomNames},
	{"a key without label", noLabel},
	{"delete unused keys", deleteUnused},
	{"delete", deleteAll},
}

// elsewhere is not part of a plain run: it wants a key that another program made.
var elsewhere = step{"a key made elsewhere signs", madeElsewhere}

func main() {
	c := newClient()
	flag.StringVar(&c.module, "module", "", "path of the PKCS#11 `library`")
	flag.StringVar(&c.token, "token", "aws-kms", "`label` of the token")
	flag.StringVar(&c.pin, "pin", "", "user PIN")
	flag.StringVar(&c.calls.endpoint, "calls", "", "`URL` of the kms-emulator, whose call log is then checked")
	flag.BoolVar(&c.softhsm, "softhsm", false, "the token is SoftHSM2: skip what it cannot do")
	foreign := flag.String("foreign", "", "key `ids` of other people's KMS keys, which have to be invisible")
	flag.StringVar(&c.elsewhere, "elsewhere", "", "`id` of a P-256 KMS key made elsewhere; only it is tested")
	chosen := flag.String("steps", "", "comma-separated `substrings` of step names (default: all steps)")
	list := flag.Bool("list", false, "print the names of the steps")
	flag.Parse()
	c.foreign = strings.FieldsFunc(*foreign, func(r rune) bool { return r == ',' })

	plan := choose(*chosen)
	if c.elsewhere != "" {
		plan = []step{elsewhere}
	}
	if *list {
		for _, s := range plan {
			fmt.Println(s.name)
		}
		return
	}
	if c.module == "" || len(plan) == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if !runSteps(c, plan) {
		os.Exit(1)
	}
}

func choose(list string) (plan []step) {
	for _, s := range steps {
		for _, part := range strings.Split(list, ",") {
			if strings.Contains(s.name, part) {
				plan = append(plan, s)
				break
			}
		}
	}
	return plan
}

func runSteps(c *client, plan []step) bool {
	good := true
	for _, s := range plan {
		err := s.run(c)
		switch why := err.(type) {
		case nil:
			fmt.Println("ok", s.name)
		case skipped:
			fmt.Printf("skip %s: %s\n", s.name, string(why))
		default:
			fmt.Printf("FAIL %s: %v\n", s.name, err)
			good = false
		}
	}
	return good
}

// skipped says what SoftHSM2 cannot do. No step is skipped on another token.
type skipped string

func (s skipped) Error() string { return string(s) }
