package containers

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// A target is a task that receives requests. The list is a file, because the process that deploys may not be the one that serves.
type target struct{ Task, Group, Address string }

func (r *Run) targetsFile() string { return filepath.Join(r.dir, "targets.json") }

func (r *Run) targets() []target {
	text, err := os.ReadFile(r.targetsFile())
	if err != nil {
		return nil
	}
	var all []target
	if json.Unmarshal(text, &all) != nil {
		return nil
	}
	return all
}

// register adds a target; without an address it removes a task's targets. It reports whether the list changed.
func (r *Run) register(task, group, address string) bool {
	r.targeting.Lock()
	defer r.targeting.Unlock()
	before := r.targets()
	all := []target{}
	for _, t := range before {
		if address != "" || t.Task != task {
			all = append(all, t)
		}
	}
	if address != "" {
		all = append(all, target{task, group, address})
	}
	if len(all) == len(before) {
		return false
	}
	text, err := json.Marshal(all)
	return err == nil && replace(r.targetsFile(), text) == nil
}

// front starts the S3 endpoint and the balancer, unless another process already serves them.
func (r *Run) front() error {
	first, err := r.server.TryLock()
	if err != nil || !first {
		return err
	}
	bucket, err := listen(r.gateway, &r.kept.Bucket)
	if err != nil {
		return err
	}
	h, err := r.buckets()
	if err != nil {
		return err
	}
	r.serve(bucket, h)
	balancer, err := listen("127.0.0.1", &r.kept.Balancer)
	if err != nil { // another port will do: no container depends on it
		r.kept.Balancer = 0
		balancer, err = listen("127.0.0.1", &r.kept.Balancer)
	}
	if err != nil {
		return err
	}
	if r.options.Domain != "" {
		certificate, err := r.certificate("127.0.0.1", "localhost", r.options.Domain)
		if err != nil {
			return err
		}
		balancer = tls.NewListener(balancer, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}
	r.serve(balancer, r.balancer())
	r.background(r.meter.check)
	r.background(r.meter.watch)
	return r.keep()
}

// host is the site's host name, the only one that it answers to.
func (r *Run) host() string {
	if r.options.Domain != "" {
		return r.options.Domain
	}
	for _, o := range r.all("aws:lb/loadBalancer:LoadBalancer") {
		if name, ok := o.Outputs["dnsName"].(string); ok {
			return strings.ToLower(name)
		}
	}
	return ""
}

// balancer is the reverse proxy. Visitors use this machine's address; the site only ever sees requests for its own host name.
func (r *Run) balancer() http.Handler {
	scheme, _, _ := strings.Cut(r.URL(), ":")
	name := atomic.Pointer[string]{}
	host := func() string {
		if known := name.Load(); known != nil {
			return *known
		}
		found := r.host()
		if found != "" {
			name.Store(&found)
		}
		return found
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			local, public := scheme+"://"+p.In.Host, scheme+"://"+host()
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", "targets", host()
			p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
			p.SetXForwarded()
			p.Out.Header.Set("X-Forwarded-Proto", scheme)
			p.Out.Header.Del("X-Forwarded-Host") // an Application Load Balancer does not send it
			for _, header := range []string{"Origin", "Referer"} {
				if v := p.Out.Header.Get(header); strings.HasPrefix(v, local) {
					p.Out.Header.Set(header, public+strings.TrimPrefix(v, local))
				}
			}
		},
		ModifyResponse: func(answer *http.Response) error {
			r.meter.answered(answer.Request.Context(), answer.StatusCode)
			public := scheme + "://" + host()
			if to := answer.Header.Get("Location"); strings.HasPrefix(to, public) {
				answer.Header.Set("Location", strings.TrimPrefix(to, public))
			}
			return nil
		},
		// One connection per request, so that no request uses an idle connection to a task that has stopped.
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: r.dial(), ResponseHeaderTimeout: time.Minute},
		ErrorHandler: func(w http.ResponseWriter, q *http.Request, err error) {
			if q.Context().Err() != nil {
				return // the visitor has left, which is no error of the site
			}
			status, words := http.StatusBadGateway, "502 Bad Gateway"
			var late net.Error
			switch {
			case errors.Is(err, fs.ErrNotExist):
				status, words = http.StatusServiceUnavailable, "503 Service Temporarily Unavailable: no target is healthy"
			case errors.As(err, &late) && late.Timeout():
				status, words = http.StatusGatewayTimeout, "504 Gateway Time-out"
			}
			r.meter.failed(q.Context(), status)
			http.Error(w, words, status)
		},
	}
	return r.meter.measure(proxy)
}

// dial connects to the next target in turn. It skips targets that refuse the connection, since nothing was sent yet.
func (r *Run) dial() func(context.Context, string, string) (net.Conn, error) {
	var turn atomic.Uint64
	dialer := net.Dialer{Timeout: 2 * time.Second}
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		all := r.targets()
		err := error(fs.ErrNotExist)
		start := turn.Add(1)
		for i := range all {
			t := all[(start+uint64(i))%uint64(len(all))]
			var conn net.Conn
			if conn, err = dialer.DialContext(ctx, "tcp", t.Address); err == nil {
				reached(ctx, t.Group)
				return conn, nil
			}
		}
		return nil, err
	}
}
