// Package provider implements the Pulumi provider protocol for the model of AWS in rehearsal/cloud, and for the two small
// providers that a site also needs: docker (images) and random (passwords). An engine in this process calls them;
// another one attaches to them over loopback (Serve), as it does to plugins.
package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// An Event is a finished operation of a provider, for display.
type Event struct {
	Action string // "create", "update", "delete", "replace", "build", "push"
	Type   string
	URN    string
	Err    error
	Took   time.Duration
}

// A Server serves one provider on a port of its own.
type Server struct {
	Port int

	grpc *grpc.Server
	done chan error
	once sync.Once
	err  error
}

// Serve starts p on 127.0.0.1.
func Serve(p pulumirpc.ResourceProviderServer) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Port: listener.Addr().(*net.TCPAddr).Port,
		grpc: grpc.NewServer(grpc.MaxRecvMsgSize(math.MaxInt32)),
		done: make(chan error, 1),
	}
	pulumirpc.RegisterResourceProviderServer(s.grpc, p)
	go func() { s.done <- s.grpc.Serve(listener) }()
	return s, nil
}

// Close waits up to a second for running calls, and stops the server.
func (s *Server) Close() error {
	s.once.Do(func() { s.err = s.shut() })
	return s.err
}

func (s *Server) shut() error {
	stopped := make(chan struct{})
	go func() { s.grpc.GracefulStop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(time.Second):
		s.grpc.Stop()
	}
	if err := <-s.done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// A base implements what all providers have in common.
type base struct {
	pulumirpc.UnimplementedResourceProviderServer
	name, version string
	report        func(Event)
}

func (b *base) Handshake(context.Context, *pulumirpc.ProviderHandshakeRequest) (*pulumirpc.ProviderHandshakeResponse, error) {
	return &pulumirpc.ProviderHandshakeResponse{AcceptSecrets: true, SupportsAutonamingConfiguration: true}, nil
}

func (b *base) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (b *base) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: b.version}, nil
}

func (b *base) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	s, err := json.Marshal(map[string]any{"name": b.name, "version": b.version})
	return &pulumirpc.GetSchemaResponse{Schema: string(s)}, err
}

func (b *base) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

func (b *base) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

func (b *base) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return configured(), nil
}

func configured() *pulumirpc.ConfigureResponse {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true, SupportsAutonamingConfiguration: true}
}

func (b *base) Invoke(_ context.Context, r *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	return nil, fmt.Errorf("the rehearsal's %s provider has no data source %s", b.name, r.GetTok())
}

func (b *base) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (b *base) GetMapping(context.Context, *pulumirpc.GetMappingRequest) (*pulumirpc.GetMappingResponse, error) {
	return &pulumirpc.GetMappingResponse{}, nil
}

func (b *base) GetMappings(context.Context, *pulumirpc.GetMappingsRequest) (*pulumirpc.GetMappingsResponse, error) {
	return &pulumirpc.GetMappingsResponse{}, nil
}

// event reports an operation that began at start.
func (b *base) event(action, urn string, start time.Time, err error) {
	if b.report != nil {
		b.report(Event{Action: action, Type: typeOf(urn), URN: urn, Err: err, Took: time.Since(start)})
	}
}

// typeOf is the type of the resource that a URN names.
func typeOf(urn string) string {
	parts := strings.Split(urn, "::")
	if len(parts) < 3 {
		return ""
	}
	return parts[2][strings.LastIndex(parts[2], "$")+1:]
}
