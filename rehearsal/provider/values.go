package provider

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/archive"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"

	"slipway/rehearsal/cloud"
)

// raw converts properties from the wire format to the model's: plain values, cloud.Unknown and cloud.Secret.
func raw(s *structpb.Struct) (map[string]any, error) {
	m, err := plugin.UnmarshalProperties(s, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, SkipNulls: true,
		ComputeAssetHashes: true})
	if err != nil {
		return nil, err
	}
	return rawMap(m)
}

func rawMap(m resource.PropertyMap) (map[string]any, error) {
	out := make(map[string]any, len(m))
	for k, v := range m {
		r, err := rawValue(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		if r != nil {
			out[string(k)] = r
		}
	}
	return out, nil
}

func rawValue(v resource.PropertyValue) (any, error) {
	switch {
	case v.IsNull():
		return nil, nil
	case v.IsBool():
		return v.BoolValue(), nil
	case v.IsNumber():
		return v.NumberValue(), nil
	case v.IsString():
		return v.StringValue(), nil
	case v.IsComputed():
		return cloud.Unknown, nil
	case v.IsSecret():
		inner, err := rawValue(v.SecretValue().Element)
		if err != nil || inner == nil || inner == any(cloud.Unknown) {
			return inner, err
		}
		return cloud.Secret{Value: inner}, nil
	case v.IsOutput():
		o := v.OutputValue()
		if !o.Known {
			return cloud.Unknown, nil
		}
		inner, err := rawValue(o.Element)
		if err != nil || inner == nil || !o.Secret {
			return inner, err
		}
		return cloud.Secret{Value: inner}, nil
	case v.IsArray():
		l := make([]any, 0, len(v.ArrayValue()))
		for _, e := range v.ArrayValue() {
			r, err := rawValue(e)
			if err != nil {
				return nil, err
			}
			l = append(l, r)
		}
		return l, nil
	case v.IsObject():
		return rawMap(v.ObjectValue())
	case v.IsAsset():
		return map[string]any(v.AssetValue().Serialize()), nil
	case v.IsArchive():
		return map[string]any(v.ArchiveValue().Serialize()), nil
	case v.IsResourceReference():
		id := v.ResourceReferenceValue().ID
		return rawValue(id)
	}
	return nil, fmt.Errorf("a %s cannot be a property here", v.TypeString())
}

// wire converts raw properties to the engine's wire format.
func wire(m map[string]any) (*structpb.Struct, error) {
	p, err := propertyMap(m)
	if err != nil {
		return nil, err
	}
	return plugin.MarshalProperties(p, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, SkipNulls: true})
}

func propertyMap(m map[string]any) (resource.PropertyMap, error) {
	out := make(resource.PropertyMap, len(m))
	for k, v := range m {
		p, err := property(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		out[resource.PropertyKey(k)] = p
	}
	return out, nil
}

func property(v any) (resource.PropertyValue, error) {
	switch v := v.(type) {
	case nil:
		return resource.NewNullProperty(), nil
	case bool:
		return resource.NewProperty(v), nil
	case float64:
		return resource.NewProperty(v), nil
	case int:
		return resource.NewProperty(float64(v)), nil
	case string:
		return resource.NewProperty(v), nil
	case cloud.Secret:
		inner, err := property(v.Value)
		return resource.MakeSecret(inner), err
	case []any:
		l := make([]resource.PropertyValue, len(v))
		for i, e := range v {
			p, err := property(e)
			if err != nil {
				return p, err
			}
			l[i] = p
		}
		return resource.NewProperty(l), nil
	case []string:
		l := make([]resource.PropertyValue, len(v))
		for i, e := range v {
			l[i] = resource.NewProperty(e)
		}
		return resource.NewProperty(l), nil
	case map[string]any:
		if a, ok, err := asset.Deserialize(v); ok || err != nil {
			return resource.NewProperty(a), err
		}
		if a, ok, err := archive.Deserialize(v); ok || err != nil {
			return resource.NewProperty(a), err
		}
		m, err := propertyMap(v)
		return resource.NewProperty(m), err
	}
	if v == any(cloud.Unknown) {
		return resource.MakeComputed(resource.NewProperty("")), nil
	}
	return resource.PropertyValue{}, fmt.Errorf("a %T cannot be a property", v)
}

// failures converts the model's problems to the engine's format.
func failures(problems []cloud.Problem) []*pulumirpc.CheckFailure {
	var all []*pulumirpc.CheckFailure
	for _, p := range problems {
		all = append(all, &pulumirpc.CheckFailure{Property: p.Path, Reason: p.Rule})
	}
	return all
}
