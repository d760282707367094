package containers

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"time"
)

// replace replaces a file atomically.
func replace(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// listen opens a port. If *port is 0 it chooses one and stores it there, so that it stays the same.
func listen(address string, port *int) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(address, fmt.Sprint(*port)))
	if err != nil {
		return nil, fmt.Errorf("port %d of %s, which this stack's containers use, is taken: stop the process that holds it: %w", *port, address,
			err)
	}
	*port = l.Addr().(*net.TCPAddr).Port
	return l, nil
}

func draw() string {
	b := make([]byte, 6)
	rand.Read(b)
	return hex.EncodeToString(b)
}
