package inprocess

import (
	"context"
	"fmt"
	"math"
	"net"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Register registers a resource with the engine.
type Register = func(context.Context, *pulumirpc.RegisterResourceRequest) (*pulumirpc.RegisterResourceResponse, error)

// A Monitor stands between the program and the engine, for one run of the program. It may change what the program registers, answer
// in the engine's place, and register more. Its methods are called from several goroutines.
type Monitor interface {
	// Register is called for every resource. It passes the request on, changed or not, or answers itself.
	Register(ctx context.Context, request *pulumirpc.RegisterResourceRequest, engine Register) (*pulumirpc.RegisterResourceResponse, error)
	// Outputs says whether the engine is to get the outputs of a component: it knows only components that were registered with it.
	Outputs(request *pulumirpc.RegisterResourceOutputsRequest) bool
	// Finish is called when the program has ended without an error.
	Finish(ctx context.Context, engine Register) error
}

// A proxy serves the engine's monitor to the program, on a loopback port because the SDK dials an address.
type proxy struct {
	Monitor
	address string
	server  *grpc.Server
	engine  *grpc.ClientConn
}

// intercept puts a monitor in front of the engine's, which is at an address.
func intercept(m Monitor, engine string) (*proxy, error) {
	size := grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32))
	conn, err := grpc.NewClient(engine, grpc.WithTransportCredentials(insecure.NewCredentials()), size)
	if err != nil {
		return nil, fmt.Errorf("inprocess: the engine's monitor: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("inprocess: a monitor before the engine's: %w", err)
	}
	p := &proxy{Monitor: m, address: listener.Addr().String(), engine: conn}
	p.server = grpc.NewServer(grpc.MaxRecvMsgSize(math.MaxInt32), grpc.UnaryInterceptor(p.pass))
	pulumirpc.RegisterResourceMonitorServer(p.server, pulumirpc.UnimplementedResourceMonitorServer{})
	go func() { _ = p.server.Serve(listener) }() // close ends it
	return p, nil
}

func (p *proxy) close() {
	p.server.Stop()
	p.engine.Close()
}

// pass passes a call on to the engine.
func (p *proxy) pass(ctx context.Context, request any, info *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
	switch request := request.(type) {
	case *pulumirpc.RegisterResourceRequest:
		return p.Register(ctx, request, p.register)
	case *pulumirpc.RegisterResourceOutputsRequest:
		if !p.Outputs(request) {
			return &emptypb.Empty{}, nil
		}
	}
	reply, err := replyOf(info.FullMethod)
	if err != nil {
		return nil, err
	}
	return reply, p.engine.Invoke(ctx, info.FullMethod, request, reply)
}

func (p *proxy) register(ctx context.Context, r *pulumirpc.RegisterResourceRequest) (*pulumirpc.RegisterResourceResponse, error) {
	return pulumirpc.NewResourceMonitorClient(p.engine).RegisterResource(ctx, r)
}

// replyOf is an empty reply of a method, named as gRPC does: /package.Service/Method. So a method that a later Pulumi adds passes too.
func replyOf(method string) (proto.Message, error) {
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return nil, fmt.Errorf("inprocess: %s: %w", method, err)
	}
	reply, err := protoregistry.GlobalTypes.FindMessageByName(found.(protoreflect.MethodDescriptor).Output().FullName())
	if err != nil {
		return nil, fmt.Errorf("inprocess: %s: %w", method, err)
	}
	return reply.New().Interface(), nil
}
