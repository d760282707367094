//go:build unix

package sandbox

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/elazarl/goproxy"
	"golang.org/x/net/http/httpproxy"
)

// A Recorder is a forward proxy on loopback that writes down every call to an AWS API and passes it on as it is, so that
// its signature stays valid. For that it answers TLS under AWS's names with certificates of an authority of this run, which
// only the processes of the run trust. Anything else, such as downloads and registries, goes through unopened.
//
// It reaches AWS as this process would: through HTTPS_PROXY if that is set.
type Recorder struct {
	URL    string // of the proxy, without the user
	Bundle string // the file of the certificates that the processes of the run trust

	password string
	server   *http.Server
	roots    *x509.CertPool

	mu      sync.Mutex
	step    string
	calls   []Call
	tunnels map[string]int // connections that went through unopened, by host
	file    *os.File
	failed  error // the first failure to write the file
}

// Record starts a recorder that appends to the file calls.jsonl in dir.
func Record(dir string) (_ *Recorder, err error) {
	authority, certificate, err := newAuthority()
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 16)
	rand.Read(secret)
	r := &Recorder{password: hex.EncodeToString(secret), tunnels: map[string]int{}, Bundle: filepath.Join(dir, "authorities.pem")}
	trusted, extra, err := authorities(os.Getenv)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(r.Bundle, append(trusted, certificate...), 0o600); err != nil {
		return nil, err
	}
	r.roots = x509.NewCertPool()
	r.roots.AppendCertsFromPEM(certificate)
	if r.file, err = os.OpenFile(filepath.Join(dir, "calls.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.file.Close()
		return nil, err
	}
	r.URL = "http://" + listener.Addr().String()
	r.server = &http.Server{Handler: r.proxy(authority, extra), ErrorLog: log.New(io.Discard, "", 0)}
	go r.server.Serve(listener)
	return r, nil
}

// proxy is the handler.
func (r *Recorder) proxy(authority *tls.Certificate, extra *x509.CertPool) *goproxy.ProxyHttpServer {
	proxy := goproxy.NewProxyHttpServer()
	proxy.Logger = log.New(io.Discard, "", 0)
	// Accept-Encoding is among the signed headers.
	proxy.KeepAcceptEncoding = true
	proxy.CertStore = &certificates{made: map[string]*tls.Certificate{}}
	upstream := httpproxy.FromEnvironment().ProxyFunc()
	proxy.Tr = &http.Transport{
		Proxy:               func(req *http.Request) (*url.URL, error) { return upstream(req.URL) },
		TLSClientConfig:     &tls.Config{RootCAs: extra},
		TLSHandshakeTimeout: 15 * time.Second,
		MaxIdleConnsPerHost: 20,
		IdleConnTimeout:     30 * time.Second,
		// The transport adds no Accept-Encoding of its own and unpacks nothing.
		DisableCompression: true,
	}
	proxy.ConnectDial = func(network, address string) (net.Conn, error) {
		through, err := upstream(&url.URL{Scheme: "https", Host: address})
		if err != nil {
			return nil, err
		}
		if through == nil {
			return net.DialTimeout(network, address, 30*time.Second)
		}
		return proxy.NewConnectDialToProxy(through.String())(network, address)
	}
	open := &goproxy.ConnectAction{Action: goproxy.ConnectMitm, TLSConfig: goproxy.TLSConfigFromCA(authority)}
	proxy.OnRequest().HandleConnectFunc(func(host string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		by, ok := r.admits(ctx.Req)
		if !ok {
			ctx.Resp = goproxy.NewResponse(ctx.Req, "text/plain", http.StatusProxyAuthRequired, "this proxy belongs to a sandbox run\n")
			return goproxy.RejectConnect, host
		}
		if name, _, _ := strings.Cut(host, ":"); !isAPI(name) {
			r.tunnel(name)
			return goproxy.OkConnect, host
		}
		ctx.UserData = by
		return open, host
	})
	proxy.OnRequest().DoFunc(func(req *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
		by, _ := ctx.UserData.(string)
		if by == "" { // plain HTTP: no AWS API is reached that way
			return req, goproxy.NewResponse(req, "text/plain", http.StatusForbidden, "this proxy passes on HTTPS only\n")
		}
		call := callOf(req)
		call.When, call.By, call.Step = time.Now().UTC(), by, r.now()
		ctx.RoundTripper = goproxy.RoundTripperFunc(func(req *http.Request, ctx *goproxy.ProxyCtx) (*http.Response, error) {
			resp, err := proxy.Tr.RoundTrip(req)
			call.Millis = time.Since(call.When).Milliseconds()
			if err != nil {
				call.Code = "NoAnswer"
			} else {
				call.answered(resp)
			}
			r.add(call)
			return resp, err
		})
		return req, nil
	})
	return proxy
}

// admits identifies the client by the password of this run.
func (r *Recorder) admits(req *http.Request) (by string, ok bool) {
	_, encoded, _ := strings.Cut(req.Header.Get("Proxy-Authorization"), " ")
	plain, err := base64.StdEncoding.DecodeString(encoded)
	user, password, _ := strings.Cut(string(plain), ":")
	return user, err == nil && user != "" && password == r.password
}

// isAPI reports whether a host serves an AWS API. Registries (and the buckets that serve their layers) speak Docker's protocol
// to clients that may not know this run's authority.
func isAPI(host string) bool {
	if strings.Contains(host, ".dkr.ecr") || strings.Contains(host, "-starport-layer-bucket") {
		return false
	}
	for _, suffix := range []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// ProxyURL is how a client of this run is to use the proxy.
func (r *Recorder) ProxyURL(by string) *url.URL {
	u, _ := url.Parse(r.URL)
	u.User = url.UserPassword(by, r.password)
	return u
}

// Env makes a process, and everything that it starts, use the recorder. AWS_CA_BUNDLE is read by AWS's SDKs alone, so
// that nothing else trusts the authority of the run.
func (r *Recorder) Env() map[string]string {
	through := r.ProxyURL("slipway").String()
	return map[string]string{
		"HTTPS_PROXY": through, "https_proxy": through, "AWS_CA_BUNDLE": r.Bundle,
		// An exception for AWS would go past the recorder, which knows the exceptions of this process itself.
		"NO_PROXY": "", "no_proxy": "",
	}
}

// Client is an HTTP client of this program's own that goes through the recorder.
func (r *Recorder) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(r.ProxyURL("sandbox")), TLSClientConfig: &tls.Config{RootCAs: r.roots}, TLSHandshakeTimeout: 15 * time.Second,
	}}
}

// Step names the step that the calls from now on belong to.
func (r *Recorder) Step(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.step = name
}

func (r *Recorder) now() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.step
}

func (r *Recorder) tunnel(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tunnels[host]++
}

func (r *Recorder) add(c Call) {
	line, err := json.Marshal(c)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
	if err == nil {
		_, err = r.file.Write(append(line, '\n'))
	}
	if r.failed == nil {
		r.failed = err
	}
}

// Seen are the calls so far, and the connections that went through unopened.
func (r *Recorder) Seen() (calls []Call, tunnels map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	tunnels = map[string]int{}
	for host, n := range r.tunnels {
		tunnels[host] = n
	}
	return append([]Call{}, r.calls...), tunnels
}

// Close ends the proxy.
func (r *Recorder) Close() error {
	err := r.server.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(err, r.failed, r.file.Close())
}

// certificates keeps the certificate of each host: making one costs a signature.
type certificates struct {
	mu   sync.Mutex
	made map[string]*tls.Certificate
}

func (c *certificates) Fetch(host string, make func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if there := c.made[host]; there != nil {
		return there, nil
	}
	made, err := make()
	if err == nil {
		c.made[host] = made
	}
	return made, err
}

// newAuthority creates the authority of a run. Its key exists in the memory of this process only.
func newAuthority() (*tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Slipway sandbox run, " + time.Now().UTC().Format(time.DateTime)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	made := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	return made, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// systemRoots are where Linux distributions and BSDs keep their certificates, as crypto/x509 looks for them.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
}

// authorities are the certificates that AWS's SDKs trust without this run: the caller's AWS_CA_BUNDLE, or the system's.
// extra is the pool for the way on to AWS; nil is the system's own.
func authorities(getenv func(string) string) (all []byte, extra *x509.CertPool, err error) {
	if file := getenv("AWS_CA_BUNDLE"); file != "" {
		if all, err = os.ReadFile(file); err != nil {
			return nil, nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
		}
		if extra, err = x509.SystemCertPool(); err != nil {
			extra = x509.NewCertPool()
		}
		extra.AppendCertsFromPEM(all)
		return append(bytes.TrimSpace(all), '\n'), extra, nil
	}
	for _, file := range append([]string{getenv("SSL_CERT_FILE")}, systemRoots...) {
		if all, err = os.ReadFile(cmp.Or(file, os.DevNull)); err == nil && len(all) > 0 {
			return append(bytes.TrimSpace(all), '\n'), nil, nil
		}
	}
	return nil, nil, nil
}
