package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// operations counts KMS requests by their name in the API.
type operations map[string]int

// callLog reads the kms-emulator's count of requests. Without an endpoint it expects nothing.
type callLog struct {
	endpoint string
}

// expect runs f and requires that exactly these requests were sent, and no other.
func (l callLog) expect(want operations, f func() error) error {
	if l.endpoint == "" {
		return f()
	}
	got, _, err := l.count(f)
	if err != nil {
		return err
	}
	if !got.equal(want) {
		return fmt.Errorf("KMS requests: %v, want %v", got, want)
	}
	return nil
}

// count runs f and says which requests were sent, over how many new connections.
func (l callLog) count(f func() error) (got operations, connections int, err error) {
	if err = l.reset(); err != nil {
		return nil, 0, err
	}
	if err = f(); err != nil {
		return nil, 0, err
	}
	return l.read()
}

func (l callLog) reset() error {
	request, err := http.NewRequest(http.MethodDelete, l.endpoint+"/_emulator/calls", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return checkStatus(answer)
}

func (l callLog) read() (operations, int, error) {
	answer, err := http.Get(l.endpoint + "/_emulator/calls")
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	if err := checkStatus(answer); err != nil {
		return nil, 0, err
	}
	var calls struct {
		Connections int
		Operations  operations
	}
	err = json.NewDecoder(answer.Body).Decode(&calls)
	return calls.Operations, calls.Connections, err
}

func checkStatus(answer *http.Response) error {
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", answer.Request.URL, answer.Status)
	}
	return nil
}

func (got operations) equal(want operations) bool {
	for name, count := range got {
		if want[name] != count {
			return false
		}
	}
	for name, count := range want {
		if got[name] != count {
			return false
		}
	}
	return true
}
