package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// health asks the server of this task whether it responds. It asks as the load balancer's visitors do, with the site's host and
// over https: without the host Django answers 400, and without https it redirects.
func health(i *invocation, flags *flag.FlagSet, args []string) error {
	port := flags.Int("port", 0, "port to ask")
	path := flags.String("path", "/", "path to ask")
	below := flags.Int("below", 400, "the lowest status that is unhealthy")
	tcp := flags.Bool("tcp", false, "only connect")
	timeout := flags.Duration("timeout", 4*time.Second, "time for connecting and answering")
	if err := parse(flags, args, 0); err != nil {
		return err
	}
	switch {
	case *port < 1 || *port > 65535:
		return usage("--port must be 1 to 65535")
	case !strings.HasPrefix(*path, "/"):
		return usage("--path must begin with a slash, got %q", *path)
	case *below < 300 || *below > 600:
		return usage("--below must be 300 to 600")
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(*port))
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	if *tcp {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+*path, nil)
	if err != nil {
		return usage("--path %q: %v", *path, err)
	}
	request.Host = i.env.or("SLIPWAY_HOST", "localhost")
	request.Header.Set("X-Forwarded-Proto", "https")
	request.Header.Set("User-Agent", "slipway-health")
	// No proxy of the environment, and one answer: a redirect is one.
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode >= *below {
		return fmt.Errorf("%s answered %d, healthy is 200 to %d", *path, response.StatusCode, *below-1)
	}
	return nil
}
