package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// cacheURL is the first variable that holds the URL of a cache; nil: there is none.
func (e *examination) cacheURL() *url.URL {
	names := make([]string, 0, len(e.env))
	for name := range e.env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if u, err := url.Parse(e.env[name]); err == nil && (u.Scheme == "redis" || u.Scheme == "rediss") && u.Host != "" {
			return u
		}
	}
	return nil
}

// cache asks the cache for a PONG, in the protocol of Redis and Valkey.
func (e *examination) cache() *sickness {
	u := e.cacheURL()
	password, _ := u.User.Password()
	e.hidePasswords(password, e.database.password)
	at := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "6379"))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, unverified, err := dialCache(ctx, u, at)
	if err != nil {
		return &sickness{"cache", fmt.Sprintf("the cache %s: %s", at, words(err)), "its URL, its security group, or its certificate"}
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	commands := [][]string{{"PING"}}
	switch {
	case unverified || password == "":
	case u.User.Username() != "":
		commands = [][]string{{"AUTH", u.User.Username(), password}, {"PING"}}
	default:
		commands = [][]string{{"AUTH", password}, {"PING"}}
	}
	answers := bufio.NewReader(conn)
	for _, command := range commands {
		answer, err := ask(conn, answers, command)
		switch {
		case err != nil:
			return &sickness{"cache", fmt.Sprintf("the cache %s does not answer: %s", at, words(err)), "it listens, and is overloaded or no cache"}
		case unverified && strings.HasPrefix(answer, "-NOAUTH"):
		case strings.HasPrefix(answer, "-"):
			return &sickness{"cache", fmt.Sprintf("the cache %s answers %s", at, answer[1:]), "the password in the URL, or the URL has none"}
		}
	}
	e.tell("the cache %s answers", at)
	if unverified {
		e.tell("note: this image has no certificate authority for it, so its certificate was not checked and no password sent")
	}
	return nil
}

// dialCache connects, with TLS if the URL says so. unverified says that the image does not know the authority of the certificate, which
// Python's may.
func dialCache(ctx context.Context, u *url.URL, at string) (conn net.Conn, unverified bool, err error) {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if u.Scheme == "redis" {
		conn, err = dialer.DialContext(ctx, "tcp", at)
		return conn, false, err
	}
	config := &tls.Config{ServerName: u.Hostname()}
	file := u.Query().Get("ssl_ca_certs")
	if file != "" {
		bundle, err := os.ReadFile(file)
		if err != nil {
			return nil, false, err
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(bundle)
	}
	conn, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", at)
	var unknown x509.UnknownAuthorityError
	var none x509.SystemRootsError
	if file == "" && (errors.As(err, &unknown) || errors.As(err, &none)) {
		config = &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: true} // nothing secret is sent
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", at)
		return conn, true, err
	}
	return conn, false, err
}

// ask sends a command and reads the first line of its answer.
func ask(to net.Conn, answers *bufio.Reader, command []string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := to.Write([]byte(b.String())); err != nil {
		return "", err
	}
	line, err := answers.ReadString('\n')
	return strings.TrimSpace(line), err
}
