package inprocess

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/pkg/v3/engine"
	pkghost "github.com/pulumi/pulumi/pkg/v3/host"
	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/env"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// A host is Pulumi's plugin host with other plugins: the stack's providers and its program.
type host struct {
	plugin.Host
	providers map[string]pulumirpc.ResourceProviderClient
	language  plugin.LanguageRuntime
}

// hosts returns a constructor of the engine's host. Every call to a provider or to the program counts among calls.
func (s *Stack) hosts(calls *calls) engine.HostFactory {
	return func(ctx context.Context, sink, status diag.Sink, debug plugin.DebugContext) (plugin.Host, error) {
		inner, err := pkghost.New(ctx, sink, status, debug, nil, nil, nil, nil)
		if err != nil {
			return nil, err
		}
		h := &host{Host: inner, providers: map[string]pulumirpc.ResourceProviderClient{}}
		for name, server := range s.Providers {
			h.providers[name] = pulumirpc.NewResourceProviderClient(newConn(&pulumirpc.ResourceProvider_ServiceDesc, server, calls))
		}
		p := &program{run: s.Program, engine: inner.ServerAddr(), monitor: s.Monitor}
		h.language = plugin.NewLanguageRuntimeClient("inprocess",
			pulumirpc.NewLanguageRuntimeClient(newConn(&pulumirpc.LanguageRuntime_ServiceDesc, p, calls)))
		return h, nil
	}
}

func (h *host) Provider(ctx *plugin.Context, wanted workspace.PluginDescriptor, _ env.Env) (plugin.Provider, error) {
	client, ok := h.providers[wanted.Name]
	if !ok {
		return nil, fmt.Errorf("the program uses the package %s, and the rehearsal has no provider for it", wanted.Name)
	}
	provider := plugin.NewProviderWithClient(ctx, client, ctx.DisableProviderPreview())
	_, err := provider.Handshake(ctx.Request(), plugin.ProviderHandshakeRequest{
		EngineAddress: h.ServerAddr(), ConfigureWithUrn: true, SupportsViews: true, InvokeWithPreview: true,
	})
	if status.Code(err) == codes.Unimplemented {
		err = nil // an older provider
	}
	return provider, err
}

func (h *host) LanguageRuntime(*plugin.Context, string) (plugin.LanguageRuntime, error) {
	return h.language, nil
}

// SignalCancellation asks the providers to finish.
func (h *host) SignalCancellation() error {
	errs := []error{h.Host.SignalCancellation()}
	for _, client := range h.providers {
		if _, err := client.Cancel(context.Background(), &emptypb.Empty{}); err != nil && status.Code(err) != codes.Unimplemented {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// A program is the language runtime of one Go function.
type program struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	run     pulumi.RunFunc
	engine  string         // the address of the engine's server
	monitor func() Monitor // nil: none
}

func (p *program) GetRequiredPackages(
	context.Context, *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

func (p *program) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "1.0.0"}, nil
}

func (p *program) Run(ctx context.Context, r *pulumirpc.RunRequest) (_ *pulumirpc.RunResponse, err error) {
	address := r.GetMonitorAddress()
	var before *proxy
	if p.monitor != nil {
		if before, err = intercept(p.monitor(), address); err != nil {
			return nil, err
		}
		defer before.close()
		address = before.address
	}
	pulumiCtx, err := pulumi.NewContext(ctx, pulumi.RunInfo{
		EngineAddr: p.engine, MonitorAddr: address,
		Config: r.GetConfig(), ConfigSecretKeys: r.GetConfigSecretKeys(),
		Project: r.GetProject(), Stack: r.GetStack(), Organization: r.GetOrganization(),
		Parallel: r.GetParallel(), DryRun: r.GetDryRun(),
	})
	if err != nil {
		return nil, err
	}
	defer pulumiCtx.Close()
	err = p.guarded(pulumiCtx)
	if err == nil && before != nil {
		err = before.Finish(ctx, before.register)
	}
	if err != nil {
		return &pulumirpc.RunResponse{Error: err.Error()}, nil
	}
	return &pulumirpc.RunResponse{}, nil
}

// guarded turns a panic of the program into its error.
func (p *program) guarded(ctx *pulumi.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the program panicked: %v", r)
		}
	}()
	return pulumi.RunWithContext(ctx, p.run)
}

// calls counts the calls under way, so that an operation can wait for them at its end.
type calls struct{ sync.RWMutex }

// end refuses every further call and waits for those under way.
func (c *calls) end(timeout time.Duration) {
	ended := make(chan struct{})
	go func() { c.Lock(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(timeout):
	}
}

// A conn carries calls to a gRPC service in this process, without a socket. It copies messages, so that neither side sees
// the other's later changes.
type conn struct {
	server  any
	methods map[string]grpc.MethodDesc
	calls   *calls
}

func newConn(service *grpc.ServiceDesc, server any, calls *calls) *conn {
	c := &conn{server: server, methods: map[string]grpc.MethodDesc{}, calls: calls}
	for _, m := range service.Methods {
		c.methods[m.MethodName] = m
	}
	return c
}

func (c *conn) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	name := method[strings.LastIndex(method, "/")+1:]
	m, ok := c.methods[name]
	if !ok {
		return status.Errorf(codes.Unimplemented, "unknown method %s", name)
	}
	if !c.calls.TryRLock() {
		return status.Error(codes.Canceled, "the operation has ended")
	}
	type answer struct {
		message any
		err     error
	}
	answered := make(chan answer, 1)
	go func() {
		defer c.calls.RUnlock()
		message, err := m.Handler(c.server, ctx, func(request any) error {
			proto.Merge(request.(proto.Message), args.(proto.Message))
			return nil
		}, nil)
		answered <- answer{message, err}
	}()
	select {
	case a := <-answered:
		if a.err != nil {
			if _, ok := status.FromError(a.err); !ok {
				return status.FromContextError(a.err).Err()
			}
			return a.err
		}
		proto.Merge(reply.(proto.Message), a.message.(proto.Message))
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func (c *conn) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "streams are not supported in process")
}
