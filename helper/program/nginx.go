package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// nginx runs nginx with the configuration of this task. With a bucket it first publishes the static files of this release, so
// that tasks of other releases can serve them, and it serves what other releases published.
func nginx(i *invocation, flags *flag.FlagSet, args []string) error {
	listen := flags.String("listen", "127.0.0.1:8079", "address that serves the files of other releases")
	files := flags.String("files", "/srv/static", "static files of this release")
	conf := flags.String("conf", "/tmp/nginx.conf", "configuration to write")
	if err := parse(flags, args, 1); err != nil {
		return err
	}
	template := "/etc/nginx/slipway.conf.template"
	if flags.NArg() > 0 {
		template = flags.Arg(0)
	}
	text, err := os.ReadFile(template)
	if err != nil {
		return err
	}
	rendered, err := render(string(text), i.env)
	if err != nil {
		return usage("%s: %v", template, err)
	}
	if err := os.WriteFile(*conf, []byte(rendered), 0o644); err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT)
	defer signal.Stop(signals)
	logger := log.New(i.err, "slipway: ", 0)
	a, err := newArchive(i.env, logger)
	if err != nil {
		return err
	}
	server, err := serve(*listen, a, logger)
	if err != nil {
		return err
	}
	defer server.Close()
	first := make(chan struct{})
	go a.keep(context.Background(), *files, first)
	select {
	case <-first:
	case <-signals:
		return nil
	case <-time.After(publishWait):
		logger.Printf("publishing the static files takes longer than %s: nginx starts now", publishWait)
	}
	return runNginx(i, *conf, signals, logger)
}

func serve(listen string, handler http.Handler, logger *log.Logger) (*http.Server, error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("cannot serve the static files of other releases: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: logger}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Printf("the server of static files ended: %v", err)
		}
	}()
	return server, nil
}

// runNginx returns when nginx ends. nginx finishes the requests that run: QUIT, not TERM (nginx, "Controlling nginx").
func runNginx(i *invocation, conf string, signals <-chan os.Signal, logger *log.Logger) error {
	cmd := exec.Command("nginx", "-c", conf, "-e", "stderr", "-g", "daemon off;")
	cmd.Env, cmd.Stdout, cmd.Stderr = i.env.list(), i.out, i.err
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start nginx: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for quit := syscall.SIGQUIT; ; quit = syscall.SIGTERM {
		select {
		case err := <-ended:
			return nginxExit(err)
		case s := <-signals:
			logger.Printf("%s: nginx finishes the running requests", s)
			_ = cmd.Process.Signal(quit)
		}
	}
}

func nginxExit(err error) error {
	exit, ok := asError[*exec.ExitError](err)
	if !ok {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &failure{128 + int(status.Signal()), fmt.Sprintf("nginx was ended by signal %d (%s)", status.Signal(), status.Signal())}
	}
	return &failure{exit.ExitCode(), fmt.Sprintf("nginx ended with exit code %d", exit.ExitCode())}
}

var placeholder = regexp.MustCompile(`\$\{(SLIPWAY_\w*)\}`)

// mayBeEmpty are the variables that a task definition may leave out.
var mayBeEmpty = []string{"SLIPWAY_HEADERS", "SLIPWAY_LIMITS", "SLIPWAY_CACHES", "SLIPWAY_STATIC_BUCKET", "SLIPWAY_HEALTH_PATH"}

// render replaces ${SLIPWAY_NAME} by the environment variable. nginx's own variables stay, also in the form ${name}.
func render(template string, env environment) (string, error) {
	var unknown []string
	text := placeholder.ReplaceAllStringFunc(template, func(found string) string {
		name := placeholder.FindStringSubmatch(found)[1]
		value, set := env[name]
		if !set && !slices.Contains(mayBeEmpty, name) && !slices.Contains(unknown, name) {
			unknown = append(unknown, name)
		}
		return value
	})
	if len(unknown) > 0 {
		return "", fmt.Errorf("the environment lacks %s", strings.Join(unknown, ", "))
	}
	return text, nil
}
